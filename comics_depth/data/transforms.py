"""Crops and augmentation under which an image and its layers stay together."""

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from comics_depth.data.print_style import print_style
from comics_depth.data.tensors import float_tensor, image_array

Sample = dict[str, torch.Tensor | str]


class Layer(tv_tensors.TVTensor):
    """A float map (1, H, W) that follows its image: resized bilinearly (Mask would take the nearest
    pixel) and left alone by photometric transforms."""


def _follow_image(name: str) -> None:
    """Gives Layer the geometric kernel that images have."""
    image_kernel = getattr(functional, f"{name}_image")

    @functional.register_kernel(getattr(functional, name), tv_tensor_cls=Layer)
    def kernel(layer: Layer, *args, **kwargs) -> Layer:
        return tv_tensors.wrap(
            image_kernel(layer.as_subclass(torch.Tensor), *args, **kwargs), like=layer
        )


for _name in ("resize", "crop", "resized_crop", "center_crop", "horizontal_flip", "pad"):
    _follow_image(_name)


class EnlargeTo(torch.nn.Module):
    """Enlarges a sample whose shorter side is under `size` pixels; leaves larger ones as they
    are."""

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
        return (
            functional.adjust_gamma(value, params["gamma"])
            if isinstance(value, tv_tensors.Image)
            else value
        )


class PrintStyle(torch.nn.Module):
    """Draws the image of a sample as a printed comic, with the probability `share`; its layers stay
    as they are."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, sample: Sample) -> Sample:
        image = printed(sample["image"][None], self.share)[0]
        return sample | {"image": tv_tensors.Image(image)}


def printed(images: torch.Tensor, share: float) -> torch.Tensor:
    """Images (N, 3, H, W) in [0, 1], each with the probability `share` drawn as a printed comic; by
    torch's random numbers."""
    drawn = []
    for image in images:
        if torch.rand(()) < share:
            rng = np.random.default_rng(int(torch.randint(2**62, ())))
            pixels = print_style(image_array(image), rng).transpose(2, 0, 1)
            image = float_tensor(pixels / np.float32(255)).to(image.device)
        drawn.append(image.as_subclass(torch.Tensor))
    return torch.stack(drawn)


def random_crops(size: int) -> v2.Transform:
    """Random square crops of images whose shorter side is an eighth longer, flipped, for
    translation and depth.

    The margin (286 to 256 in Zhu et al. 2017) keeps the drawn borders of frames out of most crops;
    without it a generator takes horizontal lines for what makes a comic."""
    return v2.Compose(
        [
            v2.Resize(round(size * 9 / 8), antialias=True),
            v2.RandomCrop(size),
            v2.RandomHorizontalFlip(),
        ]
    )


def central_crops(size: int) -> v2.Transform:
    """The deterministic counterpart of random_crops, for validation and sample pictures."""
    return v2.Compose([v2.Resize(size, antialias=True), v2.CenterCrop(size)])


def text_crops(size: int) -> v2.Transform:
    """Augmentation of the text-area network (probabilities: grey .1, brightness and contrast .8,
    gamma .8, flip .5)."""
    jitter = v2.RandomApply([v2.ColorJitter(brightness=0.2, contrast=0.2)], 0.8)
    colours = [v2.RandomGrayscale(0.1), jitter, v2.RandomApply([RandomGamma()], 0.8)]
    return v2.Compose([EnlargeTo(size), v2.RandomCrop(size), *colours, v2.RandomHorizontalFlip()])


def varied_crops(size: int, *between: torch.nn.Module) -> v2.Transform:
    """Random parts of images, a third of the picture or more, at `size`, changed by what is
    `between`, in changed colours, flipped: for learning from few images what holds at any scale."""
    crops = v2.RandomResizedCrop(size, scale=(0.3, 1), ratio=(0.75, 1.33), antialias=True)
    jitter = v2.RandomApply(
        [v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.4, hue=0.04)], 0.8
    )
    colours = [v2.RandomGrayscale(0.1), jitter, v2.RandomApply([RandomGamma()], 0.5)]
    return v2.Compose([crops, *between, *colours, v2.RandomHorizontalFlip()])
