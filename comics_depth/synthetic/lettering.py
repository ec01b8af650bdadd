"""Balloons, captions and sound effects on a comics page, with their exact mask and polygons."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.data.annotations import Box
from comics_depth.synthetic.comics import WHITE, DrawnFrame, Style

SAYINGS = (
    *("Look out!", "Did you hear that?", "It is getting late.", "Wait for me!", "Not again..."),
    *("Where did it go?", "We should turn back.", "Hm.", "I am right behind you!", "Yes!"),
    *("Everything looks flat here.", "They are far away.", "Trust me, it is near.", "Oh no!"),
)
TELLINGS = ("Meanwhile...", "Later that day", "Far from there", "One hour before")
NOISES = ("BOOM", "CRASH", "WHOOSH", "TOK", "SPLASH", "ZZZ")
Font = ImageFont.FreeTypeFont
FILLS = ((255, 240, 170), (190, 220, 240), (255, 214, 30), (240, 90, 60))


def _font(name: str, size: int) -> Font:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / f"fonts/ttf/{name}.ttf", size)


def wrap(text: str, font: Font, width: float) -> list[str]:
    first, *others = text.split()
    lines = [first]
    for word in others:
        longer = f"{lines[-1]} {word}"
        lines[-1:] = [longer] if font.getlength(longer) <= width else [lines[-1], word]
    return lines


def contour_of(kind: str, width: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """A balloon's contour round the origin that holds a text of this size, (N, 2)."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    power = {"rounded": 5.0, "square": 40.0, "caption": 80.0}.get(kind, 2.4)
    # A superellipse; the corner of the text lies on the curve.
    sum_of_powers = np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power
    radius = (2 / sum_of_powers) ** (1 / power)
    if kind == "cloud":
        radius *= 1.06 + 0.09 * np.abs(np.sin(angle * rng.integers(4, 7)))
    elif kind == "shout":
        radius *= 1.1 + 0.28 * (np.arange(96) % 8 < 2) * rng.uniform(0.6, 1.3, 96)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1) * radius[:, None]
    return circle * (width / 2 + 5, height / 2 + 4)


