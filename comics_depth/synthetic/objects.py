"""People, trees, houses and other objects of the scenes; places and sizes in metres."""

from collections.abc import Callable

import numpy as np

from comics_depth.synthetic.materials import Paint
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import rotation

# Half-axes of a torso, the tube's own z upright.
CHEST = np.array([[0.165, 0, 0], [0, 0, 0.28], [0, 0.11, 0]])


def placer(origin: np.ndarray, turn: np.ndarray, scale: float = 1.0) -> Callable:
    """at(x, y, z): from the space of an object to the world."""

    def at(*place: float) -> np.ndarray:
        return origin + turn @ np.array(place) * scale

    return at


def head(
    scene: Scene, centre: np.ndarray, turn: np.ndarray, size: float, skin: Paint, face: bool
) -> None:
    """A head of height 2.2 * size that looks along -z; without a face it is skull and hair."""
    hair = scene.paint("hair")
    eyes = 1.0 if scene.head_size == 1 else 1.5
    at = placer(centre, turn, size)

    def part(place: tuple, radii: tuple, paint: Paint | str) -> None:
        scene.ball(at(*place), np.array(radii) * size, paint, turn)

    scene.heads.append((len(scene.names) - 1, centre, size))
    part((0, 0, 0), (0.82, 1.1, 0.95), skin)
    part((0, 0.28, 0.2), (0.93, 0.95, 1.0), hair)
    if scene.chance(0.45):
        part((0, -0.3, 0.42), (0.95, 1.15, 0.62), hair)
    if scene.chance(0.2):
        hat = scene.paint("cloth")
        scene.tube(at(0, 0.7, 0.05), at(0, 1.5, 0.1), size * 0.9, hat, taper=0.75)
        scene.tube(at(0, 0.68, 0), at(0, 0.76, 0), size * 1.45, hat)
    if not face:
        return
    look = scene.draw((-0.06, 0.06))
    for side in (-1, 1):
        part((side * 0.34, 0.06, -0.84), (0.16 * eyes, 0.115 * eyes, 0.09), "white")
        part((side * 0.34 + look, 0.06, -0.92), (0.06 * eyes, 0.07 * eyes, 0.05), "dark")
        part((side * 0.36, 0.3, -0.84), (0.23, 0.045 * eyes, 0.09), hair)
        part((side * 0.82, 0, 0.05), (0.1, 0.22, 0.16), skin)
    part((0, -0.18, -0.93), (0.11, 0.2, 0.17), skin)
    part((0, -0.55, -0.76), (0.28, scene.draw((0.03, 0.13)), 0.1), "lip")


def person(scene: Scene, x: float, z: float, y: float = 0.0, yaw: float | None = None) -> None:
    """Somebody who stands or walks; yaw 0 faces -z. The face shows only nearer than 7 metres."""
    scene.begin("person")
    scale = scene.draw((0.86, 1.08))
    turn = rotation(scene.draw((-np.pi, np.pi)) if yaw is None else yaw)
    at = placer(np.array((x, y, z)), turn, scale)
    skin, shirt, trousers, shoe = map(scene.paint, ("skin", "shirt", "cloth", "cloth"))
    skirt = scene.chance(0.3)
    stride = scene.draw((-0.28, 0.28))
    for side in (-1, 1):
        foot = at(side * 0.11, 0.06, side * stride)
        knee = at(side * 0.1, 0.48, side * stride * 0.45 - 0.04)
        leg = skin if skirt else trousers
        scene.tube(at(side * 0.09, 0.9, 0), knee, 0.085 * scale, leg, taper=0.8)
        scene.tube(knee, foot, 0.066 * scale, leg, taper=0.75)
        scene.ball(foot, np.array((0.06, 0.055, 0.13)) * scale, shoe, turn)
        out = scene.draw((0.02, 0.2))
        elbow = at(side * (0.25 + out), 1.16, scene.draw((-0.12, 0.12)))
        hand = at(side * (0.24 + out), 0.9, scene.draw((-0.3, 0.02)))
        if scene.chance(0.15):  # waves
            hand = at(side * (0.3 + out), 1.6, -0.12)
        scene.tube(at(side * 0.2, 1.4, 0), elbow, 0.064 * scale, shirt, taper=0.85)
        scene.tube(elbow, hand, 0.052 * scale, skin if shirt.pattern else shirt, taper=0.75)
        scene.ball(hand, 0.055 * scale, skin)
    if skirt:
        scene.tube(at(0, 0.5, 0), at(0, 1.0, 0), 0.28 * scale, trousers, taper=0.55)
    scene.put("tube", at(0, 1.17, 0), turn @ CHEST * scale, shirt, taper=1.15)
    scene.ball(at(0, 1.43, 0), np.array((0.2, 0.07, 0.115)) * scale, shirt, turn)
    scene.tube(at(0, 1.42, 0.01), at(0, 1.56, 0), 0.055 * scale, skin)
    size = 0.115 * scale * scene.head_size
    close = np.hypot(x - scene.position[0], z - scene.position[2]) < 7
    head(scene, at(0, 1.52, -0.01) + (0, size, 0), turn, size, skin, face=close)


