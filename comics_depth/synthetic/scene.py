"""A scene: solid shapes in metres, x right, y up, z away from the viewer. Every shape belongs to an
object (a person, a house, the ground); the sky is object 0."""

from collections.abc import Callable
from typing import Any

import numpy as np

from comics_depth.synthetic.camera import Camera
from comics_depth.synthetic.materials import MATERIALS, Paint
from comics_depth.synthetic.shapes import Shape, turned

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

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def count(self, low: float, high: float) -> int:
        return int(self.between(low, high + 1))

    def choose(self, options: tuple) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def paint(self, material: str) -> Paint:
        """A material in one of its colours, a little lighter or darker."""
        colours, seconds, patterns = MATERIALS[material]

        def tint(colour):
            return tuple(
                np.clip(
                    np.array(colour) * self.between(0.82, 1.15) + self.rng.normal(0, 7, 3), 8, 245
                )
            )

        return Paint(tint(self.choose(colours)), tint(self.choose(seconds)), self.choose(patterns))

    def begin(self, name: str) -> "Scene":
        """The shapes that follow belong to a new object."""
        self.names.append(name)
        return self

    def place_viewer(
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
        self.axes = turned(*np.radians((yaw, pitch, self.between(-1.5, 1.5)))).T
        if ground:
            self.ground(ground)

    def in_view(self, x: float, y: float, z: float) -> np.ndarray:
        """The world point at depth z that is seen (x, y) from the middle, in units of sqrt(width *
        height)."""
        return self.position + np.array((x * z / self.focal, y * z / self.focal, z)) @ self.axes

    def camera(self, height: int, width: int) -> Camera:
        return Camera(self.position, self.axes, self.focal * (height * width) ** 0.5, height, width)

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
                np.array(centre) + self.rng.normal(0, spread, 3),
                size * self.between(0.6, 1.3),
                leaf,
            )

    def repeat(self, count: int, make: Callable[[], None]) -> None:
        for _ in range(count):
            make()

    def ground(self, material: str, y: float = 0.0) -> None:
        self.begin("ground").box((0, y - 1, 150), (700, 2, 500), material)
