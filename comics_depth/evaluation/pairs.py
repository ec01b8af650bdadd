"""Pairs of points (DA-2K) or segments (AI4VA) that others have annotated, for the same scorer."""

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import msgspec
import numpy as np

from comics_depth.evaluation.metrics import count_outcomes
from comics_depth.images import image_size
from common.errors import UserError
from common.files import read_json


class PairFrame(NamedTuple):
    """An image with pairs of regions, for scoring.count_set. regions: polygons (n, 2) of x, y; one
    corner is a point. pairs: indices (P, 2) of the nearer and the farther region. counted: bool
    (kinds, P)."""

    name: str
    split: None
    size: tuple[int, int] | None
    regions: list[list[np.ndarray]]
    pairs: np.ndarray
    counted: np.ndarray

    def count(self, inverse_depth: np.ndarray) -> np.ndarray:
        """Right, wrong and tied pairs of each kind, int (kinds, 3); the depth of a region is the
        median inside it."""
        regions = enumerate(self.regions)
        depth = np.array([median_inside(inverse_depth, r, f"{self.name} {n}") for n, r in regions])
        near, far = depth[self.pairs].T
        return count_outcomes(self.counted, near, far)


class DA2KPair(msgspec.Struct):
    """A pair of DA-2K: [row, column] of two points, and which of the two is closer."""

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
    """A segment of AI4VA, in COCO's form: polygons as flat lists x, y, x, y ..., else a box."""

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


def read_pairs(path: Path, nearest: str) -> tuple[list[PairFrame], tuple[str, ...], str]:
    """(images with pairs by name, kinds of pairs, what the caption says of them) of DA-2K's
    annotations.json or AI4VA's COCO-like JSON. nearest: smallest or largest, the end of Interdepth
    and Intradepth that is near, which AI4VA does not state. Kinds: those of metrics.KINDS that such
    pairs have, and every scene type. An image's name is its path without a leading `images/` and
    without suffix; its folder is the scene type. Raises UserError."""
    document = read_json(path)
    coco = {"images", "annotations"} <= set(document)
    note = f" Pairs of {path.name}, each image counted once; columns: scene types."
    if coco:
        images = ai4va_images(document, path, nearest)
        note += f" Of Interdepth and Intradepth the {nearest} counts as nearest (--nearest)."
    else:
        images = da2k_images(document, path)
    scenes = {file: Path(file.removeprefix("images/")).parent.as_posix() for file in images}
    shown = [scene for scene in sorted(set(scenes.values())) if scene != "."]
    base = ("inter_objects", "against_height") + (("intra_object",) if coco else ())
    frames = []
    for file, (regions, pairs) in images.items():
        near, far, intra = np.array(pairs, np.int64).reshape(-1, 3).T
        height = np.array([np.median(np.concatenate(region)[:, 1]) for region in regions])
        inter = intra == 0
        kinds = [inter, inter & (height[near] <= height[far])] + [~inter] * coco
        kinds += [inter & (scenes[file] == scene) for scene in shown]
        picture = path.parent / file
        size = image_size(picture) if picture.is_file() else None
        name = Path(file.removeprefix("images/")).with_suffix("").as_posix()
        index = np.stack([near, far], axis=1)
        frames.append(PairFrame(name, None, size, regions, index, np.array(kinds)))
    if not frames:
        raise UserError(f"{path}: expected pairs of DA-2K or AI4VA, found none")
    return sorted(frames, key=lambda frame: frame.name), (*base, *shown), note


Images = dict[str, tuple[list[list[np.ndarray]], list[tuple[int, int, int]]]]


def da2k_images(document: dict[str, Any], path: Path) -> Images:
    """Image file -> its points, and pairs (nearer, farther, 0)."""
    images: Images = {}
    for file, pairs in _converted(document, dict[str, list[DA2KPair]], path).items():
        regions = [[np.array([p[::-1]])] for pair in pairs for p in (pair.point1, pair.point2)]
        closer = [2 * n + (pair.closer_point == "point2") for n, pair in enumerate(pairs)]
        images[file] = (regions, [(near, near ^ 1, 0) for near in closer])
    return images


def ai4va_images(document: dict[str, Any], path: Path, nearest: str) -> Images:
    """Image file -> its segments, and pairs (nearer, farther, 0 or 1): 0 of different Interdepth, 1
    of one category and different Intradepth. Segments without these or without area are left
    out."""
    listed = _converted(document["images"], list[Picture], path)
    files = {image.id: image.file_name for image in listed}
    segments = defaultdict(list)
    for segment in _converted(document["annotations"], list[Segment], path):
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


def _converted(value: Any, kind: Any, path: Path) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: expected pairs of DA-2K or AI4VA ({error})") from error


def median_inside(inverse_depth: np.ndarray, polygons: list[np.ndarray], where: str) -> float:
    """Median of inverse depth (H, W) inside polygons, their borders included. Raises UserError
    naming `where` if they lie outside."""
    inside = np.zeros(inverse_depth.shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(inside, [np.round(polygon).astype(np.int32)], 1)
    values = inverse_depth[inside > 0]
    if not len(values):
        height, width = inverse_depth.shape
        raise UserError(f"{where}: lies outside the depth map of {width}x{height} pixels")
    return float(np.median(values))
