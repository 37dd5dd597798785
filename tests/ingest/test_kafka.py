"""The Kafka source against a real broker."""

import contextlib
import json
import time
import uuid
from functools import partial

import pytest
import snappy
from otlp import NS, both, logs, metrics
from source_contract import bodies, check_batches, check_resume, drain, rows

from ingest import KafkaSource
from ingest._prometheus import write_request
from telemetry import PositionLost, SourceError

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["kafka-python", "librdkafka"])
def client(request):
    return request.param


@pytest.fixture
def topic(kafka_broker):
    name = f"logs-{uuid.uuid4().hex[:8]}"
    kafka_broker.create_topic(name, partitions=2)
    return name


def produce(broker, topic, values, *, partition=0, **options):
    from kafka import KafkaProducer

    with contextlib.closing(KafkaProducer(bootstrap_servers=broker.bootstrap, **options)) as producer:
        for value in values:
            producer.send(topic, value, partition=partition, key=b"cart")
        producer.flush()


def app_of(source, number=0):
    return next(p.app_id for p in source.partitions() if p.number == number)


def bounded(broker, *topics, **options):
    return KafkaSource(broker.bootstrap, topics, group=None, once=True, **options)


def poll_until(source, enough, seen=(), seconds=60.0):
    """Poll until `enough(batches)`; like the pipeline, seek to what was seen whenever the partitions change."""
    batches, known, deadline = [], None, time.monotonic() + seconds
    while not enough(batches):
        assert time.monotonic() < deadline, (bodies(batches), source.partitions())
        now = {p.app_id for p in source.partitions()}
        if now != known:
            source.seek({batch.partition.app_id: batch.next for batch in [*seen, *batches]})
            known = now
        batches += source.poll(0.1, {})
    return batches


def test_contract_and_resume_from_any_position(kafka_broker, topic, client):
    for partition in (0, 1):
        produce(
            kafka_broker, topic, [b"a\nb\n\nc", b'{"level": "info", "msg": "j"}\n{"bad', b""] * 20, partition=partition
        )
    check_resume(lambda: bounded(kafka_broker, topic, client=client))
    batches = drain(bounded(kafka_broker, topic, client=client))
    assert sum(batch.read for batch in batches) == 2 * 20 * 7
    first = rows(batches, "lines")[0]
    assert (first["service"], first["offset"], first["line"]) == ("cart", 0, 1)
    assert {letter["reason"] for letter in rows(batches, "dead_letters")} == {"bad_json"}
    assert all(b.partition.app_id.startswith("kafka:") and f":{topic}/" in b.partition.app_id for b in batches)


def test_metrics_and_spans_topics_and_service_header(kafka_broker):
    from kafka import KafkaProducer

    names = [f"{kind}-{uuid.uuid4().hex[:6]}" for kind in ("metrics", "spans", "nginx")]
    for name in names:
        kafka_broker.create_topic(name)
    point = {"time": "2026-01-01T00:00:05Z", "metrics": {"cpu": 1, "mem": 2}}
    with contextlib.closing(KafkaProducer(bootstrap_servers=kafka_broker.bootstrap)) as producer:
        producer.send(names[0], json.dumps(point).encode(), headers=[("service", b"pay")])
        producer.send(names[0], b"not json")
        producer.send(names[1], b"\xff" * (9 * 1024), key=b"x")
        producer.send(names[2], b"a line", timestamp_ms=1_767_225_605_000)
        producer.flush()
    batches = drain(bounded(kafka_broker, *names))
    check_batches(batches)
    assert [(r["service"], r["metric"]) for r in rows(batches, "metrics")] == [("pay", "cpu"), ("pay", "mem")]
    assert sorted(letter["reason"] for letter in rows(batches, "dead_letters")) == ["bad_json", "bad_json"]
    (line,) = rows(batches, "lines")
    assert line["service"] == names[2]
    assert line["observed_time"].timestamp() == 1_767_225_605


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
def test_a_record_batch_that_is_a_bomb_is_a_dead_letter_and_the_next_goes_on(kafka_broker, topic, codec):
    options = {"compression_type": codec, "max_request_size": 64 << 20, "linger_ms": 0}
    produce(kafka_broker, topic, [b"before"], **options)
    produce(kafka_broker, topic, [bytes(9 << 20)], **options)
    produce(kafka_broker, topic, [b"after", b"and so on"], **options)
    make = partial(bounded, kafka_broker, topic, max_batch=8 << 20)
    batches = drain(make())
    check_batches(batches)
    assert bodies(batches) == ["before", "after", "and so on"]
    (letter,) = rows(batches, "dead_letters")
    assert (letter["reason"], letter["offset"], letter["units"]) == ("too_long", 1, 1)
    assert "(a batch of 1 messages, offsets 1 to 1)" in letter["detail"]
    assert 0 < len(letter["raw"]) <= 64 * 1024
    check_resume(make)


