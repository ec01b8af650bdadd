"""Balls, boxes and tapered tubes: where a ray meets them and which way their surface faces."""

import functools
from typing import NamedTuple

import numpy as np

from comics_depth.synthetic.materials import Paint


class Shape(NamedTuple):
    """A unit ball, box or tube (along its z, radius 1 at -1 and `taper` at +1), placed by centre
    and half-axes (columns of `axes`, metres); `group` is its object."""

    kind: str
    centre: np.ndarray
    axes: np.ndarray
    paint: Paint
    taper: float
    group: int
    shadow: bool


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of vectors (3, ...), summed."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def largest(v: np.ndarray) -> np.ndarray:
    """Which component of vectors (3, ...) is largest, the first one of equals: argmax, which is
    slow for three."""
    x, y, z = v
    return np.where((x >= y) & (x >= z), 0, np.where(y >= z, 1, 2))


def hit(kind: str, taper: float, o: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Distance along rays (3, ...) in the shape's own space to its surface; inf, nan or less than 0
    where missed."""
    if kind == "box":
        one, two = (-1 - o) / d, (1 - o) / d
        enter = functools.reduce(np.maximum, np.minimum(one, two))
        return np.where(enter <= functools.reduce(np.minimum, np.maximum(one, two)), enter, np.inf)
    if kind == "ball":
        a, b = dot(d, d), dot(-o, d)
        return (b - np.sqrt(b * b - a * (dot(o, o) - 1))) / a
    middle, slope = (1 + taper) / 2, (taper - 1) / 2
    radius, narrowing = middle + slope * o[2], slope * d[2]
    a = d[0] * d[0] + d[1] * d[1] - narrowing * narrowing
    b = o[0] * d[0] + o[1] * d[1] - narrowing * radius
    root = np.sqrt(b * b - a * (o[0] * o[0] + o[1] * o[1] - radius * radius))
    best = np.full(root.shape, np.inf, np.float32)
    for t in ((-root - b) / a, (root - b) / a):
        np.copyto(best, t, where=(t > 0) & (np.abs(o[2] + t * d[2]) <= 1) & (t < best))
    for end, r in ((-1, 1.0), (1, taper)):
        t = (end - o[2]) / d[2]
        x, y = o[0] + t * d[0], o[1] + t * d[1]
        np.copyto(best, t, where=(x * x + y * y <= r * r) & (t > 0) & (t < best))
    return best


def normal_of(shape: Shape, p: np.ndarray) -> np.ndarray:
    """Outward normals, of any length, in the shape's own space at surface points (3, N)."""
    if shape.kind == "ball":
        return p
    if shape.kind == "box":
        return np.where(np.arange(3)[:, None] == largest(np.abs(p)), np.sign(p), np.float32(0))
    slope = (shape.taper - 1) / 2
    side = np.stack([p[0], p[1], -slope * ((1 + shape.taper) / 2 + slope * p[2])])
    return np.where(np.abs(p[2]) > 0.999, np.sign(p) * np.array([[0], [0], [1]], np.float32), side)


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) about up, then right, then forward."""
    (cy, cp, cr), (sy, sp, sr) = np.cos((yaw, pitch, roll)), np.sin((yaw, pitch, roll))
    about_up = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_right = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return about_up @ about_right @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
