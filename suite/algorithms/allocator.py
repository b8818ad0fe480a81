"""Keep freed memory in the process, so that every update finds its tensors' pages mapped.

glibc gives large blocks back to the system as soon as they are freed. A learner frees and asks for
the same tens of megabytes in every update, and mapping them anew costs a third of its time.
"""

from __future__ import annotations

import ctypes
import sys

# <malloc.h>
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4

_KEPT_BYTES = 2**30
_GROWTH_BYTES = 2**26


def keep_freed_memory() -> bool:
    """Tell glibc to keep up to 1 GiB of freed memory and to serve no block by mmap.

    Call once, early, in a process that trains. Returns whether it took effect; on other systems
    and C libraries nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    options = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, _KEPT_BYTES),
        (_M_TOP_PAD, _GROWTH_BYTES),
    )
    return all([mallopt(option, value) == 1 for option, value in options])