def size_of(batches):
    return sum(len(body) for body in bodies(batches))


def held_by(source):
    """Bytes that the client has, as they came, and has not handed out; librdkafka does not tell."""
    client = source._client
    if not hasattr(client, "_waiting"):
        return 0
    fetched = client._consumer._fetcher._completed_fetches
    return sum(len(one.partition_data.records) for one in fetched) + sum(len(one.value) for _, one in client._waiting)


def test_a_backlog_of_large_messages_waits_at_the_broker_while_the_store_is_slow(kafka_broker, topic, client):
    message, most = 900_000, 2 << 20
    for partition in (0, 1):
        produce(kafka_broker, topic, [(b"x" * 99_999 + b"\n") * 9] * 10, partition=partition)
    source, sizes, held = bounded(kafka_broker, topic, client=client, max_fetch=most), [], []
    with contextlib.closing(source):
        source.seek({})
        while not source.finished:
            sizes.append(size_of(source.poll(0.1, {})))
            time.sleep(0.02)  # whatever may come meanwhile, comes
            held.append(held_by(source))
    assert sum(sizes) == 2 * 10 * 9 * 99_999
    assert max(held) <= 2 * most
    assert max(sizes) <= 2 * most + message


def test_a_poll_decompresses_no_more_than_it_returns(kafka_broker, topic):
    values = [(b"y" * 99_999 + b"\n") * 50] * 6  # 5 MB each, a few kilobytes on the line
    produce(kafka_broker, topic, values, compression_type="gzip", max_request_size=64 << 20, linger_ms=0)
    with contextlib.closing(bounded(kafka_broker, topic)) as source:
        source.seek({})
        sizes = []
        while not source.finished:
            sizes.append(size_of(source.poll(0.1, {})))
    assert sum(sizes) == 6 * 50 * 99_999
    assert max(sizes) <= (8 << 20) + 5_000_000


