"""The program's own log: one line an event, whatever the text in it."""

import json
import logging

import pytest
import structlog

from faultline import logs


@pytest.fixture(autouse=True)
def _as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_off_a_terminal_each_event_is_a_json_line_on_standard_error(capsys):
    logs.configure("info")
    structlog.get_logger().info("fenced", partition="a\nb\x1b[2J")
    logging.getLogger("kafka").warning("lost %s", "broker")
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [event["event"] for event in events] == ["fenced", "lost broker"]
    assert (events[0]["partition"], events[0]["level"]) == ("a\nb\x1b[2J", "info")
    assert events[0]["timestamp"].endswith("Z")


def test_text_shows_control_characters_instead_of_obeying_them(capsys):
    logs.configure("info", "text")
    structlog.get_logger().info("fenced", partition="a\nb\x1b[2J")
    logging.getLogger("ingest").error("%s is gone", "x\n\x1b[2J")
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert "\x1b" not in err


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("error", 1)])
def test_events_below_the_level_are_left_out(capsys, level, shown):
    logs.configure(level)
    log = structlog.get_logger()
    log.debug("a")
    log.info("b")
    log.error("c")
    assert len(capsys.readouterr().err.splitlines()) == shown
