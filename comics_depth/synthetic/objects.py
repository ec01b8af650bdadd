"""People, trees, houses and other objects of the scenes; places and sizes in metres."""

from typing import Any

import numpy as np

from comics_depth.synthetic.materials import Paint
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import turned

CHEST = np.array(
    [[0.165, 0, 0], [0, 0, 0.28], [0, 0.11, 0]]
)  # half-axes of a torso, the tube's own z upright


def add_head(
    scene: Scene, centre: np.ndarray, turn: np.ndarray, r: float, skin: Paint, detail: bool = True
) -> None:
    """A head of height 2.2 r; without detail it is skull and hair."""
    hair, wide = scene.paint("hair"), 1.0 if scene.head_size == 1 else 1.5

    def at(*place):
        return centre + turn @ np.array(place) * r

    def part(place, radii, paint):
        return scene.ball(at(*place), np.array(radii) * r, paint, turn)

    scene.heads.append((len(scene.names) - 1, centre, r))
    part((0, 0, 0), (0.82, 1.1, 0.95), skin)
    part((0, 0.28, 0.2), (0.93, 0.95, 1.0), hair)
    if scene.between(0, 1) < 0.45:
        part((0, -0.3, 0.42), (0.95, 1.15, 0.62), hair)
    if scene.between(0, 1) < 0.2:
        hat = scene.paint("cloth")
        scene.tube(at(0, 0.7, 0.05), at(0, 1.5, 0.1), r * 0.9, hat, taper=0.75)
        scene.tube(at(0, 0.68, 0), at(0, 0.76, 0), r * 1.45, hat)
    if not detail:
        return
    look, lip = scene.between(-0.06, 0.06), scene.between(0.03, 0.13)
    for side in (-1, 1):
        part((side * 0.34, 0.06, -0.84), (0.16 * wide, 0.115 * wide, 0.09), "white")
        part((side * 0.34 + look, 0.06, -0.9), (0.075 * wide, 0.085 * wide, 0.06), "iris")
        part((side * 0.34 + look, 0.06, -0.945), (0.04 * wide, 0.045 * wide, 0.03), "dark")
        part((side * 0.36, 0.3, -0.84), (0.23, 0.045 * wide, 0.09), hair)
        part((side * 0.82, 0, 0.05), (0.1, 0.22, 0.16), skin)
    part((0, -0.18, -0.93), (0.11, 0.2, 0.17), skin)
    part((0, -0.55, -0.76), (0.28, lip, 0.1), "lip")


def add_person(
    scene: Scene, x: float, z: float, y: float = 0.0, yaw: float | None = None, detail: bool = True
) -> None:
    """Somebody who stands or walks at (x, y, z); yaw 0 faces -z. `detail` shows only nearer
    than 7 metres."""
    scene.begin("person")
    k, turn = (
        scene.between(0.86, 1.08),
        turned(scene.between(-np.pi, np.pi) if yaw is None else yaw),
    )
    detail = detail and bool(np.hypot(x - scene.position[0], z - scene.position[2]) < 7)

    def at(*place):
        return np.array([x, y, z]) + turn @ np.array(place) * k

    skin, shirt, trousers, shoe = (
        scene.paint(name) for name in ("skin", "shirt", "cloth", "cloth")
    )
    stride, skirt = scene.between(-0.28, 0.28), scene.between(0, 1) < 0.3
    leg = skin if skirt else trousers
    for side in (-1, 1):
        foot, knee = (
            at(side * 0.11, 0.06, side * stride),
            at(side * 0.1, 0.48, side * stride * 0.45 - 0.04),
        )
        scene.tube(at(side * 0.09, 0.9, 0), knee, 0.085 * k, leg, taper=0.8)
        scene.tube(knee, foot, 0.066 * k, leg, taper=0.75)
        scene.ball(
            foot + turn @ (0, -0.01, -0.06 * k), np.array((0.06, 0.055, 0.13)) * k, shoe, turn
        )
        out = scene.between(0.02, 0.2)
        shoulder, elbow = (
            at(side * 0.2, 1.4, 0),
            at(side * (0.25 + out), 1.16, scene.between(-0.12, 0.12)),
        )
        hand = at(side * (0.24 + out * scene.between(0, 1.2)), 0.9, scene.between(-0.3, 0.02))
        if scene.between(0, 1) < 0.15:  # waves
            hand = at(side * (0.3 + out), 1.6, -0.12)
        scene.tube(shoulder, elbow, 0.064 * k, shirt, taper=0.85)
        scene.tube(elbow, hand, 0.052 * k, skin if shirt.pattern else shirt, taper=0.75)
        scene.ball(hand, 0.055 * k, skin)
        if detail:
            scene.ball(shoulder, 0.073 * k, shirt)
            scene.ball(elbow, 0.055 * k, shirt)
    if skirt:
        scene.tube(at(0, 0.5, 0), at(0, 1.0, 0), 0.28 * k, trousers, taper=0.55)
    scene.put("tube", at(0, 1.17, 0), turn @ CHEST * k, shirt, taper=1.15)
    scene.ball(at(0, 1.43, 0), np.array((0.2, 0.07, 0.115)) * k, shirt, turn)
    scene.tube(at(0, 1.42, 0.01), at(0, 1.56, 0), 0.055 * k, skin)
    r = 0.115 * k * scene.head_size
    add_head(scene, at(0, 1.52, -0.01) + (0, r * 1.02, 0), turn, r, skin, detail)


