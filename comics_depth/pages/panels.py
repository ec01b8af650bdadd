"""The panels (frames) of a comics page, found from its gutters: no network, no training."""

from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np

from comics_depth.data.annotations import Box

# pixels of the shorter side of the copy on which gutters are looked for; thinner ones vanish below
# it
WORK_SIDE = 700
# largest difference of a channel (0 to 255) from the gutter colour: JPEG noise, not a pale sky
NEAR = 26
STRIP = 2.5  # height over width of a page that is read as a webtoon strip
# Shares of the shorter side of the page, or of a band of a strip
SPECK, THIN, LONG, LETTER = (
    0.06,
    0.05,
    0.15,
    0.02,
)  # least panel; widest gutter; least gutter shut in; letter spacing
SMALL = 0.03  # share of the page below which only a whole rectangle is a panel
# share of its (turned) bounding rectangle that a panel fills which nothing has bitten into
COMPLETE = 0.93
# share of a cut that must be gutter already: the rest is the balloon or figure that bridges it
CUT = 0.5
SLANTS = np.linspace(
    -0.5, 0.5, 101
)  # pixels across per pixel along; the step moves the end of a panel by 1 %


def find_panels(page: np.ndarray) -> list[Box]:
    """Boxes (x1, y1, x2, y2; pixels, x2 and y2 exclusive) of the panels of a page, RGB uint8 (H, W,
    3), in reading order: rows from the top, left to right; the whole page as one box where no
    gutter is found.

    Boxes of panels beside a slanted gutter overlap, an inset lies inside the box of its panel,
    unframed small drawings, lettering and page numbers are left out. Raises ValueError if `page` is
    no such array."""
    if page.ndim != 3 or page.shape[2] != 3 or page.dtype != np.uint8 or not page.size:
        raise ValueError(f"expected RGB uint8 (H, W, 3), found {page.dtype} {page.shape}")
    boxes = [
        (x1, top + y1, x2, top + y2)
        for top, bottom in _bands(page)
        for x1, y1, x2, y2 in _panels_of_band(page[top:bottom])
    ]
    return _in_reading_order(boxes) if boxes else [(0, 0, page.shape[1], page.shape[0])]


def _bands(page: np.ndarray) -> list[tuple[int, int]]:
    """Rows (top, bottom) of a page to be looked at by themselves: all, or for a webtoon strip what
    lies between rows of one flat colour, since such a strip changes its gutter colour on the way
    and is too long to be looked at at once."""
    height, width = page.shape[:2]
    if height < STRIP * width:
        return [(0, height)]
    columns = cv2.resize(page, (min(width, 64), height), interpolation=cv2.INTER_AREA).reshape(
        height, -1, 3
    )
    spread = columns.max(axis=1).astype(int) - columns.min(axis=1)
    busy = (spread.max(axis=1) > NEAR / 2).astype(np.uint8)[:, None]
    busy = cv2.morphologyEx(
        busy, cv2.MORPH_CLOSE, np.ones((max(int(0.02 * width), 1), 1), np.uint8)
    )
    edges = np.flatnonzero(np.diff(busy[:, 0], prepend=0, append=0)).reshape(-1, 2)
    return [(int(top), int(bottom)) for top, bottom in edges if bottom - top > 2 * SPECK * width]


