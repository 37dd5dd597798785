"""What readers see, and what nobody can make them do."""

import random
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import storage_worker as worker
from test_exactly_once import start_worker

import telemetry
from storage import CORRELATOR, Move, Reader, Store, Writer
from storage._files import TIME_COLUMNS
from storage._location import Location
from telemetry import Partition, QueryError

HOSTILE = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_text('{root}/../secret')",
    "SELECT * FROM read_parquet('https://example.org/x.parquet')",
    "COPY logs TO '{root}/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    "WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') SELECT * FROM x",
    "WITH x AS (INSERT INTO lineage_map VALUES (1, 2, []) RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM lineage_map RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/x.csv'",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') SELECT * FROM x",
    "/* x */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/x.csv'",
    "EXPORT DATABASE '{root}/x'",
    "ATTACH '{root}/x.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "RESET lock_configuration",
    "PRAGMA enable_external_access",
    "CALL pragma_version()",
    "CREATE TABLE x (i INTEGER)",
    "CREATE OR REPLACE VIEW logs AS SELECT 1",
    "DROP VIEW logs",
    "DELETE FROM lineage_map",
    "PREPARE x AS SELECT 1",
    "BEGIN",
    "CHECKPOINT",
    "CONNECT 'x'",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW logs",
    "SELECT * FROM query('DROP VIEW logs')",
    "SELECT * FROM reader",
    "SELEC 1",
    "SELECT nothing FROM logs",
    "SELECT error('a' || chr(10) || 'b')",
    "",
    ";",
]


@pytest.fixture
def filled(store: Store, partition: Partition) -> Store:
    """Six commits of ten seconds each."""
    writer = store.writer()
    for start in range(0, 60, 10):
        worker.commit(writer, partition, start, start + 10, snapshot=False)
    return store


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_sql_is_refused_and_leaves_nothing_behind(sql: str, filled: Store, reader: Reader) -> None:
    (filled.location.folder.parent / "secret").write_text("x")
    before = sorted(filled.location.folder.parent.rglob("*"))
    with pytest.raises(QueryError) as caught:
        reader.query(sql.format(root=str(filled.location.folder).replace("'", "''")))
    assert "\n" not in str(caught.value)
    assert reader.query("SELECT count(*) AS n FROM logs")["n"].to_pylist() == [47]
    assert sorted(filled.location.folder.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "FROM logs LIMIT 1",
        "TABLE logs",
        "VALUES (1)",
        "DESCRIBE logs",
        "SHOW TABLES",
        "SUMMARIZE metrics",
        "EXPLAIN SELECT * FROM logs",
        "explain analyze select 1",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t",
        "SELECT 'COPY; DROP' AS x -- DELETE",
        "PIVOT logs ON severity_number IN (9, 13) USING count(*) GROUP BY service",
        "SELECT 1;",
    ],
)
def test_reading_statements_pass(sql: str, filled: Store, reader: Reader) -> None:
    assert reader.query(sql).num_rows > 0


def test_parameters_are_values_only(filled: Store, reader: Reader) -> None:
    evil = "x' UNION SELECT content FROM read_text('/etc/passwd') --"
    assert reader.query("SELECT body FROM logs WHERE service = ?", [evil]).num_rows == 0
    assert reader.query("SELECT $a AS a", {"a": evil})["a"].to_pylist() == [evil]


def test_limits_on_time_memory_and_result(filled: Store) -> None:
    with filled.reader(timeout_s=0.2) as reader, pytest.raises(QueryError, match="took longer than"):
        reader.query("SELECT count(*) FROM range(10000000000) WHERE range % 7 = 3")
    with filled.reader(memory_limit="64MiB") as reader:
        with pytest.raises(QueryError, match="needs more than 64MiB"):
            reader.query("SELECT * FROM range(100000000) ORDER BY hash(range)")
        with pytest.raises(QueryError, match="result is larger than 64MiB"):
            reader.query("SELECT range FROM range(100000000)")
        assert reader.query("SELECT count(*) AS n FROM logs")["n"].to_pylist() == [47]


