"""The eleven kinds of scene."""

from collections.abc import Callable

import numpy as np

from comics_depth.synthetic.camera import nearest
from comics_depth.synthetic.objects import (
    CHEST,
    add_branch,
    add_bush,
    add_car,
    add_flyer,
    add_hanging,
    add_head,
    add_house,
    add_lamppost,
    add_person,
    add_tree,
)
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import turned


def street(scene: Scene) -> None:
    scene.place_viewer(
        scene.between(1.1, 3.4),
        scene.between(-14, 14),
        scene.between(-6, 9),
        scene.between(0.7, 1.0),
        "road",
        x=scene.between(-1.5, 1.5),
    )
    half = scene.between(3.2, 5.0)
    for side in (-1, 1):
        scene.begin("pavement").box((side * (half + 1.6), 0.07, 60), (3.2, 0.14, 130), "tiles")
        z = scene.between(1, 5)
        while z < 75:
            wide = scene.between(6, 12)
            add_house(scene, side * (half + 7.2), z + wide / 2, (8, scene.between(5, 17), wide))
            if z < 30 and scene.between(0, 1) < 0.6:
                awning = (side * (half + 2.5), scene.between(2.7, 3.4), z + wide / 2)
                scene.begin("awning").box(awning, (1.9, 0.12, wide * 0.7), "striped")
            if z < 22 and scene.between(0, 1) < 0.5:
                scene.begin("sign").box(
                    (side * (half + 2.3), scene.between(3.2, 4.5), z + 0.8),
                    (1.5, 0.9, 0.12),
                    "cloth",
                )
            z += wide + scene.choose((0, 0, 1.5))
        for z in (scene.between(5, 10), scene.between(16, 24)):
            add_lamppost(scene, side * (half + 0.4), z, -side)
    add_house(scene, 0, 84, (40, scene.between(8, 20), 8))
    scene.repeat(
        scene.count(3, 7),
        lambda: add_person(
            scene,
            scene.between(-half - 2, half + 2),
            scene.choose((scene.between(2.6, 6), scene.between(6, 25))),
            0.05,
        ),
    )
    scene.repeat(
        scene.count(1, 3),
        lambda: add_car(
            scene,
            scene.choose((-1, 1)) * (half - 1.3),
            scene.between(7, 32),
            scene.choose((0.0, np.pi)),
        ),
    )
    scene.repeat(
        scene.count(0, 1),
        lambda: add_flyer(
            scene,
            scene.in_view(scene.between(-0.3, 0.3), scene.between(0.2, 0.4), scene.between(2.5, 4)),
        ),
    )


def field(scene: Scene) -> None:
    scene.place_viewer(
        scene.between(1.0, 3.0),
        scene.between(-10, 10),
        scene.between(-8, 6),
        scene.between(0.7, 1.0),
        "grass",
    )
    for _ in range(5):
        scene.begin("hill").ball(
            (scene.between(-160, 160), -8, scene.between(110, 220)),
            (scene.between(50, 110), scene.between(18, 50), 40),
            "hill",
        )
    scene.begin("path").box(
        (scene.between(-2, 2), 0.01, 40),
        (scene.between(1.4, 2.4), 0.03, 90),
        "sand",
        scene.between(-0.2, 0.2),
    )
    scene.repeat(
        scene.count(4, 9),
        lambda: add_tree(
            scene,
            scene.choose((-1, 1)) * scene.between(3, 26),
            scene.between(8, 60),
            scene.between(3.5, 8),
        ),
    )
    scene.repeat(
        5,
        lambda: add_bush(
            scene,
            scene.choose((-1, 1)) * scene.between(2, 10),
            scene.between(5, 25),
            scene.between(0.4, 0.9),
        ),
    )
    add_house(
        scene,
        scene.between(-16, 16),
        scene.between(24, 50),
        (scene.between(6, 9), 4, 8),
        yaw=scene.between(-0.7, 0.7),
        roof=True,
    )
    for _ in range(scene.count(0, 1)):
        z = scene.between(4, 9)
        scene.begin("fence").posts([(x, 0, z) for x in np.arange(-9, 9, 1.5)], 1.1, 0.07, "wood")
        for y in (0.45, 0.9):
            scene.box((0, y, z), (18, 0.12, 0.05), "wood")
    scene.repeat(
        scene.count(1, 3), lambda: add_person(scene, scene.between(-3, 3), scene.between(2.6, 12))
    )
    for _ in range(scene.count(0, 3)):
        x, z, coat = scene.between(-7, 7), scene.between(7, 22), scene.paint("cow")
        scene.begin("cow").ball((x, 1.0, z), (0.85, 0.45, 0.4), coat)
        scene.ball((x + scene.choose((-1, 1)), 1.3, z), (0.32, 0.22, 0.18), coat)
        scene.legs(x, z, 1.0, 0.4, 0.9, 0.09, coat)
    add_branch(scene, 0.75)


