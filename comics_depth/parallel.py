"""Work on many files by all cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

from tqdm import tqdm


def parallel_map(
    function: Callable, items: Iterable, description: str, workers: int | None = None
) -> list:
    """[function(item) for item in items] over processes (default: all cores), in order, with a
    progress bar."""
    items = list(items)
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers <= 1 or len(items) < 2:
        return [function(item) for item in tqdm(items, desc=description, disable=None)]
    with ProcessPoolExecutor(workers) as pool:
        return list(
            tqdm(pool.map(function, items), total=len(items), desc=description, disable=None)
        )
