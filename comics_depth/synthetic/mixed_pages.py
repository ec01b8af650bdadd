"""Comics pages put together anew from pictures: random layouts, lettering, print and scan faults,
with exact masks of panels and text."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ImageFont

from comics_depth.data.print_style import print_style
from comics_depth.synthetic.layouts import layout, redrawn
from comics_depth.synthetic.varied_lettering import (
    UNKNOWN,
    Page,
    draw_hand,
    letters_of,
    random_text,
)

RIM = 4  # pixels at the border of a panel that are not inside, so that panels never touch


class LabelledPage(NamedTuple):
    """image: RGB uint8 (H, W, 3). panels: uint8 (H, W), the number of the panel from 1, 0 outside.
    text: 1 where text is, else 0. Both are UNKNOWN where nothing is to be learned."""

    image: np.ndarray
    panels: np.ndarray
    text: np.ndarray


def mixed_page(
    rng: np.random.Generator,
    pictures: Sequence[np.ndarray],
    fonts: Sequence[Path],
    height: int,
    width: int,
) -> LabelledPage:
    """A new page of pictures, RGB uint8 each, lettered in fonts (files that Pillow reads)."""
    unit = min(width, height / 1.4) / 640
    paper = _paper(rng)
    image = np.full((height, width, 3), paper, np.float32).astype(np.uint8)
    panels = np.zeros((height, width), np.uint8)
    wobble = unit * rng.choice([0, 0, 0, rng.uniform(0.3, 2.5)])
    round_by = unit * rng.choice([0, 0, 0, 0, rng.uniform(6, 40)])
    outlines = [
        redrawn(polygon, wobble, round_by, rng) for polygon in layout(rng, height, width)[:250]
    ]
    pale = rng.choice([0, 0, 0.15, 0.6])  # share of panels that have paper for a background
    for number, outline in enumerate(outlines, start=1):
        # an inset stands on paper of its own
        if number == len(outlines) and rng.random() < 0.5:
            ring = int(unit * rng.uniform(2, 12))
            _fill(image, outline, paper, ring)
            _fill(panels, outline, 0, ring)
        shape = _fill(np.zeros_like(panels), outline, 1) > 0
        panels[shape] = number
        background = paper if rng.random() < 0.6 else rng.uniform(0, 255, 3)
        art = _art(rng, pictures, outline, panels.shape, background, rng.random() < pale)
        image[shape] = art[shape]
    if rng.random() < 0.08:
        _break_out(image, rng, pictures, unit)
    printed = rng.choice(["art", "page", "no"], p=[0.45, 0.2, 0.35])
    finest = unit * rng.uniform(0.5, 1.2)
    if printed == "art":
        gutter = panels == 0
        image = print_style(image, rng, finest)
        if rng.random() < 0.5 and gutter.mean() > 0.01:
            paper = image[gutter].mean(axis=0)
    interior = _draw_borders(image, panels, outlines, unit, pale > 0, rng)
    hand = draw_hand(rng, fonts, unit)
    if printed == "art" and min(paper) > 120 and rng.random() < 0.7:  # balloons of that paper
        hand = hand._replace(fill=tuple(np.float32(hand.fill) * paper / 255))
    page = Page(image, interior, hand, rng)
    for number, outline in enumerate(outlines, start=1):
        page.letter_panel(number, outline)
    _letter_margins(page, outlines, rng)
    if printed == "page":
        image = print_style(image, rng, finest)
    return LabelledPage(image, panels, page.text)


def lettered(page: LabelledPage, rng: np.random.Generator, fonts: Sequence[Path]) -> LabelledPage:
    """A page without text, lettered anew."""
    hand = draw_hand(rng, fonts, page.image.shape[1] / 640)
    canvas = Page(page.image.copy(), page.panels, hand, rng)
    for number in np.unique(page.panels).tolist():
        if 0 < number < UNKNOWN:
            x, y, width, height = cv2.boundingRect(np.uint8(page.panels == number))
            canvas.letter_panel(number, np.array([(x, y), (x + width, y + height)], float))
    return LabelledPage(canvas.image, page.panels, canvas.text)


def _paper(rng: np.random.Generator) -> np.ndarray:
    """Colour of gutters: mostly white or cream, else black, dark, tinted."""
    kind = rng.choice(["white", "cream", "black", "tinted"], p=[0.5, 0.25, 0.12, 0.13])
    if kind == "white":
        return np.full(3, rng.uniform(235, 255))
    if kind == "black":
        return rng.uniform(0, rng.choice([15, 60]), 3)
    return np.array([255, 244, 215.0]) if kind == "cream" else rng.uniform(60, 255, 3)


def _fill(canvas: np.ndarray, outline: np.ndarray, colour, grown: int = 0) -> np.ndarray:
    points = [np.round(outline).astype(np.int32)]
    colour = np.float64(colour).tolist()
    cv2.fillPoly(canvas, points, colour)
    if grown:
        cv2.polylines(canvas, points, True, colour, 2 * grown)
    return canvas


def _art(
    rng: np.random.Generator,
    pictures: Sequence[np.ndarray],
    outline: np.ndarray,
    size: tuple[int, int],
    background: np.ndarray,
    pale: bool,
) -> np.ndarray:
    """A page (H, W, 3) with part of a picture in the bounding box of a panel; if `pale`, only a
    blot of it before a plain background."""
    page = np.zeros((*size, 3), np.uint8)
    x1, y1 = np.clip(np.floor(outline.min(axis=0)), 0, size[::-1]).astype(int).tolist()
    x2, y2 = np.clip(np.ceil(outline.max(axis=0)) + 1, 0, size[::-1]).astype(int).tolist()
    width, height = x2 - x1, y2 - y1
    if min(width, height) < 2:
        return page
    picture = pictures[rng.integers(len(pictures))]
    scale = max(width / picture.shape[1], height / picture.shape[0]) * rng.uniform(1, 1.8)
    own = np.minimum(np.array([height, width]) / scale, picture.shape[:2]).astype(int)
    y, x = (rng.random(2) * (picture.shape[:2] - own + 1)).astype(int)
    part = picture[y : y + max(own[0], 1), x : x + max(own[1], 1)]
    art = cv2.resize(part, (width, height))
    if rng.random() < 0.5:
        art = art[:, ::-1]
    if pale:
        blot = rng.normal(-0.1, 1, rng.integers(3, 6, 2)).astype(np.float32)
        blot = cv2.resize(blot, (width, height), interpolation=cv2.INTER_CUBIC)
        art = np.where(blot[..., None] > 0, art, np.uint8(background))
    elif rng.random() < 0.03:
        art = np.broadcast_to(np.uint8(background), art.shape)
    page[y1:y2, x1:x2] = art
    return page


def _break_out(
    image: np.ndarray, rng: np.random.Generator, pictures: Sequence[np.ndarray], unit: float
) -> None:
    """A figure across the borders: a blot of a picture anywhere."""
    height, width = image.shape[:2]
    centre, axes = rng.random(2) * (width, height), unit * rng.uniform(20, 90, 2)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = 1 + 0.25 * np.sin(angle * rng.integers(2, 6) + rng.uniform(0, 6))
    outline = centre + axes * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    shape = _fill(np.zeros((height, width), np.uint8), outline, 1) > 0
    image[shape] = _art(rng, pictures, outline, (height, width), np.zeros(3), False)[shape]


def _draw_borders(
    image: np.ndarray,
    panels: np.ndarray,
    outlines: Sequence[np.ndarray],
    unit: float,
    needed: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws the lines round the panels: none (unless `needed`), thin, thick, broken, in ink or
    another colour; returns the panels without them."""
    interior = panels.copy()
    needed |= np.mean(panels == 0) < 0.02
    width = round(rng.choice([0, 1, 2, 3, 4, 7], p=[0.17, 0.2, 0.28, 0.2, 0.1, 0.05]) * unit)
    if needed and len(outlines) > 1:
        width = max(width, 1)
    kind = rng.choice(["ink", "dark", "white", "any"], p=[0.75, 0.1, 0.08, 0.07])
    colour = {"ink": rng.uniform(0, 25, 3), "dark": rng.uniform(0, 90, 3)}.get(kind)
    if colour is None:
        colour = np.full(3, 250.0) if kind == "white" and not needed else rng.uniform(0, 200, 3)
    broken = rng.random() < 0.08
    for outline in outlines if width else []:
        if rng.random() < 0.04 and not needed:
            continue  # this panel has no border
        points = np.round(outline * 16).astype(np.int32)
        pieces = [points]
        if broken:
            starts = np.sort(rng.integers(0, len(points), 6))
            pieces = [piece for piece in np.split(points, starts) if rng.random() < 0.8]
        for piece in filter(len, pieces):
            cv2.polylines(image, [piece], not broken, colour.tolist(), width, cv2.LINE_AA, 4)
            cv2.polylines(interior, [piece], not broken, 0, width, cv2.LINE_8, 4)
    return interior