def corners(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


class Lettering:
    """Lettering on a page: draws it, keeps the mask and the polygons by SVG class."""

    def __init__(self, page: np.ndarray, style: Style, rng: np.random.Generator) -> None:
        self.image = page
        self.style = style
        self.rng = rng
        self.mask = np.zeros(page.shape[:2], np.uint8)
        self.polygons: dict[str, list[np.ndarray]] = {"Balloon": [], "Line": [], "TextArea": []}

    def letter_frame(self, frame: DrawnFrame, box: Box) -> list[np.ndarray]:
        """Puts lettering into a frame; returns the boxes of its characters as polygons on the
        page."""
        rng = self.rng
        x1, y1, _, _ = box
        height, width = frame.group.shape
        people = [n for n, name in enumerate(frame.scene.names) if name in ("person", "head")]
        cost = (0.05 + 0.25 * np.isin(frame.group, people)).astype(np.float32)
        speakers, characters = [], []
        for group, centre, size in frame.scene.heads:
            (x, y), depth = frame.camera.project(centre)
            radius = size * frame.camera.scale / max(depth, 0.1)
            inside = depth > 0.3 and radius > 3 and 0 <= x < width and 0 <= y < height
            if inside and frame.group[int(y), int(x)] == group:
                rows, columns = np.nonzero(frame.group == group)
                own = corners(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                characters.append(own + (x1, y1))
                cv2.circle(cost, (int(x), int(y)), int(radius * 1.3) + 2, 1.0, -1)
                speakers.append((radius, x1 + x, y1 + y - radius * 0.2))
        if rng.random() < 0.3:
            self.balloon("caption", rng.choice(TELLINGS), box, cost, None)
        largest = sorted(speakers, reverse=True)[: rng.integers(1, 4)]
        for _, *mouth in largest if rng.random() < 0.85 else []:
            kind = rng.choice([self.style.balloon] * 4 + ["cloud", "shout"])
            text = " ".join(rng.choice(SAYINGS, rng.integers(1, 3), replace=False))
            self.balloon(kind, text, box, cost, np.array(mouth))
        if rng.random() < 0.18:
            self.noise(rng.choice(NOISES), box)
        return characters

    def balloon(
        self, kind: str, text: str, box: Box, cost: np.ndarray, mouth: np.ndarray | None
    ) -> None:
        """Places a balloon in the frame `box` where it hides the least by `cost` (0..1, size of the
        frame), with a tail to the mouth; without a good place there is none."""
        corner = np.array(box[:2])
        size = np.array(box[2:]) - corner
        font = _font(self.style.font, self.style.letters + 3 * (kind == "shout"))
        lines = wrap(text.upper(), font, min(0.5 * size[0], 60 + 3.2 * len(text)))
        widest = max(map(font.getlength, lines))
        contour = contour_of(kind, widest, len(lines) * font.size * 1.2, self.rng)
        half = np.abs(contour).max(0)
        room = size - 2 * half
        if room[0] < 8 or room[1] < 0.4 * size[1]:
            return
        taken = self.mask[box[1] : box[3], box[0] : box[2]]
        best, place = 0.4, None
        for _ in range(24):
            share = self.rng.random(2) * (1, 0.7 * self.rng.random())  # rather high in the frame
            spot = half + 1 + room * ((0.02, round(share[1])) if kind == "caption" else share)
            left, top, right, bottom = np.maximum([*(spot - half), *(spot + half)], 4).astype(int)
            hides = cost[top:bottom, left:right].mean()
            hides += taken[top - 4 : bottom + 4, left - 4 : right + 4].any()
            if hides < best:
                best, place = hides, corner + spot
        if place is None:
            return
        contour = contour + place
        whole = contour if mouth is None else self._with_tail(contour, place, mouth)
        fills = (WHITE, *FILLS[:2]) if kind == "caption" else (WHITE,)
        self._draw(contour if self._hits(whole) else whole, fills[self.rng.integers(len(fills))])
        self._write(lines, place, font, self.style.ink)

    def noise(self, text: str, box: Box) -> None:
        """A sound effect: large coloured letters with an ink edge, where no other lettering is."""
        x1, y1, x2, y2 = box
        font = _font("DejaVuSans-BoldOblique", int(self.rng.uniform(0.14, 0.24) * (x2 - x1)))
        half = np.array((font.getlength(text) / 2 + 8, font.size * 0.7))
        low, high = half + (x1, y1), (x2, y2) - half
        if (low < high).all():
            place = self.rng.uniform(low, high)
            if not self._hits(corners(*(place - half), *(place + half))):
                fill = FILLS[self.rng.integers(len(FILLS))]
                self._write([text], place, font, fill, edge=max(2, round(self.style.width * 1.3)))

    def _with_tail(self, contour: np.ndarray, place: np.ndarray, mouth: np.ndarray) -> np.ndarray:
        """The contour with a pointed tail towards the mouth."""
        reach = np.linalg.norm(contour - place, axis=1)
        distance = np.linalg.norm(mouth - place)
        way = (mouth - place) / distance
        root = int(np.argmax((contour - place) @ way / reach))
        gap = distance - reach[root]
        if gap < 6:
            return contour
        tip = mouth - way * max(gap - 45, min(8, gap / 2))
        return np.vstack([tip, np.roll(contour, -root - 3, 0)[:-5]])

    def _record(self, name: str, polygon: np.ndarray) -> None:
        self.polygons[name].append(polygon)
        cv2.fillPoly(self.mask, [np.round(polygon).astype(np.int32)], 255)

    def _hits(self, polygon: np.ndarray) -> bool:
        """Whether other lettering lies there."""
        shape = cv2.fillPoly(np.zeros_like(self.mask), [np.round(polygon).astype(np.int32)], 255)
        return bool((shape & self.mask).any())

    def _draw(self, polygon: np.ndarray, fill: tuple) -> None:
        sixteenths = [np.round(polygon * 16).astype(np.int32)]
        pen = max(1, round(self.style.width))
        cv2.fillPoly(self.image, sixteenths, fill, cv2.LINE_AA, 4)
        cv2.polylines(self.image, sixteenths, True, self.style.ink, pen, cv2.LINE_AA, 4)
        self._record("Balloon", polygon)

    def _write(
        self, lines: list[str], centre: np.ndarray, font: Font, fill: tuple, edge: int = 0
    ) -> None:
        """Lines of text round a centre; `edge`: width of an outline in ink."""
        canvas = Image.fromarray(self.image)
        draw = ImageDraw.Draw(canvas)
        boxes = []
        for n, line in enumerate(lines):
            below = font.size * 1.2 * (n - (len(lines) - 1) / 2)
            place = (float(centre[0]), round(float(centre[1] + below)))
            draw.text(place, line, fill, font, "mm", stroke_width=edge, stroke_fill=self.style.ink)
            boxes.append(draw.textbbox(place, line, font, "mm", stroke_width=edge + 1))
            self._record("Line", corners(*boxes[-1]))
        self.image[:] = np.asarray(canvas)
        self._record("TextArea", corners(*np.min(boxes, 0)[:2], *np.max(boxes, 0)[2:]))