def _panels_of_band(page: np.ndarray) -> list[Box]:
    """Boxes of a page, or of a band of a strip; all of it where no gutter is found."""
    height, width = page.shape[:2]
    scale = min(1, WORK_SIDE / min(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.medianBlur(cv2.resize(page, size, interpolation=cv2.INTER_AREA), 3)
    for colour in _gutter_colours(small):
        background, speck = _background(small, colour), SPECK * min(size)
        regions = [
            part
            for region in _regions(~background, speck)
            for part in _cut(region, background, speck)
        ]
        boxes = _boxes(_merge(regions, background, speck), background, speck)
        if boxes:
            ratio = np.array([width / size[0], height / size[1]] * 2)
            return [tuple(np.round(box * ratio).astype(int).tolist()) for box in boxes]
    return [(0, 0, width, height)]


def _gutter_colours(page: np.ndarray) -> list[np.ndarray]:
    """Colours (3,) that the gutters may have, the likeliest first: the commonest at the page border
    and the commonest flat one of the whole page (gutters of a full-bleed page)."""
    rim = max(min(page.shape[:2]) // 100, 1)
    border = np.concatenate(
        [part.reshape(-1, 3) for part in (page[:rim], page[-rim:], page[:, :rim], page[:, -rim:])]
    )
    change = cv2.morphologyEx(page, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    flat = page[cv2.inRange(change, (0, 0, 0), (NEAR // 2,) * 3) > 0][::7]
    colours = []
    for pixels in (border, flat):
        if len(pixels):
            commonest = (
                np.bincount((pixels >> 4) @ np.array([256, 16, 1])).argmax() >> np.array([8, 4, 0])
                & 15
            )
            near = np.abs(pixels - (16 * commonest + 8)).max(axis=1) <= 12
            colours.append(np.median(pixels[near], axis=0))
    return colours


def _background(page: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Boolean (H, W): pixels of the gutter colour that are connected to the page border (flood
    fill; connected components as in Rosenfeld & Pfaltz 1966), and thin closed gutters: around
    insets, or shut in by balloons."""
    near = cv2.inRange(page, np.maximum(colour - NEAR, 0), np.minimum(colour + NEAR, 255))
    near = cv2.morphologyEx(
        near, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )  # gaps of a frame line let nothing in
    side = min(near.shape)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=4)
    joined = np.zeros(len(stats), bool)
    joined[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = (
        True  # label 0 is no gutter
    )
    for label in np.flatnonzero(~joined & (stats[:, 2:4].max(axis=1) > LONG * side)):
        x, y, w, h, _ = stats[label]
        island = np.pad((labels[y : y + h, x : x + w] == label).astype(np.uint8), 1)
        joined[label] = 2 * cv2.distanceTransform(island, cv2.DIST_L1, 3).max() <= THIN * side
    joined[0] = False
    return joined[labels]


class Region(NamedTuple):
    """Connected pixels that are no background: `mask`, boolean (h, w), lies at (x, y) of the
    page."""

    mask: np.ndarray
    x: int
    y: int

    def behind(self, background: np.ndarray) -> np.ndarray:
        """The part of a map of the page, (H, W), that lies under the mask."""
        return background[
            self.y : self.y + self.mask.shape[0], self.x : self.x + self.mask.shape[1]
        ]


def _regions(mask: np.ndarray, speck: float, x: int = 0, y: int = 0) -> list[Region]:
    """Connected regions of a boolean mask at (x, y) of the page, after an opening that takes
    balloon tails and letters away; those with a side below `speck` pixels are dropped."""
    width = max(int(speck / 3), 1)
    mask = cv2.morphologyEx(
        mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((width, width), np.uint8)
    )
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    return [
        Region(labels[top : top + h, left : left + w] == label, x + int(left), y + int(top))
        for label, (left, top, w, h, _) in enumerate(stats)
        if label and min(w, h) >= speck
    ]


def _cut(region: Region, background: np.ndarray, speck: float) -> list[Region]:
    """The region cut in two, again and again, along the line that runs most in the background: the
    recursive X-Y cut of Nagy & Seth (1984), with slanted lines too, since balloons and figures join
    panels across gutters of any slant."""
    for side in _gutter_lines(_hull(region.mask)[1], region.behind(background), speck):
        halves = [_regions(region.mask & half, speck, region.x, region.y) for half in (side, ~side)]
        if all(halves):
            return [
                part for half in halves for piece in half for part in _cut(piece, background, speck)
            ]
    return [region]


def _merge(regions: list[Region], background: np.ndarray, speck: float) -> list[Region]:
    """Regions, those joined that fill a rectangle together, though not alone, and have no gutter
    between them: a balloon or sky of the gutter's colour, open to the gutter, has split their
    panel."""
    regions = sorted(regions, key=lambda region: -region.mask.sum())
    fills = [_hull(region.mask)[0] for region in regions]
    for i, j in combinations(range(len(regions)), 2):
        if min(fills[i], fills[j]) > COMPLETE:
            continue
        pair = regions[i], regions[j]
        x, y = min(one.x for one in pair), min(one.y for one in pair)
        bottom, right = (
            max(one.y + one.mask.shape[0] for one in pair),
            max(one.x + one.mask.shape[1] for one in pair),
        )
        both = Region(np.zeros((bottom - y, right - x), bool), x, y)
        for mask, left, top in pair:
            both.mask[top - y : top - y + mask.shape[0], left - x : left - x + mask.shape[1]] |= (
                mask
            )
        fill, hull = _hull(both.mask)
        if (
            hull.mean() > COMPLETE
            and fill > 0.6
            and not _gutter_lines(hull, both.behind(background), speck, CUT / 2)
        ):
            return _merge(
                [both, *(one for k, one in enumerate(regions) if k not in (i, j))],
                background,
                speck,
            )
    return regions


def _hull(mask: np.ndarray) -> tuple[float, np.ndarray]:
    """(share of its turned bounding rectangle that a mask fills, holes apart; its convex hull,
    boolean (h, w))."""
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    corners = cv2.convexHull(np.concatenate(outlines))
    sides = cv2.minAreaRect(corners)[1]
    area = sum(cv2.contourArea(outline) for outline in outlines)
    return (
        area / max(sides[0] * sides[1], 1),
        cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), corners, 1) > 0,
    )


def _gutter_lines(
    hull: np.ndarray, background: np.ndarray, speck: float, least: float = CUT
) -> list[np.ndarray]:
    """The best steep and the best flat line through the hull of those that run in thin background
    for the share `least` of their length, the better one first; each as a boolean map like `hull`,
    true on one side."""
    gutter = (hull & background).astype(np.uint8)
    letters, wide = (
        np.ones((max(int(share / SPECK * speck), 1),) * 2, np.uint8) for share in (LETTER, THIN)
    )
    rim = len(
        wide
    )  # a white balloon or sky that is open to the gutter is no gutter, with letters or without
    filled = cv2.morphologyEx(np.pad(gutter, rim), cv2.MORPH_CLOSE, letters)
    gutter &= 1 - cv2.morphologyEx(filled, cv2.MORPH_OPEN, wide)[rim:-rim, rim:-rim]
    if gutter.sum() < 0.005 * hull.sum():
        return []
    lines = [
        (*_line(part, of, int(speck / 4)), part is gutter)
        for part, of in ((gutter, hull), (gutter.T, hull.T))
    ]
    rows, columns = np.indices(hull.shape, dtype=np.float32)
    return [
        columns - slant * rows > at if steep else rows - slant * columns > at
        for share, slant, at, steep in sorted(lines, key=lambda line: -line[0])
        if share >= least
    ]


def _line(gutter: np.ndarray, hull: np.ndarray, margin: int) -> tuple[float, float, float]:
    """(share, slant, at) of the line x = at + slant * y that has the largest share of gutter pixels
    among its pixels inside the hull; lines that cross little of the hull or run within `margin`
    pixels of its ends do not count."""
    height, width = hull.shape
    step = height // 60 + 1  # every so many rows are enough
    (y, x), (hull_y, hull_x) = (np.nonzero(part[::step]) for part in (gutter, hull))
    best = (0.0, 0.0, 0.0)
    for slant in SLANTS:
        count, length = (
            np.convolve(np.bincount(at.astype(int), minlength=width + height), (1, 1, 1))
            for at in (
                x - slant * step * y + height / 2,
                hull_x - slant * step * hull_y + height / 2,
            )
        )
        first, last = np.flatnonzero(length)[[0, -1]]
        share = count / np.maximum(length, 1)
        share[length < 0.6 * length.max()] = share[: first + margin] = share[
            max(last - margin, 0) :
        ] = 0
        if share.max() > best[0]:
            best = (float(share.max()), slant, share.argmax() - 0.5 - height / 2)
    return best


def _boxes(regions: list[Region], background: np.ndarray, speck: float) -> list[np.ndarray]:
    """Boxes (4,) of the regions that are panels; none if those with a frame cover little of the
    page."""
    framed, loose = [], []
    for region in regions:
        fill, hull = _hull(region.mask)
        if hull.sum() > SMALL * background.size or fill > 0.9:
            (framed if fill > 0.9 or _is_framed(region.mask, hull) else loose).append(_box(region))
    if sum(np.prod(box[2:] - box[:2]) for box in framed) < 0.2 * background.size:
        return []
    cells = [_cell(box, framed + loose, background, speck, False) for box in framed]
    cells += [
        _cell(box, framed, background, speck, True) for box in loose
    ]  # which may be parts of one drawing
    return list({tuple(box): box for box in cells}.values())


def _is_framed(mask: np.ndarray, hull: np.ndarray) -> bool:
    """Whether a region has the sides of a panel, of which balloons may have taken parts: its hull
    is a rectangle or has long straight sides, and the region reaches the rim of its hull, as a
    drawing without a frame does not."""
    rims, _ = cv2.findContours(hull.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim, area = rims[0], hull.sum()
    sides = cv2.minAreaRect(rim)[1]
    corners = cv2.approxPolyDP(rim, 0.005 * cv2.arcLength(rim, True), True)[:, 0]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    straight = edges[edges > 0.35 * area**0.5].sum() / edges.sum()
    reached = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))[
        rim[:, 0, 1], rim[:, 0, 0]
    ].mean()
    return bool(area > 0.9 * sides[0] * sides[1] and reached > 0.4) or bool(
        straight > 0.6 and reached > 0.8
    )


def _box(region: Region) -> np.ndarray:
    """Box (4,) of a region; without what sticks a little out of a straight frame, as balloons and
    figures do."""
    ends = [np.flatnonzero(region.mask.mean(axis=axis) > 0.2)[[0, -1]] + [0, 1] for axis in (0, 1)]
    (x1, x2), (y1, y2) = ends
    if (x2 - x1) * (y2 - y1) < 0.85 * region.mask.size or region.mask[
        y1:y2, x1:x2
    ].mean() < COMPLETE:
        x1, y1, y2, x2 = 0, 0, *region.mask.shape
    return np.array([x1, y1, x2, y2]) + [region.x, region.y, region.x, region.y]


def _cell(
    box: np.ndarray, others: list[np.ndarray], background: np.ndarray, speck: float, loose: bool
) -> np.ndarray:
    """The box grown to its neighbours, or to the edge of the layout, on the sides where something
    is drawn or written between and no gutter runs: the parts of a panel that a white balloon or a
    missing frame has cut off. A drawing without a frame (`loose`) grows to every neighbour."""
    grown, gap = box.copy(), int(THIN / SPECK * speck / 3)
    for axis, sign in ((0, -1), (1, -1), (0, 1), (1, 1)):
        near, far = (
            (axis, axis + 2) if sign < 0 else (axis + 2, axis)
        )  # sides of this box, and of a neighbour
        beside = [
            b for b in others if min(b[3 - axis], box[3 - axis]) > max(b[1 - axis], box[1 - axis])
        ]
        beyond = [
            b for b in beside if sign * (b[axis] + b[axis + 2] - box[axis] - box[axis + 2]) > 0
        ]
        end = min(
            (sign * b[far] - gap for b in beyond), default=max(sign * b[near] for b in others)
        )
        strip = box.copy()
        strip[far], strip[near] = box[near], sign * max(sign * box[near], end)
        blank = background[strip[1] : strip[3], strip[0] : strip[2]]
        drawn = blank.size and blank.mean() < 0.95
        if (loose and beyond) or (
            drawn and not _gutter_lines(np.ones(blank.shape, bool), blank, speck)
        ):
            grown[near] = strip[near]
    return grown


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
