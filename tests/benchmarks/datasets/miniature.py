"""A data folder in miniature, made here: the layouts of the published sets, none of their content."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LINES = 2_000
START = 1_700_000_000
DAY = "2030-01-02"

_EVENTS = {
    "Anvil": (("E1", "hammer {} struck", "hammer <*> struck"), ("E2", "forge, hot", "forge, hot")),
    "Bell": (("E1", "rang {} times", "rang <*> times"), ("E2", 'tower says "dong"', 'tower says "dong"')),
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"') else cell


def table(rows: Sequence[Sequence[object]]) -> str:
    return "".join(",".join(quoted(str(cell)) for cell in row) + "\n" for row in rows)


def write_data(data: Path) -> None:
    for system, events in _EVENTS.items():
        write_parsing(data / "parsing" / system, system, events, "_corrected", data / "parsing" / system)
    write_parsing(data / "parsing_loghub2" / "Bell", "Bell", _EVENTS["Bell"], "", None)
    write_logs(data / "logs")
    write_sessions(data / "sessions")
    write_nab(data / "nab")
    for run in (1, 2, 3):
        write_recordings(data / "rca" / "two_recordings" / f"cart_cpu_{run}")
    write_unknown_onset(data / "rca" / "unknown_onset" / "cart_latency")
    write_shop(data / "rca" / "shop")
    write_day(data / "rca" / "days" / DAY)


def write_sums(data: Path) -> None:
    files = sorted(path for path in data.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(data).as_posix()}\n" for path in files]
    write(data / "SHA256SUMS", "".join(sums))


def write_parsing(folder: Path, system: str, events: Sequence[Sequence[str]], suffix: str, raw: Path | None) -> None:
    """CR LF and no line end after the last line, as in some published logs."""
    chosen = [events[i % 2] for i in range(LINES)]
    messages = [text.format(i) for i, (_, text, _) in enumerate(chosen)]
    if raw:
        write(raw / f"{system}_2k.log", "\r\n".join(f"INFO {message}" for message in messages))
    extra = ["ParameterList"] if not suffix else []
    rows = [["LineId", "Level", "Content", "EventId", "EventTemplate", *extra]]
    rows += [
        [str(i), "INFO", message, event, template, *(["[]"] if extra else [])]
        for i, (message, (event, _, template)) in enumerate(zip(messages, chosen, strict=True), 1)
    ]
    write(folder / f"{system}_2k.log_structured{suffix}.csv", table(rows))
    listed = [["EventId", "EventTemplate", "Occurrences"]] if extra else [["EventId", "EventTemplate"]]
    listed += [[event, template, *([str(LINES // 2)] if extra else [])] for event, _, template in events]
    write(folder / f"{system}_2k.log_templates{suffix}.csv", table(listed))


def write_logs(folder: Path) -> None:
    write(folder / "Raw_1000.log", "".join(f"line {i} of b{i % 4}\n" for i in range(1000)))
    write(folder / "Raw_1000.labels.csv", "block,label,complete_in_1k\nb1,0,1\nb2,1,0\nb3,1,1\n")


def write_sessions(folder: Path) -> None:
    rows = [{"block": f"b{i}", "label": int(i == 3), "events": ["E5", "E9"] if i % 2 else ["E5"]} for i in range(5)]
    write(folder / "mini_train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write(folder / "keys_normal", "5 9 \n5 \n")
    write(folder / "keys_abnormal", "5 7 \n")
    write(folder / "templates.json", json.dumps({"E5": "got <*>", "E9": "lost <*>"}))


def nab_time(i: int) -> str:
    return f"2030-01-01 {i // 12:02d}:{i % 12 * 5:02d}:00"


def write_nab(folder: Path, labels: str = "") -> None:
    for name in ("calm/flat.csv", "wild/jump.csv"):
        rows = [["timestamp", "value"], *([nab_time(i), str(i % 7)] for i in range(100))]
        write(folder / "data" / name, table(rows))
    windows = {"calm/flat.csv": [], "wild/jump.csv": [[f"{nab_time(40)}.000000", f"{nab_time(50)}.000000"]]}
    write(folder / labels / "combined_windows.json", json.dumps(windows))
    write(folder / labels / "combined_labels.json", json.dumps({"calm/flat.csv": [], "wild/jump.csv": [nab_time(45)]}))


def metric_rows(times: Sequence[float], columns: Sequence[str]) -> list[list[object]]:
    return [["time", *columns], *([t, *(i % 5 + k for k in range(len(columns)))] for i, t in enumerate(times))]


def write_recordings(folder: Path, normal: int = 20, anomalous: int = 10) -> None:
    """Two recordings one after the other, more than an hour apart, told apart by the column `phase`."""
    times = [*range(START, START + normal), *range(START + 5000, START + 5000 + anomalous)]
    rows = metric_rows(times, ["cart_cpu", "cart_mem", "cart-db_cpu"])
    phases = ["phase"] + ["normal"] * normal + ["anomalous"] * anomalous
    write(folder / "data.csv", table([[row[0], phase, *row[1:]] for row, phase in zip(rows, phases, strict=True)]))
    truth = truth_of("cart", "cart_cpu", START + 5000, fault="cpu", normal_rows=normal, anomalous_rows=anomalous)
    write(folder / "case.json", json.dumps(truth))


def truth_of(service: str, metric: str | None, inject_time: int | None, **more: Any) -> dict[str, Any]:
    return {"root_cause_service": service, "root_cause_metric": metric, "inject_time": inject_time, **more}


def write_unknown_onset(folder: Path) -> None:
    rows = metric_rows(range(0, 100, 5), ["cart_latency", "user_latency"])
    write(folder / "data.csv", table(rows))
    write(folder / "case.json", json.dumps(truth_of("cart", "cart_latency", None, fault="delay")))


def write_shop(folder: Path) -> None:
    """Columns node|metric|statistic with nodes that contain `_`; normal operation and graph beside the cases."""
    nodes = ("Web_site", "Search_x")
    columns = [f"{node}|latency|Average" for node in nodes]
    for number, scenario in enumerate(("high", "late")):
        case = folder / f"{scenario}_issue_0"
        times = [START + number * 10_000 + 300 * i for i in range(5)]
        write(case / "data.csv", table(metric_rows(times, columns)))
        truth = {
            "root_cause_service": "Search_x",
            "root_cause_metric": None,
            "target": {"node": "Web_site", "metric": "latency", "timestamp": times[1] + 7},
            "noissue": "../high.noissue.csv" if scenario == "high" else None,
            "graph": f"../{scenario}.graph.csv",
        }
        write(case / "case.json", json.dumps(truth))
        write(folder / f"{scenario}.graph.csv", ",Web_site,Search_x\nWeb_site,0.0,1.0\nSearch_x,0.0,0.0\n")
    heads = [["microservice", *nodes], ["metric", "latency", "latency"], ["statistic", "Average", "Average"]]
    rows = [[START + 300 * i, i, i + 1] for i in range(6)]
    write(folder / "high.noissue.csv", table([*heads, ["unix_timestamp", "", ""], *rows]))


def write_day(folder: Path) -> None:
    """Three faults in one recording of an hour; logs, spans and calls beside the metrics."""
    times = list(range(START, START + 3600, 60))
    write(folder / "metrics.csv", table(metric_rows(times, ["cart_cpu", "user_cpu", "FRONT_Rate(%)"])))
    starts = (START + 600, START + 1080, START + 1200)
    write(folder / "removed_windows.json", json.dumps([[START + 601, START + 659]]))
    faults = [
        {"system": "mini", "inject_time": at, "root_cause_service": who, "fault": "cpu_contention"}
        for at, who in zip(starts, ("cart", "user", "cart"), strict=True)
    ]
    write(folder / "faults.json", json.dumps(faults))
    ns = np.array(times, np.int64) * 1_000_000_000
    logs = {
        "ts_ns": ns,
        "service": ["cart"] * len(ns),
        "trace_id": ["t"] * len(ns),
        "span_id": ["s"] * len(ns),
        "message": [f"item {i} added" for i in range(len(ns))],
    }
    pq.write_table(pa.table(logs), folder / "logs.parquet")
    spans = {
        "TraceID": [f"t{i}" for i in range(len(ns))],
        "SpanID": [f"s{i}" for i in range(len(ns))],
        "ParentID": ["root"] * len(ns),
        "PodName": ["cart-5f6b7c8d9-abcde"] * len(ns),
        "OperationName": ["add"] * len(ns),
        "StartTimeUnixNano": ns,
        "EndTimeUnixNano": ns + 1_000_000,
        "Duration": [1000] * len(ns),
    }
    pq.write_table(pa.table(spans), folder / "traces.parquet")
    write(folder / "dependency.csv", "Source,Target,Weight\nuser,cart,2\n")


def write_rcaeval(folder: Path) -> None:
    """An official archive: <service>_<fault>/<run>/ with a table and the time of injection."""
    for kind, table_name in (("cart_cpu", "data.csv"), ("cart_delay", "data.csv"), ("user_f1", "simple_metrics.csv")):
        for run in ("1", "2"):
            rows = metric_rows(range(START, START + 60), ["cart_cpu", "cart_latency-90", "user_cpu"])
            write(folder / kind / run / table_name, table(rows))
            write(folder / kind / run / "inject_time.txt", f"{START + 30}\n")
