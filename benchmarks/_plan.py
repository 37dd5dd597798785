"""What a run is asked to do, and the pieces of work it falls into."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks._figures import Figure
from telemetry import FaultlineError


class MethodFailed(FaultlineError):
    """A method raised an error on a case: the run ends, for a case left out would flatter the method."""


@dataclass(frozen=True)
class Plan:
    """Settings of a run. `lines`: size of the corpora of the throughput task; `bootstrap`: a Kafka broker or None."""

    data: Path
    seed: int = 0
    bootstrap: str | None = None
    lines: int = 1_600_000


@dataclass(frozen=True)
class Unit:
    """One piece of work: small enough to run beside others and to be kept. `alone`: it measures time or memory."""

    task: str
    dataset: str
    case: str
    method: str
    setting: str = ""
    alone: bool = False

    @property
    def label(self) -> str:
        """Name it for people."""
        return " ".join(part for part in (self.task, self.dataset, self.case, self.method, self.setting) if part)


Measured = Sequence[tuple[Unit, Any]]
"""Units with what `measure` returned for them, by way of JSON."""


class Task(Protocol):
    """A task is a module with these functions.

    `units` lists the work and so reads all data once: faulty data ends the run before it begins. `measure` does one
    piece in any process and returns what JSON can hold. `figures` makes the report's figures of all of them.
    """

    FOLDERS: tuple[str, ...]
    """Folders below the data folder that it reads."""

    def units(self, plan: Plan) -> list[Unit]:
        """List the work. Raises DataError."""

    def measure(self, unit: Unit, plan: Plan) -> Any:
        """Do one piece of work."""

    def figures(self, found: Measured, plan: Plan) -> list[Figure]:
        """Return the figures."""

    def methods(self) -> dict[str, str]:
        """Return what each method does, in words: formula, window, settings."""
