"""Comics pages of drawn scenes: layout, frames, lettering, depth orderings."""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from comics_depth.data.annotations import Box
from comics_depth.data.orderings import Point
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.lettering import Lettering, corners

# Frames in each row of a page.
ROWS = ((1, 2), (2, 2), (2, 1, 2), (1, 2, 2), (1, 1, 2), (2, 2, 2), (3, 2), (1, 3, 1))


class DrawnPage(NamedTuple):
    """A comics page: RGB, frame boxes (x2, y2 exclusive), inverse depth and ordering of each frame,
    exact text mask, and polygons by SVG class."""

    image: np.ndarray
    boxes: list[Box]
    depths: list[np.ndarray]
    orderings: list[list[Point]]
    text_mask: np.ndarray
    polygons: dict[str, list[np.ndarray]]


def comics_page(seed: int, number: int) -> DrawnPage:
    """Page `number` of the world `seed`."""
    rng = np.random.default_rng((seed, 1, number))
    style = draw_style(rng)
    height, width = int(rng.integers(720, 830)), int(rng.integers(520, 600))
    image = np.full((height, width, 3), style.paper, np.uint8)
    boxes = _layout(rng, height, width)
    kinds = np.random.default_rng((seed, 2)).permutation(list(KINDS))
    frames = []
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        kind = str(kinds[(number * 5 + n) % len(kinds)])
        frames.append(comics_frame(kind, rng, y2 - y1, x2 - x1, style))
        image[y1:y2, x1:x2] = frames[-1].image
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), style.ink, style.border)
    lettering = Lettering(image, style, rng)
    characters = []
    for frame, box in zip(frames, boxes, strict=True):
        characters += lettering.letter_frame(frame, box)
    orderings = [
        order_points(frame.inverse_depth, frame.group, lettering.mask[y1:y2, x1:x2], rng)
        for frame, (x1, y1, x2, y2) in zip(frames, boxes, strict=True)
    ]
    panels = [corners(*box) for box in boxes]
    polygons = {"Panel": panels, **lettering.polygons, "Character": characters}
    last = (width - 1, height - 1)
    polygons = {name: [np.clip(p, 0, last) for p in found] for name, found in polygons.items()}
    depths = [frame.inverse_depth for frame in frames]
    return DrawnPage(image, boxes, depths, orderings, lettering.mask > 0, polygons)


def _layout(rng: np.random.Generator, height: int, width: int) -> list[Box]:
    """Boxes of 3 to 6 frames in rows, in which the second of two may be split in two."""
    margin, gutter = int(rng.integers(14, 26)), int(rng.integers(6, 14))

    def cut(end: float, count: int, start: float = margin) -> list[tuple[int, int]]:
        shares = rng.uniform(0.8, 1.3, count).cumsum()
        edges = start + np.concatenate([[0], shares / shares[-1]]) * (end - start + gutter)
        return [(round(a), round(b) - gutter) for a, b in itertools.pairwise(edges)]

    counts = ROWS[rng.integers(len(ROWS))]
    boxes = []
    for count, (top, bottom) in zip(counts, cut(height - margin, len(counts)), strict=True):
        for n, (left, right) in enumerate(cut(width - margin, count)):
            split = len(counts) == count == 2 and n == 1 and rng.random() < 0.5
            parts = cut(bottom, 2, top) if split else [(top, bottom)]
            boxes += [(left, upper, right, lower) for upper, lower in parts]
    return boxes


def order_points(
    inverse: np.ndarray, group: np.ndarray, text: np.ndarray, rng: np.random.Generator
) -> list[Point]:
    """Up to ten points on clearly visible places, off the text, whose order is certain: the
    nearness ranges of two objects are a factor apart, and so are points inside an object. Level 1
    is the nearest."""
    free = np.pad(cv2.erode((text == 0).astype(np.uint8), np.ones((9, 9)))[5:-5, 5:-5], 5)
    objects, areas = np.unique(group, return_counts=True)
    # Larger ones are likelier to come first.
    objects = objects[np.argsort(-np.log(areas) - 1.5 * rng.gumbel(size=len(objects)))]
    chosen: dict[int, list[tuple[float, int, int]]] = {}
    # First objects that are clearly apart, then, where they are few, less clearly.
    for (factor, enough), number in itertools.product(((1.18, 9), (1.08, 6)), objects):
        taken = sum(map(len, chosen.values()))
        if taken >= enough or number in chosen:
            continue
        inner = cv2.erode(((group == number) & (free > 0)).astype(np.uint8), np.ones((7, 7)))
        rows, columns = np.nonzero(inner)
        for _ in range(12 if len(rows) > 11 else 0):
            count = 1 if rng.random() < 0.45 or number == 0 else int(rng.integers(2, 4))
            # Rather low on the object, where it stands.
            take = (len(rows) * rng.random(count) ** 0.36).astype(int)
            places = zip(columns[take].tolist(), rows[take].tolist(), strict=True)
            points = sorted(((inverse[y, x], x, y) for x, y in places), reverse=True)
            certain = all(a[0] > 1.12 * b[0] for a, b in itertools.pairwise(points)) and all(
                points[-1][0] > factor * others[0][0] or others[-1][0] > factor * points[0][0]
                for others in chosen.values()
            )
            if certain and taken + count <= 10:
                chosen[number] = points
                break
    levels = enumerate(sorted(chosen.values(), reverse=True), 1)
    return [
        Point(level, n, x, y) for level, points in levels for n, (_, x, y) in enumerate(points, 1)
    ]
