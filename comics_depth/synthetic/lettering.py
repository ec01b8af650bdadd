"""Balloons, captions and sound effects on a comics page, with their exact mask and polygons."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.synthetic.comics import WHITE, DrawnFrame, Style

SAYINGS = (
    "Look out!",
    "Did you hear that?",
    "It is getting late.",
    "Wait for me!",
    "Not again...",
    "Where did it go?",
    "I told you so.",
    "We should turn back.",
    "What a view!",
    "Nobody move.",
    "Is that yours?",
    "Closer, please.",
    "They are far away.",
    "I am right behind you!",
    "Mind the step.",
    "Who painted this?",
    "Hurry up!",
    "Hm.",
    "Everything looks flat here.",
    "Let us ask her.",
    "That bird is huge!",
    "One more page and we are home.",
    "You first.",
    "Oh no!",
    "I left the key inside.",
    "Yes!",
    "No way!",
    "Shh!",
    "Trust me, it is near.",
)
TELLINGS = (
    "Meanwhile...",
    "Later that day",
    "The next morning",
    "Far from there",
    "At the same time",
    "Nobody knew yet.",
    "It began like this.",
    "One hour before",
)
NOISES = ("BOOM", "CRASH", "WHOOSH", "TOK", "SPLASH", "ZZZ", "BANG", "RRRING", "KRAK", "POW")


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size
    )


def _wrap(words: list[str], font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines = words[:1]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        lines[-1:] = [longer] if font.getlength(longer) <= width else [lines[-1], word]
    return lines


def _outline(kind: str, width: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """A balloon's contour round the origin that holds a text of this size, (N, 2)."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    power = {"oval": 2.4, "rounded": 5.0, "square": 40.0, "caption": 80.0}.get(kind, 2.6)
    grow = 2 ** (1 / power)  # the corner of the text lies on the curve
    radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (
        -1 / power
    ) * grow
    if kind == "cloud":
        radius *= 1.06 + 0.09 * np.abs(np.sin(angle * rng.integers(4, 7)))
    elif kind == "shout":
        radius *= 1.1 + 0.28 * (np.mod(np.arange(96), 8) == 0) * rng.uniform(0.6, 1.3, 96)
        angle, radius = angle[::4], radius[::4]
    elif kind == "wobbly":
        radius *= 1.06 + 0.04 * np.sin(angle * 3 + rng.uniform(0, 6)) + 0.02 * np.sin(angle * 7)
    return np.stack(
        [np.cos(angle) * radius * (width / 2 + 5), np.sin(angle) * radius * (height / 2 + 4)], -1
    )


