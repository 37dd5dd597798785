"""kafka-python behind the few calls the Kafka source needs.

Partitions the group gives us are kept still until `place`. The library tells of them on a thread of its own, and may
take one away between any two calls: a call about one that is gone answers None.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ingest._kafka_codec import Opened, Packed, hand_out_batches, open_batch, read
from ingest._received import Messages

Where = tuple[str, int]
"""Topic and partition number."""

_CONSUMER = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # a position out of range is an error, never a silent jump
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
    "check_crcs": True,
    "metadata_max_age_ms": 5000,  # new partitions and recreated topics show up this soon
    "session_timeout_ms": 10_000,
    "bootstrap_timeout_ms": 10_000,
}

MAX_FETCH = 16 * 1024 * 1024
PARTITION_BYTES = 4 * 1024 * 1024
_EVERYTHING = 2**31

log = logging.getLogger("faultline.ingest")


@dataclass(frozen=True)
class Wanted:
    """What a client is to read, and how. `options` have kafka-python's names."""

    servers: Sequence[str]
    topics: Sequence[str]
    group: str | None
    options: Mapping[str, Any]
    max_fetch: int  # bytes a broker may send at once
    max_batch: int  # bytes a record batch may decompress to


class Client(Protocol):
    """One connection as a group member, or to all partitions without a group. Calls raise one of `errors`."""

    errors: tuple[type[Exception], ...]
    joined: bool
    """Whether the group has given us our partitions, be it none."""

    def topics(self) -> set[str]:
        """Return the names of all topics there are."""

    def topic(self, name: str) -> tuple[str, int] | None:
        """Return a topic's unique id and its number of partitions; None: not known (yet)."""

    def assigned(self) -> frozenset[Where]:
        """Return the partitions that are ours."""

    def take_new(self) -> set[Where]:
        """Return the partitions given to us since the last call: they keep still, wherever they were before."""

    def bounds(self, wanted: Sequence[Where]) -> Mapping[Where, tuple[int, int]]:
        """Return the first offset there is and the one after the last, for each partition."""

    def place(self, where: Where, offset: int) -> bool:
        """Read on from an offset; return whether the partition is still ours."""

    def hold(self, where: Where) -> None:
        """Keep a partition still."""

    def poll(self, timeout_s: float, most: int) -> Mapping[Where, Sequence[Messages]]:
        """Return messages of about `most` bytes, by partition and in order."""

    def reached(self, where: Where) -> int | None:
        """Return the offset reading goes on at: behind markers and gaps, which are never handed out."""

    def end(self, where: Where) -> int | None:
        """Return the offset after the last one there was at the last look."""

    def show_lag(self, positions: Mapping[Where, int]) -> None:
        """Commit positions to Kafka, for its tools to show."""

    def close(self) -> None:
        """Leave the group and disconnect."""


