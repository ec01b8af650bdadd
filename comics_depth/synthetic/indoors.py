"""Scenes under a roof."""

import numpy as np

from comics_depth.synthetic.objects import block, flyer, ground, hanging_lamp, person
from comics_depth.synthetic.scene import Scene


def room(scene: Scene) -> None:
    wide, tall, deep = scene.draw(((3.6, 6), (2.5, 3.2), (4.5, 8)))
    x = (-0.3 * wide, 0.3 * wide)
    scene.stand(height=(0.9, 2.1), yaw=(-18, 18), pitch=(-16, 5), focal=(0.6, 0.85), x=x)
    scene.lamp = scene.draw(((-0.5, 0.5), tall - 0.3, deep * 0.5))
    scene.haze = None
    ground(scene, scene.choose("planks", "tiles"))
    paper = scene.paint("wallpaper")
    scene.begin("wall").box((0, tall / 2, deep + 0.05), (wide, tall, 0.1), paper)
    for side in (-1, 1):
        wall = (side * wide / 2, tall / 2, deep / 2)
        scene.begin("wall").box(wall, (0.1, tall, deep + 3), paper)
    scene.begin("ceiling").box((0, tall + 0.05, deep / 2), (wide, 0.1, deep + 3), "white")
    if scene.chance(0.5):
        for z in np.arange(1.2, deep, 1.3):
            scene.box((0, tall - 0.06, z), (wide, 0.14, 0.16), "wood")
    x = scene.draw((-0.25 * wide, 0.25 * wide))
    scene.begin("window").box((x, tall * 0.58, deep), (1.5, 1.2, 0.1), "white")
    for pane in (x - 0.35, x + 0.35):
        scene.box((pane, tall * 0.58, deep - 0.03), (0.58, 1.04, 0.1), "day")
    shelf = (scene.choose(-1, 1) * (wide / 2 - 0.2), 0.95, deep * 0.7)
    scene.begin("shelf").box(shelf, (0.36, 1.9, 1.3), "planks")
    y = tall - scene.draw((0.5, 0.8))
    lamp_x = (-0.3 * wide, 0.3 * wide)
    scene.add(hanging_lamp, lamp_x, y, (1.5, deep * 0.6), length=tall - y, count=(1, 2))
    _table(scene, x, scene.draw((1.9, deep * 0.7)))
    sides = (-0.4 * wide, 0.4 * wide)
    scene.add(person, sides, (1.6, deep - 0.6), yaw=(-1.2, 1.2), count=(1, 3))


def _table(scene: Scene, x: float, z: float) -> None:
    """A table with vessels on it and a chair beside it."""
    top, long, broad = scene.draw(((0.68, 0.8), (0.9, 1.5), (0.6, 0.9)))
    scene.begin("table").box((x, top, z), (long, 0.06, broad), "planks")
    scene.legs(x, z, long * 0.9, broad * 0.85, top, "wood")
    for spot in (-0.35, 0, 0.3):
        foot = scene.draw((x + spot * long, top, (z - 0.35 * broad, z + 0.35 * broad)))
        vessel = foot + scene.draw((0, (0.12, 0.35), 0))
        scene.begin("vessel").tube(foot, vessel, scene.draw((0.05, 0.09)), "cloth", taper=0.8)
    side = scene.choose(-1, 1)
    x += side * (long / 2 + 0.35)
    seat = scene.paint("cloth")
    scene.begin("chair").box((x, 0.45, z), (0.42, 0.06, 0.42), seat)
    scene.box((x + side * 0.2, 0.75, z), (0.05, 0.6, 0.42), seat)
    scene.legs(x, z, 0.36, 0.36, 0.45, seat)


def stairs(scene: Scene) -> None:
    """Seen from the foot, or down from the top."""
    down = scene.chance(0.4)
    steps = scene.count(9, 15)
    wide = scene.draw((2.4, 3.6))
    rise, start = (-0.18, 0.5) if down else (0.18, 1.8)
    pitch = (-24, -14) if down else (2, 16)
    scene.stand(height=(1.2, 1.9), yaw=(-12, 12), pitch=pitch, focal=(0.6, 0.8))
    scene.haze = 60.0
    floor = min(0.0, rise * steps - 0.4)
    ground(scene, "tiles", floor)
    places = [(rise * (n + (not down)), start + n * 0.34) for n in range(steps + 1)]
    tread = scene.paint("stone")
    for y, z in places[:-1]:
        size = (wide, 4, 0.34 if down else 6)
        scene.begin("step").box((0, y - 2, z + (not down) * 3), size, tread)
    end = places[-1][1]
    for side in (-1, 1):
        wall = (side * (wide / 2 + 0.2), 0, end / 2 + 2)
        scene.begin("wall").box(wall, (0.4, 9, end + 8), "bricks")
    x = scene.choose(-1, 1) * (wide / 2 - 0.15)
    scene.begin("rail").posts([(x, y, z + 0.15) for y, z in places[:-1:2]], 0.95, 0.03, "metal")
    bottom, top = ((x, y + 0.95, z) for y, z in (places[0], places[-1]))
    scene.tube(bottom, top, 0.05, "wood")
    block(scene, 0, end + 10, (24, 9 + steps * 0.18, 3), floor)
    beam = (0, 2.3 if down else (2.9, 3.4), (1.5, 2.6))
    scene.begin("beam").box(beam, (wide + 1, 0.5, 0.45), "bricks")
    for n in scene.rng.permutation(np.arange(2, steps, 2))[: scene.count(2, 4)]:
        y, z = places[n]
        scene.add(person, (-0.3 * wide, 0.3 * wide), z + 0.17, y, (-0.6, 0.6))
    hanging_lamp(scene, *scene.in_view((-0.35, 0.35), (0.2, 0.35), (1.3, 2.4)), length=4)


