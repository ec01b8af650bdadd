"""What is read on a page: from maps made by hand, and by the network, on drawn pages whose panels
are known and on the real pages where they are at hand."""

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.panels import matches, measure, overlap
from comics_depth.pages.panels import (
    RIM,
    in_reading_order,
    joined_pieces,
    page_maps,
    panels_of,
    read_page,
)
from comics_depth.paths import Layout
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.photographs import photograph
from models.checkpoints import PAGE_NETWORK, load_network

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "realdata"


@functools.cache
def network():
    return load_network(PAGE_NETWORK, "page")


def a_map(boxes, size=(700, 500)):
    """What a perfect network would say of panels in boxes on a page of (height, width) without
    text."""
    maps = np.zeros((2, *size), np.float32)
    inside = maps[0]
    for x1, y1, x2, y2 in boxes:
        rim = [RIM * (0 < edge < size[k % 2 == 0]) for k, edge in enumerate((x1, y1, x2, y2))]
        inside[y1 + rim[1] : y2 - rim[3], x1 + rim[0] : x2 - rim[2]] = 1
    return maps


WHITE, BLACK, YELLOW = (255, 255, 255), (0, 0, 0), (240, 200, 60)
GRID = [
    (20, 20, 240, 180),
    (260, 20, 480, 180),
    (20, 200, 320, 400),
    (340, 200, 480, 400),
    (20, 420, 480, 680),
]