class KafkaPython:
    """The client built on kafka-python. `options` go to its consumer as they are, but `sasl_token_file`."""

    def __init__(self, wanted: Wanted) -> None:
        from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
        from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
        from kafka.errors import IllegalStateError, KafkaError

        self.errors: tuple[type[Exception], ...] = (KafkaError, OSError)
        self._gone = (IllegalStateError, ValueError, AssertionError)  # what calls about a lost partition raise
        self.joined = False
        self._new: set[Where] = set()
        self._partition = TopicPartition
        client = self

        class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
            """Runs on the library's own thread."""

            def on_partitions_revoked(self, revoked: Any) -> None:
                pass

            def on_partitions_assigned(self, assigned: Any) -> None:
                client._keep_still(assigned)

        # It complains of a topic that is not there yet every few seconds; the source has said so once.
        logging.getLogger("kafka.cluster").setLevel(logging.CRITICAL)
        # It warns of each of its own steps that took a tenth of a second: on a busy machine, all the time.
        logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
        # Who keeps a partition in a rebalance goes on reading it.
        strategy = (CooperativeStickyAssignor,)
        config = {
            **_CONSUMER,
            "bootstrap_servers": list(wanted.servers),
            "group_id": wanted.group,
            "fetch_max_bytes": wanted.max_fetch,
            "max_partition_fetch_bytes": min(wanted.max_fetch, PARTITION_BYTES),
            **_with_token(wanted.options),
        }
        self._consumer = KafkaConsumer(**config, partition_assignment_strategy=strategy)
        if wanted.group:
            _finish_joins(self._consumer._coordinator)
        self._max_batch = wanted.max_batch
        self._placed: defaultdict[Where, int] = defaultdict(int)
        self._waiting: deque[tuple[Where, Any]] = deque()  # what came and is not handed out
        hand_out_batches(self._consumer, wanted.max_batch)
        if wanted.group:
            self._consumer.subscribe(wanted.topics, listener=Listener())
            return
        self.topics()  # or the next line would ask for them, after the pause
        found = [TopicPartition(t, p) for t in wanted.topics for p in self._consumer.partitions_for_topic(t) or ()]
        self._consumer.assign(found)
        self._keep_still(found)

    def _keep_still(self, assigned: Iterable[Any]) -> None:
        for each in assigned:
            self._consumer.seek(each, 0)
            self._consumer.pause(each)
        self._new |= {tuple(each) for each in assigned}
        self.joined = True

    def topics(self) -> set[str]:
        """Return the names of all topics there are; the library asks for them a tenth of a second after the brokers.

        No setting reaches that pause. It is for a broker that is asked again and again, so it is left out this once.
        """
        pace = self._consumer._cluster.config
        usual = pace["retry_backoff_ms"]
        pace["retry_backoff_ms"] = 0
        try:
            return set(self._consumer.topics())
        finally:
            pace["retry_backoff_ms"] = usual

    def topic(self, name: str) -> tuple[str, int] | None:
        """Return id and partition count, from the metadata the consumer itself fetches by: there is no public call."""
        found, numbers = self._consumer._cluster.topic_id(name), self._consumer._cluster.partitions_for_topic(name)
        return None if found is None or not numbers else (str(found), len(numbers))

    def assigned(self) -> frozenset[Where]:
        """Return the partitions that are ours."""
        return frozenset(tuple(each) for each in self._consumer.assignment())

    def take_new(self) -> set[Where]:
        """Return the partitions given to us since the last call."""
        found = set(self._new)
        self._new -= found
        return found

    def bounds(self, wanted: Sequence[Where]) -> dict[Where, tuple[int, int]]:
        """Ask for the first offset and the one after the last."""
        asked = [self._partition(*where) for where in wanted]
        begins, ends = self._consumer.beginning_offsets(asked), self._consumer.end_offsets(asked)
        return {where: (begins[each], ends[each]) for where, each in zip(wanted, asked, strict=True)}

    def place(self, where: Where, offset: int) -> bool:
        """Read on from an offset, if the partition is still ours."""
        self._drop(where)
        self._placed[where] = offset
        try:
            self._consumer.seek(self._partition(*where), offset)
            self._consumer.resume(self._partition(*where))
        except self._gone:
            return False
        return True

    def hold(self, where: Where) -> None:
        """Keep a partition still."""
        self._drop(where)
        with suppress(*self._gone):
            self._consumer.pause(self._partition(*where))

    def _drop(self, where: Where) -> None:
        self._waiting = deque(each for each in self._waiting if each[0] != where)

    def poll(self, timeout_s: float, most: int) -> Mapping[Where, Sequence[Messages]]:
        """Return messages by partition; the broker is asked for more once all that came before is handed out."""
        if not self._waiting:
            found = self._consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=_EVERYTHING)
            self._waiting += ((tuple(where), record) for where, records in found.items() for record in records)
        taken: dict[Where, list[Opened | Messages]] = {}
        while self._waiting and most > 0:
            where, record = self._waiting.popleft()
            packed = isinstance(record.value, Packed)
            opened = open_batch(record.value, self._max_batch) if packed else Messages.of([record])
            taken.setdefault(where, []).append(opened)
            most -= len(opened.data if isinstance(opened, Opened) else record.value or b"")
        # a batch in which reading begins comes whole
        return {w: [one.within(self._placed[w], None) for one in read(batches)] for w, batches in taken.items()}

    def reached(self, where: Where) -> int | None:
        """Return the offset reading goes on at."""
        for waits, record in self._waiting:
            if waits == where:
                return int(record.value.first if isinstance(record.value, Packed) else record.offset)
        try:
            found: int | None = self._consumer.position(self._partition(*where))
        except self._gone:
            return None
        return found

    def end(self, where: Where) -> int | None:
        """Return the high watermark of the last fetch."""
        try:
            found: int | None = self._consumer.highwater(self._partition(*where))
        except self._gone:
            return None
        return found

    def show_lag(self, positions: Mapping[Where, int]) -> None:
        """Commit positions in the background."""
        from kafka.structs import OffsetAndMetadata

        offsets = {self._partition(*where): OffsetAndMetadata(at, "", -1) for where, at in positions.items()}
        self._consumer.commit_async(offsets, callback=_note_commit)

    def close(self) -> None:
        """Leave the group and disconnect; what is broken already may stay so."""
        with suppress(Exception):
            self._consumer.close(autocommit=False, timeout_ms=1000)


def _finish_joins(coordinator: Any) -> None:
    """Have a group's member see a join through that took longer than the poll in which it began.

    The library goes on with such a join as long as it says that one is needed. One that began because partitions were
    added is needed no more once they are shared out, which is before the member hears of its part: it then would never
    hear of it, send no heartbeats, and be put out of the group.
    """
    needed = coordinator.need_rejoin
    coordinator.need_rejoin = lambda: coordinator._join_task is not None or needed()


def _with_token(options: Mapping[str, Any]) -> dict[str, Any]:
    """Put what kafka-python wants in the place of `sasl_token_file`."""
    found = dict(options)
    if (file := found.pop("sasl_token_file", None)) is not None:
        from kafka.net.sasl.oauth import AbstractTokenProvider

        class Token(AbstractTokenProvider):  # type: ignore[misc]
            """Reads the token at every login: whoever keeps the file renews it."""

            def token(self) -> str:
                return read_token(file)

        found["sasl_oauth_token_provider"] = Token()
    return found


def read_token(file: str) -> str:
    """Return the OAuth token in a file. Raises OSError."""
    return Path(file).read_text("ascii").strip()


def _note_commit(_: Any, response: Any) -> None:
    if isinstance(response, Exception):
        log.debug("the lag could not be shown in Kafka: %s", response)