def room(scene: Scene) -> None:
    wide, tall, deep = scene.between(3.6, 6), scene.between(2.5, 3.2), scene.between(4.5, 8)
    scene.place_viewer(
        scene.between(0.9, 2.1),
        scene.between(-18, 18),
        scene.between(-16, 5),
        scene.between(0.6, 0.85),
        x=scene.between(-0.3, 0.3) * wide,
    )
    scene.lamp, scene.haze = np.array((scene.between(-0.5, 0.5), tall - 0.3, deep * 0.5)), None
    scene.ground(scene.choose(("planks", "tiles")))
    paper = scene.paint("paper")
    scene.begin("wall").box((0, tall / 2, deep + 0.05), (wide, tall, 0.1), paper)
    for side in (-1, 1):
        scene.begin("wall").box((side * wide / 2, tall / 2, deep / 2), (0.1, tall, deep + 3), paper)
    scene.begin("ceiling").box((0, tall + 0.05, deep / 2), (wide, 0.1, deep + 3), "white")
    for z in scene.choose(((), np.arange(1.2, deep, 1.3))):
        scene.box((0, tall - 0.06, z), (wide, 0.14, 0.16), "wood")
    x, side = scene.between(-0.25, 0.25) * wide, scene.choose((-1, 1))
    scene.begin("window").box((x, tall * 0.58, deep), (1.5, 1.2, 0.1), "white")
    for a in (-0.35, 0.35):
        scene.box((x + a, tall * 0.58, deep - 0.03), (0.58, 1.04, 0.1), "day")
    scene.begin("shelf").box((side * (wide / 2 - 0.2), 0.95, deep * 0.7), (0.36, 1.9, 1.3), "books")
    scene.begin("picture").box(
        (-side * (wide / 2 - 0.06), 1.6, deep * scene.between(0.4, 0.7)),
        (0.06, 0.6, 0.8),
        "picture",
    )
    for _ in range(scene.count(1, 2)):
        y = tall - scene.between(0.5, 0.8)
        add_hanging(
            scene,
            np.array((scene.between(-0.3, 0.3) * wide, y, scene.between(1.5, deep * 0.6))),
            tall - y,
        )
    x, z, top, long, broad = (
        scene.between(-0.25, 0.25) * wide,
        scene.between(1.9, deep * 0.7),
        scene.between(0.68, 0.8),
        scene.between(0.9, 1.5),
        scene.between(0.6, 0.9),
    )
    scene.begin("table").box((x, top, z), (long, 0.06, broad), "planks")
    scene.legs(x, z, long * 0.9, broad * 0.85, top, 0.035, "wood")
    for _ in range(3):
        a, b, r = (
            x + scene.between(-0.4, 0.4) * long,
            z + scene.between(-0.35, 0.35) * broad,
            scene.between(0.05, 0.09),
        )
        scene.begin("vessel").tube(
            (a, top, b),
            (a, top + r * scene.between(2, 5), b),
            r,
            "cloth",
            taper=scene.between(0.5, 1.2),
        )
    side, seat = scene.choose((-1, 1)), scene.paint("cloth")
    x += side * (long / 2 + 0.35)
    scene.begin("chair").box((x, 0.45, z), (0.42, 0.06, 0.42), seat)
    scene.box((x + side * 0.2, 0.75, z), (0.05, 0.6, 0.42), seat)
    scene.legs(x, z, 0.36, 0.36, 0.45, 0.025, seat)
    scene.repeat(
        scene.count(1, 3),
        lambda: add_person(
            scene,
            scene.between(-0.4, 0.4) * wide,
            scene.between(1.6, deep - 0.6),
            yaw=scene.between(-1.2, 1.2),
        ),
    )


