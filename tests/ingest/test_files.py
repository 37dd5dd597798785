import json
import logging
import os
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_contract import bodies, check_batches, check_resume, drain, rows

from ingest import FilesSource
from ingest import _textfile as textfile
from telemetry import SourceError


@pytest.fixture
def following():
    """Makes sources that follow paths, and closes them."""
    with ExitStack() as stack:

        def make(*paths):
            source = stack.enter_context(closing(FilesSource(paths)))
            source.seek({})
            return source

        yield make


def follow(source: FilesSource, polls: int = 6):
    """Poll a followed source a few times, seeking to new partitions as the pipeline does."""
    batches = []
    for _ in range(polls):
        source._scanned_at = 0.0  # look for new files now
        batches += source.poll(0, {})
        source.seek({})
    return batches


def test_lines_of_a_folder_carry_service_offset_and_line_number(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "cart.log").write_text("first\n\nthird\r\n")
    batches = drain(FilesSource([tmp_path], once=True))
    check_batches(batches)
    assert [(r["body"], r["service"], r["offset"], r["line"], r["structured"]) for r in rows(batches, "lines")] == [
        ("first", "cart", 0, 1, False),
        ("third", "cart", 7, 3, False),
    ]
    assert sum(b.read for b in batches) == 3
    assert sum(b.filtered for b in batches) == 1
    assert batches[-1].closed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), min_size=1, max_size=40),
    last=st.booleans(),
    size=st.integers(1, 9),
    block=st.integers(48, 200),
)
def test_any_chunking_and_any_resume_give_the_same_records(tmp_path, monkeypatch, lines, last, size, block):
    path = tmp_path / "app.log"
    path.write_bytes(b"\n".join(lines) + (b"\n" if last else b""))
    if not path.stat().st_size:
        return
    whole = drain(FilesSource([path], once=True))
    with monkeypatch.context() as patch:
        patch.setattr(textfile, "BLOCK", block)
        patch.setattr(textfile.TextFile._at, "__defaults__", (block,))
        patch.setattr(textfile.TextFile.read, "__defaults__", (size,))
        check_resume(lambda: FilesSource([path], once=True))
        assert rows(drain(FilesSource([path], once=True)), "lines") == rows(whole, "lines")


def test_positions_are_byte_offsets_that_mix_with_json(tmp_path):
    path = tmp_path / "app.jsonl"
    path.write_text("".join(json.dumps({"msg": f"m{i}", "level": "info", "i": i}) + "\n" for i in range(30)))
    with closing(FilesSource([path], once=True)) as source:
        app = source.partitions()[0].app_id
    tenth = path.read_bytes().index(b'{"msg": "m10"')
    rest = drain(FilesSource([path], once=True), {app: tenth})
    assert bodies(rest) == [f"m{i}" for i in range(10, 30)]
    assert rows(rest, "lines")[0]["line"] == 11


def test_truth_graphs_binaries_and_empty_files_are_listed_not_read(tmp_path):
    truth = [
        "case.json",
        "faults.json",
        "x.labels.csv",
        "a_structured.csv",
        "a_templates_corrected.csv",
        "ground_truth.csv",
    ]
    truth += ["groundtruth.json", "removed_windows.json", "templates.json", "combined_windows.json"]
    for name in truth:
        (tmp_path / name).write_text('{"message": "the answer"}\n')
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "other.log").write_text("the answer\n")
    (tmp_path / "dependency.csv").write_text("a,b\n")
    (tmp_path / "old.log.gz").write_bytes(b"\x1f\x8b\x08 and no more")
    (tmp_path / "old.zip").write_bytes(b"PK")
    (tmp_path / "core.bin").write_bytes(bytes(range(1, 9)) * 200)
    (tmp_path / "empty.log").write_bytes(b"")
    (tmp_path / "notes.csv").write_text("a,b\nx,y\n")
    (tmp_path / "wrong.parquet").write_bytes(b"PAR1 no")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "good.log").write_text("hello\n")
    source = FilesSource([tmp_path], once=True)
    assert bodies(drain(source)) == ["hello"]
    why = {Path(path).name: reason for path, reason in source.skipped}
    assert {why[name] for name in [*truth, "truth"]} == {"holds the truth, never read"}
    assert why["dependency.csv"].startswith("call graph")
    assert why["old.log.gz"].startswith("cannot be opened: gzip data is broken")
    assert why["old.zip"].startswith("an archive")
    assert why["core.bin"] == "looks binary"
    assert why["empty.log"] == "empty"
    assert why["notes.csv"].startswith("not a metric table")
    assert why["wrong.parquet"].startswith("not readable as Parquet")
    assert why["pipe.log"] == "not a regular file"


