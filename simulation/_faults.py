"""What can go wrong, how badly, where, and when. Frozen: detectors are tuned against this table, never the reverse.

A fault is a physical change (less capacity, a slower network, code that throws); what the telemetry shows of it follows
from the queueing model and the single requests. Schedules depend on the seed alone: a run cut short or replayed
at another speed sees the same faults at the same offsets.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulation._topology import NAMES
from telemetry import UsageError

LEVELS = ("low", "medium", "high")

SEVERITIES: dict[str, dict[str, tuple[float, float, float]]] = {
    # a runaway thread: service times stretch, here fully and by a share at the neighbours on the machine
    "cpu_hog": {"slowdown": (1.35, 2.0, 3.0), "cpu": (0.04, 0.08, 0.13)},
    # share of the free memory eaten per minute; collection pressure follows, and death at the limit
    "memory_leak": {"per_minute": (0.05, 0.15, 0.32)},
    "network_delay": {"delay_ms": (15.0, 50.0, 150.0)},
    "packet_loss": {"loss": (0.01, 0.04, 0.10)},
    # share of writes that find no space once the disk is full
    "disk_full": {"writes_failing": (0.06, 0.25, 0.7)},
    # share of replicas that keep dying
    "crash_loop": {"replicas": (0.25, 0.5, 1.0)},
    "code_exception": {"share": (0.04, 0.12, 0.35)},
    # share of connections refused
    "dependency_down": {"refused": (0.05, 0.3, 1.0)},
    # share of queries that lost their plan, and how much longer these take
    "slow_query": {"share": (0.03, 0.07, 0.14), "factor": (10.0, 14.0, 22.0)},
    "traffic_surge": {"factor": (1.3, 1.55, 1.9)},
}
KINDS = tuple(SEVERITIES)
PAIRS = tuple((kind, severity) for kind in KINDS for severity in LEVELS)

_APPS = ("auth", "cart", "catalog", "search", "checkout", "payment", "orders", "inventory", "fulfillment", "shipping")
_CALLED = tuple(name for name in _APPS if name != "fulfillment")  # nobody calls the consumer
_DATABASES = ("user-db", "catalog-db", "orders-db")
ELIGIBLE: dict[str, tuple[str, ...]] = {
    "cpu_hog": (*_APPS, *_DATABASES),
    "memory_leak": (*_APPS, "frontend", "notification"),
    "network_delay": (*_CALLED, *_DATABASES, "redis"),
    "packet_loss": (*_CALLED, *_DATABASES, "redis"),
    "disk_full": ("catalog-db", "orders-db", "rabbitmq"),
    "crash_loop": (*_APPS, "notification"),
    "code_exception": (*_APPS, "frontend"),
    "dependency_down": (*_DATABASES, "redis", "rabbitmq", "payment", "shipping", "inventory"),
    "slow_query": _DATABASES,
}
SIGNALS = {
    "cpu_hog": "cpu_utilization",
    "memory_leak": "memory_bytes",
    "network_delay": "latency",
    "packet_loss": "latency",
    "disk_full": "disk_usage",
    "crash_loop": "restarts",
    "code_exception": "error_rate",
    "dependency_down": "request_rate",
    "slow_query": "latency",
    "traffic_surge": "request_rate",
}
RAMPS_S = {"cpu_hog": 15.0, "memory_leak": 0.0, "disk_full": 30.0, "slow_query": 20.0, "traffic_surge": 30.0}
"""Seconds over which a fault grows to its full size; the others are there at once."""

_PLAIN = (("code_exception", "high"), ("crash_loop", "high"), ("dependency_down", "high"))
_QUICK = ("cpu_hog", "network_delay", "packet_loss", "crash_loop", "code_exception", "dependency_down", "slow_query")


@dataclass(frozen=True)
class Fault:
    """One fault; `start` and `end` are seconds since the simulation began; `service` is None for a surge."""

    kind: str
    severity: str
    service: str | None
    start: float
    end: float

    def size(self, parameter: str) -> float:
        """Return a parameter of the frozen table for this kind and severity."""
        return SEVERITIES[self.kind][parameter][LEVELS.index(self.severity)]

    def ramp(self, at: float) -> float:
        """Return how far the fault has grown at a time (seconds since the beginning): 0 outside, up to 1 inside."""
        if not self.start <= at < self.end:
            return 0.0
        length = RAMPS_S.get(self.kind, 0.0)
        return min(1.0, (at - self.start) / length) if length else 1.0

    def truth(self, began: datetime) -> dict[str, Any]:
        """Return the entry of the truth file; times are ISO 8601 in UTC."""
        return {
            "service": self.service,
            "kind": self.kind,
            "severity": self.severity,
            "signal": SIGNALS[self.kind],
            "start": (began + timedelta(seconds=self.start)).isoformat().replace("+00:00", "Z"),
            "end": (began + timedelta(seconds=self.end)).isoformat().replace("+00:00", "Z"),
        }


def make_fault(kind: str, severity: str, service: str | None, start: float, duration: float = 240.0) -> Fault:
    """Return a checked fault. Raises UsageError if kind, severity or service do not exist or do not fit."""
    if kind not in SEVERITIES:
        raise UsageError(f"unknown fault kind {kind!r}: one of {', '.join(KINDS)}")
    if severity not in LEVELS:
        raise UsageError(f"unknown severity {severity!r}: one of {', '.join(LEVELS)}")
    if kind == "traffic_surge":
        return Fault(kind, severity, None, start, start + duration)
    if service not in NAMES:
        raise UsageError(f"unknown service {service!r}: one of {', '.join(NAMES)}")
    if service not in ELIGIBLE[kind]:
        raise UsageError(f"{kind} cannot happen to {service}: possible for {', '.join(ELIGIBLE[kind])}")
    return Fault(kind, severity, service, start, start + duration)


def parse_fault(text: str, severity: str = "medium", start: float = 300.0, duration: float = 240.0) -> Fault:
    """Return the fault written as KIND@SERVICE (or `traffic_surge`). Raises UsageError if it is not one."""
    kind, _, service = text.partition("@")
    return make_fault(kind, severity, service or None, start, duration)


def schedule(seed: int) -> list[Fault]:
    """Return a seed's faults for an open-ended run: all 30 (kind, severity) pairs, after 30 min of quiet."""
    rng = random.Random(f"schedule-{seed}")
    pairs = list(PAIRS)
    rng.shuffle(pairs)
    return list(_place(rng, pairs, 1800.0, (720.0, 1080.0)))


