"""Edits as readers see them: in every view, for rows that came before and after, and in what others preview."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from edited import Row, World, edit, edits, templates
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import telemetry
from storage import Edit, LogFilter, Move, Reader, Store, Writer, _reader, _splits, compact, fill
from telemetry import StoreError, template_id

T0 = datetime(2026, 1, 5, 8, tzinfo=UTC)
USER, OPEN, SHUT = "user <*> is <*>", "door open now", "door shut now"
ROWS: list[Row] = [(USER, ("ann", "in")), (USER, ("bob", "out")), (USER, ("cat", "in")), (OPEN, ()), (SHUT, ())]
LOOK = 'SELECT template, params FROM logs JOIN templates USING (template_id, service) ORDER BY "offset"'


class Filler:
    """Stores rows as the pipeline does: a record every 20 seconds."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self._count = writer, 0

    def __call__(self, rows: Sequence[Row]) -> None:
        tables: dict[str, list[dict[str, object]]] = {"logs": [], "templates": [], "log_counts": []}
        start = self._count
        for text, params in rows:
            at, body = T0 + timedelta(seconds=20 * self._count), fill(text, params)
            own = {"service": "cart", "template_id": template_id(text)}
            own |= {"source": "a", "partition": 0, "offset": self._count}
            more = {"params": list(params), "body": body, "late": False}
            tables["logs"].append(own | more | {"time": at, "observed_time": at})
            seen = {"first_seen": at, "last_seen": at, "count": 1, "example": body}
            tables["templates"].append(own | seen | {"template": text})
            tables["log_counts"].append(own | {"minute": at.replace(second=0), "count": 1})
            self._count += 1
        found = {name: pa.Table.from_pylist(rows, telemetry.TABLES[name]) for name, rows in tables.items()}
        self._writer.commit(found, [Move("app-a", start, self._count, "a")])


@pytest.fixture
def filler(store: Store) -> Filler:
    return Filler(store.writer())


def shown(reader: Reader) -> list[Row]:
    return [(row["template"], tuple(row["params"])) for row in reader.query(LOOK).to_pylist()]


def check_counts(reader: Reader) -> None:
    """Counts, templates and logs tell the same."""
    logs = "SELECT template_id, date_trunc('minute', time) AS minute, count(*) AS n FROM logs GROUP BY ALL ORDER BY ALL"
    counts = "SELECT template_id, minute, sum(count)::BIGINT AS n FROM log_counts GROUP BY ALL ORDER BY ALL"
    assert reader.query(counts).to_pylist() == reader.query(logs).to_pylist()
    own = (
        'SELECT template_id, min(time), max(time), count(*), arg_max(body, "offset") FROM logs GROUP BY ALL ORDER BY 1'
    )
    listed = "SELECT template_id, first_seen, last_seen, count, example FROM templates WHERE count > 0 ORDER BY 1"
    rows = [tuple(row.values()) for row in reader.query(listed).to_pylist()]
    assert [row[:4] for row in rows] == [tuple(row.values())[:4] for row in reader.query(own).to_pylist()]


def check_latest(reader: Reader) -> None:
    """The newest rows of a template are those the view shows, though lineage is applied to the few that are chosen."""
    columns = ["offset", "template_id", "params"]
    every = reader.query('SELECT "offset", template_id, params FROM logs ORDER BY time DESC, "offset" DESC')
    everything = reader.latest(columns, 0, 2**52, 10_000)
    assert everything.to_pylist() == every.to_pylist()
    ids = set(
        reader.query("SELECT template_id FROM raw_templates UNION SELECT template_id FROM templates")[0].to_pylist()
    )
    for one in [*([id] for id in ids), sorted(ids)[:2]]:
        there = every.filter(pc.is_in(every["template_id"], pa.array(one)))
        assert (
            reader.latest(columns, 0, 2**52, 3, LogFilter(templates=tuple(one))).to_pylist()
            == there.slice(0, 3).to_pylist()
        )


def test_an_edit_holds_for_the_past_and_for_what_comes(store: Store, reader: Reader, filler: Filler) -> None:
    filler(ROWS)
    store.append_edit(edit(1, "split", USER, param=1, values=("in",)))
    assert shown(reader)[:3] == [("user <*> is in", ("ann",)), (USER, ("bob", "out")), ("user <*> is in", ("cat",))]
    check_counts(reader)
    store.append_edit(edit(2, "constant", USER, param=1))
    assert shown(reader)[1] == ("user <*> is out", ("bob",))
    store.append_edit(edit(3, "parameter", OPEN, text="door <*> now"))
    assert shown(reader)[3:] == [("door <*> now", ("open",)), ("door <*> now", ("shut",))]
    filler([("door ajar now", ()), (USER, ("dan", "away"))])
    assert shown(reader)[5:] == [("door <*> now", ("ajar",)), ("user <*> is away", ("dan",))]
    check_counts(reader)
    check_latest(reader)
    scanned = reader.scan("logs", ["offset", "template_id"], lineage=True).sort_by("offset")["template_id"]
    assert scanned.to_pylist() == [template_id(text) for text, _ in shown(reader)]
    store.append_edit(edit(4, "merge", "user <*> is in", "user <*> is out", "user <*> is away"))
    store.append_edit(edit(5, "rename", USER, text="<*> went <*>"))
    assert shown(reader)[6] == ("<*> went <*>", ("dan", "away"))
    check_counts(reader)
    check_latest(reader)
    assert reader.query("SELECT kind FROM edits ORDER BY seq")["kind"].to_pylist()[-1] == "rename"


