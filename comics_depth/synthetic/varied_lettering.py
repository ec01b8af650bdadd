"""Lettering of many hands: words in given fonts, balloons, captions, sound effects, with masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.synthetic.lettering import Font, contour_of, corners, wrap

LETTERS = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
LETTER_SHARES = 1 / np.arange(3, 3 + len(LETTERS)) ** 1.2
LETTER_SHARES /= LETTER_SHARES.sum()
UNKNOWN = 255  # in a mask: nothing is to be learned there


class Hand(NamedTuple):
    """How a page is lettered. size: of the letters; pen: of outlines, pixels."""

    font: Path
    size: float
    capitals: bool
    shape: str
    fill: tuple
    ink: tuple
    pen: int
    spacing: float
    clipped: float  # share of balloons that end at the border of their panel


def draw_hand(rng: np.random.Generator, fonts: Sequence[Path], unit: float) -> Hand:
    light = rng.choice(["white", "cream", "tinted"], p=[0.75, 0.13, 0.12])
    fill = {"white": (255, 255, 255), "cream": (255, 246, 214)}.get(light)
    return Hand(
        font=fonts[rng.integers(len(fonts))],
        size=unit * rng.uniform(9, 18),
        capitals=rng.random() < 0.8,
        shape=rng.choice(["oval", "oval", "rounded", "square", "cloud"]),
        fill=fill or tuple(rng.uniform(130, 255, 3)),
        ink=tuple(rng.uniform(0, rng.choice([25, 90]), 3)),
        pen=int(rng.choice([0, 1, 1, 2, 2, 3])),
        spacing=rng.uniform(1.0, 1.4),
        clipped=rng.choice([0.0, 0.3, 0.9]),
    )


def random_text(rng: np.random.Generator, words: int, capitals: bool) -> str:
    """Words of no language, of letters as common as in English."""
    text = []
    for _ in range(words):
        word = "".join(rng.choice(LETTERS, rng.integers(1, 9), p=LETTER_SHARES))
        end = rng.choice(["", "", "", "", ",", "!", "?", "...", "--", "'s"])
        text.append((word.capitalize() if rng.random() < 0.2 else word) + end)
    joined = " ".join(text)
    return joined.upper() if capitals else joined[0].upper() + joined[1:]


def letters_of(text: str, font: Font, width: float, spacing: float, left: bool) -> np.ndarray:
    """The text in lines of at most `width` pixels, as coverage, uint8 (h, w)."""
    lines = wrap(text, font, width)
    pitch = font.size * spacing
    size = (int(max(map(font.getlength, lines))) + 4, int(pitch * len(lines)) + 4)
    patch = Image.new("L", size)
    draw = ImageDraw.Draw(patch)
    for n, line in enumerate(lines):
        place = (2 if left else size[0] / 2, pitch * (n + 0.5) + 2)
        draw.text(place, line, 255, font, "lm" if left else "mm")
    return np.asarray(patch)


def tail_of(
    kind: str, centre: np.ndarray, half: np.ndarray, unit: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Polygons of a tail that points away from a balloon: a bent wedge, or bubbles."""
    angle = rng.normal(np.pi / 2, 0.6) if rng.random() < 0.85 else rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    root, tip = centre + way * half * 0.75, centre + way * (half + unit * rng.uniform(8, 60))
    side = np.array([-way[1], way[0]]) * unit * rng.uniform(3, 11)
    bend = (root + tip) / 2 + side * rng.uniform(-1.5, 1.5)
    if kind == "cloud":
        circle = contour_of("oval", 0, 0, rng) / 7
        spots = [(bend, rng.uniform(4, 9)), (tip, rng.uniform(2, 6))]
        return [spot + circle * unit * radius for spot, radius in spots]
    t = np.linspace(0, 1, 9)[:, None]
    edges = [
        (1 - t) ** 2 * (root + s * side) + 2 * t * (1 - t) * bend + t**2 * tip for s in (1, -1)
    ]
    return [np.vstack([edges[0], edges[1][::-1]])]


