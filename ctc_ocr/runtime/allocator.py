"""How the C library gives memory back to the system."""

import ctypes

M_MMAP_THRESHOLD = -3  # of mallopt, in glibc's malloc.h
LARGE_BLOCK = 16 * 2**20  # bytes


def give_back_large_blocks() -> None:
    """Let blocks from 16 MB on have a mapping of their own, as long as this process lives.

    Their pages are taken when they are first written to, and given back when the block is freed. Otherwise glibc
    raises the limit to 32 MB, and cuts larger and larger heaps into pieces. Does nothing with other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
