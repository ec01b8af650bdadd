"""Scenes in the open."""

import numpy as np

from comics_depth.synthetic.objects import (
    block,
    branch,
    bush,
    car,
    cottage,
    flyer,
    ground,
    lamppost,
    person,
    tree,
)
from comics_depth.synthetic.scene import Scene


def street(scene: Scene) -> None:
    scene.stand(height=(1.1, 3.4), yaw=(-14, 14), pitch=(-6, 9), focal=(0.7, 1.0), x=(-1.5, 1.5))
    ground(scene, "road")
    half = scene.draw((3.2, 5.0))
    for side in (-1, 1):
        scene.begin("pavement").box((side * (half + 1.6), 0.07, 60), (3.2, 0.14, 130), "tiles")
        z = scene.draw((1, 5))
        while z < 75:
            wide = scene.draw((6, 12))
            scene.add(block, side * (half + 7.2), z + wide / 2, (8, (5, 17), wide))
            if z < 30 and scene.chance(0.6):
                awning = (side * (half + 2.5), (2.7, 3.4), z + wide / 2)
                scene.begin("awning").box(awning, (1.9, 0.12, wide * 0.7), "striped")
            z += wide + scene.choose(0, 0, 1.5)
        scene.add(lamppost, side * (half + 0.4), (5, 10), -side)
        scene.add(lamppost, side * (half + 0.4), (16, 24), -side)
        scene.add(car, side * (half - 1.3), (7, 32), scene.choose(0, np.pi), count=(0, 2))
    scene.add(block, 0, 84, (40, (8, 20), 8))
    for depth in ((2.6, 6), (6, 25)):
        scene.add(person, (-half - 2, half + 2), depth, count=(1, 4))
    scene.add(flyer, (-0.3, 0.3), (0.2, 0.4), (2.5, 4), count=(0, 1))


def field(scene: Scene) -> None:
    scene.stand(height=(1.0, 3.0), yaw=(-10, 10), pitch=(-8, 6), focal=(0.7, 1.0))
    ground(scene, "grass")
    for _ in range(5):
        hill = ((-160, 160), -8, (110, 220))
        scene.begin("hill").ball(hill, ((50, 110), (18, 50), 40), "grass")
    scene.begin("path").box(((-2, 2), 0.01, 40), ((1.4, 2.4), 0.03, 90), "sand")
    for side in (-1, 1):
        scene.add(tree, (side * 3, side * 26), (8, 60), (3.5, 8), count=(2, 5))
        scene.add(bush, (side * 2, side * 10), (5, 25), (0.4, 0.9), count=(2, 3))
    scene.add(cottage, (-16, 16), (24, 50), (6, 9), (-0.7, 0.7))
    if scene.chance(0.5):
        z = scene.draw((4, 9))
        scene.begin("fence").posts([(x, 0, z) for x in np.arange(-9, 9, 1.5)], 1.1, 0.07, "wood")
        for y in (0.45, 0.9):
            scene.box((0, y, z), (18, 0.12, 0.05), "wood")
    scene.add(person, (-3, 3), (2.6, 12), count=(1, 3))
    scene.add(branch, count=(0, 1))


def crowd(scene: Scene) -> None:
    scene.stand(height=(1.3, 3.2), yaw=(-10, 10), pitch=(-9, 4), focal=(0.75, 1.0))
    ground(scene, "tiles")
    facing = scene.choose(0, np.pi, scene.draw((0, 6)))
    z = scene.draw((1.5, 2.4))
    while z < 20:
        side = 0.75 * (z + 1) / scene.focal
        yaw = (facing - 0.7, facing + 0.7)
        scene.add(person, (-side, side), (z - 0.3, z + 0.3), yaw=yaw, count=(2, 3))
        z += scene.draw((1.0, 1.8))
    for x in range(-32, 33, 16):
        scene.add(block, x, (28, 45), (14, (8, 20), 8))
    for depth in ((1.8, 2.6), (4, 6), (9, 12)):
        place = scene.in_view((-0.4, 0.4), (0.34, 0.44), depth)
        size = (0.55 * place[2], 0.13 * place[2], 0.04)
        scene.begin("banner").box(place, size, scene.choose("striped", "cloth"))
        scene.tube(place, place + (0, 4, 0), 0.02, "dark")


