"""The command line: fast help, one-line errors, exit codes, and output that log text cannot forge."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import telemetry
from faultline.cli import COMMANDS, _main
from faultline.lease import Lease
from storage import Move, Store
from telemetry import StoreError, UsageError

from .conftest import INCIDENT, INPUT, T0


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    """Run the command line in this process: exit code, standard output, standard error."""
    code = _main.run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_help_imports_no_command_and_no_heavy_package():
    script = (
        "import sys; from faultline.cli import _main; code = _main.run(['--help']); "
        "print(code, sorted(name for name in sys.modules if name.partition('.')[0] in "
        "('pyarrow', 'numpy', 'pydantic', 'deltalake', 'duckdb', 'streamlit', 'kafka', 'rich', 'telemetry')"
        " or name.startswith('faultline.cli.') and name[14] != '_'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_the_help_of_a_command_imports_no_heavy_package():
    script = (
        "import sys; from faultline.cli import COMMANDS, _main; "
        "codes = {_main.run([name, '--help']) for name in COMMANDS}; "
        "print(codes, {'pyarrow', 'deltalake', 'duckdb', 'streamlit', 'kafka', 'pydantic', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "{0} set()"


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nope"], 2, "No such command 'nope'"),
        (["sql"], 2, "Missing argument 'QUERY'"),
        (["sql", "select 1", "--nope"], 2, "No such option"),
        (["sql", "select 1", "--store", "nowhere"], 1, "no store at"),
        (["sql", "select 1", "--json", "--csv"], 2, "exclude each other"),
        (["run", "--source", "files"], 2, "needs at least one PATH"),
        (["run", "--source", "files", "nowhere", "--store", "s"], 1, "nowhere"),
        (["run", "--source", "stdin", "x.log"], 2, "takes no PATH"),
        (["run", "--source", "files", "x", "--topic", "t"], 2, "--source kafka"),
        (["run", "--source", "kafka", "--service", "a"], 2, "--service"),
        (["simulate", "--to", "files"], 2, "--out"),
        (["simulate", "--to", "files", "--out", "o", "--fault", "flood@cart"], 2, "unknown fault kind 'flood'"),
        (["simulate", "--to", "files", "--out", "o", "--start", "yesterday"], 2, "no time"),
        (["incidents", "show"], 2, "Missing argument 'ID'"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(capsys, tmp_path, monkeypatch, arguments, code, part):
    monkeypatch.chdir(tmp_path)
    found, out, err = call(capsys, *arguments)
    assert (found, out) == (code, "")
    assert err.startswith("faultline: error: ")
    assert err.count("\n") == 1
    assert part in err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (StoreError("first\nsecond \x1b[2J"), 1, r"first second \x1b[2J"),
        (UsageError("wrong"), 2, "wrong"),
        (KeyError("x"), 1, "KeyError: 'x' (set FAULTLINE_DEBUG=1 for the traceback)"),
    ],
)
def test_whatever_is_raised_ends_in_one_line(capsys, monkeypatch, error, code, text):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("FAULTLINE_DEBUG", raising=False)
    monkeypatch.setattr(_main.cli, "invoke", fail)
    assert call(capsys, "status")[0::2] == (code, f"faultline: error: {text}\n")


def test_an_interrupt_is_no_traceback(capsys, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_main.cli, "invoke", fail)
    code, _, err = call(capsys, "status")
    assert (code, err.strip()) == (130, "faultline: error: interrupted")


def test_the_traceback_is_there_for_who_asks(capsys, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setenv("FAULTLINE_DEBUG", "1")
    monkeypatch.setattr(_main.cli, "invoke", fail)
    assert "Traceback" in call(capsys, "status")[2]


def test_output_into_a_closed_pipe_is_no_error(store, tmp_path):
    command = f"{sys.executable} -m faultline sql 'select range from range(200000)' --limit 0 --store {store} | head -1"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    )
    assert (done.stdout, done.stderr) == ("range\n", "")


def test_sql_prints_plain_json_and_csv(capsys, store):
    query = "select template_id, body, params from logs order by body desc"
    plain = call(capsys, "sql", query, "--store", store)[1]
    assert plain.splitlines()[:2] == ["template_id\tbody\tparams", "00000000000000ff\tpaid 1\t1"]
    assert "\x1b" not in plain
    assert "\u202e" not in plain
    rows = json.loads(call(capsys, "sql", query, "--store", store, "--json")[1])
    assert rows[0] == {"template_id": "00000000000000ff", "body": "paid 1", "params": ["1"]}
    csv = call(capsys, "sql", query, "--store", store, "--csv")[1]
    assert """"'=HYPERLINK(""x"")""" in csv


