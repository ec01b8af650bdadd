"""Moving pictures: a frame seen from a camera that moves."""

import io
import math
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from imageio.v3 import imwrite
from PIL import Image

from comics_depth.pages.depth import fill_smoothly
from comics_depth.pages.pictures import STEP, shrunk, stepped
from common.files import write_bytes

SHIFT = 0.035  # of the long side: how far the nearest points move against the farthest
ZOOM = 0.15  # how much the nearest points grow in a dolly
DURATION = 60  # of a view, milliseconds


def parallax(
    image: np.ndarray,
    depth: np.ndarray,
    steps: int = 24,
    side: int = 480,
    strength: float = 1.0,
    path: str = "circle",
) -> list[np.ndarray]:
    """`steps` views of a frame from a camera that goes round an ellipse (circle), from side to side
    (sweep) or in and out (dolly) once: RGB uint8, at most `side` pixels long.

    image: RGB uint8 (h, w, 3); depth: inverse depth (h, w), which 0 to 1 bound. Points move in
    proportion to their inverse depth and hide what is farther, at strength 1 by 3.5 % of the long
    side, or by 15 % of their way from the middle (dolly); what comes to light is filled from the
    far side of the hole."""
    image, depth = (
        shrunk(values, side / max(image.shape[:2])) for values in (image, depth.astype(np.float32))
    )
    reach = strength * SHIFT * max(depth.shape)
    near = stepped(np.clip(depth, 0, 1)) - 0.5
    # past the border of a frame there is nothing to see
    trim = min(math.ceil(reach / 2), min(depth.shape) // 8)
    inner = (slice(trim, near.shape[0] - trim), slice(trim, near.shape[1] - trim))
    views = []
    for angle in (2 * math.pi * step / steps for step in range(steps)):
        right, down = reach * math.cos(angle), 0.4 * reach * math.sin(angle)
        if path == "circle":
            view = _view(image, near, right, down)
        elif path == "sweep":
            view = _view(image, near, right)
        else:  # the farthest points stay, so that nothing comes in at the border
            view = _view(image, near, zoom=strength * ZOOM * (1 - math.cos(angle)) / 2)
        views.append(view[inner])
    return views


def _view(
    image: np.ndarray, near: np.ndarray, right: float = 0, down: float = 0, zoom: float = 0
) -> np.ndarray:
    """The image with every pixel moved by (right, down) times `near`, and away from the middle by
    `zoom` times `near` + 0.5 of its way. Depth goes forward to where it is seen, the nearest in
    front; colours are then fetched from where they came from, which leaves no cracks."""
    height, width = near.shape
    middle = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    rows, columns = np.indices(near.shape, dtype=np.float32) - middle[:, None, None]
    growth = 1 + zoom * (near + 0.5)
    to_row = rows * growth + down * near + middle[0]
    to_column = columns * growth + right * near + middle[1]
    # of several values given to one pixel numpy keeps the last, the nearest
    order = np.argsort(near, axis=None)
    moved = np.full(near.shape, -1, np.float32)
    # what grows would tear at every few pixels, so that each point takes all that are next to it
    ways = (np.floor, np.ceil) if zoom else (np.rint,)
    for of_rows, of_columns in product(ways, ways):
        row = np.clip(of_rows(to_row).astype(int), 0, height - 1).ravel()[order]
        column = np.clip(of_columns(to_column).astype(int), 0, width - 1).ravel()[order]
        one = np.full(near.shape, -1, np.float32)
        one[row, column] = near.ravel()[order]
        moved = np.maximum(moved, one)
    hole = moved < -0.5
    thin = cv2.morphologyEx(hole.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) == 0
    near_by = np.ones((5, 5), np.uint8)
    rise = cv2.dilate(moved, near_by) - cv2.erode(np.where(hole, 1, moved), near_by)
    moved = fill_smoothly(moved, hole)
    hole = hole & ~(thin & (rise < STEP))  # the others are cracks in one surface
    growth = 1 + zoom * (moved + 0.5)
    from_column = (columns - right * moved) / growth + middle[1]
    from_row = (rows - down * moved) / growth + middle[0]
    view = cv2.remap(image, from_column, from_row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    around = np.ones((15, 15), np.uint8)
    # the side that moved away has no part in the filling
    front = cv2.dilate(hole.astype(np.uint8), around) > 0
    front &= moved > cv2.erode(moved, around) + STEP
    filled = np.clip(fill_smoothly(view, hole | front) + 0.5, 0, 255).astype(np.uint8)
    return np.where(hole[..., None], filled, view)


def write_animation(path: Path, views: list[np.ndarray]) -> None:
    """Writes RGB uint8 views of one size as a WebP or GIF that starts again at its end, or as MP4
    (H.264) for editors."""
    kind = path.suffix[1:]
    if kind == "mp4":
        height, width = (side // 2 * 2 for side in views[0].shape[:2])
        even = [view[:height, :width] for view in views]
        how = {"plugin": "FFMPEG", "fps": 1000 / DURATION, "macro_block_size": 2}
        write_bytes(path, imwrite("<bytes>", even, extension=".mp4", **how))
        return
    first, *others = [Image.fromarray(view) for view in views]
    options = {"quality": 80, "method": 2} if kind == "webp" else {}
    options |= {"save_all": True, "append_images": others, "duration": DURATION, "loop": 0}
    content = io.BytesIO()
    first.save(content, kind, **options)
    write_bytes(path, content.getbuffer())
