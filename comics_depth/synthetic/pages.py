"""Comics pages of drawn scenes: layout, frames, lettering, depth orderings."""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from comics_depth.data.orderings import Point
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.lettering import Lettering, corners, letter_frame


def _cut(start: float, end: float, gutter: float, shares: np.ndarray) -> list[tuple[float, float]]:
    """Parts of a length in these shares, a gutter apart: (from, to) of each."""
    edges = start + np.concatenate([[0], np.cumsum(shares / shares.sum())]) * (end - start + gutter)
    return list(zip(edges[:-1], edges[1:] - gutter, strict=True))


def _layout(rng: np.random.Generator, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Boxes of 2 to 6 frames: rows, some of them with one wide frame, sometimes a tall frame beside
    two short ones."""
    margin, gutter = int(rng.integers(14, 26)), int(rng.integers(6, 14))
    rows = (
        (1, 2),
        (2, 2),
        (2, 1, 2),
        (1, 2, 2),
        (2, 2, 1),
        (1, 1, 2),
        (2, 2, 2),
        (3, 2),
        (1, 3, 1),
    )
    counts, boxes = rows[int(rng.integers(len(rows)))], []
    parts = _cut(margin, height - margin, gutter, rng.uniform(0.8, 1.25, len(counts)))
    for count, (top, bottom) in zip(counts, parts, strict=True):
        for n, (left, right) in enumerate(
            _cut(margin, width - margin, gutter, rng.uniform(0.75, 1.3, count))
        ):
            if (
                n == 1 and count == 2 and len(counts) == 2 and rng.random() < 0.5
            ):  # the second one is split
                middle = (top + bottom) / 2
                boxes += [
                    (left, top, right, middle - gutter / 2),
                    (left, middle + gutter / 2, right, bottom),
                ]
            else:
                boxes.append((left, top, right, bottom))
    return [tuple(round(float(v)) for v in box) for box in boxes]


class DrawnPage(NamedTuple):
    """A comics page: RGB, frame boxes (x2, y2 exclusive), inverse depth and ordering of each frame,
    exact text mask, lettering polygons by SVG class, and boxes of characters."""

    image: np.ndarray
    boxes: list[tuple[int, int, int, int]]
    depths: list[np.ndarray]
    orderings: list[list[Point]]
    text_mask: np.ndarray
    polygons: dict[str, list[np.ndarray]]


def comics_page(seed: int, number: int) -> DrawnPage:
    """DrawnPage `number` of the world `seed`."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 1, number))
    style, height, width = draw_style(rng), int(rng.integers(720, 830)), int(rng.integers(520, 600))
    image = np.full((height, width, 3), style.paper, np.uint8)
    boxes, frames = _layout(rng, height, width), []
    kinds = np.random.default_rng((seed, 2)).permutation(list(KINDS))
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        frames.append(
            comics_frame(str(kinds[(number * 5 + n) % len(kinds)]), rng, y2 - y1, x2 - x1, style)
        )
        image[y1:y2, x1:x2] = frames[-1].image
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), style.ink, style.border)
    lettering, characters, orderings = Lettering(image, style, rng), [], []
    for frame, box in zip(frames, boxes, strict=True):
        characters += letter_frame(lettering, frame, box, rng)
    for n, (frame, (x1, y1, x2, y2)) in enumerate(zip(frames, boxes, strict=True)):
        own = np.random.default_rng((seed, 3, number, n))
        orderings.append(
            order_points(frame.inverse_depth, frame.group, lettering.mask[y1:y2, x1:x2], own)
        )
    polygons = {
        "Panel": [corners(*box) for box in boxes],
        **lettering.polygons,
        "Character": characters,
    }
    polygons = {
        name: [np.clip(p, 0, (width - 1, height - 1)) for p in group]
        for name, group in polygons.items()
    }
    return DrawnPage(
        image, boxes, [f.inverse_depth for f in frames], orderings, lettering.mask > 0, polygons
    )


def order_points(
    inverse: np.ndarray, group: np.ndarray, text: np.ndarray, rng: np.random.Generator
) -> list[Point]:
    """Up to ten points on clearly visible places, off the text, whose order is certain: the
    nearness ranges of two objects are a factor apart, and so are points inside an object. Level 1
    is the nearest."""
    free = cv2.erode((text == 0).astype(np.uint8), np.ones((9, 9)))
    free[:5], free[-5:], free[:, :5], free[:, -5:] = 0, 0, 0, 0
    seen, area = np.unique(group, return_counts=True)
    order = seen[
        np.argsort(-np.log(area) - 1.5 * rng.gumbel(size=len(seen)))
    ]  # larger ones are likelier to come first
    chosen: dict[int, list[tuple[float, int, int]]] = {}
    for factor, number in itertools.product((1.18, 1.08), order):
        taken = sum(map(len, chosen.values()))
        if taken >= (9 if factor > 1.1 else 6) or number in chosen:
            continue
        rows, columns = np.nonzero(
            cv2.erode(((group == number) & (free > 0)).astype(np.uint8), np.ones((7, 7)))
        )
        for _ in range(12 if len(rows) > 11 else 0):
            count = 1 if rng.random() < 0.45 or number == 0 else int(rng.integers(2, 4))
            take = (len(rows) * rng.random(count) ** 0.36).astype(
                int
            )  # rather low on the object, where it stands
            points = sorted(
                ((inverse[rows[n], columns[n]], int(columns[n]), int(rows[n])) for n in take),
                reverse=True,
            )
            apart = all(a[0] > 1.12 * b[0] for a, b in itertools.pairwise(points))
            for others in chosen.values():
                apart &= (
                    points[-1][0] > factor * others[0][0] or others[-1][0] > factor * points[0][0]
                )
            if apart and taken + count <= 10:
                chosen[number] = points
                break
    objects = enumerate(sorted(chosen.values(), reverse=True), 1)
    return [
        Point(level, n, x, y) for level, points in objects for n, (_, x, y) in enumerate(points, 1)
    ]
