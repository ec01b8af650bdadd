"""Comics pages and photographs of drawn scenes, in the formats of the real datasets."""

import itertools
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import Point, write_ordering
from comics_depth.images import write_image
from comics_depth.parallel import parallel_map
from comics_depth.paths import SPLITS, Layout
from comics_depth.synthetic.comics import WHITE, Frame, Style, comics_frame, draw_style
from comics_depth.synthetic.photographs import photograph
from comics_depth.synthetic.scenes import KINDS
from common.errors import UserError
from common.files import read_json, write_json, write_text

VERSION = 1
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


# Lettering
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


def _corners(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
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
            self._record("Line", _corners(*boxes[-1]))
        self.image[:] = np.asarray(canvas)
        self._record("TextArea", _corners(*np.min(boxes, 0)[:2], *np.max(boxes, 0)[2:]))

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


# Pages
def _cut(start: float, end: float, gutter: float, shares: np.ndarray) -> list[tuple[float, float]]:
    """Parts of a length in these shares, a gutter apart: (from, to) of each."""
    edges = start + np.concatenate([[0], np.cumsum(shares / shares.sum())]) * (end - start + gutter)
    return list(zip(edges[:-1], edges[1:] - gutter, strict=True))


def _layout(rng: np.random.Generator, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Boxes of 2 to 6 frames: rows, some of them with one wide frame, sometimes a tall frame beside
    two short ones."""
    margin, gutter = int(rng.integers(14, 26)), int(rng.integers(6, 14))
    rows = (
        (1, 2),
        (2, 2),
        (2, 1, 2),
        (1, 2, 2),
        (2, 2, 1),
        (1, 1, 2),
        (2, 2, 2),
        (3, 2),
        (1, 3, 1),
    )
    counts, boxes = rows[int(rng.integers(len(rows)))], []
    parts = _cut(margin, height - margin, gutter, rng.uniform(0.8, 1.25, len(counts)))
    for count, (top, bottom) in zip(counts, parts, strict=True):
        for n, (left, right) in enumerate(
            _cut(margin, width - margin, gutter, rng.uniform(0.75, 1.3, count))
        ):
            if (
                n == 1 and count == 2 and len(counts) == 2 and rng.random() < 0.5
            ):  # the second one is split
                middle = (top + bottom) / 2
                boxes += [
                    (left, top, right, middle - gutter / 2),
                    (left, middle + gutter / 2, right, bottom),
                ]
            else:
                boxes.append((left, top, right, bottom))
    return [tuple(round(float(v)) for v in box) for box in boxes]


class Page(NamedTuple):
    """A comics page: RGB, frame boxes (x2, y2 exclusive), inverse depth and ordering of each frame,
    exact text mask, lettering polygons by SVG class, and boxes of characters."""

    image: np.ndarray
    boxes: list[tuple[int, int, int, int]]
    depths: list[np.ndarray]
    orderings: list[list[Point]]
    text_mask: np.ndarray
    polygons: dict[str, list[np.ndarray]]


def comics_page(seed: int, number: int) -> Page:
    """Page `number` of the world `seed`."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 1, number))
    style, height, width = draw_style(rng), int(rng.integers(720, 830)), int(rng.integers(520, 600))
    image = np.full((height, width, 3), style.paper, np.uint8)
    boxes, frames = _layout(rng, height, width), []
    kinds = np.random.default_rng((seed, 2)).permutation(list(KINDS))
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        frames.append(
            comics_frame(str(kinds[(number * 5 + n) % len(kinds)]), rng, y2 - y1, x2 - x1, style)
        )
        image[y1:y2, x1:x2] = frames[-1].image
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), style.ink, style.border)
    lettering, characters, orderings = Lettering(image, style, rng), [], []
    for frame, box in zip(frames, boxes, strict=True):
        characters += _letter_frame(lettering, frame, box, rng)
    for n, (frame, (x1, y1, x2, y2)) in enumerate(zip(frames, boxes, strict=True)):
        own = np.random.default_rng((seed, 3, number, n))
        orderings.append(
            order_points(frame.inverse_depth, frame.group, lettering.mask[y1:y2, x1:x2], own)
        )
    polygons = {
        "Panel": [_corners(*box) for box in boxes],
        **lettering.polygons,
        "Character": characters,
    }
    polygons = {
        name: [np.clip(p, 0, (width - 1, height - 1)) for p in group]
        for name, group in polygons.items()
    }
    return Page(
        image, boxes, [f.inverse_depth for f in frames], orderings, lettering.mask > 0, polygons
    )


