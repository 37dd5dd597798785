"""Messages that are small on the line and huge in memory are rejected, and the next goes on."""

import json

import pytest
import snappy
from messages import NOW, decoded
from otlp import NS, logs, metrics, pairs
from source_contract import rows

from ingest._limits import MAX_RECORDS
from ingest._prometheus import write_request

WIDE = {"attributes": pairs(service__name="cart", note="x" * 100_000)}


def reasons(*values, **options):
    found = decoded(*values, **options)
    return [(letter["reason"], letter["offset"]) for letter in rows(found, "dead_letters")], found


def length(size):
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])


def nested(tag, inner):
    return bytes([tag]) + length(len(inner)) + inner


def test_more_records_than_a_message_may_hold():
    many = nested(0x0A, nested(0x12, b"\x12\x00" * (MAX_RECORDS + 1)))
    found, batches = reasons(many, logs({}).SerializeToString(), format="otlp_logs")
    assert found == [("too_many", 10)]
    assert len(rows(batches, "lines")) == 1
    groups = b"\x0a\x00" * (MAX_RECORDS + 1)
    assert reasons(groups, format="otlp_traces")[0] == [("too_many", 10)]
    assert reasons(b"\n" * (MAX_RECORDS + 1), b"a")[0] == [("too_many", 10)]
    assert reasons(json.dumps([{}] * (MAX_RECORDS + 2)).encode(), b"a")[0] == [("too_many", 10)]


@pytest.mark.parametrize("format", ["otlp_logs", "otlp_metrics", "remote_write", "json"])
def test_attributes_repeated_for_every_record(format):
    points = [{"time_unix_nano": NS, "as_int": 1}] * 2000
    histogram = {"time_unix_nano": NS, "bucket_counts": [1] * 2000, "attributes": pairs(note="x" * 100_000)}
    series = write_request()(timeseries=[{"labels": [{"name": "__name__", "value": "x" * 100_000}]}])
    for _ in range(2000):
        series.timeseries[0].samples.add(value=1, timestamp=NOW * 1000)
    shared = {"time": NOW, "attributes": {"note": "x" * 100_000}, "metrics": {f"m{n}": n for n in range(2000)}}
    values = {
        "otlp_logs": [logs(*[{}] * 2000, resource=WIDE).SerializeToString()],
        "otlp_metrics": [
            metrics({"name": "m", "gauge": {"data_points": points}}, resource=WIDE).SerializeToString(),
            metrics({"name": "m", "histogram": {"data_points": [histogram]}}).SerializeToString(),
            metrics({"name": "x" * 100_000, "gauge": {"data_points": points}}).SerializeToString(),
        ],
        "remote_write": [snappy.compress(series.SerializeToString())],
        "json": [json.dumps(shared).encode()],
    }[format]
    found, _ = reasons(*values, b"", format=format)
    assert found == [("too_long", 10 + n) for n in range(len(values))]


def test_what_collectors_send_is_far_from_the_limits():
    labels = {f"label{n}": "some value of a usual length" for n in range(30)}
    resource = {"attributes": pairs(service__name="cart", **labels)}
    message = logs(*[{"time_unix_nano": NS, "body": {"string_value": "short"}}] * 8192, resource=resource)
    assert len(rows(decoded(message.SerializeToString(), topic="otlp_logs"), "lines")) == 8192