def corners(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


class Lettering:
    """Balloons, captions and sound effects on a page: draws them, keeps the mask and the polygons
    by SVG class."""

    def __init__(self, page: np.ndarray, style: Style, rng: np.random.Generator) -> None:
        self.image, self.style, self.rng = page, style, rng
        self.mask = np.zeros(page.shape[:2], np.uint8)
        self.polygons: dict[str, list[np.ndarray]] = {"Balloon": [], "Line": [], "TextArea": []}

    def _record(self, name: str, polygon: np.ndarray) -> None:
        self.polygons[name].append(polygon)
        cv2.fillPoly(self.mask, [np.round(polygon).astype(np.int32)], 255)

    def _write(
        self, lines: list[str], centre: np.ndarray, font: ImageFont.FreeTypeFont, ink: tuple
    ) -> None:
        canvas, boxes = Image.fromarray(self.image), []
        draw = ImageDraw.Draw(canvas)
        for n, line in enumerate(lines):
            place = (
                float(centre[0]),
                round(float(centre[1] + font.size * 1.2 * (n - (len(lines) - 1) / 2))),
            )
            draw.text(place, line, font=font, fill=ink, anchor="mm")
            boxes.append(
                np.array(draw.textbbox(place, line, font=font, anchor="mm")) + (-1, -1, 1, 1)
            )
            self._record("Line", corners(*boxes[-1]))
        self.image[:] = np.asarray(canvas)
        self._record("TextArea", corners(*np.min(boxes, 0)[:2], *np.max(boxes, 0)[2:]))

    def _draw(self, polygon: np.ndarray, fill: tuple) -> None:
        fixed = np.round(polygon * 16).astype(np.int32)
        cv2.fillPoly(self.image, [fixed], fill, cv2.LINE_AA, 4)
        cv2.polylines(
            self.image,
            [fixed],
            True,
            self.style.ink,
            max(1, round(self.style.width)),
            cv2.LINE_AA,
            4,
        )
        self._record("Balloon", polygon)

    def _hits(self, polygon: np.ndarray) -> bool:
        """Whether other lettering lies there."""
        shape = cv2.fillPoly(np.zeros_like(self.mask), [np.round(polygon).astype(np.int32)], 255)
        return bool((shape & self.mask).any())

    def balloon(
        self, kind: str, text: str, box: tuple, avoid: np.ndarray, mouth: np.ndarray | None
    ) -> None:
        """Places a balloon in the frame `box` where it hides least of `avoid` (page-sized,
        0..1)."""
        rng, style = self.rng, self.style
        x1, y1, x2, y2 = box
        font = _font(style.font, style.letters + (3 if kind == "shout" else 0))
        words = (text if style.font.startswith("cm") else text.upper()).split()
        lines = _wrap(words, font, min(0.5 * (x2 - x1), 60 + 3.2 * len(text)))
        contour = _outline(kind, max(map(font.getlength, lines)), len(lines) * font.size * 1.2, rng)
        half = np.abs(contour).max(0)
        room = np.array((x2 - x1, y2 - y1)) - 2 * half
        if room[0] < 8 or room[1] < 0.4 * (y2 - y1):
            return
        best, place = 0.4, None
        for _ in range(24):
            share = rng.random(2) * (1, 0.7 * rng.random())  # rather high in the frame
            spot = (
                (x1, y1)
                + half
                + 1
                + room * (share if kind != "caption" else (0.02, rng.choice((0.02, 0.94))))
            )
            left, top, right, bottom = np.maximum([*(spot - half), *(spot + half)], 4).astype(int)
            taken = self.mask[top - 4 : bottom + 4, left - 4 : right + 4].any()
            cost = avoid[top:bottom, left:right].mean() + 9 * taken
            if cost < best:
                best, place = cost, spot
        if place is None:
            return
        fill, ink = WHITE, style.ink
        if kind == "caption":
            fill = (WHITE, (255, 240, 170), (190, 220, 240), (30, 28, 34))[int(rng.integers(4))]
            ink = (240, 240, 240) if sum(fill) < 200 else ink
        whole = (
            contour + place
            if mouth is None
            else self._with_tail(contour + place, kind == "cloud", place, mouth)
        )
        self._draw(contour + place if self._hits(whole) else whole, fill)
        self._write(lines, place, font, ink)

    def _with_tail(
        self, contour: np.ndarray, thought: bool, place: np.ndarray, mouth: np.ndarray
    ) -> np.ndarray:
        """The contour with a pointed tail towards the mouth; a thought gets bubbles instead."""
        way, radius = mouth - place, np.linalg.norm(contour - place, axis=1)
        length = float(np.linalg.norm(way))
        turn = int(np.argmax((contour - place) @ way / radius))
        gap = length - radius[turn]
        if thought and gap >= 6:
            for away, size in ((8, 5), (20, 3.5)):
                bubble = (
                    place
                    + way / length * (radius[turn] + away)
                    + size * _outline("round", -8, -6, self.rng)
                )
                if away < gap and not self._hits(bubble):
                    self._draw(bubble, WHITE)
        if thought or gap < 6:
            return contour
        tip = mouth - way / length * max(gap - 45, min(8, gap / 2))
        middle, foot = len(contour) // 2, 3 if len(contour) > 50 else 1
        contour = np.roll(contour, middle - turn, 0)
        return np.concatenate([contour[: middle - foot + 1], tip[None], contour[middle + foot :]])

    def noise(self, text: str, box: tuple) -> None:
        """A sound effect: large letters, turned, with a coloured face and an ink edge."""
        x1, y1, x2, y2 = box
        rng, edge = self.rng, max(2, round(self.style.width * 1.3))
        size = int(rng.uniform(0.14, 0.24) * (x2 - x1))
        sheet = Image.new("L", (size * len(text) + 40, size * 2 + 20))
        middle, font = (sheet.width // 2, sheet.height // 2), _font("DejaVuSans-BoldOblique", size)
        ImageDraw.Draw(sheet).text(middle, text, 255, font, "mm", stroke_width=edge)
        outer = np.asarray(
            sheet.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True)
        )
        rows, columns = np.nonzero(outer > 127)
        outer = outer[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2]
        height, width = outer.shape
        if width > x2 - x1 - 8 or height > (y2 - y1) * 0.5:
            return
        x, y = int(rng.integers(x1 + 3, x2 - width - 2)), int(rng.integers(y1 + 3, y2 - height - 2))
        here = np.s_[y : y + height, x : x + width]
        if self.mask[here].any():
            return
        face, solid = (
            cv2.erode(outer, np.ones((3, 3)), iterations=edge)[..., None] / 255,
            outer[..., None] / 255,
        )
        colour = np.array(
            ((255, 214, 30), (240, 60, 40), (255, 255, 255), (90, 210, 240))[int(rng.integers(4))]
        )
        letters = np.array(self.style.ink) * (1 - face) + colour * face
        self.image[here] = self.image[here] * (1 - solid) + letters * solid
        for contour in cv2.findContours(
            (outer > 100).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )[0]:
            if len(contour) > 2:
                self._record("Line", contour[:, 0] + (x, y))


def letter_frame(
    lettering: Lettering, frame: DrawnFrame, box: tuple, rng: np.random.Generator
) -> list[np.ndarray]:
    """Puts lettering into a frame; returns the boxes of the characters in it as polygons on the
    page."""
    x1, y1, x2, y2 = box
    avoid = np.zeros(lettering.mask.shape, np.float32)
    people = np.isin(
        frame.group, [n for n, name in enumerate(frame.scene.names) if name in ("person", "head")]
    )
    avoid[y1:y2, x1:x2] = 0.25 * people + 0.05
    speakers, characters = [], []
    for group, centre, radius in frame.scene.heads:
        (x, y), depth = frame.camera.project(centre)
        r = radius * frame.camera.scale / max(depth, 0.1)
        inside = depth > 0.3 and r > 3 and 0 <= x < x2 - x1 and 0 <= y < y2 - y1
        if inside and frame.group[int(y), int(x)] == group:
            rows, columns = np.nonzero(frame.group == group)
            characters.append(
                corners(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) + (x1, y1)
            )
            cv2.circle(avoid, (int(x + x1), int(y + y1)), int(r * 1.3) + 2, 1.0, -1)
            speakers.append((r, np.array((x + x1, y + y1 - r * 0.2))))
    if rng.random() < 0.3:
        lettering.balloon("caption", str(rng.choice(TELLINGS)), box, avoid, None)
    speakers.sort(key=lambda item: -item[0])
    for _, mouth in speakers[: int(rng.integers(1, 4))] if rng.random() < 0.85 else []:
        kind = str(rng.choice((lettering.style.balloon,) * 4 + ("cloud", "shout")))
        words = " ".join(rng.choice(SAYINGS, int(rng.integers(1, 3)), replace=False))
        lettering.balloon(kind, words, box, avoid, mouth)
    if rng.random() < 0.18:
        lettering.noise(str(rng.choice(NOISES)), box)
    return characters
