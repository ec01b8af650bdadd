"""What people look at: pages beside their depth, contact sheets, moving pictures with parallax,
point clouds."""

import math
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from comics_depth.data.depth_files import preview
from comics_depth.pages.depth import fill_smoothly
from common.files import written_atomically

ANGLE = 50  # of view along the longer side, degrees, as of a usual camera
# the farthest point is taken to be so many times as far as the nearest: inverse depth does not tell
FARTHEST = 4.0
MOST_POINTS = 1_000_000
# of inverse depth in the range of a frame, from which on two pixels belong to two surfaces
STEP = 0.15


def beside_depth(image: np.ndarray, depth: np.ndarray, height: int = 1600) -> np.ndarray:
    """RGB image (H, W, 3) to the left of its inverse depth (H, W) in colours, at most `height`
    pixels high. What is much higher than wide stands there in columns, read from left to right."""
    columns = max(round(math.sqrt(image.shape[0] / image.shape[1] / 1.5)), 1)
    rows = math.ceil(image.shape[0] / columns)
    padded = ((0, rows * columns - image.shape[0]), (0, 0), (0, 0))
    folded = [
        np.hstack(np.split(np.pad(half, padded), columns)) for half in (image, preview(depth))
    ]
    return shrunk(np.hstack(folded), height / rows)


def shrunk(image: np.ndarray, factor: float) -> np.ndarray:
    """The image at `factor` times its size, where that is less than 1."""
    size = [max(round(side * factor), 1) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1 else image


def contact_sheet(pictures: list[np.ndarray], height: int = 360, width: int = 2400) -> np.ndarray:
    """RGB pictures in rows, each `height` or less high and at most `width` wide."""
    rows: list[list[np.ndarray]] = [[]]
    for picture in pictures:
        small = shrunk(picture, min(height / picture.shape[0], width / picture.shape[1]))
        if rows[-1] and sum(p.shape[1] + 8 for p in rows[-1]) + small.shape[1] > width:
            rows.append([])
        rows[-1].append(small)
    sheet = np.full((len(rows) * (height + 8), width, 3), 64, np.uint8)
    for n, row in enumerate(rows):
        x = 0
        for small in row:
            sheet[n * (height + 8) :][: small.shape[0], x : x + small.shape[1]] = small
            x += small.shape[1] + 8
    return sheet[:, : max(sum(p.shape[1] + 8 for p in row) for row in rows)]


def parallax(
    image: np.ndarray, depth: np.ndarray, steps: int = 24, side: int = 480
) -> list[np.ndarray]:
    """`steps` views of a frame from a camera that goes round an ellipse once: RGB uint8, at most
    `side` pixels long.

    image: RGB uint8 (h, w, 3); depth: inverse depth (h, w), which 0 to 1 bound. Points move in
    proportion to their inverse depth and hide what is farther; what comes to light is filled from
    the far side of the hole."""
    image, depth = (
        shrunk(values, side / max(image.shape[:2])) for values in (image, depth.astype(np.float32))
    )
    reach = 0.035 * max(depth.shape)
    near = _stepped(np.clip(depth, 0, 1)) - 0.5
    trim = min(
        math.ceil(reach / 2), min(depth.shape) // 8
    )  # past the border of a frame there is nothing to see
    inner = (slice(trim, near.shape[0] - trim), slice(trim, near.shape[1] - trim))
    angles = [2 * math.pi * step / steps for step in range(steps)]
    return [
        _view(image, near, reach * math.cos(a), 0.4 * reach * math.sin(a))[inner] for a in angles
    ]


def _stepped(depth: np.ndarray) -> np.ndarray:
    """Inverse depth whose steep slopes are steps: networks blur the edges of objects, which would
    stretch like rubber. Most of a slope goes to the object, so that no rim of it stays behind."""
    around = np.ones((9, 9), np.uint8)
    low, high = cv2.erode(depth, around), cv2.dilate(depth, around)
    return np.where(
        high - low > 2 * STEP, np.where(depth - low < 0.2 * (high - low), low, high), depth
    )


def _view(image: np.ndarray, near: np.ndarray, right: float, down: float) -> np.ndarray:
    """The image with every pixel moved by (right, down) times `near`. Depth goes forward to where
    it is seen, the nearest in front; colours are then fetched from where they came from, which
    leaves no cracks."""
    height, width = near.shape
    rows, columns = np.indices(near.shape, dtype=np.float32)
    order = np.argsort(
        near, axis=None
    )  # of several values given to one pixel numpy keeps the last, the nearest
    to_row = np.clip(np.rint(rows + down * near).astype(int), 0, height - 1).ravel()[order]
    to_column = np.clip(np.rint(columns + right * near).astype(int), 0, width - 1).ravel()[order]
    moved = np.full(near.shape, -1, np.float32)
    moved[to_row, to_column] = near.ravel()[order]
    hole = moved < -0.5
    thin = cv2.morphologyEx(hole.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) == 0
    near_by = np.ones((5, 5), np.uint8)
    rise = cv2.dilate(moved, near_by) - cv2.erode(np.where(hole, 1, moved), near_by)
    moved, hole = (
        fill_smoothly(moved, hole),
        hole & ~(thin & (rise < STEP)),
    )  # the others are cracks in one surface
    source = (columns - right * moved, rows - down * moved)
    view = cv2.remap(image, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    around = np.ones((15, 15), np.uint8)
    front = cv2.dilate(hole.astype(np.uint8), around) > 0
    front &= (
        moved > cv2.erode(moved, around) + STEP
    )  # the side that moved away has no part in the filling
    filled = np.clip(fill_smoothly(view, hole | front) + 0.5, 0, 255).astype(np.uint8)
    return np.where(hole[..., None], filled, view)


def write_animation(path: Path, views: list[np.ndarray]) -> None:
    """Writes RGB uint8 views of one size as an animated WebP that starts again at its end."""
    first, *others = [Image.fromarray(view) for view in views]
    with written_atomically(path) as temporary:
        first.save(
            temporary,
            save_all=True,
            append_images=others,
            duration=60,
            loop=0,
            quality=80,
            method=2,
        )


def write_points(path: Path, image: np.ndarray, depth: np.ndarray) -> None:
    """Writes a frame, RGB uint8 (h, w, 3) and inverse depth (h, w), which 0 to 1 bound, as a point
    cloud: PLY, binary, x right, y up, z towards the camera, which is at the origin; the nearest
    points are at distance 1, see FARTHEST."""
    factor = math.sqrt(MOST_POINTS / depth.size)
    image, depth = shrunk(image, factor), shrunk(depth.astype(np.float32), factor)
    height, width = depth.shape
    distance = 1 / (1 / FARTHEST + (1 - 1 / FARTHEST) * np.clip(depth, 0, 1))
    focal = max(height, width) / 2 / math.tan(math.radians(ANGLE / 2))
    rows, columns = np.indices(depth.shape)
    points = np.empty(
        depth.size,
        [(axis, "<f4") for axis in "xyz"] + [(c, "u1") for c in ("red", "green", "blue")],
    )
    points["x"] = ((columns - (width - 1) / 2) / focal * distance).ravel()
    points["y"] = (((height - 1) / 2 - rows) / focal * distance).ravel()
    points["z"] = -distance.ravel()
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = image[..., channel].ravel()
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    head += [
        f"property {'float' if kind == '<f4' else 'uchar'} {name}"
        for name, kind in points.dtype.descr
    ]
    with written_atomically(path) as temporary:
        temporary.write_bytes("\n".join([*head, "end_header\n"]).encode() + points.tobytes())
