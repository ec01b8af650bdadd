"""Colours and patterns of what the synthetic world is made of."""

from typing import NamedTuple

import numpy as np

DARK, WHITE, BROWN, GREY = (44, 42, 44), (220, 212, 198), (138, 102, 68), (150, 144, 134)
CLOTHS = (
    *((150, 62, 56), (58, 84, 122), (92, 112, 78), (184, 166, 126)),
    *((72, 70, 78), (170, 130, 62), (104, 74, 104), (60, 112, 116)),
)
WALLS = ((186, 172, 150), (156, 96, 78), (148, 150, 152), (196, 184, 170), (126, 116, 110))


class Material(NamedTuple):
    """Colours (RGB), second colours and patterns to choose from."""

    colours: tuple
    seconds: tuple = (DARK,)
    patterns: tuple = ("",)


class Paint(NamedTuple):
    """A material in one of its colours; the pattern says where the second one shows."""

    colour: tuple
    second: tuple
    pattern: str


MATERIALS = {
    "bark": Material(((92, 74, 58),), patterns=("bark",)),
    "bricks": Material(WALLS, ((120, 112, 104),), ("bricks",)),
    "cloth": Material(CLOTHS),
    "dark": Material((DARK,)),
    "day": Material(((176, 204, 222),)),
    "earth": Material(((120, 108, 92),), ((100, 90, 78),), ("patches",)),
    "glass": Material(((74, 88, 104),)),
    "grass": Material(
        ((112, 126, 70), (104, 120, 92)), ((146, 144, 84), (90, 104, 84)), ("grass",)
    ),
    "hair": Material(((44, 34, 30), (92, 62, 40), (176, 134, 80), (150, 72, 40), GREY)),
    "house": Material(WALLS, ((74, 88, 104),), ("windows",)),
    "leaf": Material(((78, 104, 54),), ((64, 88, 44),), ("leaf",)),
    "lip": Material(((146, 74, 70),)),
    "metal": Material(((112, 116, 120),)),
    "planks": Material((BROWN,), ((92, 70, 50),), ("planks",)),
    "road": Material(((104, 102, 102),), (WHITE,), ("road",)),
    "rock": Material(((122, 112, 104),), ((98, 90, 84),), ("rock",)),
    "roof": Material(((142, 82, 62), (104, 92, 88)), patterns=("bricks",)),
    "sand": Material(((190, 170, 132),)),
    "shirt": Material(CLOTHS, CLOTHS, ("", "", "stripes")),
    "skin": Material(((226, 182, 152), (196, 146, 112), (150, 104, 76), (104, 70, 52))),
    "stone": Material((GREY, BROWN)),
    "striped": Material(CLOTHS, (WHITE,), ("stripes",)),
    "tiles": Material(((166, 160, 150), GREY), patterns=("tiles",)),
    "wallpaper": Material(WALLS, WALLS, ("", "stripes", "patches")),
    "white": Material((WHITE,)),
    "wood": Material((BROWN,)),
}


def paint_of(material: str, rng: np.random.Generator) -> Paint:
    """One of the colours of a material, a little lighter or darker."""

    def tinted(colours: tuple) -> tuple:
        colour = np.array(rng.choice(colours)) * rng.uniform(0.82, 1.15)
        return tuple(np.clip(colour + rng.normal(0, 7, 3), 8, 245))

    colours, seconds, patterns = MATERIALS[material]
    return Paint(tinted(colours), tinted(seconds), str(rng.choice(patterns)))
