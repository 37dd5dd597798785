"""Speed and memory: parsing, the whole pipeline, detection, root cause analysis; as ratios to a peer of the same run.

Each measurement has a process of its own, alone on the machine, one thread for the libraries. Corpora are made of the
labelled systems' messages, and of the simulated shop's services until there are 16 sources, with values drawn afresh
for each line (benchmarks/_corpus.py). What is compiled at the first use is compiled before the clock starts. Seconds
are wall time, but CPU time for the parser and Drain3; memory is the peak of the process, corpus included.
"""

import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks._corpus import fresh_lines, shop_messages, with_headers
from benchmarks._figures import Figure, Place
from benchmarks._methods import OURS
from benchmarks._plan import Measured, Plan, Unit
from benchmarks.datasets import CORRECTED, parsing_sets
from benchmarks.tasks import _kafka_speed, _parser_speed
from benchmarks.tasks._kafka_speed import CONSUMER, LIBRDKAFKA, PLAIN
from benchmarks.tasks._parser_speed import HEADED, PARSE, SENTENCES, SMALL, TEMPLATES, of_sentences, with_templates
from telemetry import WINDOW_METRICS

if TYPE_CHECKING:
    from ingest import Source

FOLDERS = ("parsing",)
DRAIN, KNN, GRANGER = "Drain3 masked", "PyOD KNN", "statsmodels Granger"
FILES, DETECT, RCA, GRAPH = "pipeline from files", "detection", "rca", "Granger, all pairs"
KAFKA = {"pipeline from Kafka, 1 line a message": 1, "pipeline from Kafka, 500 lines a message": 500}
SIZES = (20, 50, 100, 300)
AGAINST_IDS = ("parameters_against_ids", "headers_and_parameters_against_ids")
_ROWS = 600
_PAIRS = 60
_POINTS = (10_000, 60)
_KNN_POINTS = 4_000
_DRAIN_LINES = 96_000
_SOURCES = 16


def methods() -> dict[str, str]:
    """Return what each method does."""
    return {
        OURS: f"The stage itself: {_parser_speed.METHOD}; "
        "faultline.pipeline with source, parsing, Delta tables, detection and incidents, to the last commit; "
        f"detection.MetricScorer, {_POINTS[0]:,} series at a time; rca.granger, all ordered pairs, lags 1 to 3; "
        f"rca.diagnose on metrics alone, with the Granger graph of the most suspicious series; both on {_ROWS} rows.",
        DRAIN: "Stock Drain3 0.9.11 with the masks of its examples, one miner a source, templates only (no headers, "
        f"parameters or storage), on at most {_DRAIN_LINES:,} of the lines; CPU seconds.",
        **_kafka_speed.METHODS,
        KNN: f"The baseline of the detection task, on one series of {_KNN_POINTS:,} points.",
        GRANGER: "statsmodels.tsa.stattools.grangercausalitytests over all ordered pairs, lags 1 to 3, on the same "
        f"series; the time of {_PAIRS} pairs drawn at random, times the number of pairs: each pair costs the same.",
    }


def units(plan: Plan) -> list[Unit]:
    """List the measurements."""
    _messages(plan.data, plan.seed)
    wanted = [(kind, OURS) for kind in _parser_speed.kinds()]
    wanted += [(kind, DRAIN) for kind in (PARSE, *map(of_sentences, SENTENCES))]
    wanted += [(FILES, OURS), (DETECT, OURS), (DETECT, KNN)]
    if plan.bootstrap:
        wanted += [(kind, method) for kind in KAFKA for method in (OURS, LIBRDKAFKA, CONSUMER, PLAIN)]
    wanted += [(f"{RCA}, {size} series", OURS) for size in SIZES]
    wanted += [(f"{GRAPH}, {size} series", method) for size in SIZES for method in (OURS, GRANGER)]
    return [Unit("throughput", kind, "", method, alone=True) for kind, method in wanted]


@lru_cache(maxsize=1)
def _messages(data: Path, seed: int) -> dict[str, list[str]]:
    labelled = {one.system: one.messages.to_pylist() for one in parsing_sets(data, CORRECTED)}
    return labelled | shop_messages(max(0, _SOURCES - len(labelled)), seed)


