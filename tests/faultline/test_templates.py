"""Templates from the pipeline to the command line: same ids however it ran, and edits that outlive all of it."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from faultline import templates
from faultline.cli import _main
from faultline.pipeline import Pipeline
from faultline.settings import load
from faultline.templates import Author
from ingest import FilesSource
from storage import Store
from telemetry import UsageError, format_id, template_id

BY = Author("ann", "because")
NAMES = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"]
LINES = [
    *(f"the door of {name} is {state} today" for name in ("ann", "bob") for state in ("open", "shut")),
    *(f"took {n} ms to answer with {'ok' if n % 3 else '=cmd'}" for n in range(9)),
    "nothing else happened",
]


def pipe(store: Path, *files: Path) -> None:
    """Read files to their end, as `faultline run --once` does, without looking for incidents."""
    source = FilesSource(list(files), once=True)
    pipeline = Pipeline(source, Store.open(store), load())
    while not source.finished:
        pipeline.step()
    pipeline.flush(snapshot=True)
    source.close()


def write(path: Path, lines: Sequence[str]) -> Path:
    with path.open("a") as file:
        file.writelines(f"2026-01-05 08:00:{n % 60:02d} INFO shop.Cart: {line}\n" for n, line in enumerate(lines))
    return path


def listed(store: Path) -> dict[str, int]:
    with Store.open(store, create=False).reader() as reader:
        rows = reader.query("SELECT template, count FROM templates WHERE count > 0").to_pylist()
    return {row["template"]: row["count"] for row in rows}


def id_of(text: str) -> str:
    return format_id(template_id(text))


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Path, Path]:
    """A log file and a store that has read it."""
    file = write(tmp_path / "cart.log", LINES)
    pipe(tmp_path / "store", file)
    return file, tmp_path / "store"


def store_edit(store: Path, kind: str, *arguments: Any) -> templates.Preview:
    place = Store.open(store, create=False)
    with place.reader() as reader:
        edit = getattr(templates, kind)(reader, *arguments, BY)
    shown = templates.preview(place, edit)
    place.append_edit(edit)
    return shown


def test_ids_do_not_depend_on_workers_and_restarts(tmp_path: Path) -> None:
    """Four files, read by one worker, by two that stop half-way and start again, and by four."""
    chance = random.Random(11)
    words = ["open", "shut", "cart", "7", "10.0.0.1", "user=ann", "user=bob", "ok."]
    contents = [
        [" ".join(chance.choices(words, k=chance.randint(1, 4))) for _ in range(150)] + ["\tat shop.Cart"]
        for _ in range(4)
    ]
    files = [write(tmp_path / f"{n}.log", lines[: 20 + 30 * n]) for n, lines in enumerate(contents)]
    for worker in range(2):
        pipe(tmp_path / "two", *files[worker::2])
    for n, (file, lines) in enumerate(zip(files, contents, strict=True)):
        write(file, lines[20 + 30 * n :])
    for worker in range(2):
        pipe(tmp_path / "two", *files[worker::2])
    for worker in range(4):
        pipe(tmp_path / "four", files[worker])
    pipe(tmp_path / "one", *files)
    one, two, four = (_content(tmp_path / name) for name in ("one", "two", "four"))
    assert len(one[1]) == 4 * 151
    assert one[3], "something was learnt"
    assert one == two == four


def _content(store: Path) -> list[Any]:
    with Store.open(store, create=False).reader() as reader:
        rows = 'SELECT source, "offset", template_id, params FROM {} ORDER BY ALL'
        kept = "SELECT template_id, service, template, count FROM templates ORDER BY ALL"
        learnt = "SELECT from_id, to_id FROM raw_lineage ORDER BY ALL"
        queries = (rows.format("raw_logs"), rows.format("logs"), kept, learnt)
        return [reader.query(sql).to_pylist() for sql in queries]


def test_an_edit_is_honoured_by_what_is_learnt_later_and_after_a_restart(shop: tuple[Path, Path]) -> None:
    file, store = shop
    before = listed(store)
    texts = sorted(text for text in before if text.startswith("the door"))
    assert len(texts) == 4
    assert store_edit(store, "merge", [id_of(text) for text in texts]).rows == 4
    assert listed(store)["the door of <*> is <*> today"] == 4
    write(file, [f"the door of {name} is {state} today" for name in NAMES for state in ("open", "shut", "ajar")])
    pipe(store, file)
    after = listed(store)
    assert after["the door of <*> is <*> today"] >= 4 + 16
    with Store.open(store).reader() as reader:
        assert reader.query("SELECT count(*) AS n FROM raw_lineage")["n"][0].as_py(), "nothing generalised since"


def test_a_word_that_is_a_parameter_is_one_in_lines_to_come(shop: tuple[Path, Path]) -> None:
    file, store = shop
    store_edit(store, "parameter", id_of("the door of ann is open today"), [6])
    write(file, ["the door of ann is ajar today", "the door of bob is ajar today"])
    pipe(store, file)
    found = listed(store)
    assert found["the door of ann is <*> today"] == 3
    assert found["the door of bob is open today"] == 1


def test_what_is_no_parameter_is_none_in_lines_to_come(shop: tuple[Path, Path]) -> None:
    file, store = shop
    shown = store_edit(store, "constant", id_of("took <*> ms to answer with ok"), 1)
    assert (shown.rows, len(shown.after)) == (6, 6)
    write(file, ["took 99 ms to answer with ok"])
    pipe(store, file)
    assert listed(store)["took 99 ms to answer with ok"] == 1
    store_edit(store, "undo", 1)
    assert listed(store)["took <*> ms to answer with ok"] == 7


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("merge", (["zzz", "1"],), "'zzz' is not a template id: want up to 16 hex digits"),
        ("merge", ([id_of("nothing else happened")],), "want two templates or more to merge, got 1"),
        ("merge", ([id_of("nothing else happened"), id_of("took <*> ms to answer with ok")],), "no word in common"),
        ("split", (id_of("nothing else happened"), 1, ["x"]), "there is no parameter 1: the template has 0"),
        ("split", (id_of("took <*> ms to answer with ok"), 1, ["77"]), "is never '77'; it is '1', '2'"),
        ("split", (id_of("took <*> ms to answer with ok"), 1, ["<*>"]), "which stands for a parameter"),
        ("split", (id_of("took <*> ms to answer with ok"), 1, []), "want 1 to 100 values to split by, got 0"),
        ("parameter", (id_of("nothing else happened"), [4]), "has no word 4: want 1 to 3"),
        ("parameter", (id_of("nothing else happened"), [1, 2, 3]), "no constant word would be left"),
        ("rename", (id_of("nothing else happened"), "<*> is new"), "the name has 1 `<*>`; want 0"),
        ("rename", (id_of("nothing else happened"), "the door of ann is open today"), "is called so already"),
        ("undo", (7,), "there is no edit 7; there are none"),
    ],
)
def test_what_cannot_be_is_refused(kept: Path, kind: str, arguments: tuple[Any, ...], said: str) -> None:
    with Store.open(kept).reader() as reader, pytest.raises(UsageError) as refused:
        getattr(templates, kind)(reader, *arguments, BY)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    pipe(folder / "store", write(folder / "cart.log", LINES))
    return folder / "store"


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert _main.run(["templates", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_commands_show_apply_undo_and_export(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kept: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAULTLINE_STORE", str(kept))
    took = id_of("took <*> ms to answer with ok")
    assert json.loads(call(capsys, "list", "--json", "--limit", 1))[0]["template_id"] == took
    assert {row["count"] for row in json.loads(call(capsys, "search", "DOOR of", "--json"))} == {1}
    assert "words: 1:took 2:<*> 3:ms" in call(capsys, "show", took[:6])
    split = ("split", took, "--param", 1, "--value", "1", "--by", "ann", "--reason", "odd")
    assert "nothing is stored yet" in call(capsys, *split)
    done = json.loads(call(capsys, *split, "--apply", "--json"))
    assert (done["applied"], done["rows"], done["edit"]["seq"]) == (True, 1, 1)
    assert {row["template"]: row["count"] for row in done["after"]} == {
        "took <*> ms to answer with ok": 5,
        "took 1 ms to answer with ok": 1,
    }
    assert "edit 1 by ann" in call(capsys, "show", id_of("took 1 ms to answer with ok"))
    called = call(capsys, "rename", id_of("nothing else happened"), "=quiet", "--apply")
    assert "stored as edit 2" in called
    assert "became" in call(capsys, "show", id_of("nothing else happened"))
    out = tmp_path / "templates.csv"
    call(capsys, "export", out)
    assert f'"{id_of("=quiet")}"' in out.read_text()
    assert '"\'=quiet"' in out.read_text()
    for seq in (1, 2):
        call(capsys, "undo", seq, "--apply")
    assert [row["status"] for row in json.loads(call(capsys, "undo", "--json"))] == [
        "undone",
        "undone",
        "in force",
        "in force",
    ]
    assert json.loads(call(capsys, "search", "took", "--json"))[0]["count"] == 6
