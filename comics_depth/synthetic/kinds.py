"""The eleven kinds of scene by name, and the drawing of one that can be used."""

from collections.abc import Callable

import numpy as np

from comics_depth.synthetic.camera import nearest
from comics_depth.synthetic.indoors import cave, room, stairs, window
from comics_depth.synthetic.objects import CHEST, head, placer
from comics_depth.synthetic.outdoors import crowd, field, forest, from_above, from_below, street
from comics_depth.synthetic.scene import Scene
from comics_depth.synthetic.shapes import rotation


def portrait(scene: Scene) -> None:
    """A head close by, perhaps with a hand held up before it, in one of the other scenes."""
    scene.choose(street, room, forest, field, window)(scene)
    scene.begin("head")
    size = 0.0625 * (1 + scene.head_size)
    turn = scene.axes.T @ rotation(*scene.draw(((-0.8, 0.8), (-0.15, 0.15), (-0.2, 0.2))))
    centre = scene.in_view((-0.28, 0.28), (-0.16, 0.1), (0.5, 1.0))
    at = placer(centre, turn, size)
    skin, shirt = scene.paint("skin"), scene.paint("cloth")
    head(scene, centre, turn, size, skin, face=True)
    scene.tube(at(0, -1.7, 0.2), at(0, -0.6, 0.15), size * 0.45, skin)
    scene.ball(at(0, -2.3, 0.3), np.array((2.2, 0.8, 1.0)) * size, shirt, turn)
    scene.put("tube", at(0, -4.9, 0.3), turn @ CHEST * 10 * size, shirt)
    for side in (-1, 1):
        scene.tube(at(side * 2.0, -2.35, 0.3), at(side * 2.6, -6.5, 0.1), 0.6 * size, shirt)
    if scene.chance(0.5):
        side = scene.choose(-1, 1)
        palm = at(side * scene.draw((1.2, 1.7)), scene.draw((-0.9, 0.6)), -2.2)
        hand = placer(palm, turn, size)
        scene.begin("hand").ball(palm, np.array((0.42, 0.5, 0.2)) * size, skin, turn)
        for x in (-0.3, -0.1, 0.1, 0.3):
            scene.tube(hand(x, 0.3, 0), hand(x * 1.5, 1.05, 0), 0.1 * size, skin)
        scene.tube(hand(0, -0.3, 0), at(side * 2.2, -3.6, -1.2), 0.3 * size, shirt, taper=1.3)


KINDS: dict[str, Callable[[Scene], None]] = {
    "street": street,
    "field": field,
    "room": room,
    "stairs": stairs,
    "head": portrait,
    "crowd": crowd,
    "forest": forest,
    "cave": cave,
    "window": window,
    "from above": from_above,
    "from below": from_below,
}


def make_scene(
    kind: str, rng: np.random.Generator, height: int, width: int, drawn: bool = False
) -> Scene:
    """A scene of a kind whose camera sees at least five objects and does not stand inside one.
    `drawn`: comics."""
    for _ in range(12):
        scene = Scene(rng, drawn)
        KINDS[kind](scene)
        depth, index = nearest(scene.shapes, scene.camera(height // 5, width // 5))
        owner = np.array([0, *(shape.group for shape in scene.shapes)])[index + 1]
        counts = np.bincount(owner.ravel(), minlength=len(scene.names))
        if (counts > index.size * 0.006).sum() >= 5 and (depth < 0.3).mean() < 0.03:
            break
    return scene
