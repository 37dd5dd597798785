"""The dead-letter topic: a copy of every dead letter, for those who watch Kafka rather than the tables."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa

from telemetry import SourceError

_CONNECT_MS = 10_000
_DELIVERY_MS = 30_000


class DeadLetterTopic:
    """Writes dead letters to a topic. Raises SourceError if no broker answers.

    The value of a message is the raw bytes, its key the letter's id; headers say source, partition, offset, reason,
    detail and units. `options` go to kafka-python as they are (security).
    """

    def __init__(self, bootstrap: tuple[str, ...], topic: str, options: Mapping[str, Any] | None = None) -> None:
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        self._topic, self._where = topic, f"the dead-letter topic {topic} at {', '.join(bootstrap)}"
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=list(bootstrap),
                bootstrap_timeout_ms=_CONNECT_MS,
                delivery_timeout_ms=_DELIVERY_MS,
                request_timeout_ms=_CONNECT_MS,
                max_block_ms=_DELIVERY_MS,
                acks="all",
                **(options or {}),
            )
        except (KafkaError, OSError) as error:
            raise self._failed(error) from None

    def send(self, letters: pa.Table) -> None:
        """Return once the broker has all letters (DEAD_LETTERS rows). Raises SourceError, after 30 s at most."""
        from kafka.errors import KafkaError

        try:
            sent = [
                self._producer.send(
                    self._topic, letter["raw"], key=(letter["id"] or "").encode(), headers=_headers(letter)
                )
                for letter in letters.to_pylist()
            ]
            for future in sent:
                future.get(timeout=_DELIVERY_MS / 1000)
        except (KafkaError, OSError) as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Disconnect; what `send` returned for is with the broker."""
        with suppress(Exception):  # nothing is left to send
            self._producer.close(timeout=1)

    def _failed(self, error: Exception) -> SourceError:
        found = (str(error) or type(error).__name__).splitlines()[0]
        return SourceError(f"cannot write to {self._where}: {found}; want a running broker and that topic")


def _headers(letter: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    names = ("source", "partition", "offset", "reason", "detail", "units")
    return [(name, str(letter[name]).encode("utf-8", "replace")) for name in names]