def _letter_margins(page: Page, outlines: Sequence[np.ndarray], rng: np.random.Generator) -> None:
    """Titles and page numbers beside the panels, of which nothing is to be learned but that they
    are no panels."""
    height, width = page.panels.shape
    edges = np.vstack(outlines)[:, 1]
    for top, bottom in ((0, edges.min()), (edges.max(), height)):
        if bottom - top < 14 * page.unit or rng.random() < 0.4:
            continue
        size = int(min((bottom - top) * 0.7, page.unit * rng.uniform(9, 50)))
        font = ImageFont.truetype(page.hand.font, max(size, 6))
        text = random_text(rng, int(rng.integers(1, 5)), rng.random() < 0.7)
        text = text if rng.random() < 0.6 else str(rng.integers(1, 300))
        letters = letters_of(text, font, width, 1.1, False)
        x, y = rng.uniform(0, max(width - letters.shape[1], 1)), (top + bottom - size) / 2
        dark = page.image[int(min(y, height - 1)), 0].mean() < 110
        page.lay(letters, (x, y), (240, 240, 235) if dark else page.hand.ink)
        page.lay(cv2.dilate(letters, np.ones((15, 31))), (x, y), None, mark=UNKNOWN)


def scanned_page(
    page: LabelledPage, rng: np.random.Generator, size: tuple[int, int]
) -> LabelledPage:
    """The page as a scanner or a web site gives it, at a size (height, width)."""
    height, width = page.panels.shape
    fit = min(size[0] / height, size[1] / width)
    scale = fit * rng.choice([1, rng.uniform(0.8, 1), rng.uniform(1, 1.35)], p=[0.4, 0.3, 0.3])
    angle = 0 if rng.random() < 0.4 else float(np.clip(rng.normal(0, 0.8), -2, 2))
    move = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    own = np.array([width, height]) * scale
    spare = size[::-1] - own
    place = np.where(spare > 0, rng.random(2), rng.choice([0, 0.5, 1], 2)) * spare
    move[:, 2] += place + own / 2 - (width / 2, height / 2)
    around = [(255, 255, 255), (0, 0, 0), rng.uniform(0, 255, 3).tolist()][rng.integers(3)]
    image = cv2.warpAffine(page.image, move, size[::-1], borderValue=around)
    panels, text = (
        cv2.warpAffine(mask, move, size[::-1], flags=cv2.INTER_NEAREST) for mask in page[1:]
    )
    if rng.random() < 0.8:
        image = _faulty(image, rng)
    parts = (image, panels, text)
    if rng.random() < 0.25:
        parts = (np.ascontiguousarray(part[:, ::-1]) for part in parts)
    return LabelledPage(*parts)


