"""What a metric's name says about it, in the vocabulary of OpenTelemetry and Prometheus.

"cause": a resource or the life of the process, which a fault changes where it sits (cpu, memory, disk, restarts);
"symptom": what users and callers feel, which travels along calls (latency, errors, queues); "load": how much is asked
of the service (requests, traffic); "callee": a client's view of the services it calls; "host": shared by all on one
machine; "other": the name says nothing.
"""

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+(?:xx)?")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CAUSE = _words("""
    cpu mem memory heap rss swap oom disk fs filesystem inode inodes volume io iops gc jvm fd fds throttled throttling
    throttle restart restarts crash crashes uptime write writes read reads syscall retransmit retransmits dropped drops
    loss thread threads connections
""")
_FAILURE = _words("""
    error errors err fail failed failure failures fault faults exception exceptions 5xx 500 success availability
    timeout timeouts rejected
""")
_SLOWNESS = _words("""
    latency lat latencies duration durations response delay queue queued backlog lag pending wait waiting slow retries
    retry
""")
_SYMPTOM = _FAILURE | _SLOWNESS
_LOAD = _words("""
    request requests req rate rps qps tps ops throughput workload load traffic calls hits count total network net
    receive received transmit transmitted bytes packets sent
""")
_CLIENT = _words("client outbound upstream egress remote")
_HOST = _words("node host machine")
_RESTARTS = _words("restart restarts crash crashes")
_HEALTH = _words("success availability available up ready healthy uptime")


@lru_cache(maxsize=65_536)
def metric_kind(name: str) -> str:
    """Return the kind of a metric name; where kinds meet: host, then callee or symptom, then cause, then load."""
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _HOST:
        return "host"
    if words & _SYMPTOM:
        return "callee" if words & _CLIENT else "symptom"
    if words & _CAUSE:
        return "cause"
    return "load" if words & _LOAD else "other"


@lru_cache(maxsize=65_536)
def is_health(name: str) -> bool:
    """True if lower values are worse (success rate, availability)."""
    return bool({word.lower() for word in _WORD.findall(name)} & _HEALTH)


@lru_cache(maxsize=65_536)
def is_failure(name: str) -> bool:
    """True if the metric says how many answers failed, or how many did not; false for the time that failures took."""
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _FAILURE) and not words & _SLOWNESS


def is_worse(name: str, z: float) -> bool:
    """True if a metric moved (`z`: signed deviation) the way that means trouble."""
    return (z < 0) == is_health(name)


@lru_cache(maxsize=65_536)
def is_restart_counter(name: str) -> bool:
    """True if the metric counts how often the process died or came back, ever since some beginning."""
    return bool({word.lower() for word in _WORD.findall(name)} & _RESTARTS)
