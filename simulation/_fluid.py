"""The queueing model: one numpy step a second from arrivals to utilisation, delay, failures and retries.

Per service, workers form one queue in front of c servers; the mean wait is Sakasegawa's approximation of M/M/c,
W = s/c * rho^(sqrt(2(c+1))-1) / (1-rho), plus the time to work off any backlog. A worker waiting for a callee is a
worker busy, so that a slow callee fills its callers' pools. Failures climb one call a second and retries come down
one call a second: effects travel with lag. (Sakasegawa, "An approximation formula Lq = a*rho^b/(1-rho)", 1977.)
"""

from dataclasses import dataclass

import numpy as np

from simulation._life import Conditions
from simulation._topology import EDGE_INDEX, EDGES, INDEX, OPERATIONS, POLICIES, SERVICES, service_of, visits

BASE_RATE = 240.0
"""User requests a second at the gateway on an ordinary afternoon."""

CONNECT_RETRY_S = 0.2
"""First retransmission after a lost packet (the minimum RTO of Linux)."""

_GATEWAY, _CONSUMER, _BROKER = INDEX["gateway"], INDEX["fulfillment"], INDEX["rabbitmq"]
_PUBLISH, _CONSUME = EDGE_INDEX["orders", "rabbitmq"], EDGE_INDEX["fulfillment", "rabbitmq"]
_MAX_WAIT_S = 2.5  # a queue holds this much work; what comes on top is turned away
_MAX_BACKLOG = 200_000.0
_LEAST_SERVERS = {"postgres": 8, "nginx": 4}
_POOL_FACTOR = {"nginx": 200.0, "node": 80.0}  # event loops hold a waiting request at little cost


def wait_seconds(utilisation: np.ndarray, servers: np.ndarray, service_s: np.ndarray) -> np.ndarray:
    """Return the mean wait in queue (s) of M/M/c by Sakasegawa; load beyond 0.97 shows as backlog instead."""
    rho = np.minimum(utilisation, 0.97)
    return np.asarray(service_s / servers * rho ** (np.sqrt(2 * (servers + 1)) - 1) / (1 - rho))


@dataclass
class Flow:
    """State of the shop in one second; arrays per service unless said otherwise."""

    arrivals: np.ndarray  # requests/s that came in, retries included
    refused: np.ndarray  # share turned away (no connection, full queue)
    utilisation: np.ndarray
    own_s: np.ndarray  # mean service time, slow queries included
    wait_s: np.ndarray  # mean wait for a worker
    response_s: np.ndarray  # mean answer time, calls included
    variance: np.ndarray  # of the answer time, s^2
    failed: np.ndarray  # share of accepted requests that end in failure
    queue: np.ndarray  # requests waiting; messages for the broker
    consumed: float  # messages/s taken by the consumer
    lag_s: float  # age of a message when it is taken
    attempts: np.ndarray  # per edge: attempts per call
    call_failed: np.ndarray  # per edge: share of calls that fail after retries


