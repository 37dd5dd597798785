import os

import pytest
from source_contract import bodies, check_batches, drain, rows

from ingest import StdinSource
from telemetry import PositionLost


def piped(data: bytes):
    """A pipe holding `data` (less than the system's buffer) whose writing end is closed."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return os.fdopen(read, "rb")


def test_lines_until_the_end():
    with piped(b"one\n\ntwo \xff\nlast") as stream:
        source = StdinSource(stream, service="web")
        batches = drain(source)
    check_batches(batches)
    assert [(r["body"], r["service"], r["offset"], r["line"]) for r in rows(batches, "lines")] == [
        ("one", "web", 0, 1),
        ("two \\xff", "web", 5, 3),
        ("last", "web", 11, 4),
    ]
    assert batches[-1].closed
    assert source.finished


def test_a_line_is_handed_out_when_it_is_whole():
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        source = StdinSource(stream)
        source.seek({})
        os.write(write, b"one\ntw")
        assert bodies(source.poll(0.1, {})) == ["one"]
        assert source.poll(0, {}) == []
        assert source.drained
        os.write(write, b"o\n")
        assert bodies(source.poll(0.1, {})) == ["two"]
        os.close(write)
        assert bodies(drain(source)) == []


def test_a_line_larger_than_memory_allows_is_cut():
    import threading

    read, write = os.pipe()
    line = b"y" * 5_000_000

    def feed():
        with os.fdopen(write, "wb") as out:
            out.write(b"a\n" + line + b"\nb\n")

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(read, "rb") as stream:
        batches = drain(StdinSource(stream))
    thread.join()
    check_batches(batches)
    assert [len(body) for body in bodies(batches)] == [1, 256 * 1024, 1]
    assert dict(rows(batches, "lines")[1]["attributes"])["faultline.truncated"] == "5000000"
    assert rows(batches, "lines")[2]["offset"] == 5_000_003


def test_each_run_is_a_partition_of_its_own_and_cannot_go_back():
    with piped(b"one\n") as stream:
        source = StdinSource(stream)
        app = source.partitions()[0].app_id
        assert bodies(drain(source)) == ["one"]
        with pytest.raises(PositionLost, match="cannot be read again"):
            source.seek({app: 0})
    with piped(b"") as stream:
        assert StdinSource(stream).partitions()[0].app_id != app
