"""The Kafka source. Positions come from the store; what is committed to Kafka only shows the lag.

The consumer is supervised: whatever error the library raises is logged, and a new consumer goes on where the last one
was. New partitions stay still until `seek` says where to begin.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ingest._fields import Names
from ingest._formats import AUTO
from ingest._kafka_client import MAX_FETCH, Client, KafkaPython, Wanted, Where
from ingest._kafka_codec import MAX_BATCH
from ingest._messages import Topic, batches
from ingest._received import Messages
from ingest._tables import DeadLetters
from telemetry import Batch, Partition, PositionLost, SourceError

log = logging.getLogger("faultline.ingest")

_JOINING_S = 0.02  # partitions that come are still until they are sought: a longer poll would hold up their first rows
_COMMIT_S = 5.0
_ALONE_S = 15.0
_UNSEEN_S = 3.0  # brokers may need as long to tell each other of a new topic
_BACKOFF_S = (0.5, 30.0)
_BYTES = 8 * 1024 * 1024
"""What one poll returns at most, about, in bytes."""


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
    `client` is the library to use; `options` go to it as they are, under kafka-python's names (security). With `once`
    it stops at the end offsets seen first. `formats` names what the messages of a topic hold (`FORMATS`); others tell
    by themselves; `fields` are own names of the fields of JSON records (meaning -> names). Raises SourceError if no
    broker answers.

    A broker sends at most `max_fetch` bytes at once, or one message, and is not asked for more than twice before what
    came was handed out. With kafka-python a record batch that decompresses to more than `max_batch` bytes is a dead
    letter; librdkafka has no such limit.

    What retention deleted before it was read becomes a dead letter, `lost`, that says how many offsets there were.

    A topic that is deleted and made anew is noticed by its id, at most 5 s later: clients fetch by name, so if
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
        client: Literal["kafka-python", "librdkafka"] = "kafka-python",
        once: bool = False,
        options: Mapping[str, Any] | None = None,
        formats: Mapping[str, str] | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        max_fetch: int = MAX_FETCH,
        max_batch: int = MAX_BATCH,
        clock: Callable[[], float] = time.time,
    ) -> None:
        servers = [bootstrap] if isinstance(bootstrap, str) else list(bootstrap)
        member = {"group_instance_id": instance} if group and instance else {}
        self._wanted = Wanted(servers, tuple(topics), group, {**(options or {}), **member}, max_fetch, max_batch)
        self._library = client
        self._topics, self._group, self._once = tuple(topics), group, once
        self._formats, self._names = dict(formats or {}), Names(fields)
        self._clock = clock
        self._assigned: dict[Where, _Assigned] = {}
        self._drained: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()
        self._ends_seen: dict[str, int] = {}
        self._joined_at: float | None = None
        self._backoff_s, self._retry_at, self._committed_at = _BACKOFF_S[0], 0.0, time.monotonic()
        self._client: Client | None = None
        self._open()

    # -- the connection -------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Connect for the first time. Raises SourceError."""
        client: Client | None = None
        try:
            client = self._connect()
            known = client.topics()
        except Exception as error:
            if not isinstance(error, _errors(client)):
                raise
            self.close()
            raise SourceError(f"no Kafka broker answers at {', '.join(self._wanted.servers)}: {_text(error)}") from None
        missing = [topic for topic in self._topics if topic not in known]
        if self._once and len(missing) == len(self._topics):
            self.close()
            there = ", ".join(sorted(known)) or "none"
            raise SourceError(f"no topic {', '.join(missing)} to read; the topics there are: {there}")
        self._adopt(client)
        if missing:
            log.warning("no topic %s yet; waiting for it", ", ".join(missing))

    def _connect(self) -> Client:
        kind: Callable[..., Client] = KafkaPython
        if self._library == "librdkafka":
            from ingest._librdkafka import Librdkafka as kind
        self._client = kind(self._wanted)
        self._joined_at = None
        return self._client

    def _fail(self, error: Exception) -> None:
        log.error("Kafka: %s; connecting again in %.1f s", _text(error), self._backoff_s)
        if self._client is not None:
            self._client.close()
        self._client = None
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
        if not self._once or self._joined_at is None:
            return False
        waited = time.monotonic() - self._joined_at
        if not self._assigned:  # the group has more members than partitions; or its leader has not seen the topic yet
            return waited > _ALONE_S
        missing = set(self._topics).difference(where[0] for where in self._assigned)
        if missing and self._group is None and waited <= _UNSEEN_S:
            return False
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
        """Continue at these positions, as soon as the broker answers."""
        for held in self._assigned.values():
            position = positions.get(held.partition.app_id)
            if position is not None or (held.next is None and held.wanted is None):
                held.wanted = position or 0
                held.closed = False

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return the batches that have come. Raises PositionLost where a partition ends before a stored position."""
        if self._client is None and time.monotonic() < self._retry_at:
            time.sleep(min(timeout_s, max(0.0, self._retry_at - time.monotonic())))
            return []
        client = self._client
        found: list[Batch] = []
        try:
            client = client or self._connect()
            self._turn(client, timeout_s, found)
        except Exception as error:
            if not isinstance(error, _errors(client)):
                raise
            self._fail(error)
        else:
            self._backoff_s = _BACKOFF_S[0]
        return found  # also after a failure: what came before it will not come again

    def _turn(self, client: Client, timeout_s: float, found: list[Batch]) -> None:
        """Do a poll's work, adding to `found`, which is right at any moment: whatever is called may raise."""
        self._place(client, found)
        self._show_lag(client)
        wait_s = timeout_s if client.joined else min(timeout_s, _JOINING_S)
        self._take(client, client.poll(0.0 if found else wait_s, _BYTES), found)
        self._adopt(client)
        self._end(client, found)
        self._look_at_ends(client)

    def _take(self, client: Client, polled: Mapping[Where, Sequence[Messages]], found: list[Batch]) -> None:
        """Add what was polled as batches."""
        for where, parts in polled.items():
            held, topic = self._assigned.get(where), client.topic(where[0])
            if held is None or held.next is None or held.wanted is not None or topic is None:
                continue
            if topic[0] != _topic_id(held):
                continue
            format = self._formats.get(where[0], AUTO)
            known = Topic(held.partition, where[0], self._clock, format, self._names)
            for part in parts:
                rest = part.within(held.next, held.end)
                for batch in batches(known, rest, held.next) if len(rest) else ():
                    held.next = batch.next
                    found.append(batch)

    def _adopt(self, client: Client) -> None:
        """Take note of partitions that came or went, and of topics that were made anew."""
        if not client.joined:
            return
        self._joined_at = self._joined_at or time.monotonic()
        new, assigned = client.take_new(), client.assigned()
        for gone in self._assigned.keys() - assigned:
            del self._assigned[gone]
        for where in sorted(assigned):
            topic, held = client.topic(where[0]), self._assigned.get(where)
            if topic is None:
                continue  # its metadata is not there yet; it keeps still
            if held is None or _topic_id(held) != topic[0]:
                if held is not None:
                    log.error("topic %s was deleted and made anew: reading it from its start", where[0])
                    client.hold(where)
                self._assigned[where] = _Assigned(Partition(_app_id(topic[0], *where), f"kafka:{where[0]}", where[1]))
            elif where in new and held.wanted is None:
                held.wanted = held.next
        self._known = frozenset(self._all(client))

    def _all(self, client: Client) -> Iterator[str]:
        for name in self._topics:
            if (topic := client.topic(name)) is not None:
                yield from (_app_id(topic[0], name, number) for number in range(topic[1]))

    def _place(self, client: Client, found: list[Batch]) -> None:
        """Move to the wanted positions; add dead letters of what is lost. Raises PositionLost."""
        here = client.assigned() if client.joined else ()
        waiting = [where for where, held in self._assigned.items() if held.wanted is not None and where in here]
        bounds = client.bounds(waiting) if waiting else {}
        for where in waiting:
            held, (begin, end) = self._assigned[where], bounds[where]
            wanted = held.wanted or 0
            _check(held.partition, wanted, end)
            if not client.place(where, max(wanted, begin)):
                continue  # it went to another worker this moment
            held.next, held.wanted = wanted, None
            if 0 < wanted < begin:
                found.append(_lost(held.partition, wanted, begin, self._clock))
                held.next = begin
            if self._once and held.end is None:
                held.end = end

    def _end(self, client: Client, found: list[Batch]) -> None:
        """Add a closing batch for each partition that has reached the end of a bounded run."""
        for where, held in self._assigned.items():
            if held.end is None or held.next is None or held.closed or held.wanted is not None:
                continue
            # the consumer is past transaction markers, which are never handed out
            if max(held.next, client.reached(where) or 0) >= held.end:
                start, held.next, held.closed = held.next, max(held.next, held.end), True
                found.append(Batch(held.partition, start, held.next, 0, closed=True))
                client.hold(where)

    def _look_at_ends(self, client: Client) -> None:
        drained = set()
        self._ends_seen = {}
        for where, held in self._assigned.items():
            high = client.end(where)
            if held.next is None or held.wanted is not None or high is None:
                continue
            self._ends_seen[held.partition.app_id] = high
            if max(client.reached(where) or 0, held.next) >= high:
                drained.add(held.partition.app_id)
        self._drained = frozenset(drained)

    def _show_lag(self, client: Client) -> None:
        """Commit positions handed out to Kafka now and then, for its tools to show; nothing reads them back."""
        if not self._group or time.monotonic() - self._committed_at < _COMMIT_S:
            return
        self._committed_at = time.monotonic()
        placed = {where: held for where, held in self._assigned.items() if held.wanted is None}
        reached = {where: held.next for where, held in placed.items() if held.next is not None}
        if reached:
            client.show_lag(reached)

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """The broker keeps messages as long as its retention says."""

    def close(self) -> None:
        """Leave the group and disconnect."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._assigned.clear()


def _errors(client: Client | None) -> tuple[type[Exception], ...]:
    """Return what the client's library raises; before there is a client, what any may."""
    if client is not None:
        return client.errors
    from kafka.errors import KafkaError

    try:
        from confluent_kafka import KafkaException
    except ImportError:
        return (KafkaError, OSError)
    return (KafkaError, KafkaException, OSError)


def _app_id(topic_id: str, topic: str, number: int) -> str:
    return f"kafka:{topic_id}:{topic}/{number}"


def _topic_id(held: _Assigned) -> str:
    return held.partition.app_id.split(":")[1]


def _check(partition: Partition, position: int, end: int) -> None:
    if position > end:
        raise PositionLost(
            f"{partition.source}/{partition.number} ends at {end}, but {position} is stored as read: "
            f"{position - end} messages are gone"
        )


def _lost(partition: Partition, position: int, begin: int, clock: Callable[[], float]) -> Batch:
    """Return what stands for messages that retention deleted before they were read."""
    count = begin - position
    detail = f"offsets {position} to {begin - 1} were deleted before they were read: up to {count} messages are lost"
    log.error("%s/%d: %s", partition.source, partition.number, detail)
    letters = DeadLetters(partition, round(clock() * 1e6))
    letters.add(position, "lost", detail, b"", units=count)
    return Batch(partition, position, begin, count, dead_letters=letters.table())


def _text(error: Exception) -> str:
    return f"{type(error).__name__} {error}".splitlines()[0].strip()[:200]
