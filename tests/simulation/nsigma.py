"""The N-sigma baseline on the report's faults: how often the loudest service is the guilty one.

A service's score is the largest |mean after - mean before| / sd before over its metrics, at the exact onset; before: up
to 10 min since the previous fault ended, after: until the fault ends. As a program: the table by kind and severity.
"""

import sys
from collections import defaultdict

import numpy as np
import orjson

from simulation import DEFAULT_START, LEVELS, NAMES, Fault, Shop, report_schedule, report_seconds

_METRICS = 10


def metrics(seed: int) -> np.ndarray:
    """The report run's metrics (scrape, service, metric), NaN where a service lacks one; no logs or spans are made."""
    shop = Shop(seed, DEFAULT_START, report_schedule(seed))
    shop._requests.second = lambda *_: None  # requests draw from a generator of their own
    lines = [line for chunk in shop.chunks(int(report_seconds(seed)), 600) for line in chunk.metrics]
    values = np.full((len(lines), _METRICS), np.nan)
    for row, line in zip(values, lines, strict=True):
        found = list(orjson.loads(line)["metrics"].values())
        row[: len(found)] = found
    return values.reshape(-1, len(NAMES), _METRICS)


def rank(values: np.ndarray, fault: Fault, quiet_since: float) -> int:
    """Rank of the guilty service, 1 is best."""
    onset, end = int(fault.start // 5), int(fault.end // 5)
    before, after = values[max(onset - 120, int(quiet_since // 5)) : onset], values[onset:end]
    spread = before.std(axis=0)
    z = np.abs(after.mean(axis=0) - before.mean(axis=0)) / np.where(spread < 1e-12, 1, spread)
    scores = np.nan_to_num(z, nan=-1).max(axis=1)
    return int((scores > scores[NAMES.index(fault.service or "")]).sum()) + 1


def ranks(seeds: range) -> dict[tuple[str, str], list[int]]:
    """Ranks by (kind, severity); surges, which have no guilty service, are left out."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for seed in seeds:
        values, ended = metrics(seed), 0.0
        for fault in report_schedule(seed):
            if fault.service:
                found[fault.kind, fault.severity].append(rank(values, fault, ended + 30))
            ended = fault.end
    return found


if __name__ == "__main__":
    table = ranks(range(int(sys.argv[1]), int(sys.argv[2]) + 1))
    for kind in dict.fromkeys(kind for kind, _ in table):
        cells = [f"{np.mean(np.array(table[kind, level]) == 1):.2f} (n={len(table[kind, level])})" for level in LEVELS]
        print(f"{kind:16s}", *cells)
    for level in LEVELS:
        print(
            level, round(float(np.mean([r == 1 for (_, at), found in table.items() if at == level for r in found])), 3)
        )
    every = np.array([r for found in table.values() for r in found])
    print(
        "all: AC@1", round(float((every == 1).mean()), 3), "AC@3", round(float((every <= 3).mean()), 3), "n", len(every)
    )
