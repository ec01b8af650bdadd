"""Readers of the annotation formats: DCM boxes (one a line) and eBDtheque SVG (polygons by
class)."""

import math
import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
from lxml import etree

from common.errors import UserError
from common.files import lines_of, regular

FRAME_CLASS = 8
SVG_CLASSES = ("Page", "Panel", "Balloon", "Line", "TextArea", "Character", "linkSBSC")
Box = tuple[int, int, int, int]
_SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 version="1.1" {size}>
  <title>{name}</title>
  <svg class="Page">
    <image x="0" y="0" {size} xlink:href="../Pages/{name}.jpg"/>
  </svg>
{groups}</svg>
"""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def clip_box(box: Box, size: tuple[int, int]) -> Box | None:
    """The part of a box (x1, y1, x2, y2; x2 and y2 exclusive) inside a page of (height, width), or
    None."""
    height, width = size
    x1, y1 = max(box[0], 0), max(box[1], 0)
    x2, y2 = min(box[2], width), min(box[3], height)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def read_boxes(path: Path, size: tuple[int, int]) -> tuple[list[tuple[int, Box]], list[str]]:
    """Frames of a DCM page, clipped to its `size` (height, width): ([(k, (x1, y1, x2, y2))],
    reasons of skipped boxes). Lines are `class x1 y1 x2 y2`; class 8 is a frame, and k = 1.. counts
    all of these. Raises UserError naming file and line if one is malformed."""
    boxes = []
    skipped = []
    k = 0
    for number, line in lines_of(path):
        try:
            kind, x1, y1, x2, y2 = (round(float(word)) for word in line.split())
        except (ValueError, OverflowError):
            expected = "five numbers `class x1 y1 x2 y2`"
            raise UserError(f"{path}:{number}: expected {expected}, found {line!r}") from None
        if kind != FRAME_CLASS:
            continue
        k += 1
        if clipped := clip_box((x1, y1, x2, y2), size):
            boxes.append((k, clipped))
        else:
            fault = "empty or inverted" if x1 >= x2 or y1 >= y2 else "outside the page"
            skipped.append(f"{path}:{number}: box {fault}")
    return boxes, skipped


class SvgPage(NamedTuple):
    """An eBDtheque page. size: (height, width) of its coordinates, if given; polygons: class of
    SVG_CLASSES -> float (corners, 2) of x, y."""

    size: tuple[float, float] | None
    image: Path
    polygons: dict[str, list[np.ndarray]]
    skipped: list[str]


def read_svg(path: Path, root: Path) -> SvgPage:
    """The page of an eBDtheque SVG; polygons with fewer than three corners are skipped. The file is
    not trusted: network and entities are off, the image must lie inside `root`. Raises UserError
    naming the file."""
    tree = svg_tree(path)
    image = next(tree.iter("{*}image"), None)
    if image is None:
        raise UserError(f'{path}: expected an <image xlink:href="../Pages/...">, found none')
    polygons = {name: [] for name in SVG_CLASSES}
    skipped = []
    for element in tree.iter("{*}polygon"):
        where = f"{path}:{element.sourceline}"
        corners = _corners(element.get("points", ""), where)
        if len(corners) < 3:
            skipped.append(f"{where}: polygon with fewer than three corners")
            continue
        above = [ancestor.get("class") for ancestor in element.iterancestors()]
        name = next((name for name in above if name in polygons), None)
        if name:
            polygons[name].append(corners)
    sides = [_NUMBER.match(image.get(side, "").strip()) for side in ("height", "width")]
    size = tuple(float(side[0]) for side in sides if side and float(side[0]) > 0)
    return SvgPage(size if len(size) == 2 else None, _inside(path, image, root), polygons, skipped)


def svg_tree(path: Path) -> etree._ElementTree:
    """The parsed file, without network and entities. Raises UserError if it cannot be read."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        tree = etree.parse(regular(path), parser)
    except (OSError, etree.XMLSyntaxError) as error:
        reason = " ".join(str(error).split())  # lxml's has two lines
        raise UserError(f"{path}: not readable as SVG ({reason})") from error
    if tree.docinfo.internalDTD is not None and any(tree.docinfo.internalDTD.iterentities()):
        raise UserError(f"{path}: declares XML entities, which are refused; write them out")
    return tree


def svg_page(name: str, size: tuple[int, int], polygons: dict[str, list[np.ndarray]]) -> str:
    """eBDtheque's nested SVG of a page of (height, width): polygons (corners, 2) by class."""
    groups = ""
    for group, shapes in polygons.items():
        groups += f'  <svg class="{group}">\n'
        for n, polygon in enumerate(shapes, 1):
            closed = np.round([*polygon, polygon[0]]).astype(int)
            points = " ".join(f"{x},{y}" for x, y in closed)
            groups += f'    <polygon id="{name}_{group.lower()}{n}" points="{points}"/>\n'
        groups += "  </svg>\n"
    return _SVG.format(name=name, groups=groups, size=f'width="{size[1]}" height="{size[0]}"')


def _corners(points: str, where: str) -> np.ndarray:
    """Corners (n, 2) of a `points` attribute, a repeated first corner dropped."""
    values = [float(number) for number in _NUMBER.findall(points)]
    other = _NUMBER.sub("", points).strip(", \t\r\n")
    if other or len(values) % 2 or not all(map(math.isfinite, values)):
        raise UserError(f"{where}: expected points `x,y x,y ...`, found {points[:60]!r}")
    corners = np.array(values, dtype=np.float64).reshape(-1, 2)
    return corners[:-1] if len(corners) > 1 and (corners[0] == corners[-1]).all() else corners


def _inside(svg: Path, image: etree._Element, root: Path) -> Path:
    """The path that an <image> refers to."""
    href = image.get("{http://www.w3.org/1999/xlink}href") or image.get("href") or ""
    href = unquote(href).replace("\\", "/")
    path = Path(os.path.abspath(svg.parent / href))  # links of the file system stay as they are
    is_url = re.match(r"[a-zA-Z][\w+.-]*:", href)
    if not href or is_url or not path.is_relative_to(os.path.abspath(root)):
        raise UserError(
            f"{svg}:{image.sourceline}: the page image must lie inside {root}, found {href[:80]!r}"
        )
    return path
