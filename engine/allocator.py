"""The C library's allocator, told to keep what a forecast frees: it will ask for as much again within a millisecond.

By default glibc returns large blocks to the system at once, and each network call then waits for fresh, zeroed pages:
half of the time of a forecast of the spring mesh.
"""

import ctypes
import functools
import sys

# of malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

LARGEST_KEPT = 32 * 2**20  # bytes in one block; the most that glibc takes
MOST_KEPT = 256 * 2**20  # bytes in all


@functools.cache
def keep_freed_memory() -> bool:
    """Let this process keep freed memory; returns whether its C library can be told so."""
    if sys.platform != "linux":
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return bool(tell(_M_MMAP_THRESHOLD, LARGEST_KEPT) and tell(_M_TRIM_THRESHOLD, MOST_KEPT))