def forest(scene: Scene) -> None:
    scene.stand(height=(0.7, 2.2), yaw=(-10, 10), pitch=(-6, 12), focal=(0.65, 0.9))
    ground(scene, "grass")
    scene.haze = 26.0
    for _ in range(24):
        z, radius = scene.draw(scene.choose((2.2, 9), (9, 40))), scene.draw((0.12, 0.34))
        x = scene.choose(-1, 1) * scene.draw((0.12, 0.75)) * z
        bark = scene.paint("bark")
        top = ((x - 0.5, x + 0.5), 11, z)
        scene.begin("trunk").tube((x, -0.2, z), top, radius, bark, taper=0.6)
        for side in (-0.8, 1.6):
            y = scene.draw((2, 5))
            scene.tube((x, y, z), (x + side, y + 0.8, z), radius * 0.35, bark, taper=0.3)
    for _ in range(14):
        depth = scene.draw((2.5, 22))
        canopy = scene.in_view((-0.6, 0.6), (0.38, 0.6), depth)
        scene.begin("canopy").leaves(canopy, 0.1 * depth, 5, 0.1 * depth)
    scene.add(bush, (-6, 6), (3.5, 16), (0.25, 0.7), count=(7, 7))
    scene.add(person, (-1.6, 1.6), (2.6, 9), count=(1, 3))
    scene.add(branch, count=(0, 1))


def from_above(scene: Scene) -> None:
    high, pitch = scene.draw((7, 15)), scene.draw((-76, -38))
    scene.stand(height=high, yaw=(-40, 40), pitch=pitch, focal=(0.7, 0.95))
    ground(scene, scene.choose("tiles", "grass", "tiles"))
    # Where the middle of the view meets the ground.
    middle = (scene.position - scene.axes[2] * high / scene.axes[2][1])[[0, 2]]

    def around(spread: float) -> list[tuple[float, float]]:
        return [(m - spread * high, m + spread * high) for m in middle]

    scene.add(person, *around(0.5), count=(3, 7))
    scene.add(tree, *around(0.75), (0.3 * high, 0.62 * high), count=(2, 4))
    scene.add(car, *around(0.6), (0, 6), count=(1, 3))
    for _ in range(scene.count(1, 3)):
        x, z = (scene.draw(pair) for pair in around(0.5))
        scene.begin("stall").box((x, 2.3, z), (2.4, 0.12, 2), "striped", scene.draw((0, 3)))
        scene.box((x, 0.5, z), (1.8, 1, 1), "wood")
    for _ in range(scene.count(2, 3)):
        angle = scene.draw((0, 2 * np.pi))
        x, z = middle + np.array((np.sin(angle), np.cos(angle))) * high * 0.85
        wide = (0.5 * high, 0.8 * high)
        scene.add(block, x, z, (wide, (0.3 * high, 0.75 * high), wide), yaw=(0, 3))
    scene.add(flyer, (-0.35, 0.35), (-0.25, 0.4), (2.2, 0.5 * high), count=(0, 2))
    scene.add(branch, count=(0, 1))


def from_below(scene: Scene) -> None:
    scene.stand(height=(0.3, 0.9), yaw=(-15, 15), pitch=(14, 42), focal=(0.6, 0.8))
    ground(scene, "tiles")
    for side in (-1, 1):
        for near, far in ((7, 11), (16, 26), (32, 45)):
            x, size = (side * 0.4 * near, side * 0.8 * near), ((5, 9), (14, 40), (5, 9))
            scene.add(block, x, (near, far), size, yaw=(-0.4, 0.4))
    scene.add(tree, (-4, 4), (3.5, 8), (5, 9), count=(1, 2))
    scene.add(person, (-0.9, 0.9), (1.5, 2.6), yaw=(-0.5, 0.5), count=(1, 2))
    scene.add(lamppost, (-2, 2), (2.5, 5), scene.choose(-1, 1))
    scene.add(flyer, (-0.4, 0.4), (-0.1, 0.4), (2.5, 14), count=(1, 2))
    scene.add(branch, count=(0, 1))