def stairs(scene: Scene) -> None:
    """Seen from the foot, or down from the top."""
    count, wide, down = (
        int(scene.between(9, 15)),
        scene.between(2.4, 3.6),
        scene.between(0, 1) < 0.4,
    )
    scene.place_viewer(
        *(
            (1.5, scene.between(-12, 12), scene.between(-24, -14))
            if down
            else (scene.between(1.2, 1.9), scene.between(-12, 12), scene.between(2, 16))
        ),
        scene.between(0.6, 0.8),
    )
    floor, rise, start = (-count * 0.18 - 0.4, -0.18, 0.5) if down else (0.0, 0.18, 1.8)
    scene.haze = 60.0
    scene.ground("tiles", floor)

    def place(n):
        return (rise * (n if down else n + 1), start + n * 0.34)

    tread, end = scene.paint("step"), start + count * 0.34
    for n in range(count):
        y, z = place(n)
        scene.begin("step").box(
            (0, y - 2, z + (0 if down else 3)), (wide, 4, 0.34 if down else 6), tread
        )
    for side in (-1, 1):
        scene.begin("wall").box(
            (side * (wide / 2 + 0.2), 0, end / 2 + 2), (0.4, 9, end + 8), "bricks"
        )
    x = scene.choose((-1, 1)) * (wide / 2 - 0.15)
    scene.begin("rail").posts(
        [(x, y, z + 0.15) for y, z in map(place, range(0, count, 2))], 0.95, 0.03, "metal"
    )
    scene.tube((x, place(0)[0] + 0.95, start), (x, place(count)[0] + 0.95, end), 0.05, "wood")
    add_house(scene, 0, end + 10, (24, 9 + count * 0.18, 3), floor)
    if scene.between(0, 1) < 0.8:
        scene.begin("beam").box(
            (0, 2.3 if down else scene.between(2.9, 3.4), scene.between(1.5, 2.6)),
            (wide + 1, 0.5, 0.45),
            "bricks",
        )
    for n in scene.rng.permutation(np.arange(2, count, 2))[: int(scene.between(2, 5))]:
        y, z = place(n)
        add_person(
            scene, scene.between(-0.3, 0.3) * wide, z + 0.17, y, yaw=scene.between(-0.6, 0.6)
        )
    add_hanging(
        scene,
        scene.in_view(
            scene.between(-0.35, 0.35), scene.between(0.2, 0.35), scene.between(1.3, 2.4)
        ),
        4,
    )


def head(scene: Scene) -> None:
    scene.choose((street, room, forest, field, window))(scene)
    scene.begin("head")
    turn, r = (
        scene.axes.T
        @ turned(scene.between(-0.8, 0.8), scene.between(-0.15, 0.15), scene.between(-0.2, 0.2)),
        0.0625 * (1 + scene.head_size),
    )
    centre, skin, shirt = (
        scene.in_view(
            scene.between(-0.28, 0.28), scene.between(-0.16, 0.1), scene.between(0.5, 1.0)
        ),
        scene.paint("skin"),
        scene.paint("cloth"),
    )

    def at(*place):
        return centre + turn @ np.array(place) * r

    add_head(scene, centre, turn, r, skin)
    scene.tube(at(0, -1.7, 0.2), at(0, -0.6, 0.15), r * 0.45, skin)
    scene.ball(at(0, -2.3, 0.3), np.array((2.2, 0.8, 1.0)) * r, shirt, turn)
    scene.put("tube", at(0, -4.9, 0.3), turn @ CHEST * 10 * r, shirt)
    for side in (-1, 1):
        scene.tube(at(side * 2.0, -2.35, 0.3), at(side * 2.6, -6.5, 0.1), 0.6 * r, shirt)
    for _ in range(scene.count(0, 1)):
        side = scene.choose((-1, 1))
        palm = at(side * scene.between(1.2, 1.7), scene.between(-0.9, 0.6), -2.2)
        scene.begin("hand").ball(
            palm, np.array((0.42, 0.5, 0.2)) * r, skin, turn
        )  # held up before the face
        for a in (-0.3, -0.1, 0.1, 0.3):
            scene.tube(
                palm + turn @ (a * r, 0.3 * r, 0),
                palm + turn @ (a * 1.5 * r, 1.05 * r, 0),
                0.1 * r,
                skin,
            )
        scene.tube(
            palm - turn @ (0, 0.3 * r, 0), at(side * 2.2, -3.6, -1.2), 0.3 * r, shirt, taper=1.3
        )


