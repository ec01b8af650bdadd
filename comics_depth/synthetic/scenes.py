"""The scenes of the synthetic world: solid shapes in metres, and a camera that sees them with exact
depth.

x is right, y up, z away from the viewer. A scene is a list of ellipsoids, boxes and tapered tubes;
every one belongs to an object (a person, a house, the ground), and the sky is object 0."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

DARK, WHITE, BROWN, BRICK, GREY, SAND = (
    (44, 42, 44),
    (214, 206, 192),
    (138, 102, 68),
    (156, 96, 78),
    (150, 144, 134),
    (190, 170, 132),
)
CLOTHS = (
    (150, 62, 56),
    (58, 84, 122),
    (92, 112, 78),
    (184, 166, 126),
    (72, 70, 78),
    (196, 196, 190),
    (170, 130, 62),
    (104, 74, 104),
    (60, 112, 116),
    (122, 88, 66),
)
WALLS = ((186, 172, 150), BRICK, (174, 150, 116), (148, 150, 152), (196, 184, 170), (126, 116, 110))
PLAIN = {
    "lip": (146, 74, 70),
    "wood": BROWN,
    "stone": GREY,
    "metal": (112, 116, 120),
    "sand": SAND,
    "dark": DARK,
    "white": (226, 220, 206),
    "glass": (74, 88, 104),
    "day": (176, 204, 222),
}
PATTERNED = {  # colour, second colour, what says where the second one shows
    "cow": ((196, 186, 176), (70, 54, 46), "patches"),
    "earth": ((120, 108, 92), (100, 90, 78), "patches"),
    "moss": ((112, 98, 66), (84, 92, 54), "grass"),
    "grass": ((112, 126, 70), (146, 144, 84), "grass"),
    "hill": ((104, 120, 92), (90, 104, 84), "grass"),
    "leaf": ((78, 104, 54), (64, 88, 44), "leaf"),
    "rock": ((122, 112, 104), (98, 90, 84), "rock"),
    "bark": ((92, 74, 58), DARK, "bark"),
    "mushroom": ((166, 60, 44), WHITE, "patches"),
    "road": ((104, 102, 102), WHITE, "road"),
    "planks": (BROWN, (92, 70, 50), "planks"),
}
# Colours, second colours and patterns to choose from.
MATERIALS: dict[str, tuple[tuple, tuple, tuple]] = {
    name: (*choices, *((DARK,), ("",))[len(choices) - 1 :])
    for name, choices in {
        **{name: ((colour,),) for name, colour in PLAIN.items()},
        **{
            name: ((colour,), (second,), (pattern,))
            for name, (colour, second, pattern) in PATTERNED.items()
        },
        "skin": (
            ((226, 182, 152), (196, 146, 112), (150, 104, 76), (104, 70, 52), (236, 200, 176)),
        ),
        "hair": (((44, 34, 30), (92, 62, 40), (176, 134, 80), (150, 72, 40), (150, 148, 146)),),
        "iris": (((86, 60, 40), (60, 90, 110), (70, 96, 60)),),
        "step": ((GREY, BROWN, SAND),),
        "feather": (((90, 86, 84), (190, 186, 180), (60, 70, 90)),),
        "frame": ((BROWN, WHITE, BRICK),),
        "cloth": (CLOTHS, CLOTHS),
        "shirt": (CLOTHS, CLOTHS, ("", "", "stripes")),
        "books": (CLOTHS, CLOTHS, ("books",)),
        "striped": (CLOTHS, (WHITE,), ("stripes",)),
        "picture": (CLOTHS, CLOTHS, ("patches",)),
        "paper": (WALLS, WALLS, ("", "stripes", "patches")),
        "house": (WALLS, ((74, 88, 104),), ("windows",)),
        "bricks": (WALLS, ((120, 112, 104),), ("bricks",)),
        "tiles": (((166, 160, 150), GREY), (DARK,), ("tiles",)),
        "roof": (((142, 82, 62), (104, 92, 88)), (DARK,), ("bricks",)),
    }.items()
}
# What would only keep the light out, or lies flat.
SHADOWLESS = {
    "ground",
    "pavement",
    "path",
    "wall",
    "ceiling",
    "window",
    "frame",
    "rock",
    "lamp",
    "sign",
    "banner",
    "beam",
}
CHEST = np.array(
    [[0.165, 0, 0], [0, 0, 0.28], [0, 0.11, 0]]
)  # half-axes of a torso, the tube's own z upright
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
PAIRS = np.triu_indices(8, 1)


class Paint(NamedTuple):
    colour: tuple
    second: tuple
    pattern: str


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


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products of vectors (3, ...), summed."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _hit(kind: str, taper: float, o: np.ndarray, d: np.ndarray) -> np.ndarray:
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


def largest(v: np.ndarray) -> np.ndarray:
    """Which component of vectors (3, ...) is largest, the first one of equals: argmax, which is
    slow for three."""
    x, y, z = v
    return np.where((x >= y) & (x >= z), 0, np.where(y >= z, 1, 2))


def _normal(shape: Shape, p: np.ndarray) -> np.ndarray:
    """Outward normals, of any length, in the shape's own space at surface points (3, N)."""
    if shape.kind == "ball":
        return p
    if shape.kind == "box":
        return np.where(np.arange(3)[:, None] == largest(np.abs(p)), np.sign(p), np.float32(0))
    slope = (shape.taper - 1) / 2
    side = np.stack([p[0], p[1], -slope * ((1 + shape.taper) / 2 + slope * p[2])])
    return np.where(np.abs(p[2]) > 0.999, np.sign(p) * np.array([[0], [0], [1]], np.float32), side)


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
            t = _hit(
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
            normal[here] = inverse.T @ _normal(shape, local[here])
    normal /= np.maximum(np.sqrt(dot(normal, normal)), 1e-9)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    normal, local = (v.take(back, 1).reshape(point.shape) for v in (normal, local))
    group = np.array([0, *(shape.group for shape in shapes)], np.int16).take(index + 1)
    return View(depth, index, group, normal, point, local)


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation (3, 3) about up, then right, then forward."""
    (cy, cp, cr), (sy, sp, sr) = np.cos((yaw, pitch, roll)), np.sin((yaw, pitch, roll))
    about_up = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_right = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return about_up @ about_right @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])


class Scene:
    """Shapes, names of the objects, heads (object, centre, radius) that may speak, and where the
    viewer stands."""

    def __init__(self, rng: np.random.Generator, drawn: bool = False) -> None:
        self.rng, self.shapes, self.names, self.heads = rng, [], ["sky"], []
        self.head_size = (
            rng.uniform(1.25, 1.6) if drawn else 1.0
        )  # figures in comics have large heads
        self.position, self.axes, self.focal = np.zeros(3), np.eye(3), 1.0
        self.lamp, self.haze = (
            None,
            90.0,
        )  # where indoor light comes from; metres after which the air fades colours

    def u(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def some(self, low: float, high: float) -> int:
        return int(self.u(low, high + 1))

    def pick(self, options: tuple) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def paint(self, material: str) -> Paint:
        """A material in one of its colours, a little lighter or darker."""
        colours, seconds, patterns = MATERIALS[material]

        def tint(colour):
            return tuple(
                np.clip(np.array(colour) * self.u(0.82, 1.15) + self.rng.normal(0, 7, 3), 8, 245)
            )

        return Paint(tint(self.pick(colours)), tint(self.pick(seconds)), self.pick(patterns))

    def new(self, name: str) -> "Scene":
        """The shapes that follow belong to a new object."""
        self.names.append(name)
        return self

    def look(
        self,
        height: float,
        yaw: float,
        pitch: float,
        focal: float,
        ground: str = "",
        x: float = 0.0,
    ) -> None:
        """Stands the viewer; pitch > 0 looks up, angles in degrees; focal length in units of
        sqrt(width * height)."""
        self.position, self.focal = np.array((x, height, 0.0)), focal
        self.axes = turned(*np.radians((yaw, pitch, self.u(-1.5, 1.5)))).T
        if ground:
            self.ground(ground)

    def seen(self, x: float, y: float, z: float) -> np.ndarray:
        """The world point at depth z that is seen (x, y) from the middle, in units of sqrt(width *
        height)."""
        return self.position + np.array((x * z / self.focal, y * z / self.focal, z)) @ self.axes

    def camera(self, height: int, width: int) -> Camera:
        return Camera(self.position, self.axes, self.focal * (height * width) ** 0.5, height, width)

    # Shapes: places and sizes in metres; a Paint, or the name of a material to draw one from
    def put(
        self, kind: str, centre: Any, axes: np.ndarray, paint: Paint | str, taper: float = 1.0
    ) -> None:
        paint = self.paint(paint) if isinstance(paint, str) else paint
        shadow = self.names[-1] not in SHADOWLESS
        self.shapes.append(
            Shape(kind, np.asarray(centre, float), axes, paint, taper, len(self.names) - 1, shadow)
        )

    def box(
        self, centre: Any, size: Any, paint: Paint | str, yaw: float = 0.0, roll: float = 0.0
    ) -> None:
        self.put("box", centre, turned(yaw, 0, roll) * (np.array(size) / 2), paint)

    def ball(
        self, centre: Any, radii: Any, paint: Paint | str, turn: np.ndarray | None = None
    ) -> None:
        self.put(
            "ball", centre, (np.eye(3) if turn is None else turn) * np.broadcast_to(radii, 3), paint
        )

    def tube(
        self, start: Any, end: Any, radius: float, paint: Paint | str, taper: float = 1.0
    ) -> None:
        start, end = np.asarray(start, float), np.asarray(end, float)
        along = (end - start) / 2
        x, y, z = along
        across = np.array((y, -x, 0) if abs(z) < 0.9 * np.linalg.norm(along) else (0, z, -y))
        other = np.cross(along, across)
        axes = [
            across / np.linalg.norm(across) * radius,
            other / np.linalg.norm(other) * radius,
            along,
        ]
        self.put("tube", (start + end) / 2, np.stack(axes, 1), paint, taper)

    def posts(self, feet: list, height: float, r: float, paint: Paint | str) -> None:
        for x, y, z in feet:
            self.tube((x, y, z), (x, y + height, z), r, paint)

    def legs(
        self,
        x: float,
        z: float,
        wide: float,
        deep: float,
        height: float,
        r: float,
        paint: Paint | str,
    ) -> None:
        feet = [(x + a * wide / 2, 0, z + b * deep / 2) for a in (-1, 1) for b in (-1, 1)]
        self.posts(feet, height, r, paint)

    def leaves(self, centre: Any, spread: float, count: int, size: float) -> None:
        leaf = self.paint("leaf")
        for _ in range(count):
            self.ball(
                np.array(centre) + self.rng.normal(0, spread, 3), size * self.u(0.6, 1.3), leaf
            )

    # Objects
    def many(self, count: int, make: Callable[[], None]) -> None:
        for _ in range(count):
            make()

    def head(
        self, centre: np.ndarray, turn: np.ndarray, r: float, skin: Paint, detail: bool = True
    ) -> None:
        """A head of height 2.2 r; without detail it is skull and hair."""
        hair, wide = self.paint("hair"), 1.0 if self.head_size == 1 else 1.5

        def at(*place):
            return centre + turn @ np.array(place) * r

        def part(place, radii, paint):
            return self.ball(at(*place), np.array(radii) * r, paint, turn)

        self.heads.append((len(self.names) - 1, centre, r))
        part((0, 0, 0), (0.82, 1.1, 0.95), skin)
        part((0, 0.28, 0.2), (0.93, 0.95, 1.0), hair)
        if self.u(0, 1) < 0.45:
            part((0, -0.3, 0.42), (0.95, 1.15, 0.62), hair)
        if self.u(0, 1) < 0.2:
            hat = self.paint("cloth")
            self.tube(at(0, 0.7, 0.05), at(0, 1.5, 0.1), r * 0.9, hat, taper=0.75)
            self.tube(at(0, 0.68, 0), at(0, 0.76, 0), r * 1.45, hat)
        if not detail:
            return
        look, lip = self.u(-0.06, 0.06), self.u(0.03, 0.13)
        for side in (-1, 1):
            part((side * 0.34, 0.06, -0.84), (0.16 * wide, 0.115 * wide, 0.09), "white")
            part((side * 0.34 + look, 0.06, -0.9), (0.075 * wide, 0.085 * wide, 0.06), "iris")
            part((side * 0.34 + look, 0.06, -0.945), (0.04 * wide, 0.045 * wide, 0.03), "dark")
            part((side * 0.36, 0.3, -0.84), (0.23, 0.045 * wide, 0.09), hair)
            part((side * 0.82, 0, 0.05), (0.1, 0.22, 0.16), skin)
        part((0, -0.18, -0.93), (0.11, 0.2, 0.17), skin)
        part((0, -0.55, -0.76), (0.28, lip, 0.1), "lip")

    def person(
        self, x: float, z: float, y: float = 0.0, yaw: float | None = None, detail: bool = True
    ) -> None:
        """Somebody who stands or walks at (x, y, z); yaw 0 faces -z. `detail` shows only nearer
        than 7 metres."""
        self.new("person")
        k, turn = self.u(0.86, 1.08), turned(self.u(-np.pi, np.pi) if yaw is None else yaw)
        detail = detail and bool(np.hypot(x - self.position[0], z - self.position[2]) < 7)

        def at(*place):
            return np.array([x, y, z]) + turn @ np.array(place) * k

        skin, shirt, trousers, shoe = (
            self.paint(name) for name in ("skin", "shirt", "cloth", "cloth")
        )
        stride, skirt = self.u(-0.28, 0.28), self.u(0, 1) < 0.3
        leg = skin if skirt else trousers
        for side in (-1, 1):
            foot, knee = (
                at(side * 0.11, 0.06, side * stride),
                at(side * 0.1, 0.48, side * stride * 0.45 - 0.04),
            )
            self.tube(at(side * 0.09, 0.9, 0), knee, 0.085 * k, leg, taper=0.8)
            self.tube(knee, foot, 0.066 * k, leg, taper=0.75)
            self.ball(
                foot + turn @ (0, -0.01, -0.06 * k), np.array((0.06, 0.055, 0.13)) * k, shoe, turn
            )
            out = self.u(0.02, 0.2)
            shoulder, elbow = (
                at(side * 0.2, 1.4, 0),
                at(side * (0.25 + out), 1.16, self.u(-0.12, 0.12)),
            )
            hand = at(side * (0.24 + out * self.u(0, 1.2)), 0.9, self.u(-0.3, 0.02))
            if self.u(0, 1) < 0.15:  # waves
                hand = at(side * (0.3 + out), 1.6, -0.12)
            self.tube(shoulder, elbow, 0.064 * k, shirt, taper=0.85)
            self.tube(elbow, hand, 0.052 * k, skin if shirt.pattern else shirt, taper=0.75)
            self.ball(hand, 0.055 * k, skin)
            if detail:
                self.ball(shoulder, 0.073 * k, shirt)
                self.ball(elbow, 0.055 * k, shirt)
        if skirt:
            self.tube(at(0, 0.5, 0), at(0, 1.0, 0), 0.28 * k, trousers, taper=0.55)
        self.put("tube", at(0, 1.17, 0), turn @ CHEST * k, shirt, taper=1.15)
        self.ball(at(0, 1.43, 0), np.array((0.2, 0.07, 0.115)) * k, shirt, turn)
        self.tube(at(0, 1.42, 0.01), at(0, 1.56, 0), 0.055 * k, skin)
        r = 0.115 * k * self.head_size
        self.head(at(0, 1.52, -0.01) + (0, r * 1.02, 0), turn, r, skin, detail)

    def tree(self, x: float, z: float, height: float) -> None:
        self.new("tree")
        self.tube(
            (x, 0, z),
            (x + self.u(-0.05, 0.05) * height, height * 0.75, z),
            height * 0.045,
            "bark",
            taper=0.5,
        )
        if self.u(0, 1) < 0.25:  # a fir
            leaf, wide = self.paint("leaf"), height * self.u(0.22, 0.36)
            for n in range(4):
                low, high = height * (0.2 + 0.2 * n), height * (0.45 + 0.2 * n)
                self.tube((x, low, z), (x, high, z), wide * (1 - 0.2 * n), leaf, taper=0.05)
        else:
            self.leaves((x, height * 0.75, z), height * 0.13, 14, height * 0.12)

    def bush(self, x: float, z: float, size: float) -> None:
        self.new("bush").leaves((x, size * 0.3, z), size * 0.4, 5, size * 0.6)

    def house(
        self, x: float, z: float, size: Any, y: float = 0.0, yaw: float = 0.0, roof: bool = False
    ) -> None:
        """A building of (width, height, depth); with `roof` a cottage, else a block."""
        wide, tall, deep = size
        self.new("house").box((x, y + tall / 2, z), size, "house", yaw)
        if not roof:
            self.box((x, y + tall, z), (wide * 1.04, 0.5, deep * 1.04), "stone", yaw)
        for side in (-1, 1) if roof else ():
            edge = (x, y + tall + wide * 0.22, z) + turned(yaw) @ (side * wide * 0.26, 0, 0)
            self.box(edge, (wide * 0.66, 0.25, deep * 1.15), "roof", yaw, -side * 0.62)

    def car(self, x: float, z: float, yaw: float = 0.0) -> None:
        self.new("car")
        paint, turn = self.paint("cloth"), turned(yaw)

        def at(*place):
            return (x, 0, z) + turn @ place

        self.box(at(0, 0.62, 0), (1.75, 0.55, 4.1), paint, yaw)
        self.box(at(0, 1.12, 0.2), (1.5, 0.5, 2.1), "glass", yaw)
        self.box(at(0, 1.4, 0.2), (1.5, 0.1, 2.0), paint, yaw)
        for side in (-1, 1):
            for end in (-1.25, 1.3):
                self.tube(at(side * 0.7, 0.34, end), at(side * 0.93, 0.34, end), 0.34, "dark")
            self.ball(at(side * 0.6, 0.68, -2.05), (0.17, 0.13, 0.06), "white", turn)

    def lamppost(self, x: float, z: float, side: float) -> None:
        self.new("lamppost").tube((x, 0, z), (x, 4.4, z), 0.09, "metal", taper=0.6)
        self.tube((x, 4.4, z), (x + side * 1.1, 4.6, z), 0.05, "metal")
        self.ball((x + side * 1.1, 4.5, z), (0.3, 0.14, 0.2), "white")

    def flyer(self, place: np.ndarray) -> None:
        """A bird or a balloon: something with nothing below it."""
        self.new(self.pick(("bird", "balloon")))
        if self.names[-1] == "balloon":
            self.ball(place, (0.5, 0.62, 0.5), "striped")
            self.tube(place - (0, 0.6, 0), place - (0.1, 2.2, 0), 0.012, "dark")
            return
        feather, turn = self.paint("feather"), turned(self.u(-0.6, 0.6))
        self.ball(place, (0.16, 0.15, 0.42), feather, turn)
        self.ball(place + turn @ (0, 0.12, -0.42), 0.13, feather)
        self.tube(
            place + turn @ (0, 0.1, -0.5), place + turn @ (0, 0.06, -0.72), 0.05, "sand", taper=0.1
        )
        for side in (-1, 1):
            wing = turn @ turned(0, 0, side * 0.4)
            self.ball(place + turn @ (side * 0.55, 0.2, 0.05), (0.5, 0.04, 0.2), feather, wing)

    def branch(self, chance: float) -> None:
        """Perhaps a leafy branch that hangs into the picture from above, before everything else."""
        if self.u(0, 1) > chance:
            return
        z, side, leaf = self.u(1.3, 2.6), self.pick((-1, 1)), self.paint("leaf")
        start, end = (
            self.seen(side * 0.75, 0.6, z * 1.1),
            self.seen(side * self.u(-0.1, 0.15), self.u(0.2, 0.45), z),
        )
        self.new("branch").tube(start, end, 0.03 * z, "bark", taper=0.3)
        for _ in range(22):
            blob = start + (end - start) * self.u(0.1, 1.05) + self.rng.normal(0, 0.045 * z, 3)
            self.ball(blob, z * self.u(0.03, 0.08), leaf)

    def hanging(self, place: np.ndarray, length: float) -> None:
        self.new("lamp").tube(place, place + (0, length, 0), 0.014, "dark")
        self.tube(
            place - (0, 0.12, 0), place + (0, 0.1, 0), self.u(0.12, 0.28), "cloth", taper=0.45
        )
        self.ball(place - (0, 0.12, 0), 0.07, "white")

    def ground(self, material: str, y: float = 0.0) -> None:
        self.new("ground").box((0, y - 1, 150), (700, 2, 500), material)


# Kinds of scene
def street(s: Scene) -> None:
    s.look(s.u(1.1, 3.4), s.u(-14, 14), s.u(-6, 9), s.u(0.7, 1.0), "road", x=s.u(-1.5, 1.5))
    half = s.u(3.2, 5.0)
    for side in (-1, 1):
        s.new("pavement").box((side * (half + 1.6), 0.07, 60), (3.2, 0.14, 130), "tiles")
        z = s.u(1, 5)
        while z < 75:
            wide = s.u(6, 12)
            s.house(side * (half + 7.2), z + wide / 2, (8, s.u(5, 17), wide))
            if z < 30 and s.u(0, 1) < 0.6:
                awning = (side * (half + 2.5), s.u(2.7, 3.4), z + wide / 2)
                s.new("awning").box(awning, (1.9, 0.12, wide * 0.7), "striped")
            if z < 22 and s.u(0, 1) < 0.5:
                s.new("sign").box(
                    (side * (half + 2.3), s.u(3.2, 4.5), z + 0.8), (1.5, 0.9, 0.12), "cloth"
                )
            z += wide + s.pick((0, 0, 1.5))
        for z in (s.u(5, 10), s.u(16, 24)):
            s.lamppost(side * (half + 0.4), z, -side)
    s.house(0, 84, (40, s.u(8, 20), 8))
    s.many(
        s.some(3, 7),
        lambda: s.person(s.u(-half - 2, half + 2), s.pick((s.u(2.6, 6), s.u(6, 25))), 0.05),
    )
    s.many(
        s.some(1, 3),
        lambda: s.car(s.pick((-1, 1)) * (half - 1.3), s.u(7, 32), s.pick((0.0, np.pi))),
    )
    s.many(s.some(0, 1), lambda: s.flyer(s.seen(s.u(-0.3, 0.3), s.u(0.2, 0.4), s.u(2.5, 4))))


def field(s: Scene) -> None:
    s.look(s.u(1.0, 3.0), s.u(-10, 10), s.u(-8, 6), s.u(0.7, 1.0), "grass")
    for _ in range(5):
        s.new("hill").ball(
            (s.u(-160, 160), -8, s.u(110, 220)), (s.u(50, 110), s.u(18, 50), 40), "hill"
        )
    s.new("path").box((s.u(-2, 2), 0.01, 40), (s.u(1.4, 2.4), 0.03, 90), "sand", s.u(-0.2, 0.2))
    s.many(s.some(4, 9), lambda: s.tree(s.pick((-1, 1)) * s.u(3, 26), s.u(8, 60), s.u(3.5, 8)))
    s.many(5, lambda: s.bush(s.pick((-1, 1)) * s.u(2, 10), s.u(5, 25), s.u(0.4, 0.9)))
    s.house(s.u(-16, 16), s.u(24, 50), (s.u(6, 9), 4, 8), yaw=s.u(-0.7, 0.7), roof=True)
    for _ in range(s.some(0, 1)):
        z = s.u(4, 9)
        s.new("fence").posts([(x, 0, z) for x in np.arange(-9, 9, 1.5)], 1.1, 0.07, "wood")
        for y in (0.45, 0.9):
            s.box((0, y, z), (18, 0.12, 0.05), "wood")
    s.many(s.some(1, 3), lambda: s.person(s.u(-3, 3), s.u(2.6, 12)))
    for _ in range(s.some(0, 3)):
        x, z, coat = s.u(-7, 7), s.u(7, 22), s.paint("cow")
        s.new("cow").ball((x, 1.0, z), (0.85, 0.45, 0.4), coat)
        s.ball((x + s.pick((-1, 1)), 1.3, z), (0.32, 0.22, 0.18), coat)
        s.legs(x, z, 1.0, 0.4, 0.9, 0.09, coat)
    s.branch(0.75)


def room(s: Scene) -> None:
    wide, tall, deep = s.u(3.6, 6), s.u(2.5, 3.2), s.u(4.5, 8)
    s.look(s.u(0.9, 2.1), s.u(-18, 18), s.u(-16, 5), s.u(0.6, 0.85), x=s.u(-0.3, 0.3) * wide)
    s.lamp, s.haze = np.array((s.u(-0.5, 0.5), tall - 0.3, deep * 0.5)), None
    s.ground(s.pick(("planks", "tiles")))
    paper = s.paint("paper")
    s.new("wall").box((0, tall / 2, deep + 0.05), (wide, tall, 0.1), paper)
    for side in (-1, 1):
        s.new("wall").box((side * wide / 2, tall / 2, deep / 2), (0.1, tall, deep + 3), paper)
    s.new("ceiling").box((0, tall + 0.05, deep / 2), (wide, 0.1, deep + 3), "white")
    for z in s.pick(((), np.arange(1.2, deep, 1.3))):
        s.box((0, tall - 0.06, z), (wide, 0.14, 0.16), "wood")
    x, side = s.u(-0.25, 0.25) * wide, s.pick((-1, 1))
    s.new("window").box((x, tall * 0.58, deep), (1.5, 1.2, 0.1), "white")
    for a in (-0.35, 0.35):
        s.box((x + a, tall * 0.58, deep - 0.03), (0.58, 1.04, 0.1), "day")
    s.new("shelf").box((side * (wide / 2 - 0.2), 0.95, deep * 0.7), (0.36, 1.9, 1.3), "books")
    s.new("picture").box(
        (-side * (wide / 2 - 0.06), 1.6, deep * s.u(0.4, 0.7)), (0.06, 0.6, 0.8), "picture"
    )
    for _ in range(s.some(1, 2)):
        y = tall - s.u(0.5, 0.8)
        s.hanging(np.array((s.u(-0.3, 0.3) * wide, y, s.u(1.5, deep * 0.6))), tall - y)
    x, z, top, long, broad = (
        s.u(-0.25, 0.25) * wide,
        s.u(1.9, deep * 0.7),
        s.u(0.68, 0.8),
        s.u(0.9, 1.5),
        s.u(0.6, 0.9),
    )
    s.new("table").box((x, top, z), (long, 0.06, broad), "planks")
    s.legs(x, z, long * 0.9, broad * 0.85, top, 0.035, "wood")
    for _ in range(3):
        a, b, r = x + s.u(-0.4, 0.4) * long, z + s.u(-0.35, 0.35) * broad, s.u(0.05, 0.09)
        s.new("vessel").tube(
            (a, top, b), (a, top + r * s.u(2, 5), b), r, "cloth", taper=s.u(0.5, 1.2)
        )
    side, seat = s.pick((-1, 1)), s.paint("cloth")
    x += side * (long / 2 + 0.35)
    s.new("chair").box((x, 0.45, z), (0.42, 0.06, 0.42), seat)
    s.box((x + side * 0.2, 0.75, z), (0.05, 0.6, 0.42), seat)
    s.legs(x, z, 0.36, 0.36, 0.45, 0.025, seat)
    s.many(
        s.some(1, 3),
        lambda: s.person(s.u(-0.4, 0.4) * wide, s.u(1.6, deep - 0.6), yaw=s.u(-1.2, 1.2)),
    )


def stairs(s: Scene) -> None:
    """Seen from the foot, or down from the top."""
    count, wide, down = int(s.u(9, 15)), s.u(2.4, 3.6), s.u(0, 1) < 0.4
    s.look(
        *(
            (1.5, s.u(-12, 12), s.u(-24, -14))
            if down
            else (s.u(1.2, 1.9), s.u(-12, 12), s.u(2, 16))
        ),
        s.u(0.6, 0.8),
    )
    floor, rise, start = (-count * 0.18 - 0.4, -0.18, 0.5) if down else (0.0, 0.18, 1.8)
    s.haze = 60.0
    s.ground("tiles", floor)

    def place(n):
        return (rise * (n if down else n + 1), start + n * 0.34)

    tread, end = s.paint("step"), start + count * 0.34
    for n in range(count):
        y, z = place(n)
        s.new("step").box((0, y - 2, z + (0 if down else 3)), (wide, 4, 0.34 if down else 6), tread)
    for side in (-1, 1):
        s.new("wall").box((side * (wide / 2 + 0.2), 0, end / 2 + 2), (0.4, 9, end + 8), "bricks")
    x = s.pick((-1, 1)) * (wide / 2 - 0.15)
    s.new("rail").posts(
        [(x, y, z + 0.15) for y, z in map(place, range(0, count, 2))], 0.95, 0.03, "metal"
    )
    s.tube((x, place(0)[0] + 0.95, start), (x, place(count)[0] + 0.95, end), 0.05, "wood")
    s.house(0, end + 10, (24, 9 + count * 0.18, 3), floor)
    if s.u(0, 1) < 0.8:
        s.new("beam").box(
            (0, 2.3 if down else s.u(2.9, 3.4), s.u(1.5, 2.6)), (wide + 1, 0.5, 0.45), "bricks"
        )
    for n in s.rng.permutation(np.arange(2, count, 2))[: int(s.u(2, 5))]:
        y, z = place(n)
        s.person(s.u(-0.3, 0.3) * wide, z + 0.17, y, yaw=s.u(-0.6, 0.6))
    s.hanging(s.seen(s.u(-0.35, 0.35), s.u(0.2, 0.35), s.u(1.3, 2.4)), 4)


def head(s: Scene) -> None:
    s.pick((street, room, forest, field, window))(s)
    s.new("head")
    turn, r = (
        s.axes.T @ turned(s.u(-0.8, 0.8), s.u(-0.15, 0.15), s.u(-0.2, 0.2)),
        0.0625 * (1 + s.head_size),
    )
    centre, skin, shirt = (
        s.seen(s.u(-0.28, 0.28), s.u(-0.16, 0.1), s.u(0.5, 1.0)),
        s.paint("skin"),
        s.paint("cloth"),
    )

    def at(*place):
        return centre + turn @ np.array(place) * r

    s.head(centre, turn, r, skin)
    s.tube(at(0, -1.7, 0.2), at(0, -0.6, 0.15), r * 0.45, skin)
    s.ball(at(0, -2.3, 0.3), np.array((2.2, 0.8, 1.0)) * r, shirt, turn)
    s.put("tube", at(0, -4.9, 0.3), turn @ CHEST * 10 * r, shirt)
    for side in (-1, 1):
        s.tube(at(side * 2.0, -2.35, 0.3), at(side * 2.6, -6.5, 0.1), 0.6 * r, shirt)
    for _ in range(s.some(0, 1)):
        side = s.pick((-1, 1))
        palm = at(side * s.u(1.2, 1.7), s.u(-0.9, 0.6), -2.2)
        s.new("hand").ball(
            palm, np.array((0.42, 0.5, 0.2)) * r, skin, turn
        )  # held up before the face
        for a in (-0.3, -0.1, 0.1, 0.3):
            s.tube(
                palm + turn @ (a * r, 0.3 * r, 0),
                palm + turn @ (a * 1.5 * r, 1.05 * r, 0),
                0.1 * r,
                skin,
            )
        s.tube(palm - turn @ (0, 0.3 * r, 0), at(side * 2.2, -3.6, -1.2), 0.3 * r, shirt, taper=1.3)


def crowd(s: Scene) -> None:
    s.look(s.u(1.3, 3.2), s.u(-10, 10), s.u(-9, 4), s.u(0.75, 1.0), "tiles")
    facing, z = s.pick((0.0, np.pi, s.u(0, 6))), s.u(1.5, 2.4)
    while z < 20:
        for _ in range(3 if z < 6 else 2):
            s.person(
                s.u(-0.75, 0.75) * (z + 1) / s.focal,
                z + s.u(-0.3, 0.3),
                yaw=facing + s.u(-0.7, 0.7),
            )
        z += s.u(1.0, 1.8)
    for n in range(5):
        s.house(-32 + 16 * n, s.u(28, 45), (14, s.u(8, 20), 8))
    for z in (s.u(1.8, 2.6), s.u(4, 6), s.u(9, 12)):
        place = s.seen(s.u(-0.4, 0.4), s.u(0.34, 0.44), z)
        s.new("banner").box(
            place, (0.55 * z, 0.13 * z, 0.04), s.pick(("striped", "cloth")), s.u(-0.3, 0.3)
        )
        s.tube(place, place + (0, 4, 0), 0.02, "dark")


def from_above(s: Scene) -> None:
    high, pitch = s.u(7, 15), s.u(-76, -38)
    s.look(high, s.u(-40, 40), pitch, s.u(0.7, 0.95))
    s.ground(s.pick(("tiles", "grass", "tiles")))
    forward = s.axes[2][[0, 2]] / np.linalg.norm(s.axes[2][[0, 2]])
    middle = forward * high / np.tan(np.radians(-pitch))  # where the view meets the ground

    def place(spread):
        return middle + s.rng.uniform(-spread, spread, 2) * high

    s.many(s.some(3, 7), lambda: s.person(*place(0.5), detail=False))
    s.many(s.some(2, 4), lambda: s.tree(*place(0.75), s.u(0.3, 0.62) * high))
    s.many(s.some(1, 3), lambda: s.car(*place(0.6), s.u(0, 6)))
    for _ in range(s.some(1, 3)):
        x, z = place(0.5)
        s.new("stall").box((x, 2.3, z), (2.4, 0.12, 2), "striped", s.u(0, 3), s.u(-0.2, 0.2))
        s.box((x, 0.5, z), (1.8, 1, 1), "wood")
    for _ in range(s.some(2, 3)):
        angle = s.u(0, 2 * np.pi)
        x, z = middle + np.array((np.sin(angle), np.cos(angle))) * high * s.u(0.75, 0.95)
        s.house(
            x, z, (s.u(0.5, 0.8) * high, s.u(0.3, 0.75) * high, s.u(0.5, 0.8) * high), yaw=s.u(0, 3)
        )
    s.many(
        s.some(0, 2),
        lambda: s.flyer(s.seen(s.u(-0.35, 0.35), s.u(-0.25, 0.4), s.u(2.2, 0.5 * high))),
    )
    s.branch(0.4)


def from_below(s: Scene) -> None:
    s.look(s.u(0.3, 0.9), s.u(-25, 25), s.u(14, 42), s.u(0.6, 0.8), "tiles")
    forward = s.axes[2][[0, 2]] / np.linalg.norm(s.axes[2][[0, 2]])

    def place(along, aside):
        return forward * along + np.array((forward[1], -forward[0])) * aside

    for side in (-1, 1):
        for away in (s.u(7, 11), s.u(16, 26), s.u(32, 45)):
            size = (s.u(5, 9), s.u(14, 40), s.u(5, 9))
            s.house(*place(away, side * s.u(0.35, 0.8) * away), size, yaw=s.u(-0.4, 0.4))
    s.many(s.some(1, 2), lambda: s.tree(*place(s.u(3.5, 8), s.u(-4, 4)), s.u(5, 9)))
    s.many(
        s.some(1, 2), lambda: s.person(*place(s.u(1.5, 2.6), s.u(-0.9, 0.9)), yaw=s.u(-0.5, 0.5))
    )
    s.lamppost(*place(s.u(2.5, 5), s.u(-2, 2)), s.pick((-1, 1)))
    s.many(s.some(1, 2), lambda: s.flyer(s.seen(s.u(-0.4, 0.4), s.u(-0.1, 0.4), s.u(2.5, 14))))
    s.branch(0.6)


def forest(s: Scene) -> None:
    s.look(s.u(0.7, 2.2), s.u(-10, 10), s.u(-6, 12), s.u(0.65, 0.9), "moss")
    s.haze = 26.0
    for _ in range(24):
        z, r, bark = s.pick((s.u(2.2, 9), s.u(9, 40))), s.u(0.12, 0.34), s.paint("bark")
        x = s.pick((-1, 1)) * s.u(0.12, 0.75) * z
        s.new("trunk").tube((x, -0.2, z), (x + s.u(-0.5, 0.5), 11, z), r, bark, taper=0.6)
        for side in (-1, 1):
            y = s.u(2, 5)
            s.tube(
                (x, y, z),
                (x + side * s.u(0.8, 1.6), y + s.u(0.3, 1.2), z),
                r * 0.35,
                bark,
                taper=0.3,
            )
    for _ in range(14):
        z = s.u(2.5, 22)
        s.new("canopy").leaves(s.seen(s.u(-0.6, 0.6), s.u(0.38, 0.6), z), 0.1 * z, 5, 0.1 * z)
    s.many(7, lambda: s.bush(s.u(-6, 6), s.u(3.5, 16), s.u(0.25, 0.7)))
    for _ in range(6):
        x, z, r = s.u(-3, 3), s.u(1.8, 7), s.u(0.08, 0.22)
        s.new("mushroom").tube((x, 0, z), (x, r * 1.6, z), r * 0.4, "white")
        s.ball((x, r * 1.6, z), (r, r * 0.7, r), "mushroom")
    s.many(s.some(1, 3), lambda: s.person(s.u(-1.6, 1.6), s.u(2.6, 9)))
    s.branch(0.6)


def cave(s: Scene) -> None:
    s.look(s.u(1.0, 1.9), s.u(-14, 14), s.u(-18, 0), s.u(0.6, 0.8), "earth")
    end, s.haze = s.u(10, 16), None
    s.lamp = np.array((s.u(-0.5, 0.5), 2.2, end * 0.75))
    for z in np.arange(1.6, end, 1.5):
        s.new("rock")
        radius = s.u(2.3, 3.2)
        for angle in np.linspace(-0.25, np.pi + 0.25, 9):
            centre = (
                radius * np.cos(angle) * 1.1,
                0.7 + radius * np.sin(angle) * 0.9,
                z + s.u(-0.3, 0.3),
            )
            s.ball(centre, (s.u(0.8, 1.2), s.u(0.8, 1.1), s.u(0.9, 1.4)), "rock")
    for _ in range(6):
        z = s.u(1.5, end * 0.7)
        x = s.u(-0.45, 0.45) * z
        s.new("stalactite").tube(
            (x, 3.3, z), (x, s.u(1.7, 2.4), z), s.u(0.12, 0.3), "rock", taper=0.08
        )
    for _ in range(4):
        place = (s.u(-1.8, 1.8), 0.05, s.u(2, 9))
        s.new("stone").ball(place, (s.u(0.2, 0.5), s.u(0.15, 0.4), s.u(0.2, 0.5)), "rock")
    s.many(s.some(1, 3), lambda: s.person(s.u(-1.3, 1.3), s.u(2.2, end - 2)))
    s.many(s.some(0, 2), lambda: s.flyer(s.seen(s.u(-0.25, 0.25), s.u(0.1, 0.3), s.u(1.8, 5))))


def window(s: Scene) -> None:
    """A city seen from a room, through a window with a plant and a lamp."""
    high = s.u(6, 25)
    s.look(high + 1.5, s.u(-8, 8), s.u(-14, 3), s.u(0.7, 0.9), "tiles")
    s.haze = 110.0
    for _ in range(18):
        z = s.u(14, 110)
        s.house(s.u(-0.8, 0.8) * z, z, (s.u(6, 14), s.u(0.3, 1.25) * high + s.u(0, 10), s.u(6, 12)))
    s.new("frame")
    z, wood = s.u(1.0, 1.5), s.paint("frame")
    wide, low, top = (
        s.u(*limits) * z / s.focal for limits in ((0.42, 0.6), (-0.4, -0.25), (0.3, 0.42))
    )
    low, top = low + high + 1.5, top + high + 1.5
    for x in (-wide - 1, wide + 1):
        s.box((x, high, z), (2, 9, 0.15), wood)
    s.box((0, low - 1, z), (4, 2, 0.3), wood)
    s.box((0, top + 1, z), (4, 2, 0.15), wood)
    s.box((s.u(-3, 0.3) * wide, high, z), (0.06, 9, 0.06), wood)
    x = s.u(-0.7, 0.7) * wide
    s.new("pot").tube((x, low, z - 0.1), (x, low + 0.18, z - 0.1), 0.07, "roof", taper=1.3)
    s.leaves((x, low + 0.28, z - 0.1), 0.05, 6, 0.06)
    s.hanging(np.array((s.u(-0.6, 0.6) * wide, top - s.u(0, 0.15), z - s.u(0.2, 0.45))), 3)

    def stand():
        return s.person(
            s.pick((-1, 1)) * s.u(0.3, 0.9) * wide, z + s.u(0.35, 1.6), high, yaw=s.u(-0.8, 0.8)
        )

    s.many(s.some(0, 2), stand)
    s.new("balcony").box((0, high - 0.1, z + 1.2), (5, 0.2, 2.2), "stone")
    s.new("rail").posts([(a, high, z + 2.2) for a in np.arange(-2, 2, 0.25)], 0.95, 0.018, "metal")
    s.box((0, high + 0.97, z + 2.2), (5, 0.06, 0.08), "metal")
    s.flyer(s.seen(s.u(-0.3, 0.3), s.u(0.05, 0.3), s.u(3.5, 7)))


SCENES = (street, field, room, stairs, head, crowd, forest, cave, window, from_above, from_below)
KINDS: dict[str, Callable[[Scene], None]] = {
    kind.__name__.replace("_", " "): kind for kind in SCENES
}


def make_scene(
    kind: str, rng: np.random.Generator, height: int, width: int, drawn: bool = False
) -> Scene:
    """A scene of a kind whose camera sees at least five objects and does not stand inside one.
    `drawn`: comics."""
    for _ in range(12):
        scene = Scene(rng, drawn)
        KINDS[kind](scene)
        camera = scene.camera(height // 5, width // 5)
        depth, index = nearest(scene.shapes, camera, *camera.rays())
        owner = np.array([0, *(shape.group for shape in scene.shapes)])[index + 1]
        counts = np.bincount(owner.ravel(), minlength=len(scene.names))
        if (counts > index.size * 0.006).sum() >= 5 and (depth < 0.3).mean() < 0.03:
            break
    return scene
