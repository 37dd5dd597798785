"""What can be set, with the values the figures in the documentation were measured at."""

from dataclasses import dataclass

from telemetry import SettingsError


@dataclass(frozen=True)
class DetectorSettings:
    """Limits and thresholds of the live detector. Scores are decades of improbability; times are in seconds."""

    max_series: int = 200_000
    """Metric series, and log templates, that are followed; those beyond are counted, not scored."""
    alone: float = 8.0
    """Sudden evidence a signal needs to be reported by itself."""
    corroborated: float = 3.5
    """Sudden evidence a signal needs in a service with enough evidence."""
    lasting: float = 2.5
    """Lasting evidence a signal needs in a service with enough evidence."""
    service: float = 2.5
    """Evidence of all signals of a service together at which the service stands out."""
    pattern: bool = True
    """Whether the k-nearest-neighbour detector on windows of service features runs."""
    pattern_refit_s: int = 3600
    """Event time between two refits of it, at whole multiples of this."""

    def __post_init__(self) -> None:
        _positive(self, "max_series", "alone", "corroborated", "lasting", "service", "pattern_refit_s")


@dataclass(frozen=True)
class IncidentSettings:
    """When anomalies make an incident, and when one ends. Times are in seconds of event time."""

    watch_evidence: float = 3.0
    """Evidence of one service at which a disturbance is watched, which means that its suspects are ranked."""
    give_up_s: int = 240
    """A disturbance watched for so long without becoming an incident starts anew: what comes later is another one."""
    spread_s: int = 240
    """How long after it opened an incident takes in neighbours and keeps its services for itself."""
    watch_every_s: tuple[int, ...] = (60, 30)
    """A watched disturbance is ranked in every window up to the first age, and this many seconds apart from then on."""
    confirm: tuple[tuple[int, float], ...] = ((0, 2.8), (20, 2.2), (40, 1.9), (60, 1.7), (100, 1.35))
    """(age in seconds, score of the first suspect) at which a watched disturbance becomes an incident.

    A ranking pools all evidence since the onset: that of a passing disturbance fades while that of a fault grows, so
    what lasts may be weaker. Between two ages the bar falls in a straight line; the last one holds on. Ages are for
    telemetry every 10 s or more often; where points are further apart, they stretch in proportion.
    """
    standout: float = 2.0
    """How many times the usual score the first suspect of a new incident must have. Usual is the median of what the
    same ranking says of earlier periods: with many services and few points, somebody always looks suspicious."""
    join_evidence: float = 2.5
    """Evidence of a service at which it belongs to the incident of a neighbour."""
    lookback_s: int = 60
    """How long an anomaly counts as present evidence."""
    join_within_s: int = 30
    """How long after its last anomaly an incident still takes in neighbours."""
    quiet_s: int = 90
    """An incident resolves after this long without an anomaly in its services."""
    rank_after_s: tuple[int, ...] = (0, 20, 60, 120, 240)
    """Ages of an incident at which its suspects are ranked (again)."""
    max_open: int = 100
    """Incidents open at a time; evidence beyond waits until one resolves."""

    def __post_init__(self) -> None:
        _positive(
            self,
            "watch_evidence",
            "standout",
            "join_evidence",
            "lookback_s",
            "join_within_s",
            "spread_s",
            "give_up_s",
            "quiet_s",
            "max_open",
        )


def _positive(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not value > 0:
            raise SettingsError(f"detection setting {name} is {value!r}; want a number above 0")
