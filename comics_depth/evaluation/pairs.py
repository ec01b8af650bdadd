"""Pairs of points (DA-2K) or segments (AI4VA) that others have annotated, for the same scorer."""

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import msgspec
import numpy as np

from comics_depth.evaluation.metrics import count_outcomes
from comics_depth.images import image_size
from common.errors import UserError
from common.files import read_json


class PairFrame(NamedTuple):
    """An image with pairs of regions, for scoring.count_set. regions: polygons (n, 2) of x, y; a
    point is one corner. pairs: (P, 2), nearer and farther region. counted: bool (kinds, P)."""

    name: str
    split: None
    size: tuple[int, int] | None
    regions: list[list[np.ndarray]]
    pairs: np.ndarray
    counted: np.ndarray

    def count(self, inverse_depth: np.ndarray) -> np.ndarray:
        """Right, wrong and tied pairs, int (kinds, 3), by the median depth inside each region."""
        regions = enumerate(self.regions)
        depth = np.array([median_inside(inverse_depth, r, f"{self.name} {n}") for n, r in regions])
        near, far = depth[self.pairs].T
        return count_outcomes(self.counted, near, far)


class DA2KPair(msgspec.Struct):
    """[row, column] of two points, and which of the two is closer."""

    point1: tuple[int, int]
    point2: tuple[int, int]
    closer_point: Literal["point1", "point2"]


class Depths(msgspec.Struct):
    """Places of a segment in two orders: of all, and of the segments of its category."""

    Interdepth: int | None = None
    Intradepth: int | None = None


class Picture(msgspec.Struct):
    id: int
    file_name: str


class Segment(msgspec.Struct):
    """A segment in COCO's form: polygons as flat lists x, y, x, y ..., else a box."""

    image_id: int
    category_id: int
    attributes: Depths
    segmentation: list[list[float]] = []
    bbox: list[float] = []

    def polygons(self) -> list[np.ndarray]:
        if self.segmentation or len(self.bbox) != 4:
            return [np.reshape(flat, (-1, 2)) for flat in self.segmentation if len(flat) > 5]
        x, y, width, height = self.bbox
        return [np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])]


class AI4VA(msgspec.Struct):
    images: list[Picture]
    annotations: list[Segment]


# image file -> its regions, and pairs (nearer, farther, 0 or 1: inside one object)
Images = dict[str, tuple[list[list[np.ndarray]], list[tuple[int, int, int]]]]


def read_pairs(path: Path, nearest: str) -> tuple[list[PairFrame], tuple[str, ...], str]:
    """(images with pairs by name, kinds of pairs, a note for the caption) of DA-2K's
    annotations.json or AI4VA's COCO-like JSON. nearest: smallest or largest, the near end of
    Interdepth and Intradepth, which AI4VA does not state. An image's name is its path without
    leading `images/` and suffix; its folder is the scene type, a kind of its own. Raises
    UserError."""
    document = read_json(path)
    coco = {"images", "annotations"} <= set(document)
    note = f" Pairs of {path.name}, each image counted once; columns: scene types."
    try:
        if coco:
            images = ai4va_images(msgspec.convert(document, AI4VA), nearest)
            note += f" Of Interdepth and Intradepth the {nearest} counts as nearest (--nearest)."
        else:
            images = da2k_images(msgspec.convert(document, dict[str, list[DA2KPair]]))
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: expected pairs of DA-2K or AI4VA ({error})") from error
    if not images:
        raise UserError(f"{path}: expected pairs of DA-2K or AI4VA, found none")
    paths = {file: Path(file.removeprefix("images/")) for file in images}
    shown = sorted({path.parent.as_posix() for path in paths.values()} - {"."})
    base = ("inter_objects", "against_height") + (("intra_object",) if coco else ())
    frames = []
    for file, (regions, pairs) in images.items():
        near, far, intra = np.array(pairs, np.int64).reshape(-1, 3).T
        height = np.array([np.median(np.concatenate(region)[:, 1]) for region in regions])
        inter = intra == 0
        kinds = [inter, inter & (height[near] <= height[far])] + [~inter] * coco
        kinds += [inter & (paths[file].parent.as_posix() == scene) for scene in shown]
        picture = path.parent / file
        size = image_size(picture) if picture.is_file() else None
        name = paths[file].with_suffix("").as_posix()
        index = np.stack([near, far], axis=1)
        frames.append(PairFrame(name, None, size, regions, index, np.array(kinds)))
    return sorted(frames, key=lambda frame: frame.name), (*base, *shown), note


def da2k_images(document: dict[str, list[DA2KPair]]) -> Images:
    images: Images = {}
    for file, pairs in document.items():
        regions = [[np.array([p[::-1]])] for pair in pairs for p in (pair.point1, pair.point2)]
        closer = [2 * n + (pair.closer_point == "point2") for n, pair in enumerate(pairs)]
        images[file] = (regions, [(near, near ^ 1, 0) for near in closer])
    return images


def ai4va_images(document: AI4VA, nearest: str) -> Images:
    """Pairs of different Interdepth, and of one category and different Intradepth."""
    files = {image.id: image.file_name for image in document.images}
    segments = defaultdict(list)
    for segment in document.annotations:
        if segment.polygons() and segment.image_id in files:
            segments[files[segment.image_id]].append(segment)
    sign = 1 if nearest == "smallest" else -1
    images: Images = {}
    for file, found in segments.items():
        pairs = []
        for (a, one), (b, other) in itertools.permutations(enumerate(found), 2):
            for kind, key in enumerate(("Interdepth", "Intradepth")):
                depths = [getattr(each.attributes, key) for each in (one, other)]
                alike = one.category_id == other.category_id or kind == 0
                if alike and None not in depths and sign * depths[0] < sign * depths[1]:
                    pairs.append((a, b, kind))
        if pairs:
            images[file] = ([segment.polygons() for segment in found], pairs)
    return images


def median_inside(inverse_depth: np.ndarray, polygons: list[np.ndarray], where: str) -> float:
    """Median of inverse depth (H, W) inside polygons, borders included. Raises UserError naming
    `where` if they lie outside."""
    inside = np.zeros(inverse_depth.shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(inside, [np.round(polygon).astype(np.int32)], 1)
    values = inverse_depth[inside > 0]
    if not len(values):
        height, width = inverse_depth.shape
        raise UserError(f"{where}: lies outside the depth map of {width}x{height} pixels")
    return float(np.median(values))