def _corpus(plan: Plan, lines: int) -> dict[str, list[str]]:
    found = _messages(plan.data, plan.seed)
    return {name: fresh_lines(texts, lines // len(found), plan.seed) for name, texts in found.items()}


def measure(unit: Unit, plan: Plan) -> dict[str, Any]:
    """Do one measurement."""
    kind, method = unit.dataset, unit.method
    sentences = {of_sentences(count): count for count in SENTENCES}
    if method == DRAIN and kind in sentences:
        found = _parser_speed.measure_drain({"all": _parser_speed.sentences(sentences[kind], plan.seed)})
    elif method == DRAIN:
        found = _parser_speed.measure_drain(_corpus(plan, min(plan.lines, _DRAIN_LINES)))
    elif kind in _parser_speed.kinds():
        found = _parser_speed.measure(kind, _corpus(plan, plan.lines), plan.seed)
    elif kind == FILES:
        found = _pipeline_files(plan)
    elif kind in KAFKA:
        found = _kafka(plan, KAFKA[kind], method)
    elif kind == DETECT:
        found = _detect(plan) if method == OURS else _knn(plan)
    else:
        found = _MEASURED[kind.rpartition(", ")[0], method](plan, int(kind.split()[-2]))
    return found | {"peak_mib": _peak_mib()}


def _peak_mib() -> float:
    """Return the peak memory of this process; what getrusage says includes the parent's at the time it was started."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024


def _pipeline_files(plan: Plan) -> dict[str, Any]:
    from ingest import FilesSource

    corpus = _corpus(plan, plan.lines)
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder:
        logs = Path(folder) / "logs"
        logs.mkdir()
        for name, lines in corpus.items():
            (logs / f"{name.lower()}.log").write_text("\n".join(with_headers(lines)) + "\n", encoding="utf-8")
        return _run(lambda: FilesSource([logs], once=True), Path(folder), plan.lines)


def _run(source: Callable[[], "Source"], folder: Path, lines: int) -> dict[str, Any]:
    from detection import load_models
    from faultline.pipeline import run_pipeline
    from faultline.settings import Settings
    from storage import Store

    load_models()  # a run loads them as it begins, and this one ends seconds later
    settings = Settings(store=str(folder / "store"))
    settings.parser()
    store = Store.open(folder / "store")
    began = time.perf_counter()
    done = run_pipeline(source(), store, settings, once=True, stop=threading.Event())
    took = time.perf_counter() - began
    return {"sources": {"all": [done.total.read, took]}}


def _kafka(plan: Plan, per_message: int, method: str) -> dict[str, Any]:
    assert plan.bootstrap is not None
    corpus = {name: list(with_headers(lines)) for name, lines in _corpus(plan, plan.lines).items()}
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder:
        return _kafka_speed.measure(method, plan.bootstrap, corpus, per_message, Path(folder), _run)


def _detect(plan: Plan) -> dict[str, Any]:
    from detection import WARM_UP, MetricScorer

    series, windows = _POINTS
    values = np.random.default_rng(plan.seed).normal(size=(WARM_UP + windows, series))
    scorer, rows = MetricScorer(), np.arange(series)
    for point in values[:WARM_UP]:
        scorer.update(rows, point)
    sources = {}
    for number, block in enumerate(np.array_split(values[WARM_UP:], 6)):
        began = time.perf_counter()
        for point in block:
            scorer.update(rows, point)
        sources[f"part {number}"] = [block.size, time.perf_counter() - began]
    return {"sources": sources}


def _knn(plan: Plan) -> dict[str, Any]:
    from benchmarks.baselines.series import knn

    values = np.random.default_rng(plan.seed).normal(size=_KNN_POINTS)
    knn(values[:400], 0)
    began = time.perf_counter()
    knn(values, 0)
    return {"sources": {"all": [len(values), time.perf_counter() - began]}}


def _walks(plan: Plan, series: int) -> Any:
    """Return (rows, series) of series that follow each other: half of each is the one before, a step earlier."""
    rng = np.random.default_rng(plan.seed)
    values = rng.normal(size=(_ROWS, series))
    for at in range(1, series):
        values[1:, at] += values[:-1, at - 1]
    values[_ROWS * 4 // 5 :, series // 2] += 8.0
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _diagnose(plan: Plan, series: int) -> dict[str, Any]:
    from rca import Evidence, diagnose

    values = _walks(plan, series)
    step, n = 5_000_000, values.size
    columns = {
        "time": pa.array(np.repeat(np.arange(_ROWS) * step, series))
        .cast(pa.timestamp("us"))
        .cast(WINDOW_METRICS.field("time").type),
        "service": pa.array([f"service{at % series // 4}" for at in range(n)], pa.string()),
        "metric": pa.array([f"metric{at % series % 4}" for at in range(n)], pa.string()),
        "value": pa.array(values.ravel()),
    }
    table = pa.table([columns[f.name] for f in WINDOW_METRICS], schema=WINDOW_METRICS)
    evidence = Evidence(metrics=table, onset=_ROWS * 4 // 5 * step)
    diagnose(evidence, "granger")
    return {"seconds": [_timed(lambda: diagnose(evidence, "granger")) for _ in range(3)]}


def _granger(plan: Plan, series: int) -> dict[str, Any]:
    from rca import granger

    values = _walks(plan, series)
    granger(values[:, :2])
    return {"seconds": [_timed(lambda: granger(values)) for _ in range(3)]}


def _statsmodels(plan: Plan, series: int) -> dict[str, Any]:
    if find_spec("statsmodels") is None:
        return {"why": "statsmodels is not installed"}
    from statsmodels.tsa.stattools import grangercausalitytests

    values = _walks(plan, series)
    every = [(i, j) for i in range(series) for j in range(series) if i != j]
    picked = np.random.default_rng(plan.seed).choice(len(every), min(_PAIRS, len(every)), replace=False)
    pairs = [np.ascontiguousarray(values[:, [every[at][1], every[at][0]]]) for at in picked]
    grangercausalitytests(pairs[0], 3)
    seconds = _timed(lambda: [grangercausalitytests(pair, 3) for pair in pairs])
    return {"seconds": [seconds * len(every) / len(pairs)]}


_MEASURED = {(RCA, OURS): _diagnose, (GRAPH, OURS): _granger, (GRAPH, GRANGER): _statsmodels}


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def figures(found: Measured, plan: Plan) -> list[Figure]:
    """Return speeds, seconds, memory, and ratios to the peer."""
    measured = {(unit.dataset, unit.method): one for unit, one in found}
    result = [one for key, parts in measured.items() for one in _own(Place("throughput", *key, "", plan.seed), parts)]
    for kind, peer, other in _peers(measured):
        ours, theirs = measured[kind, OURS], measured[other, peer]
        place = Place("throughput", kind, OURS, peer if peer != OURS else other, plan.seed)
        if "seconds" in ours and "seconds" in theirs:
            ratio = float(np.median(theirs["seconds"]) / np.median(ours["seconds"]))
            result.append(place.one("ratio:seconds", ratio, len(ours["seconds"])))
        elif "sources" in ours and "sources" in theirs:
            metric = "ratio:points_per_s" if kind == DETECT else "ratio:lines_per_s"
            result.append(_ratio(place, metric, ours["sources"], theirs["sources"]))
    if not plan.bootstrap:
        for kind in KAFKA:
            place = Place("throughput", kind, OURS, "", plan.seed)
            result.append(place.missing("lines_per_s", "no broker given (--bootstrap HOST:PORT)"))
    return result


def _peers(measured: dict[tuple[str, str], Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what is compared: a measurement, its peer, and the measurement the peer's figure comes from."""
    for kind in (PARSE, SMALL, HEADED):
        yield kind, DRAIN, PARSE
    for kind in map(of_sentences, SENTENCES):
        yield kind, DRAIN, kind
    few, many = map(with_templates, TEMPLATES)
    yield many, OURS, few
    yield FILES, DRAIN, PARSE
    yield DETECT, KNN, DETECT
    for kind, method in measured:
        if method in (CONSUMER, PLAIN, GRANGER):
            yield kind, method, kind


def _own(place: Place, parts: dict[str, Any]) -> list[Figure]:
    if "why" in parts:
        return [place.missing("seconds", parts["why"])]
    result = []
    if "seconds" in parts:
        values = parts["seconds"]
        ends = (min(values), max(values)) if len(values) > 1 else (None, None)
        result.append(place.one("seconds", float(np.median(values)), len(values), *ends))
    else:
        metric = "points_per_s" if place.dataset == DETECT else "lines_per_s"
        result.append(place.ratio(metric, parts["sources"]))
    for at, metric in enumerate(AGAINST_IDS if "whole" in parts else ()):
        beyond = {name: [parts["whole"][name][at] - ids, ids] for name, (_, ids) in parts["sources"].items()}
        result.append(place.ratio(metric, beyond))
    if "distinct" in parts:
        result.append(place.one("distinct_share", parts["distinct"], len(parts["sources"])))
    return [*result, place.one("peak_memory_mib", parts["peak_mib"], 1)]


def _ratio(place: Place, metric: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Figure:
    """Return our speed over theirs, with an interval where both went through the same sources."""
    if ours.keys() == theirs.keys() and len(ours) > 1:
        parts = {name: [theirs[name][1] / theirs[name][0], ours[name][1] / ours[name][0]] for name in ours}
        return place.ratio(metric, parts)  # seconds a line, each source weighing the same
    speeds = [sum(one[0] for one in side.values()) / sum(one[1] for one in side.values()) for side in (ours, theirs)]
    return place.one(metric, speeds[0] / speeds[1], 1)