def _letter_frame(
    lettering: Lettering, frame: Frame, box: tuple, rng: np.random.Generator
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
                _corners(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) + (x1, y1)
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


def order_points(
    inverse: np.ndarray, group: np.ndarray, text: np.ndarray, rng: np.random.Generator
) -> list[Point]:
    """Up to ten points on clearly visible places, off the text, whose order is certain: the
    nearness ranges of two objects are a factor apart, and so are points inside an object. Level 1
    is the nearest."""
    free = cv2.erode((text == 0).astype(np.uint8), np.ones((9, 9)))
    free[:5], free[-5:], free[:, :5], free[:, -5:] = 0, 0, 0, 0
    seen, area = np.unique(group, return_counts=True)
    order = seen[
        np.argsort(-np.log(area) - 1.5 * rng.gumbel(size=len(seen)))
    ]  # larger ones are likelier to come first
    chosen: dict[int, list[tuple[float, int, int]]] = {}
    for factor, number in itertools.product((1.18, 1.08), order):
        taken = sum(map(len, chosen.values()))
        if taken >= (9 if factor > 1.1 else 6) or number in chosen:
            continue
        rows, columns = np.nonzero(
            cv2.erode(((group == number) & (free > 0)).astype(np.uint8), np.ones((7, 7)))
        )
        for _ in range(12 if len(rows) > 11 else 0):
            count = 1 if rng.random() < 0.45 or number == 0 else int(rng.integers(2, 4))
            take = (len(rows) * rng.random(count) ** 0.36).astype(
                int
            )  # rather low on the object, where it stands
            points = sorted(
                ((inverse[rows[n], columns[n]], int(columns[n]), int(rows[n])) for n in take),
                reverse=True,
            )
            apart = all(a[0] > 1.12 * b[0] for a, b in itertools.pairwise(points))
            for others in chosen.values():
                apart &= (
                    points[-1][0] > factor * others[0][0] or others[-1][0] > factor * points[0][0]
                )
            if apart and taken + count <= 10:
                chosen[number] = points
                break
    objects = enumerate(sorted(chosen.values(), reverse=True), 1)
    return [
        Point(level, n, x, y) for level, points in objects for n, (_, x, y) in enumerate(points, 1)
    ]


# Files
SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 version="1.1" {size}>
  <title>{name}</title>
  <svg class="Page">
    <image x="0" y="0" {size} xlink:href="../Pages/{name}.jpg"/>
  </svg>
{groups}</svg>
"""


def _svg(name: str, page: Page) -> str:
    """eBDtheque's nested SVG of a page."""
    groups = ""
    for group, polygons in page.polygons.items():
        groups += f'  <svg class="{group}">\n'
        for n, polygon in enumerate(polygons, 1):
            points = " ".join(
                f"{x:g},{y:g}" for x, y in np.round([*polygon, polygon[0]]).astype(int)
            )
            groups += f'    <polygon id="{name}_{group.lower()}{n}" points="{points}"/>\n'
        groups += "  </svg>\n"
    return SVG.format(
        name=name, groups=groups, size='width="{1}" height="{0}"'.format(*page.image.shape)
    )


def _write_page(job: tuple[Layout, int, int, str, str]) -> int:
    layout, seed, number, name, split = job
    page = comics_page(seed, number)
    write_image(layout.dcm_images / f"{name}.jpg", page.image, quality=92)
    if number % 2 == 0:
        write_image(layout.ebdtheque_pages / f"{name}.jpg", page.image, quality=92)
        write_text(layout.ebdtheque_svg / f"{name}.svg", _svg(name, page))
    rows = [(8, *box) for box in page.boxes] + [
        (1, *p[0], *p[2]) for p in page.polygons["Character"]
    ]
    write_text(
        layout.dcm_boxes / f"{name}.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows)
    )
    for k, (depth, points) in enumerate(zip(page.depths, page.orderings, strict=True), start=1):
        write_depth(layout.frame_truth / f"{name}_{k}.png", depth)
        if split != "train":
            write_ordering(layout.ordering(f"{name}_{k}"), points)
    return len(page.boxes)


def _write_photograph(job: tuple[Layout, int, int]) -> None:
    """About 256 x 192 pixels, lying or standing."""
    layout, seed, number = job
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 0, number))
    size = (192, int(rng.integers(240, 280)))
    kind = list(KINDS)[number % len(KINDS)]
    image, depth = photograph(kind, rng, *(size if rng.random() < 0.75 else size[::-1]))
    write_image(layout.photographs / f"{number + 1:012d}.jpg", image, quality=93)
    write_depth(layout.photograph_truth / f"{number + 1:012d}.png", depth)


