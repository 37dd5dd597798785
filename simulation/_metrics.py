"""Metrics as a scraper reads them every 5 s: the queueing model's state, counted and measured with noise."""

from dataclasses import dataclass, field

import numpy as np

from simulation._fluid import BASE_RATE, Flow
from simulation._formats import iso
from simulation._life import Conditions
from simulation._topology import INDEX, NAMES, SERVICES, service_of, visits

SCRAPE_S = 5
MIB = 1024 * 1024

_N = len(SERVICES)
_NOISE = np.array([service.noise for service in SERVICES])
_BUSINESS = np.array([service.business_errors for service in SERVICES])
_MEMORY = np.array([service.memory_mb for service in SERVICES]) * MIB
_UTILISATION = np.array([service.utilisation for service in SERVICES])
_STATEFUL = np.array([service.stateful for service in SERVICES])
_JAVA = np.array([service.runtime in ("java", "dotnet", "node", "go") for service in SERVICES])
_KINDS = ("cpu", "memory", "rate", "business", "p50", "p95", "p99", "queue", "disk")
_DEVIATION = np.array([0.028, 0.035, 0.012, 0.5, 0.09, 0.15, 0.24, 0.15, 0.016])
_STAYS = np.array([0.7, 0.97, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.97])[:, None]  # memory and disk move slowly
_FORMAT = ("%.4f", "%d", "%.3f", "%.6f", "%.3f", "%.3f", "%.3f", "%d", "%d")
_FIELDS = (
    "cpu_utilization", "memory_bytes", "request_rate", "error_rate",
    "latency_p50", "latency_p95", "latency_p99", "queue_length", "restarts",
)  # fmt: skip


def _base_arrivals() -> np.ndarray:
    rates = np.zeros(_N)
    for key, rate in visits().items():
        rates[INDEX[service_of(key)]] += BASE_RATE * rate
    return rates


_BASE = _base_arrivals()


@dataclass
class _Sums:
    """What the seconds since the last scrape add up to."""

    seconds: int = 0
    arrivals: np.ndarray = field(default_factory=lambda: np.zeros(_N))
    failed: np.ndarray = field(default_factory=lambda: np.zeros(_N))
    response: np.ndarray = field(default_factory=lambda: np.zeros(_N))
    variance: np.ndarray = field(default_factory=lambda: np.zeros(_N))
    queue: np.ndarray = field(default_factory=lambda: np.zeros(_N))
    cpu: np.ndarray = field(default_factory=lambda: np.zeros(_N))
    refusals: np.ndarray = field(default_factory=lambda: np.zeros(_N))


