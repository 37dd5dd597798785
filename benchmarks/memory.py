"""Measure memory as lines go by: `python -m benchmarks.memory --bootstrap HOST:PORT FOLDER [--lines N]`.

A topic is filled first: lines of the simulated shop's services with values drawn afresh, hardly two of them equal,
behind a header, 500 lines a message. One worker (`faultline run`, its store in FOLDER) then takes them in, while its
resident memory is read twice a second. Reported are means around a fifth of N lines and over the last ones.
"""

import argparse
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._corpus import fresh_lines, shop_messages, with_headers
from benchmarks.restart import Worker
from ingest import fill_topic
from storage import Store

_SERVICES, _LINES_A_MESSAGE = 8, 500
_EACH_S = 0.5
_WINDOW = 0.15  # of all lines: what a mean is over
_BLOCK = 50_000


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _messages(lines: int) -> Iterator[tuple[str, str]]:
    """Yield (service, message) until there are as many lines, services in turn."""
    said = shop_messages(_SERVICES, seed=1)
    flows = {name: with_headers(_endless(texts)) for name, texts in said.items()}
    for _ in range(lines // (_LINES_A_MESSAGE * len(flows))):
        for name, flow in flows.items():
            yield name, "\n".join(islice(flow, _LINES_A_MESSAGE))


def _endless(messages: Sequence[str]) -> Iterator[str]:
    for seed in count():
        yield from fresh_lines(messages, _BLOCK, seed)


def _watched(worker: Worker, store: Path, lines: int) -> Iterator[tuple[int, float, float]]:
    """Yield lines stored, resident and anonymous MiB twice a second until all are; a minute without new ones: exit."""
    table, last, since = Store.open(store), 0, time.monotonic()
    while last < lines:
        stored = next(info.rows for info in table.describe() if info.table == "logs")
        last, since = (stored, time.monotonic()) if stored > last else (last, since)
        if time.monotonic() - since > 60:
            raise SystemExit(f"no new row for a minute after {last:,} of {lines:,}: see worker.log")
        yield stored, *worker.memory_mib()
        time.sleep(_EACH_S)


def measure(bootstrap: str, folder: Path, lines: int) -> None:
    """Fill a topic, have a worker take it in, and report."""
    topic = f"memory-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    sent = lines // (_LINES_A_MESSAGE * _SERVICES) * _LINES_A_MESSAGE * _SERVICES
    fill_topic(bootstrap, topic, _messages(lines))
    say(f"{sent:,} lines written in {time.monotonic() - began:.0f} s")
    worker, began = Worker(bootstrap, topic, folder / topic), time.monotonic()
    worker.start()
    try:
        found = np.array(list(_watched(worker, folder / topic, sent)))
    finally:
        worker.kill()
    say(f"{sent:,} lines stored in {time.monotonic() - began:.0f} s")
    means = [_mean(found, sent * (middle - _WINDOW / 2), sent * (middle + _WINDOW / 2)) for middle in (0.2, 1.0)]
    for name, column in (("resident", 0), ("anonymous", 1)):
        early, late = (mean[column] for mean in means)
        say(f"{name}: {early:.0f} MiB around {sent // 5:,} lines, {late:.0f} MiB at the end: {late / early:.2f} times")
    say(f"n = {len(found)} samples, the most {found[:, 1].max():.0f} MiB")


def _mean(found: npt.NDArray[np.float64], first: float, last: float) -> npt.NDArray[np.float64]:
    within = (found[:, 0] >= first) & (found[:, 0] <= last)
    return np.asarray(found[within, 1:].mean(axis=0))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure a worker's memory as lines go by.")
    parser.add_argument("folder", type=Path, help="where the store is written; what it holds is kept")
    parser.add_argument("--bootstrap", required=True, help="HOST:PORT of a broker")
    parser.add_argument("--lines", type=int, default=10_000_000)
    found = parser.parse_args()
    measure(found.bootstrap, found.folder, found.lines)


if __name__ == "__main__":
    main()