def add_tree(scene: Scene, x: float, z: float, height: float) -> None:
    scene.begin("tree")
    scene.tube(
        (x, 0, z),
        (x + scene.between(-0.05, 0.05) * height, height * 0.75, z),
        height * 0.045,
        "bark",
        taper=0.5,
    )
    if scene.between(0, 1) < 0.25:  # a fir
        leaf, wide = scene.paint("leaf"), height * scene.between(0.22, 0.36)
        for n in range(4):
            low, high = height * (0.2 + 0.2 * n), height * (0.45 + 0.2 * n)
            scene.tube((x, low, z), (x, high, z), wide * (1 - 0.2 * n), leaf, taper=0.05)
    else:
        scene.leaves((x, height * 0.75, z), height * 0.13, 14, height * 0.12)


def add_bush(scene: Scene, x: float, z: float, size: float) -> None:
    scene.begin("bush").leaves((x, size * 0.3, z), size * 0.4, 5, size * 0.6)


def add_house(
    scene: Scene,
    x: float,
    z: float,
    size: Any,
    y: float = 0.0,
    yaw: float = 0.0,
    roof: bool = False,
) -> None:
    """A building of (width, height, depth); with `roof` a cottage, else a block."""
    wide, tall, deep = size
    scene.begin("house").box((x, y + tall / 2, z), size, "house", yaw)
    if not roof:
        scene.box((x, y + tall, z), (wide * 1.04, 0.5, deep * 1.04), "stone", yaw)
    for side in (-1, 1) if roof else ():
        edge = (x, y + tall + wide * 0.22, z) + turned(yaw) @ (side * wide * 0.26, 0, 0)
        scene.box(edge, (wide * 0.66, 0.25, deep * 1.15), "roof", yaw, -side * 0.62)


def add_car(scene: Scene, x: float, z: float, yaw: float = 0.0) -> None:
    scene.begin("car")
    paint, turn = scene.paint("cloth"), turned(yaw)

    def at(*place):
        return (x, 0, z) + turn @ place

    scene.box(at(0, 0.62, 0), (1.75, 0.55, 4.1), paint, yaw)
    scene.box(at(0, 1.12, 0.2), (1.5, 0.5, 2.1), "glass", yaw)
    scene.box(at(0, 1.4, 0.2), (1.5, 0.1, 2.0), paint, yaw)
    for side in (-1, 1):
        for end in (-1.25, 1.3):
            scene.tube(at(side * 0.7, 0.34, end), at(side * 0.93, 0.34, end), 0.34, "dark")
        scene.ball(at(side * 0.6, 0.68, -2.05), (0.17, 0.13, 0.06), "white", turn)


def add_lamppost(scene: Scene, x: float, z: float, side: float) -> None:
    scene.begin("lamppost").tube((x, 0, z), (x, 4.4, z), 0.09, "metal", taper=0.6)
    scene.tube((x, 4.4, z), (x + side * 1.1, 4.6, z), 0.05, "metal")
    scene.ball((x + side * 1.1, 4.5, z), (0.3, 0.14, 0.2), "white")


def add_flyer(scene: Scene, place: np.ndarray) -> None:
    """A bird or a balloon: something with nothing below it."""
    scene.begin(scene.choose(("bird", "balloon")))
    if scene.names[-1] == "balloon":
        scene.ball(place, (0.5, 0.62, 0.5), "striped")
        scene.tube(place - (0, 0.6, 0), place - (0.1, 2.2, 0), 0.012, "dark")
        return
    feather, turn = scene.paint("feather"), turned(scene.between(-0.6, 0.6))
    scene.ball(place, (0.16, 0.15, 0.42), feather, turn)
    scene.ball(place + turn @ (0, 0.12, -0.42), 0.13, feather)
    scene.tube(
        place + turn @ (0, 0.1, -0.5), place + turn @ (0, 0.06, -0.72), 0.05, "sand", taper=0.1
    )
    for side in (-1, 1):
        wing = turn @ turned(0, 0, side * 0.4)
        scene.ball(place + turn @ (side * 0.55, 0.2, 0.05), (0.5, 0.04, 0.2), feather, wing)


def add_branch(scene: Scene, chance: float) -> None:
    """Perhaps a leafy branch that hangs into the picture from above, before everything else."""
    if scene.between(0, 1) > chance:
        return
    z, side, leaf = scene.between(1.3, 2.6), scene.choose((-1, 1)), scene.paint("leaf")
    start, end = (
        scene.in_view(side * 0.75, 0.6, z * 1.1),
        scene.in_view(side * scene.between(-0.1, 0.15), scene.between(0.2, 0.45), z),
    )
    scene.begin("branch").tube(start, end, 0.03 * z, "bark", taper=0.3)
    for _ in range(22):
        blob = start + (end - start) * scene.between(0.1, 1.05) + scene.rng.normal(0, 0.045 * z, 3)
        scene.ball(blob, z * scene.between(0.03, 0.08), leaf)


def add_hanging(scene: Scene, place: np.ndarray, length: float) -> None:
    scene.begin("lamp").tube(place, place + (0, length, 0), 0.014, "dark")
    scene.tube(
        place - (0, 0.12, 0), place + (0, 0.1, 0), scene.between(0.12, 0.28), "cloth", taper=0.45
    )
    scene.ball(place - (0, 0.12, 0), 0.07, "white")
