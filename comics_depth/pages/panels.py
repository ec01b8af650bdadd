"""The panels (frames) of a comics page, found from its gutters: no network, no training."""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import minimum_filter1d
from skimage.measure import label, regionprops

from comics_depth.data.annotations import Box

WORK_SIDE = 640  # pixels of the shorter side of the copy on which gutters are looked for
NEAR = 26  # largest difference of a channel (0 to 255) from the gutter colour: JPEG noise, grain
STRIP = 2.5  # height over width of a page that is read as a webtoon strip
# Shares of the shorter side of the page, or of a band of a strip
LEAST = 0.09  # side of a panel
THIN = 0.05  # widest gutter
LETTER = 0.05  # largest mark inside a balloon that does not hide its paper
# Shares of the length of a line
ONE_SIDED = 0.9  # paper, less that of the frame on one side
CUT = 0.6  # gutter, less the paper beside it: the rest is the balloon or figure that bridges it
BLANK = 0.01  # what may be drawn of a margin
INK = 0.2  # what is drawn of a row where a panel begins
SLANTS = np.r_[
    np.linspace(-0.5, -0.06, 16), np.linspace(-0.04, 0.04, 17), np.linspace(0.06, 0.5, 16)
]


class Maps(NamedTuple):
    """Boolean (H, W) each. paper: of the gutter colour; gutter and wide: thin
    and other paper, with the letters on it."""

    paper: np.ndarray
    gutter: np.ndarray
    wide: np.ndarray

    def at(self, part: tuple[slice, slice]) -> "Maps":
        return Maps(*(values[part] for values in self))


class Line(NamedTuple):
    """x = at + slant * y, or with x and y exchanged if it is not `steep`."""

    score: float
    slant: float
    at: float
    steep: bool


def find_panels(page: np.ndarray) -> list[Box]:
    """Boxes (x1, y1, x2, y2; pixels, x2 and y2 exclusive) of the panels of a page, RGB uint8 (H, W,
    3), in reading order: rows from the top, left to right; the whole page as one box where no
    gutter is found.

    The recursive X-Y cut of Nagy & Seth (1984), with slanted lines too. Boxes of panels beside a
    slanted gutter overlap, an inset lies inside the box of its panel. Raises ValueError if `page`
    is no such array."""
    if page.ndim != 3 or page.shape[2] != 3 or page.dtype != np.uint8 or not page.size:
        raise ValueError(f"expected RGB uint8 (H, W, 3), found {page.dtype} {page.shape}")
    boxes = [
        (x1, top + y1, x2, top + y2)
        for top, bottom in _bands(page)
        for x1, y1, x2, y2 in _panels_of_band(page[top:bottom])
    ]
    return _in_reading_order(boxes) if boxes else [(0, 0, page.shape[1], page.shape[0])]


