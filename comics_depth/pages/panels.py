"""Panels (frames) and text of a comics page, by one small network."""

from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
import torch
from skimage.segmentation import watershed
from torch import nn

from comics_depth.data.annotations import Box
from comics_depth.data.tensors import image_tensor
from comics_depth.pages.confidence import is_one_picture
from comics_depth.pages.guided import guided_upsampling

RIM = 4  # pixels around a panel that the network is taught to leave out, so that panels never touch
LEAST = 0.07  # side of a panel, share of the page's width
GUTTER = 20  # widest gutter between panels that may touch elsewhere, pixels of half the map
PARTED = 0.2  # mean of the map where two areas meet below which they are two panels
SLANTED = 0.42  # of the smaller box: more is not shared by panels beside a slanted gutter
HELD = 0.95  # of a box that lies in another: an inset, or a piece of it
INSET = 0.07  # of its panel: what is smaller is no inset
TEXT = 0.5  # least probability of text
WHOLE = 0.9  # share of a page from which a single panel is all of it
LONE = 0.72  # the same if no straight line crosses the page
WINDOW = 1536  # rows that the network sees at once
CONTEXT = 256  # rows that two windows have in common


class PageReading(NamedTuple):
    """What is on a page (H, W): boxes of its panels (x1, y1, x2, y2; pixels, x2 and y2 exclusive)
    in reading order, what lies inside panels, boolean (H, W), and text and balloons, the same."""

    boxes: list[Box]
    inside: np.ndarray
    text: np.ndarray


