"""The scenes of the synthetic world: solid shapes in metres, and a camera that sees them with exact depth.

x is right, y up, z away from the viewer. A scene is a list of ellipsoids, boxes and tapered tubes; every shape belongs to
an object (a person, a house, the ground), and the sky is object 0.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SKINS = ((226, 182, 152), (196, 146, 112), (150, 104, 76), (104, 70, 52), (236, 200, 176))
HAIRS = ((44, 34, 30), (92, 62, 40), (176, 134, 80), (150, 72, 40), (150, 148, 146), (28, 28, 34))
CLOTHS = ((150, 62, 56), (58, 84, 122), (92, 112, 78), (184, 166, 126), (72, 70, 78), (196, 196, 190), (170, 130, 62),
          (104, 74, 104), (60, 112, 116), (122, 88, 66))  # fmt: skip
WALLS = ((186, 172, 150), (156, 96, 78), (174, 150, 116), (148, 150, 152), (196, 184, 170), (126, 116, 110))
GRASS, ASPHALT, STONE, WOOD, LEAF, BARK = (
    (112, 126, 70), (104, 102, 102), (150, 144, 134), (138, 102, 68), (78, 104, 54), (92, 74, 58))  # fmt: skip
GLASS, METAL, PAVING, SAND, DARK = (74, 88, 104), (112, 116, 120), (166, 160, 150), (190, 170, 132), (44, 42, 44)
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
PAIRS = np.triu_indices(8, 1)


class Shape(NamedTuple):
    """A unit ball, box or tube (along its z, radius 1 at -1 and `taper` at +1), placed by centre and half-axes (columns
    of `axes`, metres). `pattern` says where `second` replaces `colour`; `shadow` False keeps it from casting one."""

    kind: str
    centre: np.ndarray
    axes: np.ndarray
    colour: tuple
    second: tuple
    pattern: str
    taper: float
    group: int
    shadow: bool


class Camera(NamedTuple):
    """Pinhole, or parallel for shadows. Rows of `axes`: right, up, forward; `scale`: pixels a unit at distance 1."""

    position: np.ndarray
    axes: np.ndarray
    scale: float
    height: int
    width: int
    parallel: bool = False

    def rays(self, wobble: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """(origins, directions), one (3, H, W) and one (3, 1, 1); a direction has length 1 along forward, so t is depth.
        `wobble` (H, W, 2) moves the rays by pixels: the unsteady hand of who draws."""
        grid = np.stack(np.meshgrid(np.arange(self.width), np.arange(self.height)), -1) + 0.5 + wobble
        grid = ((grid - (self.width / 2, self.height / 2)) * (1, -1) / self.scale).astype(np.float32)
        across = np.tensordot(self.axes[:2].T.astype(np.float32), grid, (1, 2))
        position, forward = (v.astype(np.float32).reshape(3, 1, 1) for v in (self.position, self.axes[2]))
        return (position + across, forward) if self.parallel else (position, forward + across)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (..., 3) -> pixels (..., 2) and depth along forward."""
        seen = (points - self.position) @ self.axes.T
        depth = np.ones(seen.shape[:-1]) if self.parallel else np.maximum(seen[..., 2], 1e-6)
        pixels = seen[..., :2] * (1, -1) / depth[..., None] * self.scale + (self.width / 2, self.height / 2)
        return pixels, seen[..., 2]

    def windows(self, shapes: list[Shape]) -> np.ndarray:
        """For each shape the rectangle of pixels that may see it, (N, 4) integers: top, bottom, left, right."""
        corners = np.einsum("nij,cj->nci", np.stack([s.axes for s in shapes]), CORNERS)
        corners += np.stack([s.centre for s in shapes])[:, None]
        pixels, depth = self.project(corners)
        low, high = pixels.min(1), pixels.max(1)
        near = depth - 0.06
        for n in np.nonzero(~self.parallel & (near < 0).any(1))[0]:  # cut the edges at a plane just before the camera
            first, second = (side[near[n, PAIRS[0]] * near[n, PAIRS[1]] < 0] for side in PAIRS)
            share = (near[n, first] / (near[n, first] - near[n, second]))[:, None]
            cut = corners[n, first] + share * (corners[n, second] - corners[n, first])
            kept = np.concatenate([pixels[n, near[n] > 0], self.project(cut)[0], np.full((0, 2), 0.0)])
            low[n], high[n] = (kept.min(0), kept.max(0)) if len(kept) else (0, -9)
        limit = (self.width, self.height)
        (left, top), (right, bottom) = np.clip(low - 3, 0, limit).T, np.clip(high + 4, 0, limit).T
        return np.stack([top, bottom, left, right], 1).astype(int)


