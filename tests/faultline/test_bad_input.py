"""Whatever comes in: it is stored, or rejected with a reason and counted, and everything beside it goes on."""

import csv
import gzip
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client import generate_latest

from detection import Detector, DetectorSettings
from faultline.cli import _main
from faultline.own_metrics import OwnMetrics
from faultline.pipeline import Accounting, Pipeline, run_pipeline
from faultline.settings import Settings
from ingest import FilesSource, Source
from storage import Store
from telemetry import Partition

ROOT = Path(__file__).parents[2]
NOBODY = 65534
FATES = ("stored", "joined", "dead_lettered", "filtered")
LONG = 10_000_000


def line(second: int, text: str = "added item 7", year: int = 2026) -> bytes:
    return f"{year}-01-05 08:00:{second:02d},000 INFO shop.Cart - {text}\n".encode()


def record(second: int, **more: Any) -> str:
    plain = {"time": f"2026-01-05T08:00:{second:02d}Z", "service": "web", "level": "info", "message": f"got {second}"}
    return json.dumps(plain | more) + "\n"


def point(second: int, value: object, when: str = "") -> str:
    when = when or f'"2026-01-05T08:00:{second:02d}Z"'
    return f'{{"time":{when},"service":"web","metrics":{{"cpu":{value}}}}}\n'


