"""Crops of comics frames that show no text, found in the soft text maps of the frames."""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from comics_depth.images import read_image, write_image
from comics_depth.paths import Layout
from common.files import empty, read_json, write_json

SMALLEST_CROP = 96  # pixels at a crop size of 384; the 2020 code gives up there
TRIES = 20  # random places for each size of a crop
THUMBNAIL = 96  # pixels, on the contact sheet
COLUMNS = 12


def text_free_box(
    soft: np.ndarray, side: float, limit: float, random: np.random.Generator
) -> list[int] | None:
    """[x1, y1, x2, y2], in the frame's own pixels, of a random square crop in whose text map
    nothing exceeds `limit`, or None.

    soft: text map of a frame, uint8 (H, W). side: pixels of a crop, in a frame whose shorter side
    counts as at least that long. Crops shrink by a pixel after TRIES failures."""
    shape = soft.shape
    enlarged = max(1.0, side / min(shape))
    sums = cv2.integral((soft > limit * 255).astype(np.uint8))  # of the text above and to the left
    smallest = max(8, round(side * SMALLEST_CROP / 384))
    for size in range(round(side), smallest - 1, -1):
        crop = max(1, min(int(size / enlarged), *shape))
        room = [[shape[0] - crop + 1], [shape[1] - crop + 1]]
        tops, lefts = random.integers(0, room, (2, TRIES))
        bottoms = tops + crop
        rights = lefts + crop
        inside = sums[bottoms, rights] - sums[tops, rights] - sums[bottoms, lefts]
        free = np.flatnonzero(inside + sums[tops, lefts] == 0)
        if len(free):
            top, left = int(tops[free[0]]), int(lefts[free[0]])
            return [left, top, left + crop, top + crop]
    return None


def write_text_free_crops(
    layout: Layout, names: list[str], side: float, limit: float, seed: int, contact_sheet: Path
) -> int:
    """Cuts a text-free crop of each frame that has room into `layout.no_text`, which is locked, and
    draws a contact sheet; returns how many there are. The same crops again stay, with a person's
    marks."""
    crops = {}
    for index, name in enumerate(tqdm(names, desc="text-free boxes", disable=None)):
        soft = read_image(layout.text_map(name))[..., 0]
        box = text_free_box(soft, side, limit, np.random.default_rng((seed, index)))
        if box:
            x1, y1, x2, y2 = box
            crops[name] = {"box": box, "text": float(soft[y1:y2, x1:x2].max() / 255)}
    if not layout.crop_manifest.exists() or read_json(layout.crop_manifest) != crops:
        empty(layout.no_text)
    thumbnails = []
    for name, crop in tqdm(crops.items(), desc="text-free crops", disable=None):
        x1, y1, x2, y2 = crop["box"]
        pixels = read_image(layout.frame(name))[y1:y2, x1:x2]
        write_image(layout.no_text / f"{name}.jpg", pixels)
        size = (THUMBNAIL, THUMBNAIL)
        thumbnails.append(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    write_json(layout.crop_manifest, crops)
    if thumbnails:
        thumbnails += [np.full_like(thumbnails[0], 255)] * (-len(thumbnails) % COLUMNS)
        starts = range(0, len(thumbnails), COLUMNS)
        rows = [np.hstack(thumbnails[start : start + COLUMNS]) for start in starts]
        write_image(contact_sheet, np.vstack(rows))
    return len(crops)