def _hit(kind: str, taper: float, o: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Distance along rays (3, ...) in the shape's own space to its surface; inf or nan where missed."""
    if kind == "box":
        one, two = (-1 - o) / d, (1 - o) / d
        enter = functools.reduce(np.maximum, np.minimum(one, two))
        return np.where((enter <= functools.reduce(np.minimum, np.maximum(one, two))) & (enter > 0), enter, np.inf)
    if kind == "ball":
        a, b, c = (x[0] * y[0] + x[1] * y[1] + x[2] * y[2] for x, y in ((d, d), (o, d), (o, o)))
        t = (-b - np.sqrt(b * b - a * (c - 1))) / a
        return np.where(t > 0, t, np.inf)
    middle, slope = (1 + taper) / 2, (taper - 1) / 2
    radius = middle + slope * o[2]
    a = d[0] * d[0] + d[1] * d[1] - (slope * d[2]) ** 2
    b = o[0] * d[0] + o[1] * d[1] - slope * d[2] * radius
    root = np.sqrt(b * b - a * (o[0] * o[0] + o[1] * o[1] - radius * radius))
    best = np.full(root.shape, np.inf, np.float32)
    for t in ((-b - root) / a, (-b + root) / a):
        best = np.where((t > 0) & (np.abs(o[2] + t * d[2]) <= 1) & (t < best), t, best)
    for end, r in ((-1, 1.0), (1, taper)):
        t = (end - o[2]) / d[2]
        x, y = o[0] + t * d[0], o[1] + t * d[1]
        best = np.where((x * x + y * y <= r * r) & (t > 0) & (t < best), t, best)
    return best


def _normal(shape: Shape, p: np.ndarray) -> np.ndarray:
    """Outward normals, of any length, in the shape's own space at surface points (N, 3)."""
    if shape.kind == "ball":
        return p
    if shape.kind == "box":
        return np.where(np.arange(3) == np.abs(p).argmax(-1)[:, None], np.sign(p), np.float32(0))
    slope = (shape.taper - 1) / 2
    side = np.stack([p[:, 0], p[:, 1], -slope * ((1 + shape.taper) / 2 + slope * p[:, 2])], -1)
    return np.where(np.abs(p[:, 2:]) > 0.999, np.sign(p) * np.array((0, 0, 1), np.float32), side)


class View(NamedTuple):
    """What a camera sees, each (H, W[, 3]): depth z (inf: sky), index of the shape (-1: sky), object, world normal,
    world point, the point in the shape's own axes, and the half-axes of the shape, in metres."""

    depth: np.ndarray
    index: np.ndarray
    group: np.ndarray
    normal: np.ndarray
    point: np.ndarray
    local: np.ndarray
    half: np.ndarray


def nearest(shapes: list[Shape], camera: Camera, wobble: np.ndarray | float = 0.0) -> tuple[np.ndarray, ...]:
    """Casts every ray at every shape whose window holds it: depth (inf: sky), index of the shape (-1), world points."""
    origin, rays = camera.rays(wobble)
    depth = np.full((camera.height, camera.width), np.inf, np.float32)
    index = np.full(depth.shape, -1, np.int32)
    inverses = np.linalg.inv(np.stack([shape.axes for shape in shapes])).astype(np.float32)
    with np.errstate(all="ignore"):
        for number, (top, bottom, left, right) in enumerate(camera.windows(shapes)):
            if top >= bottom or left >= right:
                continue
            shape, window = shapes[number], (slice(None), slice(top, bottom), slice(left, right))
            start = (origin[window] if camera.parallel else origin) - shape.centre.astype(np.float32).reshape(3, 1, 1)
            start, way = (np.tensordot(inverses[number], v, 1)
                          for v in (start, rays if camera.parallel else rays[window]))  # fmt: skip
            t = _hit(shape.kind, shape.taper, start, way)
            won = t < depth[window[1:]]
            np.copyto(depth[window[1:]], t, where=won, casting="same_kind")
            np.copyto(index[window[1:]], number, where=won)
    points = origin + np.where(np.isfinite(depth), depth, np.float32(1e4)) * rays
    return depth, index, points.transpose(1, 2, 0)


def cast(shapes: list[Shape], camera: Camera, wobble: np.ndarray | float = 0.0) -> View:
    """What `camera` sees of the shapes."""
    depth, index, point = nearest(shapes, camera, wobble)
    normal, local, half = (np.zeros(point.shape, np.float32) for _ in range(3))
    order = np.argsort(index.ravel(), kind="stable")
    ends = np.searchsorted(index.ravel()[order], np.arange(len(shapes) + 1))
    for shape, start, end in zip(shapes, ends, ends[1:], strict=False):
        if start == end:
            continue
        rows, columns = np.divmod(order[start:end], camera.width)
        inverse = np.linalg.inv(shape.axes).astype(np.float32)
        p = (point[rows, columns] - shape.centre.astype(np.float32)) @ inverse.T
        n = _normal(shape, p) @ inverse
        size = np.linalg.norm(shape.axes, axis=0).astype(np.float32)
        normal[rows, columns] = n / np.maximum(np.sqrt((n * n).sum(-1, keepdims=True)), 1e-9)
        local[rows, columns], half[rows, columns] = p * size, size
    group = np.array([0] + [shape.group for shape in shapes], np.int16)[index + 1]
    return View(depth, index, group, normal, point, local, half)


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) about up, then right, then forward."""
    (cy, cp, cr), (sy, sp, sr) = np.cos((yaw, pitch, roll)), np.sin((yaw, pitch, roll))
    about_up = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_right = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return about_up @ about_right @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])


class Scene:
    """Shapes, names of the objects, heads (object, centre) that may speak, and where the viewer stands."""

    def __init__(self, rng: np.random.Generator, drawn: bool = False) -> None:
        self.rng, self.shapes, self.names, self.heads = rng, [], ["sky"], []
        self.head_size = rng.uniform(1.25, 1.6) if drawn else 1.0  # figures in comics have large heads
        self.position, self.axes, self.focal, self.lamp, self.haze = np.zeros(3), np.eye(3), 1.0, None, 90.0

    def u(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def pick(self, options: tuple) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def tint(self, colour: tuple) -> tuple:
        return tuple(np.clip(np.array(colour) * self.rng.uniform(0.82, 1.15) + self.rng.normal(0, 7, 3), 8, 245))

    def new(self, name: str) -> None:
        """The shapes that follow belong to a new object."""
        self.names.append(name)

    def look(self, position: tuple, yaw: float = 0.0, pitch: float = 0.0, focal: float = 0.8, roll: float = 0.0) -> None:
        """Stands the viewer; pitch > 0 looks up, angles in degrees; focal length in units of sqrt(width * height)."""
        self.position, self.focal = np.array(position, float), focal
        self.axes = turned(*np.radians((yaw, pitch, roll + self.u(-1.5, 1.5)))).T

    def camera(self, height: int, width: int) -> Camera:
        return Camera(self.position, self.axes, self.focal * (height * width) ** 0.5, height, width)

    def put(self, kind: str, centre: Any, axes: Any, colour: tuple, second: tuple = DARK, pattern: str = "",
            taper: float = 1.0, shadow: bool = True) -> None:  # fmt: skip
        self.shapes.append(Shape(kind, np.asarray(centre, float), np.asarray(axes, float), colour, second, pattern,
                                 taper, len(self.names) - 1, shadow))  # fmt: skip

    def box(self, centre: Any, size: tuple, colour: tuple, yaw: float = 0.0, pitch: float = 0.0, **more: Any) -> None:
        self.put("box", centre, turned(yaw, pitch) * (np.array(size) / 2), colour, **more)

    def ball(self, centre: Any, radii: Any, colour: tuple, turn: np.ndarray | None = None, **more: Any) -> None:
        self.put("ball", centre, (np.eye(3) if turn is None else turn) * np.broadcast_to(radii, 3), colour, **more)

    def tube(self, start: Any, end: Any, radius: float, colour: tuple, flat: float = 1.0, **more: Any) -> None:
        """From `start` to `end`; `flat` scales the radius along z for a tube that stands upright."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        along = (end - start) / 2
        across = np.cross(along, (0, 0, 1) if abs(along[2]) < 0.9 * np.linalg.norm(along) else (1, 0, 0))
        across /= np.linalg.norm(across)
        other = np.cross(along, across)
        other /= np.linalg.norm(other)
        self.put("tube", (start + end) / 2, np.stack([across * radius, other * radius * flat, along], 1), colour, **more)

    # Objects ----------------------------------------------------------------------------------------------------
    def head(self, centre: np.ndarray, turn: np.ndarray, r: float, skin: tuple, hair: tuple, detail: bool) -> None:
        """A head of height 2.2 r; without detail it is skull and hair."""
        at = lambda x, y, z: centre + turn @ (np.array([x, y, z]) * r)  # noqa: E731
        part = lambda place, radii, colour: self.ball(at(*place), np.array(radii) * r, colour, turn)  # noqa: E731
        part((0, 0, 0), (0.82, 1.1, 0.95), skin)
        part((0, 0.28, 0.2), (0.93, 0.95, 1.0), hair)
        if self.u(0, 1) < 0.45:
            part((0, -0.3, 0.42), (0.95, 1.15, 0.62), hair)
        if self.u(0, 1) < 0.2:
            self.tube(at(0, 0.7, 0.05), at(0, 1.5, 0.1), r * 0.9, self.pick(CLOTHS), taper=0.75)
            self.tube(at(0, 0.68, 0.0), at(0, 0.76, 0.0), r * 1.45, self.pick(CLOTHS))
        if not detail:
            return
        wide = 1.0 if self.head_size == 1 else 1.5
        eye, lip, look = self.pick(((86, 60, 40), (60, 90, 110), (70, 96, 60))), self.u(0.03, 0.13), self.u(-0.06, 0.06)
        for side in (-1, 1):
            part((side * 0.34, 0.06, -0.84), (0.16 * wide, 0.115 * wide, 0.09), (236, 234, 228))
            part((side * 0.34 + look, 0.06, -0.9), (0.075 * wide, 0.085 * wide, 0.06), eye)
            part((side * 0.34 + look, 0.06, -0.945), (0.04 * wide, 0.045 * wide, 0.03), (16, 14, 14))
            part((side * 0.36, 0.3, -0.84), (0.23, 0.045 * wide, 0.09), hair)
            part((side * 0.82, 0.0, 0.05), (0.1, 0.22, 0.16), skin)
        part((0, -0.18, -0.93), (0.11, 0.2, 0.17), skin)
        part((0, -0.55, -0.76), (0.28, lip, 0.1), (146, 74, 70))

    def person(self, x: float, z: float, y: float = 0.0, height: float | None = None, yaw: float | None = None,
               detail: bool | None = None, lean: float = 0.0) -> None:  # fmt: skip
        """Somebody who stands or walks at (x, y, z); yaw 0 faces -z."""
        self.new("person")
        rng, k = self.rng, (height or self.u(1.5, 1.9)) / 1.75
        turn = turned(self.u(-np.pi, np.pi) if yaw is None else yaw, lean)
        detail = np.hypot(*(np.array((x, z)) - self.position[[0, 2]])) < 7 if detail is None else detail
        at = lambda a, b, c: np.array([x, y, z]) + turn @ (np.array([a, b, c]) * k)  # noqa: E731
        skin, hair = self.tint(self.pick(SKINS)), self.tint(self.pick(HAIRS))
        shirt, legs, shoe = (self.tint(self.pick(CLOTHS)) for _ in range(3))
        stride, pattern = self.u(-0.28, 0.28), self.pick(("", "", "stripes"))
        skirt = self.u(0, 1) < 0.3
        for side in (-1, 1):
            foot, knee = at(side * 0.11, 0.06, side * stride), at(side * 0.1, 0.48, side * stride * 0.45 - 0.04)
            self.tube(at(side * 0.09, 0.9, 0), knee, 0.085 * k, skin if skirt else legs, taper=0.8)
            self.tube(knee, foot, 0.066 * k, skin if skirt else legs, taper=0.75)
            self.ball(foot + turn @ (0, -0.01, -0.06 * k), np.array((0.06, 0.055, 0.13)) * k, shoe, turn)
            out, up = self.u(0.02, 0.2), self.u(0, 1) < 0.15
            shoulder, elbow = at(side * 0.2, 1.4, 0), at(side * (0.25 + out), 1.16, self.u(-0.12, 0.12))
            hand = at(side * (0.3 + out), 1.6, -0.12) if up else at(side * (0.24 + out * rng.normal(0.6, 0.6)), 0.9, self.u(-0.3, 0.02))  # fmt: skip  # noqa: E501
            self.tube(shoulder, elbow, 0.064 * k, shirt, taper=0.85)
            if detail:
                self.ball(shoulder, 0.073 * k, shirt)
                self.ball(elbow, 0.055 * k, shirt)
            self.tube(elbow, hand, 0.052 * k, skin if pattern else shirt, taper=0.75)
            self.ball(hand, 0.055 * k, skin)
        if skirt:
            self.tube(at(0, 0.5, 0), at(0, 1.0, 0), 0.28 * k, legs, taper=0.55)
        chest = np.stack([turn @ (0.165, 0, 0), turn @ (0, 0, 0.11), turn @ (0, 0.28, 0)], 1) * k
        self.put("tube", at(0, 1.17, 0), chest, shirt, pattern=pattern, second=self.pick(CLOTHS), taper=1.15)
        self.ball(at(0, 1.43, 0), np.array((0.2, 0.07, 0.115)) * k, shirt, turn)
        r = 0.115 * k * self.head_size
        self.tube(at(0, 1.42, 0.01), at(0, 1.56, 0), 0.055 * k, skin)
        centre = at(0, 1.52, -0.01) + turn @ (0, r * 1.02, 0)
        self.heads.append((len(self.names) - 1, centre, r))
        self.head(centre, turn, r, skin, hair, detail)

    def tree(self, x: float, z: float, height: float, y: float = 0.0, name: str = "tree", blobs: int = 14) -> None:
        self.new(name)
        bark, leaf, spread = self.tint(BARK), self.tint(LEAF), height * self.u(0.2, 0.3)
        self.tube((x, y, z), (x + self.u(-0.05, 0.05) * height, y + height * 0.75, z), height * 0.045, bark, taper=0.5,
                  pattern="bark", second=DARK)  # fmt: skip
        if self.u(0, 1) < 0.25:  # a fir
            for level in range(4):
                self.tube((x, y + height * (0.2 + 0.2 * level), z), (x, y + height * (0.45 + 0.2 * level), z),
                          spread * (1.2 - 0.25 * level), leaf, taper=0.05, pattern="leaf", second=self.tint(LEAF))  # fmt: skip
            return
        for _ in range(blobs):
            offset = self.rng.normal(0, 0.55, 3) * spread
            self.ball((x + offset[0], y + height * 0.75 + offset[1] * 0.7, z + offset[2]), spread * self.u(0.3, 0.62),
                      leaf, pattern="leaf", second=self.tint(LEAF))  # fmt: skip

    def bush(self, x: float, z: float, size: float, y: float = 0.0) -> None:
        self.new("bush")
        leaf = self.tint(LEAF)
        for _ in range(4):
            self.ball((x + self.u(-1, 1) * size, y + size * self.u(0.1, 0.5), z + self.u(-0.5, 0.5) * size),
                      size * self.u(0.45, 0.7), leaf, pattern="leaf", second=self.tint(LEAF))  # fmt: skip

    def house(self, x: float, z: float, size: tuple, y: float = 0.0, yaw: float = 0.0, roof: bool = False) -> None:
        """A building of (width, height, depth); with `roof` a cottage, else a block of windows."""
        self.new("house")
        wall, turn = self.tint(self.pick(WALLS)), turned(yaw)
        self.box((x, y + size[1] / 2, z), size, wall, yaw, pattern="windows", second=self.tint(GLASS))
        if roof:
            slab, up = self.tint((142, 82, 62)), np.array((0, y + size[1] + size[0] * 0.22, 0))
            for side in (-1, 1):
                axes = turn @ turned(0, 0, -side * 0.62) * (np.array((size[0] * 0.66, 0.25, size[2] * 1.15)) / 2)
                self.put("box", (x, 0, z) + up + turn @ (side * size[0] * 0.26, 0, 0), axes, slab, pattern="bricks")
        else:
            self.box((x, y + size[1], z), (size[0] * 1.04, 0.5, size[2] * 1.04), self.tint(STONE), yaw)

    def car(self, x: float, z: float, yaw: float = 0.0, y: float = 0.0) -> None:
        self.new("car")
        paint, turn = self.tint(self.pick(CLOTHS)), turned(yaw)
        at = lambda *place: np.array((x, y, z)) + turn @ place  # noqa: E731
        self.box(at(0, 0.62, 0), (1.75, 0.55, 4.1), paint, yaw)
        self.box(at(0, 1.12, 0.2), (1.5, 0.5, 2.1), self.tint(GLASS), yaw)
        self.box(at(0, 1.4, 0.2), (1.5, 0.1, 2.0), paint, yaw)
        for side in (-1, 1):
            for end in (-1.25, 1.3):
                self.tube(at(side * 0.7, 0.34, end), at(side * 0.93, 0.34, end), 0.34, DARK)
                self.tube(at(side * 0.93, 0.34, end), at(side * 0.95, 0.34, end), 0.17, METAL)
            self.ball(at(side * 0.6, 0.68, -2.05), (0.17, 0.13, 0.06), (230, 222, 190), turn)

    def lamppost(self, x: float, z: float, side: float = 1.0) -> None:
        self.new("lamppost")
        self.tube((x, 0, z), (x, 4.4, z), 0.09, METAL, taper=0.6)
        self.tube((x, 4.4, z), (x + side * 1.1, 4.6, z), 0.05, METAL)
        self.ball((x + side * 1.1, 4.5, z), (0.3, 0.14, 0.2), (228, 218, 180))

    def flyer(self, place: Any) -> None:
        """A bird, a balloon or a hanging sign: something with nothing below it."""
        place = np.asarray(place, float)
        kind = self.pick(("bird", "balloon"))
        self.new(kind)
        if kind == "balloon":
            self.ball(place, (0.5, 0.62, 0.5), self.tint(self.pick(CLOTHS)), pattern="stripes", second=self.pick(CLOTHS))
            self.tube(place - (0, 0.6, 0), place - (0.1, 2.2, 0), 0.012, DARK)
            return
        colour, yaw = self.tint(self.pick(((90, 86, 84), (190, 186, 180), (60, 70, 90)))), self.u(-0.6, 0.6)
        turn = turned(yaw)
        self.ball(place, (0.16, 0.15, 0.42), colour, turn)
        self.ball(place + turn @ (0, 0.12, -0.42), 0.13, colour)
        self.tube(place + turn @ (0, 0.1, -0.5), place + turn @ (0, 0.06, -0.72), 0.05, (206, 150, 60), taper=0.1)
        for side in (-1, 1):
            self.ball(place + turn @ (side * 0.55, 0.2, 0.05), (0.5, 0.04, 0.2), colour, turn @ turned(0, 0, side * 0.4))

    def branch(self, distance: float, side: float, rise: float = 0.3) -> None:
        """A leafy branch that hangs into the picture from above, `distance` metres before the viewer."""
        self.new("branch")
        bark, leaf = self.tint(BARK), self.tint(LEAF)
        seen = lambda a, b, c: self.position + np.array((a, b, c)) * distance / self.focal @ self.axes  # noqa: E731
        f = self.focal
        start, end = seen(side * 0.75, 0.62, f * 1.1), seen(side * self.u(-0.1, 0.15), rise + 0.08, f)
        self.tube(start, end, 0.07 * distance, bark, taper=0.3, pattern="bark")
        for _ in range(22):
            where = self.u(0.1, 1.05)
            blob = start + (end - start) * where + self.rng.normal(0, 0.07 * distance, 3)
            self.ball(blob, distance * self.u(0.03, 0.08), leaf, pattern="leaf", second=self.tint(LEAF))

    def ground(self, colour: tuple, pattern: str = "", second: tuple = DARK, y: float = 0.0, name: str = "ground") -> None:
        self.new(name)
        self.box((0, y - 1, 150), (700, 2, 500), self.tint(colour), pattern=pattern, second=second, shadow=False)