class Page:
    """A page that is being lettered: image RGB uint8 (H, W, 3), panels uint8 (H, W): number of the
    panel, 0 outside; text uint8 (H, W): 1 where text is, or UNKNOWN."""

    def __init__(self, image: np.ndarray, panels: np.ndarray, hand: Hand, rng) -> None:
        self.image, self.panels, self.hand, self.rng = image, panels, hand, rng
        self.text = np.zeros(panels.shape, np.uint8)
        self.unit = min(image.shape[1], image.shape[0] / 1.4) / 640

    def lay(
        self,
        coverage: np.ndarray,
        corner: np.ndarray,
        colour: tuple | None,
        panel: int | None = None,
        mark: int = 0,
    ) -> None:
        """Lays a colour (None: nothing) on the page, by a coverage (h, w) of 0 to 255 with its
        upper left corner (x, y) there, inside the panel, and marks it in the text mask."""
        x, y = np.round(corner).astype(int).tolist()
        height, width = self.panels.shape
        x1, y1 = max(x, 0), max(y, 0)
        x2, y2 = min(x + coverage.shape[1], width), min(y + coverage.shape[0], height)
        if x1 >= x2 or y1 >= y2:
            return
        place = np.s_[y1:y2, x1:x2]
        part = coverage[y1 - y : y2 - y, x1 - x : x2 - x]
        if panel is not None:
            part = np.where(self.panels[place] == panel, part, 0)
        if colour is not None:
            share = part[..., None] / np.float32(255)
            mixed = self.image[place] * (1 - share) + np.float32(colour) * share
            self.image[place] = mixed.astype(np.uint8)
        if mark:
            self.text[place][part > 127] = mark

    def letter_panel(self, number: int, polygon: np.ndarray) -> None:
        """Balloons, captions, free lettering and sound effects in a panel."""
        rng = self.rng
        height, width = self.panels.shape
        low = np.clip(polygon.min(axis=0), 0, (width, height))
        size = np.clip(polygon.max(axis=0), 0, (width, height)) - low
        if size.min() < 40 * self.unit:
            return
        room = size.prod() / (150 * self.unit) ** 2
        if rng.random() < 0.25:
            self.caption(number, low, size)
        for _ in range(min(rng.poisson(0.4 + 0.35 * room), 6)):
            self.balloon(number, low, size)
        if rng.random() < 0.25:
            self.noise(low, size)

    def words(self, width: float, most: int) -> np.ndarray:
        rng, hand = self.rng, self.hand
        size = hand.size * (1 if rng.random() < 0.85 else rng.uniform(0.8, 1.5))
        font = ImageFont.truetype(hand.font, max(6, round(size)))
        text = random_text(rng, 1 + int(most * rng.random() ** 1.7), hand.capitals)
        return letters_of(text, font, width, hand.spacing, rng.random() < 0.12)

    def place_for(self, shape: tuple, low: np.ndarray, size: np.ndarray) -> np.ndarray | None:
        """Upper left corner of a free place for a patch (h, w), rather high in a box."""
        room = size - shape[::-1] - 4
        if room.min() < 0:
            return None
        for _ in range(8):
            share = self.rng.random(2) ** (1, self.rng.choice([1, 2.5]))
            corner = low + 2 + room * share
            x, y = corner.astype(int)
            if not self.text[y : y + shape[0], x : x + shape[1]].any():
                return corner
        return None

    def balloon(self, number: int, low: np.ndarray, size: np.ndarray) -> None:
        rng, hand, unit = self.rng, self.hand, self.unit
        letters = self.words(min(size[0] * rng.uniform(0.3, 0.9), unit * rng.uniform(60, 260)), 24)
        corner = self.place_for(letters.shape, low, size)
        if corner is None:
            return
        kinds = [hand.shape, "oval", "rounded", "square", "cloud", "shout", "free"]
        kind = rng.choice(kinds, p=[0.64, 0.05, 0.05, 0.04, 0.06, 0.08, 0.08])
        crossing = rng.random() < 0.12
        if crossing:  # over the border of the panel
            corner = corner + rng.normal(0, 25 * unit, 2)
        own = np.array(letters.shape[::-1])
        centre = corner + own / 2
        fill, ink = self.colours()
        if kind == "free":
            self.free(letters, corner)
            return
        tight = rng.uniform(0.75, 1.1) if kind in ("oval", "cloud") else 1
        outline = contour_of(kind, *(own * tight), rng) * rng.uniform(1, 1.15, 2)
        shapes = [outline + centre]
        for _ in range(rng.choice([0, 1, 2], p=[0.15, 0.8, 0.05])):
            shapes += tail_of(kind, centre, np.abs(outline).max(0), unit, rng)
        clipped = number if rng.random() < hand.clipped and not crossing else None
        self.surface(shapes, fill, ink, hand.pen if fill else max(hand.pen, 1), clipped)
        self.lay(letters, corner, ink)

    def colours(self) -> tuple[tuple | None, tuple]:
        """Fill and ink of a balloon; now and then none, or white on black."""
        luck = self.rng.random()
        if luck < 0.04:
            return None, self.hand.ink
        if luck < 0.08:
            return tuple(self.rng.uniform(0, 70, 3)), (245, 245, 240)
        if luck < 0.15:
            return tuple(self.rng.uniform(110, 255, 3)), self.hand.ink
        return self.hand.fill, self.hand.ink

    def surface(
        self, shapes: list[np.ndarray], fill: tuple | None, ink: tuple, pen: int, panel: int | None
    ) -> None:
        """Draws the union of polygons with an outline, and marks it as text."""
        points = np.vstack(shapes)
        corner = np.floor(points.min(axis=0)) - pen - 2
        width, height = (np.ceil(points.max(axis=0)) + pen + 3 - corner).astype(int)
        inner = np.zeros((height, width), np.uint8)
        for shape in shapes:
            sixteenths = np.round((shape - corner) * 16).astype(np.int32)
            cv2.fillPoly(inner, [sixteenths], 255, cv2.LINE_AA, 4)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pen + 1,) * 2)
        outer = cv2.dilate(inner, kernel)
        edge = outer if fill else cv2.subtract(outer, inner)
        self.lay(edge, corner, ink if pen else fill, panel)
        if fill:
            self.lay(inner, corner, fill, panel)
        self.lay(outer, corner, None, panel, mark=1)

    def free(self, letters: np.ndarray, corner: np.ndarray) -> None:
        """Lettering without a balloon: its lines count as text."""
        colour = self.hand.ink
        if self.rng.random() < 0.4:
            colour = self.rng.choice([(250, 250, 250), (200, 30, 20), (250, 220, 60)])
        self.lay(letters, corner, colour)
        reach = int(self.hand.size * 0.8) | 1
        around = np.ones((reach, 2 * reach), np.uint8)
        block = cv2.morphologyEx(np.pad(letters, reach), cv2.MORPH_CLOSE, around)
        self.lay(cv2.dilate(block, np.ones((3, 3))), corner - reach, None, mark=1)

    def caption(self, number: int, low: np.ndarray, size: np.ndarray) -> None:
        """A rectangle of narration, at a corner of the panel, across it, or anywhere."""
        rng, unit = self.rng, self.unit
        wide = rng.random() < 0.35
        width = size[0] - 8 * unit if wide else min(size[0] * rng.uniform(0.3, 0.8), 300 * unit)
        letters = self.words(width, 30)
        own, pad = np.array(letters.shape[::-1]), rng.uniform(1, 8, 2) * unit
        if (own + 2 * pad > size).any():
            return
        share = (rng.choice([0, 0, 0.5, 1]), rng.choice([0, 0, 1]))
        corner = low + pad + share * (size - own - 2 * pad)
        corner = corner + rng.choice([0, rng.uniform(-6, 6) * unit], 2)
        if rng.random() < 0.15:
            self.free(letters, corner)
            return
        fill, ink = self.colours()
        if rng.random() < 0.45:
            fill = tuple(rng.choice([(255, 240, 170), (190, 220, 240), (255, 225, 120)]))
        box = np.array([corner - pad, corner + own + pad])
        if wide:
            box[:, 0] = low[0], low[0] + size[0]
        panel = number if rng.random() < 0.6 else None
        self.surface([corners(*box.ravel())], fill, ink, max(self.hand.pen, not fill), panel)
        self.lay(letters, corner, ink)

    def noise(self, low: np.ndarray, size: np.ndarray) -> None:
        """A sound effect or title: large turned letters with an edge."""
        rng = self.rng
        font = ImageFont.truetype(self.hand.font, int(rng.uniform(0.08, 0.3) * size.min()) + 12)
        text = random_text(rng, int(rng.choice([1, 1, 2])), True)[:9]
        letters = np.pad(letters_of(text, font, 1e6, 1.2, False), int(font.size))
        height, width = letters.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 15), 1)
        turn[0, 1] += rng.normal(0, 0.15)
        letters = cv2.warpAffine(letters, turn, (width, height))
        edge = int(rng.choice([0, 1, 2, 4]) * self.unit + 0.5)
        outer = cv2.dilate(letters, np.ones((2 * edge + 1,) * 2, np.uint8))
        corner = low + size * rng.uniform(0.1, 0.9, 2) - (width / 2, height / 2)
        fill, rim = rng.uniform(0, 255, (2, 3)) if rng.random() < 0.6 else ((250,) * 3, (10,) * 3)
        self.lay(outer, corner, rim if edge else None, mark=1)
        self.lay(letters, corner, fill)