@pytest.mark.parametrize("table", telemetry.TABLES)
def test_empty_tables_have_their_columns_and_types(table: str, store: Store, reader: Reader) -> None:
    schema = telemetry.TABLES[table]
    found = reader.query(f"SELECT * FROM raw_{table}")
    assert found.cast(schema).num_rows == 0
    assert found.column_names == schema.names
    assert reader.query(f"SELECT * FROM {table}").num_rows == 0
    assert reader.scan(table, schema.names).schema.equals(schema)


def test_stored_columns_come_back_as_they_went_in(filled: Store, reader: Reader, partition: Partition) -> None:
    for table in ("logs", "metrics", "dead_letters"):
        expected = worker.rows(table, 0, 60, partition)
        assert reader.scan(table, expected.column_names).sort_by("offset").to_pylist() == expected.to_pylist()
        raw = reader.query(f'SELECT * FROM {table} ORDER BY "offset"')
        assert raw.cast(expected.schema).to_pylist() == expected.to_pylist()


def test_scan_equals_a_filter_and_opens_only_what_overlaps(filled: Store, reader: Reader, partition: Partition) -> None:
    rows = worker.rows("logs", 0, 60, partition)
    times = rows["time"].cast(pa.int64())
    rng = random.Random(3)
    for _ in range(20):
        since, until = (worker.START + rng.randint(-5, 65) * worker.SECOND for _ in range(2))
        mask = pc.and_(pc.greater_equal(times, since), pc.less(times, until))
        found = reader.scan("logs", ["offset"], since, until)
        assert found["offset"].sort().to_pylist() == rows.filter(mask)["offset"].to_pylist()
    files = reader._handles["logs"].files()
    assert len(files.overlapping(worker.START + 20 * worker.SECOND, worker.START + 30 * worker.SECOND)) == 1
    assert len(files.overlapping(None, worker.START + 15 * worker.SECOND)) == 2
    odd = reader.scan(
        "logs", ["offset"], until_us=worker.START + 9 * worker.SECOND, where='"offset" % ? = 1', params=[2]
    )
    assert odd["offset"].sort().to_pylist() == [1, 7]


def test_every_table_has_a_time_column() -> None:
    for table, schema in telemetry.TABLES.items():
        assert schema.field(TIME_COLUMNS[table]).type == telemetry.TIME


def test_new_commits_are_seen_at_the_next_call(store: Store, reader: Reader, partition: Partition) -> None:
    writer, seen = store.writer(), reader.version
    for n in (10, 20, 30):
        worker.commit(writer, partition, n - 10, n, snapshot=False)
        assert reader.query("SELECT max(next) AS n FROM ledger")["n"].to_pylist() == [n]
        assert reader.version > seen
        seen = reader.version
    assert not reader.refresh()


def test_reader_beside_a_writing_process_never_sees_data_behind_the_ledger(store: Store, reader: Reader) -> None:
    process = start_worker(store.location.folder, 120, "a")
    reached = 0
    while reached < 120:
        ledger = reader.query("SELECT coalesce(max(next), 0) AS n FROM ledger")["n"][0].as_py()
        assert ledger >= reached
        reached = ledger
        for table in ("logs", "metrics"):
            expected = sum(worker.kind(n) == table for n in range(reached))
            assert reader.scan(table, ["offset"], where='"offset" < ?', params=[reached]).num_rows == expected
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_threads_may_share_a_reader(filled: Store, reader: Reader) -> None:
    found: list[int] = []

    def ask() -> None:
        for _ in range(10):
            found.extend(reader.query("SELECT count(*) AS n FROM logs")["n"].to_pylist())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [47] * 40