# Kinds of scene ---------------------------------------------------------------------------------------------------
def street(s: Scene) -> None:
    s.look((s.u(-1.5, 1.5), s.u(1.1, 3.4), 0), s.u(-14, 14), s.u(-6, 9), s.u(0.7, 1.0))
    s.ground(ASPHALT, "road", (206, 200, 186))
    half = s.u(3.2, 5.0)
    for side in (-1, 1):
        s.new("pavement")
        s.box((side * (half + 1.6), 0.07, 60), (3.2, 0.14, 130), s.tint(PAVING), pattern="tiles", second=STONE, shadow=False)
        z = s.u(1, 5)
        while z < 75:
            wide, tall = s.u(6, 12), s.u(5, 17)
            s.house(side * (half + 3.2 + 4), z + wide / 2, (8, tall, wide))
            if z < 30 and s.u(0, 1) < 0.6:
                s.new("awning")
                s.box((side * (half + 2.5), s.u(2.7, 3.4), z + wide / 2), (1.9, 0.12, wide * 0.7), s.pick(CLOTHS), pattern="stripes", second=(214, 206, 190))  # fmt: skip  # noqa: E501
            if z < 22 and s.u(0, 1) < 0.5:
                s.new("sign")
                s.box((side * (half + 2.3), s.u(3.2, 4.5), z + 0.8), (1.5, 0.9, 0.12), s.pick(CLOTHS), shadow=False)
            z += wide + s.pick((0, 0, 1.5))
        s.lamppost(side * (half + 0.4), s.u(5, 10), -side)
        s.lamppost(side * (half + 0.4), s.u(16, 24), -side)
    s.house(0, 84, (40, s.u(8, 20), 8))
    for _ in range(int(s.u(3, 8))):
        s.person(s.u(-half - 2, half + 2), s.u(2.6, 6) if s.u(0, 1) < 0.4 else s.u(6, 25), 0.05)
    for _ in range(int(s.u(1, 4))):
        s.car(s.pick((-1, 1)) * (half - 1.3), s.u(7, 32), s.pick((0.0, np.pi)))
    if s.u(0, 1) < 0.5:
        s.flyer((s.u(-1, 1), s.position[1] + s.u(0.8, 1.5), s.u(2.5, 4)))


