"""Runs a shop into a sink: as fast as it goes, or paced to the wall clock."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from simulation._faults import Fault, demo_schedule, schedule
from simulation._shop import Shop
from simulation._sinks import Sink

DEFAULT_START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
BACKFILL_S = 7200
_CHUNK_S = 5
_FOREVER = 10 * 366 * 86400


def simulate(
    sink: Sink,
    *,
    start: datetime = DEFAULT_START,
    seconds: int | None = None,
    seed: int = 1,
    faults: Sequence[Fault] | str | None = None,
    speed: float | None = None,
    backfill: int = 0,
    on_live: Callable[[], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """Write `seconds` of the shop (None: until `stop`) and return the truth: the faults that begin in that time.

    start: event time of the first second, with a time zone, on a full second. faults: None for none, "schedule" for the
    seed's, or a list. speed: None for as fast as possible, else simulated seconds per wall second; the first `backfill`
    seconds are written as fast as possible in any case, then `on_live` is called once, and pacing counts from there.
    Bytes depend on start, seed and faults only. Raises UsageError for a bad start, SourceError if the sink fails.
    """
    chosen = (
        schedule(seed) if faults == "schedule" else [] if faults is None or isinstance(faults, str) else list(faults)
    )
    length = _FOREVER if seconds is None else seconds
    shop = Shop(seed, start, chosen)
    truth = [fault.truth(shop.start) for fault in chosen if fault.start < length]
    sink.truth(truth)
    while shop.second < min(backfill, length) and not stop():
        sink.write(shop.advance(min(60, backfill - shop.second)))
    if on_live is not None:
        on_live()
    each = 1 if speed is not None and speed <= 5 else _CHUNK_S
    began, first = time.monotonic(), shop.second
    while shop.second < length and not stop():
        chunk = shop.advance(min(each, length - shop.second))
        if speed is not None and not _wait(began + (chunk.end - first) / speed, stop):
            break
        sink.write(chunk)
    return truth


def demo(
    sink: Sink,
    *,
    live_start: datetime,
    seconds: int | None = None,
    seed: int = 1,
    speed: float = 1.0,
    on_live: Callable[[], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """Back-fill two quiet hours that end at `live_start`, then go on live; the first fault comes 5-15 s into it.

    seconds: length of the live part. Returns the truth, as `simulate` does.
    """
    return simulate(
        sink,
        start=live_start - timedelta(seconds=BACKFILL_S),
        seconds=None if seconds is None else BACKFILL_S + seconds,
        seed=seed,
        faults=demo_schedule(seed, BACKFILL_S),
        speed=speed,
        backfill=BACKFILL_S,
        on_live=on_live,
        stop=stop,
    )


def _wait(until: float, stop: Callable[[], bool]) -> bool:
    """Sleep until a moment of the monotonic clock; False if asked to stop meanwhile."""
    while (left := until - time.monotonic()) > 0:
        if stop():
            return False
        time.sleep(min(left, 0.2))
    return True
