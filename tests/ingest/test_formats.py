"""Which format a message is taken for, compressed messages, and formats set by topic."""

import gzip

import kafka.codec
import lz4.frame
import pytest
import zstandard
from messages import decoded
from otlp import NS, SPAN, TRACE, as_json, logs, metrics, spans
from source_contract import bodies, rows

from ingest import FORMATS
from ingest._formats import format_of

LOG = logs({"body": {"string_value": "a"}})
POINT = metrics({"name": "m", "gauge": {"data_points": [{"time_unix_nano": NS, "as_int": 1}]}})
SPAN_ = spans({"trace_id": TRACE, "span_id": SPAN, "start_time_unix_nano": NS, "end_time_unix_nano": NS})


@pytest.mark.parametrize(
    ("topic", "value", "format"),
    [
        ("otlp_logs", LOG.SerializeToString(), "otlp_logs"),
        ("otlp_metrics", POINT.SerializeToString(), "otlp_metrics"),
        ("otlp_spans", SPAN_.SerializeToString(), "otlp_traces"),
        ("TRACES", SPAN_.SerializeToString(), "otlp_traces"),
        ("stuff", as_json(LOG), "otlp_logs"),
        ("stuff", as_json(POINT), "otlp_metrics"),
        ("stuff", as_json(SPAN_), "otlp_traces"),
        ("metrics", b"# HELP a b\na 1", "prometheus"),
        ("metrics", b'{"metric": "a", "value": 1}', "json"),
        ("metrics", b"", "json"),
        ("logs", b"# a comment of some file", "lines"),
        ("logs", b"a raw line", "lines"),
        ("logs", b"\na line after a blank one\n", "lines"),
        ("logs", b"", "lines"),
        ("logs", b'{"level": "info", "msg": "a"}', "json_logs"),
        ("logs", b' {"level": "info", "msg": "a"}', "json_logs"),
        ("logs", b"{not json", "lines"),
    ],
)
def test_the_format_is_told_by_topic_and_first_bytes(topic, value, format):
    assert format_of(topic, value) == format
    assert format in FORMATS


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lz4.frame.compress, kafka.codec.snappy_encode])
def test_compressed_messages_are_what_they_hold(pack):
    found = decoded(pack(b"one\ntwo"), b"three", pack(LOG.SerializeToString()), topic="logs")
    assert bodies(found) == ["one", "two", "three", "a"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lz4.frame.compress])
def test_a_compressed_bomb_or_damage_is_a_dead_letter_and_the_next_goes_on(pack):
    found = decoded(b"one", pack(bytes(9 << 20)), pack(b"cut" * 100)[:-9], b"two")
    assert bodies(found) == ["one", "two"]
    letters = rows(found, "dead_letters")
    assert [(one["reason"], one["offset"]) for one in letters] == [("too_long", 11), ("bad_compression", 12)]


def test_a_format_that_is_set_is_not_guessed():
    text = b'{"resourceLogs": []}'
    assert rows(decoded(text, format="lines"), "lines")[0]["body"] == text.decode()
    assert rows(decoded(b"not json", format="json"), "dead_letters")[0]["reason"] == "bad_json"
    assert decoded(text, format="otlp_logs")[0].read == 0


def test_formats_mix_in_one_topic_and_keep_their_order():
    values = [b"one", LOG.SerializeToString(), b'{"message": "two"}', as_json(LOG), b"three"]
    found = decoded(*values, topic="logs")
    assert bodies(found) == ["one", "a", "two", "a", "three"]
    assert [row["offset"] for row in rows(found, "lines")] == [10, 11, 12, 13, 14]


def test_raw_lines_and_json_logs_in_turn_are_one_batch_and_each_is_judged_by_its_message():
    values = [b"one", b'{"message": "two"}\n[not json', b"three\n[2026] four", b'{"message": "five"}'] * 50
    found = decoded(*values, topic="logs")
    assert len(found) == 1
    assert bodies(found) == ["one", "two", "three", "[2026] four", "five"] * 50
    letters = rows(found, "dead_letters")
    assert [(one["reason"], one["offset"]) for one in letters] == [("bad_json", 11 + 4 * i) for i in range(50)]


SYSLOG = b"<34>Oct 11 22:14:15 mymachine su[17]: 'su root' failed for lonvick on /dev/pts/8"
SYSLOG_NEW = b'<165>1 2026-05-28T20:26:40.003Z web1 evntslog 42 ID47 [x@32473 iut="3"] An application event'


def test_a_syslog_message_is_a_raw_line():
    assert bodies(decoded(SYSLOG, SYSLOG_NEW, topic="syslog")) == [SYSLOG.decode(), SYSLOG_NEW.decode()]
