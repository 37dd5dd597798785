"""Incidents: anomalies grouped by time and call graph; open, join, update, resolve.

A service's evidence is the score of its newest "combined" anomaly. One with enough is watched, with all services
connected to it in the call graph that stand out too; neighbours that follow join. A watched disturbance is ranked again
and again, and becomes an incident once its first suspect is suspicious enough for its age; else it goes unseen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from detection._combined import COMBINED
from detection._settings import IncidentSettings
from detection._state import pack, unpack
from telemetry import ANOMALIES, INCIDENT_EVENTS, INCIDENTS, CorruptState

FORMAT_VERSION = 1

_COMBINED_KEY = ("", "")  # of the sign whose score is the evidence of the whole service
_SIGN_COLUMNS = ("service", "kind", "signal", "detector", "score", "window_s")
_SECOND = 1_000_000
_WATCHED = "watched"  # status of a disturbance that is no incident yet; never stored in a table
_USER_FACING = ("errors", "error_logs", "error_origins")

Calls = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class IncidentUpdate:
    """What one window changed: tables for the store, and ids whose suspects are due for (re)ranking."""

    anomalies: pa.Table  # ANOMALIES with incident_id
    incidents: pa.Table  # INCIDENTS, one row a changed incident
    events: pa.Table  # INCIDENT_EVENTS
    rank: list[str]


@dataclass(frozen=True)
class Outcome:
    """What a ranking found: the first suspect and its score, the verdict, and the whole in one sentence."""

    suspect: str | None
    score: float
    verdict: str
    confidence: float
    detail: str
    step_s: float = 10.0  # time between two points of the telemetry it was found in
    usual: float = 0.0  # score of first suspects in this telemetry when nothing is known to be wrong


@dataclass
class _Sign:
    """The newest anomaly of one signal."""

    score: float
    first: int
    last: int


@dataclass
class _Incident:
    """One incident that has not resolved."""

    id: str
    opened: int
    updated: int
    onset: int
    status: str
    severity: str
    services: list[str]
    title: str
    last_evidence: int
    evidence: str = ""  # why it is watched, in words
    suspect: str | None = None  # first of the last ranking
    ranked_at: int = 0  # when a ranking was last asked for, while watched
    ranked: int = 0  # how many of the due rankings were asked for
    held_until: int = 0  # until when its services are not watched anew, because that has just led back to it
    verdict: str | None = None
    confidence: float | None = None
    seq: int = 0
    event_seq: int = 0

    def row(self) -> dict[str, Any]:
        """Return the INCIDENTS row of the present state, with the next sequence number."""
        self.seq += 1
        values = asdict(self)
        values["services"] = sorted(self.services)
        return {name: values[name] for name in INCIDENTS.names}


@dataclass
class _Changes:
    """Rows collected during one update."""

    touched: dict[str, _Incident] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    rank: list[str] = field(default_factory=list)

    def event(self, incident: _Incident, time: int, kind: str, detail: str, actor: str = "faultline") -> None:
        """Record an event and that the incident changed; of what is only watched nothing is recorded."""
        if incident.status == _WATCHED:
            return
        incident.event_seq += 1
        incident.updated = time
        self.touched[incident.id] = incident
        row = {"incident_id": incident.id, "time": time, "seq": incident.event_seq}
        self.events.append({**row, "kind": kind, "actor": actor, "detail": detail})

    def tables(self, anomalies: pa.Table) -> IncidentUpdate:
        """Return the update."""
        rows = [self.touched[key].row() for key in sorted(self.touched)]
        incidents = pa.Table.from_pylist(rows, schema=INCIDENTS)
        events = pa.Table.from_pylist(self.events, schema=INCIDENT_EVENTS)
        return IncidentUpdate(anomalies, incidents, events, sorted(set(self.rank)))


class IncidentBook:
    """All unresolved incidents, watched disturbances, and the recent anomalies that may become one."""

    def __init__(self, settings: IncidentSettings | None = None) -> None:
        self.settings = settings or IncidentSettings()
        self._signs: dict[str, dict[tuple[str, str], _Sign]] = {}
        self._open: dict[str, _Incident] = {}

    def update(self, end_us: int, anomalies: pa.Table, calls: Calls) -> IncidentUpdate:
        """Take the anomalies of the window that ends at `end_us`; `calls` is the call graph known by then.

        Without any calls, services are grouped by time alone. Call it for every window, with anomalies or without:
        incidents resolve by the passing of event time.
        """
        changes = _Changes()
        self._remember(end_us, anomalies)
        weights = {service: _evidence(signs) for service, signs in self._signs.items()}
        graph = _Graph(calls)
        self._extend(end_us, anomalies, weights, graph, changes)
        self._watch_new(end_us, weights, graph, changes)
        self._resolve(end_us, changes)
        self._due(end_us, changes)
        return changes.tables(self._tag(anomalies))

    def diagnosed(self, incident_id: str, time_us: int, outcome: Outcome) -> IncidentUpdate:
        """Record the outcome of a ranking; it may make an incident of a watched disturbance, or join it to another.

        An incident resolved meanwhile is left alone.
        """
        changes = _Changes()
        incident = self._open.get(incident_id)
        if incident is None:
            return changes.tables(ANOMALIES.empty_table())
        enough = outcome.score >= self.settings.standout * outcome.usual
        if enough and self.promising(incident_id, time_us, outcome):
            incident = self._confirm(incident, outcome, time_us, changes)
        incident.verdict, incident.confidence, incident.suspect = outcome.verdict, outcome.confidence, outcome.suspect
        incident.title = _title(incident)
        changes.event(incident, time_us, "rank", outcome.detail)
        return changes.tables(ANOMALIES.empty_table())

    def promising(self, incident_id: str, time_us: int, outcome: Outcome) -> bool:
        """Whether this outcome would make an incident of a watched disturbance, were it not for what is usual."""
        incident = self._open.get(incident_id)
        if incident is None or incident.status != _WATCHED:
            return False
        return outcome.score >= self._bar(incident, time_us, outcome.step_s)

    def _bar(self, incident: _Incident, time_us: int, step_s: float) -> float:
        ages, scores = zip(*self.settings.confirm, strict=True)
        return float(np.interp((time_us - incident.opened) / _SECOND / max(1.0, step_s / 10.0), ages, scores))

    def _confirm(self, watched: _Incident, outcome: Outcome, time_us: int, changes: _Changes) -> _Incident:
        """Open an incident, or let an open one with the same first suspect take the services over."""
        for host in self._open.values():
            if host.status != _WATCHED and host.suspect == outcome.suspect:
                del self._open[watched.id]
                new = sorted(set(watched.services) - set(host.services))
                host.services += new
                host.last_evidence = max(host.last_evidence, watched.last_evidence)
                host.held_until = time_us + self.settings.watch_every_s[0] * _SECOND
                if not new:
                    return host
                changes.event(host, time_us, "join", f"{', '.join(watched.services)}: same suspect {outcome.suspect}")
                return host
        watched.status, watched.opened = "open", time_us
        why = f"first suspect {outcome.suspect} scores {outcome.score:.1f}; {watched.evidence}"
        changes.event(watched, time_us, "open", why)
        self._judge(watched, time_us, changes)
        return watched

    @property
    def open(self) -> list[str]:
        """Ids of the incidents that have not resolved, oldest first; what is only watched is not among them."""
        return [incident.id for incident in self._open.values() if incident.status != _WATCHED]

    def __contains__(self, incident_id: object) -> bool:
        return incident_id in self._open

    def services(self, incident_id: str) -> list[str]:
        """Return the services of an unresolved incident, in order of joining. Raises KeyError."""
        return list(self._open[incident_id].services)

    def onset(self, incident_id: str) -> int:
        """Return when an unresolved incident is estimated to have begun (microseconds). Raises KeyError."""
        return self._open[incident_id].onset

    def _remember(self, end_us: int, anomalies: pa.Table) -> None:
        horizon = end_us - self.settings.lookback_s * _SECOND
        columns = (anomalies.column(name).to_pylist() for name in _SIGN_COLUMNS)
        for service, kind, signal, detector, score, window_s in zip(*columns, strict=True):
            signs = self._signs.setdefault(service, {})
            begun = end_us - window_s * _SECOND
            key = _COMBINED_KEY if detector == COMBINED else (kind, signal)
            known = signs.get(key)
            first = begun if known is None or known.last < horizon else known.first
            signs[key] = _Sign(score, first, end_us)
        for service in list(self._signs):
            recent = {key: sign for key, sign in self._signs[service].items() if sign.last > horizon}
            if recent:
                self._signs[service] = recent
            else:
                del self._signs[service]

    def _extend(
        self, end_us: int, anomalies: pa.Table, weights: Mapping[str, float], graph: "_Graph", changes: _Changes
    ) -> None:
        """Keep incidents alive whose services are still anomalous, and let anomalous neighbours join."""
        present = set(pc.unique(anomalies["service"]).to_pylist())
        taken = self._held(end_us)
        for service in sorted(present - taken, key=lambda s: (-weights[s], s)):
            if weights[service] < self.settings.join_evidence:
                continue
            hosts = [i for i in self._open.values() if self._spreads(i, end_us) and graph.near(service, i.services)]
            if hosts:
                self._join(hosts[0], service, weights[service], end_us, changes)
        strong = {service for service in present if weights[service] >= self.settings.watch_evidence}
        newest = self._members()
        for incident in self._open.values():
            if any(newest[service] == incident.id for service in strong & set(incident.services)):
                incident.last_evidence = end_us
                self._judge(incident, end_us, changes)

    def _spreads(self, incident: _Incident, end_us: int) -> bool:
        """Whether neighbours that stand out now belong to an incident: it is young, and was seen just now."""
        seen = end_us - incident.last_evidence <= self.settings.join_within_s * _SECOND
        return seen and end_us - incident.opened <= self.settings.spread_s * _SECOND

    def _held(self, end_us: int) -> set[str]:
        """Return the services of what is watched and of young incidents; those of older ones may be watched anew."""
        young = self.settings.spread_s * _SECOND
        holding = [i for i in self._open.values() if end_us - i.opened <= young or end_us < i.held_until]
        return {service for incident in holding for service in incident.services}

    def _join(self, incident: _Incident, service: str, weight: float, end_us: int, changes: _Changes) -> None:
        incident.services.append(service)
        changes.event(incident, end_us, "join", f"{service} joined with evidence {weight:.1f}")
        changes.rank.append(incident.id)

    def _watch_new(self, end_us: int, weights: Mapping[str, float], graph: "_Graph", changes: _Changes) -> None:
        taken, needed = self._held(end_us), self.settings.join_evidence
        free = {service: weight for service, weight in weights.items() if service not in taken and weight >= needed}
        for cluster in graph.clusters(free):
            lead = self._signs[cluster[0]][_COMBINED_KEY]
            if weights[cluster[0]] < self.settings.watch_evidence or lead.last != end_us:
                continue
            if len(self._open) >= self.settings.max_open:
                break
            incident = self._begin(end_us, cluster)
            incident.evidence = self._why(cluster, weights)
            self._open[incident.id] = incident
            self._judge(incident, end_us, changes)

    def _begin(self, end_us: int, cluster: list[str]) -> _Incident:
        onset = min(sign.first for service in cluster for sign in self._signs[service].values())
        identity = xxhash.xxh3_64_hexdigest("\n".join([str(end_us), *sorted(cluster)]).encode("utf-8", "surrogatepass"))
        return _Incident(identity, end_us, end_us, onset, _WATCHED, "warning", list(cluster), "", end_us, ranked=1)

    def _why(self, cluster: list[str], weights: Mapping[str, float]) -> str:
        parts = []
        for service in cluster[:4]:
            signs = [item for item in self._signs[service].items() if item[0] != _COMBINED_KEY]
            best = sorted(signs, key=lambda item: (-item[1].score, item[0]))[:3]
            parts.append(
                f"{service} {weights[service]:.1f} ({', '.join(f'{kind} {name}' for (kind, name), _ in best)})"
            )
        rest = f" and {len(cluster) - 4} more services" if len(cluster) > 4 else ""
        return f"evidence of {'; '.join(parts)}{rest}"

    def _judge(self, incident: _Incident, end_us: int, changes: _Changes) -> None:
        """Raise the severity when calls fail or errors are logged; it never falls again."""
        if incident.severity == "critical":
            return
        signs = (key for service in incident.services for key in self._signs.get(service, {}))
        if any(signal in _USER_FACING for _, signal in signs):
            incident.severity = "critical"
            incident.updated = end_us
            if incident.status != _WATCHED:
                changes.touched[incident.id] = incident

    def _resolve(self, end_us: int, changes: _Changes) -> None:
        for incident in list(self._open.values()):
            if incident.status == _WATCHED and end_us - incident.opened >= self.settings.give_up_s * _SECOND:
                for service in incident.services:
                    self._signs.pop(service, None)
                del self._open[incident.id]
                continue
            if end_us - incident.last_evidence >= self.settings.quiet_s * _SECOND:
                if incident.status != _WATCHED:
                    incident.status = "resolved"
                changes.event(incident, end_us, "resolve", f"no anomaly in its services for {self.settings.quiet_s} s")
                del self._open[incident.id]

    def _due(self, end_us: int, changes: _Changes) -> None:
        for incident in self._open.values():
            if incident.status == _WATCHED:
                early, apart = self.settings.watch_every_s
                if end_us - max(incident.opened + early * _SECOND, incident.ranked_at) >= apart * _SECOND or (
                    end_us - incident.opened <= early * _SECOND
                ):
                    incident.ranked_at = end_us
                    changes.rank.append(incident.id)
                continue
            age = (end_us - incident.opened) / _SECOND
            due = sum(age >= after for after in self.settings.rank_after_s)
            if due > incident.ranked:
                incident.ranked = due
                changes.rank.append(incident.id)

    def _members(self) -> dict[str, str]:
        """Return the newest incident or watched disturbance of each service that has one."""
        return {service: incident.id for incident in self._open.values() for service in incident.services}

    def _tag(self, anomalies: pa.Table) -> pa.Table:
        told = [incident for incident in self._open.values() if incident.status != _WATCHED]
        members = {service: incident.id for incident in told for service in incident.services}
        ids = pa.array([members.get(service) for service in anomalies["service"].to_pylist()], pa.string())
        return anomalies.set_column(
            anomalies.schema.get_field_index("incident_id"), ANOMALIES.field("incident_id"), ids
        )

    def snapshot(self) -> bytes:
        """Return the whole state."""
        signs = {
            service: [[kind, signal, *asdict(sign).values()] for (kind, signal), sign in signs.items()]
            for service, signs in self._signs.items()
        }
        incidents = [asdict(incident) for incident in self._open.values()]
        return pack({"version": FORMAT_VERSION, "signs": list(signs.items()), "open": incidents}, {})

    @classmethod
    def restore(cls, data: bytes, settings: IncidentSettings | None = None) -> "IncidentBook":
        """Return the book a snapshot was taken of. Raises CorruptState."""
        meta, _ = unpack(data)
        if meta.get("version") != FORMAT_VERSION:
            raise CorruptState(f"incident snapshot has format version {meta.get('version')}; want {FORMAT_VERSION}")
        book = cls(settings)
        book._signs = {
            service: {(kind, signal): _Sign(*sign) for kind, signal, *sign in signs} for service, signs in meta["signs"]
        }
        book._open = {values["id"]: _Incident(**values) for values in meta["open"]}
        return book


def _title(incident: _Incident) -> str:
    """Say where it hurts, and who is suspected if the evidence is enough."""
    others = len(incident.services) - 1
    where = f"anomalies in {incident.services[0]}{f' and {others} more' if others else ''}"
    if incident.verdict == "root_cause_found":
        return f"{incident.suspect} suspected: {where}"
    return where[0].upper() + where[1:]


class _Graph:
    """Who calls whom, without direction."""

    def __init__(self, calls: Calls) -> None:
        self._near: dict[str, set[str]] = {}
        for caller, callee in calls:
            self._near.setdefault(caller, set()).add(callee)
            self._near.setdefault(callee, set()).add(caller)

    def near(self, service: str, others: Iterable[str]) -> bool:
        """Whether a service calls, or is called by, one of the others; true for all where nothing is known."""
        return not self._near or not self._near.get(service, set()).isdisjoint(others)

    def clusters(self, weights: Mapping[str, float]) -> list[list[str]]:
        """Return the connected groups of the services given, each and all with the greatest weight first."""
        left = sorted(weights, key=lambda service: (-weights[service], service))
        found = []
        while left:
            cluster = [left.pop(0)]
            for member in cluster:
                joined = [service for service in left if self.near(service, [member])]
                cluster += joined
                left = [service for service in left if service not in joined]
            found.append(sorted(cluster, key=lambda service: (-weights[service], service)))
        return found


def _evidence(signs: Mapping[tuple[str, str], _Sign]) -> float:
    """Return the evidence of one service."""
    sign = signs.get(_COMBINED_KEY)
    return 0.0 if sign is None else sign.score
