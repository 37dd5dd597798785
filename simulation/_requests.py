"""Single requests through the shop: what users sent in a second becomes log lines and spans of every service touched.

Each request walks its operations under the conditions of its second: waits and service times drawn around the queueing
model's means, calls that time out, are refused or are tried again. Lines and spans say only what happened to it.
"""

import heapq
import random
from dataclasses import dataclass, field
from itertools import accumulate
from math import log

from simulation._fluid import Flow
from simulation._formats import FORMATS, iso
from simulation._life import Conditions
from simulation._texts import (
    BACKGROUND,
    DONE,
    FAILED_CALL,
    HEAP,
    NEW,
    NO_SPACE,
    OUT_OF_MEMORY,
    OWN_SLOW,
    REFUSALS,
    RETRY,
    SHUTDOWN,
    SLOW,
    STACKS,
    STARTUP,
    TOO_MANY,
    Line,
)
from simulation._topology import (
    CONSUMER,
    EDGE_INDEX,
    INDEX,
    JOURNEYS,
    OPERATIONS,
    POLICIES,
    SERVICES,
    Call,
    Policy,
    service_of,
)
from simulation._words import Context, fill

TRACED = 0.25
"""Share of requests whose spans are exported (head sampling)."""

_RARE_BUG = 1.0e-4  # every service's own code throws now and then
_FORMATS = tuple(FORMATS[service.log] for service in SERVICES)
_RUNTIMES = tuple(service.runtime for service in SERVICES)
_STATUS = {"timeout": 504, "refused": 502, "failed": 500}
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1)", "ShopApp/7.2 (Android 15)")


@dataclass(frozen=True)
class _Step:
    """A call, with all that is needed to make it."""

    key: str
    probability: float
    cached: bool
    edge: int
    target: int
    policy: Policy


@dataclass(frozen=True)
class _Plan:
    """An operation, with all that is needed to run it."""

    service: int
    name: str
    own_s: float
    write: bool
    slow_s: float
    steps: tuple[_Step, ...]
    done: tuple[Line, ...]
    refusal: float


@dataclass
class Output:
    """Lines (time in us, sequence number, text) per service, and spans likewise, not yet in order."""

    lines: list[list[tuple[int, int, str]]] = field(default_factory=lambda: [[] for _ in SERVICES])
    spans: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass
class _Second:
    """The conditions of one second as plain lists: indexing them is faster than numpy scalars."""

    slow: list[float]
    wait: list[float]
    refused: list[float]
    lost: list[float]
    throws: list[float]
    unwritable: list[float]
    slow_share: list[float]
    slow_factor: list[float]
    refusals: list[float]
    leaked: list[float]
    delay: list[float]
    loss: list[float]
    miss: float
    lag: float


