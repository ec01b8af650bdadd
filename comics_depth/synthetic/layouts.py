"""Layouts of comics pages: panels as polygons, cut out of a page again and again."""

import cv2
import numpy as np

from comics_depth.synthetic.lettering import corners


def layout(rng: np.random.Generator, height: int, width: int) -> list[np.ndarray]:
    """Panels of a page, float (N, 2) polygons of x, y each, later ones over earlier ones."""
    unit = min(width, height / 1.4) / 640  # lengths below are pixels of a page 640 wide
    gutter = unit * rng.choice([0, rng.uniform(2, 6), rng.uniform(6, 14), rng.uniform(14, 34)])
    left, right = unit * rng.choice([-20, 0, 3, rng.uniform(5, 70)]) * rng.uniform(0.6, 1.2, 2)
    top, bottom = unit * rng.choice([-20, 0, 3, rng.uniform(5, 100)]) * rng.uniform(0.5, 1.3, 2)
    area = corners(left, top, width - right, height - bottom).astype(float)
    if rng.random() < 0.07:
        return [area]
    equal = 0.02 if rng.random() < 0.25 else rng.uniform(0.1, 0.5)
    slant = 0.0 if rng.random() < 0.7 else rng.uniform(0.03, 0.35)
    most = int(rng.integers(1, 5))  # panels in a row
    count = max(1, round(height / unit / rng.uniform(170, 480)))
    panels = []
    for row in cut_in(area, count, 1, gutter, equal, slant * 0.5, rng):
        span = np.ptp(row[:, 0]) / unit / 640
        across = round(span * rng.uniform(0.7, most + 0.5))
        cells = cut_in(row, max(across, 1), 0, gutter, equal, slant, rng)
        for cell in cells:
            stacked = len(cells) > 1 and rng.random() < 0.12
            panels += cut_in(cell, 2, 1, gutter, equal, slant, rng) if stacked else [cell]
    panels = [panel for panel in panels if np.ptp(panel, axis=0).min() > 45 * unit]
    if len(panels) > 3 and rng.random() < 0.12:
        del panels[rng.integers(len(panels))]
    if panels and rng.random() < 0.18:
        panels.append(inset(max(panels, key=area_of), rng))
    return panels or [area]


def cut_in(
    polygon: np.ndarray,
    count: int,
    axis: int,
    gutter: float,
    uneven: float,
    slant: float,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """The polygon in `count` parts, side by side (axis 0) or one above the other (1), `gutter`
    pixels apart; `slant`: deviation of the tangent of the cuts."""
    parts = []
    shares = np.exp(rng.normal(0, uneven, count)).cumsum()
    low, span = polygon[:, axis].min(), np.ptp(polygon[:, axis])
    middle = polygon[:, 1 - axis].mean()
    for share in shares[:-1] / shares[-1]:
        tilt = np.clip(rng.normal(0, slant), -0.5, 0.5) if slant else 0.0
        normal = np.array((tilt, 1.0) if axis else (1.0, tilt))
        at = low + share * span + tilt * middle
        length = np.linalg.norm(normal)
        parts.append(clip(polygon, -normal / length, (-at + gutter * length / 2) / length))
        polygon = clip(polygon, normal / length, (at + gutter * length / 2) / length)
    return [part for part in [*parts, polygon] if len(part) > 2]


def clip(polygon: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """The part of a convex polygon where polygon @ normal >= offset; may be empty."""
    side = polygon @ normal - offset
    kept = []
    for k, corner in enumerate(polygon):
        before, here = side[k - 1], side[k]
        if (before < 0) != (here < 0):
            kept.append(polygon[k - 1] + (corner - polygon[k - 1]) * before / (before - here))
        if here >= 0:
            kept.append(corner)
    return np.array(kept)


def inset(polygon: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rectangle in a panel, sometimes across its edge."""
    low, size = polygon.min(axis=0), np.ptp(polygon, axis=0)
    own = size * rng.uniform(0.25, 0.5, 2)
    start = low + (size - own) * rng.uniform(0.03, 0.97, 2)
    return corners(*start, *(start + own))


def area_of(polygon: np.ndarray) -> float:
    return cv2.contourArea(polygon.astype(np.float32))


def redrawn(polygon: np.ndarray, wobble: float, round_by: float, rng: np.random.Generator):
    """The outline of a panel as a hand draws it, (M, 2): every few pixels a point, `wobble` pixels
    beside its place, corners rounded over `round_by` pixels."""
    sides = np.roll(polygon, -1, 0) - polygon
    steps = np.maximum(np.linalg.norm(sides, axis=1) // 6, 1).astype(int)
    points = np.vstack(
        [
            start + side * np.arange(n)[:, None] / n
            for start, side, n in zip(polygon, sides, steps, strict=True)
        ]
    )
    width = max(1, round(round_by / 6))
    around = np.arange(len(points))[:, None] + np.arange(-width, width + 1)
    if round_by and len(points) > 4 * width:
        points = points[around % len(points)].mean(axis=1)
    noise = rng.normal(0, 1, (max(4, len(points) // int(rng.integers(2, 9))), 2))
    noise = cv2.resize(noise, (2, len(points)), interpolation=cv2.INTER_CUBIC)
    return points + wobble * noise