def read_page(image: np.ndarray, network: nn.Module, right_to_left: bool = False) -> PageReading:
    """Reads a page, RGB uint8 (H, W, 3), by a network that gives the two maps; see PageReading. All
    of the page is one panel where none is found. Boxes of panels beside a slanted gutter overlap,
    an inset lies inside the box of its panel."""
    maps = page_maps(image, network)
    inside, text = maps
    size = (image.shape[1], image.shape[0])
    boxes = in_reading_order(panels_of(maps, size), right_to_left)
    largest = max(map(_area, boxes))
    # a photograph or one frame, in which the network sees insets that are none
    if largest >= LONE * size[0] * size[1] and is_one_picture(image):
        boxes = [(0, 0, *size)]
    around = np.ones((2 * RIM + 1,) * 2, np.uint8)
    # the guide needs few coefficients: a third of the map's size is as good and fast
    third = [max(side // 3, 1) for side in text.shape[::-1]]
    text = cv2.resize(text, third, interpolation=cv2.INTER_AREA)
    whole = cv2.dilate((inside > 0.5).astype(np.uint8), around)
    return PageReading(
        boxes,
        cv2.resize(whole, size, None, 0, 0, cv2.INTER_NEAREST) > 0,
        guided_upsampling(text, image) > TEXT,
    )


@torch.inference_mode()
def page_maps(image: np.ndarray, network: nn.Module) -> np.ndarray:
    """Probabilities of inside and text, float32 (2, h, w), at the size at which the network sees
    the page: at most `page_width` of its `architecture` wide, one page of a spread or a strip."""
    height, width = image.shape[:2]
    scale = min(network.architecture["page_width"] / min(width, height / 1.4), 1)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    maps = np.zeros((2, *small.shape[:2]), np.float32)
    device = next(network.parameters()).device
    step = WINDOW - CONTEXT
    for top in range(0, max(size[1] - CONTEXT, 1), step):
        found = network(image_tensor(small[top : top + WINDOW], device))[0].float().cpu().numpy()
        skipped = CONTEXT // 2 if top else 0  # of the rows in common each window gives its half
        maps[:, top + skipped : top + WINDOW] = found[:, skipped:]
    return maps


def panels_of(maps: np.ndarray, size: tuple[int, int]) -> list[Box]:
    """Boxes of the panels on a page of `size` (width, height), from its maps (2, h, w)."""
    inside = maps[0]
    seen = np.array(inside.shape[::-1])
    least = LEAST * min(seen[0], seen[1] / 1.4)
    half = [cv2.resize(part, (seen + 1) // 2, interpolation=cv2.INTER_AREA) for part in maps]
    areas = _joined_areas(_areas(half[0], least / 2), *half).astype(np.uint16)
    areas = cv2.resize(areas, seen, interpolation=cv2.INTER_NEAREST) * (inside > 0.5)
    # without thin outgrowths: each area opened; what the page cuts off goes on past its edge
    spare = 9
    areas = np.pad(areas, spare, "edge")
    core = cv2.erode(areas, _disc(5)) == cv2.dilate(areas, _disc(5))
    areas = cv2.dilate(areas * core, _disc(5))
    boxes = []
    for number in np.unique(areas[areas > 0]):
        own = (areas == number).astype(np.uint8)
        for x, y, width, height, _ in cv2.connectedComponentsWithStats(own)[2][1:]:
            if min(width, height) < least:
                continue
            corners = np.array([[x, y], [x + width, y + height]]) - spare
            start, end = np.clip(corners, 0, seen)
            start = np.where(start <= 1, 0, np.maximum(start - RIM, 0) / seen)
            end = np.where(end >= seen - 1, 1, np.minimum(end + RIM, seen) / seen)
            boxes.append(tuple(np.round(np.r_[start, end] * (*size, *size)).astype(int).tolist()))
    boxes = joined_pieces(boxes)
    if not boxes or (len(boxes) == 1 and _area(boxes[0]) >= WHOLE * size[0] * size[1]):
        return [(0, 0, *size)]
    return boxes


def joined_pieces(boxes: list[Box]) -> list[Box]:
    """The boxes without pieces of panels: two that overlap by more than SLANTED of the smaller one
    are one, unless that is an inset."""
    for one, other in combinations(boxes, 2):
        common = (*np.maximum(one[:2], other[:2]), *np.minimum(one[2:], other[2:]))
        small, large = sorted(map(_area, (one, other)))
        inset = _area(common) > HELD * small and small > INSET * large
        if _area(common) > SLANTED * small and not inset:
            rest = [box for box in boxes if box not in (one, other)]
            corners = np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])
            return joined_pieces([*rest, tuple(np.concatenate(corners).tolist())])
    return boxes


def _area(box: Box) -> int:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _areas(inside: np.ndarray, least: float) -> np.ndarray:
    """Numbers (h, w) of areas that meet where panels may: flooded from the places that are farthest
    from gutters (Beucher & Lantuejoul 1979); 0 outside."""
    solid = cv2.morphologyEx((inside > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, _disc(1))
    if solid.all():
        return solid
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    peaks = (depth >= cv2.dilate(depth, _disc(int(least / 2)))) & (depth > least / 4)
    _, markers = cv2.connectedComponents(peaks.astype(np.uint8))
    return watershed(-depth, markers, mask=cv2.dilate(solid, _disc(GUTTER // 2)) > 0)


def _joined_areas(areas: np.ndarray, inside: np.ndarray, text: np.ndarray) -> np.ndarray:
    """The same with areas joined that no gutter parts: on most of the line where they meet the map
    says inside; under a balloon it cannot know. The clearest go first."""
    thin = cv2.erode(inside, np.ones((3, 3), np.uint8))
    known = np.maximum(1 - text, 0.05)
    # of each pair of areas: the sum of the map along their line, and the line's length
    sums = np.zeros((2, areas.max() + 1, areas.max() + 1))
    for turn in (np.asarray, np.transpose):
        one, other, weight = turn(areas)[1:], turn(areas)[:-1], turn(known)[1:]
        meets = (one != other) & (one > 0) & (other > 0)
        values = weight * turn(thin)[1:], weight
        for part, value in zip(sums, values, strict=True):
            np.add.at(part, (one[meets], other[meets]), value[meets])
            np.add.at(part, (other[meets], one[meets]), value[meets])
    while True:
        means = sums[0] / np.maximum(sums[1], 1e-6)
        kept, gone = np.unravel_index(means.argmax(), means.shape)
        if means[kept, gone] < PARTED:
            return areas
        areas = np.where(areas == gone, kept, areas)
        sums[:, kept] += sums[:, gone]
        sums[:, :, kept] += sums[:, :, gone]
        sums[:, gone] = sums[:, :, gone] = sums[:, kept, kept] = 0


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)


def in_reading_order(boxes: list[Box], right_to_left: bool = False) -> list[Box]:
    """Boxes from the top, rows from left to right (or from right to left): the next one is the
    highest of those that no other precedes. A box precedes another if it lies above it, slanted
    gutters apart, or before it in the same row, or holds it."""
    if right_to_left:
        mirrored = in_reading_order([(-x2, y1, -x1, y2) for x1, y1, x2, y2 in boxes])
        return [(-x2, y1, -x1, y2) for x1, y1, x2, y2 in mirrored]
    ordered, left = [], sorted(boxes, key=lambda box: (box[1], box[0]))
    while left:
        free = (box for box in left if not any(_precedes(o, box) for o in left if o is not box))
        ordered.append(next(free, left[0]))
        left.remove(ordered[-1])
    return ordered


def _precedes(one: Box, other: Box) -> bool:
    if one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2] and one[3] >= other[3]:
        return True
    common = min(one[3], other[3]) - max(one[1], other[1])
    if common > 0.5 * min(one[3] - one[1], other[3] - other[1]):
        return one[0] + one[2] < other[0] + other[2]
    return one[1] + one[3] < other[1] + other[3]