class Requests:
    """Walks requests; `output` collects what they leave behind, `tally` counts (sent, ok, failed)."""

    def __init__(self, seed: int, began_us: int) -> None:
        self._rng = random.Random(f"requests-{seed}")
        self._spread = [self._rng.lognormvariate(-0.08, 0.4) for _ in range(4096)]
        self._plans = {key: _plan(key) for key in OPERATIONS}
        self._began = began_us
        self._due: list[tuple[float, int]] = []
        self._sequence = 0
        self._version = [40 + number for number in range(len(SERVICES))]
        self._new: list[str | None] = [None] * len(SERVICES)
        self._background = {INDEX[name]: _chances(lines) for name, lines in BACKGROUND.items()}
        self._journeys = (list(JOURNEYS), list(accumulate(JOURNEYS.values())))
        self._now: _Second
        self.output = Output()
        self.tally = [0, 0, 0]

    def second(self, second: int, count: int, now: Conditions, flow: Flow) -> None:
        """Live one second: `count` users' requests, due messages, background talk, restarts."""
        self._now = _plain(now, flow)
        rng = self._rng
        for number, _, why in now.restarts:
            self._restart(number, second, why)
        keys, weights = self._journeys
        for _ in range(count):
            self._visit(rng.choices(keys, cum_weights=weights)[0], second + rng.random())
        while self._due and self._due[0][0] < second + 1:
            self._consume(heapq.heappop(self._due)[0])
        self._talk(second)

    def _visit(self, key: str, at: float) -> None:
        """A user's request: the gateway's access line ends it."""
        rng = self._rng
        trace = f"{rng.getrandbits(128):032x}"
        self.tally[0] += 1
        plan = self._plans[key]
        if rng.random() < self._now.refused[plan.service]:
            end, status = at + 0.001, 503
        else:
            end, reason = self._serve(plan, at, trace, None, rng.random() < TRACED)
            status = _STATUS[reason] if reason else self._answer(key)
        self.tally[1 if status < 500 else 2] += 1
        verb, path = key.split("/", 1)[1].split(" ", 1)
        if path == "/product":
            path = fill("/product/{sku}", rng, {})
        size = 180 if status >= 400 else 900 + rng.getrandbits(14)
        request = f'"{verb} {path} HTTP/1.1" {status} {size} "-" "{rng.choice(_AGENTS)}" {end - at:.3f}'
        self._say(0, end, "INFO", "access", "{ip} " + request.replace("{", "").replace("}", ""), {}, trace)

    def _answer(self, key: str) -> int:
        draw = self._rng.random()
        if draw < 0.012:
            return 404 if key.startswith("gateway/GET") else 400
        return 302 if key.startswith("gateway/POST") and draw < 0.5 else 200

    def _consume(self, at: float) -> None:
        """The consumer takes one message; if it is away, the message waits."""
        plan = self._plans[CONSUMER]
        if self._rng.random() < self._now.refused[plan.service]:
            self._sequence += 1
            heapq.heappush(self._due, (at + 3.0, self._sequence))
            return
        trace = f"{self._rng.getrandbits(128):032x}"
        self._serve(plan, at, trace, None, self._rng.random() < TRACED)

    def _serve(self, plan: _Plan, at: float, trace: str, parent: str | None, traced: bool) -> tuple[float, str | None]:
        """Run an operation from `at` (s); returns its end and why it failed, None if it did not."""
        rng, now, service = self._rng, self._now, plan.service
        span = f"{rng.getrandbits(64):016x}" if traced else ""
        own = plan.own_s * now.slow[service] * self._spread[rng.getrandbits(12)]
        if now.slow_share[service] and rng.random() < now.slow_share[service]:
            own *= now.slow_factor[service]
        own -= now.wait[service] * log(1 - rng.random())
        end = at + 0.6 * own
        why: str | None = None
        if rng.random() < now.throws[service] + _RARE_BUG:
            why = self._throw(plan, end, trace)
        elif plan.write and rng.random() < now.unwritable[service]:
            self._say_one(service, end, NO_SPACE.get(_RUNTIMES[service]), {"op": plan.name}, trace)
            why = "failed"
        else:
            for step in plan.steps:
                if rng.random() < step.probability * (now.miss if step.cached else 1.0):
                    end, why = self._call(service, step, end, trace, span, traced)
                    if why and step.policy.hard:
                        break
                    why = None
        end += 0.4 * own
        if why is None:
            self._finish(plan, own, end, at, trace)
        if traced:
            self._span(service, plan.name, at, end, trace, span, parent, why is not None)
        return end, why

    def _finish(self, plan: _Plan, own: float, end: float, at: float, trace: str) -> None:
        """Say what a finished operation says; an order's message goes on its way."""
        rng, service = self._rng, plan.service
        context = {"ms": str(int((end - at) * 1000) + 1), "op": plan.name}
        for probability, level, component, text in plan.done:
            if rng.random() < probability:
                self._say(service, end, level, component, text, context, trace)
        if own > plan.slow_s:
            self._say_one(
                service, end, OWN_SLOW.get(_RUNTIMES[service]), {**context, "ms": str(int(own * 1000))}, trace
            )
        if rng.random() < plan.refusal * self._now.refusals[service]:
            self._say_one(service, end, REFUSALS.get(SERVICES[service].name), context, trace)
        new = self._new[service]
        if new is not None and rng.random() < 0.05:
            self._say(service, end, "INFO", "release", new, context, trace)
        if plan.name == "Create" and SERVICES[service].name == "orders":
            self._sequence += 1
            heapq.heappush(self._due, (end + 0.02 + self._now.lag, self._sequence))

    def _throw(self, plan: _Plan, at: float, trace: str) -> str | None:
        stacks = STACKS.get(_RUNTIMES[plan.service])
        if not stacks:
            return None
        component, text = stacks[0]
        self._say(plan.service, at, "ERROR", component, text, {"op": plan.name}, trace)
        return "failed"

    def _call(
        self, caller: int, step: _Step, at: float, trace: str, parent: str, traced: bool
    ) -> tuple[float, str | None]:
        """Call another service, trying again as the policy says; returns when and why it failed, None if it did not."""
        rng, policy = self._rng, step.policy
        plan = self._plans[step.key]
        limit = policy.timeout_ms / 1000
        context = {"peer": SERVICES[step.target].name, "op": plan.name, "limit": str(int(policy.timeout_ms))}
        end, why = at, None
        for attempt in range(policy.retries + 1):
            span = f"{rng.getrandbits(64):016x}" if traced else ""
            end, why = self._attempt(step, plan, at, limit, trace, span, traced)
            if traced:
                self._span(caller, f"call {step.key}", at, end, trace, span, parent, why is not None)
            if why is None:
                if end - at > 0.5 * limit:
                    self._complain(caller, end, "WARN", SLOW, {**context, "ms": str(int((end - at) * 1000))}, trace)
                return end, None
            last = attempt == policy.retries
            texts = FAILED_CALL.get(_RUNTIMES[caller])
            if texts:
                self._say(caller, end, "ERROR" if last and policy.hard else "WARN", *texts[why], context, trace)
            if not last:
                self._complain(caller, end, "INFO", RETRY, context, trace)
                at = end + 0.01 * 2**attempt
        return end, why

    def _attempt(
        self, step: _Step, plan: _Plan, at: float, limit: float, trace: str, span: str, traced: bool
    ) -> tuple[float, str | None]:
        rng, now = self._rng, self._now
        net = 0.0003 * self._spread[rng.getrandbits(12)]
        if now.delay[step.edge]:
            net += now.delay[step.edge] * (0.75 + 0.5 * rng.random())
        arrived = True
        if now.loss[step.edge]:
            retransmitted, arrived = self._packets(now.loss[step.edge])
            net += retransmitted
        if not arrived:
            return at + limit, "timeout"
        if rng.random() < now.refused[step.target]:
            if now.refused[step.target] < 1 and rng.random() < 0.3:
                self._say_one(step.target, at + net / 2, TOO_MANY.get(_RUNTIMES[step.target]), {}, "")
            return at + net + 0.0005, "refused"
        end, why = self._serve(plan, at + net / 2, trace, span or None, traced)
        end += net / 2
        if end > at + limit:
            return at + limit, "timeout"
        return end, "failed" if why else None

    def _packets(self, loss: float) -> tuple[float, bool]:
        """Retransmission delay (s) of a call's four packets, and whether all came through."""
        delay = 0.0
        for _ in range(4):
            wait = 0.2
            while self._rng.random() < loss:
                delay += wait
                wait *= 2
                if wait > 1:
                    return delay, False
        return delay, True

    def _talk(self, second: int) -> None:
        """Lines that services write without a request: jobs, collections, connection chatter."""
        rng, now = self._rng, self._now
        for service, (total, weights, lines) in self._background.items():
            if now.refused[service] >= 1 or now.lost[service] >= 1:
                continue
            if rng.random() < total:
                _, level, component, text = rng.choices(lines, cum_weights=weights)[0]
                self._say(service, second + rng.random(), level, component, text, {}, "")
            if rng.random() < 0.002 + 0.5 * max(0.0, now.leaked[service] - 0.4):
                self._say_one(service, second + rng.random(), HEAP.get(_RUNTIMES[service]), {}, "")

    def _restart(self, service: int, second: int, why: str) -> None:
        """A replica goes and comes back; a deploy brings a new version and perhaps a text never seen before."""
        rng, runtime = self._rng, _RUNTIMES[service]
        at = second + rng.random()
        back = at + rng.uniform(2.0, 4.0) if why == "deploy" else at + rng.uniform(6.0, 12.0)
        component = STARTUP[runtime][0][1]
        if why == "deploy":
            self._say(service, at, "INFO", component, SHUTDOWN, {}, "")
            self._version[service] += rng.random() < 0.5
            if rng.random() < 0.25:
                self._new[service] = rng.choice(NEW)
        elif why == "oom" and runtime in OUT_OF_MEMORY:
            self._say(service, at, "FATAL", component, OUT_OF_MEMORY[runtime], {}, "")
        elif why == "crash" and rng.random() < 0.6:
            self._say(service, at, "FATAL", STACKS[runtime][0][0], STACKS[runtime][0][1], {"op": "init"}, "")
        for number, line in enumerate(STARTUP[runtime]):
            context = {"version": f"2.{self._version[service]}.0"}
            self._say_one(service, back + 0.4 * number, line, context, "")

    def _complain(
        self, service: int, at: float, level: str, texts: dict[str, tuple[str, str]], context: Context, trace: str
    ) -> None:
        found = texts.get(_RUNTIMES[service])
        if found:
            self._say(service, at, level, *found, context, trace)

    def _say_one(
        self, service: int, at: float, line: tuple[str, str, str] | None, context: Context, trace: str
    ) -> None:
        if line is not None:
            self._say(service, at, *line, context, trace)

    def _say(
        self, service: int, at: float, level: str, component: str, text: str, context: Context, trace: str
    ) -> None:
        self._sequence += 1
        time_us = self._began + int(at * 1e6)
        message = fill(text, self._rng, context)
        if component.startswith("<0."):
            component = fill(component, self._rng, context)
        line = _FORMATS[service](time_us, level, component, message, trace)
        self.output.lines[service].append((time_us, self._sequence, line))

    def _span(
        self, service: int, name: str, at: float, end: float, trace: str, span: str, parent: str | None, failed: bool
    ) -> None:
        self._sequence += 1
        time_us = self._began + int(at * 1e6)
        above = f'"{parent}"' if parent else "null"
        text = (
            f'{{"time":"{iso(time_us)}","duration_us":{int((end - at) * 1e6)},"trace_id":"{trace}","span_id":"{span}",'
            f'"parent_span_id":{above},"service":"{SERVICES[service].name}","operation":"{name}",'
            f'"status":"{"error" if failed else "unset"}"}}'
        )
        self.output.spans.append((time_us, self._sequence, text))


