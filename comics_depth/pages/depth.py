"""Inverse depth of whole comics pages: each frame by itself, without its text, put together to a
page again."""

import math
from collections import defaultdict
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from comics_depth.data.annotations import Box
from comics_depth.data.tensors import image_tensor
from comics_depth.pages.guided import guided_upsampling
from common.errors import UserError

# length over width of a frame that the depth network sees at once: at 384 px, 77 across
LONGEST = 5
OUTLINE = 1 / 200  # of a page's width: around text, where its outline still is
GUTTER = 0.1  # how much farther than everything else the gutters are, in units of a frame's range


class FrameDepth(NamedTuple):
    """A frame of a page. box: (x1, y1, x2, y2), x2 and y2 exclusive; depth: inverse depth, float32
    (h, w), larger is nearer, 0 and 1 its 2nd and 98th percentile; text: boolean (h, w), where (and
    OUTLINE around it) depth is taken from the surroundings."""

    box: Box
    depth: np.ndarray
    text: np.ndarray


class PageDepth(NamedTuple):
    """Inverse depth of a page, float32 (H, W), larger is nearer, and its frames in reading
    order."""

    depth: np.ndarray
    frames: list[FrameDepth]


@torch.inference_mode()
def depth_of_page(
    image: np.ndarray,
    model: nn.Module,
    text: np.ndarray | None = None,
    boxes: list[Box] | None = None,
    inside: np.ndarray | None = None,
    batch_size: int = 8,
) -> PageDepth:
    """Inverse depth of a page, RGB uint8 (H, W, 3); see PageDepth, FrameDepth and `compose` for
    what the values mean.

    model: a models.depth.DepthModel. text: boolean (H, W), what is filled before `model` sees the
    frame, and takes its depth from around it (None: text stays). boxes: the frames inside the page
    (None: all of it is one). inside: boolean (H, W), what is inside a frame, which tells neighbours
    beside a slanted gutter apart. At most `batch_size` frames that `model` sees at the same size go
    together. Raises UserError if it gives values that are not finite."""
    height, width = image.shape[:2]
    boxes = boxes or [(0, 0, width, height)]
    inputs = []
    masks = []
    holes = []
    windows = []
    reach = 2 * round(OUTLINE * min(width, height / 1.4)) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        crop = image[y1:y2, x1:x2]
        mask = np.zeros(crop.shape[:2], bool) if text is None else text[y1:y2, x1:x2]
        hole = cv2.dilate(mask.astype(np.uint8), around) > 0
        if hole.any():
            crop = np.clip(fill_smoothly(crop, hole) + 0.5, 0, 255).astype(np.uint8)
        masks.append(mask)
        holes.append(hole)
        inputs.append(crop)
        windows += [(index, window) for window in _windows(*mask.shape)]
    depths = _predict([inputs[index][window] for index, window in windows], model, batch_size)
    frames = []
    for index, (box, mask) in enumerate(zip(boxes, masks, strict=True)):
        parts = [
            (window, standardise(depth))
            for (n, window), depth in zip(windows, depths, strict=True)
            if n == index
        ]
        depth = standardise(fill_smoothly(_join(parts, mask.shape), holes[index]))
        frames.append(FrameDepth(box, depth, mask))
    return PageDepth(compose(frames, gutters((height, width), frames, inside)), frames)


@torch.inference_mode()
def text_map(network: nn.Module, image: np.ndarray, scale: float) -> np.ndarray:
    """Probability of text, float32 (H, W), in an RGB uint8 (H, W, 3) image, which the network sees
    at `scale`."""
    images = image_tensor(image, next(network.parameters()).device)
    size = [max(1, round(side * scale)) for side in image.shape[:2]]
    if scale != 1:
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
    soft = functional.interpolate(network(images).float(), image.shape[:2], mode="bilinear")
    return soft[0, 0].clamp(0, 1).cpu().numpy()


