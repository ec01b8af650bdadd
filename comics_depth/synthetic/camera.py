"""A pinhole camera that sees shapes with exact depth."""

from typing import NamedTuple

import numpy as np

from comics_depth.synthetic.shapes import Shape, distance, dot, normals, turn

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)


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
        forward, so that its length is depth. `wobble` (H, W, 2) moves the rays by pixels."""
        row, column = np.mgrid[: self.height, : self.width].astype(np.float32)
        middle = np.array((self.width / 2, self.height / 2)) - 0.5
        x, y = np.moveaxis((np.stack([column, row], -1) + wobble - middle) / self.scale, -1, 0)
        across = turn(self.axes[:2].T, np.stack([x, -y])).astype(np.float32)
        position = self.position.astype(np.float32).reshape(3, 1, 1)
        forward = self.axes[2].astype(np.float32).reshape(3, 1, 1)
        if self.parallel:
            return position + across, forward
        return position, forward + across

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (..., 3) -> pixels (..., 2) and depth along forward."""
        x, y, depth = np.moveaxis((points - self.position) @ self.axes.T, -1, 0)
        scale = self.scale / (1 if self.parallel else np.maximum(depth, 1e-6))
        return np.stack([x * scale + self.width / 2, self.height / 2 - y * scale], -1), depth

    def windows(self, shapes: list[Shape]) -> np.ndarray:
        """For each shape the rectangle of pixels that may see it, (N, 4) integers: top, bottom,
        left, right; all pixels if it reaches behind the camera."""
        corners = np.einsum("nij,cj->nci", np.stack([shape.axes for shape in shapes]), CORNERS)
        pixels, depth = self.project(corners + np.stack([s.centre for s in shapes])[:, None])
        size = np.array((self.width, self.height))
        low, high = np.clip(pixels.min(1) - 3, 0, size), np.clip(pixels.max(1) + 4, 0, size)
        if not self.parallel:
            nearest, farthest = depth.min(1)[:, None], depth.max(1)[:, None]
            low = np.where(nearest < 0.06, 0, low)
            high = np.where(nearest < 0.06, np.where(farthest > 0, size, 0), high)
        return np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], 1).astype(int)


class View(NamedTuple):
    """What a camera sees, each ([3, ]H, W)."""

    depth: np.ndarray  # along z, inf: sky
    index: np.ndarray  # of the shape, -1: sky
    group: np.ndarray  # the object
    normal: np.ndarray  # in the world
    point: np.ndarray  # in the world
    local: np.ndarray  # the point in the shape's own space


def nearest(
    shapes: list[Shape], camera: Camera, wobble: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W; inf: sky) and index (-1: sky) of the nearest shape along each ray."""
    origins, rays = camera.rays(wobble)
    depth = np.full((camera.height, camera.width), np.inf, np.float32)
    index = np.full(depth.shape, -1, np.int32)
    with np.errstate(all="ignore"):
        for n, (top, bottom, left, right) in enumerate(camera.windows(shapes)):
            if top >= bottom or left >= right:
                continue
            here = np.s_[top:bottom, left:right]
            inverse = np.linalg.inv(shapes[n].axes).astype(np.float32)
            start = origins[:, *here] if camera.parallel else origins
            start = turn(inverse, start - shapes[n].centre.astype(np.float32).reshape(3, 1, 1))
            direction = turn(inverse, rays if camera.parallel else rays[:, *here])
            t = distance(shapes[n], start, direction)
            won = (t > 0) & (t < depth[here])
            np.copyto(depth[here], t, where=won)
            np.copyto(index[here], n, where=won)
    return depth, index


def cast(shapes: list[Shape], camera: Camera, wobble: np.ndarray | float = 0.0) -> View:
    """What `camera` sees of the shapes."""
    depth, index = nearest(shapes, camera, wobble)
    origins, rays = camera.rays(wobble)
    point = origins + np.where(np.isfinite(depth), depth, np.float32(1e4)) * rays
    # Shape by shape: its pixels stand together once they are sorted by index.
    order = np.argsort(index.ravel().astype(np.int16), kind="stable")
    ends = np.searchsorted(index.ravel()[order], np.arange(len(shapes) + 1))
    local = point.reshape(3, -1)[:, order]
    normal = np.zeros_like(local)
    for shape, start, end in zip(shapes, ends[:-1], ends[1:], strict=True):
        here = np.s_[:, start:end]
        inverse = np.linalg.inv(shape.axes).astype(np.float32)
        local[here] = inverse @ (local[here] - shape.centre.astype(np.float32)[:, None])
        normal[here] = inverse.T @ normals(shape, local[here])
    normal /= np.maximum(np.sqrt(dot(normal, normal)), 1e-9)
    back = np.argsort(order, kind="stable")
    normal, local = (plane[:, back].reshape(point.shape) for plane in (normal, local))
    group = np.array([0, *(shape.group for shape in shapes)], np.int16)[index + 1]
    return View(depth, index, group, normal, point, local)