def test_otlp_and_prometheus_messages_among_others(kafka_broker):
    names = [f"{kind}-{uuid.uuid4().hex[:6]}" for kind in ("otlp_logs", "otlp_metrics", "prom")]
    for name in names:
        kafka_broker.create_topic(name)
    produce(kafka_broker, names[0], [*both(logs({"body": {"string_value": "a"}})), b"a raw line"])
    gauge = {"name": "m", "gauge": {"data_points": [{"time_unix_nano": NS, "as_int": 1}]}}
    produce(kafka_broker, names[1], both(metrics(gauge)), compression_type="gzip")
    series = write_request()(timeseries=[{"labels": [{"name": "__name__", "value": "up"}]}])
    series.timeseries[0].samples.add(value=1, timestamp=NS // 10**6)
    produce(kafka_broker, names[2], [snappy.compress(series.SerializeToString())])
    batches = drain(bounded(kafka_broker, *names, formats={names[2]: "remote_write"}))
    check_batches(batches)
    assert [(r["service"], r["body"]) for r in rows(batches, "lines")] == [("cart", "a")] * 2 + [("cart", "a raw line")]
    assert sorted((r["service"], r["metric"]) for r in rows(batches, "metrics")) == [
        ("cart", "m"), ("cart", "m"), ("unknown", "up"),
    ]  # fmt: skip


def test_positions_cover_transaction_markers_and_aborted_messages(kafka_broker, topic, client):
    from kafka import KafkaProducer

    options = {"transactional_id": f"t-{topic}"}
    with contextlib.closing(KafkaProducer(bootstrap_servers=kafka_broker.bootstrap, **options)) as producer:
        producer.init_transactions()
        for words, commit in ((b"one", True), (b"undone", False), (b"two", True)):
            producer.begin_transaction()
            producer.send(topic, words, partition=0)
            producer.flush()
            (producer.commit_transaction if commit else producer.abort_transaction)()
    batches = drain(bounded(kafka_broker, topic, client=client))
    check_batches(batches)
    assert bodies(batches) == ["one", "two"]
    assert max(batch.next for batch in batches) == 6
    check_resume(lambda: bounded(kafka_broker, topic, client=client))


def test_a_group_member_waits_for_seek_and_goes_on_from_the_stored_position(kafka_broker, topic, client):
    produce(kafka_broker, topic, [f"m{i}".encode() for i in range(10)])
    group = f"g-{topic}"
    with contextlib.closing(
        KafkaSource(kafka_broker.bootstrap, [topic], group=group, client=client, instance="w1")
    ) as source:
        deadline = time.monotonic() + 60
        while len(source.partitions()) < 2:
            assert source.poll(0.1, {}) == []
            assert time.monotonic() < deadline
        app = app_of(source)
        assert source.poll(0.3, {}) == []
        source.seek({app: 7})
        batches = poll_until(source, lambda found: len(bodies(found)) == 3)
        assert (batches[0].start, batches[-1].next) == (7, 10)
        produce(kafka_broker, topic, [b"later"])
        assert bodies(poll_until(source, bodies)) == ["later"]


def test_a_position_behind_the_end_is_loud(kafka_broker, topic, client):
    produce(kafka_broker, topic, [f"m{i}".encode() for i in range(10)])
    with contextlib.closing(bounded(kafka_broker, topic, client=client)) as source:
        source.seek({app_of(source): 15})
        with pytest.raises(PositionLost, match="ends at 10, but 15 is stored as read: 5 messages are gone"):
            source.poll(0.1, {})


def test_what_retention_deleted_unread_is_counted_and_reading_goes_on(kafka_broker, topic, client):
    from kafka import KafkaAdminClient, TopicPartition

    produce(kafka_broker, topic, [f"m{i}".encode() for i in range(10)])
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)) as admin:
        admin.delete_records({TopicPartition(topic, 0): 6})
    source = bounded(kafka_broker, topic, client=client)
    batches = drain(source, {app_of(source): 2})
    check_batches(batches)
    (letter,) = rows(batches, "dead_letters")
    assert (letter["reason"], letter["offset"], letter["units"]) == ("lost", 2, 4)
    assert bodies(batches) == ["m6", "m7", "m8", "m9"]
    fresh = drain(bounded(kafka_broker, topic, client=client))  # who starts now has lost nothing
    check_batches(fresh)
    assert rows(fresh, "dead_letters") == []
    assert bodies(fresh) == bodies(batches)


def test_a_topic_made_anew_is_another_partition_read_from_its_start(kafka_broker, topic, client):
    produce(kafka_broker, topic, [f"old{i}".encode() for i in range(3)])
    with contextlib.closing(KafkaSource(kafka_broker.bootstrap, [topic], group=f"g-{topic}", client=client)) as source:
        poll_until(source, lambda found: len(bodies(found)) == 3)
        before = {p.app_id for p in source.partitions()}
        kafka_broker.delete_topic(topic)
        kafka_broker.create_topic(topic, partitions=2)
        produce(kafka_broker, topic, [b"new0", b"new1"])
        batches = poll_until(source, lambda found: len(bodies(found)) >= 2, seconds=40)
        assert bodies(batches) == ["new0", "new1"]
        assert not before & {batch.partition.app_id for batch in batches}


def test_a_broker_restart_loses_and_doubles_nothing(kafka_broker, topic, client):
    produce(kafka_broker, topic, [b"before"])
    with contextlib.closing(KafkaSource(kafka_broker.bootstrap, [topic], group=f"g-{topic}", client=client)) as source:
        found = poll_until(source, bodies)
        kafka_broker.stop()
        for _ in range(5):
            source.seek({})
            found += source.poll(0.1, {})
        kafka_broker.start()
        produce(kafka_broker, topic, [b"after"])
        found += poll_until(source, bodies, found, seconds=40)
        found += source.poll(0.5, {})
        assert bodies(found) == ["before", "after"]


def test_an_error_out_of_the_library_is_survived(kafka_broker, topic, monkeypatch):
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError

    produce(kafka_broker, topic, [b"one"])
    with contextlib.closing(KafkaSource(kafka_broker.bootstrap, [topic], group=f"g-{topic}")) as source:
        found = poll_until(source, bodies)
        with monkeypatch.context() as patch:
            patch.setattr(KafkaConsumer, "poll", lambda *_, **__: (_ for _ in ()).throw(KafkaError("boom")))
            assert source.poll(0.1, {}) == []
        produce(kafka_broker, topic, [b"two"])
        found += poll_until(source, bodies, found)
        assert bodies(found) == ["one", "two"]