def cave(scene: Scene) -> None:
    scene.stand(height=(1.0, 1.9), yaw=(-14, 14), pitch=(-18, 0), focal=(0.6, 0.8))
    ground(scene, "earth")
    end = scene.draw((10, 16))
    scene.lamp = scene.draw(((-0.5, 0.5), 2.2, end * 0.75))
    scene.haze = None
    for z in np.arange(1.6, end, 1.5):
        scene.begin("rock")
        radius = scene.draw((2.3, 3.2))
        for angle in np.linspace(-0.25, np.pi + 0.25, 9):
            x, y = radius * np.cos(angle) * 1.1, 0.7 + radius * np.sin(angle) * 0.9
            scene.ball((x, y, (z - 0.3, z + 0.3)), ((0.8, 1.2), (0.8, 1.1), (0.9, 1.4)), "rock")
    for _ in range(6):
        z = scene.draw((1.5, end * 0.7))
        x = scene.draw((-0.45, 0.45)) * z
        thick = scene.draw((0.12, 0.3))
        scene.begin("stalactite").tube((x, 3.3, z), (x, (1.7, 2.4), z), thick, "rock", taper=0.08)
    for _ in range(4):
        size = ((0.2, 0.5), (0.15, 0.4), (0.2, 0.5))
        scene.begin("stone").ball(((-1.8, 1.8), 0.05, (2, 9)), size, "rock")
    scene.add(person, (-1.3, 1.3), (2.2, end - 2), count=(1, 3))
    scene.add(flyer, (-0.25, 0.25), (0.1, 0.3), (1.8, 5), count=(0, 2))


def window(scene: Scene) -> None:
    """A city seen from a room, through a window with a plant and a lamp."""
    floor = scene.draw((6, 25))
    eye = floor + 1.5
    scene.stand(height=eye, yaw=(-8, 8), pitch=(-14, 3), focal=(0.7, 0.9))
    ground(scene, "tiles")
    for _ in range(18):
        z = scene.draw((14, 110))
        tall = (0.3 * floor, 1.25 * floor + 8)
        scene.add(block, (-0.8 * z, 0.8 * z), z, ((6, 14), tall, (6, 12)))
    z, wood = scene.draw((1.0, 1.5)), scene.paint("wood")
    limits = scene.draw(((0.42, 0.6), (-0.4, -0.25), (0.3, 0.42))) * z / scene.focal
    wide, low, top = limits + (0, eye, eye)
    scene.begin("frame").box((0, low - 1, z), (4, 2, 0.3), wood)
    scene.box((0, top + 1, z), (4, 2, 0.15), wood)
    for x in (-wide - 1, wide + 1):
        scene.box((x, floor, z), (2, 9, 0.15), wood)
    scene.box(((-3 * wide, 0.3 * wide), floor, z), (0.06, 9, 0.06), wood)
    pot = scene.draw(((-0.7 * wide, 0.7 * wide), low, z - 0.1))
    scene.begin("pot").tube(pot, pot + (0, 0.18, 0), 0.07, "roof", taper=1.3)
    scene.leaves(pot + (0, 0.28, 0), 0.05, 6, 0.06)
    lamp_x = (-0.6 * wide, 0.6 * wide)
    scene.add(hanging_lamp, lamp_x, (top - 0.15, top), (z - 0.45, z - 0.2), length=3)
    scene.begin("balcony").box((0, floor - 0.1, z + 1.2), (5, 0.2, 2.2), "stone")
    posts = [(x, floor, z + 2.2) for x in np.arange(-2, 2, 0.25)]
    scene.begin("rail").posts(posts, 0.95, 0.018, "metal")
    scene.box((0, floor + 0.97, z + 2.2), (5, 0.06, 0.08), "metal")
    for side in (-wide, wide):
        outside = (z + 0.35, z + 1.6)
        scene.add(person, (0.3 * side, 0.9 * side), outside, floor, (-0.8, 0.8), count=(0, 1))
    scene.add(flyer, (-0.3, 0.3), (0.05, 0.3), (3.5, 7))
