"""Fetching: what is fetched is whole and as announced, or a clear error; a broken transfer goes on."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.datasets import DataError, Policy
from benchmarks.datasets._fetch import _NoDowngrade, fetch, read_json

from .data_server import Behaviour, DataServer

BODY = bytes(range(256)) * 400
LIMIT = 10**6


def get(server: DataServer, to: Path, policy: Policy, size: int | None = len(BODY), limit: int = LIMIT) -> bytes:
    shown: list[tuple[int, int | None]] = []
    fetch(f"{server.url}/f", to / "f.part", size=size, limit=limit, policy=policy, shown=lambda *at: shown.append(at))
    assert all(done <= (whole or limit) for done, whole in shown)
    return (to / "f.part").read_bytes()


def test_whole_file(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY)
    assert get(server, tmp_path, policy) == BODY
    assert get(server, tmp_path, policy) == BODY
    assert len(server.seen) == 1, "a whole file is not fetched again"


def test_goes_on_where_it_broke_off(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, cut_at=30_000, cuts=3)
    assert get(server, tmp_path, policy) == BODY
    assert [wanted for _, wanted in server.seen] == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]


def test_a_later_call_goes_on(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, cut_at=30_000, cuts=1)
    with pytest.raises(DataError, match=f"ended after 30000 of {len(BODY)} bytes"):
        get(server, tmp_path, replace(policy, attempts=1))
    assert get(server, tmp_path, policy) == BODY
    assert server.seen[-1][1] == "bytes=30000-"


def test_without_ranges_it_begins_again(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, cut_at=30_000, cuts=2, ranges=False)
    assert get(server, tmp_path, policy) == BODY


def test_a_changed_file_is_not_patched_together(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(b"old" * 34_134, cut_at=30_000, cuts=1)
    with pytest.raises(DataError, match="ended after"):
        get(server, tmp_path, replace(policy, attempts=1), size=None)
    server.pages["/f"] = Behaviour(BODY, etag='"v2"')
    assert get(server, tmp_path, policy) == BODY


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_without_a_strong_tag_it_begins_again(server: DataServer, tmp_path: Path, policy: Policy, etag: str | None):
    server.pages["/f"] = Behaviour(BODY, cut_at=30_000, cuts=1, etag=etag)
    assert get(server, tmp_path, policy) == BODY
    assert [wanted for _, wanted in server.seen] == [None, None]


def test_what_was_too_much_is_dropped(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY)
    (tmp_path / "f.part").write_bytes(BODY + b"more")
    (tmp_path / "f.part.etag").write_text('"v1"')
    assert get(server, tmp_path, policy) == BODY
    (tmp_path / "f.part").write_bytes(BODY)
    assert get(server, tmp_path, policy, size=None) == BODY, "a range after the end is answered by 416"


def test_size_unknown(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, claimed=-1)
    assert get(server, tmp_path, policy, size=None) == BODY


def test_never_ending_breaks_are_bounded(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, cut_at=0, cuts=1000)
    with pytest.raises(DataError, match="gave up after 3 attempts"):
        get(server, tmp_path, policy)
    assert len(server.seen) == 3
    server.pages["/f"] = Behaviour(BODY, cut_at=1, cuts=1000)
    with pytest.raises(DataError, match="ended after"):
        get(server, tmp_path, replace(policy, most_attempts=6))
    assert len(server.seen) == 3 + 6


def test_a_dripping_server_times_out(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, pause_s=0.03)
    with pytest.raises(DataError, match="too slow"):
        get(server, tmp_path, replace(policy, attempts=1))


def test_a_silent_server_times_out(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, pause_s=2.0)
    with pytest.raises(DataError, match="timed out"):
        get(server, tmp_path, replace(policy, attempts=1, timeout_s=0.2))


def test_no_server(tmp_path: Path, policy: Policy):
    with pytest.raises(DataError, match="gave up"):
        fetch("http://127.0.0.1:1/f", tmp_path / "f", size=None, limit=9, policy=policy, shown=lambda *at: None)


@pytest.mark.parametrize(
    ("behaviour", "size", "message"),
    [
        (Behaviour(BODY, kind="text/html; charset=utf-8"), None, "web page"),
        (Behaviour(BODY), len(BODY) - 1, f"announces {len(BODY)} bytes, want {len(BODY) - 1}"),
        (Behaviour(BODY * 20), None, "want at most"),
        (Behaviour(BODY * 20, claimed=-1), None, f"more than {LIMIT} bytes"),
        (Behaviour(BODY, status=403, failures=9), None, "answers 403"),
    ],
)
def test_a_lying_server_is_refused_at_once(
    server: DataServer, tmp_path: Path, policy: Policy, behaviour: Behaviour, size: int | None, message: str
):
    server.pages["/f"] = behaviour
    with pytest.raises(DataError, match=re.escape(message)):
        get(server, tmp_path, policy, size)
    assert len(server.seen) == 1


def test_a_length_that_is_too_long(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, claimed=len(BODY) + 10, etag=None)
    with pytest.raises(DataError, match="gave up"):
        get(server, tmp_path, policy, size=None)


def test_busy_servers_are_asked_again(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(BODY, status=503, failures=2)
    assert get(server, tmp_path, policy) == BODY


def test_redirects_are_followed_but_never_away_from_https(server: DataServer, tmp_path: Path, policy: Policy):
    server.pages["/f"] = Behaviour(b"", location="/g")
    server.pages["/g"] = Behaviour(BODY)
    assert get(server, tmp_path, policy) == BODY

    class Request:
        full_url = "https://example.org/f"

    with pytest.raises(DataError, match="not https"):
        _NoDowngrade().redirect_request(Request(), None, 302, "", {}, "http://example.org/f")


def test_json(server: DataServer, policy: Policy):
    server.pages["/r"] = Behaviour(b'{"a": 1}', cut_at=3, cuts=1)
    assert read_json(f"{server.url}/r", policy) == {"a": 1}
    with pytest.raises(DataError, match="more than 4 bytes"):
        read_json(f"{server.url}/r", policy, limit=4)
    server.pages["/r"] = Behaviour(b"<html>")
    with pytest.raises(DataError, match="want JSON"):
        read_json(f"{server.url}/r", policy)
