"""Memory that pages of a mapped file take: given back as soon as they have been read for the last time."""

import ctypes
import mmap

import torch

MADV_PAGEOUT = 21
"""https://man7.org/linux/man-pages/man2/madvise.2.html, since Linux 5.4. mmap of Python 3.11 does not name it."""


def page_out(tensor: torch.Tensor) -> None:
    """Has the kernel take away the pages that a contiguous tensor lies in.

    Those of a file are read from it again where they are needed after all; others stay, or go to swap where there is
    some. So the tensor keeps its values, and a kernel that refuses does no harm.
    """
    begin = tensor.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    end = tensor.data_ptr() + tensor.numel() * tensor.element_size()
    if end > begin:
        _libc().madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), MADV_PAGEOUT)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
