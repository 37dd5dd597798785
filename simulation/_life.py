"""What happens to the shop each second: ordinary life (deploys, batch jobs, blips, campaigns) and faults.

`Life.at(second)` returns `Conditions`, the physical state the queueing model and the requests then live in.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil

import numpy as np

from simulation._faults import Fault
from simulation._topology import EDGES, INDEX, NAMES, SERVICES, callers, neighbours

_APPS = tuple(service.name for service in SERVICES if not service.stateful and service.name != "gateway")
_COLLECTED = tuple(service.name for service in SERVICES if service.runtime in ("java", "node", "dotnet", "go"))
_DATABASES = ("user-db", "catalog-db", "orders-db")


@dataclass
class Conditions:
    """One second of the shop. Arrays are float64, one value a service (or an edge, where said); 0 or 1 is ordinary."""

    load: float = 1.0  # factor on arrivals
    miss: float = 1.0  # factor on the cache miss ratio
    slow: np.ndarray = field(default_factory=lambda: np.ones(len(NAMES)))  # factor on service times
    cpu: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # added utilisation
    refuse: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of connections refused
    lost: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of replicas away
    throws: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of requests failing in own code
    unwritable: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of writes failing
    leaked: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of free memory gone
    filled: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of free disk gone
    slow_share: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))  # share of slow queries
    slow_factor: np.ndarray = field(default_factory=lambda: np.ones(len(NAMES)))  # and how much longer they take
    refusals: np.ndarray = field(default_factory=lambda: np.ones(len(NAMES)))  # factor on business errors
    delay: np.ndarray = field(default_factory=lambda: np.zeros(len(EDGES)))  # per edge, seconds
    loss: np.ndarray = field(default_factory=lambda: np.zeros(len(EDGES)))  # per edge, share of packets
    restarts: list[tuple[int, int, str]] = field(default_factory=list)  # (service, how many, "deploy"|"crash"|"oom")


@dataclass(frozen=True)
class Happening:
    """Something ordinary: kind, service (if it is about one), start, length in seconds and size."""

    kind: str
    service: str
    start: float
    length: float
    size: float


class Life:
    """Ordinary happenings of a seed, hour by hour, and the faults on top."""

    def __init__(self, seed: int, faults: Sequence[Fault]) -> None:
        self._seed = seed
        self._faults = sorted(faults, key=lambda fault: fault.start)
        self._crashes = {fault: _crash_times(fault) for fault in faults if fault.kind == "crash_loop"}

    def at(self, second: int) -> Conditions:
        """Return the conditions of the second that begins `second` seconds after the beginning."""
        now = Conditions()
        for happening in _minute(self._seed, second // 60):
            if happening.start <= second < happening.start + happening.length:
                _ORDINARY[happening.kind](happening, second, now)
        for fault in self._faults:
            if fault.start <= second < fault.end:
                self._apply(fault, second, now)
        return now

    def _apply(self, fault: Fault, second: int, now: Conditions) -> None:
        if fault.kind == "crash_loop":
            _crash_loop(fault, self._crashes[fault], second, now)
        else:
            _FAULTY[fault.kind](fault, second, now)


@lru_cache(maxsize=8)
def _minute(seed: int, minute: int) -> tuple[Happening, ...]:
    """Those that touch a minute; none lasts longer than an hour."""
    start, end = minute * 60, minute * 60 + 60
    both = (*_happenings(seed, minute // 60 - 1), *_happenings(seed, minute // 60))
    return tuple(h for h in both if h.start < end and h.start + h.length > start)


@lru_cache(maxsize=8)
def _happenings(seed: int, hour: int) -> tuple[Happening, ...]:
    """Ordinary happenings that begin in an hour; rates as in a shop of this size on a working day."""
    rng = random.Random(f"life-{seed}-{hour}")
    if hour < 0:
        return ()

    def some(
        kind: str, services: Sequence[str], each: float, length: tuple[float, float], size: tuple[float, float]
    ) -> None:
        count = int(each) + (rng.random() < each % 1)
        for _ in range(count):
            start = hour * 3600 + rng.uniform(0, 3600)
            found.append(Happening(kind, rng.choice(services), start, rng.uniform(*length), rng.uniform(*size)))

    found: list[Happening] = []
    some("slow", NAMES, 30.0, (3, 12), (1.2, 2.0))
    some("slow", _COLLECTED, 70.0, (1, 2), (1.3, 2.4))  # garbage collection
    some("report", _DATABASES, 45.0, (4, 18), (0.01, 0.07))
    some("neighbour", NAMES, 1.5, (60, 300), (0.03, 0.12))
    some("deploy", _APPS, 0.5, (75, 100), (1.15, 1.5))
    some("jitter", NAMES, 1.5, (5, 20), (0.004, 0.04))
    some("campaign", ("gateway",), 0.3, (240, 900), (1.06, 1.15))
    some("bots", ("auth", "payment", "catalog", "search"), 0.6, (30, 150), (1.5, 3.0))
    some("flush", ("redis",), 0.25, (180, 180), (1.4, 2.2))
    some("crash", _APPS, 0.08, (10, 14), (1.0, 1.0))
    for name, minute in zip(_DATABASES, (12, 27, 41), strict=True):
        found.append(
            Happening("batch", name, hour * 3600 + minute * 60 + rng.uniform(0, 20), rng.uniform(60, 150), 0.1)
        )
    return tuple(found)


def _slow(h: Happening, second: int, now: Conditions) -> None:
    now.slow[INDEX[h.service]] *= h.size


def _neighbour(h: Happening, second: int, now: Conditions) -> None:
    now.cpu[INDEX[h.service]] += h.size
    now.slow[INDEX[h.service]] *= 1 + h.size


def _report(h: Happening, second: int, now: Conditions) -> None:
    """Somebody's heavy queries among the many small ones."""
    now.slow_share[INDEX[h.service]] = h.size
    now.slow_factor[INDEX[h.service]] = 12.0


