"""The journal: what was appended is read again, whatever a crash, a full disk or a bad byte does."""

import contextlib
import os
import threading
from pathlib import Path

import pytest

from ingest import _journal
from ingest._journal import Journal
from telemetry import SourceError


def entries(journal, position=0, most=2**40):
    return list(journal.read(position, most))


def payloads(journal, position=0):
    return [entry.payload for entry in entries(journal, position) if entry.kind is not None]


def filled(folder, count, segment=200):
    journal = Journal(folder, segment)
    for number in range(count):
        journal.append(number % 3, number, f"record {number:03d}".encode() * 3)
    return journal


def wanted(count, first=0):
    return [f"record {number:03d}".encode() * 3 for number in range(first, count)]


def test_what_was_appended_is_read_from_any_position_and_after_reopening(tmp_path):
    journal = filled(tmp_path, 20)
    assert len(list(tmp_path.glob("*.journal"))) > 3
    found = entries(journal)
    assert [(entry.kind, entry.observed_us) for entry in found] == [(n % 3, n) for n in range(20)]
    for number, entry in enumerate(found):
        assert payloads(journal, entry.position) == wanted(20, number)
    assert [a.next for a in found] == [*[b.position for b in found[1:]], journal.end]
    some = entries(journal, 0, 100)
    assert 1 < len(some) < 4
    identity = journal.id
    journal.close()
    again = Journal(tmp_path, 200)
    assert (again.id, again.begin, payloads(again)) == (identity, 0, wanted(20))
    again.append(0, 20, b"record 020" * 3)
    assert payloads(again) == wanted(21)
    again.close()


def test_a_journal_that_was_never_written_is_empty(tmp_path):
    with contextlib.closing(Journal(tmp_path)) as journal:
        assert (journal.begin, journal.end, list(journal.read(0, 100))) == (0, 0, [])


def test_trimming_deletes_whole_segments_and_keeps_the_end(tmp_path):
    journal = filled(tmp_path, 20)
    middle = entries(journal)[10].position
    journal.trim(middle)
    assert 0 < journal.begin <= middle
    assert payloads(journal, middle) == wanted(20, 10)
    end = journal.end
    journal.trim(end)
    assert len(list(tmp_path.glob("*.journal"))) == 1
    journal.close()
    again = Journal(tmp_path)
    assert (again.end, entries(again, end)) == (end, [])
    again.close()


@pytest.mark.parametrize("cut", [1, 5, 20, 45])
def test_an_unfinished_end_is_passed_by_and_the_next_goes_on(tmp_path, cut):
    journal = filled(tmp_path, 4, segment=2**20)
    journal.close()
    (segment,) = tmp_path.glob("*.journal")
    os.truncate(segment, segment.stat().st_size - cut)
    again = Journal(tmp_path)
    again.append(0, 9, b"later")
    found = entries(again)
    assert [entry.payload for entry in found] == [*wanted(3), b"", b"later"]
    assert found[3].kind is None
    assert [a.next for a in found] == [*[b.position for b in found[1:]], again.end]
    again.close()


def test_a_bad_byte_is_seen_and_the_next_segment_goes_on(tmp_path):
    journal = filled(tmp_path, 6)
    where = entries(journal)[1].position + 30
    journal.close()
    first = min(tmp_path.glob("*.journal"))
    data = bytearray(first.read_bytes())
    data[where] ^= 1
    first.write_bytes(data)
    again = Journal(tmp_path)
    found = entries(again)
    assert [entry.kind is None for entry in found] == [False, True, *[False] * (len(found) - 2)]
    assert found[1].payload
    assert payloads(again)[-1] == wanted(6)[-1]
    again.close()


def test_a_disk_that_takes_no_more_is_an_error_and_half_records_are_taken_back(tmp_path, monkeypatch):
    journal = filled(tmp_path, 2)
    end, real = journal.end, os.write

    def full(fd, data):
        if len(data) > 20:
            return real(fd, data[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_journal.os, "write", full)
        with pytest.raises(OSError, match="No space"):
            journal.append(0, 0, b"lost" * 5)
    assert journal.end == end
    journal.append(0, 0, b"kept")
    assert payloads(journal)[2:] == [b"kept"]
    journal.close()


def test_after_a_failed_sync_nothing_of_it_is_there(tmp_path, monkeypatch):
    journal = filled(tmp_path, 2, segment=2**20)
    with monkeypatch.context() as patch:

        def fail(fd):
            raise OSError(5, "Input/output error")

        patch.setattr(_journal.os, "fdatasync", fail)
        with pytest.raises(OSError, match="could not be brought to the disk"):
            journal.append(0, 0, b"lost")
    journal.append(0, 0, b"kept")
    assert payloads(journal) == [*wanted(2), b"kept"]
    journal.close()
    again = Journal(tmp_path)
    assert payloads(again) == [*wanted(2), b"kept"]
    again.close()


def test_many_threads_share_syncs_and_lose_nothing(tmp_path, monkeypatch):
    syncs, real = [], os.fdatasync
    monkeypatch.setattr(
        _journal.os, "fdatasync", lambda fd: (syncs.append(fd), threading.Event().wait(0.002), real(fd))
    )
    journal = Journal(tmp_path, 2000)

    def work(thread):
        for number in range(25):
            journal.append(0, 0, b"%d/%d" % (thread, number))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = payloads(journal)
    assert sorted(found) == sorted(b"%d/%d" % (t, n) for t in range(8) for n in range(25))
    for thread in range(8):
        own = [int(text.split(b"/")[1]) for text in found if text.startswith(b"%d/" % thread)]
        assert own == sorted(own)
    assert len(syncs) < 200
    journal.close()


def test_one_process_at_a_time_and_a_folder_that_can_be_used(tmp_path):
    journal = Journal(tmp_path)
    with pytest.raises(SourceError, match="in use by another process"):
        Journal(tmp_path)
    journal.close()
    Path(tmp_path / "file").touch()
    with pytest.raises(SourceError, match="cannot keep a journal"):
        Journal(tmp_path / "file")
    with pytest.raises(OSError, match="closed"):
        journal.append(0, 0, b"x")