class Fluid:
    """The model's memory from second to second."""

    def __init__(self) -> None:
        self._source = np.array([INDEX[caller] for caller, _ in EDGES])
        self._target = np.array([INDEX[callee] for _, callee in EDGES])
        policies = [POLICIES[edge] for edge in EDGES]
        self._timeout = np.array([policy.timeout_ms / 1000 for policy in policies])
        self._retries = np.array([policy.retries for policy in policies])
        self._hard = np.array([policy.hard for policy in policies])
        self._calls, self._cached, rates, self._service_s, self._writes = _aggregate()
        target = np.array([service.utilisation for service in SERVICES])
        least = np.array([_LEAST_SERVERS.get(service.runtime, 2) for service in SERVICES])
        self.servers = np.maximum(least, np.ceil(BASE_RATE * rates * self._service_s / target))
        self._pool = np.full(len(SERVICES), np.inf)
        self._backlog = np.zeros(len(SERVICES))
        self._messages = 0.0
        self._arrivals = BASE_RATE * rates
        self._attempts = np.ones(len(EDGES))
        self._call_failed = np.zeros(len(EDGES))
        self._response = self._service_s.copy()
        self._variance = self._service_s**2
        self._failed = np.zeros(len(SERVICES))
        self._refused = np.zeros(len(SERVICES))
        self._settle(rates)

    def _settle(self, rates: np.ndarray) -> None:
        """Run to steady state at base load, then size the worker pools at a multiple of what they then hold."""
        ordinary = Conditions()
        for _ in range(30):
            flow = self.step(ordinary, 1.0)
        roomy = np.array([_POOL_FACTOR.get(service.runtime, 10.0) for service in SERVICES])
        self._pool = np.maximum(24.0, roomy * BASE_RATE * rates * flow.response_s)

    def step(self, now: Conditions, load: float) -> Flow:
        """Advance one second under these conditions; `load` is the arrival factor before campaigns and surges."""
        arrivals, consumed, lag = self._offer(now, load)
        service_s = self._service_s * now.slow * (1 + now.slow_share * (now.slow_factor - 1))
        up = np.maximum(1 - now.lost, 0.02)
        calls = self._calls * np.where(self._cached, now.miss, 1.0)
        net, net_variance = _network(now)
        per_call = np.minimum(self._response[self._target] + net, self._timeout)
        below = np.bincount(self._source, calls * self._attempts * per_call, len(SERVICES))
        capacity = np.minimum(self.servers / service_s, self._pool / (service_s + below)) * up
        accepted = arrivals * (1 - now.refuse)
        utilisation = accepted / capacity
        backlog = self._backlog + accepted - capacity
        room = capacity * _MAX_WAIT_S
        overflow = np.clip(backlog - room, 0, None) / np.maximum(accepted, 1e-9)
        self._backlog = np.clip(backlog, 0, room)
        wait = self._backlog / capacity + wait_seconds(utilisation, self.servers, service_s)
        refused = 1 - (1 - now.refuse) * (1 - np.minimum(overflow, 0.95))
        response = service_s + wait + below
        spread = calls * self._attempts * (self._variance[self._target] + net_variance + 0.5 * per_call**2)
        slow = now.slow_share * (self._service_s * now.slow * now.slow_factor) ** 2
        variance = 0.4 * service_s**2 + slow + wait**2 + np.bincount(self._source, spread, len(SERVICES))
        own_failure = 1 - (1 - now.throws) * (1 - now.unwritable * self._writes)
        lost_calls = np.bincount(
            self._source, calls * self._hard * np.log1p(-np.minimum(self._call_failed, 0.999)), len(SERVICES)
        )
        failed = 1 - (1 - own_failure) * np.exp(lost_calls)
        self._retry(now, net, net_variance, failed, refused)
        self._arrivals, self._response, self._variance = arrivals, response, variance
        self._failed, self._refused = failed, refused
        queue = self._backlog + accepted * np.minimum(wait, _MAX_WAIT_S)
        queue[_BROKER] = self._messages
        return Flow(
            arrivals, refused, utilisation, service_s, wait, response, variance, failed, queue,
            consumed, lag, self._attempts.copy(), self._call_failed.copy(),
        )  # fmt: skip

    def _offer(self, now: Conditions, load: float) -> tuple[np.ndarray, float, float]:
        """Arrivals (1/s) from what callers took in a second ago; the consumer takes from the broker what it can."""
        taken = self._arrivals * (1 - self._refused)
        calls = self._calls * np.where(self._cached, now.miss, 1.0)
        arrivals = np.bincount(self._target, taken[self._source] * calls * self._attempts, len(SERVICES))
        arrivals[_GATEWAY] = BASE_RATE * load * now.load
        published = taken[INDEX["orders"]] * self._calls[_PUBLISH] * (1 - self._call_failed[_PUBLISH])
        hold = self._response[_CONSUMER]
        power = min(self.servers[_CONSUMER] * 5.0 / max(hold, 1e-3), 3 * published + 5) * (1 - now.lost[_CONSUMER])
        self._messages = min(self._messages + published, _MAX_BACKLOG)
        reachable = (1 - self._call_failed[_CONSUME]) * (1 - self._refused[_CONSUMER])
        consumed = min(self._messages, power * reachable)
        self._messages -= consumed
        arrivals[_CONSUMER] = consumed
        return arrivals, consumed, self._messages / max(consumed, 1.0)

    def _retry(
        self, now: Conditions, net: np.ndarray, net_variance: np.ndarray, failed: np.ndarray, refused: np.ndarray
    ) -> None:
        """Per edge: how often one attempt fails, and what retries make of it."""
        mean = self._response[self._target] + net
        late = _exceeds(mean, self._variance[self._target] + net_variance, self._timeout)
        answered = (1 - refused[self._target]) * (1 - failed[self._target]) * (1 - now.loss**3)
        once = 1 - answered * (1 - late)
        retried = np.minimum(once * (self._retries > 0) + once**2 * (self._retries > 1), 1.0)
        self._attempts = 1 + retried
        self._call_failed = once ** (self._retries + 1)


def _network(now: Conditions) -> tuple[np.ndarray, np.ndarray]:
    """Mean (s) and variance (s^2) an edge adds; a call is about four packets, a lost one waits for retransmission."""
    hit = 1 - (1 - now.loss) ** 4
    mean = 0.0003 + now.delay + hit * CONNECT_RETRY_S * (1 + now.loss)
    return mean, (0.25 * now.delay) ** 2 + hit * CONNECT_RETRY_S**2


def _exceeds(mean: np.ndarray, variance: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Share of a log-normal of this mean and variance above a limit (logistic approximation of the normal tail)."""
    sigma2 = np.log1p(variance / mean**2)
    z = (np.log(limit / mean) + sigma2 / 2) / np.sqrt(sigma2)
    return np.asarray(1 / (1 + np.exp(np.clip(1.702 * z, -30, 30))))


def _aggregate() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Operations folded to services: calls per request and cached flag per edge; rate, service time, write share."""
    rates, work, writes = (np.zeros(len(SERVICES)) for _ in range(3))
    calls, cached = np.zeros(len(EDGES)), np.zeros(len(EDGES), dtype=bool)
    for key, rate in visits().items():
        number, operation = INDEX[service_of(key)], OPERATIONS[key]
        rates[number] += rate
        work[number] += rate * operation.own_ms / 1000
        writes[number] += rate * operation.write
        for call in operation.calls:
            edge = EDGE_INDEX[service_of(key), service_of(call.target)]
            calls[edge] += rate * call.probability
            cached[edge] |= call.cached
    for number, (caller, _) in enumerate(EDGES):
        calls[number] /= rates[INDEX[caller]]
    return calls, cached, rates, work / rates, writes / rates
