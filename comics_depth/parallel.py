"""Work on many files by all cores."""

import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from tqdm import tqdm

from common.errors import UserError


def parallel_map(
    function: Callable, items: Iterable, description: str, workers: int | None = None
) -> list:
    """[function(item) for item in items] over processes (default: all cores), in order, with a
    progress bar."""
    items = list(items)
    workers = os.cpu_count() or 1 if workers is None else workers
    bar = partial(tqdm, total=len(items), desc=description, disable=None)
    if workers <= 1 or len(items) < 2:
        return list(bar(map(function, items)))
    try:
        with ProcessPoolExecutor(workers, initializer=end_with_parent) as pool:
            return list(bar(pool.map(function, items)))
    except BrokenProcessPool:
        message = f"{description}: a worker was killed, most likely for want of memory"
        raise UserError(f"{message}; run it again with fewer --workers") from None


def in_a_thread(
    work: Callable[[Any], Any], items: Iterable[Any], ahead: int = 2
) -> Iterator[tuple[Any, Future]]:
    """(item, future of work(item)) of every item, in order, done in a thread up to `ahead` items
    before they are asked for: files are read before their turn, or written while the next item is
    computed."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque()
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > ahead:
                yield waiting.popleft()
        yield from waiting


def end_with_parent() -> None:
    """Has the system kill this process when the one that started it ends; on Linux."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