def crowd(scene: Scene) -> None:
    scene.place_viewer(
        scene.between(1.3, 3.2),
        scene.between(-10, 10),
        scene.between(-9, 4),
        scene.between(0.75, 1.0),
        "tiles",
    )
    facing, z = scene.choose((0.0, np.pi, scene.between(0, 6))), scene.between(1.5, 2.4)
    while z < 20:
        for _ in range(3 if z < 6 else 2):
            add_person(
                scene,
                scene.between(-0.75, 0.75) * (z + 1) / scene.focal,
                z + scene.between(-0.3, 0.3),
                yaw=facing + scene.between(-0.7, 0.7),
            )
        z += scene.between(1.0, 1.8)
    for n in range(5):
        add_house(scene, -32 + 16 * n, scene.between(28, 45), (14, scene.between(8, 20), 8))
    for z in (scene.between(1.8, 2.6), scene.between(4, 6), scene.between(9, 12)):
        place = scene.in_view(scene.between(-0.4, 0.4), scene.between(0.34, 0.44), z)
        scene.begin("banner").box(
            place,
            (0.55 * z, 0.13 * z, 0.04),
            scene.choose(("striped", "cloth")),
            scene.between(-0.3, 0.3),
        )
        scene.tube(place, place + (0, 4, 0), 0.02, "dark")


def from_above(scene: Scene) -> None:
    high, pitch = scene.between(7, 15), scene.between(-76, -38)
    scene.place_viewer(high, scene.between(-40, 40), pitch, scene.between(0.7, 0.95))
    scene.ground(scene.choose(("tiles", "grass", "tiles")))
    forward = scene.axes[2][[0, 2]] / np.linalg.norm(scene.axes[2][[0, 2]])
    middle = forward * high / np.tan(np.radians(-pitch))  # where the view meets the ground

    def place(spread):
        return middle + scene.rng.uniform(-spread, spread, 2) * high

    scene.repeat(scene.count(3, 7), lambda: add_person(scene, *place(0.5), detail=False))
    scene.repeat(
        scene.count(2, 4), lambda: add_tree(scene, *place(0.75), scene.between(0.3, 0.62) * high)
    )
    scene.repeat(scene.count(1, 3), lambda: add_car(scene, *place(0.6), scene.between(0, 6)))
    for _ in range(scene.count(1, 3)):
        x, z = place(0.5)
        scene.begin("stall").box(
            (x, 2.3, z), (2.4, 0.12, 2), "striped", scene.between(0, 3), scene.between(-0.2, 0.2)
        )
        scene.box((x, 0.5, z), (1.8, 1, 1), "wood")
    for _ in range(scene.count(2, 3)):
        angle = scene.between(0, 2 * np.pi)
        x, z = middle + np.array((np.sin(angle), np.cos(angle))) * high * scene.between(0.75, 0.95)
        add_house(
            scene,
            x,
            z,
            (
                scene.between(0.5, 0.8) * high,
                scene.between(0.3, 0.75) * high,
                scene.between(0.5, 0.8) * high,
            ),
            yaw=scene.between(0, 3),
        )
    scene.repeat(
        scene.count(0, 2),
        lambda: add_flyer(
            scene,
            scene.in_view(
                scene.between(-0.35, 0.35),
                scene.between(-0.25, 0.4),
                scene.between(2.2, 0.5 * high),
            ),
        ),
    )
    add_branch(scene, 0.4)


