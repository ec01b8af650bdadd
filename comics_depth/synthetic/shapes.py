"""Balls, boxes and tapered tubes: where a ray meets them and which way their surface faces."""

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


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) by radians about up, then right, then forward."""
    (cy, cp, cr), (sy, sp, sr) = np.cos((yaw, pitch, roll)), np.sin((yaw, pitch, roll))
    about_up = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_right = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return about_up @ about_right @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of vectors (3, ...), summed."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def turn(matrix: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """`matrix` times each of the vectors (C, H, W)."""
    return (matrix @ vectors.reshape(len(vectors), -1)).reshape(-1, *vectors.shape[1:])


def distance(shape: Shape, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Distance along rays (3, ...) in the shape's own space to its surface; inf, nan or less than 0
    where missed."""
    if shape.kind == "box":
        one, two = (-1 - origin) / direction, (1 - origin) / direction
        enter = np.minimum(one, two).max(0)
        return np.where(enter <= np.maximum(one, two).min(0), enter, np.inf)
    if shape.kind == "ball":
        a, b = dot(direction, direction), dot(-origin, direction)
        return (b - np.sqrt(b * b - a * (dot(origin, origin) - 1))) / a
    slope = (shape.taper - 1) / 2
    radius, narrowing = (1 + shape.taper) / 2 + slope * origin[2], slope * direction[2]
    a = direction[0] ** 2 + direction[1] ** 2 - narrowing**2
    b = origin[0] * direction[0] + origin[1] * direction[1] - narrowing * radius
    root = np.sqrt(b * b - a * (origin[0] ** 2 + origin[1] ** 2 - radius**2))
    best = np.full(root.shape, np.inf, np.float32)
    for t in ((-root - b) / a, (root - b) / a):
        side = np.abs(origin[2] + t * direction[2]) <= 1
        np.copyto(best, t, where=(t > 0) & side & (t < best))
    for end, limit in ((-1, 1.0), (1, shape.taper)):
        t = (end - origin[2]) / direction[2]
        x, y = origin[0] + t * direction[0], origin[1] + t * direction[1]
        np.copyto(best, t, where=(x * x + y * y <= limit * limit) & (t > 0) & (t < best))
    return best


def normals(shape: Shape, point: np.ndarray) -> np.ndarray:
    """Outward normals, of any length, in the shape's own space at its surface points (3, N)."""
    if shape.kind == "ball":
        return point
    if shape.kind == "box":
        size = np.abs(point)
        return np.where(size == size.max(0), np.sign(point), 0)
    slope = (shape.taper - 1) / 2
    side = np.stack([*point[:2], -slope * ((1 + shape.taper) / 2 + slope * point[2])])
    return np.where(np.abs(point[2]) > 0.999, np.sign(point) * [[0], [0], [1]], side)
