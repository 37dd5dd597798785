"""The Kafka source. Positions come from the store; what is committed to Kafka only shows the lag.

The consumer is supervised: whatever error the library raises is logged, and a new consumer goes on where the last one
was. New partitions stay paused until `seek` says where to begin.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ingest._fields import Names
from ingest._files import FUTURE_S, latest_us
from ingest._formats import AUTO
from ingest._kafka_codec import MAX_BATCH, bound
from ingest._messages import Topic, batches
from telemetry import Batch, Partition, PositionLost, SourceError

log = logging.getLogger("faultline.ingest")

_COMMIT_S = 5.0
_ALONE_S = 15.0
_BACKOFF_S = (0.5, 30.0)
_CONSUMER = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # a position out of range is an error, never a silent jump
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
    "check_crcs": True,
    "max_poll_records": 4096,
    "max_partition_fetch_bytes": 4 * 1024 * 1024,
    "fetch_max_bytes": 16 * 1024 * 1024,
    "metadata_max_age_ms": 5000,  # new partitions and recreated topics show up this soon
    "session_timeout_ms": 10_000,
    "bootstrap_timeout_ms": 10_000,
}


@dataclass
class _Assigned:
    """A topic partition that is ours, and where we are in it."""

    partition: Partition
    wanted: int | None = None  # a position to go to as soon as the broker answers
    next: int | None = None  # the next position to hand out; None: not sought yet
    end: int | None = None  # where a bounded run stops
    closed: bool = False


class KafkaSource:
    """Reads topics as a member of a consumer group, or all their partitions without one (`group=None`).

    A message holds one record or many, separated by newlines; its key or `service` header names their service.
    `instance` is the static membership id of this worker (a restarted worker then gets its partitions back at once).
    `options` go to kafka-python as they are (security). With `once` it stops at the end offsets seen first.
    `formats` names what the messages of a topic hold (`FORMATS`); others tell by themselves; `fields` are own
    names of the fields of JSON records (meaning -> names). A record batch that
    decompresses to more than `max_batch` bytes is a dead letter. Raises SourceError if no broker answers.

    A topic that is deleted and made anew is noticed by its id, at most 5 s later: kafka-python fetches by name, so if
    in that time the new topic grows past the old position, its first messages come out twice.
    """

    name = "kafka"

    def __init__(
        self,
        bootstrap: str | Sequence[str],
        topics: Sequence[str],
        *,
        group: str | None = "faultline",
        instance: str | None = None,
        once: bool = False,
        options: Mapping[str, Any] | None = None,
        formats: Mapping[str, str] | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        max_batch: int = MAX_BATCH,
        future_s: float | None = FUTURE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        servers = [bootstrap] if isinstance(bootstrap, str) else list(bootstrap)
        self._config = {**_CONSUMER, "bootstrap_servers": servers, "group_id": group, **(options or {})}
        if group and instance:
            self._config["group_instance_id"] = instance
        self._topics, self._group, self._once = tuple(topics), group, once
        self._formats, self._names, self._max_batch = dict(formats or {}), Names(fields), max_batch
        self._future_s, self._clock = future_s, clock
        self._assigned: dict[Any, _Assigned] = {}  # by kafka's TopicPartition
        self._moved: set[Any] = set()  # partitions the group gave us since we last looked
        self._joined = False
        self._drained: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()
        self._ends_seen: dict[str, int] = {}
        self._joined_at = 0.0
        self._backoff_s, self._retry_at, self._committed_at = _BACKOFF_S[0], 0.0, time.monotonic()
        self._consumer: Any = None
        self._open()

    # -- the connection -------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Connect for the first time. Raises SourceError."""
        from kafka.errors import KafkaError

        try:
            self._connect()
            known = self._consumer.topics()
        except (KafkaError, OSError) as error:
            self._disconnect()
            servers = ", ".join(self._config["bootstrap_servers"])
            raise SourceError(f"no Kafka broker answers at {servers}: {_text(error)}") from None
        missing = [topic for topic in self._topics if topic not in known]
        if self._once and len(missing) == len(self._topics):
            self.close()
            there = ", ".join(sorted(known)) or "none"
            raise SourceError(f"no topic {', '.join(missing)} to read; the topics there are: {there}")
        self._adopt()
        if missing:
            log.warning("no topic %s yet; waiting for it", ", ".join(missing))

    def _connect(self) -> None:
        from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
        from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

        source = self
        self._joined = False
        bound(self._max_batch)

        class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
            """Runs on the library's own thread: only holds the partitions until the next `poll` looks at them."""

            def on_partitions_revoked(self, revoked: Any) -> None:
                pass

            def on_partitions_assigned(self, assigned: Any) -> None:
                source._hold(assigned)

        # Who keeps a partition in a rebalance goes on reading it.
        self._consumer = KafkaConsumer(**self._config, partition_assignment_strategy=(CooperativeStickyAssignor,))
        if self._group:
            self._consumer.subscribe(self._topics, listener=Listener())
            return
        found = [TopicPartition(t, p) for t in self._topics for p in self._consumer.partitions_for_topic(t)]
        self._consumer.assign(found)
        self._hold(found)

    def _hold(self, assigned: Any) -> None:
        """Keep newly assigned partitions still until somebody says where they begin."""
        for each in assigned:
            self._consumer.seek(each, 0)
            self._consumer.pause(each)
        self._moved |= set(assigned)
        self._joined, self._joined_at = True, time.monotonic()

    def _disconnect(self) -> None:
        if self._consumer is not None:
            with suppress(Exception):  # it is broken or going away; nothing of it is needed any more
                self._consumer.close(autocommit=False, timeout_ms=1000)
        self._consumer = None

    def _fail(self, error: Exception) -> None:
        log.error("Kafka: %s; connecting again in %.1f s", _text(error), self._backoff_s)
        self._disconnect()
        self._retry_at = time.monotonic() + self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, _BACKOFF_S[1])
        for held in self._assigned.values():
            if held.wanted is None:
                held.wanted = held.next

    # -- the Source -----------------------------------------------------------------------------------------------

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Nothing is left out."""
        return []

    @property
    def finished(self) -> bool:
        """Whether every partition of ours has been read to the end offset seen first (`once`)."""
        if not self._once or not self._joined:
            return False
        if not self._assigned:  # the group has more members than partitions; or its leader has not seen the topic yet
            return time.monotonic() - self._joined_at > _ALONE_S
        return all(held.closed for held in self._assigned.values())

    @property
    def drained(self) -> frozenset[str]:
        """App ids of the partitions that had been read to their present end at the last poll."""
        return self._drained

    @property
    def known(self) -> frozenset[str]:
        """App ids of all partitions of the topics, as far as the brokers have told."""
        return self._known

    @property
    def ends(self) -> Mapping[str, int]:
        """Where the partitions of this worker ended at the last poll."""
        return self._ends_seen

    def partitions(self) -> list[Partition]:
        """Return the partitions this worker has now."""
        return [held.partition for held in self._assigned.values()]

    def seek(self, positions: Mapping[str, int]) -> None:
        """Continue at these positions. Raises PositionLost where the broker does not hold one any more, or not yet."""
        from kafka.errors import KafkaError

        for held in self._assigned.values():
            position = positions.get(held.partition.app_id)
            if position is not None or held.next is None:
                held.wanted = position or 0
                held.closed = False
        if self._consumer is None:
            return
        try:
            self._place()
        except KafkaError as error:
            self._fail(error)

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return the batches that have come. Raises PositionLost after a reconnection to a broker that lost data."""
        from kafka.errors import KafkaError

        if self._consumer is None and time.monotonic() < self._retry_at:
            time.sleep(min(timeout_s, max(0.0, self._retry_at - time.monotonic())))
            return []
        try:
            if self._consumer is None:
                self._connect()
            self._show_lag()
            records = self._consumer.poll(timeout_ms=round(timeout_s * 1000))
            found = self._batches(records)
            self._adopt()
            self._place()
            found += self._ends()
            self._look_at_ends()
        except (KafkaError, OSError) as error:
            self._fail(error)
            return []
        self._backoff_s = _BACKOFF_S[0]
        return found

    def _batches(self, records: Mapping[Any, Sequence[Any]]) -> list[Batch]:
        limit = latest_us(self._clock(), self._future_s)
        found: list[Batch] = []
        for where, messages in records.items():
            held = self._assigned.get(where)
            if held is None or held.next is None or held.wanted is not None or self._topic_id(where) != _topic_id(held):
                continue
            first, last = held.next, held.end
            fresh = [m for m in messages if m.offset >= first and (last is None or m.offset < last)]
            format = self._formats.get(where.topic, AUTO)
            topic = Topic(held.partition, where.topic, self._clock, limit, format, self._names)
            for batch in batches(topic, fresh, held.next):
                held.next = batch.next
                found.append(batch)
        return found

    def _adopt(self) -> None:
        """Take note of partitions that came or went, and of topics that were made anew."""
        if not self._joined:
            return
        assigned = self._consumer.assignment()
        for gone in self._assigned.keys() - assigned:
            del self._assigned[gone]
        for where in sorted(assigned):
            topic_id, held = self._topic_id(where), self._assigned.get(where)
            if topic_id is None:
                continue  # its metadata is not there yet; it stays paused
            if held is None or _topic_id(held) != topic_id:
                if held is not None:
                    log.error("topic %s was deleted and made anew: reading it from its start", where.topic)
                    self._consumer.pause(where)
                app_id = _app_id(topic_id, where.topic, where.partition)
                self._assigned[where] = _Assigned(Partition(app_id, f"kafka:{where.topic}", where.partition))
            elif where in self._moved and held.wanted is None:
                held.wanted = held.next
        self._moved -= assigned
        self._known = frozenset(self._all())

    def _all(self) -> Iterator[str]:
        cluster = self._consumer._cluster
        for topic in self._topics:
            if (topic_id := cluster.topic_id(topic)) is not None:
                for number in cluster.partitions_for_topic(topic) or ():
                    yield _app_id(str(topic_id), topic, number)

    def _topic_id(self, where: Any) -> str | None:
        # The id in the metadata the consumer itself fetches by; the library has no public call for it.
        found = self._consumer._cluster.topic_id(where.topic)
        return None if found is None else str(found)

    def _place(self) -> None:
        """Move to the wanted positions. Raises PositionLost."""
        here = self._consumer.assignment()
        waiting = {where: held for where, held in self._assigned.items() if held.wanted is not None and where in here}
        if not waiting:
            return
        begins = self._consumer.beginning_offsets(list(waiting))
        ends = self._consumer.end_offsets(list(waiting))
        for where, held in waiting.items():
            wanted = held.wanted or 0
            _check(held.partition, wanted, begins[where], ends[where])
            with suppress(ValueError):  # it went to another worker this moment
                self._consumer.seek(where, max(wanted, begins[where]))
                self._consumer.resume(where)
                held.next, held.wanted = wanted, None
            if self._once and held.end is None:
                held.end = ends[where]

    def _ends(self) -> list[Batch]:
        """Return a closing batch for each partition that has reached the end of a bounded run."""
        found = []
        for where, held in self._assigned.items():
            if held.end is None or held.next is None or held.closed:
                continue
            # the consumer is past transaction markers, which are never handed out
            if max(held.next, self._consumer.position(where)) >= held.end:
                start, held.next, held.closed = held.next, max(held.next, held.end), True
                self._consumer.pause(where)
                found.append(Batch(held.partition, start, held.next, 0, closed=True))
        return found

    def _look_at_ends(self) -> None:
        drained = set()
        self._ends_seen = {}
        for where, held in self._assigned.items():
            high = self._consumer.highwater(where)
            if held.next is None or high is None:
                continue
            self._ends_seen[held.partition.app_id] = high
            if self._consumer.position(where) >= high:
                drained.add(held.partition.app_id)
        self._drained = frozenset(drained)

    def _show_lag(self) -> None:
        """Commit positions handed out to Kafka now and then, for its tools to show; nothing reads them back."""
        if not self._group or time.monotonic() - self._committed_at < _COMMIT_S:
            return
        from kafka.structs import OffsetAndMetadata

        self._committed_at = time.monotonic()
        reached = {
            where: OffsetAndMetadata(held.next, "", -1)
            for where, held in self._assigned.items()
            if held.next is not None and held.wanted is None
        }
        if reached:
            self._consumer.commit_async(reached, callback=_note_commit)

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """The broker keeps messages as long as its retention says."""

    def close(self) -> None:
        """Leave the group and disconnect."""
        self._disconnect()
        self._assigned.clear()


def _note_commit(_: Any, response: Any) -> None:
    if isinstance(response, Exception):
        log.debug("the lag could not be shown in Kafka: %s", response)


def _app_id(topic_id: str, topic: str, number: int) -> str:
    return f"kafka:{topic_id}:{topic}/{number}"


def _topic_id(held: _Assigned) -> str:
    return held.partition.app_id.split(":")[1]


def _check(partition: Partition, position: int, begin: int, end: int) -> None:
    name = f"{partition.source}/{partition.number}"
    if position > end:
        raise PositionLost(
            f"{name} ends at {end}, but {position} is stored as read: {position - end} messages are gone"
        )
    if 0 < position < begin:
        raise PositionLost(f"{name} begins at {begin}, but {position} comes next: {begin - position} messages are lost")


def _text(error: Exception) -> str:
    return f"{type(error).__name__} {error}".splitlines()[0].strip()[:200]