def from_below(scene: Scene) -> None:
    scene.place_viewer(
        scene.between(0.3, 0.9),
        scene.between(-25, 25),
        scene.between(14, 42),
        scene.between(0.6, 0.8),
        "tiles",
    )
    forward = scene.axes[2][[0, 2]] / np.linalg.norm(scene.axes[2][[0, 2]])

    def place(along, aside):
        return forward * along + np.array((forward[1], -forward[0])) * aside

    for side in (-1, 1):
        for away in (scene.between(7, 11), scene.between(16, 26), scene.between(32, 45)):
            size = (scene.between(5, 9), scene.between(14, 40), scene.between(5, 9))
            add_house(
                scene,
                *place(away, side * scene.between(0.35, 0.8) * away),
                size,
                yaw=scene.between(-0.4, 0.4),
            )
    scene.repeat(
        scene.count(1, 2),
        lambda: add_tree(
            scene, *place(scene.between(3.5, 8), scene.between(-4, 4)), scene.between(5, 9)
        ),
    )
    scene.repeat(
        scene.count(1, 2),
        lambda: add_person(
            scene,
            *place(scene.between(1.5, 2.6), scene.between(-0.9, 0.9)),
            yaw=scene.between(-0.5, 0.5),
        ),
    )
    add_lamppost(scene, *place(scene.between(2.5, 5), scene.between(-2, 2)), scene.choose((-1, 1)))
    scene.repeat(
        scene.count(1, 2),
        lambda: add_flyer(
            scene,
            scene.in_view(
                scene.between(-0.4, 0.4), scene.between(-0.1, 0.4), scene.between(2.5, 14)
            ),
        ),
    )
    add_branch(scene, 0.6)


def forest(scene: Scene) -> None:
    scene.place_viewer(
        scene.between(0.7, 2.2),
        scene.between(-10, 10),
        scene.between(-6, 12),
        scene.between(0.65, 0.9),
        "moss",
    )
    scene.haze = 26.0
    for _ in range(24):
        z, r, bark = (
            scene.choose((scene.between(2.2, 9), scene.between(9, 40))),
            scene.between(0.12, 0.34),
            scene.paint("bark"),
        )
        x = scene.choose((-1, 1)) * scene.between(0.12, 0.75) * z
        scene.begin("trunk").tube(
            (x, -0.2, z), (x + scene.between(-0.5, 0.5), 11, z), r, bark, taper=0.6
        )
        for side in (-1, 1):
            y = scene.between(2, 5)
            scene.tube(
                (x, y, z),
                (x + side * scene.between(0.8, 1.6), y + scene.between(0.3, 1.2), z),
                r * 0.35,
                bark,
                taper=0.3,
            )
    for _ in range(14):
        z = scene.between(2.5, 22)
        scene.begin("canopy").leaves(
            scene.in_view(scene.between(-0.6, 0.6), scene.between(0.38, 0.6), z),
            0.1 * z,
            5,
            0.1 * z,
        )
    scene.repeat(
        7,
        lambda: add_bush(
            scene, scene.between(-6, 6), scene.between(3.5, 16), scene.between(0.25, 0.7)
        ),
    )
    for _ in range(6):
        x, z, r = scene.between(-3, 3), scene.between(1.8, 7), scene.between(0.08, 0.22)
        scene.begin("mushroom").tube((x, 0, z), (x, r * 1.6, z), r * 0.4, "white")
        scene.ball((x, r * 1.6, z), (r, r * 0.7, r), "mushroom")
    scene.repeat(
        scene.count(1, 3),
        lambda: add_person(scene, scene.between(-1.6, 1.6), scene.between(2.6, 9)),
    )
    add_branch(scene, 0.6)


