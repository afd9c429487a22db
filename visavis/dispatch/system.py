"""What a worker process asks of its operating system."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def worker_environment() -> dict[str, str]:
    """The environment of a worker process.

    Numerical libraries read their thread counts when they are loaded and would take every core in every worker; one
    thread is the default here, engines ask for more of their own (``whisper_threads``, ``kokoro_threads``). What the
    operator has set stays. The worker finds modules where this process does.
    """
    environment = dict(os.environ)
    for variable in THREAD_VARIABLES:
        environment.setdefault(variable, "1")
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return environment


def die_with_parent(parent_pid: int) -> None:
    """Let the kernel kill this process when its parent ends, however it ends (Linux; elsewhere only the socket tells).

    The kernel watches the thread that forked, here the one of the server's event loop.
    """
    if sys.platform != "linux":
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before we asked
        os._exit(1)


def name_process(name: str) -> None:
    """Name this process for top and ps (Linux, 15 bytes)."""
    if sys.platform == "linux":
        _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]))


def rss_bytes() -> int:
    """Resident memory of this process."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # no /proc: the peak is the best there is
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _prctl(option: int, argument: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
