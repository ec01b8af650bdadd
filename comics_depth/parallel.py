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


def read_ahead(
    read: Callable[[Any], Any], items: Iterable[Any], ahead: int = 2
) -> Iterator[tuple[Any, Future]]:
    """(item, future of read(item)) of every item, in order, read in a thread up to `ahead` items
    before they are asked for."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque()
        for item in items:
            waiting.append((item, pool.submit(read, item)))
            if len(waiting) > ahead:
                yield waiting.popleft()
        yield from waiting


class WriteBehind:
    """Calls functions in a thread, in order, while the caller goes on, at most `behind` calls; the
    first error of theirs comes up with a later call or at the end of the with-block."""

    def __init__(self, behind: int = 2):
        self.behind = behind
        self.pool = ThreadPoolExecutor(1)
        self.waiting: deque[Future] = deque()

    def __call__(self, function: Callable, *args: Any, **options: Any) -> None:
        self.waiting.append(self.pool.submit(function, *args, **options))
        if len(self.waiting) > self.behind:
            self.waiting.popleft().result()

    def __enter__(self) -> "WriteBehind":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self.pool.shutdown()
        while self.waiting and kind is None:
            self.waiting.popleft().result()


def end_with_parent() -> None:
    """Has the system kill this process when the one that started it ends; on Linux."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
