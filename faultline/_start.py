"""A quick start: rows wait for nothing that they do not need.

pyarrow looks for pandas with the first array, numba for SciPy, cffi and PyYAML with the first compiled function,
structlog for Rich. All of them are installed for other commands, none is used on the way of the rows, and loading them
takes a third of a start. While the three look, these libraries seem not to be there. Whoever imports them later gets
them. And what a start loads stays, so looking for garbage among it, a sixth of the start, waits until rows are stored.
"""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_UNUSED = ("pandas", "scipy", "cffi", "yaml", "rich")
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def load_without_extras() -> None:
    """Load pyarrow, numba and structlog as they are without the libraries they can do more with.

    In this process pyarrow then knows nothing of pandas, compiled functions cannot multiply matrices, and numpy
    multiplies them in one thread: its BLAS would start more, which spin in wait for work.
    """
    with _unused_hidden():
        with _one_blas_thread():
            import numpy as np  # noqa: F401 - for what loading it does
        import pyarrow as pa

        pa.array([0])
        for name in ("numba.np.arraymath", "structlog"):
            import_module(name)


@contextmanager
def without_collector() -> Iterator[None]:
    """Let Python's collector of reference cycles wait, until `resume_collector` or the end of the block.

    At the end it looks at everything again: DuckDB complains of what a process leaves behind.
    """
    gc.disable()
    try:
        yield
    finally:
        resume_collector()
        gc.unfreeze()


def resume_collector() -> None:
    """Let the collector go on where it waits, and never look at what there is by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


class _Hidden:
    """A finder that comes first, and says of some modules that they are not there."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError for a hidden module; leave others to the finders behind."""
        if name in _UNUSED:
            raise ModuleNotFoundError(f"no module {name} for those that only look for it", name=name)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    usual = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = usual or "1"
    try:
        yield
    finally:
        if usual is None:  # SciPy has a BLAS of its own, for detectors
            del os.environ[_BLAS_THREADS]


@contextmanager
def _unused_hidden() -> Iterator[None]:
    sys.meta_path.insert(0, _Hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(_Hidden)