def test_store_deleted_and_made_anew_under_a_reader(filled: Store, reader: Reader) -> None:
    assert reader.query("SELECT count(*) AS n FROM logs")["n"].to_pylist() == [47]
    filled.location.folder.rename(filled.location.folder.with_name("old"))
    Store.open(filled.location.folder)
    assert reader.query("SELECT count(*) AS n FROM logs")["n"].to_pylist() == [0]


def log(n: int, template_id: int, params: list[str]) -> dict[str, object]:
    at = worker.START + n * worker.SECOND
    origin = {"source": "a", "partition": 0, "offset": n}
    more = {"body": "b", "late": False, "observed_time": at}
    return {"time": at, "service": "cart", "template_id": template_id, "params": params, **more, **origin}


def rule(n: int, start: int, end: int, recipe: list[list[object]]) -> dict[str, object]:
    parts = [[{"text": p} if isinstance(p, str) else {"param": p} for p in run] for run in recipe]
    origin = {"source": "a", "partition": 0, "offset": n}
    at = worker.START + n * worker.SECOND
    return {"time": at, "kind": "generalise", "from_id": start, "to_id": end, "recipe": parts, **origin}


def put(writer: Writer, at: int, **rows: list[dict[str, object]]) -> None:
    tables = {name: pa.Table.from_pylist(found, schema=telemetry.TABLES[name]) for name, found in rows.items()}
    writer.commit(tables, [Move("app-a", at, at + 10, "a")])


def test_lineage_is_applied_to_ids_params_counts_and_templates(store: Store, reader: Reader) -> None:
    writer = store.writer()

    def template(n: int, template_id: int, text: str, count: int) -> dict[str, object]:
        at = worker.START + n * worker.SECOND
        origin = {"source": "a", "partition": 0, "offset": n}
        seen = {"first_seen": at, "last_seen": at, "example": f"example {n}"}
        return {"template_id": template_id, "service": "cart", "template": text, "count": count, **seen, **origin}

    origin = {"source": "a", "partition": 0, "offset": 2}
    put(
        writer,
        0,
        logs=[log(0, 1, []), log(1, 2, ["bob"]), log(2, 9, ["z"])],
        templates=[template(0, 1, "user ann in", 1), template(1, 2, "user <*> in", 2), template(2, 9, "other <*>", 1)],
        log_counts=[
            {"minute": worker.START, "service": "cart", "template_id": i, "count": c, **origin}
            for i, c in ((1, 1), (2, 2), (9, 1))
        ],
    )
    look = 'SELECT template_id, params FROM logs ORDER BY "offset"'
    assert reader.query(look)["template_id"].to_pylist() == [1, 2, 9]
    put(writer, 10, lineage=[rule(11, 1, 2, [["ann"]])])
    assert reader.query(look).to_pylist() == [
        {"template_id": 2, "params": ["ann"]},
        {"template_id": 2, "params": ["bob"]},
        {"template_id": 9, "params": ["z"]},
    ]
    put(writer, 20, lineage=[rule(21, 2, 3, [["user"], ["<", 0, ">"]])], templates=[template(21, 3, "<*> <*> in", 5)])
    assert reader.query(look).to_pylist() == [
        {"template_id": 3, "params": ["user", "<ann>"]},
        {"template_id": 3, "params": ["user", "<bob>"]},
        {"template_id": 9, "params": ["z"]},
    ]
    scanned = reader.scan("logs", ["offset", "template_id", "params"], lineage=True).sort_by("offset")
    assert scanned.drop_columns("offset").to_pylist() == reader.query(look).to_pylist()
    assert reader.scan("logs", ["template_id"])["template_id"].sort().to_pylist() == [1, 2, 9]
    sums = "SELECT template_id, sum(count)::INT AS n FROM log_counts GROUP BY ALL ORDER BY ALL"
    assert reader.query(sums).to_pylist() == [{"template_id": 3, "n": 3}, {"template_id": 9, "n": 1}]
    folded = reader.query("SELECT * FROM templates ORDER BY template_id").to_pylist()
    assert [(t["template_id"], t["template"], t["count"], t["example"]) for t in folded] == [
        (3, "<*> <*> in", 8, "example 21"),
        (9, "other <*>", 1, "example 2"),
    ]
    assert (folded[0]["last_seen"] - folded[0]["first_seen"]).total_seconds() == 21
    put(writer, 30, lineage=[rule(31, 9, 1, [[0]]), rule(35, 9, 8, [[0]])])
    assert reader.query(look)["template_id"].to_pylist() == [3, 3, 8], "the newest rule wins"
    assert reader.query("SELECT count(*) AS n FROM raw_lineage")["n"].to_pylist() == [4]