def _batch(h: Happening, second: int, now: Conditions) -> None:
    now.cpu[INDEX[h.service]] += h.size
    now.slow[INDEX[h.service]] *= 1.2


def _deploy(h: Happening, second: int, now: Conditions) -> None:
    """Replicas roll one after another, each cold at first."""
    number = INDEX[h.service]
    step = h.length / SERVICES[number].replicas
    if (second - h.start) % step < 1:
        now.restarts.append((number, 1, "deploy"))
    cold = max(0.0, 1 - (second - h.start) % step / 15)
    now.slow[number] *= 1 + (h.size - 1) * cold
    now.cpu[number] += 0.08 * cold


def _jitter(h: Happening, second: int, now: Conditions) -> None:
    now.delay[list(callers(h.service))] += h.size


def _campaign(h: Happening, second: int, now: Conditions) -> None:
    elapsed = second - h.start
    now.load *= 1 + (h.size - 1) * min(1.0, elapsed / 90, (h.length - elapsed) / 90)


def _bots(h: Happening, second: int, now: Conditions) -> None:
    now.refusals[INDEX[h.service]] *= h.size


def _flush(h: Happening, second: int, now: Conditions) -> None:
    now.miss *= 1 + (h.size - 1) * float(np.exp(-(second - h.start) / 50))


def _crash(h: Happening, second: int, now: Conditions) -> None:
    """One replica dies and comes back; its share of connections is refused until the balancer notices."""
    number = INDEX[h.service]
    if second - h.start < 1:
        now.restarts.append((number, 1, "crash"))
    share = 1 / SERVICES[number].replicas
    now.lost[number] = max(now.lost[number], share)
    if second - h.start < 2:
        now.refuse[number] = max(now.refuse[number], share)


_ORDINARY = {
    "slow": _slow,
    "neighbour": _neighbour,
    "batch": _batch,
    "report": _report,
    "deploy": _deploy,
    "jitter": _jitter,
    "campaign": _campaign,
    "bots": _bots,
    "flush": _flush,
    "crash": _crash,
}


def _cpu_hog(fault: Fault, second: int, now: Conditions) -> None:
    number, ramp = _number(fault), fault.ramp(second)
    stretch = (fault.size("slowdown") - 1) * ramp
    now.slow[number] *= 1 + stretch
    now.slow[list(neighbours(fault.service or ""))] *= 1 + 0.4 * stretch
    now.cpu[number] += fault.size("cpu") * ramp