def test_what_was_taken_before_a_failure_is_neither_lost_nor_doubled(kafka_broker, topic, monkeypatch):
    from kafka.errors import KafkaError

    from ingest._kafka_client import KafkaPython

    poll, end, taken = KafkaPython.poll, KafkaPython.end, []

    def noting(client, *arguments):
        polled = poll(client, *arguments)
        taken.extend(polled)
        return polled

    def failing(client, where):
        if taken:
            taken.clear()
            raise KafkaError("boom")
        return end(client, where)

    monkeypatch.setattr(KafkaPython, "poll", noting)
    monkeypatch.setattr(KafkaPython, "end", failing)
    with contextlib.closing(KafkaSource(kafka_broker.bootstrap, [topic], group=f"g-{topic}")) as source:
        produce(kafka_broker, topic, [b"one", b"two"])
        found = poll_until(source, lambda batches: len(bodies(batches)) >= 2, seconds=20)
        produce(kafka_broker, topic, [b"three"])
        found += poll_until(source, bodies, found, seconds=20)
        assert bodies(found) == ["one", "two", "three"]


def test_nothing_to_read_from_is_one_line(kafka_broker):
    with pytest.raises(SourceError, match="no topic nowhere to read"):
        bounded(kafka_broker, "nowhere")
    with pytest.raises(SourceError, match="no Kafka broker answers at 127"):
        KafkaSource("127.0.0.1:1", ["logs"], options={"bootstrap_timeout_ms": 300})


def test_both_clients_name_a_partition_alike(kafka_broker, topic):
    names = []
    for client in ("kafka-python", "librdkafka"):
        with contextlib.closing(bounded(kafka_broker, topic, client=client)) as source:
            names.append((source.known, {p.app_id for p in source.partitions()}))
    assert names[0] == names[1]
    assert len(names[0][0]) == 2


def test_new_partitions_are_taken_up_and_empty_ones_are_healthy(kafka_broker, topic, client):
    from kafka import KafkaAdminClient

    options = {"group": f"g-{topic}", "client": client}
    with contextlib.closing(KafkaSource(kafka_broker.bootstrap, [topic], **options)) as source:
        poll_until(source, lambda _: len(source.ends) == 2)
        assert set(source.ends.values()) == {0}
        assert len(source.drained) == 2
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)) as admin:
            admin.create_partitions({topic: 3})
        produce(kafka_broker, topic, [b"new"], partition=2)
        found = poll_until(source, bodies)
        assert [batch.partition.number for batch in found if len(batch.lines)] == [2]
        assert len(source.known) == 3


def test_gaps_of_a_compacted_topic_are_no_loss(kafka_broker, client):
    name = f"compacted-{uuid.uuid4().hex[:8]}"
    options = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    kafka_broker.create_topic(name, **options, **{"max.compaction.lag.ms": "100"})
    from kafka import KafkaProducer

    with contextlib.closing(KafkaProducer(bootstrap_servers=kafka_broker.bootstrap)) as producer:
        for n in range(40):
            producer.send(name, f"v{n}".encode(), key=f"k{n % 3}".encode()).get(10)
            time.sleep(0.02)
    deadline = time.monotonic() + 30
    while len(bodies(found := drain(bounded(kafka_broker, name, client=client)))) == 40:
        assert time.monotonic() < deadline, "the broker has compacted nothing"
        time.sleep(0.5)
    check_batches(found)
    assert rows(found, "dead_letters") == []
    assert bodies(found)[-1] == "v39"
    assert max(batch.next for batch in found) == 40


def test_partitions_that_are_added_are_read_however_short_the_polls(kafka_broker, topic):
    from kafka import KafkaAdminClient

    produce(kafka_broker, topic, [b"before"])
    group = f"g-{topic}"
    with contextlib.closing(KafkaSource(kafka_broker.bootstrap, [topic], group=group, client="kafka-python")) as source:
        poll_until(source, bodies)
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)) as admin:
            admin.create_partitions({topic: 4})
        deadline = time.monotonic() + 30
        while len(source.partitions()) < 4:
            assert time.monotonic() < deadline, source.partitions()
            source.seek({})
            source.poll(0.0, {})
