"""Colours and patterns of what the synthetic world is made of."""

from typing import NamedTuple

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


class Paint(NamedTuple):
    colour: tuple
    second: tuple
    pattern: str
