"""Memory of the C library, which numpy's and Python's large blocks come from."""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
_LARGEST_KEPT = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Let glibc keep what a batch frees for the next one.

    It gives blocks back to the system above limits that follow the largest block freed so far. Those end up just where
    a batch of Kafka's lies, so all of it came and went page by page, each zeroed by the kernel: a tenth of the CPU time
    from Kafka. These are the highest values the limits can reach by themselves, from the start. Other C libraries have
    no such call.
    """
    with suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_KEPT)
