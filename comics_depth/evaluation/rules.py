"""Rules that give depth without a network, and that a network has to beat."""

import zlib

import numpy as np


def lower_is_nearer(height: int, width: int) -> np.ndarray:
    """Inverse depth (H, W) that grows from the top row, 0, to the bottom row, 1."""
    return np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, axis=1)


def centre_is_nearer(height: int, width: int) -> np.ndarray:
    """Inverse depth (H, W) that falls with the distance, in units of the sides, from the point at
    half the width and 60 % of the height (inferred: docs/decisions.md)."""
    x, y = np.arange(width) / width - 0.5, np.arange(height)[:, None] / height - 0.6
    return (1 - np.hypot(x, y)).astype(np.float32)


def chance(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Inverse depth (H, W) drawn for each pixel, uniform in [0, 1)."""
    return rng.random((height, width), dtype=np.float32)


# RGB uint8 (H, W, 3) -> inverse depth (H, W); chance is drawn from the frame itself, so that it is
# the same on every machine
REFERENCES = {
    "lower_is_nearer": lambda image: lower_is_nearer(*image.shape[:2]),
    "centre_is_nearer": lambda image: centre_is_nearer(*image.shape[:2]),
    "chance": lambda image: chance(*image.shape[:2], np.random.default_rng(zlib.crc32(image))),
}
