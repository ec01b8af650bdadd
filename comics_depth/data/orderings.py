"""Depth orderings: `object_level intra_level x y` a line, level 1 = nearest."""

from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.files import lines_of, write_text

LARGEST = 10**9  # of the numbers in an ordering: no file holds a larger image


class Point(NamedTuple):
    """Same object level = same object, inside which the intra level orders points. x and y are
    pixels of the frame."""

    object_level: int
    intra_level: int
    x: int
    y: int


def read_ordering(path: Path) -> list[Point]:
    """Points of one frame. Raises UserError naming file and line if one is malformed."""
    points = []
    for number, line in lines_of(path):
        try:
            point = Point(*(int(word) for word in line.split()))
            if max(map(abs, point)) > LARGEST:
                raise ValueError
            points.append(point)
        except (ValueError, TypeError):
            expected = "four integers `object_level intra_level x y`"
            raise UserError(f"{path}:{number}: expected {expected}, found {line!r}") from None
    return points


def write_ordering(path: Path, points: list[Point]) -> None:
    write_text(path, "".join(" ".join(str(value) for value in point) + "\n" for point in points))
