"""Dead letters decoded once more, as a message of their own."""

import xxhash

from ingest._formats import LINES, format_of
from ingest._messages import Topic, batches
from ingest._received import Messages
from ingest._tables import MAX_RAW
from telemetry import Batch, Partition

_TOPIC = "kafka:"


def letter_id(app_id: str, offset: int, number: int) -> str:
    """Return the id (16 hex digits) of the `number`th dead letter of an input position."""
    return xxhash.xxh3_64_hexdigest(f"{app_id}\n{offset}\n{number}".encode())


def decode_again(
    raw: bytes, source: str, units: int, time_us: int, partition: Partition, position: int, now: float
) -> Batch | None:
    """Return what a dead letter of `source` gives now, as the batch [position, position + 1) of a partition.

    None if it is rejected again, or holds anything but exactly the `units` that were rejected: of a record only some
    points of which were rejected the others are stored already, and bytes that were cut or are no record of their own
    (the cell of a table, say) cannot be decoded. `time_us`: when it was rejected; `now`: seconds since the epoch.
    """
    topic = source.removeprefix(_TOPIC) if source.startswith(_TOPIC) else "logs"
    if len(raw) >= MAX_RAW or format_of(topic, raw) == LINES:
        return None
    described = Topic(partition, topic, lambda: now)
    messages = Messages.build([position], [time_us // 1000], [None], [None], [raw])
    [batch] = batches(described, messages, position)
    whole = len(batch.lines) + len(batch.metrics) + len(batch.spans) == batch.read == units
    return batch if whole and not len(batch.dead_letters) else None