def test_undoing_everything_restores_everything(store: Store, reader: Reader, filler: Filler) -> None:
    filler(ROWS)
    views = ["logs", "log_counts", "templates"]
    before = [reader.query(f"SELECT * FROM {view} ORDER BY ALL").to_pylist() for view in views]
    store.append_edit(edit(1, "constant", USER, param=0))
    store.append_edit(edit(2, "merge", OPEN, SHUT))
    store.append_edit(edit(3, "undo", undoes=1))
    store.append_edit(edit(4, "undo", undoes=2))
    assert [reader.query(f"SELECT * FROM {view} ORDER BY ALL").to_pylist() for view in views] == before


def test_the_newest_rows_are_found_whichever_files_hold_them(
    store: Store, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late rows make old files end after newer ones; the first file alone is looked at first."""
    monkeypatch.setattr(_reader, "_FIRST_FILES", 1)
    writer = store.writer()
    for n, minutes in enumerate([(0, 1), (2, 9), (3, 4), (1, 5), (8, 6), (7, 7)]):
        rows = [
            {"time": (at := T0 + timedelta(minutes=m)), "observed_time": at, "offset": 2 * n + i}
            for i, m in enumerate(minutes)
        ]
        rows = [
            {
                "service": "cart",
                "body": "",
                "source": "a",
                "partition": 0,
                "late": False,
                "template_id": 1,
                "params": [],
            }
            | row
            for row in rows
        ]
        writer.commit({"logs": pa.Table.from_pylist(rows, telemetry.LOGS)}, [Move("app-a", 2 * n, 2 * n + 2, "a")])
    every = reader.query('SELECT "offset" FROM logs ORDER BY time DESC, "offset" DESC')["offset"].to_pylist()
    for limit in range(1, 14):
        assert reader.latest(["offset"], 0, 2**52, limit)["offset"].to_pylist() == every[:limit]


def test_a_reader_opened_later_and_one_after_compaction_see_the_same(
    store: Store, reader: Reader, filler: Filler
) -> None:
    store.append_edit(edit(1, "constant", USER, param=1))
    for row in ROWS * 2:
        filler([row])
        shown(reader)
    before = shown(reader)
    assert len(before) == 10
    compact(store, tables=["logs"])
    assert shown(reader) == before
    check_counts(reader)
    with store.reader() as other:
        assert shown(other) == before


def test_counts_of_rows_no_longer_kept_stay_with_the_template_they_had(
    store: Store, reader: Reader, filler: Filler
) -> None:
    from deltalake import DeltaTable

    filler(ROWS)
    store.append_edit(edit(1, "constant", USER, param=1))
    DeltaTable(store.location.of("logs")).delete('"offset" < 3')
    assert shown(reader) == [(OPEN, ()), (SHUT, ())]
    counts = "SELECT template, sum(log_counts.count)::INT AS n FROM log_counts JOIN templates USING (template_id) "
    counts += "GROUP BY ALL ORDER BY ALL"
    assert [tuple(row.values()) for row in reader.query(counts).to_pylist()] == [(OPEN, 1), (SHUT, 1), (USER, 3)]
    assert reader.query("SELECT count FROM templates ORDER BY ALL")["count"].to_pylist() == [1, 1, 3]


def test_values_beyond_the_limit_stay_together(
    store: Store, reader: Reader, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which values are told apart depends on what is stored, not on the order in which a reader saw it."""
    monkeypatch.setattr(_splits, "MOST_VALUES", 2)
    store.append_edit(edit(1, "constant", USER, param=1))
    for state in ("m", "z", "b", "a"):
        filler([(USER, ("ann", state))])
        shown(reader)
    assert [text for text, _ in shown(reader)] == [USER, USER, "user <*> is b", "user <*> is a"]
    check_counts(reader)
    with store.reader() as other:
        assert shown(other) == shown(reader)


def test_a_preview_is_what_storing_it_would_show(store: Store, reader: Reader, filler: Filler) -> None:
    filler(ROWS)
    made = edit(1, "merge", OPEN, SHUT)
    with store.reader(preview=made) as ahead:
        assert shown(ahead)[3] == ("door <*> now", ("open",))
    assert shown(reader)[3] == (OPEN, ())


def test_two_people_cannot_edit_past_each_other(store: Store) -> None:
    store.append_edit(edit(1, "merge", OPEN, SHUT))
    with pytest.raises(StoreError, match="edit 1 was prepared when edit 0 was the last, but 1 is there"):
        store.append_edit(edit(1, "rename", OPEN, text="x"))


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Filler]:
    store = Store.open(tmp_path_factory.mktemp("lasting"))
    return store, Filler(store.writer())


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_views_read_rows_as_the_rules_say(lasting: tuple[Store, Filler], data: st.DataObject) -> None:
    """One store for all examples: it gets rows and edits, and every edit is taken back in the end."""
    store, filler = lasting
    with store.reader() as reader:
        texts = data.draw(st.lists(templates, min_size=1, max_size=3))
        values = st.sampled_from(["x", "open", "a b", "", "'=", "\x00"])
        new = [(t, tuple(data.draw(values) for _ in range(t.count("<*>")))) for t in texts]
        filler(new)
        rows = tuple((row["template"], tuple(row["params"])) for row in reader.query(LOOK).to_pylist())
        world = World(tuple({text: None for text, _ in rows}), rows)
        last = len(reader.edits()[0])
        made: list[Edit] = []
        for seq in range(last + 1, last + 4):
            made.append(data.draw(edits(world, seq, made, ["merge", "split", "constant", "parameter", "rename"])))
            store.append_edit(made[-1])
        assert shown(reader) == world.read(made)
        check_counts(reader)
        check_latest(reader)
        for one in made:
            last = len(reader.edits()[0])
            store.append_edit(edit(last + 1, "undo", undoes=one.seq))
        assert shown(reader) == list(rows)
