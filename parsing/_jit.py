"""How loops over bytes are compiled: on first use, and kept on disk for the next process."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any


class Kernels:
    """The compiled loops of a module, which is imported when the first of them is called: numba takes a while."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self._module), name)
        setattr(self, name, found)  # so that the next call finds it at once
        return found


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function compiled by numba, from its cache on disk where there is one. Other threads run meanwhile.

    The cache is beside the source, else in the user's cache directory, or where NUMBA_CACHE_DIR says. Without any place
    that can be written, functions are compiled anew in each process, which takes seconds.
    """
    return _compiled(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Do the same for a small function that is to become part of the compiled functions that call it."""
    return _compiled(function, forceinline=True)


def _compiled(function: Callable[..., Any], **options: bool) -> Any:
    from numba import njit

    found = njit(nogil=True, **options)(function)
    with suppress(RuntimeError):  # no place for a cache
        found._cache = _cache_class()(function)
    return found


@cache
def _cache_class() -> Any:
    from numba.core.caching import FunctionCache
    from numba.core.runtime import rtsys

    class Cache(FunctionCache):  # type: ignore[misc]
        """numba's own loads all that the compiler knows, a sixth of a second, before it looks whether to compile."""

        def load_overload(self, signature: Any, target: Any) -> Any:
            rtsys.initialize(target)
            with self._guard_against_spurious_io_errors():
                if (found := self._load_overload(signature, target)) is not None:
                    return found
            return super().load_overload(signature, target)

    return Cache
