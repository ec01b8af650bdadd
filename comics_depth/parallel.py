"""Work on many files by all cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tqdm import tqdm


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
    with ProcessPoolExecutor(workers) as pool:
        return list(bar(pool.map(function, items)))