def field(s: Scene) -> None:
    s.look((0, s.u(1.0, 3.0), 0), s.u(-10, 10), s.u(-8, 6), s.u(0.7, 1.0))
    s.ground(GRASS, "grass", (146, 144, 84))
    for _ in range(5):
        s.new("hill")
        s.ball((s.u(-160, 160), -8, s.u(110, 220)), (s.u(50, 110), s.u(18, 50), 40), s.tint((104, 120, 92)), pattern="grass", second=(90, 104, 84))  # fmt: skip  # noqa: E501
    s.new("path")
    s.box((s.u(-2, 2), 0.01, 40), (s.u(1.4, 2.4), 0.03, 90), s.tint(SAND), s.u(-0.2, 0.2), shadow=False)
    for _ in range(int(s.u(4, 10))):
        s.tree(s.pick((-1, 1)) * s.u(3, 26), s.u(8, 60), s.u(3.5, 8))
    for _ in range(5):
        s.bush(s.pick((-1, 1)) * s.u(2, 10), s.u(5, 25), s.u(0.4, 0.9))
    s.house(s.u(-16, 16), s.u(24, 50), (s.u(6, 9), 4, 8), yaw=s.u(-0.7, 0.7), roof=True)
    if s.u(0, 1) < 0.6:
        s.new("fence")
        z = s.u(4, 9)
        for x in np.arange(-9, 9, 1.5):
            s.tube((x, 0, z), (x, 1.1, z), 0.07, WOOD)
        for y in (0.45, 0.9):
            s.box((0, y, z), (18, 0.12, 0.05), s.tint(WOOD))
    for _ in range(int(s.u(1, 4))):
        s.person(s.u(-3, 3), s.u(2.6, 12))
    for _ in range(int(s.u(0, 4))):
        s.new("cow")
        x, z, side = s.u(-7, 7), s.u(7, 22), s.pick((-1, 1))
        s.ball((x, 1.0, z), (0.85, 0.45, 0.4), (196, 186, 176), pattern="patches", second=(70, 54, 46))
        s.ball((x + side * 1.0, 1.3, z), (0.32, 0.22, 0.18), (196, 186, 176))
        for a, b in ((-0.5, -0.2), (-0.5, 0.2), (0.5, -0.2), (0.5, 0.2)):
            s.tube((x + a, 0, z + b), (x + a, 0.9, z + b), 0.09, (176, 166, 156))
    if s.u(0, 1) < 0.75:
        s.branch(s.u(1.4, 3), s.pick((-1, 1)), s.u(0.15, 0.35))
    if s.u(0, 1) < 0.4:
        s.flyer((s.u(-1, 1), s.position[1] + s.u(0.5, 1.2), s.u(2.5, 5)))


