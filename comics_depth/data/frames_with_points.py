"""Comics frames with the depth orderings of their points, for a training that learns order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from comics_depth.data.datasets import Frames
from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import read_ordering
from comics_depth.data.print_style import print_style
from comics_depth.data.tensors import float_tensor
from comics_depth.images import read_image
from common.errors import UserError
from models.depth_model import network_size

SIZES = (2 / 3, 7 / 6)  # long sides, as shares of the resolution
FEWEST_POINTS = 4  # that a crop keeps


class FramesWithPoints(Frames):
    """Frames with points in order of depth and a depth map whose shape is to be kept.

    ordering: function from a name to a path; `layers` and their options go to Frames. A frame is
    seen whole or as a crop, at a long side around `resolution` pixels, mirrored, in other colours,
    and with the probability `print_share` as a printed comic; all of it by (seed, epoch, index)."""

    def __init__(
        self,
        names: list[str],
        image: Callable[[str], Path],
        ordering: Callable[[str], Path],
        *,
        resolution: int = 384,
        multiple: int = 32,
        print_share: float = 0.0,
        **layers: Any,
    ):
        super().__init__(names, image, **layers)
        self.points = [np.array(read_ordering(ordering(name)), np.int64) for name in names]
        for name, points in zip(names, self.points, strict=True):
            if not len(points):
                raise UserError(f"{ordering(name)}: expected points, found none; delete the file")
        self.resolution = resolution
        self.multiple = multiple
        self.print_share = print_share

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """{image (3, H, W) uint8, depth (1, H, W), valid (1, H, W) uint8, 255 off the text, points
        (P, 4) as in an ordering, at places in the image}; see tensors.as_floats."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        paths = self.paths[index]
        image = read_image(paths["image"])
        depth = read_depth(paths["depth"])
        height, width = image.shape[:2]
        valid = np.full((height, width), 255, np.uint8)
        if "text_mask" in paths:
            text = read_image(paths["text_mask"])[..., 0]
            valid = np.uint8(text < self.threshold * 255) * 255
        points = self.points[index]
        if rng.random() < 0.5:
            (x1, y1, x2, y2), points = crop_with_points(width, height, points, rng)
            image, depth, valid = (layer[y1:y2, x1:x2] for layer in (image, depth, valid))
        long_side = max(round(self.resolution * rng.uniform(*SIZES)), self.multiple)
        size = network_size(*image.shape[:2], long_side, self.multiple)
        points = moved(points, image.shape[:2], size)
        image = self._drawn(image, size, rng)
        depth = cv2.resize(depth, size[::-1], interpolation=cv2.INTER_LINEAR)
        valid = cv2.resize(valid, size[::-1], interpolation=cv2.INTER_NEAREST)
        if rng.random() < 0.5:
            image, depth, valid = image[:, ::-1], depth[:, ::-1], valid[:, ::-1]
            points = points * (1, 1, -1, 1) + (0, 0, size[1] - 1, 0)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            "depth": float_tensor(depth[None]),
            "valid": torch.from_numpy(np.ascontiguousarray(valid[None])),
            "points": torch.from_numpy(points),
        }

    def _drawn(
        self, image: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """The image in print or in other colours, at `size`."""
        finer = rng.uniform(1, 1.5)  # screens and lines may be finer than a pixel
        drawn_at = (round(size[1] * finer), round(size[0] * finer))
        image = cv2.resize(image, drawn_at, interpolation=cv2.INTER_AREA)
        if rng.random() < self.print_share:
            image = print_style(image, rng)
        elif rng.random() < 0.6:
            image = other_colours(image, rng)
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)

    @staticmethod
    def collate(samples: list[dict]) -> dict[str, list[dict]]:
        """Frames differ in size, so a batch is a list of them."""
        return {"comics": samples}


def crop_with_points(
    width: int, height: int, points: np.ndarray, rng: np.random.Generator
) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """A random box (x1, y1, x2, y2), 55 to 100 % of each side, with points of two object levels or
    more, and its points (P, 4); all of the frame if six tries find none."""
    for _ in range(6):
        w, h = (max(1, int(side * rng.uniform(0.55, 1))) for side in (width, height))
        x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        inside = (points[:, 2:] >= (x, y)).all(1) & (points[:, 2:] < (x + w, y + h)).all(1)
        kept = points[inside]
        if len(kept) >= FEWEST_POINTS and len(np.unique(kept[:, 0])) > 1:
            return (x, y, x + w, y + h), kept - (0, 0, x, y)
    return (0, 0, width, height), points


def moved(points: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """Points (P, 4) of an image of the `old` size (H, W) where they lie at the `new` one."""
    scale = np.array([new[1] / old[1], new[0] / old[0]])
    places = np.floor((points[:, 2:] + 0.5) * scale).astype(np.int64)
    return np.column_stack([points[:, :2], places])


def other_colours(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 (H, W, 3) in other saturation, contrast and brightness."""
    values = image.astype(np.float32) / 255
    grey = values.mean(axis=2, keepdims=True)
    values = np.clip(grey + (values - grey) * np.float32(rng.uniform(0, 1.8)), 0, 1)
    values = values ** np.float32(rng.uniform(0.6, 1.6)) * np.float32(rng.uniform(0.7, 1.2))
    values += np.float32(rng.uniform(-0.1, 0.1))
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
