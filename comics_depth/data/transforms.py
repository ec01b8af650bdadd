"""Which part of a picture a sample shows, and augmentation of its colours."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from comics_depth.data.print_style import print_style
from comics_depth.data.tensors import float_tensor, image_array

Sample = dict[str, torch.Tensor | str]


class Window(NamedTuple):
    """The part of a picture that is shown at `size` (rows, columns)."""

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    mirrored: bool = False

    def of(self, layer: torch.Tensor) -> torch.Tensor:
        """This part of a layer (C, H, W) in its type, resized bilinearly with antialiasing."""
        rows = slice(self.top, self.top + self.height)
        part = layer[:, rows, self.left : self.left + self.width]
        if part.shape[1:] != self.size:
            part = interpolate(part[None], self.size, mode="bilinear", antialias=True)[0]
        return part.flip(-1) if self.mirrored else part


@dataclass(frozen=True)
class View:
    """How samples show pictures, by torch's random numbers. window: (height, width) -> what of it;
    colours: changes the image (3, h, w), uint8, alone."""

    window: Callable[[int, int], Window]
    colours: Callable[[torch.Tensor], torch.Tensor] | None = None


class RandomGamma(torch.nn.Module):
    """image ** gamma with gamma log-uniform in [1 / most, most]; for uint8, or floats in [0, 1]."""

    def __init__(self, most: float = 1.5):
        super().__init__()
        self.most = most

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        gamma = self.most ** float(torch.empty(1).uniform_(-1, 1))
        return functional.adjust_gamma(image, gamma)


def printed(images: torch.Tensor, share: float) -> torch.Tensor:
    """Images (N, 3, H, W), uint8 or in [0, 1], each with the probability `share` drawn as print."""
    drawn = []
    for image in images:
        if torch.rand(()) < share:
            rng = np.random.default_rng(int(torch.randint(2**62, ())))
            pixels = print_style(image_array(image), rng).transpose(2, 0, 1)
            if image.dtype == torch.uint8:
                image = torch.from_numpy(pixels)
            else:
                image = float_tensor(pixels / np.float32(255)).to(image.device)
        drawn.append(image)
    return torch.stack(drawn)


def as_print(image: torch.Tensor) -> torch.Tensor:
    """An image (3, H, W) drawn as a printed comic."""
    return printed(image[None], 1)[0]


# functions of the module, with arguments bound: processes that read data may have to pickle them
def _random_square(size: int, share: float, most: float, height: int, width: int) -> Window:
    """A square anywhere, its side a `share` of the shorter one, `most` pixels at most, or its
    mirror image."""
    side = round(min(max(1, share * min(height, width)), most))
    top, left = (int(torch.randint(rest - side + 1, ())) for rest in (height, width))
    return Window(top, left, side, side, (size, size), bool(torch.rand(()) < 0.5))


def _central_square(size: int, height: int, width: int) -> Window:
    side = min(height, width)
    return Window((height - side) // 2, (width - side) // 2, side, side, (size, size))


def _random_part(size: int, crops: v2.RandomResizedCrop, height: int, width: int) -> Window:
    part = crops.make_params([torch.empty(3, height, width, device="meta")])
    return Window(**part, size=(size, size), mirrored=bool(torch.rand(()) < 0.5))


def random_crops(size: int) -> View:
    """Random square parts of pictures, mirrored, for translation and depth."""
    # the margin (286 to 256 in Zhu et al. 2017) keeps the drawn borders of frames out of most
    # crops; without it a generator takes horizontal lines for what makes a comic
    return View(partial(_random_square, size, 8 / 9, math.inf))


def central_crops(size: int) -> View:
    """The squares in the middle of pictures, for validation and sample pictures."""
    return View(partial(_central_square, size))


def text_crops(size: int, scale: float = 1.0) -> View:
    """Random squares of `size` pixels of pictures seen at `scale`, small ones enlarged, mirrored,
    in other colours."""
    jitter = v2.RandomApply([v2.ColorJitter(brightness=0.2, contrast=0.2)], 0.8)
    colours = [v2.RandomGrayscale(0.1), jitter, v2.RandomApply([RandomGamma()], 0.8)]
    return View(partial(_random_square, size, 1, size / scale), v2.Compose(colours))


def varied_crops(size: int) -> View:
    """Random parts of pictures, a third or more, at `size`, mirrored, in other colours."""
    crops = v2.RandomResizedCrop(size, scale=(0.3, 1), ratio=(0.75, 1.33))
    jitter = v2.RandomApply(
        [v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.4, hue=0.04)], 0.8
    )
    colours = [v2.RandomGrayscale(0.1), jitter, v2.RandomApply([RandomGamma()], 0.5)]
    return View(partial(_random_part, size, crops), v2.Compose(colours))