def report_schedule(seed: int) -> list[Fault]:
    """Return 15 faults after 105-120 min of quiet; an odd seed and the even one after it share the 30 pairs."""
    pairs = list(PAIRS)
    random.Random(f"report-pairs-{(seed + 1) // 2}").shuffle(pairs)
    half = pairs[:15] if seed % 2 else pairs[15:]
    rng = random.Random(f"report-{seed}")
    return list(_place(rng, half, rng.uniform(6300.0, 7200.0), (660.0, 840.0)))


def report_seconds(seed: int) -> float:
    """Return how long a run of `report_schedule` takes, recovery after the last fault included."""
    return float(round(report_schedule(seed)[-1].end + 300.0))


def demo_schedule(seed: int, live_after: float = 7200.0, count: int = 20) -> list[Fault]:
    """Return a fault that shows within a minute, 5-15 s after `live_after`, then less plain ones about every 6 min."""
    rng = random.Random(f"demo-{seed}")
    pairs = [(kind, severity) for kind in _QUICK for severity in LEVELS[1:]]
    order = [pair for _ in range(-(-count // len(pairs))) for pair in rng.sample(pairs, len(pairs))]
    order[0] = rng.choice(_PLAIN)
    return list(_place(rng, order[:count], live_after + rng.uniform(5.0, 15.0), (350.0, 380.0), (180.0, 200.0)))


def _place(
    rng: random.Random,
    pairs: list[tuple[str, str]],
    start: float,
    gap: tuple[float, float],
    length: tuple[float, float] = (180.0, 360.0),
) -> Iterator[Fault]:
    for kind, severity in pairs:
        service = rng.choice(ELIGIBLE[kind]) if kind in ELIGIBLE else None
        begin = round(start, 1)
        yield Fault(kind, severity, service, begin, round(begin + rng.uniform(*length), 1))
        start += rng.uniform(*gap)