def _plain(now: Conditions, flow: Flow) -> _Second:
    return _Second(
        now.slow.tolist(), flow.wait_s.tolist(), flow.refused.tolist(), now.lost.tolist(), now.throws.tolist(),
        now.unwritable.tolist(), now.slow_share.tolist(), now.slow_factor.tolist(), now.refusals.tolist(),
        now.leaked.tolist(), now.delay.tolist(), now.loss.tolist(), now.miss, flow.lag_s,
    )  # fmt: skip


def _plan(key: str) -> _Plan:
    operation, service = OPERATIONS[key], SERVICES[INDEX[service_of(key)]]
    name = key.split("/", 1)[1]
    own = operation.own_ms / 1000
    slow = 0.05 if service.runtime == "postgres" else max(8 * own, 0.06)
    return _Plan(
        INDEX[service.name], name, own, operation.write, slow,
        tuple(_step(service.name, call) for call in operation.calls), DONE.get(key, ()), service.business_errors,
    )  # fmt: skip


def _step(caller: str, call: Call) -> _Step:
    edge = (caller, service_of(call.target))
    return _Step(call.target, call.probability, call.cached, EDGE_INDEX[edge], INDEX[edge[1]], POLICIES[edge])


def _chances(lines: tuple[Line, ...]) -> tuple[float, list[float], tuple[Line, ...]]:
    """Rate a second of all lines together, and the running sums to choose among them."""
    sums = list(accumulate(rate / 60 for rate, *_ in lines))
    return sums[-1], sums, lines
