"""What was rejected can be seen, and what decodes by now is stored once, whatever happens in between."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from faultline.cli import _main
from faultline.deadletters import retry
from faultline.pipeline import run_pipeline
from faultline.settings import Settings
from ingest import FilesSource
from storage import Store

LOG = '{"time":17676000%02d,"service":"web","message":"mail bob%d@example.com"}\n'
POINT = '{"time":"2026-01-05T08:00:%02dZ","service":"web","metrics":{"cpu":%d,"memory":2}}\n'
BROKEN = '{"time":"2026-01-05T08:00:00Z","mess\x1b[2J\n'
PARTLY = '{"time":"1999-01-05T08:00:01Z","service":"web","metrics":{"cpu":NaN,"memory":2}}\n'
COUNTS = "select (select count(*) from logs) as logs, (select count(*) from metrics) as metrics"


@pytest.fixture(scope="module")
def rejected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a version that knew no time after 2001: 4 logs, 3 records of 2 points each, and one that is broken."""
    base = tmp_path_factory.mktemp("dead")
    (base / "logs.jsonl").write_text("".join(LOG % (n, n) for n in range(4)) + BROKEN)
    (base / "points.jsonl").write_text("".join(POINT % (n, n) for n in range(3)))
    (base / "table.csv").write_text("time,web_cpu\n2026-01-05T08:00:01Z,1\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ingest._times.LATEST_US", 10**15)
        source = FilesSource([base], once=True)
        run_pipeline(source, Store.open(base / "s"), Settings(), once=True, stop=threading.Event())
    return base / "s"


@pytest.fixture
def store(rejected: Path, tmp_path: Path) -> Path:
    shutil.copytree(rejected, tmp_path / "s")
    return tmp_path / "s"


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Commands set up logging to a standard error that ends with their test."""
    yield
    structlog.reset_defaults()


def ask(store: Path, query: str) -> list[dict[str, Any]]:
    with Store.open(store).reader() as reader:
        found: list[dict[str, Any]] = reader.query(query).to_pylist()
        return found


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert _main.run(["deadletters", *arguments]) == 0
    return capsys.readouterr().out


def test_what_decodes_now_is_stored_once_and_said_to_be_late(store: Path, capsys):
    assert ask(store, COUNTS) == [{"logs": 0, "metrics": 0}]
    done = json.loads(call(capsys, "retry", "--store", str(store), "--json"))
    assert done == {"tried": 9, "queued": 7, "stored": 7}
    assert ask(store, COUNTS) == [{"logs": 4, "metrics": 6}]
    assert ask(store, "select distinct late, source from logs") == [{"late": True, "source": "retry"}]
    assert ask(store, "select distinct body from logs") == [{"body": "mail <redacted:email>"}]
    assert ask(store, "select sum(count)::bigint as n from log_counts") == [{"n": 4}]
    account = ask(store, "select max(read) as read, max(stored) as stored from ledger where app_id = 'retry'")
    assert account == [{"read": 10, "stored": 10}]
    again = json.loads(call(capsys, "retry", "--store", str(store), "--json"))
    assert again == {"tried": 2, "queued": 0, "stored": 0}
    assert ask(store, COUNTS) == [{"logs": 4, "metrics": 6}]
    listed = json.loads(call(capsys, "list", "--store", str(store), "--json"))
    units = Counter[tuple[str, str]]()
    for row in listed["counts"]:
        units[row["reason"], row["status"]] += row["units"]
    assert units == {("bad_time", "retried"): 10, ("bad_json", "rejected"): 1, ("bad_time", "rejected"): 1}


def test_a_letter_is_shown_by_the_first_digits_of_its_id_and_cannot_forge_output(store: Path, capsys):
    listed = json.loads(call(capsys, "list", "--reason", "bad_json", "--store", str(store), "--json"))
    (letter,) = listed["letters"]
    out = call(capsys, "show", letter["id"][:12], "--store", str(store))
    assert letter["id"] in out
    assert '{"time":"2026-01-05T08:00:00Z","mess\\x1b[2J' in out
    assert "\x1b" not in out + call(capsys, "list", "--store", str(store))
    assert _main.run(["deadletters", "show", "nope", "--store", str(store)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_only_those_asked_for(store: Path):
    (first, *_) = ask(store, "select id from dead_letters where reason = 'bad_time' order by time, id")
    assert retry(Store.open(store), Settings(), reason="bad_json").queued == 0
    assert retry(Store.open(store), Settings(), letter=first["id"]).tried == 1


@pytest.mark.parametrize("appends", [0, 1, 3, 6])
def test_a_retry_cut_off_anywhere_is_finished_by_the_next(store: Path, monkeypatch: pytest.MonkeyPatch, appends: int):
    """Cut off before so many appends to tables have been made."""
    left = appends

    def failing(self: Any, *arguments: Any) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        append(self, *arguments)

    from storage._tables import Handle

    append = Handle.append
    with monkeypatch.context() as patched:
        patched.setattr(Handle, "append", failing)
        with pytest.raises(KeyboardInterrupt):
            retry(Store.open(store), Settings())
    retry(Store.open(store), Settings())
    assert ask(store, COUNTS) == [{"logs": 4, "metrics": 6}]
    assert ask(store, "select count(*) as n, count(distinct letter) as d from retries") == [{"n": 7, "d": 7}]
    assert ask(store, "select sum(count)::bigint as n from log_counts") == [{"n": 4}]


def test_of_a_record_rejected_in_part_the_rest_is_not_stored_twice(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/points.jsonl").write_text(PARTLY.replace("1999", "2026"))
    source = FilesSource([tmp_path / "in"], once=True)
    run_pipeline(source, Store.open(tmp_path / "s"), Settings(), once=True, stop=threading.Event())
    done = retry(Store.open(tmp_path / "s"), Settings())
    assert (done.tried, done.queued) == (1, 0)
    assert ask(tmp_path / "s", COUNTS) == [{"logs": 0, "metrics": 1}]