def tree(scene: Scene, x: float, z: float, height: float) -> None:
    scene.begin("tree")
    crown = np.array((x, height * 0.75, z))
    scene.tube((x, 0, z), crown, height * 0.045, "bark", taper=0.5)
    if scene.chance(0.75):
        scene.leaves(crown, height * 0.13, 14, height * 0.12)
        return
    fir = scene.paint("leaf")
    for n in range(4):
        low, high = height * (0.2 + 0.2 * n), height * (0.45 + 0.2 * n)
        scene.tube((x, low, z), (x, high, z), height * (0.28 - 0.056 * n), fir, taper=0.05)


def bush(scene: Scene, x: float, z: float, size: float) -> None:
    scene.begin("bush").leaves((x, size * 0.3, z), size * 0.4, 5, size * 0.6)


def block(
    scene: Scene, x: float, z: float, size: np.ndarray, y: float = 0.0, yaw: float = 0.0
) -> None:
    """A town house of (width, height, depth)."""
    wide, tall, deep = size
    scene.begin("house").box((x, y + tall / 2, z), size, "house", yaw)
    scene.box((x, y + tall, z), (wide * 1.04, 0.5, deep * 1.04), "stone", yaw)


def cottage(scene: Scene, x: float, z: float, wide: float, yaw: float) -> None:
    scene.begin("house").box((x, 2, z), (wide, 4, 8), "house", yaw)
    for side in (-1, 1):
        edge = (x, 4 + wide * 0.22, z) + rotation(yaw) @ (side * wide * 0.26, 0, 0)
        scene.box(edge, (wide * 0.66, 0.25, 9.2), "roof", yaw, -side * 0.62)


def car(scene: Scene, x: float, z: float, yaw: float) -> None:
    scene.begin("car")
    paint = scene.paint("cloth")
    at = placer(np.array((x, 0, z)), rotation(yaw))
    scene.box(at(0, 0.62, 0), (1.75, 0.55, 4.1), paint, yaw)
    scene.box(at(0, 1.12, 0.2), (1.5, 0.5, 2.1), "glass", yaw)
    scene.box(at(0, 1.4, 0.2), (1.5, 0.1, 2.0), paint, yaw)
    for side in (-1, 1):
        for end in (-1.25, 1.3):
            scene.tube(at(side * 0.7, 0.34, end), at(side * 0.93, 0.34, end), 0.34, "dark")
        scene.ball(at(side * 0.6, 0.68, -2.05), 0.13, "white")


def lamppost(scene: Scene, x: float, z: float, side: float) -> None:
    scene.begin("lamppost").tube((x, 0, z), (x, 4.4, z), 0.09, "metal", taper=0.6)
    scene.tube((x, 4.4, z), (x + side * 1.1, 4.6, z), 0.05, "metal")
    scene.ball((x + side * 1.1, 4.5, z), (0.3, 0.14, 0.2), "white")


def flyer(scene: Scene, right: float, up: float, depth: float) -> None:
    """A bird or a balloon, somewhere in view: something with nothing below it."""
    place = scene.in_view(right, up, depth)
    if scene.chance(0.5):
        scene.begin("balloon").ball(place, (0.5, 0.62, 0.5), "striped")
        scene.tube(place - (0, 0.6, 0), place - (0.1, 2.2, 0), 0.012, "dark")
        return
    turn = rotation(scene.draw((-0.6, 0.6)))
    at = placer(place, turn)
    feather = scene.paint("stone")
    scene.begin("bird").ball(place, (0.16, 0.15, 0.42), feather, turn)
    scene.ball(at(0, 0.12, -0.42), 0.13, feather)
    scene.tube(at(0, 0.1, -0.5), at(0, 0.06, -0.72), 0.05, "sand", taper=0.1)
    for side in (-1, 1):
        wing = turn @ rotation(roll=side * 0.4)
        scene.ball(at(side * 0.55, 0.2, 0.05), (0.5, 0.04, 0.2), feather, wing)


def branch(scene: Scene) -> None:
    """A leafy branch that hangs into the picture from above, before everything else."""
    depth = scene.draw((1.3, 2.6))
    side = scene.choose(-1, 1)
    start = scene.in_view(side * 0.75, 0.6, depth * 1.1)
    end = scene.in_view(side * scene.draw((-0.1, 0.15)), (0.2, 0.45), depth)
    scene.begin("branch").tube(start, end, 0.03 * depth, "bark", taper=0.3)
    for share in np.linspace(0.15, 1.05, 8):
        scene.leaves(start + (end - start) * share, 0.045 * depth, 3, 0.06 * depth)


def hanging_lamp(scene: Scene, x: float, y: float, z: float, length: float) -> None:
    place = np.array((x, y, z))
    scene.begin("lamp").tube(place, place + (0, length, 0), 0.014, "dark")
    shade = scene.draw((0.12, 0.28))
    scene.tube(place - (0, 0.12, 0), place + (0, 0.1, 0), shade, "cloth", taper=0.45)
    scene.ball(place - (0, 0.12, 0), 0.07, "white")


def ground(scene: Scene, material: str, y: float = 0.0) -> None:
    scene.begin("ground").box((0, y - 1, 150), (700, 2, 500), material)