def test_a_folder_or_file_without_rights_is_one_line_and_the_rest_goes_on(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a.log").write_text("never\n")
    (tmp_path / "b.log").write_text("seen\n")
    real = os.scandir

    def scandir(path="."):  # tests may run as root, whom no mode keeps out
        if Path(os.fspath(path)).name == "closed":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    source = FilesSource([tmp_path], once=True)
    assert bodies(drain(source)) == ["seen"]
    assert source.skipped == [(str(tmp_path / "closed"), "cannot be opened: Permission denied")]


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        FilesSource([tmp_path / "nowhere"])


def test_following_gives_whole_lines_as_they_come_and_finds_new_files(tmp_path, following):
    path = tmp_path / "a.log"
    path.write_text("one\ntw")
    source = following(tmp_path)
    assert bodies(follow(source, 2)) == ["one"]
    assert source.drained
    with path.open("a") as file:
        file.write("o\nthree\n")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "b.log").write_text("four\n")
    found = follow(source)
    check_batches(found)
    assert sorted(bodies(found)) == ["four", "three", "two"]
    assert not source.finished


def test_a_renamed_log_is_read_to_its_end_and_its_successor_from_its_start(tmp_path, following):
    path = tmp_path / "a.log"
    path.write_text("one\n")
    source = following(tmp_path)
    first = follow(source, 2)
    with path.open("a") as file:
        file.write("last words\n")
    path.rename(tmp_path / "a.log.1")
    path.write_text("fresh\n")
    rest = follow(source)
    assert bodies(first + rest) == ["one", "last words", "fresh"]
    assert {row["service"] for row in rows(first + rest, "lines")} == {"a"}


def test_a_deleted_log_is_read_to_its_end_and_closed(tmp_path, following):
    path = tmp_path / "a.log"
    path.write_text("one\n")
    source = following(tmp_path)
    follow(source, 2)
    with path.open("a") as file:
        file.write("unfinished")
    path.unlink()
    rest = follow(source)
    assert bodies(rest) == ["unfinished"]
    assert [batch.closed for batch in rest] == [False, True]
    follow(source, 1)
    assert source.partitions() == []


def test_a_log_truncated_in_place_is_loud_and_read_anew(tmp_path, following, caplog):
    path = tmp_path / "a.log"
    path.write_text("one\ntwo\n")
    source = following(path)
    follow(source, 2)
    path.write_text("new one\n")
    with caplog.at_level(logging.ERROR):
        assert bodies(follow(source)) == ["new one"]
    assert "truncated" in caplog.text


def test_a_position_the_file_no_longer_reaches_is_loud_and_the_rest_goes_on(tmp_path, caplog):
    (tmp_path / "a.log").write_text("short\n")
    (tmp_path / "b.log").write_text("fine\n")
    source = FilesSource([tmp_path], once=True)
    lost = next(p.app_id for p in source.partitions() if p.source.endswith("a.log"))
    with caplog.at_level(logging.ERROR):
        assert bodies(drain(source, {lost: 1000})) == ["fine"]
    assert "has 6 bytes, but 1000 were read" in caplog.text
    assert source.skipped[0][0].endswith("a.log")


def test_the_file_behind_in_event_time_is_read_first(tmp_path, following):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.log").write_text("".join(f"{name}{i}\n" for i in range(9000)))
    source = following(tmp_path)
    by_name = {Path(p.source).stem: p.app_id for p in source.partitions()}
    for marks, expected in (({"a": 50, "b": 10, "c": 90}, "b"), ({"a": 5, "b": 10, "c": 90}, "a")):
        batches = source.poll(0, {by_name[name]: mark for name, mark in marks.items()})
        assert [Path(batch.partition.source).stem for batch in batches] == [expected]


def test_seek_moves_only_named_or_new_partitions(tmp_path, following):
    (tmp_path / "a.log").write_text("one\ntwo\n")
    source = following(tmp_path)
    assert bodies(follow(source, 1)) == ["one", "two"]
    source.seek({})
    assert bodies(source.poll(0, {})) == []
    source.seek({source.partitions()[0].app_id: 4})
    assert bodies(source.poll(0, {})) == ["two"]


def test_two_names_of_one_file_are_read_once(tmp_path):
    (tmp_path / "a.log").write_text("one\n")
    os.link(tmp_path / "a.log", tmp_path / "b.log")
    assert bodies(drain(FilesSource([tmp_path, tmp_path / "a.log"], once=True))) == ["one"]


@pytest.mark.parametrize("size", [300_000, 10_000_000])
def test_a_huge_line_is_cut_with_its_length_and_hash(tmp_path, size):
    import xxhash

    line = b"x" * size
    (tmp_path / "a.log").write_bytes(b"before\n" + line + b"\nafter\n")
    batches = drain(FilesSource([tmp_path], once=True))
    check_batches(batches)
    before, cut, after = rows(batches, "lines")
    assert (before["body"], after["body"], after["line"]) == ("before", "after", 3)
    assert len(cut["body"]) == 256 * 1024
    assert dict(cut["attributes"]) == {
        "faultline.truncated": str(size),
        "faultline.xxh3": xxhash.xxh3_128_hexdigest(line),
    }


def test_a_pretty_printed_json_document_is_not_telemetry(tmp_path):
    (tmp_path / "config.json").write_text('{\n "a": 1\n}\n')
    source = FilesSource([tmp_path], once=True)
    assert drain(source) == []
    assert source.skipped[0][1].startswith("one JSON document")