def cave(scene: Scene) -> None:
    scene.place_viewer(
        scene.between(1.0, 1.9),
        scene.between(-14, 14),
        scene.between(-18, 0),
        scene.between(0.6, 0.8),
        "earth",
    )
    end, scene.haze = scene.between(10, 16), None
    scene.lamp = np.array((scene.between(-0.5, 0.5), 2.2, end * 0.75))
    for z in np.arange(1.6, end, 1.5):
        scene.begin("rock")
        radius = scene.between(2.3, 3.2)
        for angle in np.linspace(-0.25, np.pi + 0.25, 9):
            centre = (
                radius * np.cos(angle) * 1.1,
                0.7 + radius * np.sin(angle) * 0.9,
                z + scene.between(-0.3, 0.3),
            )
            scene.ball(
                centre,
                (scene.between(0.8, 1.2), scene.between(0.8, 1.1), scene.between(0.9, 1.4)),
                "rock",
            )
    for _ in range(6):
        z = scene.between(1.5, end * 0.7)
        x = scene.between(-0.45, 0.45) * z
        scene.begin("stalactite").tube(
            (x, 3.3, z),
            (x, scene.between(1.7, 2.4), z),
            scene.between(0.12, 0.3),
            "rock",
            taper=0.08,
        )
    for _ in range(4):
        place = (scene.between(-1.8, 1.8), 0.05, scene.between(2, 9))
        scene.begin("stone").ball(
            place,
            (scene.between(0.2, 0.5), scene.between(0.15, 0.4), scene.between(0.2, 0.5)),
            "rock",
        )
    scene.repeat(
        scene.count(1, 3),
        lambda: add_person(scene, scene.between(-1.3, 1.3), scene.between(2.2, end - 2)),
    )
    scene.repeat(
        scene.count(0, 2),
        lambda: add_flyer(
            scene,
            scene.in_view(
                scene.between(-0.25, 0.25), scene.between(0.1, 0.3), scene.between(1.8, 5)
            ),
        ),
    )


def window(scene: Scene) -> None:
    """A city seen from a room, through a window with a plant and a lamp."""
    high = scene.between(6, 25)
    scene.place_viewer(
        high + 1.5, scene.between(-8, 8), scene.between(-14, 3), scene.between(0.7, 0.9), "tiles"
    )
    scene.haze = 110.0
    for _ in range(18):
        z = scene.between(14, 110)
        add_house(
            scene,
            scene.between(-0.8, 0.8) * z,
            z,
            (
                scene.between(6, 14),
                scene.between(0.3, 1.25) * high + scene.between(0, 10),
                scene.between(6, 12),
            ),
        )
    scene.begin("frame")
    z, wood = scene.between(1.0, 1.5), scene.paint("frame")
    wide, low, top = (
        scene.between(*limits) * z / scene.focal
        for limits in ((0.42, 0.6), (-0.4, -0.25), (0.3, 0.42))
    )
    low, top = low + high + 1.5, top + high + 1.5
    for x in (-wide - 1, wide + 1):
        scene.box((x, high, z), (2, 9, 0.15), wood)
    scene.box((0, low - 1, z), (4, 2, 0.3), wood)
    scene.box((0, top + 1, z), (4, 2, 0.15), wood)
    scene.box((scene.between(-3, 0.3) * wide, high, z), (0.06, 9, 0.06), wood)
    x = scene.between(-0.7, 0.7) * wide
    scene.begin("pot").tube((x, low, z - 0.1), (x, low + 0.18, z - 0.1), 0.07, "roof", taper=1.3)
    scene.leaves((x, low + 0.28, z - 0.1), 0.05, 6, 0.06)
    add_hanging(
        scene,
        np.array(
            (
                scene.between(-0.6, 0.6) * wide,
                top - scene.between(0, 0.15),
                z - scene.between(0.2, 0.45),
            )
        ),
        3,
    )

    def stand():
        return add_person(
            scene,
            scene.choose((-1, 1)) * scene.between(0.3, 0.9) * wide,
            z + scene.between(0.35, 1.6),
            high,
            yaw=scene.between(-0.8, 0.8),
        )

    scene.repeat(scene.count(0, 2), stand)
    scene.begin("balcony").box((0, high - 0.1, z + 1.2), (5, 0.2, 2.2), "stone")
    scene.begin("rail").posts(
        [(a, high, z + 2.2) for a in np.arange(-2, 2, 0.25)], 0.95, 0.018, "metal"
    )
    scene.box((0, high + 0.97, z + 2.2), (5, 0.06, 0.08), "metal")
    add_flyer(
        scene,
        scene.in_view(scene.between(-0.3, 0.3), scene.between(0.05, 0.3), scene.between(3.5, 7)),
    )


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
