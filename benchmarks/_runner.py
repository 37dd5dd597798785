"""Runs the units of work: in parallel, with finished ones kept in the report folder, stopping at the first failure."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from benchmarks._plan import Plan, Unit
from benchmarks.tasks import task
from telemetry import FaultlineError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Workers inherit these: the work is spread by case, and a figure of time means one core."""

Shown = Callable[[int, int, str], None]
"""Told how many units are done, of how many, and which was last."""


class WorkerLost(FaultlineError):
    """A worker process was killed, for want of memory as a rule. Which unit it was at is not known."""


class Kept:
    """Finished units as JSON files below `folder`; `state` names code, data and seed, so nothing stale is found."""

    def __init__(self, folder: Path, state: str) -> None:
        self._folder, self._state = folder, state
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, unit: Unit) -> Path:
        key = orjson.dumps([self._state, asdict(unit)], option=orjson.OPT_SORT_KEYS)
        return self._folder / f"{hashlib.sha256(key).hexdigest()[:32]}.json"

    def get(self, unit: Unit) -> Any | None:
        """Return what was measured, or None."""
        try:
            return orjson.loads(self._path(unit).read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None

    def put(self, unit: Unit, measured: Any) -> Any:
        """Keep it; return it as `get` would."""
        data = orjson.dumps(measured, option=orjson.OPT_SERIALIZE_NUMPY)
        part = self._path(unit).with_suffix(".part")
        part.write_bytes(data)
        part.replace(self._path(unit))
        return orjson.loads(data)


def run_units(units: Sequence[Unit], plan: Plan, kept: Kept, jobs: int, shown: Shown) -> list[tuple[Unit, Any]]:
    """Return each unit with what was measured, in order. `jobs` processes; units that measure time run one by one.

    Raises what a method or reader raised first; units finished by then are kept.
    """
    found = {unit: measured for unit in units if (measured := kept.get(unit)) is not None}
    todo = [unit for unit in units if unit not in found]
    shown(len(found), len(units), f"{len(found)} kept from an earlier run" if found else "")
    for alone, workers in ((False, jobs), (True, 1)):
        group = [unit for unit in todo if unit.alone is alone]
        for unit, measured in _pool(group, plan, workers, 1 if alone else None):
            found[unit] = kept.put(unit, measured)
            shown(len(found), len(units), unit.label)
    return [(unit, found[unit]) for unit in units]


def _pool(units: Sequence[Unit], plan: Plan, workers: int, each: int | None) -> Iterator[tuple[Unit, Any]]:
    if not units:
        return
    for name in _THREADS:
        os.environ[name] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(units)), context, _worker, max_tasks_per_child=each) as pool:
        waiting: dict[Future[Any], Unit] = {}
        queue = iter(units)
        try:
            while True:
                for unit in queue:  # a few ahead, so that a failure leaves little behind
                    waiting[pool.submit(_measure, unit, plan)] = unit
                    if len(waiting) >= 2 * workers:
                        break
                if not waiting:
                    return
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    measured = future.result()
                    yield waiting.pop(future), measured
        except BrokenProcessPool:
            under_way = "; ".join(unit.label for unit in waiting.values())
            raise WorkerLost(
                f"a worker process was killed, for want of memory? Try fewer --jobs. Under way or next: {under_way}"
            ) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _worker() -> None:
    import warnings

    warnings.simplefilter("ignore")  # of libraries; what fails raises
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes; the parent ends them
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _measure(unit: Unit, plan: Plan) -> Any:
    try:
        return task(unit.task).measure(unit, plan)
    except FaultlineError as error:
        raise type(error)(*error.args) from None  # its cause may not cross to the other process
    except (Exception, SystemExit) as error:  # who calls exit() would end the whole run, and well
        raise FaultlineError(f"{unit.label}: {type(error).__name__}: {error}") from error
