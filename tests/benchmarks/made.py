"""Labelled data made here, with faults anyone can find: what is tested is the benchmark, not the methods."""

import json
from pathlib import Path

import numpy as np
from miniature import START, metric_rows, table, truth_of, write, write_parsing

SERIES = 400
SPIKE = 300
_EVENTS = {
    "Anvil": (("E1", "hammer {} struck", "hammer <*> struck"), ("E2", "forge is hot", "forge is hot")),
    "Bell": (("E1", "rang {} times", "rang <*> times"), ("E2", "tower says dong", "tower says dong")),
}


def write_benchmark_data(data: Path) -> None:
    for system, events in _EVENTS.items():
        write_parsing(data / "parsing" / system, system, events, "_corrected", data / "parsing" / system)
    write_parsing(data / "parsing_loghub2" / "Bell", "Bell", _EVENTS["Bell"], "", None)
    write_series(data / "nab")
    write_sessions(data / "sessions")
    for run in (1, 2, 3):
        write_failure(data / "rca" / "jump" / f"cart_cpu_{run}", run)
    write_unknown(data / "rca" / "unknown" / "cart_cpu")


def time_of(i: int) -> str:
    return f"2030-01-{1 + i // 288:02d} {i // 12 % 24:02d}:{i % 12 * 5:02d}:00"


def write_series(folder: Path) -> None:
    windows, labels = {}, {}
    for k, name in enumerate(("calm/flat.csv", "wild/one.csv", "wild/two.csv")):
        values = np.random.default_rng(k).normal(size=SERIES)
        spiked = name.startswith("wild")
        if spiked:
            values[SPIKE : SPIKE + 5] += 50
        write(folder / "data" / name, table([["timestamp", "value"], *([time_of(i), v] for i, v in enumerate(values))]))
        windows[name] = [[time_of(SPIKE - 5), time_of(SPIKE + 10)]] if spiked else []
        labels[name] = [time_of(SPIKE)] if spiked else []
    write(folder / "combined_windows.json", json.dumps(windows))
    write(folder / "combined_labels.json", json.dumps(labels))


def write_sessions(folder: Path) -> None:
    rows = []
    for i in range(400):
        odd = i % 20 == 7
        events = ["open", *["read"] * (1 + i % 3), *(["oops"] * (4 + i % 5) if odd else []), "close"]
        rows.append({"block": f"b{i}", "label": int(odd), "events": events})
    write(folder / "made.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write_failure(folder: Path, seed: int, normal: int = 120, anomalous: int = 120) -> None:
    """Services cart, user and db; cpu of cart jumps at the onset. The two recordings lie an hour apart."""
    times = [*range(START, START + normal), *range(START + 5000, START + 5000 + anomalous)]
    columns = ["cart_cpu", "cart_mem", "user_cpu", "user_mem", "db_cpu", "db_mem"]
    values = np.random.default_rng(seed).normal(10, 1, size=(len(times), len(columns)))
    values[normal:, 0] += 40
    phases = ["normal"] * normal + ["anomalous"] * anomalous
    rows = [[t, phase, *row] for t, phase, row in zip(times, phases, values.tolist(), strict=True)]
    write(folder / "data.csv", table([["time", "phase", *columns], *rows]))
    truth = truth_of("cart", "cart_cpu", START + 5000, fault="cpu", normal_rows=normal, anomalous_rows=anomalous)
    write(folder / "case.json", json.dumps(truth))


def write_unknown(folder: Path) -> None:
    write(folder / "data.csv", table(metric_rows(range(0, 100, 5), ["cart_cpu", "user_cpu"])))
    write(folder / "case.json", json.dumps(truth_of("cart", "cart_cpu", None, fault="cpu")))