class Scraper:
    """Collects the seconds and, every fifth, measures; `read` gives one JSON line a service."""

    def __init__(self, seed: int, began_us: int) -> None:
        self._rng = np.random.default_rng([seed, 3])
        self._began = began_us
        self._noise = self._rng.standard_normal((len(_KINDS), _N))
        self._slow = self._rng.standard_normal((len(_KINDS), _N))
        self._heap = self._rng.uniform(0, 1, _N)
        self._disk = self._rng.uniform(0.84, 0.93, _N)
        self._restarts = np.zeros(_N)
        self._sums = _Sums()

    def second(self, now: Conditions, flow: Flow) -> None:
        """Add one second."""
        for number, count, _ in now.restarts:
            self._restarts[number] += count
            self._heap[number] = 0.0
        sums, seen = self._sums, flow.arrivals * (1 - now.refuse)
        sums.seconds += 1
        sums.arrivals += seen
        sums.failed += seen * (1 - (1 - flow.failed) * (1 - np.clip((flow.refused - now.refuse), 0, 1)))
        sums.response += flow.response_s
        sums.variance += flow.variance
        busy = np.minimum(0.03 + 0.9 * _UTILISATION * seen / _BASE, 0.97)
        sums.cpu += np.minimum(busy * (1 - now.lost) + now.cpu, 0.995)
        sums.queue += flow.queue + 0.5 * seen * np.minimum(flow.response_s, 10.0)
        sums.refusals += now.refusals

    def read(self, second: int, now: Conditions) -> list[str]:
        """Return the scrape at `second` (one line a service), and begin the next."""
        values = self._measure(now)
        self._sums = _Sums()
        time = iso(self._began + second * 1_000_000)
        found = []
        for number, row in enumerate(values.T.tolist()):
            fields = ",".join(
                f'"{name}":{shape % value}' for name, shape, value in zip(_FIELDS, _FORMAT, row, strict=False)
            )
            if _STATEFUL[number]:
                fields += f',"disk_usage":{row[-1]:.5f}'
            found.append(f'{{"time":"{time}","service":"{NAMES[number]}","metrics":{{{fields}}}}}')
        return found

    def _measure(self, now: Conditions) -> np.ndarray:
        """Values by field (as _FIELDS, then disk_usage) and service."""
        rng, sums = self._rng, self._sums
        seconds = max(sums.seconds, 1)
        noise = dict(zip(_KINDS, self._wander(), strict=True))
        count = rng.poisson(sums.arrivals)
        refused = np.minimum(_BUSINESS * np.exp(np.clip(noise["business"], -3.0, 1.4)) * sums.refusals / seconds, 0.5)
        failing = np.clip(sums.failed / np.maximum(sums.arrivals, 1e-9), 0, 1)
        errors = rng.binomial(count, np.clip(failing + refused * (1 - failing), 0, 1))
        mean, variance = sums.response / seconds, sums.variance / seconds
        sigma = np.sqrt(np.log1p(variance / mean**2))
        median = 1000 * mean * np.exp(-(sigma**2) / 2)
        few = np.sqrt(1 / np.maximum(count, 4))
        sampled = [rng.standard_normal(_N) * few * sigma * factor for factor in (1.25, 2.1, 3.7)]
        quantiles = np.maximum.accumulate([
            median * np.exp(z * sigma + noise[name] + error)
            for z, name, error in zip((0.0, 1.645, 2.326), ("p50", "p95", "p99"), sampled, strict=True)
        ])  # fmt: skip
        return np.array([
            np.clip(sums.cpu / seconds + noise["cpu"], 0.002, 1.0),
            self._memory(now, noise["memory"]),
            count / seconds * np.exp(noise["rate"]),
            np.where(count > 0, errors / np.maximum(count, 1), 0.0),
            *quantiles,
            rng.poisson(np.minimum(sums.queue / seconds * np.exp(noise["queue"]), 1e9)),
            self._restarts,
            np.clip(self._disk + noise["disk"] + now.filled * (1 - self._disk), 0, 1.0),
        ])  # fmt: skip

    def _memory(self, now: Conditions, noise: np.ndarray) -> np.ndarray:
        """Resident bytes: collected heaps rise and fall, leaks come on top; the limit is 1.8 times rest."""
        self._heap = (self._heap + self._rng.uniform(0.02, 0.12, _N)) % 1.0
        swing = np.where(_JAVA, 0.25 * self._heap, 0.08 * self._heap)
        return np.asarray(_MEMORY * (0.9 + swing + noise + 0.75 * now.leaked))

    def _wander(self) -> np.ndarray:
        """Noise by kind and service: autocorrelated over seconds and over half hours; rarely an outlier."""
        rng = self._rng
        self._noise = _STAYS * self._noise + np.sqrt(1 - _STAYS**2) * rng.standard_normal(self._noise.shape)
        self._slow = 0.997 * self._slow + 0.0774 * rng.standard_normal(self._slow.shape)
        outlier = (rng.random(self._noise.shape) < 0.002) * np.minimum(rng.exponential(3.0, self._noise.shape), 5)
        noise = _DEVIATION[:, None] * _NOISE * (0.8 * self._noise + 0.6 * self._slow + outlier)
        return np.asarray(noise)