def test_sql_limits_rows_and_says_so(capsys, store):
    code, out, err = call(capsys, "sql", "select range from range(5)", "--limit", 2, "--store", store)
    assert (code, out.split(), err) == (0, ["range", "0", "1"], "3 more rows: raise --limit to see them\n")


@pytest.mark.parametrize(
    "query", ["drop table logs", "copy logs to 'x'", "select * from read_text('/etc/passwd')", "selec"]
)
def test_sql_only_reads_the_store(capsys, store, query):
    code, out, err = call(capsys, "sql", query, "--store", store)
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_incidents_list_leaves_out_resolved_ones_unless_asked(capsys, store):
    found = json.loads(call(capsys, "incidents", "list", "--store", store, "--json")[1])
    assert [row["id"] for row in found] == [INCIDENT]
    plain = call(capsys, "incidents", "list", "--store", store, "--all")[1]
    assert [line.split("\t")[2] for line in plain.splitlines()] == ["status", "open", "resolved"]


def test_incidents_show_tells_the_whole_story(capsys, store):
    code, out, _ = call(capsys, "incidents", "show", "3f9c", "--store", store)
    assert code == 0
    for part in (INCIDENT, "root_cause_found (confidence 0.80)", "1\tcart\troot_cause\t50%", "cart cpu rose", "opened"):
        assert part in out
    assert "\x1b" not in out
    found = json.loads(call(capsys, "incidents", "show", "3f9c", "--store", store, "--json")[1])
    assert [suspect["rank"] for suspect in found["suspects"]] == [1, 2]
    assert found["events"][0]["kind"] == "open"


@pytest.mark.parametrize(("prefix", "found"), [("3f9", "3f9d000000000002"), ("77", "none")])
def test_incidents_show_needs_one_match(capsys, store, prefix, found):
    code, _, err = call(capsys, "incidents", "show", prefix, "--store", store)
    assert code == 2
    assert found in err


def test_status_shows_the_account_of_every_partition(capsys, store):
    found = json.loads(call(capsys, "status", "--store", store, "--json")[1])
    assert found["partitions"][0]["source"] == "logs/cart.log"
    assert (found["balanced"], found["open_incidents"]) == (True, 1)
    assert {table["table"]: table["rows"] for table in found["tables"]}["logs"] == 2
    (worker,) = found["workers"]
    assert (worker["partitions"], worker["lag"], worker["dead_lettered"]) == (1, None, 1)
    plain = call(capsys, "status", "--store", store)[1]
    assert "logs/cart.log\t0\t4\t2\t1\t1\t0\t0\t" in plain
    assert "account: balanced" in plain


def test_status_shows_who_works_how_far_behind_and_how_fast(capsys, tmp_path):
    opened = Store.open(tmp_path / "s")
    writer = opened.writer()
    for at, next, worker in ((0, 100, "a"), (90, 400, "a"), (120, 1000, "b")):
        row = {"app_id": INPUT.app_id, "source": INPUT.source, "partition": 0, "next": next, "closed": False}
        fates = {"read": next, "stored": next, "joined": 0, "dead_lettered": 0, "filtered": 0, "late": 0}
        row |= {**fates, "worker": worker, "end": 1500, "time": T0 + timedelta(seconds=at)}
        ledger = pa.Table.from_pylist([row], telemetry.LEDGER)
        writer.commit({"ledger": ledger}, [Move.of(INPUT, 0, next)])
    lease = Lease(opened, "b")
    assert lease.hold()
    capsys.readouterr()
    found = json.loads(call(capsys, "status", "--store", tmp_path / "s", "--json")[1])
    assert [(w["worker"], w["lag"], w["per_second"]) for w in found["workers"]] == [("b", 500, 900 / 60)]
    assert found["correlator"] == "b"
    lease.release()
    assert "correlator: none" in call(capsys, "status", "--store", tmp_path / "s")[1]


def test_compact_leaves_the_rows_as_they_are(capsys, store):
    before = call(capsys, "sql", "from logs", "--store", store, "--json")
    assert call(capsys, "compact", "--store", store)[0] == 0
    assert call(capsys, "sql", "from logs", "--store", store, "--json") == before


def test_simulate_writes_telemetry_and_keeps_the_truth_apart(capsys, tmp_path):
    arguments = ("simulate", "--to", "files", "--seconds", 30, "--fault", "cpu_hog@cart", "--seed", 3)
    for name in ("a", "b"):
        assert call(capsys, *arguments, "--out", tmp_path / name)[0] == 0
    assert json.loads((tmp_path / "a/truth/faults.json").read_text()) == []  # it would begin after five minutes
    one, other = (sorted((tmp_path / name).rglob("*.*")) for name in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert "metrics.jsonl" in {path.name for path in one}
