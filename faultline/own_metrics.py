"""The pipeline's own metrics and health, served as `/metrics` and `/healthz` on the loopback address.

Labels are bounded: partitions and reasons beyond a limit share the label "other", so that no input can grow the
metrics without end. Totals by partition are those of the ledger, over all runs and not of this process alone.
"""

import collections
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telemetry import UsageError

MAX_PARTITIONS = 256
MAX_REASONS = 64
# The loop turns several times a second; this long without a turn, it hangs.
STALE_S = 60.0

_FATES = ("read", "stored", "joined", "dead_lettered", "filtered", "late", "ahead")
_COMMIT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Counts(Protocol):
    """Running totals of a partition: read = stored + joined + dead_lettered + filtered.

    `late` is part of stored, `ahead` of late.
    """

    read: int
    stored: int
    joined: int
    dead_lettered: int
    filtered: int
    late: int
    ahead: int


@runtime_checkable
class Endpoint(Protocol):
    """A source that senders talk to: requests by outcome, and bytes in its journal and of these not read yet."""

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Requests so far, by what they came to."""

    @property
    def journal_bytes(self) -> int:
        """Size of the journal."""

    @property
    def backlog_bytes(self) -> int:
        """What of it was not read yet."""


class OwnMetrics:
    """What the pipeline says about itself. Methods may be called from any thread; the registry is its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._beat = self._commit = clock()
        self._reasons: set[str] = set()
        self._partitions = _Partitions()
        self.registry.register(self._partitions)
        own = self.registry
        self._commits = Histogram(
            "faultline_commit_seconds", "Time a commit took.", buckets=_COMMIT_BUCKETS, registry=own
        )
        self._rejects = Counter(
            "faultline_dead_letters", "Input units rejected by this process, by reason.", ["reason"], registry=own
        )
        self._detected = Gauge(
            "faultline_detected_until_seconds",
            "End of the last detection window, event time since the epoch.",
            registry=own,
        )
        self._open = Gauge("faultline_open_incidents", "Incidents that are not resolved.", registry=own)
        self._refused = Gauge(
            "faultline_series_refused", "Values left out of detection, as there are too many signals.", registry=own
        )
        self._turns = Counter(
            "faultline_maintenance_turns", "Turns of the maintainer, by outcome.", ["outcome"], registry=own
        )
        self._expired = Counter("faultline_expired_rows", "Rows that retention dropped.", registry=own)
        self._full = Gauge("faultline_store_full", "1 while a commit waits for room in the store.", registry=own)

        self._overflowing = Gauge(
            "faultline_services_overflowing", "Services with more templates than are kept apart.", registry=own
        )
        self._other = Gauge(
            "faultline_other_service_records",
            "Records of this process that went to `__other__`: too many services in a partition.",
            registry=own,
        )

    def beat(self) -> None:
        """Note that the loop has made a turn; /healthz fails once this stays away for `STALE_S`."""
        self._beat = self._clock()

    def observe_commit(self, seconds: float) -> None:
        """Note a successful commit and how long it took."""
        self._commit = self._clock()
        self.beat()
        self._commits.observe(seconds)

    def account(
        self,
        source: str,
        partition: int,
        counts: Counts,
        watermark_us: int | None,
        redacted: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Publish a partition's running totals, its event-time watermark (us since the epoch), redactions by kind."""
        totals = [getattr(counts, fate) for fate in _FATES]
        self._partitions.set(f"{source}/{partition}", totals, watermark_us, redacted)

    def parsers(self, overflowing: int, refused: int) -> None:
        """State how many services overflow with templates, and how many records were of services beyond the limit."""
        self._overflowing.set(overflowing)
        self._other.set(refused)

    def rejected(self, reason: str, units: int) -> None:
        """Count `units` input units that became dead letters for `reason`."""
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS:
            reason = "other"
        self._reasons.add(reason)
        self._rejects.labels(reason).inc(units)

    def correlator(self, position_us: int | None, open_incidents: int, refused: int) -> None:
        """State where detection is (end of the last window, us since the epoch), open incidents, refused values."""
        if position_us is not None:
            self._detected.set(position_us / 1e6)
        self._open.set(open_incidents)
        self._refused.set(refused)

    def endpoint(self, source: "Endpoint") -> None:
        """Publish what an endpoint counts, as it is whenever somebody asks."""
        self.registry.register(_EndpointMetrics(source))

    def store_full(self, full: bool) -> None:
        """State whether a commit waits for room in the store."""
        self._full.set(full)

    def maintained(self, expired_rows: int) -> None:
        """Note a turn of the maintainer and how many rows retention dropped in it."""
        self._turns.labels("ok").inc()
        self._expired.inc(expired_rows)

    def maintenance_failed(self) -> None:
        """Note a turn of the maintainer that ended in an error."""
        self._turns.labels("failed").inc()

    def health(self) -> tuple[bool, dict[str, object]]:
        """Return whether the pipeline is alive, and what /healthz says."""
        now = self._clock()
        alive = now - self._beat < STALE_S
        return alive, {
            "status": "ok" if alive else "stalled",
            "seconds_since_turn": round(now - self._beat, 1),
            "seconds_since_commit": round(now - self._commit, 1),
        }

    def serve(self, port: int) -> ThreadingHTTPServer:
        """Serve /metrics and /healthz on 127.0.0.1:`port` in a daemon thread; `shutdown()` of the result ends it.

        Raises UsageError if the port is taken.
        """
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        except OSError as error:
            raise UsageError(f"cannot serve metrics on 127.0.0.1:{port}: {error.strerror}") from None
        server.daemon_threads = True
        turn = {"poll_interval": 0.1}
        threading.Thread(target=server.serve_forever, kwargs=turn, name="own-metrics", daemon=True).start()
        return server


class _Partitions(Collector):
    """Totals by partition, as the pipeline last stated them; lag is worked out when somebody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[list[int], int | None]] = {}
        self._redacted: dict[str, dict[str, int]] = {}

    def set(self, name: str, totals: list[int], watermark_us: int | None, redacted: Mapping[str, int]) -> None:
        """Replace what is known of a partition."""
        with self._lock:
            self._seen[name] = totals, watermark_us
            self._redacted[name] = dict(redacted)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families, as prometheus_client asks for them."""
        records = CounterMetricFamily(
            "faultline_records",
            "Input units by fate; read = all others but late and ahead.",
            labels=["partition", "fate"],
        )
        lag = GaugeMetricFamily(
            "faultline_watermark_lag_seconds", "Wall clock less event-time watermark.", labels=["partition"]
        )
        for name, totals, watermark_us in self._bounded():
            for fate, total in zip(_FATES, totals, strict=True):
                records.add_metric([name, fate], total)
            if watermark_us is not None:
                lag.add_metric([name], time.time() - watermark_us / 1e6)
        yield records
        yield lag
        yield self._redactions()

    def _redactions(self) -> Metric:
        redacted = CounterMetricFamily(
            "faultline_redacted", "Secrets and personal data replaced, by kind.", labels=["kind"]
        )
        with self._lock:
            total = sum((collections.Counter(one) for one in self._redacted.values()), collections.Counter())
        for kind, count in sorted(total.items()):
            redacted.add_metric([kind], count)
        return redacted

    def _bounded(self) -> Iterator[tuple[str, list[int], int | None]]:
        """Yield the first partitions one by one, and what is beyond the limit as one: summed, with the oldest time."""
        with self._lock:
            rows = [(name, totals, mark) for name, (totals, mark) in self._seen.items()]
        yield from rows[:MAX_PARTITIONS]
        if rest := rows[MAX_PARTITIONS:]:
            marks = [mark for _, _, mark in rest if mark is not None]
            yield (
                "other",
                [sum(column) for column in zip(*(totals for _, totals, _ in rest), strict=True)],
                min(marks, default=None),
            )


class _EndpointMetrics(Collector):
    """The OTLP/HTTP endpoint, looked at when somebody asks."""

    def __init__(self, source: Endpoint) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families, as prometheus_client asks for them."""
        requests = CounterMetricFamily(
            "faultline_otlp_requests",
            "OTLP/HTTP requests by the status they were answered with, or what they came to instead.",
            labels=["outcome"],
        )
        for outcome, count in sorted(self._source.outcomes.items()):
            requests.add_metric([outcome], count)
        yield requests
        sizes = {"journal": self._source.journal_bytes, "backlog": self._source.backlog_bytes}
        for name, size in sizes.items():
            yield GaugeMetricFamily(
                f"faultline_otlp_{name}_bytes", "Bytes of OTLP requests, kept or unread.", value=size
            )


def _handler(own: OwnMetrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(own.registry))
            elif self.path == "/healthz":
                alive, state = own.health()
                self._answer(200 if alive else 503, "application/json", json.dumps(state).encode())
            else:
                self._answer(404, "text/plain; charset=utf-8", b"there are /metrics and /healthz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet: a scrape every few seconds is no news."""

    return Handler
