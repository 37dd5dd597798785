"""Scores of a run whose true faults are known: detected, how fast, and was the right service blamed.

Definitions, for n faults of one kind and severity:
detected: an incident opened between the fault's start and its end + 60 s; the first such incident is the fault's.
AC@k: the true service is among the first k suspects of the fault's incident (its last ranking); undetected is wrong.
For a traffic surge, which is nobody's fault, right means that no service was called root cause.
Intervals are 95 %: Wilson's for shares, exact Poisson for rates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

GRACE_S = 60.0


@dataclass(frozen=True)
class Blamed:
    """An incident as it stood at the end: times in seconds since the epoch, suspects in rank order."""

    id: str
    opened: float
    services: tuple[str, ...]
    suspects: tuple[str, ...]
    root_cause: str | None  # the service called root cause, if the verdict named one


@dataclass(frozen=True)
class Outcome:
    """What became of one fault. `rank` is that of the true service, 1-based; None: not ranked or not detected."""

    kind: str
    severity: str
    service: str | None
    detected: bool
    delay_s: float | None
    rank: int | None
    right: bool  # AC@1, or for a fault without a service: nobody was called root cause

    def within(self, k: int) -> bool:
        """Whether the outcome counts for AC@k."""
        return self.right if self.service is None else self.rank is not None and self.rank <= k


def judge(fault: dict[str, Any], start: float, end: float, incidents: Sequence[Blamed]) -> Outcome:
    """Return the outcome of one fault, an entry of the truth file, that was there from `start` to `end`."""
    mine = [incident for incident in incidents if start <= incident.opened <= end + GRACE_S]
    first = min(mine, key=lambda incident: incident.opened, default=None)
    service = fault["service"]
    rank = None
    if first and service in first.suspects:
        rank = first.suspects.index(service) + 1
    right = all(incident.root_cause is None for incident in mine) if service is None else rank == 1
    delay = first.opened - start if first else None
    return Outcome(fault["kind"], fault["severity"], service, first is not None, delay, rank, right)


def summarise(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Return one row a kind and severity, one a severity over the faults with a service, and one over all of these."""
    every = list(outcomes)
    real = [outcome for outcome in every if outcome.service is not None]
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in sorted(every, key=lambda o: (o.kind, _order(o.severity))):
        groups.setdefault((outcome.kind, outcome.severity), []).append(outcome)
    for severity in sorted({outcome.severity for outcome in real}, key=_order):
        groups["all faults", severity] = [outcome for outcome in real if outcome.severity == severity]
    groups["all faults", "medium and high"] = [o for o in real if o.severity != "low"]
    groups["all faults", "all"] = real
    return [{"kind": kind, "severity": severity, **_row(group)} for (kind, severity), group in groups.items()]


def _order(severity: str) -> int:
    return ("low", "medium", "high").index(severity)


def _row(group: list[Outcome]) -> dict[str, Any]:
    delays = sorted(outcome.delay_s for outcome in group if outcome.delay_s is not None)
    return {
        "n": len(group),
        "detected": share(sum(outcome.detected for outcome in group), len(group)),
        "delay_s": delays[len(delays) // 2] if delays else None,
        "ac1": share(sum(outcome.within(1) for outcome in group), len(group)),
        "ac3": share(sum(outcome.within(3) for outcome in group), len(group)),
    }


def share(hits: int, n: int) -> dict[str, float | int | None]:
    """Return hits / n with Wilson's 95 % interval."""
    if not n:
        return {"value": None, "low": None, "high": None, "n": 0}
    z = 1.959963984540054
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return {"value": p, "low": max(0.0, middle - half), "high": min(1.0, middle + half), "n": n}


def rate(events: int, hours: float, per_hours: float = 24.0) -> dict[str, float | int]:
    """Return events per `per_hours` with the exact Poisson 95 % interval."""
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
    high = chi2.ppf(0.975, 2 * events + 2) / 2
    scale = per_hours / hours
    interval = {"low": float(low * scale), "high": float(high * scale)}
    return {"value": events * scale, **interval, "n": events, "hours": hours}
