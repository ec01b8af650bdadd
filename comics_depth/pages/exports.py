"""What is written of a page and its frames beside their depth, as it is asked for."""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from comics_depth.images import write_image
from comics_depth.pages.depth import FrameDepth, fill_smoothly
from comics_depth.pages.motion import parallax, write_animation
from comics_depth.pages.pictures import stepped
from common.errors import UserError

PATHS = ("circle", "sweep", "dolly")
FORMATS = ("webp", "gif", "mp4")
MOST_LAYERS = 32
EDGE = 0.015  # of the long side of a frame: what belongs to its border
REACH = 0.06  # of the long side of a frame: how far a layer goes on behind nearer ones


@dataclass(frozen=True)
class Exports:
    """What is asked for; layers: how many, 0 for none; size (pixels), strength, path and format are
    those of the parallax. Raises UserError for impossible values."""

    depth8: bool = False
    mesh: bool = False
    layers: int = 0
    parallax: bool = False
    size: int = 480
    strength: float = 1.0
    path: str = "circle"
    format: str = "webp"
    crops: bool = False
    text_masks: bool = False

    def __post_init__(self) -> None:
        if self.layers and not 2 <= self.layers <= MOST_LAYERS:
            raise UserError(f"expected --layers from 2 to {MOST_LAYERS}, found {self.layers}")
        if not 32 <= self.size <= 4096:
            raise UserError(f"expected --size from 32 to 4096 pixels, found {self.size}")
        if not 0 < self.strength <= 3:
            raise UserError(f"expected --strength above 0, to 3, found {self.strength}")
        encoder = importlib.util.find_spec("imageio_ffmpeg")
        if self.parallax and self.format == "mp4" and not encoder:
            raise UserError("--format mp4 needs an encoder: pip install imageio-ffmpeg")

    @property
    def names(self) -> list[str]:
        """The kinds of files that are asked for, each with what decides on it."""
        names = [n for n in ("depth8", "mesh", "crops", "text_masks") if getattr(self, n)]
        if self.layers:
            names.append(f"layers {self.layers}")
        if self.parallax:
            names.append(f"parallax {self.path} {self.format} {self.size} {self.strength}")
        return names


def write_exports(stem: Path, image: np.ndarray, frame: FrameDepth, exports: Exports) -> None:
    """Writes what is asked for of a frame, RGB uint8 (h, w, 3), to `<stem><kind>`."""

    def path(kind: str) -> Path:
        return stem.with_name(stem.name + kind)

    if exports.depth8:
        write_depth8(path("_depth8.png"), frame.depth)
    if exports.mesh:
        from comics_depth.pages.solids import write_mesh, write_points  # slow to import

        write_mesh(path(".glb"), image, frame.depth)
        write_points(path(".ply"), image, frame.depth)
    if exports.layers:
        for n, layer in enumerate(layers(image, frame.depth, exports.layers), start=1):
            write_image(path(f"_layer_{n:02d}.png"), layer)
    if exports.parallax:
        views = parallax(
            image,
            frame.depth,
            side=exports.size,
            strength=exports.strength,
            path=exports.path,
        )
        write_animation(path(f".{exports.format}"), views)
    if exports.crops:
        write_image(path("_image.jpg"), image)
    if exports.text_masks:
        write_image(path("_text.png"), frame.text.astype(np.uint8) * 255)


def write_depth8(path: Path, depth: np.ndarray) -> None:
    """Writes inverse depth (h, w) as a grey PNG, 0 the farthest and 255 the nearest."""
    low, high = float(depth.min()), float(depth.max())
    write_image(path, np.round((depth - low) / max(high - low, 1e-12) * 255).astype(np.uint8))


def layers(image: np.ndarray, depth: np.ndarray, count: int) -> list[np.ndarray]:
    """A frame, RGB uint8 (h, w, 3) and inverse depth (h, w), cut into at most `count` pictures,
    RGBA uint8, from near to far, which give the frame again where they lie on each other. Each goes
    on a little behind the nearer ones, the farthest behind all of them. Cut where depth clusters
    (k-means)."""
    from scipy.cluster.vq import kmeans2  # slow to import

    depth = stepped(depth)
    sample = depth.ravel()[:: max(depth.size // 50_000, 1)]
    start = np.unique(np.quantile(sample, np.linspace(0, 1, count)))
    centres = np.unique(kmeans2(sample, start, minit="matrix", missing="warn")[0])
    # 0 is the nearest
    order = len(centres) - 1 - np.digitize(depth, (centres[1:] + centres[:-1]) / 2)
    reach = 2 * round(REACH * max(depth.shape)) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    # lines and round corners of the frame are not to spread
    edge = math.ceil(EDGE * max(depth.shape))
    inner = np.zeros(depth.shape, bool)
    inner[edge:-edge, edge:-edge] = True
    pictures = []
    for n in np.unique(order):
        own = order == n
        known = own & inner if (own & inner).any() else own
        filled = np.clip(fill_smoothly(image, ~known) + 0.5, 0, 255).astype(np.uint8)
        shown = own | ((order < n) & (cv2.dilate(own.astype(np.uint8), around) > 0))
        if n == order.max():
            shown[:] = True
        pictures.append(np.dstack([np.where(own[..., None], image, filled), shown * np.uint8(255)]))
    return pictures