def test_incidents_and_suspects_show_the_present(store: Store, reader: Reader) -> None:
    def incident(name: str, seq: int, status: str) -> dict[str, object]:
        at = worker.START + seq
        times = {"opened": worker.START, "updated": at, "onset": worker.START}
        more = {"severity": "critical", "services": ["cart"], "title": "t", "position": 5}
        return {"id": name, "seq": seq, "status": status, **times, **more}

    def suspect(ranked_at: int, rank: int, service: str) -> dict[str, object]:
        more = {"score": 1.0, "share": 0.5, "role": "unclear", "path": [service], "method": "default", "position": 5}
        evidence = [{"kind": "metric", "signal": "cpu", "score": 2.0, "text": "cpu is high"}]
        at = worker.START + ranked_at
        return {"incident_id": "i", "ranked_at": at, "rank": rank, "service": service, "evidence": evidence, **more}

    def table(name: str, rows: list[dict[str, object]]) -> pa.Table:
        schema = telemetry.TABLES[name].append(pa.field("position", pa.int64()))
        return pa.Table.from_pylist(rows, schema=schema)

    states = [("i", 2, "resolved"), ("i", 1, "open"), ("j", 1, "open")]
    tables = {
        "incidents": table("incidents", [incident(*state) for state in states]),
        "suspects": table("suspects", [suspect(1, 1, "cart"), suspect(2, 2, "cart"), suspect(2, 1, "payment")]),
    }
    store.writer().commit(tables, [Move(CORRELATOR, 0, 10)])
    present = reader.query("SELECT id, status FROM incidents ORDER BY id").to_pylist()
    assert present == [{"id": "i", "status": "resolved"}, {"id": "j", "status": "open"}]
    assert reader.query("SELECT service FROM suspects ORDER BY rank")["service"].to_pylist() == ["payment", "cart"]
    assert reader.query("SELECT * FROM suspects_history").num_rows == 3
    assert reader.query("SELECT evidence[1].text AS t FROM suspects")["t"].to_pylist() == ["cpu is high"] * 2


def test_opening_a_reader_without_a_store(tmp_path: Path) -> None:
    with pytest.raises(telemetry.StoreError, match="is this the folder of a Faultline store"):
        Store(Location(tmp_path)).reader()


def remembered(reader: Reader) -> int:
    """Return the bytes that a reader holds on to for what it may be asked next, after it has read all log rows."""
    reader.query("FROM logs")
    sql = "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'OBJECT_CACHE'"
    return int(reader._connection.execute(sql).fetchall()[0][0])


def test_a_reader_that_follows_a_store_keeps_nothing_of_the_files_it_read(store: Store, partition: Partition) -> None:
    with store.reader() as reader, store.reader(follows=True) as following:
        commits = [(n, n + 5) for n in range(0, 25, 5)]
        grown, same = [], []
        for start, stop in commits:
            worker.commit(store.writer(), partition, start, stop, snapshot=False)
            grown.append(remembered(reader))
            same.append(remembered(following))
        assert grown == sorted(set(grown))
        assert len(set(same)) == 1
        assert reader.query("FROM logs ORDER BY ALL") == following.query("FROM logs ORDER BY ALL")