def fill_smoothly(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """`values` (H, W[, C]) as float32 with the pixels of `hole`, boolean (H, W), interpolated from
    around them: from a pyramid of the means of what is known (pull-push, Gortler et al. 1996). Left
    as they are where nothing is known."""
    values = np.asarray(values, np.float32)
    if hole.all() or not hole.any():
        return values
    known = (~hole).astype(np.float32)
    size = ((hole.shape[1] + 1) // 2, (hole.shape[0] + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    spread = (...,) + (None,) * (values.ndim - 2)
    sums = cv2.resize(values * known[spread], size, interpolation=cv2.INTER_AREA)
    coarse = fill_smoothly(sums / np.maximum(weight, 1e-6)[spread], weight < 1e-6)
    fine = cv2.resize(coarse, hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(hole[spread], fine, values)


def _windows(height: int, width: int) -> list[tuple[slice, slice]]:
    """What of a frame the network sees at once: all, or windows twice as long as wide that overlap
    by at least a quarter, along a frame longer than LONGEST."""
    short, long = sorted((height, width))
    if long <= LONGEST * short:
        return [(slice(0, height), slice(0, width))]
    last = long - 2 * short
    starts = np.linspace(0, last, math.ceil(last / (1.5 * short)) + 1).astype(int).tolist()
    along = [slice(start, start + 2 * short) for start in starts]
    across = slice(0, short)
    return [(part, across) if height > width else (across, part) for part in along]


def _join(parts: list[tuple[tuple[slice, slice], np.ndarray]], size: tuple[int, int]) -> np.ndarray:
    """Windows of one frame as a map (H, W), mixed where they overlap, each the more the farther its
    own end is."""
    total, weights = np.zeros((2, *size), np.float32)
    for window, depth in parts:
        height, width = depth.shape
        weight = _to_edge(height)[:, None] if size[0] > size[1] else _to_edge(width)
        total[window] += weight * depth
        weights[window] += weight
    return total / weights


def _to_edge(count: int) -> np.ndarray:
    """Pixels to the nearer edge, from 1, of each of `count` rows or columns."""
    ramp = np.arange(1, count + 1, dtype=np.float32)
    return np.minimum(ramp, ramp[::-1])


def _predict(images: list[np.ndarray], model: nn.Module, batch_size: int) -> list[np.ndarray]:
    """Inverse depth (h, w) of each image: those that the network sees at the same size together."""
    sized: dict[tuple[int, int], list[tuple[int, Tensor]]] = defaultdict(list)
    for index, image in enumerate(images):
        pixels = model.resize(image_tensor(image, model.mean.device))
        sized[tuple(pixels.shape[-2:])].append((index, pixels))
    depths: list[np.ndarray] = [np.empty(0)] * len(images)
    for group in sized.values():
        for first in range(0, len(group), batch_size):
            indices, batch = zip(*group[first : first + batch_size], strict=True)
            for index, depth in zip(indices, model(torch.cat(batch), resize=False), strict=True):
                depths[index] = guided_upsampling(depth.cpu().numpy(), images[index])
    if not all(np.isfinite(depth).all() for depth in depths):
        raise UserError("the depth model gave values that are not finite; try another --model")
    return depths


def standardise(depth: np.ndarray) -> np.ndarray:
    """Inverse depth with its 2nd percentile at 0 and its 98th at 1, which outliers do not move;
    zeros if it is flat."""
    low, high = np.percentile(depth, (2, 98))
    flat = high - low <= 1e-6 * max(abs(low), abs(high))
    return np.zeros_like(depth) if flat else ((depth - low) / (high - low)).astype(np.float32)


def gutters(
    size: tuple[int, int], frames: list[FrameDepth], inside: np.ndarray | None
) -> np.ndarray:
    """Boolean (H, W) of a page of this size: what lies outside the boxes and, where two of them
    overlap beside a slanted gutter, what is not `inside`. Else a box is picture, be it blank."""
    gutter = np.ones(size, bool)
    for (x1, y1, x2, y2), *_ in frames:
        gutter[y1:y2, x1:x2] = False
    for one, other in combinations(frames, 2):
        part = _overlap(one.box, other.box)
        # an inset is no neighbour
        if inside is not None and gutter[part].size < 0.8 * min(one.depth.size, other.depth.size):
            gutter[part] = ~inside[part]
    return gutter


def compose(frames: list[FrameDepth], gutter: np.ndarray) -> np.ndarray:
    """Inverse depth of a page (H, W) of frames and gutters, boolean (H, W), which are farther than
    everything. Every frame spans the same range, as nothing is known of the scale of one against
    another. Where boxes overlap, an inset covers the frame around it, and of neighbours each keeps
    what lies on its side of the gutter."""
    farthest = min(float(frame.depth.min()) for frame in frames)
    page = np.full(gutter.shape, farthest - GUTTER, np.float32)
    owner = np.full(gutter.shape, -1, np.int32)
    depth_inside = np.zeros(gutter.shape, np.float32)
    largest_first = sorted(range(len(frames)), key=lambda n: -frames[n].depth.size)
    windows = [(slice(y1, y2), slice(x1, x2)) for (x1, y1, x2, y2), *_ in frames]
    for rank, n in enumerate(largest_first):
        overlaps = [_overlap(frames[n].box, frames[other].box) for other in largest_first[:rank]]
        height, width = frames[n].depth.shape
        inside = np.minimum(_to_edge(height)[:, None], _to_edge(width))
        if any(owner[part].size > 0.8 * inside.size for part in overlaps):
            inside[:] = np.inf
        mine = inside >= depth_inside[windows[n]]
        owner[windows[n]][mine] = n
        depth_inside[windows[n]][mine] = inside[mine]
        for part in overlaps:
            _keep_sides(owner[part], gutter[part])
    for n, frame in enumerate(frames):
        mine = (owner[windows[n]] == n) & ~gutter[windows[n]]
        page[windows[n]][mine] = frame.depth[mine]
    return page


def _keep_sides(owner: np.ndarray, gutter: np.ndarray) -> None:
    """Gives each part of an overlap that gutters cut off to the frame that has most of it (3/4 of a
    triangle)."""
    if not gutter.any():
        return
    count, labels = cv2.connectedComponents((~gutter).astype(np.uint8))
    for piece in range(1, count):
        owners, pixels = np.unique(owner[labels == piece], return_counts=True)
        if pixels.max() > 0.65 * pixels.sum():
            owner[labels == piece] = owners[pixels.argmax()]


def _overlap(one: Box, other: Box) -> tuple[slice, slice]:
    """What two boxes have in common of a page, which may be empty."""
    x1, y1 = np.maximum(one[:2], other[:2]).tolist()
    x2, y2 = np.minimum(one[2:], other[2:]).tolist()
    return slice(y1, max(y1, y2)), slice(x1, max(x1, x2))
