"""Record batches read as columns: what kafka-python's own reader finds in them, damage, and limits."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

from ingest._kafka_codec import Packed, hand_out_batches, open_batch, read

PARTITION = TopicPartition("t", 0)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
BLOB = st.none() | st.binary(max_size=300)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 2**40),
        BLOB,
        BLOB,
        st.lists(st.tuples(st.sampled_from(["service", "trace", ""]), BLOB), max_size=3),
    ),
    min_size=1,
    max_size=8,
)


def batch(records, first=0, codec="none", magic=2):
    builder = MemoryRecordsBuilder(magic, CODECS[codec], 1 << 22)
    for timestamp, key, value, headers in records:
        builder.append(timestamp, key, value, headers)
    builder.close()
    data = bytearray(builder.buffer())
    data[:8] = first.to_bytes(8, "big")  # the broker says where a batch begins
    return bytes(data)


def fetched(data, start=0, limit=1 << 20):
    """Read what a broker sent, as the client does; return rows."""
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))
    hand_out_batches(consumer, limit)
    records = consumer._fetcher.PartitionRecords(start, PARTITION, MemoryRecords(data)).take()
    assert all(isinstance(record.value, Packed) for record in records)
    found = []
    for messages in read([open_batch(record.value, limit) for record in records]):
        columns = (messages.key, messages.service, messages.value)
        rows = zip(messages.offset, messages.timestamp, *(column.to_pylist() for column in columns), strict=True)
        found += [(*row, messages.refusals.get(i)) for i, row in enumerate(rows)]
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=4), st.sampled_from(sorted(CODECS)))
def test_columns_hold_what_kafka_python_reads(parts, codec):
    data, first = b"", 7
    for records in parts:
        data, first = data + batch(records, first, codec), first + len(records)
    expected = [
        (r.offset, r.timestamp, r.key, next((v for k, v in r.headers if k == "service"), None), r.value, None)
        for r in Fetcher.PartitionRecords(0, PARTITION, MemoryRecords(data)).take()
    ]
    assert fetched(data) == expected


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_over_the_limit_or_damaged_is_one_refusal_and_the_others_are_read(codec):
    small, many = [(1, None, b"v", [])], [(1, None, bytes(5000), [])] * 3
    data = batch(small, 0, codec) + batch(many, 1, codec) + batch(small, 4, codec)
    found = fetched(data, limit=10_000)
    if codec == "none":  # nothing grows
        assert len(found) == 5
        return
    assert [(row[0], row[-1] and (row[-1].reason, row[-1].records)) for row in found] == [
        (0, None), (3, ("too_long", 3)), (4, None),
    ]  # fmt: skip


@settings(deadline=None)
@given(st.data())
def test_no_damage_does_more_than_refuse_its_batch(data):
    good = batch([(5, b"k", b"value", [("service", b"web")])] * 3, 10)
    bad = bytearray(good)
    for at in data.draw(st.lists(st.integers(61, len(bad) - 1), min_size=1, max_size=3)):  # behind the header
        bad[at] = data.draw(st.integers(0, 255))
    found = fetched_unchecked([bad, batch([(5, None, b"next", [])], 13)])
    assert found[-1][0] == 13
    assert found[-1][4] == b"next"
    refusals = [row[-1] for row in found if row[-1]]
    assert [one.reason for one in refusals] in ([], ["bad_batch"])
    assert sum(one.records for one in refusals) + sum(row[-1] is None for row in found) == 4


def fetched_unchecked(batches):
    """The same without the checksums, which find nearly all damage first."""
    found = []
    opened = [
        open_batch(Packed(b[7], b[7] + b[60] - 1, b[60], 0, 5, False, memoryview(bytes(b))[61:]), 1 << 20)
        for b in batches
    ]
    for messages in read(opened):
        values = messages.value.to_pylist()
        found += [
            (int(o), None, None, None, values[i], messages.refusals.get(i)) for i, o in enumerate(messages.offset)
        ]
    return found


def test_a_message_longer_than_any_may_be_is_not_copied():
    (row,) = fetched(batch([(1, b"k", bytes(9 << 20), [])]))
    assert (row[-1].reason, len(row[4])) == ("too_long", 64 * 1024)
