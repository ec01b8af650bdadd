"""How batches of a dataset come: in which order, read by whom, and how long they are waited for."""

import os
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from comics_depth.data.datasets import set_epoch
from comics_depth.data.tensors import as_floats


class EpochOrder(Sampler):
    """(epoch, index) of `count` samples in an order that seed and epoch decide on."""

    def __init__(self, count: int, seed: int):
        self.count = count
        self.seed = seed
        self.epoch = 1

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        torch.empty((), dtype=torch.int64).random_(generator=order)  # as DataLoader's own order is
        for index in torch.randperm(self.count, generator=order).tolist():
            yield self.epoch, index


class AtEpoch(Dataset):
    """A dataset by (epoch, index): processes that live on are told of the next epoch so."""

    def __init__(self, data: Dataset):
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, place: tuple[int, int]) -> Any:
        epoch, index = place
        set_epoch(self.data, epoch)
        return self.data[index]


def data_loader(
    data: Dataset, batch_size: int, workers: int | None, device: torch.device, **options
) -> DataLoader:
    """Batches of `data`, read by `workers` processes that live on (None: a number that suits the
    device), in memory that goes to a GPU without a copy; options go to DataLoader."""
    on_gpu = device.type == "cuda"
    if workers is None:
        workers = min(8, os.cpu_count() or 1) if on_gpu else 0
    return DataLoader(
        data,
        batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=on_gpu,
        generator=torch.Generator(),  # or every pass draws from the random numbers of the training
        **options,
    )


class Arriving:
    """The batches of an epoch with their images as floats, and the seconds that they were `waited`
    for."""

    def __init__(self, loader: DataLoader):
        self.loader = loader
        self.waited = 0.0

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.loader)
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - started
            if batch is None:
                return
            yield as_floats(batch)
