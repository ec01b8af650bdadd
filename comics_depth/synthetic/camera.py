"""A pinhole camera that sees shapes with exact depth."""

from typing import NamedTuple

import numpy as np

from comics_depth.synthetic.shapes import Shape, dot, hit, normal_of

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
PAIRS = np.triu_indices(8, 1)


class Camera(NamedTuple):
    """Pinhole, or parallel for shadows. Rows of `axes`: right, up, forward; `scale`: pixels a unit
    at distance 1."""

    position: np.ndarray
    axes: np.ndarray
    scale: float
    height: int
    width: int
    parallel: bool = False

    def rays(self, wobble: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """(origins, directions), one (3, H, W) and one (3, 1, 1); a direction is 1 long along
        forward, so t is depth. `wobble` (H, W, 2) moves the rays by pixels: the unsteady hand of
        who draws."""
        x, y = np.moveaxis(np.broadcast_to(np.float32(wobble), (self.height, self.width, 2)), 2, 0)
        x = (x + np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / np.float32(
            self.scale
        )
        y = (
            self.height / 2 - y - np.arange(self.height, dtype=np.float32)[:, None] - 0.5
        ) / np.float32(self.scale)
        across = np.tensordot(self.axes[:2].T.astype(np.float32), np.stack([x, y]), 1)
        position, forward = (
            v.astype(np.float32).reshape(3, 1, 1) for v in (self.position, self.axes[2])
        )
        return (position + across, forward) if self.parallel else (position, forward + across)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (..., 3) -> pixels (..., 2) and depth along forward."""
        seen = (points - self.position) @ self.axes.T
        depth = np.ones(seen.shape[:-1]) if self.parallel else np.maximum(seen[..., 2], 1e-6)
        pixels = seen[..., :2] * (1, -1) / depth[..., None] * self.scale + (
            self.width / 2,
            self.height / 2,
        )
        return pixels, seen[..., 2]

    def windows(self, shapes: list[Shape]) -> np.ndarray:
        """For each shape the rectangle of pixels that may see it, (N, 4) integers: top, bottom,
        left, right."""
        corners = np.einsum("nij,cj->nci", np.stack([s.axes for s in shapes]), CORNERS)
        corners += np.stack([s.centre for s in shapes])[:, None]
        pixels, depth = self.project(corners)
        low, high = pixels.min(1), pixels.max(1)
        near = depth - 0.06
        for n in np.nonzero(~self.parallel & (near < 0).any(1))[
            0
        ]:  # cut the edges at a plane just before the camera
            first, second = (side[near[n, PAIRS[0]] * near[n, PAIRS[1]] < 0] for side in PAIRS)
            share = (near[n, first] / (near[n, first] - near[n, second]))[:, None]
            cut = corners[n, first] + share * (corners[n, second] - corners[n, first])
            kept = np.concatenate([pixels[n, near[n] > 0], self.project(cut)[0]])
            low[n], high[n] = (kept.min(0), kept.max(0)) if len(kept) else (0, -9)
        limit = (self.width, self.height)
        (left, top), (right, bottom) = np.clip(low - 3, 0, limit).T, np.clip(high + 4, 0, limit).T
        return np.stack([top, bottom, left, right], 1).astype(int)


class View(NamedTuple):
    """What a camera sees, each ([3, ]H, W): depth z (inf: sky), index of the shape (-1: sky),
    object, world normal, world point, and the point in the shape's own space, where its surface is
    one away."""

    depth: np.ndarray
    index: np.ndarray
    group: np.ndarray
    normal: np.ndarray
    point: np.ndarray
    local: np.ndarray


def nearest(
    shapes: list[Shape], camera: Camera, origin: np.ndarray, rays: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Casts rays (of `camera`) at every shape whose window holds them: depth (inf: sky), index of
    the shape (-1)."""
    depth = np.full((camera.height, camera.width), np.inf, np.float32)
    index = np.full(depth.shape, -1, np.int32)
    inverses = np.linalg.inv(np.stack([shape.axes for shape in shapes])).astype(np.float32)
    centres = np.stack([shape.centre for shape in shapes]).astype(np.float32)[..., None, None]

    def turn(inverse, v):
        return (inverse @ v.reshape(3, -1)).reshape(v.shape)

    with np.errstate(all="ignore"):
        for number, (shape, (top, bottom, left, right)) in enumerate(
            zip(shapes, camera.windows(shapes), strict=True)
        ):
            if top >= bottom or left >= right:
                continue
            window, inverse = np.s_[top:bottom, left:right], inverses[number]
            start = turn(
                inverse, (origin[:, *window] if camera.parallel else origin) - centres[number]
            )
            t = hit(
                shape.kind,
                shape.taper,
                start,
                turn(inverse, rays if camera.parallel else rays[:, *window]),
            )
            won = (t > 0) & (t < depth[window])
            np.copyto(depth[window], t, where=won, casting="same_kind")
            np.copyto(index[window], number, where=won)
    return depth, index


def cast(shapes: list[Shape], camera: Camera, wobble: np.ndarray | float = 0.0) -> View:
    """What `camera` sees of the shapes."""
    origin, rays = camera.rays(wobble)
    depth, index = nearest(shapes, camera, origin, rays)
    point = origin + np.where(np.isfinite(depth), depth, np.float32(1e4)) * rays
    order = np.argsort(index.ravel().astype(np.int16), kind="stable")  # pixels shape by shape
    ends = np.cumsum(np.bincount(index.ravel() + 1, minlength=len(shapes) + 1))
    local, normal = point.reshape(3, -1).take(order, 1), np.zeros((3, len(order)), np.float32)
    inverses = np.linalg.inv(np.stack([shape.axes for shape in shapes])).astype(np.float32)
    for shape, inverse, start, end in zip(shapes, inverses, ends[:-1], ends[1:], strict=True):
        if start < end:
            here = np.s_[:, start:end]
            local[here] = inverse @ (local[here] - shape.centre.astype(np.float32)[:, None])
            normal[here] = inverse.T @ normal_of(shape, local[here])
    normal /= np.maximum(np.sqrt(dot(normal, normal)), 1e-9)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    normal, local = (v.take(back, 1).reshape(point.shape) for v in (normal, local))
    group = np.array([0, *(shape.group for shape in shapes)], np.int16).take(index + 1)
    return View(depth, index, group, normal, point, local)
