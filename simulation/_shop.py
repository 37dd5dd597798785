"""The shop itself: brings load, life, queues, requests and scrapes together, second by second."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from simulation._faults import Fault
from simulation._fluid import Flow, Fluid
from simulation._life import Conditions, Life
from simulation._metrics import SCRAPE_S, Scraper
from simulation._requests import Requests
from simulation._topology import NAMES, SERVICES
from telemetry import UsageError

SAMPLED_RATE = 5.0
"""User requests a second, at base load, that leave log lines (a sample of the 240 that the metrics count)."""

_NOISE = np.array([service.noise for service in SERVICES])


@dataclass(frozen=True)
class Chunk:
    """What all services wrote with `start` <= event time < `end` (seconds since the beginning), in order of time."""

    start: int
    end: int
    logs: dict[str, list[str]]  # service -> lines; a record of several lines holds newlines
    metrics: list[str]
    spans: list[str]


class Shop:
    """A shop with a seed, a beginning (UTC) and faults. Same arguments, same output, whatever the chunk length.

    Raises UsageError if `start` has no time zone or is not on a full second.
    """

    def __init__(self, seed: int, start: datetime, faults: Sequence[Fault] = ()) -> None:
        if start.tzinfo is None or start.microsecond:
            raise UsageError(
                f"the start {start.isoformat()} is not a full second with a time zone, as 2026-01-05T00:00:00Z is"
            )
        self.start = start.astimezone(UTC)
        began_us = round(self.start.timestamp()) * 1_000_000
        self._life = Life(seed, faults)
        self._fluid = Fluid()
        self._requests = Requests(seed, began_us)
        self._scraper = Scraper(seed, began_us)
        self._rng = np.random.default_rng([seed, 1])
        self._wander = self._rng.standard_normal((2, len(SERVICES)))
        self._level = self._rng.standard_normal(3)
        self._began = began_us
        self.second = 0
        self.flow: Flow | None = None
        self._metrics: list[str] = []

    @property
    def tally(self) -> tuple[int, int, int]:
        """User requests sent, answered well and failed so far."""
        sent, well, failed = self._requests.tally
        return sent, well, failed

    def chunks(self, seconds: int, each: int = 5) -> Iterator[Chunk]:
        """Yield the next `seconds` of the shop in chunks of `each` seconds; may be called again to go on."""
        last = self.second + seconds
        while self.second < last:
            yield self.advance(min(each, last - self.second))

    def advance(self, seconds: int) -> Chunk:
        """Live this many seconds and return what was written in them."""
        start = self.second
        for _ in range(seconds):
            self._tick()
        return Chunk(start, self.second, *self._collect())

    def _tick(self) -> None:
        now = self._life.at(self.second)
        load = self._load() * self._drift(now)
        flow = self._fluid.step(now, load)
        count = int(self._rng.poisson(SAMPLED_RATE * load * now.load))
        self._requests.second(self.second, count, now, flow)
        self._scraper.second(now, flow)
        self.second += 1
        self.flow = flow
        if self.second % SCRAPE_S == 0:
            # the scrape of a second is stamped with the last moment of the interval it covers
            self._metrics += self._scraper.read(self.second - 1, now)

    def _load(self) -> float:
        """Daily shape by event time, relative to base: lowest at 4 in the morning, highest at 8 in the evening."""
        hour = (self._began / 3.6e9 + self.second / 3600) % 24
        return (
            0.80 + 0.25 * math.cos((hour - 19) / 24 * 2 * math.pi) + 0.07 * math.cos((hour - 12.5) / 12 * 2 * math.pi)
        )

    def _drift(self, now: Conditions) -> float:
        """Slow wander: changes service times and misses in place, returns the factor on the load."""
        rng = self._rng
        quick, slow = 1 - 1 / 40, 1 - 1 / 1500
        shock = rng.standard_normal((2, len(SERVICES)))
        self._wander[0] = quick * self._wander[0] + math.sqrt(1 - quick**2) * shock[0]
        self._wander[1] = slow * self._wander[1] + math.sqrt(1 - slow**2) * shock[1]
        now.slow *= np.exp(_NOISE * (0.05 * self._wander[0] + 0.05 * self._wander[1]))
        rates = np.array([1 / 60, 1 / 1200, 1 / 400])
        self._level = (1 - rates) * self._level + np.sqrt(1 - (1 - rates) ** 2) * rng.standard_normal(3)
        now.miss *= math.exp(0.12 * self._level[2])
        return math.exp(0.025 * self._level[0] + 0.05 * self._level[1] + 0.02 * rng.standard_normal())

    def _collect(self) -> tuple[dict[str, list[str]], list[str], list[str]]:
        """Take what was written before the present second, in order of time; the rest waits."""
        edge = self._began + self.second * 1_000_000
        output = self._requests.output
        logs = {}
        for number, lines in enumerate(output.lines):
            ready, output.lines[number] = _split(lines, edge)
            if ready:
                logs[NAMES[number]] = ready
        spans, output.spans = _split(output.spans, edge)
        metrics, self._metrics = self._metrics, []
        return logs, metrics, spans


def _split(records: list[tuple[int, int, str]], edge: int) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Part records at a time (us): texts before it in order, and the others."""
    records.sort()
    cut = next((number for number, record in enumerate(records) if record[0] >= edge), len(records))
    return [text for _, _, text in records[:cut]], records[cut:]
