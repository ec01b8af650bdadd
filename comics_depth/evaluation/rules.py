"""Rules that give depth without a network, and that a network has to beat."""

import zlib

import numpy as np


def lower_is_nearer(height: int, width: int) -> np.ndarray:
    """Reference without a network: inverse depth (H, W) that grows from the top row to the bottom
    row, 0 to 1."""
    return np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, axis=1)


def centre_is_nearer(height: int, width: int) -> np.ndarray:
    """Reference without a network: inverse depth (H, W) that falls with the distance, in units of
    the sides, from the point at half the width and 60 % of the height. The 60 % were inferred, not
    given: they reproduce the published figure of this rule on the 60 real orderings (0.605 /
    0.637), where the exact middle gives 0.519 / 0.616."""
    x, y = np.arange(width) / width - 0.5, np.arange(height)[:, None] / height - 0.6
    return (1 - np.hypot(x, y)).astype(np.float32)


def chance(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Reference without a network: inverse depth (H, W) drawn for each pixel, uniform in [0, 1)."""
    return rng.random((height, width), dtype=np.float32)


# Rules that need no network, RGB uint8 (H, W, 3) -> inverse depth (H, W); the random one is drawn
# from the frame itself, so that it is the same on every machine.
REFERENCES = {
    "lower_is_nearer": lambda image: lower_is_nearer(*image.shape[:2]),
    "centre_is_nearer": lambda image: centre_is_nearer(*image.shape[:2]),
    "chance": lambda image: chance(*image.shape[:2], np.random.default_rng(zlib.crc32(image))),
}