def write_world(
    layout: Layout,
    *,
    pages: int,
    photographs: int,
    seed: int = 0,
    workers: int | None = None,
    restart: bool = False,
) -> None:
    """Writes a world into the dataset folders of `layout`: pages with boxes and lists, every other
    page also for eBDtheque, photographs, exact depths, and orderings of the validation and test
    frames. `world.json` is written last; a finished world is left as it is. Raises UserError if
    another world, or real data, lies there."""
    truth = layout.photograph_truth.parent
    done, begun = truth / "world.json", truth / "unfinished.json"
    wanted = {"version": VERSION, "seed": seed, "pages": pages, "photographs": photographs}
    ours = (
        layout.dcm,
        layout.ebdtheque,
        layout.photographs,
        truth,
        layout.cropped,
        layout.text_frames,
        layout.no_text,
        layout.no_text_checked,
        layout.photograph_depth,
    )
    found = next((read_json(path) for path in (done, begun) if path.exists()), None)
    if found is None:
        real = [path for path in ours[:3] if path.exists() and any(path.iterdir())]
        if real:
            raise UserError(
                f"{real[0]} holds data that is not of the synthetic world; give --data-root another"
                " folder"
            )
    elif restart:
        for path in ours:
            shutil.rmtree(path, ignore_errors=True)
        for split in SPLITS:
            layout.photograph_list(split).unlink(missing_ok=True)
    elif {key: found.get(key) for key in wanted} != wanted:
        raise UserError(
            f"{layout.data_root} holds the world {found}, asked for was {wanted}; "
            "say --restart to replace it, or give --data-root another folder"
        )
    elif done.exists():
        print(
            f"{layout.data_root}: the synthetic world is there already ({pages} pages,"
            f" {photographs} photographs)"
        )
        return
    write_json(begun, wanted)
    held = max(1, round(0.2 * pages)) if pages > 2 else 0
    split_of = ["train"] * (pages - 2 * held) + ["validation"] * held + ["test"] * held
    jobs = [(layout, seed, n, f"world_{n + 1:03d}", split) for n, split in enumerate(split_of)]
    frames = parallel_map(_write_page, jobs, "comics pages", workers)
    for split in SPLITS:
        write_text(
            layout.dcm_pages(split), "".join(f"{name}\n" for *_, name, its in jobs if its == split)
        )
    parallel_map(
        _write_photograph, [(layout, seed, n) for n in range(photographs)], "photographs", workers
    )
    write_json(begun, {**wanted, "frames": sum(frames)})
    os.replace(begun, done)
