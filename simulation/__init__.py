"""A microservice shop with faults whose cause is known: logs, metrics and spans to learn and to be measured on.

`simulate` and `demo` run a shop into a sink (`FilesSink`, `KafkaSink`); `Shop` yields its chunks one by one.
Faults (`make_fault`, `parse_fault`) and schedules depend on the seed alone; `SEVERITIES` is the frozen table.
Topology -> life (ordinary happenings, faults) -> queueing model -> requests (lines, spans) and scrapes (metrics).
The truth goes to `truth/faults.json`, never into the telemetry.
"""

from simulation._faults import (
    ELIGIBLE,
    KINDS,
    LEVELS,
    PAIRS,
    SEVERITIES,
    Fault,
    demo_schedule,
    make_fault,
    parse_fault,
    report_schedule,
    report_seconds,
    schedule,
)
from simulation._run import BACKFILL_S, DEFAULT_START, demo, simulate
from simulation._shop import Chunk, Shop
from simulation._sinks import FilesSink, KafkaSink, Sink
from simulation._topology import EDGES, NAMES, SERVICES

__all__ = [
    "BACKFILL_S",
    "DEFAULT_START",
    "EDGES",
    "ELIGIBLE",
    "KINDS",
    "LEVELS",
    "NAMES",
    "PAIRS",
    "SERVICES",
    "SEVERITIES",
    "Chunk",
    "Fault",
    "FilesSink",
    "KafkaSink",
    "Shop",
    "Sink",
    "demo",
    "demo_schedule",
    "make_fault",
    "parse_fault",
    "report_schedule",
    "report_seconds",
    "schedule",
    "simulate",
]
