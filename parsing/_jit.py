"""How loops over bytes are compiled: on first use, and kept on disk for the next process."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function compiled by numba, from its cache on disk where there is one.

    The cache is beside the source, else in the user's cache directory, or where NUMBA_CACHE_DIR says. Without any place
    that can be written, functions are compiled anew in each process, which takes seconds.
    """
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # no place for a cache
        return njit(function)