def furniture(s: Scene, x: float, z: float) -> None:
    """A table with things on it, and a chair."""
    s.new("table")
    wood, top = s.tint(WOOD), s.u(0.68, 0.8)
    wide, deep = s.u(0.9, 1.5), s.u(0.6, 0.9)
    s.box((x, top, z), (wide, 0.06, deep), wood, pattern="planks")
    for a in (-1, 1):
        for b in (-1, 1):
            s.box((x + a * wide * 0.45, top / 2, z + b * deep * 0.42), (0.06, top, 0.06), wood)
    for _ in range(3):
        s.new("vessel")
        a, b, r = x + s.u(-0.4, 0.4) * wide, z + s.u(-0.35, 0.35) * deep, s.u(0.05, 0.09)
        s.tube((a, top, b), (a, top + r * s.u(2, 5), b), r, s.tint(s.pick(CLOTHS)), taper=s.u(0.5, 1.2))
    s.new("chair")
    side, colour = s.pick((-1, 1)), s.tint(s.pick(CLOTHS))
    x = x + side * (wide / 2 + 0.35)
    s.box((x, 0.45, z), (0.42, 0.06, 0.42), colour)
    s.box((x + side * 0.2, 0.75, z), (0.05, 0.6, 0.42), colour)
    for a in (-1, 1):
        for b in (-1, 1):
            s.box((x + a * 0.18, 0.22, z + b * 0.18), (0.05, 0.44, 0.05), colour)


def room(s: Scene) -> None:
    wide, tall, deep = s.u(3.6, 6), s.u(2.5, 3.2), s.u(4.5, 8)
    s.look((s.u(-0.3, 0.3) * wide, s.u(0.9, 2.1), 0), s.u(-18, 18), s.u(-16, 5), s.u(0.6, 0.85))
    s.lamp, s.haze = np.array((s.u(-0.5, 0.5), tall - 0.3, deep * 0.5)), None
    s.ground(s.pick((WOOD, STONE)), s.pick(("planks", "tiles")), (92, 70, 50), name="floor")
    paper, pattern = s.tint(s.pick(WALLS)), s.pick(("", "stripes", "patches"))
    walls = (("back wall", (0, tall / 2, deep + 0.05), (wide, tall, 0.1)), ("left wall", (-wide / 2, tall / 2, deep / 2), (0.1, tall, deep + 3)),
             ("right wall", (wide / 2, tall / 2, deep / 2), (0.1, tall, deep + 3)))  # fmt: skip  # noqa: E501
    for name, centre, size in walls:
        s.new(name)
        s.box(centre, size, paper, pattern=pattern, second=tuple(np.array(paper) * 0.88), shadow=False)
    s.new("ceiling")
    s.box((0, tall + 0.05, deep / 2), (wide, 0.1, deep + 3), s.tint((206, 200, 188)), shadow=False)
    for z in np.arange(1.2, deep, 1.3) if s.u(0, 1) < 0.5 else ():
        s.box((0, tall - 0.06, z), (wide, 0.14, 0.16), s.tint(WOOD), shadow=False)
    s.new("window")
    x = s.u(-0.25, 0.25) * wide
    s.box((x, tall * 0.58, deep), (1.5, 1.2, 0.1), (196, 190, 176), shadow=False)
    for a in (-0.35, 0.35):
        s.box((x + a, tall * 0.58, deep - 0.03), (0.58, 1.04, 0.1), (176, 204, 222), shadow=False)
    s.new("shelf")
    side = s.pick((-1, 1))
    s.box((side * (wide / 2 - 0.2), 0.95, deep * 0.7), (0.36, 1.9, 1.3), s.tint(WOOD), pattern="books", second=CLOTHS[0])
    s.new("picture")
    s.box((-side * (wide / 2 - 0.06), 1.6, deep * s.u(0.4, 0.7)), (0.06, 0.6, 0.8), s.tint(s.pick(CLOTHS)), pattern="patches", second=SAND)  # fmt: skip  # noqa: E501
    for _ in range(int(s.u(1, 3))):
        s.new("lamp")
        a, y, z = s.u(-0.3, 0.3) * wide, tall - s.u(0.5, 0.8), s.u(1.5, deep * 0.6)
        s.tube((a, y, z), (a, tall, z), 0.015, DARK, shadow=False)
        s.tube((a, y - 0.12, z), (a, y + 0.12, z), s.u(0.18, 0.3), s.tint(s.pick(CLOTHS)), taper=0.45, shadow=False)
        s.ball((a, y - 0.12, z), 0.08, (240, 230, 190), shadow=False)
    furniture(s, s.u(-0.25, 0.25) * wide, s.u(1.9, deep * 0.7))
    for _ in range(int(s.u(1, 4))):
        s.person(s.u(-0.4, 0.4) * wide, s.u(1.6, deep - 0.6), yaw=s.u(-1.2, 1.2))