def _bands(page: np.ndarray) -> list[tuple[int, int]]:
    """Rows (top, bottom) to be looked at by themselves: all, or of a webtoon strip, which changes
    its gutter colour on the way, what lies between rows of one flat colour."""
    height, width = page.shape[:2]
    if height < STRIP * width:
        return [(0, height)]
    columns = cv2.resize(page, (min(width, 64), height), interpolation=cv2.INTER_AREA)
    busy = np.ptp(columns.reshape(height, -1, 3), axis=1).max(axis=1) > NEAR / 2
    column = busy.astype(np.uint8)[:, None]
    column = cv2.morphologyEx(column, cv2.MORPH_CLOSE, np.ones((max(width // 50, 1), 1), np.uint8))
    edges = np.flatnonzero(np.diff(column[:, 0], prepend=0, append=0)).reshape(-1, 2)
    return [(int(top), int(end)) for top, end in edges if end - top > 2 * THIN * width]


def _panels_of_band(page: np.ndarray) -> list[Box]:
    """Boxes of a page, or of a band of a strip; all of it where no gutter is found."""
    height, width = page.shape[:2]
    scale = min(1, WORK_SIDE / min(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    side = min(size)
    page_block = np.ones(size[::-1], bool)
    best_score = 0.0
    for colour in _gutter_colours(small):
        maps = _maps(small, colour)
        part = _drawn(page_block, maps.paper)
        if page_block[part].size:
            score = _lines(page_block[part], maps.at(part), side)[0].score
            if score > best_score:
                best_score, best_maps = score, maps
    if best_score < CUT:
        return [(0, 0, width, height)]
    rim = _rim(side)
    boxes = []
    for box in _cut(page_block, best_maps, np.zeros(2, int), side):
        start = np.where(box[:2] <= rim, 0, box[:2] / size)
        end = np.where(box[2:] >= np.array(size) - rim, 1, box[2:] / size)
        corners = np.r_[start, end] * [width, height, width, height]
        boxes.append(tuple(np.round(corners).astype(int).tolist()))
    return boxes


def _rim(side: int) -> int:
    """Pixels at the border of a page that count as paper: scanners leave dark edges."""
    return side // 100 + 1


def _gutter_colours(page: np.ndarray) -> list[np.ndarray]:
    """Colours (3,) that the gutters may have: the commonest at the page border, and the three
    commonest flat ones of the whole page, since a full-bleed page has none of it at its border."""
    rim = _rim(min(page.shape[:2]))
    sides = (page[:rim], page[-rim:], page[:, :rim], page[:, -rim:])
    change = cv2.morphologyEx(page, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    flat = page[cv2.inRange(change, (0, 0, 0), (NEAR,) * 3) > 0][::7]
    colours: list[np.ndarray] = []
    for pixels in (np.concatenate([part.reshape(-1, 3) for part in sides]), flat, flat, flat):
        new = np.ones(len(pixels), bool)
        for colour in colours:
            new &= np.abs(pixels - colour).max(axis=1) > NEAR
        if new.any():
            bins, counts = np.unique(pixels[new] >> 4, axis=0, return_counts=True)
            centre = 16.0 * bins[counts.argmax()] + 8
            near = np.abs(pixels - centre).max(axis=1) <= 12
            colours.append(np.median(pixels[near & new], axis=0))
    return colours


def _maps(page: np.ndarray, colour: np.ndarray) -> Maps:
    """What is paper of this colour, which may change slowly over the page as on old prints."""
    side = min(page.shape[:2])
    around = (max(side // 6, 1),) * 2
    near = cv2.inRange(page, np.clip(colour - 1.5 * NEAR, 0, 255), colour + 1.5 * NEAR)
    weight = cv2.blur(near / np.float32(255), around)[..., None] + 0.02
    sums = cv2.blur(cv2.bitwise_and(page, page, mask=near).astype(np.float32), around)
    local = ((sums + 0.02 * colour) / weight).astype(np.uint8)
    paper = cv2.inRange(cv2.absdiff(page, local), (0, 0, 0), (NEAR,) * 3) > 0
    rim = _rim(side)
    inner = np.zeros_like(paper)
    inner[rim:-rim, rim:-rim] = True
    paper |= ~inner
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~paper).astype(np.uint8))
    marks = stats[:, 2:4].max(axis=1) < LETTER * side
    marks[0] = True
    thick = max(int(THIN * side), 1)
    blank = np.pad(marks[labels].astype(np.uint8), thick, constant_values=1)
    wide = cv2.morphologyEx(blank, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))
    inner = np.s_[thick:-thick, thick:-thick]
    return Maps(paper, (blank & ~wide)[inner] > 0, wide[inner] > 0)


def _drawn(block: np.ndarray, paper: np.ndarray, reach: int | None = None) -> tuple[slice, slice]:
    """The rows and columns of a block between its first and last drawn ones; blank margins may be
    as wide as they like, others, of a drawing without a frame, at most `reach` pixels."""
    part = []
    for axis in (1, 0):
        total = block.sum(axis=axis)
        share = (block & ~paper).sum(axis=axis) / np.maximum(total, 1)
        inside = np.flatnonzero(total > 0.1 * total.max())
        drawn = np.flatnonzero((share > INK) & (total > 0.1 * total.max()))
        if not len(drawn):
            return slice(0, 0), slice(0, 0)
        first, last, start, end = drawn[0], drawn[-1], inside[0], inside[-1]
        if reach is not None and first - start > reach and share[start:first].mean() > BLANK:
            first = start
        if reach is not None and end - last > reach and share[last + 1 : end + 1].mean() > BLANK:
            last = end
        part.append(slice(int(first), int(last) + 1))
    return part[0], part[1]


def _cut(
    block: np.ndarray, maps: Maps, corner: np.ndarray, side: int, reach: int | None = None
) -> list[np.ndarray]:
    """Boxes (4,) of the panels in a block, boolean (h, w), at `corner` (x, y) of the page: cut in
    two, again and again, along the line that runs most in a gutter."""
    part = _drawn(block, maps.paper, reach)
    block, maps = block[part], maps.at(part)
    if min(block.shape) < LEAST * side:
        return []
    corner = corner + [part[1].start, part[0].start]
    rows, columns = np.indices(block.shape)
    for line in _lines(block, maps, side):
        if line.score < CUT:
            break
        along, across = (rows, columns) if line.steep else (columns, rows)
        first = across - line.slant * along < line.at
        halves = [
            _cut(block & half, maps, corner, side, int(THIN * side)) for half in (first, ~first)
        ]
        if all(halves):
            return halves[0] + halves[1]
    drawn = ~maps.paper
    edges = (np.s_[:3], np.s_[-3:], np.s_[:, :3], np.s_[:, -3:])
    if drawn.mean() < 0.1 and sum(drawn[edge].mean() > 0.5 for edge in edges) < 3:
        return []
    boxes = [np.array([0, 0, *block.shape[::-1]])]
    for region in regionprops(label(~maps.gutter, connectivity=1)):
        y1, x1, y2, x2 = region.bbox
        inside = min(x1, y1) > 0 and x2 < block.shape[1] and y2 < block.shape[0]
        if inside and min(y2 - y1, x2 - x1) >= LEAST * side and region.extent > 0.9:
            boxes.append(np.array([x1, y1, x2, y2]))  # an inset
    return [box + np.tile(corner, 2) for box in boxes]


def _lines(block: np.ndarray, maps: Maps, side: int) -> list[Line]:
    """The best steep and the best flat line through a block, the better one first."""
    turned = Maps(*(values.T for values in maps))
    lines = [_best_line(block, maps, side, True), _best_line(block.T, turned, side, False)]
    return sorted(lines, reverse=True)


def _best_line(block: np.ndarray, maps: Maps, side: int, steep: bool) -> Line:
    """The line of the highest score: 1 for a whole gutter between two frames, see CUT."""
    step = block.shape[0] // 60 + 1  # every so many rows are enough
    points = [np.nonzero((block & values)[::step]) for values in maps]
    points.append(np.nonzero(block[::step]))
    size = sum(block.shape) + 2

    def line(slant: float) -> Line:
        shift = block.shape[0] / 2
        paper, gutter, wide, length = (
            np.bincount((x - slant * step * y + shift).astype(int), minlength=size).astype(float)
            for y, x in points
        )
        long = np.flatnonzero(length > 0.6 * length.max())
        length = np.maximum(length, 1)
        reach = max(int(THIN * side), 1)
        # A gutter has no paper beside it. A balloon on it is paper too: half of it is forgiven
        # where the gutter is most of the line, and on both sides only gutter is looked for.
        share = _pairs(gutter) / _pairs(length)
        bridged = _pairs(gutter) / _pairs(length - wide / 2)
        plain = share - np.maximum(*_beside(paper / length, reach))
        bridged = np.minimum(bridged - np.maximum(*_beside(gutter / length, reach)), share + 0.05)
        score = np.maximum(plain, bridged) - 0.1 * abs(slant)
        one_sided = paper / length - np.minimum(*_beside(paper / length, reach)) - (ONE_SIDED - CUT)
        margin = int(LEAST * side)
        _clear_ends(score, long, margin)
        _clear_ends(one_sided, long, 2 * margin)
        if abs(slant) <= 0.02:  # a panel without a frame, whose paper goes on into the gutter
            score = np.maximum(score, one_sided)
        score[length < 0.6 * length.max()] = 0
        return Line(float(score.max()), slant, score.argmax() - 0.5 - shift, steep)

    best = max(line(slant) for slant in SLANTS)
    fine = 0.0025 if abs(best.slant) < 0.045 else 0.01
    return max(
        best, *(line(slant) for slant in np.clip([best.slant - fine, best.slant + fine], -0.5, 0.5))
    )


def _clear_ends(score: np.ndarray, inside: np.ndarray, margin: int) -> None:
    """Lines so close to an end of a block that no panel would be left there score nothing."""
    score[: inside[0] + margin] = 0
    score[max(inside[-1] - margin, 0) :] = 0


def _beside(share: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The least share of the lines up to `reach` pixels before each line, and after it."""
    least = minimum_filter1d(share, reach)
    return np.roll(least, reach // 2 + 1), np.roll(least, -(reach // 2) - 1)


def _pairs(counts: np.ndarray) -> np.ndarray:
    """The sum of each line and the next: a gutter is at least two pixels wide."""
    return np.convolve(counts, (1, 1), "same")


def _in_reading_order(boxes: list[Box]) -> list[Box]:
    """Boxes from the top, rows from left to right: the next one is the highest of those that no
    other precedes. A box precedes another if it lies above it, slanted gutters apart, or to the
    left of it in the same row, or holds it."""
    ordered, left = [], sorted(boxes, key=lambda box: (box[1], box[0]))
    while left:
        free = [
            box
            for box in left
            if not any(_precedes(other, box) for other in left if other is not box)
        ]
        ordered.append((free or left)[0])
        left.remove(ordered[-1])
    return ordered


def _precedes(one: Box, other: Box) -> bool:
    if one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2] and one[3] >= other[3]:
        return True
    common = min(one[3], other[3]) - max(one[1], other[1])
    if common > 0.5 * min(one[3] - one[1], other[3] - other[1]):
        return one[0] + one[2] < other[0] + other[2]
    return one[1] + one[3] < other[1] + other[3]
