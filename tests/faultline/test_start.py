"""What a start of `faultline run` leaves out."""

import subprocess
import sys
from pathlib import Path

_CHECK = """
import sys
from pathlib import Path
from faultline._start import _UNUSED, load_without_extras
load_without_extras()
assert not set(_UNUSED) & sys.modules.keys(), set(_UNUSED) & sys.modules.keys()
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert names.count(Path("/proc/self/comm").read_text()) == 1, names  # Arrow's has a name of its own
import numpy as np
from numba import njit
assert njit(lambda values: values.sum())(np.ones(3)) == 3.0
import pandas, rich, scipy.linalg
assert pandas.Series([1, 2]).sum() == 3
"""


def test_what_rows_do_not_need_is_not_loaded_and_there_for_who_asks():
    done = subprocess.run([sys.executable, "-c", _CHECK], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


_RUN = """
import gc, sys, threading
from faultline._start import load_without_extras, without_collector
with without_collector():
    load_without_extras()
    from faultline.pipeline import run_pipeline
    from faultline.settings import Settings
    from ingest import FilesSource
    from storage import Store

    stop, loaded = threading.Event(), set()

    def turn(pipeline, correlator):
        assert gc.isenabled() or not pipeline.rows_committed
        if pipeline.rows_committed and not stop.is_set():
            assert gc.get_freeze_count()
            loaded.update(sys.modules)
            stop.set()

    run_pipeline(FilesSource(["in.log"]), Store.open("store"), Settings(), once=False, stop=stop, on_progress=turn)
assert gc.isenabled()
print(*sorted({name.partition(".")[0] for name in loaded} & set(sys.argv[1:])))
"""
_LATER = ("duckdb", "scipy", "networkx", "pandas", "sklearn", "statsmodels", "cffi", "yaml", "rich")


def _run(folder: Path) -> str:
    command = [sys.executable, "-c", _RUN, *_LATER, "numba"]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder, env=paths)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_restart_loads_nothing_for_its_first_rows_that_they_do_not_need_nor_looks_for_garbage(tmp_path):
    line = "2026-01-05 08:00:{:02d},000 INFO shop.Cart - added {}\n"
    for start in range(0, 60, 20):
        with (tmp_path / "in.log").open("a") as log:
            log.writelines(line.format(n, n) for n in range(start, start + 20))
        found = _run(tmp_path)
    assert found == "numba"


def test_a_run_ends_without_a_complaint_about_what_it_leaves_behind(tmp_path):
    (tmp_path / "in.log").write_text("2026-01-05 08:00:00,000 INFO shop.Cart - added 1\n" * 20)
    command = [sys.executable, "-m", "faultline", "run", "--source", "files", "in.log", "--once"]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path, env=paths)
    assert "read 20 = 20 stored" in done.stdout
    assert "leaked" not in done.stderr