def _faulty(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A page (H, W, 3) with some of the faults of scans."""
    height, width = image.shape[:2]
    light = image.astype(np.float32)
    if rng.random() < 0.2:  # what is printed on the other side
        light *= 1 - rng.uniform(0.03, 0.15) * (1 - cv2.blur(light, (5, 5))[:, ::-1] / 255)
    if rng.random() < 0.4:  # old paper, faded inks
        light *= np.float32([1, rng.uniform(0.85, 1), rng.uniform(0.6, 1)])
    if rng.random() < 0.25:
        black = np.float32(rng.uniform(0, 70, 3))
        light = black + light * (1 - black / 255)
    if rng.random() < 0.12:
        light *= np.float32(rng.uniform(0.55, 1, 3))
    if rng.random() < 0.1:
        light[:] = light @ np.float32([[0.299], [0.587], [0.114]])
    if rng.random() < 0.4:
        shade = rng.normal(1, 0.06, rng.integers(2, 5, 2)).astype(np.float32)
        light *= cv2.resize(shade, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    for side in range(4):
        if rng.random() < 0.06:  # the scanner's edge, or the fold
            reach = int(rng.uniform(2, 40))
            dark = np.linspace(rng.uniform(0, 0.6), 1, reach, dtype=np.float32)
            part = np.rot90(light, side)[:reach]
            part *= dark[:, None, None] if rng.random() < 0.6 else dark[0]
    if rng.random() < 0.5:
        light *= rng.uniform(0.75, 1.15)
    if rng.random() < 0.4:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < 0.5:
        noise = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=np.float32)
        light += cv2.resize(noise, (width, height))[..., None] * np.float32(rng.uniform(0, 14))
    faulty = np.clip(light, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))]
    return cv2.imdecode(cv2.imencode(".jpg", faulty, quality)[1], cv2.IMREAD_COLOR)


def inside(panels: np.ndarray) -> np.ndarray:
    """Where a page is inside a panel, boolean (H, W): without the RIM beside others and gutters;
    the edge of the page has none."""
    around = np.ones((2 * RIM + 1,) * 2, np.uint8)
    same = cv2.dilate(panels, around) == cv2.erode(panels, around)
    return same & (panels > 0) & (panels < UNKNOWN)


def maps_of(page: LabelledPage) -> tuple[np.ndarray, np.ndarray]:
    """(masks, weights), float32 (2, H, W): inside a panel, and text; pixels at the borders of
    panels count four times, unknown ones not at all."""
    masks = np.stack([inside(page.panels), page.text == 1]).astype(np.float32)
    weights = np.stack([page.panels < UNKNOWN, page.text < UNKNOWN]).astype(np.float32)
    around = np.ones((4 * RIM + 1,) * 2, np.uint8)
    weights[0] *= np.where(cv2.dilate(page.panels, around) > cv2.erode(page.panels, around), 4, 1)
    return masks, weights