def stairs(s: Scene) -> None:
    count, wide = int(s.u(9, 15)), s.u(2.4, 3.6)
    rise, tread = 0.18, 0.34
    down = s.u(0, 1) < 0.4
    sign, top = (-1, count * rise) if down else (1, 0)
    s.look((s.u(-0.4, 0.4), s.u(1.2, 1.9) if not down else 1.5, 0), s.u(-12, 12), s.u(-24, -14) if down else s.u(2, 16), s.u(0.6, 0.8))  # fmt: skip  # noqa: E501
    s.ground(STONE, "tiles", PAVING, y=-top - 0.4 if down else 0.0, name="floor")
    s.haze = 60.0
    colour, level = s.tint(s.pick((STONE, WOOD, SAND))), lambda n: sign * rise * n
    start = 0.5 if down else 1.8
    for n in range(count):
        s.new("step")
        s.box((0, level(n + (0 if down else 1)) - 2, start + n * tread + (0 if down else 3)), (wide, 4, tread if down else 6), colour)  # fmt: skip  # noqa: E501
    end = start + count * tread
    for side in (-1, 1):
        s.new("wall")
        s.box((side * (wide / 2 + 0.2), 0, end / 2 + 2), (0.4, 9, end + 8), s.tint(s.pick(WALLS)), pattern="bricks", second=(120, 112, 104), shadow=False)  # fmt: skip  # noqa: E501
    s.new("rail")
    x = s.pick((-1, 1)) * (wide / 2 - 0.15)
    for n in range(0, count, 2):
        y = level(n + (0 if down else 1))
        s.tube((x, y, start + n * tread + 0.15), (x, y + 0.95, start + n * tread + 0.15), 0.03, METAL)
    s.tube((x, level(0) + 0.95, start), (x, level(count) + 0.95, end), 0.05, WOOD)
    if not down:
        s.new("arch")
        s.box((0, 2.9 + s.u(0, 0.5), s.u(1.6, 2.6)), (wide + 1, 0.6, 0.5), s.tint(STONE), pattern="bricks")
        s.new("end")
        s.house(0, end + 8, (14, level(count) + 9, 2))
    else:
        s.house(0, end + 12, (30, 9, 4), y=-top - 0.4)
        if s.u(0, 1) < 0.7:
            s.new("beam")
            s.box((0, 2.2, s.u(1.3, 2.4)), (wide + 1, 0.35, 0.4), s.tint(WOOD), shadow=False)
    for n in s.rng.permutation(np.arange(2, count, 2))[: int(s.u(2, 5))]:
        s.person(s.u(-0.3, 0.3) * wide, start + n * tread + 0.17, level(n + (0 if down else 1)), yaw=s.u(-0.6, 0.6))
    s.new("lantern")
    a, z = s.u(-0.8, 0.8), s.u(1.3, 2.2)
    s.tube((a, 2.2, z), (a, 5, z), 0.015, DARK, shadow=False)
    s.ball((a, 2.15, z), (0.13, 0.18, 0.13), (226, 196, 130), shadow=False)


def head(s: Scene) -> None:
    s.pick((street, room, forest, field, window))(s)
    s.names.append("head")
    z = s.u(0.5, 1.0)
    turn, r = s.axes.T @ turned(s.u(-0.8, 0.8), s.u(-0.15, 0.15), s.u(-0.2, 0.2)), 0.125 * (1 + s.head_size) / 2
    centre = s.position + np.array((s.u(-0.28, 0.28) * z / s.focal, s.u(-0.16, 0.1) * z / s.focal, z)) @ s.axes
    skin, shirt = s.tint(s.pick(SKINS)), s.tint(s.pick(CLOTHS))
    s.heads.insert(0, (len(s.names) - 1, centre, r))
    s.head(centre, turn, r, skin, s.tint(s.pick(HAIRS)), True)
    low = lambda a, b, c: centre + turn @ (np.array((a, b, c)) * r)  # noqa: E731
    s.tube(low(0, -1.7, 0.2), low(0, -0.6, 0.15), r * 0.45, skin)
    s.ball(low(0, -2.3, 0.3), np.array((2.2, 0.8, 1.0)) * r, shirt, turn)
    chest = np.stack([turn @ (1.9 * r, 0, 0), turn @ (0, 0, 0.9 * r), turn @ (0, 2.6 * r, 0)], 1)
    s.put("tube", low(0, -4.9, 0.3), chest, shirt)
    for side in (-1, 1):
        s.tube(low(side * 2.0, -2.35, 0.3), low(side * 2.6, -6.5, 0.1), 0.6 * r, shirt)
    if s.u(0, 1) < 0.35:  # a hand held up before the face
        s.new("hand")
        side = s.pick((-1, 1))
        palm = low(side * s.u(1.2, 1.7), s.u(-0.9, 0.6), -2.2)
        s.ball(palm, np.array((0.42, 0.5, 0.2)) * r, skin, turn)
        for finger in (-0.3, -0.1, 0.1, 0.3):
            s.tube(palm + turn @ (finger * r, 0.3 * r, 0), palm + turn @ (finger * 1.5 * r, 1.05 * r, 0), 0.1 * r, skin)
        s.tube(palm - turn @ (0, 0.3 * r, 0), low(side * 2.2, -3.6, -1.2), 0.3 * r, shirt, taper=1.3)


