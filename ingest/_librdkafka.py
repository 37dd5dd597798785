"""librdkafka (package confluent-kafka) behind the few calls the Kafka source needs: faster on small messages."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from ingest._kafka_client import PARTITION_BYTES, Wanted, Where, read_token
from ingest._received import Messages, service_of
from telemetry import UsageError

_CONSUMER = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a position out of range is an error, never a silent jump
    "allow.auto.create.topics": False,
    "isolation.level": "read_committed",
    "check.crcs": True,
    "enable.partition.eof": True,  # says where reading is when the last messages are not handed out
    "topic.metadata.refresh.interval.ms": 5000,
    "session.timeout.ms": 10_000,
    "partition.assignment.strategy": "cooperative-sticky",
}
_NAMES = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
    "group_instance_id": "group.instance.id",
    "bootstrap_timeout_ms": None,  # how long the first answer may take; ours to keep
    "sasl_token_file": None,
}
"""kafka-python's names of the options we use, and librdkafka's."""
_FIRST_GUESS = 1024.0  # bytes a message
_LOOK_S = 5.0
_TOKEN_S = 300.0
"""A token is read from its file anew this often."""


class Librdkafka:
    """The client built on librdkafka; takes kafka-python's names of options. Raises UsageError where it is missing."""

    def __init__(self, wanted: Wanted) -> None:
        try:
            from confluent_kafka import Consumer, KafkaException, TopicPartition
            from confluent_kafka.admin import AdminClient
        except ImportError:
            raise UsageError(
                'kafka.client = "librdkafka" needs the package confluent-kafka: pip install "faultline[librdkafka]"'
            ) from None
        self.errors: tuple[type[Exception], ...] = (KafkaException, OSError)
        self.joined = not wanted.group
        self._partition, self._error = TopicPartition, KafkaException
        self._timeout_s = wanted.options.get("bootstrap_timeout_ms", 10_000) / 1000
        common = {
            "bootstrap.servers": ",".join(wanted.servers),
            "log_level": 2,
            "error_cb": _quiet,
            **_translate(wanted.options),
        }
        bounds = {
            "fetch.max.bytes": wanted.max_fetch,
            "max.partition.fetch.bytes": min(wanted.max_fetch, PARTITION_BYTES),
            "queued.max.messages.kbytes": wanted.max_fetch // 1024,
        }
        self._message_bytes = _FIRST_GUESS
        self._consumer = Consumer({**_CONSUMER, **bounds, **common, "group.id": wanted.group or "faultline-no-group"})
        self._admin = AdminClient({name: value for name, value in common.items() if name != "group.instance.id"})
        self._topics = tuple(wanted.topics)
        self._known: dict[str, tuple[str, int]] = {}
        self._asked: Any = None
        self._asked_at = 0.0
        self._ours: set[Where] = set()
        self._new: set[Where] = set()
        self._reached: dict[Where, int] = {}
        self._ends: dict[Where, int] = {}
        self._look(wait=True)
        if wanted.group:
            self._consumer.subscribe(
                list(wanted.topics), on_assign=self._given, on_revoke=self._taken, on_lost=self._taken
            )
        else:
            found = [
                TopicPartition(name, number)
                for name in wanted.topics
                for number in range(self._known.get(name, ("", 0))[1])
            ]
            self._given(self._consumer, found)

    def _given(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Keep still what the group gives us."""
        from confluent_kafka import OFFSET_END

        self.joined = True
        if partitions:
            ours = [self._partition(each.topic, each.partition, OFFSET_END) for each in partitions]
            consumer.incremental_assign(ours)
            consumer.pause(ours)
        for each in partitions:
            where = (each.topic, each.partition)
            self._ours.add(where)
            self._new.add(where)

    def _taken(self, consumer: Any, partitions: Sequence[Any]) -> None:
        for each in partitions:
            self._forget((each.topic, each.partition))
            self._ours.discard((each.topic, each.partition))
        with suppress(self._error):
            consumer.incremental_unassign([self._partition(each.topic, each.partition) for each in partitions])

    def _forget(self, where: Where) -> None:
        self._reached.pop(where, None)
        self._ends.pop(where, None)

    def _look(self, wait: bool = False) -> None:
        """Ask for the topics' ids in the background, and take note of the answer when it is there."""
        from confluent_kafka import TopicCollection

        if self._asked is None and time.monotonic() - self._asked_at >= _LOOK_S:
            self._asked = self._admin.describe_topics(
                TopicCollection(list(self._topics)), request_timeout=self._timeout_s
            )
            self._asked_at = time.monotonic()
        if self._asked is None or not (wait or all(answer.done() for answer in self._asked.values())):
            return
        for name, answer in self._asked.items():
            try:
                found = answer.result()
            except self._error as error:
                if error.args[0].name() not in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC"):
                    self._asked = None
                    raise
                self._known.pop(name, None)
            else:
                self._known[name] = (_uuid(found.topic_id), len(found.partitions))
        self._asked = None

    def topics(self) -> set[str]:
        """Return the names of all topics there are."""
        return set(self._consumer.list_topics(timeout=self._timeout_s).topics)

    def topic(self, name: str) -> tuple[str, int] | None:
        """Return id and partition count, as last looked up."""
        return self._known.get(name)

    def assigned(self) -> frozenset[Where]:
        """Return the partitions that are ours."""
        return frozenset(self._ours)

    def take_new(self) -> set[Where]:
        """Return the partitions given to us since the last call."""
        found, self._new = self._new, set()
        return found

    def bounds(self, wanted: Sequence[Where]) -> dict[Where, tuple[int, int]]:
        """Ask for the first offset and the one after the last."""
        ask = self._consumer.get_watermark_offsets
        return {where: ask(self._partition(*where), timeout=self._timeout_s) for where in wanted}

    def place(self, where: Where, offset: int) -> bool:
        """Read on from an offset, if the partition is still ours."""
        if where not in self._ours:
            return False
        self._forget(where)
        self._consumer.incremental_unassign([self._partition(*where)])
        self._consumer.incremental_assign([self._partition(*where, offset)])
        self._consumer.resume([self._partition(*where)])
        return True

    def hold(self, where: Where) -> None:
        """Keep a partition still."""
        if where in self._ours:
            self._consumer.pause([self._partition(*where)])

    def poll(self, timeout_s: float, most: int) -> Mapping[Where, Sequence[Messages]]:
        """Return messages by partition: those there are, after waiting for the first."""
        self._look()
        polled = self._consumer.consume(1, timeout_s)
        if polled:
            polled += self._consumer.consume(max(16, int(most / self._message_bytes)), 0)
        by: dict[Where, list[Any]] = {}
        each: Any
        for each in polled:
            if each.error() is None:
                by.setdefault((each.topic(), each.partition()), []).append(each)
            else:
                self._note(each)
        for where, messages in by.items():
            self._reached[where] = max(messages[-1].offset() + 1, self._reached.get(where, 0))
        return {where: [self._columns(messages)] for where, messages in by.items()}

    def _note(self, event: Any) -> None:
        """Take note of an end of a partition; raise an error that does not pass by itself."""
        from confluent_kafka import KafkaError

        if event.error().code() == KafkaError._PARTITION_EOF:
            where = (event.topic(), event.partition())
            self._reached[where] = self._ends[where] = event.offset()
        elif not event.error().retriable():
            raise self._error(event.error())

    def _columns(self, messages: Sequence[Any]) -> Messages:
        headers = [each.headers() for each in messages]
        values = [each.value() for each in messages]
        mean = sum(len(value) for value in values if value) / len(values) + 1
        self._message_bytes = max(mean, (mean + self._message_bytes) / 2)
        return Messages.build(
            [each.offset() for each in messages],
            [each.timestamp()[1] for each in messages],
            [each.key() for each in messages],
            [service_of(each) if each else None for each in headers],
            values,
        )

    def reached(self, where: Where) -> int | None:
        """Return the offset reading goes on at."""
        return self._reached.get(where)

    def end(self, where: Where) -> int | None:
        """Return the high watermark of the last fetch, or where the end was last met."""
        if where not in self._ours:
            return None
        with suppress(self._error):
            _, high = self._consumer.get_watermark_offsets(self._partition(*where), cached=True)
            if high >= 0:
                return int(high)
        return self._ends.get(where)

    def show_lag(self, positions: Mapping[Where, int]) -> None:
        """Commit positions in the background."""
        with suppress(self._error):
            self._consumer.commit(offsets=[self._partition(*w, at) for w, at in positions.items()], asynchronous=True)

    def close(self) -> None:
        """Leave the group and disconnect; what is broken already may stay so."""
        with suppress(Exception):
            self._consumer.close()


def _translate(options: Mapping[str, Any]) -> dict[str, Any]:
    named = {_NAMES.get(name, name): value for name, value in options.items() if value is not None}
    found = {name: value for name, value in named.items() if name is not None}
    if (file := options.get("sasl_token_file")) is not None:
        found["oauth_cb"] = lambda _: (read_token(file), time.time() + _TOKEN_S)
    return found


def _uuid(topic_id: Any) -> str:
    """Write a topic's id as kafka-python does, so that positions do not depend on the client."""
    high, low = topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits()
    return str(UUID(int=(high % 2**64) << 64 | low % 2**64))


def _quiet(error: Any) -> None:
    """Errors come out of the calls they belong to; the library retries the rest itself."""