def art(size, seed=0):
    """A busy picture of (height, width): coarse coloured blotches with fine noise."""
    random = np.random.default_rng(seed)
    blotches = random.integers(40, 200, (size[0] // 25 + 2, size[1] // 25 + 2, 3), dtype=np.uint8)
    blotches = cv2.resize(blotches, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(blotches + random.normal(0, 6, blotches.shape), 0, 255).astype(np.uint8)


def sheet(boxes, gutter=WHITE, size=(700, 500), frame=BLACK):
    """A page of (height, width) with art in boxes, each with a frame line, on gutters of a colour;
    read as a JPEG."""
    page = np.full((*size, 3), gutter, np.uint8)
    for seed, (x1, y1, x2, y2) in enumerate(boxes):
        page[y1:y2, x1:x2] = art((y2 - y1, x2 - x1), seed)
        if frame is not None:
            cv2.rectangle(page, (x1, y1), (x2 - 1, y2 - 1), frame, 2)
    return page


def jpeg(page, quality=75):
    return cv2.imdecode(
        cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )


def balloon(page, centre, axes, line=2, text=True):
    cv2.ellipse(page, centre, axes, 0, 0, 360, WHITE, -1)
    if line:
        cv2.ellipse(page, centre, axes, 0, 0, 360, BLACK, line)
    if text:
        cv2.putText(
            page, "OH NO!", (centre[0] - 35, centre[1] + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, BLACK, 2
        )


def assert_found(page, boxes, least=0.9):
    """Every box is found, in this order, and nothing else."""
    found = read_page(page, network()).boxes
    assert len(found) == len(boxes), found
    for one, other in zip(found, boxes, strict=True):
        shared = overlap(one, other)
        assert shared >= least * (overlap(one, one) + overlap(other, other) - shared), (one, other)


def test_boxes_come_out_of_a_map_in_page_pixels_and_reading_order():
    boxes = panels_of(a_map(GRID), (1000, 1400))
    assert in_reading_order(boxes[::-1]) == [tuple(2 * edge for edge in box) for box in GRID]
    assert all(type(number) is int for box in boxes for number in box)


def test_panels_end_at_the_edge_of_the_page_where_they_are_cut_off_there():
    boxes = [(0, 0, 500, 230), (0, 242, 245, 700), (257, 242, 500, 700)]
    assert in_reading_order(panels_of(a_map(boxes), (500, 700))) == boxes


@pytest.mark.parametrize("width", [6, 10])
def test_panels_that_touch_are_cut_apart(width):
    maps = a_map(GRID)
    maps[0][60 : 60 + 2 * width, 230:270] = 1  # a balloon that hides the gutter
    maps[0][170:210, 350 : 350 + 3 * width] = 1
    found = in_reading_order(panels_of(maps, (500, 700)))
    assert len(found) == len(GRID) and matches(found, GRID, 0.85) == len(GRID)


def test_panels_beside_a_slanted_gutter_have_boxes_that_overlap():
    maps = a_map([(20, 20, 480, 320), (20, 340, 480, 680)])
    cv2.fillPoly(maps[0], [np.array([(286, 15), (308, 15), (228, 325), (206, 325)])], 0)
    found = in_reading_order(panels_of(maps, (500, 700)))
    truth = [(20, 20, 290, 320), (224, 20, 480, 320), (20, 340, 480, 680)]
    assert len(found) == 3 and all(
        overlap(one, other) > 0.9 * overlap(other, other)
        for one, other in zip(found, truth, strict=True)
    )


def test_an_inset_comes_after_the_panel_it_lies_in():
    maps = a_map([(20, 20, 480, 400), (20, 420, 480, 680)])
    maps[0][240:370, 290:450] = 0
    maps[0][252:358, 302:438] = 1
    assert in_reading_order(panels_of(maps, (500, 700)))[1] == (298, 248, 442, 362)


def test_specks_are_no_panels_and_a_page_without_panels_or_of_one_is_whole():
    page = [(0, 0, 500, 700)]
    assert panels_of(a_map([(100, 100, 130, 120)]), (500, 700)) == page
    assert panels_of(np.ones((2, 700, 500), np.float32), (500, 700)) == page
    assert panels_of(a_map([(10, 10, 490, 690)]), (500, 700)) == page
    assert panels_of(a_map([(60, 60, 440, 640)]), (500, 700)) == [(60, 60, 440, 640)]


def test_manga_is_read_from_the_right():
    order = in_reading_order(GRID, right_to_left=True)
    assert order == [GRID[k] for k in (1, 0, 3, 2, 4)]


def test_windows_of_a_strip_join_without_a_seam():
    strip = sheet([(0, top, 300, top + 350) for top in range(20, 3600, 400)], size=(3620, 300))
    maps = page_maps(strip, network())
    assert maps.shape[0] == 2 and maps.min() >= 0 and (maps[0].max(axis=1) > 0.5).mean() > 0.7
    assert_found(strip, [(0, top, 300, top + 350) for top in range(20, 3600, 400)])


@pytest.mark.parametrize("gutter", [WHITE, BLACK, YELLOW, (120, 90, 160)])
def test_a_grid_is_found_on_gutters_of_any_colour(gutter):
    assert_found(jpeg(sheet(GRID, gutter)), GRID)


@pytest.mark.parametrize("gutter", [WHITE, BLACK])
def test_a_grid_without_lines_is_found(gutter):
    assert_found(jpeg(sheet(GRID, gutter, frame=None)), GRID)


@pytest.mark.parametrize("centre", [(250, 100), (250, 410), (130, 100)])
def test_a_balloon_is_text_and_joins_no_panels(centre):
    page = sheet(GRID)
    balloon(page, centre, (70, 30))
    truth = cv2.ellipse(np.zeros(page.shape[:2], np.uint8), centre, (70, 30), 0, 0, 360, 1, -1) > 0
    assert_found(page, GRID, 0.8)
    text = read_page(page, network()).text
    assert (text & truth).sum() > 0.7 * (text | truth).sum()


def test_a_single_picture_is_one_panel():
    kinds = list(KINDS)[:6]
    found = [
        read_page(photograph(kind, np.random.default_rng(0), 480, 640)[0], network()).boxes
        for kind in kinds
    ]
    assert sum(boxes == [(0, 0, 640, 480)] for boxes in found) >= 3


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (40, 30), (700, 500)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_uniform_image_is_one_box(size, value):
    reading = read_page(np.full((*size, 3), value, np.uint8), network())
    assert len(reading.boxes) == 1 and reading.text.shape == reading.inside.shape == size


def test_the_score_counts_each_box_once():
    assert matches([(0, 0, 10, 10), (0, 0, 10, 9)], [(0, 0, 10, 10)]) == 1
    assert matches([(0, 0, 10, 10)], [(0, 0, 10, 7), (0, 0, 10, 6)]) == 1
    assert matches([(0, 0, 10, 6)], [(0, 0, 10, 10)]) == 0


@pytest.mark.skipif(not REAL.exists(), reason="the pack of real pages is not beside the repository")
def test_real_pages():
    pages = measure(Layout(REAL, REAL), "test", network(), REAL / "text_masks").values()
    hits, found, truth = np.sum([page.panels for page in pages], axis=0)
    shared, joined = np.sum([page.text for page in pages], axis=0)
    assert 2 * hits / (found + truth) >= 0.90 and shared / joined >= 0.75


def test_pieces_of_panels_are_joined_and_panels_and_insets_are_not():
    panel, piece = (20, 0, 100, 100), (0, 50, 45, 100)
    assert joined_pieces([panel, piece]) == [(0, 0, 100, 100)]
    inside = (0, 0, 20, 20)
    assert joined_pieces([(0, 0, 100, 100), inside]) == [(0, 0, 100, 100)]
    inset = (5, 5, 55, 55)
    apart = [(0, 0, 100, 100), inset, (0, 110, 100, 200)]
    assert joined_pieces(apart) == apart
    slanted = [(0, 0, 60, 100), (40, 0, 100, 100)]
    assert joined_pieces(slanted) == slanted