def crowd(s: Scene) -> None:
    s.look((0, s.u(1.3, 3.2), 0), s.u(-10, 10), s.u(-9, 4), s.u(0.75, 1.0))
    s.ground(PAVING, "tiles", STONE)
    facing = s.pick((0.0, np.pi, None))
    z = s.u(1.5, 2.4)
    while z < 20:
        for _ in range(3 if z < 6 else 2):
            s.person(s.u(-0.75, 0.75) * (z + 1) / s.focal, z + s.u(-0.3, 0.3), yaw=None if facing is None else facing + s.u(-0.7, 0.7))  # fmt: skip  # noqa: E501
        z += s.u(1.0, 1.8)
    for n in range(5):
        s.house(-32 + 16 * n, s.u(28, 45), (14, s.u(8, 20), 8))
    for z in (s.u(1.8, 2.6), s.u(4, 6), s.u(9, 12)):
        s.new("banner")
        x, y = s.u(-0.5, 0.5) * z, s.position[1] + (0.42 / s.focal + np.tan(np.arcsin(s.axes[2][1]))) * z
        s.box((x, y, z), (0.55 * z, 0.13 * z, 0.04), s.tint(s.pick(CLOTHS)), s.u(-0.3, 0.3), pattern=s.pick(("stripes", "")), second=SAND, shadow=False)  # fmt: skip  # noqa: E501
        s.tube((x, y, z), (x, y + 4, z), 0.02, DARK, shadow=False)


def above(s: Scene) -> None:
    high = s.u(7, 15)
    pitch = s.u(-76, -38)
    s.look((0, high, 0), s.u(-40, 40), pitch, s.u(0.7, 0.95))
    s.ground(s.pick((PAVING, GRASS, ASPHALT)), s.pick(("tiles", "grass", "tiles")), STONE)
    hit = high / np.tan(np.radians(-pitch))
    middle = hit * s.axes[2][[0, 2]] / max(np.linalg.norm(s.axes[2][[0, 2]]), 1e-6)
    place = lambda spread: middle + s.rng.uniform(-spread, spread, 2) * high  # noqa: E731
    for _ in range(int(s.u(3, 8))):
        s.person(*place(0.5), detail=False)
    for _ in range(int(s.u(2, 5))):
        s.tree(*place(0.75), s.u(0.3, 0.62) * high, blobs=12)
    for _ in range(int(s.u(1, 4))):
        s.car(*place(0.6), s.u(0, 6))
    for _ in range(int(s.u(1, 4))):
        x, z = place(0.5)
        s.new("stall")
        s.box((x, 2.3, z), (2.4, 0.12, 2), s.pick(CLOTHS), s.u(0, 3), s.u(-0.2, 0.2), pattern="stripes", second=(214, 206, 190))  # fmt: skip  # noqa: E501
        s.box((x, 0.5, z), (1.8, 1, 1), s.tint(WOOD))
    for _ in range(int(s.u(2, 4))):
        angle = s.u(0, 2 * np.pi)
        x, z = middle + np.array((np.sin(angle), np.cos(angle))) * high * s.u(0.75, 0.95)
        s.house(x, z, (s.u(0.5, 0.8) * high, s.u(0.3, 0.75) * high, s.u(0.5, 0.8) * high), yaw=s.u(0, 3))
    for _ in range(int(s.u(1, 4))):
        z = s.u(2.2, 0.5 * high)
        s.flyer(s.position + np.array((s.u(-0.35, 0.35) * z / s.focal, s.u(-0.1, 0.42) * z / s.focal, z)) @ s.axes)
    if s.u(0, 1) < 0.4:
        s.branch(s.u(1.5, 2.5), s.pick((-1, 1)), s.u(0.1, 0.4))


def below(s: Scene) -> None:
    s.look((0, s.u(0.3, 0.9), 0), s.u(-25, 25), s.u(14, 42), s.u(0.6, 0.8))
    s.ground(ASPHALT, "tiles", STONE)
    forward = s.axes[2][[0, 2]] / np.linalg.norm(s.axes[2][[0, 2]])
    aside = np.array((forward[1], -forward[0]))
    for side in (-1, 1):
        for distance in (s.u(7, 11), s.u(16, 26), s.u(32, 45)):
            x, z = forward * distance + aside * side * s.u(0.35, 0.8) * distance
            s.house(x, z, (s.u(5, 9), s.u(14, 40), s.u(5, 9)), yaw=s.u(-0.4, 0.4))
    for _ in range(int(s.u(1, 3))):
        x, z = forward * s.u(3.5, 8) + aside * s.u(-4, 4)
        s.tree(x, z, s.u(5, 9), blobs=14)
    for _ in range(int(s.u(1, 3))):
        x, z = forward * s.u(1.5, 2.6) + aside * s.u(-0.9, 0.9)
        s.person(x, z, yaw=s.u(-0.5, 0.5), detail=True)
    s.lamppost(*(forward * s.u(2.5, 5) + aside * s.u(-2, 2)), s.pick((-1, 1)))
    for _ in range(int(s.u(1, 4))):
        z = s.u(2.5, 14)
        s.flyer(s.position + np.array((s.u(-0.4, 0.4) * z / s.focal, s.u(-0.1, 0.4) * z / s.focal, z)) @ s.axes)
    if s.u(0, 1) < 0.7:
        s.branch(s.u(1.3, 2.5), s.pick((-1, 1)), s.u(0.05, 0.3))


def forest(s: Scene) -> None:
    s.look((0, s.u(0.7, 2.2), 0), s.u(-10, 10), s.u(-6, 12), s.u(0.65, 0.9))
    s.ground((112, 98, 66), "grass", (84, 92, 54))
    s.haze = 26.0
    for _ in range(24):
        z = s.u(2.2, 9) if s.u(0, 1) < 0.4 else s.u(9, 40)
        x = s.pick((-1, 1)) * s.u(0.12 * z, 0.75 * z)
        s.new("trunk")
        r = s.u(0.12, 0.34)
        s.tube((x, -0.2, z), (x + s.u(-0.5, 0.5), 11, z), r, s.tint(BARK), taper=0.6, pattern="bark", second=DARK)
        for side in (-1, 1):
            y = s.u(2, 5)
            s.tube((x, y, z), (x + side * s.u(0.8, 1.6), y + s.u(0.3, 1.2), z + s.u(-0.5, 0.5)), r * 0.35, BARK, taper=0.3)
    for _ in range(14):
        s.new("canopy")
        z = s.u(2.5, 22)
        x, y = s.u(-0.8, 0.8) * z, s.position[1] + (0.5 / s.focal + s.u(0.0, 0.25)) * z
        colour = s.tint(LEAF)
        for _ in range(5):
            s.ball(np.array((x, y, z)) + s.rng.normal(0, 0.1 * z, 3), s.u(0.07, 0.13) * z, colour, pattern="leaf", second=s.tint(LEAF))  # fmt: skip  # noqa: E501
    for _ in range(7):
        s.bush(s.u(-6, 6), s.u(3.5, 16), s.u(0.25, 0.7))
    for _ in range(6):
        s.new("mushroom")
        x, z, r = s.u(-3, 3), s.u(1.8, 7), s.u(0.08, 0.22)
        s.tube((x, 0, z), (x, r * 1.6, z), r * 0.4, (206, 196, 176))
        s.ball((x, r * 1.6, z), (r, r * 0.7, r), s.tint((166, 60, 44)), pattern="patches", second=(222, 214, 200))
    for _ in range(int(s.u(1, 4))):
        s.person(s.u(-1.6, 1.6), s.u(2.6, 9))
    if s.u(0, 1) < 0.6:
        s.branch(s.u(1.2, 2), s.pick((-1, 1)), s.u(0.1, 0.3))