def parquet(**columns: list[Any] | pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def with_flipped_bytes(data: bytes) -> bytes:
    return data[:60] + bytes(byte ^ 255 for byte in data[60:200]) + data[200:]


GOOD = b"".join(line(n, f"added item {n}") for n in range(60))
MESSAGES = parquet(time=["2026-01-05T08:00:01Z"] * 100, message=["hello"] * 100, service=["p"] * 100)
SPAN = '{"time":"%s","duration_us":%s,"trace_id":"%s","span_id":"b1","service":"web","operation":"get"}\n'
TIMES = "time,cart_cpu,cart_mem\n"
TIMESTAMP = "2026-01-05T08:00:%02dZ"


@dataclass
class Fate:
    """What a file's content becomes."""

    logs: int = 0
    metrics: int = 0
    spans: int = 0
    dead: dict[str, int] = field(default_factory=dict)
    joined: int = 0
    filtered: int = 0
    ahead: int = 0
    skipped: str = ""


FILES: dict[bytes, tuple[bytes | str, Fate]] = {
    b"good.log": (GOOD, Fate(logs=60)),
    b"latin.log": (line(1) + b"2026-01-05 08:00:02,000 INFO shop.Cart - caf\xe9 \xff\xfe\n" + line(3), Fate(logs=3)),
    b"nul.log": (line(1) + line(2, "a\0b\0") + line(3), Fate(logs=3)),
    b"token.log": (line(1) + line(2, "x" * LONG) + line(3), Fate(logs=3)),
    b"tokens.log": (line(1) + line(2, "abc " * (LONG // 4 + 300_000)) + line(3), Fate(logs=3)),
    b"headless.log": (line(1) + b"x" * LONG + b"\n" + line(3), Fate(logs=2, joined=1)),
    b"ahead.log": (
        b"".join(line(n, year=2028) for n in range(5)) + line(6) + line(7),
        Fate(logs=7, ahead=5),
    ),
    b"late.log": (line(50) + line(51) + b"2026-01-05 05:00:00,000 INFO shop.Cart - late\n" + line(53), Fate(logs=4)),
    b"empty.log": (b"", Fate(skipped="empty")),
    b"blank.log": (b"\n\n  \n\n", Fate(filtered=4)),
    b"crlf.log": (GOOD.replace(b"\n", b"\r\n"), Fate(logs=60)),
    b"mark.log": (b"\xef\xbb\xbf" + GOOD, Fate(logs=60)),
    b"utf16.log": (GOOD.decode().encode("utf-16"), Fate(logs=60)),
    b"utf16be.log": (GOOD.decode().encode("utf-16-be"), Fate(logs=60)),
    b"binary.log": (bytes(range(256)) * 50, Fate(skipped="looks binary")),
    b"gzip.log": (gzip.compress(GOOD * 10), Fate(logs=600)),
    b"good.log.gz": (gzip.compress(GOOD), Fate(logs=60)),
    b"na\xffme.log": (GOOD, Fate(logs=60)),
    b"new\nline \x1b[2J.log": (GOOD, Fate(logs=60)),
    b"broken.jsonl": (
        record(1) + record(2)[:40] + "\n" + "[" * 100_000 + "\n" + '{"a":' * 100_000 + "\n" + "42\n" + record(3),
        Fate(logs=3, dead={"bad_json": 1, "too_deep": 2}),
    ),
    b"times.jsonl": (
        record(1) + record(2, time="2028-01-05T08:00:02Z") + record(3, time=-5) + record(4)
        + '{"time":1' + "0" * 400 + ',"message":"x","y":NaN}\n' + record(6),
        Fate(logs=4, ahead=1, dead={"bad_time": 2}),
    ),
    b"odd.jsonl": (
        record(1)
        + '{"time":"2026-01-05T08:00:02Z","message":"\\ud800 lone","n":123456789012345678901234567890}\n'
        + '{"time":"2026-01-05T08:00:03Z","message":"a","message":"b"}\n'
        + '{"time":"2026-01-05T08:00:04Z","message":"huge","n":' + "9" * 5000 + "}\n"
        + '{"time":"2026-01-05T08:00:05Z","message":"inf","n":1e999}\n',
        Fate(logs=5),
    ),
    b"long.jsonl": (record(1) + record(2, message="x" * 300_000) + record(3), Fate(logs=2, dead={"too_long": 1})),
    b"mark.jsonl": ("\ufeff" + record(1) + record(2), Fate(logs=2)),
    b"points.jsonl": (
        "".join(point(n, v) for n, v in enumerate(("0.5", "NaN", "Infinity", "-Infinity", "1e999", '"text"', "1e308")))
        + point(9, "1" + "0" * 400) + point(0, 1, "-1") + point(0, 1, '"2028-01-05T08:00:00Z"') + point(10, "null")
        + '{"time":"2026-01-05T08:00:11Z","service":"web","metrics":{}}\n' + point(12, "0.5"),
        Fate(
            metrics=4, ahead=1, filtered=1,
            dead={"not_finite": 5, "bad_value": 1, "bad_time": 1, "bad_metric": 1},
        ),
    ),
    b"spans.jsonl": (
        SPAN % (TIMESTAMP % 1, 5, "a1") + SPAN % (TIMESTAMP % 2, -5, "a2") + SPAN % (TIMESTAMP % 3, "NaN", "a3")
        + SPAN % (TIMESTAMP % 4, 5, "") + SPAN % ("2028-01-05T08:00:00Z", 5, "a5") + SPAN % ("soon", 5, "a6")
        + SPAN % (TIMESTAMP % 7, 7, "a7"),
        Fate(spans=3, ahead=1, dead={"bad_value": 2, "bad_span": 1, "bad_time": 1}),
    ),
    b"wrong.csv": (
        TIMES + f"{TIMESTAMP % 1},1,2\n{TIMESTAMP % 2},abc,2\n{TIMESTAMP % 3},1\n{TIMESTAMP % 4},1,2,3\nnever,1,2\n"
        f"2028-01-05T08:00:01Z,1,2\n{TIMESTAMP % 5},inf,nan\n-5,1,2\n{TIMESTAMP % 6},1,2\n",
        Fate(
            metrics=7, ahead=2, filtered=1,
            dead={"bad_value": 1, "bad_row": 2, "bad_time": 4, "not_finite": 1},
        ),
    ),
    b"quote.csv": (
        TIMES + f'{TIMESTAMP % 1},1,1\n{TIMESTAMP % 2},"2,2\n{TIMESTAMP % 3},3,3\n{TIMESTAMP % 4},4\r5,4\n'
        f"{TIMESTAMP % 5},5,5\n",
        Fate(metrics=6, dead={"bad_row": 2}),
    ),
    b"bytes.csv": (
        TIMES.encode() + b"\xff\xfe\0,1,2\n2026-01-05T08:00:03Z,3,3\n",
        Fate(metrics=2, dead={"bad_time": 2}),
    ),
    b"wide.csv": (
        TIMES + f"{TIMESTAMP % 1},{'9' * 300_000},1\n{TIMESTAMP % 2},2,2\n",
        Fate(metrics=3, dead={"not_finite": 1}),
    ),
    b"ragged.csv": (TIMES + f"{TIMESTAMP % 1},1,2,3\n{TIMESTAMP % 2}\n", Fate(dead={"bad_row": 2})),
    b"header.csv": (TIMES, Fate()),
    b"blank.csv": (TIMES + "\n", Fate(filtered=2)),
    b"garbage.csv": (random.Random(7).randbytes(5000), Fate(skipped="not a metric table")),
    b"carriage.csv": (b"time\rcart_cpu\r1\r2\n", Fate(skipped="not a metric table")),
    b"untimed.csv": ("a,b\n1,2\n", Fate(skipped="no time column")),
    b"good.parquet": (MESSAGES, Fate(logs=100)),
    b"half.parquet": (MESSAGES[: len(MESSAGES) // 2], Fate(skipped="not readable as Parquet")),
    b"flipped.parquet": (with_flipped_bytes(MESSAGES), Fate(skipped="damaged Parquet")),
    b"untext.parquet": (
        parquet(time=["2026-01-05T08:00:01Z"], message=pa.array([b"\xf5"]).view(pa.string())),
        Fate(skipped="Invalid UTF8 sequence"),
    ),
    b"nested.parquet": (parquet(time=[["a"]], message=[{"a": 1}]), Fate(skipped="holds list")),
    b"bytes.parquet": (
        parquet(time=["2026-01-05T08:00:01Z"] * 3, message=[b"\xff\0", b"ok", None]),
        Fate(logs=2, filtered=1),
    ),
    b"texts.parquet": (
        parquet(trace_id=["a"], span_id=["b"], operation=["x"], service=["s"], start=["2026-01-05"], duration_us=["z"]),
        Fate(skipped="duration_us holds string, want a number"),
    ),
}  # fmt: skip


def shown(name: bytes) -> str:
    """A file name as text: bytes that are not UTF-8 escaped."""
    return name.decode("utf-8", "backslashreplace")


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    return clean | {"PYTHONPATH": str(ROOT)} | more


def start(folder: Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """`faultline run` over the folder `in` of `folder`, as a process of its own."""
    command = [sys.executable, "-m", "faultline", "run", "--source", "files", "in", "--once", "--store", "s", "--json"]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False, **options
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `in` with every kind of bad input."""
    base = tmp_path_factory.mktemp("bad")
    inside = base / "in"
    inside.mkdir()
    for name, (content, _) in FILES.items():
        with open(os.fsencode(inside) + b"/" + name, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    os.mkfifo(inside / "pipe.log")
    (inside / "loop.log").symlink_to("loop.log")
    (inside / "round").symlink_to(".")
    return base


@pytest.fixture(scope="module")
def ran(folder: Path) -> dict[str, Any]:
    """What `faultline run --json` said of that folder."""
    done = start(folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    account = json.loads(done.stdout)
    assert isinstance(account, dict)
    return account


def by_file(store: Path, query: str) -> dict[str, Any]:
    with Store.open(store, create=False).reader() as reader:
        return {Path(row["source"]).name: row["found"] for row in reader.query(query).to_pylist()}


@pytest.fixture(scope="module")
def stored(folder: Path, ran: dict[str, Any]) -> dict[str, Fate]:
    """What became of each file, by the tables."""
    store = folder / "s"
    fates: dict[str, Fate] = {}
    for table in ("logs", "metrics", "spans"):
        for name, count in by_file(store, f"select source, count(*) as found from {table} group by source").items():
            setattr(fates.setdefault(name, Fate()), table, count)
    dead = "select source, map(list(reason), list(units)) as found from (select source, reason, sum(units)::bigint as"
    dead += " units from dead_letters group by all) group by source"
    for name, reasons in by_file(store, dead).items():
        fates.setdefault(name, Fate()).dead = dict(reasons)
    for column in ("joined", "filtered", "ahead"):
        query = f"select source, max({column}) as found from ledger group by source"
        for name, count in by_file(store, query).items():
            setattr(fates.setdefault(name, Fate()), column, count)
    for entry in ran["skipped"]:
        fates.setdefault(Path(entry["path"]).name, Fate()).skipped = entry["reason"]
    return fates


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_each_file_is_stored_rejected_or_left_out_and_says_why(stored: dict[str, Fate], name: bytes):
    found, expected = stored.get(shown(name), Fate()), FILES[name][1]
    assert expected.skipped in found.skipped
    assert bool(expected.skipped) == bool(found.skipped)
    assert "\n" not in found.skipped
    found.skipped = expected.skipped
    assert found == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [("pipe.log", "not a regular file"), ("loop.log", "Too many levels"), ("round", "a link to a folder")],
)
def test_pipes_and_links_that_go_round_are_left_out(ran: dict[str, Any], name: str, reason: str):
    reasons = {Path(entry["path"]).name: entry["reason"] for entry in ran["skipped"]}
    assert reason in reasons[name]


def test_the_account_adds_up_and_the_commands_show_it(folder: Path, ran: dict[str, Any], capsys):
    assert ran["read"] == sum(ran[fate] for fate in FATES)
    expected = [fate for _, fate in FILES.values()]
    assert ran["stored"] == sum(fate.logs + fate.metrics + fate.spans for fate in expected)
    assert ran["dead_lettered"] == sum(sum(fate.dead.values()) for fate in expected)
    # The minute of gzip.log comes ten times: from the second time on, seconds 0 to 52 are 5 s behind second 58.
    ahead = sum(fate.ahead for fate in expected)
    assert (ran["late"], ran["ahead"]) == (1 + 9 * 53 + ahead, ahead)
    store = str(folder / "s")
    code, out, _ = call(capsys, "status", "--store", store, "--json")
    status = json.loads(out)
    assert (code, status["balanced"]) == (0, True)
    assert sum(row["dead_lettered"] for row in status["partitions"]) == ran["dead_lettered"]
    code, out, _ = call(capsys, "sql", "select sum(units) as n from dead_letters", "--store", store, "--json")
    assert (code, json.loads(out)) == (0, [{"n": ran["dead_lettered"]}])


def test_a_second_run_adds_nothing(folder: Path, ran: dict[str, Any]):
    """In process: the same account from the state of the first run."""
    again = run(FilesSource([folder / "in"], once=True), folder / "s")
    assert vars(again.total) == {name: ran[name] for name in vars(again.total)}
    with Store.open(folder / "s").reader() as reader:
        (rows,) = reader.query("select (select count(*) from logs) + (select count(*) from metrics) as n").to_pylist()
    assert rows["n"] + 3 == ran["stored"]


def test_long_lines_are_cut_and_say_so(folder: Path, ran: dict[str, Any]):
    query = "select source, max(length(body)) as found from logs group by source"
    lengths = by_file(folder / "s", query)
    assert all(lengths[name] <= 256 * 1024 + 100 for name in ("token.log", "tokens.log", "headless.log"))
    cut = "select source, attributes['faultline.truncated'] as found from logs where length(body) > 200000"
    assert int(by_file(folder / "s", cut)["token.log"]) > LONG


def run(source: FilesSource, store: Path, **options: Any) -> Accounting:
    settings = options.pop("settings", Settings())
    options = {"once": True, "stop": threading.Event()} | options
    return run_pipeline(source, Store.open(store), settings, **options)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The command line in this process: exit code, standard output, standard error."""
    capsys.readouterr()  # what ran in this process before
    code = _main.run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


# -- rights, limits and the disk ----------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach, with two good files."""
    base = Path(tempfile.mkdtemp(prefix="faultline-bad-"))
    base.chmod(0o777)
    (base / "in").mkdir()
    for name in ("a.log", "b.log"):
        (base / "in" / name).write_bytes(GOOD)
    yield base
    shutil.rmtree(base)


def test_a_folder_and_a_file_without_rights_are_named_and_the_rest_goes_on(open_folder: Path):
    (open_folder / "in/locked").mkdir()
    (open_folder / "in/locked/c.log").write_bytes(GOOD)
    (open_folder / "in/locked").chmod(0)
    (open_folder / "in/b.log").chmod(0)
    with as_nobody():
        source = FilesSource([open_folder / "in"], once=True)
    reasons = {Path(path).name: reason for path, reason in source.skipped}
    assert reasons == dict.fromkeys(("locked", "b.log"), "cannot be opened: Permission denied")
    assert run(source, open_folder / "s").total.stored == 60


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: do without its rights."""
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path: Path):
    (tmp_path / "in").mkdir()
    noise = random.Random(1)
    lines = [line(n % 60, f"paid {noise.randbytes(400).hex()}") for n in range(300)]
    (tmp_path / "in/a.log").write_bytes(b"".join(lines))
    limit = 64 * 1024
    full = start(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert full.returncode == 1
    assert full.stderr.splitlines()[-1].startswith("faultline: error: cannot write to the table ")
    assert "File too large" in full.stderr
    assert run(FilesSource([tmp_path / "in"], once=True), tmp_path / "s").total.stored == 300
    query = 'select count(*) as n, count(distinct "offset") as d from logs'
    with Store.open(tmp_path / "s").reader() as reader:
        assert reader.query(query).to_pylist() == [{"n": 300, "d": 300}]


def test_more_files_than_may_be_open_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 10))
    for n in range(8):
        (tmp_path / f"f{n}.log").write_bytes(line(n))
    source = FilesSource([tmp_path], once=True)
    assert len(source.partitions()) == 5
    assert [Path(path).name for path, reason in source.skipped if "ulimit" in reason] == ["f5.log", "f6.log", "f7.log"]
    source.close()


# -- files that change while they are read ------------------------------------------------------------------------


def test_files_cut_or_deleted_while_they_are_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    inside = tmp_path / "in"
    inside.mkdir()
    cut, gone = inside / "cut.log", inside / "gone.log"
    cut.write_bytes(b"".join(line(n) for n in range(20)))
    gone.write_bytes(b"".join(line(n) for n in range(10)))
    stop = threading.Event()
    steps = iter(
        [
            (30, lambda: (gone.unlink(), cut.write_bytes(line(30, "begins anew") + line(31)))),
            (32, stop.set),
        ]
    )
    wanted, act = next(steps)
    deadline = time.monotonic() + 60

    def turn(pipeline: Pipeline, _: object) -> None:
        nonlocal wanted, act
        if pipeline.rows_committed >= wanted:
            act()
            wanted, act = next(steps, (10**9, stop.set))
        if time.monotonic() > deadline:
            stop.set()

    accounting = run(FilesSource([inside]), tmp_path / "s", once=False, stop=stop, on_progress=turn)
    assert accounting.total.balanced
    with Store.open(tmp_path / "s").reader() as reader:
        rows = reader.query("select count(*) as n from logs where body = 'begins anew'").to_pylist()
        assert rows == [{"n": 1}]
        assert reader.query("select count(*) as n from logs").to_pylist() == [{"n": 32}]
    assert "was truncated or written anew" in caplog.text


# -- too many of everything ---------------------------------------------------------------------------------------


def test_series_without_end_are_refused_by_detection_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inside = tmp_path / "in"
    inside.mkdir()
    points = [
        {"time": f"2026-01-05T08:00:{second:02d}Z", "service": f"s{i}", "metrics": {f"m{i}-{j}": j for j in range(10)}}
        for second in (5, 15, 25)
        for i in range(2000)
    ]
    (inside / "m.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    (inside / "l.jsonl").write_text("".join(record(n // 30, service=f"svc{n}") for n in range(1000)))
    limited = DetectorSettings(max_series=500)
    monkeypatch.setattr("detection.Detector", lambda: Detector(limited))
    own = OwnMetrics()
    total = run(FilesSource([inside], once=True), tmp_path / "s", own=own).total
    assert (total.stored, total.read) == (61_000, 61_000)
    text = generate_latest(own.registry).decode()
    (refused,) = (float(sample.split()[1]) for sample in text.splitlines() if sample.startswith("faultline_series_ref"))
    assert refused >= 19_500


# -- hostile text -------------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE logs; --",
    "%s%n {0.__class__} ${jndi:ldap://x}",
    "=HYPERLINK(\"http://x\",\"a\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "a\x1b[2J\x07b",
    "\u202egnp.exe",
    'quote " comma , end',
]  # fmt: skip


def cells(text: str) -> list[str]:
    rows = list(csv.reader(io.StringIO(text)))
    return [cell for row in rows[1:] for cell in row]


def test_hostile_text_comes_out_as_text_and_never_as_a_formula(tmp_path: Path, capsys):
    inside = tmp_path / "in"
    inside.mkdir()
    text = "".join(record(n, message=body, service=body, level=body) for n, body in enumerate(HOSTILE))
    (inside / "web.jsonl").write_text(text)
    assert run(FilesSource([inside], once=True), tmp_path / "s").total.stored == len(HOSTILE)
    query = "select body, service, severity_text from logs order by time"
    code, out, _ = call(capsys, "sql", query, "--csv", "--store", str(tmp_path / "s"))
    assert code == 0
    found = cells(out)
    assert not [cell for cell in found if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert [cell.removeprefix("'") for cell in found[1::3]] == [body.removeprefix("'") for body in HOSTILE]
    code, out, _ = call(capsys, "sql", query, "--store", str(tmp_path / "s"))
    assert code == 0
    assert not set(out) & set("\x1b\x07\u202e")
    code, _, err = call(capsys, "parse", str(inside / "web.jsonl"), "-o", str(tmp_path / "x.csv"))
    assert code == 0, err
    parsed = cells((tmp_path / "x.csv").read_text())
    assert not [cell for cell in parsed if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


# -- the other commands -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """A folder with wrong files of all sorts, and a store."""
    base = tmp_path_factory.mktemp("work")
    (base / "a.log").write_bytes(GOOD)
    (base / "half.log.gz").write_bytes(gzip.compress(GOOD)[:-20])
    (base / "garbage.csv").write_bytes(random.Random(7).randbytes(5000))
    (base / "ragged.csv").write_text(TIMES + "2026-01-05T08:00:01Z,1\n")
    (base / "header.csv").write_text(TIMES)
    (base / "blank.csv").write_text(",,\n,,\n")
    (base / "metrics.csv").write_text(TIMES + "".join(f"{TIMESTAMP % n},1,2\n" for n in range(30)))
    (base / "empty").mkdir()
    os.mkfifo(base / "pipe.log")
    (base / "half.toml").write_text("a = [")
    (base / "bytes.toml").write_bytes(b"\xff\xfe")
    (base / "type.toml").write_text("store = 5\n")
    (base / "s").symlink_to(store)
    return base


@pytest.mark.parametrize(
    ("command", "code", "part"),
    [
        ("parse none.log -o x.csv", 1, "cannot read none.log: No such file"),
        ("parse pipe.log -o x.csv", 1, "want a regular file"),
        ("parse empty -o x.csv", 1, "want a regular file"),
        ("parse half.log.gz -o x.csv", 1, "gzip data is broken or cut off"),
        ("parse a.log -o no/x.csv", 2, "cannot write no/x.csv"),
        ("parse a.log -o x.doc", 2, "must end in one of"),
        ("parse a.log --year x -o x.csv", 2, "not a valid integer"),
        ("detect a.log -o x.csv", 1, "not a metric table"),
        ("detect pipe.log -o x.csv", 1, "want a regular file"),
        ("detect garbage.csv -o x.csv", 1, "not a metric table"),
        ("detect ragged.csv -o x.csv", 1, "line 2 has not 3 cells"),
        ("detect header.csv -o x.csv", 1, "no rows below the header"),
        ("rca empty", 1, "no metrics.csv or data.csv"),
        ("rca none", 1, "no such case"),
        ("rca pipe.log", 1, "no such case"),
        ("rca metrics.csv --at whenever", 2, "whenever"),
        ("rca metrics.csv --graph pipe.log", 1, "want a regular file"),
        ("rca metrics.csv --graph blank.csv", 1, "not a call graph"),
        ("run --source files a.log --once --store a.log", 1, "cannot create the table"),
        ("run --source files a.log --once --store a.log/x", 1, "cannot create the table"),
        ("run --source files a.log --config half.toml", 2, "half.toml is not TOML"),
        ("run --source files a.log --config bytes.toml", 2, "bytes.toml is not TOML"),
        ("run --source files a.log --config type.toml", 2, "setting store = 5 in type.toml"),
        ("status --store a.log", 1, "no store at"),
        ("incidents show nope --store s", 2, "it matches none"),
        ("incidents show x'_or_1=1 --store s", 2, "it matches none"),
    ],
)
def test_a_wrong_argument_is_one_line(capsys, work: Path, monkeypatch, command: str, code: int, part: str):
    monkeypatch.chdir(work)
    found, out, err = call(capsys, *(word.replace("_", " ") for word in command.split()))
    assert (found, out) == (code, ""), err
    assert err.startswith("faultline: error: ")
    assert err.count("\n") == 1
    assert part in err
    assert not (work / "x.csv").exists()


@pytest.mark.parametrize(
    "query",
    [
        "drop table logs",
        "copy logs to 'stolen.csv'",
        "attach 'x.db'",
        "set enable_external_access = true",
        "from read_csv('/etc/passwd')",
        "from read_text('/etc/passwd')",
        "install httpfs",
        "select 1; drop table logs",
        "",
        "select * from logs where body = 'unclosed",
        "select getenv('HOME')",
        "from range(10000000000000) a, range(10000000) b select sum(a.range * b.range % 7)",
    ],
)
def test_a_hostile_statement_does_nothing(capsys, work: Path, monkeypatch, query: str):
    monkeypatch.chdir(work)
    monkeypatch.setattr("storage._store.Store.reader", _impatient(Store.reader))
    before = sorted(work.iterdir())
    code, out, err = call(capsys, "sql", query, "--store", "s")
    assert (code, out) == (1, "")
    assert err.startswith("faultline: error: ")
    assert err.count("\n") == 1
    assert sorted(work.iterdir()) == before


def _impatient(reader: Callable[..., Any]) -> Callable[[Store], Any]:
    return lambda store: reader(store, timeout_s=0.5)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("WINDOWS_WINDOW_S", "abc", "windows.window_s = 'abc' in the environment"),
        ("WINDOWS_IDLE_S", "nan", "windows.idle_s"),
        ("METRICS_PORT", "99999999", "metrics.port = '99999999' in the environment"),
        ("KAFKA", "zzz", "in the environment"),
        ("PARSING_TIMEZONE", "Mars/Olympus", "want an IANA name"),
        ("PARSING_MAX_CLUSTERS", "-1", "parsing.max_clusters"),
        ("LOG_LEVEL", "loud", "log.level"),
    ],
)
def test_a_wrong_variable_is_one_line(capsys, work: Path, monkeypatch, name: str, value: str, part: str):
    monkeypatch.chdir(work)
    monkeypatch.setenv(f"FAULTLINE_{name}", value)
    code, out, err = call(capsys, "run", "--source", "files", "a.log", "--once", "--store", "x")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert part in err


# -- the rest of what is known to break pipelines -------------------------------------------------------------------


def rows_of(store: Path, query: str) -> list[dict[str, Any]]:
    with Store.open(store).reader() as reader:
        found: list[dict[str, Any]] = reader.query(query).to_pylist()
        return found


def ingest(folder: Path, files: dict[str, str | bytes], **options: Any) -> tuple[Path, Accounting]:
    inside = folder / "in"
    inside.mkdir()
    for name, content in files.items():
        (inside / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return folder / "s", run(FilesSource([inside], once=True), folder / "s", **options)


def test_a_lone_surrogate_is_kept_escaped_and_can_be_shown(tmp_path: Path, capsys):
    """As a JSON escape, and as the three bytes that UTF-8 forbids."""
    raw = "2026-01-05 08:00:01,000 INFO shop.Cart - raw \ud800 lone\n"
    store, _ = ingest(
        tmp_path,
        {"a.log": GOOD + raw.encode("utf-8", "surrogatepass"), "b.jsonl": record(2, message="json \ud800 lone")},
    )
    found = [row["body"] for row in rows_of(store, "select body from logs where body like '%lone' order by body")]
    assert len(found) == 2
    assert found[1] == "raw \\xed\\xa0\\x80 lone"
    assert call(capsys, "sql", "select body from logs where body like '%lone'", "--csv", "--store", str(store))[0] == 0


def test_random_lines_overflow_into_one_template_and_every_line_is_stored(tmp_path: Path):
    rng = random.Random(4)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(20_000)]
    text = "".join(
        f"2026-01-05 08:00:01 INFO a - {' '.join(rng.choices(words, k=rng.randrange(3, 12)))}\n" for _ in range(4000)
    )
    store, account = ingest(tmp_path, {"a.log": text}, settings=Settings(parsing={"max_clusters": 100}))
    assert account.total.stored == 4000
    (found,) = rows_of(store, "select count(distinct template_id) as n, count(*) as rows from logs")
    assert found["rows"] == 4000
    assert found["n"] <= 101
    (overflow,) = rows_of(store, "select sum(count)::bigint as n from templates where template = '<*>'")
    assert overflow["n"] > 3000


def test_a_mask_that_would_take_for_ever_elsewhere_does_not(tmp_path: Path):
    text = "".join(f"2026-01-05 08:00:{n:02d} INFO a - {'ab ' * 2000}{n}!\n" for n in range(20))
    store, account = ingest(tmp_path, {"a.log": text}, settings=Settings(parsing={"masks": (r"^(\w+\s?)+$",)}))
    assert account.total.stored == 20
    assert rows_of(store, "select count(*) as n from logs") == [{"n": 20}]


def test_an_empty_topic_is_healthy_and_has_no_lag(tmp_path: Path, capsys):
    """As Kafka's source tells of one: a partition that ends where it begins."""
    partition = Partition("kafka:id:logs:0", "kafka:logs")
    source = create_autospec(Source, instance=True, skipped=[], finished=False, drained={partition.app_id})
    source.known, source.ends = frozenset({partition.app_id}), {partition.app_id: 0}
    source.partitions.return_value, source.poll.return_value = [partition], []
    pipeline = Pipeline(source, Store.open(tmp_path / "s"), Settings())
    for _ in range(3):
        pipeline.step()
    pipeline.flush(snapshot=True)
    code, out, _ = call(capsys, "status", "--store", str(tmp_path / "s"), "--json")
    [found] = json.loads(out)["partitions"]
    assert (code, found["lag"], found["read"], found["ended"]) == (0, 0, 0, False)


def test_fields_nobody_knows_go_into_the_attributes(tmp_path: Path):
    more = {"colour": "red", "nested": {"a": 1}, "list": [1, 2], "nothing": None, "yes": True}
    store, _ = ingest(tmp_path, {"a.jsonl": record(1) + record(2, **more)})
    (found,) = rows_of(store, "select attributes as a from logs where body = 'got 2'")
    assert dict(found["a"]) == {"colour": "red", "nested.a": "1", "list": "[1,2]", "yes": "true"}


def test_a_clock_ten_minutes_ahead_is_flagged_and_moves_no_window(tmp_path: Path, capsys):
    """The records of the others are neither late nor in another window because of it."""
    ahead = [record(n, time="2035-01-05T08:00:00Z") for n in range(5)]
    store, account = ingest(tmp_path, {"a.jsonl": "".join(record(n) for n in range(5)) + "".join(ahead) + record(6)})
    total = account.total
    assert (total.stored, total.late, total.ahead, total.dead_lettered) == (11, 5, 5, 0)
    (found,) = rows_of(
        store,
        "select count(*) as n, bool_and(late) as late, bool_and(time = observed_time) as seen, "
        "any_value(attributes['faultline.stated_time']) as stated from logs where attributes is not null",
    )
    assert found == {"n": 5, "late": True, "seen": True, "stated": "2035-01-05T08:00:00+00:00"}
    (counted,) = rows_of(store, "select sum(count)::bigint as n from log_counts where minute > now()")
    assert counted == {"n": None}
    code, out, _ = call(capsys, "status", "--store", str(store), "--json")
    assert (code, json.loads(out)["partitions"][0]["ahead"]) == (0, 5)
