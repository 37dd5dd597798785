"""Progress: plain lines where there is no terminal, none twice, and none at all from a service."""

import time

import pytest

from faultline.cli._progress import Progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_now_and_then_and_none_twice(clock, capsys):
    progress = Progress()
    for at, text in ((1.0, "a"), (6.0, "b"), (7.0, "c"), (12.0, "b"), (18.0, "d")):
        clock[0] = at
        progress.show(text)
    progress.close()
    assert capsys.readouterr().err == "b\nd\n"


def test_a_service_is_silent(clock, capsys):
    progress = Progress(plain=False)
    clock[0] = 100.0
    assert not progress.due
    progress.show("a")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_changing_line(clock, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = Progress(plain=False)
    clock[0] = 1.0
    progress.show("a")
    progress.close()
    assert capsys.readouterr().err.count("\n") == 0
