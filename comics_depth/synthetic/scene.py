"""A scene: solid shapes in metres, x right, y up, z away from the viewer. Every shape belongs to an
object (a person, a house, the ground); the sky is object 0. In descriptions of scenes a pair of
numbers stands for a number drawn between them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from comics_depth.synthetic.camera import Camera
from comics_depth.synthetic.materials import Paint, paint_of
from comics_depth.synthetic.shapes import Shape, rotation

# What would only keep the light out, or lies flat.
SHADOWLESS = {
    *("ground", "pavement", "path", "wall", "ceiling", "window"),
    *("frame", "rock", "lamp", "banner", "beam"),
}


class Scene:
    """Shapes, names of the objects, heads (object, centre, radius) that may speak, and where the
    viewer stands."""

    def __init__(self, rng: np.random.Generator, drawn: bool = False) -> None:
        self.rng = rng
        self.shapes: list[Shape] = []
        self.names = ["sky"]
        self.heads: list[tuple[int, np.ndarray, float]] = []
        # Figures in comics have large heads.
        self.head_size = rng.uniform(1.25, 1.6) if drawn else 1.0
        # Where indoor light comes from; metres after which the air fades colours.
        self.lamp: np.ndarray | None = None
        self.haze: float | None = 90.0

    def draw(self, value: Any) -> Any:
        """`value`, each pair in it replaced by a number between them."""
        if not isinstance(value, tuple):
            return value
        if len(value) == 2:
            start, end = value
            return start + (end - start) * self.rng.random()
        return np.array([self.draw(part) for part in value])

    def count(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def choose(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def paint(self, material: str | Paint) -> Paint:
        return paint_of(material, self.rng) if isinstance(material, str) else material

    def stand(self, *, height: Any, yaw: Any, pitch: Any, focal: Any, x: Any = 0.0) -> None:
        """Places the viewer; pitch > 0 looks up, angles in degrees; focal length in units of
        sqrt(width * height)."""
        self.position = np.array((self.draw(x), self.draw(height), 0.0))
        self.axes = rotation(*np.radians(self.draw((yaw, pitch, (-1.5, 1.5))))).T
        self.focal = self.draw(focal)

    def in_view(self, right: Any, up: Any, depth: Any) -> np.ndarray:
        """The world point at a depth that is seen off the middle by these shares of
        sqrt(width * height)."""
        right, up, depth = self.draw((right, up, depth))
        across = np.array((right, up)) * depth / self.focal
        return self.position + np.array((*across, depth)) @ self.axes

    def camera(self, height: int, width: int) -> Camera:
        return Camera(self.position, self.axes, self.focal * (height * width) ** 0.5, height, width)

    def begin(self, name: str) -> "Scene":
        """The shapes that follow belong to a new object."""
        self.names.append(name)
        return self

    def add(self, make: Callable, *places: Any, count: tuple = (1, 1), **more: Any) -> None:
        """So many objects (at least, at most) by `make(scene, ...)`, each drawn anew."""
        for _ in range(self.count(*count)):
            drawn = {name: self.draw(value) for name, value in more.items()}
            make(self, *map(self.draw, places), **drawn)

    def put(
        self,
        kind: str,
        centre: np.ndarray,
        axes: np.ndarray,
        paint: Paint | str,
        taper: float = 1.0,
    ) -> None:
        shadow = self.names[-1] not in SHADOWLESS
        group = len(self.names) - 1
        self.shapes.append(Shape(kind, centre, axes, self.paint(paint), taper, group, shadow))

    def box(
        self, centre: Any, size: Any, paint: Paint | str, yaw: float = 0.0, roll: float = 0.0
    ) -> None:
        axes = rotation(yaw, 0, roll) * self.draw(size) / 2
        self.put("box", self.draw(centre), axes, paint)

    def ball(
        self, centre: Any, radii: Any, paint: Paint | str, turn: np.ndarray | None = None
    ) -> None:
        axes = (np.eye(3) if turn is None else turn) * self.draw(radii)
        self.put("ball", self.draw(centre), axes, paint)

    def tube(
        self, start: Any, end: Any, radius: float, paint: Paint | str, taper: float = 1.0
    ) -> None:
        start, end = self.draw(start), self.draw(end)
        along = (end - start) / 2
        across = np.cross(along, (0, 0, 1) if abs(along[2]) < np.abs(along).max() else (1, 0, 0))
        other = np.cross(along, across)
        wide, high = (radius * side / np.linalg.norm(side) for side in (across, other))
        self.put("tube", (start + end) / 2, np.stack([wide, high, along], 1), paint, taper)

    def posts(self, feet: Sequence, height: float, radius: float, paint: Paint | str) -> None:
        """Upright tubes; `feet`: (x, y, z) of each."""
        for x, y, z in feet:
            self.tube((x, y, z), (x, y + height, z), radius, paint)

    def legs(self, x: float, z: float, wide: float, deep: float, height: float, paint: Any) -> None:
        """Four of them, under a table, a chair."""
        feet = [(x + a * wide / 2, 0, z + b * deep / 2) for a in (-1, 1) for b in (-1, 1)]
        self.posts(feet, height, 0.03, paint)

    def leaves(self, centre: Any, spread: float, count: int, size: float) -> None:
        leaf = self.paint("leaf")
        for _ in range(count):
            place = centre + self.rng.normal(0, spread, 3)
            self.ball(place, size * self.rng.uniform(0.6, 1.3), leaf)
