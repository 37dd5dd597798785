"""The report in short: one row a figure, ours and the peers' beside it; the table for a README."""

from collections.abc import Iterator, Sequence

from benchmarks._figures import MEAN, Figure
from benchmarks._methods import OURS
from benchmarks.report._tables import MAIN, ONE_TABLE, cell, number

HEADER = ("task", "measured on", "figure", "n", OURS, "peers")
_SPEEDS = ("lines_per_s", "points_per_s", "seconds")


def headline(figures: Sequence[Figure], tasks: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the rows below `HEADER`: the figures that are drawn, as means over data sets; of throughput, the speeds."""
    for task in tasks:
        mine = [one for one in figures if one.task == task]
        if task in ONE_TABLE:
            for dataset in dict.fromkeys(one.dataset for one in mine):
                yield from _speeds(task, dataset, [one for one in mine if one.dataset == dataset])
        else:
            means = [one for one in mine if one.dataset == MEAN]
            for setting in dict.fromkeys(one.setting for one in means):
                for metric in MAIN.get(task, ()):
                    beside = [one for one in means if one.setting == setting and one.metric == metric]
                    yield from _row(task, setting, metric, beside)


def _row(task: str, where: str, metric: str, beside: Sequence[Figure]) -> Iterator[tuple[str, ...]]:
    own = next((one for one in beside if one.method == OURS), None)
    if own is not None:
        peers = [f"{one.method} {number(one.value)}" for one in beside if one is not own and one.value is not None]
        yield task, where, metric, str(own.n), cell(own), "; ".join(peers)


def _speeds(task: str, dataset: str, figures: Sequence[Figure]) -> Iterator[tuple[str, ...]]:
    for metric in _SPEEDS:
        yield from _row(task, dataset, metric, [one for one in figures if one.metric == metric])
    for one in figures:
        if one.metric.startswith("ratio:"):
            yield task, dataset, one.metric, str(one.n), cell(one), f"{one.setting} = 1"
