"""Datasets: samples {image, depth?, text_mask?, name} whose layers travel together through torchvision transforms."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import ConcatDataset, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from comics_depth.files import UserError, read_image
from comics_depth.predictions import read_depth

Sample = dict[str, torch.Tensor | str]


class Layer(tv_tensors.TVTensor):
    """A float map (1, H, W) that follows its image: resized bilinearly (Mask would take the nearest pixel) and left
    alone by photometric transforms."""


def _follow_image(name: str) -> None:
    """Gives Layer the geometric kernel that images have."""
    image_kernel = getattr(functional, f"{name}_image")

    @functional.register_kernel(getattr(functional, name), tv_tensor_cls=Layer)
    def kernel(layer: Layer, *args, **kwargs) -> Layer:
        return tv_tensors.wrap(image_kernel(layer.as_subclass(torch.Tensor), *args, **kwargs), like=layer)


for _name in ("resize", "crop", "resized_crop", "center_crop", "horizontal_flip", "pad"):
    _follow_image(_name)


class EnlargeTo(torch.nn.Module):
    """Enlarges a sample whose shorter side is under `size` pixels; leaves larger ones as they are."""

    def __init__(self, size: int):
        super().__init__()
        self.resize, self.size = v2.Resize(size, antialias=True), size

    def forward(self, sample: Sample) -> Sample:
        return self.resize(sample) if min(sample["image"].shape[-2:]) < self.size else sample


class RandomGamma(v2.Transform):
    """image ** gamma with gamma log-uniform in [1 / most, most]; for images in [0, 1]."""

    def __init__(self, most: float = 1.5):
        super().__init__()
        self.most = most

    def make_params(self, flat_inputs: list) -> dict:
        return {"gamma": self.most ** float(torch.empty(1).uniform_(-1, 1))}

    def transform(self, value, params: dict):
        return functional.adjust_gamma(value, params["gamma"]) if isinstance(value, tv_tensors.Image) else value


def random_crops(size: int) -> v2.Transform:
    """Random square crops of images whose shorter side is an eighth longer, flipped, for translation and depth.

    The margin (286 to 256 in Zhu et al. 2017) keeps the drawn borders of frames out of most crops; without it a
    generator takes horizontal lines for what makes a comic."""
    return v2.Compose([v2.Resize(round(size * 9 / 8), antialias=True), v2.RandomCrop(size), v2.RandomHorizontalFlip()])


def central_crops(size: int) -> v2.Transform:
    """The deterministic counterpart of random_crops, for validation and sample pictures."""
    return v2.Compose([v2.Resize(size, antialias=True), v2.CenterCrop(size)])


def text_crops(size: int) -> v2.Transform:
    """Augmentation of the text-area network (probabilities: grey .1, brightness and contrast .8, gamma .8, flip .5)."""
    jitter = v2.RandomApply([v2.ColorJitter(brightness=0.2, contrast=0.2)], 0.8)
    colours = [v2.RandomGrayscale(0.1), jitter, v2.RandomApply([RandomGamma()], 0.8)]
    return v2.Compose([EnlargeTo(size), v2.RandomCrop(size), *colours, v2.RandomHorizontalFlip()])


def varied_crops(size: int, *between: torch.nn.Module) -> v2.Transform:
    """Random parts of images, a third of the picture or more, at `size`, changed by what is `between`, in changed
    colours, flipped: for learning from few images what holds at any scale."""
    crops = v2.RandomResizedCrop(size, scale=(0.3, 1), ratio=(0.75, 1.33), antialias=True)
    jitter = v2.RandomApply([v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.4, hue=0.04)], 0.8)
    colours = [v2.RandomGrayscale(0.1), jitter, v2.RandomApply([RandomGamma()], 0.5)]
    return v2.Compose([crops, *between, *colours, v2.RandomHorizontalFlip()])


class Frames(Dataset):
    """Named images with their layers.

    image, depth, text_mask: functions from a name to a path; a layer whose function is None is an absent key.
    A text map counts as text from `threshold` on (None keeps it soft). `scale` resizes image and layers when read.
    The transform's random numbers depend on (seed, epoch, index) alone, so neither the number of workers nor an
    interruption changes what is drawn.
    """

    def __init__(
        self,
        names: list[str],
        image: Callable[[str], Path],
        *,
        depth: Callable[[str], Path] | None = None,
        text_mask: Callable[[str], Path] | None = None,
        transform: Callable[[Sample], Sample] | None = None,
        threshold: float | None = 0.5,
        scale: float = 1.0,
        seed: int = 0,
    ):
        if not names:
            raise UserError("no images to read: the list of names is empty")
        functions = {"image": image, "depth": depth, "text_mask": text_mask}
        # resolved now: a missing photograph is told before the long work, and workers get no functions to pickle
        self.names = names
        self.paths = [{layer: path(name) for layer, path in functions.items() if path} for name in names]
        self.transform, self.threshold, self.scale, self.seed, self.epoch = transform, threshold, scale, seed, 0

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """{image (3, H, W) in [0, 1], depth? (1, H, W) inverse depth, text_mask? (1, H, W) in [0, 1], name}."""
        name, paths = self.names[index], self.paths[index]
        pixels = read_image(paths["image"])
        sample = {"image": tv_tensors.Image(_tensor(pixels.transpose(2, 0, 1) / np.float32(255)))}
        if "depth" in paths:
            sample["depth"] = Layer(_tensor(read_depth(paths["depth"])[None]))
        if "text_mask" in paths:
            soft = read_image(paths["text_mask"])[None, ..., 0] / np.float32(255)
            sample["text_mask"] = Layer(_tensor(soft if self.threshold is None else soft >= self.threshold))
        if {layer.shape[-2:] for layer in sample.values()} != {pixels.shape[:2]}:
            shapes = {key: tuple(layer.shape[-2:]) for key, layer in sample.items()}
            raise UserError(f"{name}: image and layers differ in size: {shapes}")
        if self.scale != 1:
            size = [max(1, round(side * self.scale)) for side in pixels.shape[:2]]
            sample = v2.Resize(size, antialias=True)(sample)
        if self.transform:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(np.random.default_rng((self.seed, self.epoch, index)).integers(2**62)))
                sample = self.transform(sample)
        return {key: layer.as_subclass(torch.Tensor).contiguous() for key, layer in sample.items()} | {"name": name}


class PairedDomains(Dataset):
    """{natural: sample, comics: sample}: every photograph once an epoch, each with a random comics frame; without
    comics, {natural: sample}."""

    def __init__(self, natural: Frames | ConcatDataset, comics: Frames | None):
        self.natural, self.comics = natural, comics
        self.datasets = [*getattr(natural, "datasets", [natural]), *([comics] if comics else [])]

    def __len__(self) -> int:
        return len(self.natural)

    def __getitem__(self, index: int) -> dict[str, Sample]:
        pair = {"natural": self.natural[index]}
        if self.comics:
            random = np.random.default_rng((self.datasets[0].seed, self.datasets[0].epoch, index))
            pair["comics"] = self.comics[int(random.integers(len(self.comics)))]
        return pair


def set_epoch(data: Dataset, epoch: int) -> None:
    """Tells a dataset, or all that it is made of, which epoch to draw its random numbers for."""
    for part in getattr(data, "datasets", [data]):
        part.epoch = epoch


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def image_tensor(image: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 (H, W, 3) as float (1, 3, H, W) in [0, 1]."""
    return _tensor(image.transpose(2, 0, 1)[None] / np.float32(255)).to(device)


def image_array(images: torch.Tensor) -> np.ndarray:
    """Float (3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    return (images.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).cpu().numpy()


def label(image: np.ndarray, text: str) -> np.ndarray:
    """The picture with a line of text above it."""
    band = np.full((18, image.shape[1], 3), 255, np.uint8)
    cv2.putText(band, text, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([band, image])
