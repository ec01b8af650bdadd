"""Datasets of frames and photographs with their layers, and pairs of two domains."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Dataset, default_collate

from comics_depth.data.depth_files import read_depth
from comics_depth.data.tensors import float_tensor
from comics_depth.data.transforms import Sample, View
from comics_depth.images import read_image
from common.errors import UserError


class Frames(Dataset):
    """Named images with their layers. image, depth, text_mask: functions from a name to a path; a
    layer without one is an absent key. A text map counts as text from `threshold` on. What a view
    draws depends on (seed, epoch, index, pair) alone: workers and interruptions change nothing."""

    def __init__(
        self,
        names: list[str],
        image: Callable[[str], Path],
        *,
        depth: Callable[[str], Path] | None = None,
        text_mask: Callable[[str], Path] | None = None,
        view: View | None = None,
        threshold: float = 0.5,
        seed: int = 0,
    ):
        if not names:
            raise UserError("no images to read: the list of names is empty")
        functions = {"image": image, "depth": depth, "text_mask": text_mask}
        # resolved now: a missing photograph is told before the long work, and workers get no
        # functions to pickle
        self.names = names
        self.paths = [
            {layer: path(name) for layer, path in functions.items() if path} for name in names
        ]
        self.view = view
        self.threshold = threshold
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """{image (3, H, W) uint8, depth? (1, H, W) inverse depth, text_mask? (1, H, W) uint8, 255
        is text, name}; see tensors.as_floats."""
        return self.sample(index)

    def sample(self, index: int, pair: int = 0) -> Sample:
        """self[index], seen otherwise in every `pair` that the frame is part of."""
        name, paths = self.names[index], self.paths[index]
        sample = {"image": torch.from_numpy(read_image(paths["image"])).permute(2, 0, 1)}
        if "depth" in paths:
            sample["depth"] = float_tensor(read_depth(paths["depth"])[None])
        if "text_mask" in paths:
            soft = torch.from_numpy(read_image(paths["text_mask"])[None, ..., 0])
            sample["text_mask"] = (soft >= self.threshold * 255).byte() * 255
        size = sample["image"].shape[1:]
        if {layer.shape[1:] for layer in sample.values()} != {size}:
            shapes = {key: tuple(layer.shape[1:]) for key, layer in sample.items()}
            raise UserError(f"{name}: image and layers differ in size: {shapes}")
        if self.view:
            with torch.random.fork_rng(devices=[]):
                seed = np.random.default_rng((self.seed, self.epoch, index, pair)).integers(2**62)
                # torch.manual_seed would keep a traceback for each kind of device, in 0.3 ms
                torch.default_generator.manual_seed(int(seed))
                window = self.view.window(*size)
                sample = {key: window.of(layer) for key, layer in sample.items()}
                if self.view.colours:
                    sample["image"] = self.view.colours(sample["image"])
        return {key: layer.contiguous() for key, layer in sample.items()} | {"name": name}


class PairedDomains(Dataset):
    """{natural, comics}: every photograph once an epoch, each with a random comics frame, if
    any."""

    def __init__(self, natural: Frames | ConcatDataset, comics: Frames | None):
        self.natural, self.comics = natural, comics
        self.datasets = [*getattr(natural, "datasets", [natural]), *([comics] if comics else [])]

    def __len__(self) -> int:
        return len(self.natural)

    def __getitem__(self, index: int) -> dict[str, Sample]:
        pair = {"natural": self.natural[index]}
        if self.comics:
            random = np.random.default_rng((self.datasets[0].seed, self.datasets[0].epoch, index))
            pair["comics"] = self.comics.sample(int(random.integers(len(self.comics))), index)
        return pair


class WithPhotographs(Dataset):
    """{comics: sample of `frames`} once an epoch, with the probability `share` also {natural: a
    random photograph}."""

    def __init__(self, frames: Dataset, photographs: Frames, share: float):
        self.datasets = [frames, photographs]
        self.share = share

    def __len__(self) -> int:
        return len(self.datasets[0])

    def __getitem__(self, index: int) -> dict[str, Sample]:
        frames, photographs = self.datasets
        random = np.random.default_rng((photographs.seed, photographs.epoch, index, 1))
        sample = {"comics": frames[index]}
        if random.random() < self.share:
            chosen = int(random.integers(len(photographs)))
            sample["natural"] = photographs.sample(chosen, index)
        return sample

    @staticmethod
    def collate(samples: list[dict]) -> dict:
        """Frames differ in size, so they stay a list; photographs, where there are any, do not."""
        batch = {"comics": [sample["comics"] for sample in samples]}
        natural = [sample["natural"] for sample in samples if "natural" in sample]
        return batch | ({"natural": default_collate(natural)} if natural else {})


def set_epoch(data: Dataset, epoch: int) -> None:
    """Tells a dataset, or all that it is made of, which epoch to draw its random numbers for."""
    for part in getattr(data, "datasets", [data]):
        part.epoch = epoch