def _memory_leak(fault: Fault, second: int, now: Conditions) -> None:
    """The heap fills; collections stretch service times beyond half, and the kernel kills the process at the limit."""
    number = _number(fault)
    eaten = fault.size("per_minute") * max(0.0, second - fault.start) / 60
    step = fault.size("per_minute") / 60
    if eaten % 1 < step and eaten >= 1:
        now.restarts.append((number, SERVICES[number].replicas, "oom"))
    level = eaten % 1
    now.leaked[number] = level
    now.slow[number] *= 1 + 1.2 * max(0.0, 2 * level - 0.8) ** 2
    now.cpu[number] += 0.12 * max(0.0, 2 * level - 0.8) ** 2
    if eaten >= 1 and level < 12 * step:
        now.lost[number] = now.refuse[number] = 0.6


def _network_delay(fault: Fault, second: int, now: Conditions) -> None:
    now.delay[list(callers(fault.service or ""))] += fault.size("delay_ms") / 1000 * fault.ramp(second)


def _packet_loss(fault: Fault, second: int, now: Conditions) -> None:
    now.loss[list(callers(fault.service or ""))] += fault.size("loss") * fault.ramp(second)


def _disk_full(fault: Fault, second: int, now: Conditions) -> None:
    """Space runs out over the ramp; writes fail once nothing is left."""
    number, ramp = _number(fault), fault.ramp(second)
    now.filled[number] = ramp
    if ramp >= 1:
        now.unwritable[number] = fault.size("writes_failing")
        now.slow[number] *= 1.1


def _code_exception(fault: Fault, second: int, now: Conditions) -> None:
    """A release rolls out over 30 s; the new replicas throw on some requests."""
    number, elapsed = _number(fault), second - fault.start
    replicas = SERVICES[number].replicas
    step = 30 / replicas
    if elapsed < 30 and elapsed % step < 1:
        now.restarts.append((number, 1, "deploy"))
    now.throws[number] += fault.size("share") * min(1.0, (elapsed + step) / 30)
    now.slow[number] *= 1 + 0.25 * max(0.0, 1 - elapsed / 45)


def _dependency_down(fault: Fault, second: int, now: Conditions) -> None:
    number = _number(fault)
    now.refuse[number] = max(now.refuse[number], fault.size("refused"))


def _slow_query(fault: Fault, second: int, now: Conditions) -> None:
    number = _number(fault)
    now.slow_share[number] = max(now.slow_share[number], fault.size("share") * fault.ramp(second))
    now.slow_factor[number] = fault.size("factor")
    now.cpu[number] += 0.05 * fault.ramp(second)


def _traffic_surge(fault: Fault, second: int, now: Conditions) -> None:
    now.load *= 1 + (fault.size("factor") - 1) * fault.ramp(second)


_FAULTY = {
    "cpu_hog": _cpu_hog,
    "memory_leak": _memory_leak,
    "network_delay": _network_delay,
    "packet_loss": _packet_loss,
    "disk_full": _disk_full,
    "code_exception": _code_exception,
    "dependency_down": _dependency_down,
    "slow_query": _slow_query,
    "traffic_surge": _traffic_surge,
}


def _number(fault: Fault) -> int:
    return INDEX[fault.service or ""]


def _crash_times(fault: Fault) -> list[tuple[float, float]]:
    """(death, back again) of a crash loop: it runs for a while, dies, and the wait before the next start grows."""
    rng = random.Random(f"crash-{fault.start}-{fault.service}")
    times, at, wait = [], fault.start, 9.0
    while at < fault.end:
        times.append((at, at + wait))
        at += wait + rng.uniform(15, 30)
        wait = min(wait * 1.5, 25.0)
    return times


def _crash_loop(fault: Fault, times: list[tuple[float, float]], second: int, now: Conditions) -> None:
    """While replicas are away the balancer learns to avoid them, unless none is left."""
    number, share = _number(fault), fault.size("replicas")
    for death, back in times:
        if not death <= second < back:
            continue
        if second - death < 1:
            now.restarts.append((number, ceil(share * SERVICES[number].replicas), "crash"))
        now.lost[number] = max(now.lost[number], share)
        noticed = second - death > 4 and share < 1
        now.refuse[number] = max(now.refuse[number], share * (0.15 if noticed else 1.0))
