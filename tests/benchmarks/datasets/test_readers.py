"""Readers: every layout read whole, and every damaged file a clear error instead of a smaller n."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.datasets import (
    CORRECTED,
    LOGHUB2,
    ORIGINAL,
    DataError,
    metric_series,
    parsing_sets,
    raw_logs,
    rca_cases,
    read_parsing_set,
    read_recording,
    session_sets,
    session_templates,
)
from benchmarks.datasets._series import POINTS

from .miniature import LINES, START, nab_time, write_nab, write_sums

US = 1_000_000


def read_everything(data: Path) -> None:
    for truth in (CORRECTED, LOGHUB2):
        parsing_sets(data, truth)
    raw_logs(data)
    session_sets(data)
    session_templates(data)
    metric_series(data)
    for case in rca_cases(data):
        read_recording(case)


def test_parsing_sets(data: Path):
    anvil, bell = parsing_sets(data, CORRECTED)
    assert (anvil.system, anvil.truth, len(anvil), len(anvil.lines)) == ("Anvil", CORRECTED, LINES, LINES)
    assert anvil.lines[2].as_py() == "INFO hammer 2 struck"
    assert anvil.messages[1].as_py() == "forge, hot"
    assert anvil.templates[2].as_py() == "hammer <*> struck"
    assert anvil.header.to_pydict() == {"Level": ["INFO"] * LINES}
    assert bell.messages[1].as_py() == 'tower says "dong"'
    (other,) = parsing_sets(data, LOGHUB2)
    assert (other.system, other.truth) == ("Bell", LOGHUB2)
    assert other.lines.equals(bell.lines)


def test_full_archives_of_parsing_sets(tmp_path: Path):
    """Raw log, structured CSV and templates side by side; no number of lines is promised by the name."""
    folder = tmp_path / "Bell"
    folder.mkdir()
    (folder / "Bell_full.log").write_bytes(b"x rang 1 times\nx caf\xe9 \xff\nx rang 2 times")
    (folder / "Bell_full.log_structured.csv").write_text(
        "LineId,Content,EventId,EventTemplate\n1,rang 1 times,E1,rang <*> times\n2,caf,E2,caf\n"
        "3,rang 2 times,E1,rang <*> times\n"
    )
    (folder / "Bell_full.log_templates.csv").write_text("EventId,EventTemplate\nE1,rang <*> times\nE2,caf\n")
    found = read_parsing_set(folder)
    assert (found.truth, len(found)) == (LOGHUB2, 3)
    assert found.lines.to_pylist()[1] == "x caf\\xe9 \\xff"
    for path in folder.iterdir():
        path.rename(path.with_name(path.name.replace("_full", "")))
    assert read_parsing_set(folder).truth == ORIGINAL
    with pytest.raises(DataError, match="holds the truth version 'original', want 'loghub2'"):
        read_parsing_set(folder, truth=LOGHUB2)


def test_raw_logs(data: Path):
    (log,) = raw_logs(data)
    assert (log.name, len(log.lines), log.lines[-1].as_py()) == ("Raw_1000", 1000, "line 999 of b3")
    assert log.labels is not None
    assert log.labels.blocks == ["b1", "b2", "b3"]
    assert log.labels.anomalous.tolist() == [False, True, True]
    assert log.labels.complete.tolist() == [True, False, True]


def test_sessions(data: Path):
    labelled, keys = session_sets(data)
    assert (labelled.name, labelled.blocks[3], labelled.events[3]) == ("mini_train", "b3", ("E5", "E9"))
    assert labelled.anomalous.tolist() == [False, False, False, True, False]
    assert (keys.name, keys.events, keys.anomalous.tolist()) == (
        "keys",
        [("5", "9"), ("5",), ("5", "7")],
        [False, False, True],
    )
    assert session_templates(data)["E9"] == "lost <*>"


@pytest.mark.parametrize("labels", ["", "labels"])
def test_metric_series(tmp_path: Path, labels: str):
    """As in a data folder, and as in the official repository, where the labels have a folder of their own."""
    root = tmp_path / ("" if labels else "nab")
    write_nab(root, labels)
    calm, wild = metric_series(tmp_path)
    assert (calm.name, calm.family, calm.windows, calm.labels) == ("calm/flat.csv", "calm", (), ())
    assert np.diff(wild.times).tolist() == [300 * US] * 99
    assert wild.values[:3].tolist() == [0.0, 1.0, 2.0]
    at = {i: int(wild.times[i]) for i in (40, 45, 50)}
    assert wild.windows == ((at[40], at[50]),)
    assert wild.labels == (at[45],)


def cut(path: Path) -> None:
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2 - 1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


FILES = (
    "parsing/Anvil/Anvil_2k.log",
    "parsing/Anvil/Anvil_2k.log_structured_corrected.csv",
    "parsing/Anvil/Anvil_2k.log_templates_corrected.csv",
    "parsing_loghub2/Bell/Bell_2k.log_structured.csv",
    "parsing_loghub2/Bell/Bell_2k.log_templates.csv",
    "logs/Raw_1000.log",
    "sessions/keys_normal",
    "sessions/keys_abnormal",
    "sessions/mini_train.jsonl",
    "sessions/templates.json",
    "nab/data/wild/jump.csv",
    "nab/combined_windows.json",
    "nab/combined_labels.json",
    "rca/two_recordings/cart_cpu_2/data.csv",
    "rca/two_recordings/cart_cpu_2/case.json",
    "rca/unknown_onset/cart_latency/data.csv",
    "rca/unknown_onset/cart_latency/case.json",
    "rca/shop/high_issue_0/data.csv",
    "rca/shop/high.noissue.csv",
    "rca/shop/high.graph.csv",
    "rca/days/2030-01-02/metrics.csv",
    "rca/days/2030-01-02/faults.json",
    "rca/days/2030-01-02/dependency.csv",
    "rca/days/2030-01-02/removed_windows.json",
    "rca/days/2030-01-02/logs.parquet",
    "rca/days/2030-01-02/traces.parquet",
)
MAY_BE_ABSENT = ("mini_train.jsonl", "logs.parquet", "traces.parquet", "dependency.csv", "removed_windows.json")
"""Files that only a list of checksums can miss: a data folder need not have them."""


def test_sound_data_is_read(data: Path):
    read_everything(data)
    write_sums(data)
    read_everything(data)


@pytest.mark.parametrize("damage", [Path.unlink, emptied, cut])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_an_error(data: Path, name: str, damage: Callable[[Path], None]):
    if damage is Path.unlink and name.endswith(MAY_BE_ABSENT):
        write_sums(data)
    damage(data / name)
    with pytest.raises(DataError) as error:
        read_everything(data)
    assert "\n" not in str(error.value)
    assert re.search("missing|empty|truncated|damaged|want|no rows|mislabelled", str(error.value))


@pytest.mark.parametrize(
    "folder",
    ["parsing/Bell", "parsing_loghub2/Bell", "nab/data/wild", "rca/two_recordings/cart_cpu_2", "rca/two_recordings"],
)
def test_a_folder_that_is_gone(data: Path, folder: str):
    if folder.endswith("recordings"):
        write_sums(data)
    shutil.rmtree(data / folder)
    with pytest.raises(DataError, match=r"missing|empty"):
        read_everything(data)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("parsing/Anvil/Anvil_2k.log", "parsing/Bell/Bell_2k.log"),
        ("nab/data/calm/flat.csv", "nab/combined_labels.json"),
        ("rca/unknown_onset/cart_latency/data.csv", "rca/shop/high_issue_0/data.csv"),
        ("rca/two_recordings/cart_cpu_1/case.json", "rca/shop/late_issue_0/case.json"),
        ("rca/shop/high_issue_0/case.json", "rca/shop/late_issue_0/case.json"),
    ],
)
def test_swapped_files(data: Path, one: str, other: str):
    (data / one).rename(data / "kept")
    (data / other).rename(data / one)
    (data / "kept").rename(data / other)
    with pytest.raises(DataError):
        read_everything(data)


def test_an_altered_file_is_an_error_where_checksums_are_listed(data: Path):
    write_sums(data)
    path = data / "sessions" / "keys_normal"
    path.write_text(path.read_text().replace("9", "8"))
    path = data / "sessions" / "keys_abnormal"
    path.write_text("5 8 \n")
    with pytest.raises(DataError, match=r"altered.*and 1 more; `faultline datasets verify"):
        session_sets(data)
    metric_series(data)


def test_mislabelled_truth(data: Path):
    def edit(name: str, **fields: object) -> None:
        path = data / "rca" / name
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    for name, fields, message in (
        ("two_recordings/cart_cpu_1/case.json", {"root_cause_service": "ghost"}, "root cause metric"),
        (
            "two_recordings/cart_cpu_1/case.json",
            {"root_cause_metric": None, "root_cause_service": "ghost"},
            "no column",
        ),
        ("two_recordings/cart_cpu_1/case.json", {"root_cause_metric": "cart_disk"}, "no column"),
        ("two_recordings/cart_cpu_1/case.json", {"inject_time": START - 1}, "outside the recording"),
        ("two_recordings/cart_cpu_1/case.json", {"inject_time": "soon"}, "want seconds"),
        ("two_recordings/cart_cpu_1/case.json", {"anomalous_rows": 11}, "10 rows of phase anomalous"),
        ("shop/high_issue_0/case.json", {"graph": "../gone.csv"}, "missing"),
    ):
        before = (data / "rca" / name).read_text()
        edit(name, **fields)
        with pytest.raises(DataError, match=message):
            rca_cases(data)
        (data / "rca" / name).write_text(before)
    rca_cases(data)


def test_labels_that_do_not_fit_their_series(data: Path):
    path = data / "nab" / "combined_labels.json"
    path.write_text(json.dumps({"calm/flat.csv": [], "wild/jump.csv": [nab_time(10)]}))
    with pytest.raises(DataError, match="in none of its windows"):
        metric_series(data)
    path.write_text(json.dumps({"calm/flat.csv": [], "wild/jump.csv": ["noon"]}))
    with pytest.raises(DataError, match="no time"):
        metric_series(data)


def test_labels_of_another_log(data: Path):
    (data / "logs/Raw_1000.labels.csv").write_text("block,label\nb1,0\nblk7,1\n")
    with pytest.raises(DataError, match="1 blocks are not in the log, such as 'blk7'"):
        raw_logs(data)


def test_labels_in_place_of_windows(data: Path):
    labels = (data / "nab" / "combined_labels.json").read_text()
    (data / "nab" / "combined_windows.json").write_text(labels)
    with pytest.raises(DataError, match=r"mislabelled: want windows as \[start, end\]"):
        metric_series(data)
    (data / "nab" / "combined_windows.json").write_text(labels.replace("[]", '"none"'))
    with pytest.raises(DataError, match="mislabelled: want a list"):
        metric_series(data)


def test_templates_of_another_system(data: Path):
    """The events have the same names, their texts do not."""
    name = "{0}/{0}_2k.log_templates_corrected.csv"
    shutil.copy(data / "parsing" / name.format("Bell"), data / "parsing" / name.format("Anvil"))
    with pytest.raises(DataError, match="mislabelled: 0 of its 2 templates"):
        parsing_sets(data, CORRECTED)


def test_anomalous_sequences_in_place_of_normal_ones(data: Path):
    shutil.copy(data / "sessions" / "keys_abnormal", data / "sessions" / "keys_normal")
    with pytest.raises(DataError, match="keys_normal: mislabelled: the same sequences"):
        session_sets(data)


def test_a_truth_that_is_gone_as_a_whole(data: Path):
    write_sums(data)
    shutil.rmtree(data / "parsing_loghub2")
    with pytest.raises(DataError, match=r"parsing_loghub2/.*: missing"):
        parsing_sets(data, CORRECTED)


def test_logs_of_another_day(data: Path):
    path = data / "rca/days/2030-01-02/logs.parquet"
    rows = pq.read_table(path)
    later = pc.add(rows["ts_ns"], 86_400_000_000_000)
    pq.write_table(rows.set_column(rows.column_names.index("ts_ns"), "ts_ns", later), path)
    with pytest.raises(DataError, match="mislabelled: 0 of 60 rows are of the time"):
        rca_cases(data)
    pq.write_table(rows.drop_columns(["ts_ns"]), path)
    with pytest.raises(DataError, match="ts_ns"):
        rca_cases(data)


def test_published_series_keep_their_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_nab(tmp_path / "nab")
    monkeypatch.setitem(POINTS, "calm/flat.csv", 101)
    with pytest.raises(DataError, match="100 points, as published 101"):
        metric_series(tmp_path)


def test_a_matrix_of_calls_that_lacks_a_row(data: Path):
    path = data / "rca/shop/high.graph.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match="1 rows for 2 columns"):
        rca_cases(data)


@pytest.mark.parametrize("windows", ["[[1, 2, 3]]", f"[[{START}, {START + 1}]]"])
def test_removed_windows_that_do_not_fit(data: Path, windows: str):
    (data / "rca/days/2030-01-02/removed_windows.json").write_text(windows)
    with pytest.raises(DataError, match="removed"):
        rca_cases(data)
