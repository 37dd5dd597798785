"""What every source is to the pipeline."""

from collections.abc import Mapping
from typing import Protocol

from telemetry import Batch, Partition


class Source(Protocol):
    """An input: a set of ordered partitions, read in batches from positions the store keeps.

    `seek` is called when `partitions()` has changed: after opening, a Kafka rebalance, or a new file. A partition is
    not read before its first `seek`.
    """

    @property
    def name(self) -> str:
        """What people call it: `files`, `stdin`, `kafka`."""

    @property
    def finished(self) -> bool:
        """Whether a bounded input has been read and handed out to its end."""

    @property
    def drained(self) -> frozenset[str]:
        """App ids of the partitions that had nothing more to read at the last `poll`."""

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """What was left out and why: (path or topic, reason)."""

    @property
    def known(self) -> frozenset[str]:
        """App ids of all partitions of the input: those assigned here and, where workers share it, those of others."""

    @property
    def ends(self) -> Mapping[str, int]:
        """Where the partitions assigned here ended when last looked at, by app id; only those where that is known."""

    def partitions(self) -> list[Partition]:
        """Return the partitions assigned now."""

    def seek(self, positions: Mapping[str, int]) -> None:
        """Continue at these positions (app id -> next position).

        A partition that is not named continues where it is; one never sought before starts at its beginning. Raises
        PositionLost if the input no longer holds a position.
        """

    def poll(self, timeout_s: float, watermarks: Mapping[str, int | None]) -> list[Batch]:
        """Return the next batches, waiting up to `timeout_s` for the first.

        `watermarks` are event times (us) by app id: where several partitions have data, the one behind goes first.
        """

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """Take note that the store has everything below these positions for good, and will not ask for it again."""

    def close(self) -> None:
        """Let go of files and connections."""


class OnePartition:
    """What sources of a single partition have in common; they say in `_drained` whether a poll found nothing."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._drained = False

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Nothing is ever left out."""
        return []

    @property
    def drained(self) -> frozenset[str]:
        """The one partition, if nothing was waiting at the last poll."""
        return self.known if self._drained else frozenset()

    @property
    def known(self) -> frozenset[str]:
        """The one partition."""
        return frozenset([self._partition.app_id])

    @property
    def ends(self) -> Mapping[str, int]:
        """Nobody knows."""
        return {}

    def partitions(self) -> list[Partition]:
        """Return the one partition."""
        return [self._partition]