def cave(s: Scene) -> None:
    s.look((0, s.u(1.0, 1.9), 0), s.u(-14, 14), s.u(-18, 0), s.u(0.6, 0.8))
    s.ground((120, 108, 92), "patches", (100, 90, 78), name="floor")
    s.haze, rock, end = None, s.tint((122, 112, 104)), s.u(10, 16)
    s.lamp = np.array((s.u(-0.5, 0.5), 2.2, end * 0.75))
    for z in np.arange(1.6, end, 1.5):
        s.new("rock")
        radius = s.u(2.3, 3.2)
        for angle in np.linspace(-0.25, np.pi + 0.25, 9):
            place = (radius * np.cos(angle) * 1.1, 0.7 + radius * np.sin(angle) * 0.9, z + s.u(-0.3, 0.3))
            s.ball(place, np.array((s.u(0.8, 1.2), s.u(0.8, 1.1), s.u(0.9, 1.4))), s.tint(rock), pattern="rock", second=tuple(np.array(rock) * 0.8), shadow=False)  # fmt: skip  # noqa: E501
    for _ in range(6):
        s.new("stalactite")
        z = s.u(1.5, end * 0.7)
        x = s.u(-0.45, 0.45) * z
        s.tube((x, 3.3, z), (x, s.u(1.7, 2.4), z), s.u(0.12, 0.3), s.tint(rock), taper=0.08, pattern="rock", second=rock)
    for _ in range(4):
        s.new("stone")
        s.ball((s.u(-1.8, 1.8), 0.05, s.u(2, 9)), (s.u(0.2, 0.5), s.u(0.15, 0.4), s.u(0.2, 0.5)), s.tint(rock), pattern="rock", second=rock)  # fmt: skip  # noqa: E501
    for _ in range(int(s.u(1, 4))):
        s.person(s.u(-1.3, 1.3), s.u(2.2, end - 2))
    for _ in range(int(s.u(0, 3))):
        z = s.u(1.8, 5)
        s.flyer((s.u(-0.3, 0.3) * z, s.position[1] + 0.3 * z, z))


def window(s: Scene) -> None:
    """A city seen from a room, through a window with plants and a lamp."""
    high = s.u(6, 25)
    s.look((0, high + 1.5, 0), s.u(-8, 8), s.u(-14, 3), s.u(0.7, 0.9))
    s.ground(ASPHALT, "tiles", STONE)
    s.haze = 110.0
    for _ in range(18):
        z = s.u(14, 110)
        s.house(s.u(-0.8, 0.8) * z, z, (s.u(6, 14), s.u(0.3, 1.25) * high + s.u(0, 10), s.u(6, 12)))
    s.new("frame")
    z, wide, low, top = s.u(1.0, 1.5), s.u(0.42, 0.6), -s.u(0.25, 0.4), s.u(0.3, 0.42)
    wide, low, top = wide * z / s.focal, low * z / s.focal + high + 1.5, top * z / s.focal + high + 1.5
    wood = s.tint(s.pick((WOOD, (196, 190, 180), WALLS[1])))
    for side in (-1, 1):
        s.box((side * (wide + 1), high + 1.5, z), (2, 6, 0.15), wood, shadow=False)
    s.box((0, low - 1, z), (4, 2, 0.3), wood, shadow=False)
    s.box((0, top + 1, z), (4, 2, 0.15), wood, shadow=False)
    if s.u(0, 1) < 0.5:
        s.box((s.u(-0.3, 0.3) * wide, high + 1.5, z), (0.06, 3, 0.06), wood, shadow=False)
    s.new("pot")
    x = s.u(-0.7, 0.7) * wide
    s.tube((x, low, z - 0.1), (x, low + 0.18, z - 0.1), 0.07, s.tint((166, 96, 66)), taper=1.3)
    for _ in range(5):
        s.ball((x + s.u(-0.08, 0.08), low + s.u(0.22, 0.36), z - 0.1), s.u(0.04, 0.08), s.tint(LEAF), pattern="leaf", second=LEAF)  # fmt: skip  # noqa: E501
    s.new("lamp")
    a, b, c = s.u(-0.6, 0.6) * wide, top - s.u(0.0, 0.15), z - s.u(0.2, 0.45)
    s.tube((a, b, c), (a, b + 3, c), 0.012, DARK, shadow=False)
    s.tube((a, b - 0.1, c), (a, b + 0.06, c), 0.12, s.tint(s.pick(CLOTHS)), taper=0.4, shadow=False)
    if s.u(0, 1) < 0.75:
        side = s.pick((-1, 1))
        s.person(side * s.u(0.5, 0.9) * wide, z + s.u(0.35, 1.2), high, yaw=s.u(-0.8, 0.8), detail=True)
        s.new("balcony")
        s.box((0, high - 0.1, z + 1.2), (5, 0.2, 2.2), s.tint(STONE))
    rail = z + 2.2
    s.new("rail")
    for a in np.arange(-2, 2, 0.25):
        s.tube((a, high, rail), (a, high + 0.95, rail), 0.018, METAL)
    s.box((0, high + 0.97, rail), (5, 0.06, 0.08), s.tint(METAL))
    s.flyer((s.u(-1, 1), high + 1.5 + s.u(0.2, 0.9), s.u(3.5, 7)))


KINDS: dict[str, Callable[[Scene], None]] = {
    "street": street, "field": field, "room": room, "stairs": stairs, "head": head, "crowd": crowd,
    "from above": above, "from below": below, "forest": forest, "cave": cave, "window": window,
}  # fmt: skip


def make_scene(kind: str, rng: np.random.Generator, height: int, width: int, drawn: bool = False) -> Scene:
    """A scene of a kind whose camera sees at least five objects and does not stand inside one. `drawn`: comics."""
    for _ in range(12):
        scene = Scene(rng, drawn)
        KINDS[kind](scene)
        quick = cast(scene.shapes, scene.camera(height // 5, width // 5))
        counts = np.bincount(quick.group.ravel(), minlength=len(scene.names))
        if (counts > quick.group.size * 0.006).sum() >= 5 and (quick.depth < 0.3).mean() < 0.03:
            break
    return scene
