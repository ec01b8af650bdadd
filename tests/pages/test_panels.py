"""The panel finder, on drawn pages whose panels are known and on the real pages where they are at
hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.panels import matches, measure, overlap
from comics_depth.pages.panels import find_panels
from comics_depth.paths import Layout

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "realdata"

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
    found = find_panels(page)
    assert len(found) == len(boxes), found
    for one, other in zip(found, boxes, strict=True):
        shared = overlap(one, other)
        assert shared >= least * (overlap(one, one) + overlap(other, other) - shared), (one, other)


@pytest.mark.parametrize("gutter", [WHITE, BLACK, YELLOW, (120, 90, 160)])
@pytest.mark.parametrize("frame", [BLACK, None])
def test_a_grid_is_found_on_gutters_of_any_colour_in_reading_order(gutter, frame):
    assert_found(jpeg(sheet(GRID, gutter, frame=frame)), GRID)


def test_boxes_are_whole_numbers_inside_the_page():
    for x1, y1, x2, y2 in (found := find_panels(sheet(GRID))):
        assert all(type(number) is int for number in (x1, y1, x2, y2))
        assert 0 <= x1 < x2 <= 500 and 0 <= y1 < y2 <= 700
    assert found == find_panels(sheet(GRID))


def test_art_that_bleeds_off_the_page_still_has_panels():
    boxes = [(0, 0, 500, 230), (0, 242, 245, 700), (257, 242, 500, 700)]
    assert_found(sheet(boxes, frame=None), boxes)


def slanted(gutter=WHITE):
    """Two panels side by side, the gutter between them slanted by 80 pixels over 300, above a
    third."""
    page = sheet([(20, 20, 480, 320), (20, 340, 480, 680)], gutter)
    cv2.fillPoly(page, [np.array([(290, 15), (304, 15), (224, 325), (210, 325)])], gutter)
    return page, [(20, 20, 290, 320), (224, 20, 480, 320), (20, 340, 480, 680)]


@pytest.mark.parametrize("gutter", [WHITE, BLACK])
def test_panels_beside_a_slanted_gutter_overlap(gutter):
    assert_found(*slanted(gutter))


@pytest.mark.parametrize("line", [0, 3])
def test_a_balloon_across_a_slanted_gutter_does_not_join_its_panels(line):
    page, boxes = slanted()
    balloon(page, (255, 120), (70, 40), line)
    assert_found(page, boxes)


def test_slanted_rows_are_read_from_the_left():
    page = sheet([(20, 20, 480, 680)])
    for x in (170, 330):
        cv2.line(page, (x, 10), (x, 690), WHITE, 12)
    cv2.line(page, (0, 300), (500, 400), WHITE, 12)
    found = find_panels(page)
    assert len(found) == 6
    middles = [((x1 + x2) // 2, (y1 + y2) // 2) for x1, y1, x2, y2 in found]
    assert [x // 170 for x, _ in middles] == [0, 1, 2, 0, 1, 2]
    assert max(y for _, y in middles[:3]) < min(y for _, y in middles[3:])


@pytest.mark.parametrize("centre", [(250, 100), (250, 30), (250, 172), (330, 300), (250, 410)])
@pytest.mark.parametrize("line", [0, 3])
def test_a_balloon_that_crosses_a_gutter_does_not_join_its_panels(centre, line):
    page = sheet(GRID)
    balloon(page, centre, (70, 30), line)  # less than half of the shortest gutter
    assert_found(page, GRID, 0.8)


def test_a_figure_across_a_gutter_does_not_join_its_panels():
    page = sheet(GRID)
    page[80:130, 200:300] = (200, 60, 40)
    page[360:450, 380:440] = (40, 60, 200)
    assert_found(page, GRID, 0.8)


def test_both_ends_of_a_gutter_may_be_shut():
    page = sheet(GRID)
    page[192:212, 310:350] = page[388:408, 310:350] = (200, 60, 40)
    assert_found(page, GRID, 0.75)


def test_an_inset_is_found_after_the_panel_it_lies_in():
    page = sheet([(20, 20, 480, 400), (20, 420, 480, 680)])
    page[240:370, 290:450] = WHITE
    page[252:358, 302:438] = art((106, 136), 5)
    assert_found(page, [(20, 20, 480, 400), (302, 252, 438, 358), (20, 420, 480, 680)])


def test_page_numbers_specks_and_lettering_in_the_gutter_are_dropped():
    page = sheet(GRID)
    cv2.putText(page, "17", (240, 695), cv2.FONT_HERSHEY_SIMPLEX, 0.5, BLACK, 1)
    page[5:9, 100:104] = page[690:693, 30:36] = 0
    assert_found(page, GRID)


def test_a_panel_without_a_frame_takes_its_cell():
    page = sheet(GRID)
    page[15:185, 255:485] = WHITE
    cv2.circle(page, (350, 110), 60, (180, 60, 60), -1)
    cv2.ellipse(page, (440, 60), (18, 30), 0, 0, 360, (60, 120, 60), -1)
    cv2.ellipse(page, (370, 60), (80, 12), 30, 0, 360, (60, 120, 160), -1)
    assert_found(page, GRID, 0.6)


def test_a_drawing_without_a_frame_is_the_whole_page():
    page = np.full((700, 500, 3), 255, np.uint8)
    cv2.circle(page, (230, 300), 150, (180, 60, 60), -1)
    cv2.fillPoly(
        page,
        [np.array([(240, 200), (450, 120), (300, 420), (400, 640), (100, 560)])],
        (60, 120, 60),
    )
    assert find_panels(page) == [(0, 0, 500, 700)]


def test_a_full_bleed_picture_is_the_whole_page():
    assert find_panels(art((700, 500))) == [(0, 0, 500, 700)]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (40, 30), (700, 500)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_uniform_image_is_one_box(size, value):
    assert find_panels(np.full((*size, 3), value, np.uint8)) == [(0, 0, size[1], size[0])]


def test_a_tall_strip_is_read_band_by_band():
    tops = range(60, 19_000, 1100)
    boxes = [(0, top, 690, top + 800) for top in tops]
    page = sheet(boxes, size=(20_000, 690), frame=None)
    page[10_000:][(page[10_000:] == 255).all(axis=2)] = 0  # the gutters of a night scene
    assert_found(page, boxes)


def test_a_black_and_white_page():
    page = np.full((700, 500, 3), 255, np.uint8)
    for x1, y1, x2, y2 in GRID:
        cv2.rectangle(page, (x1, y1), (x2 - 1, y2 - 1), BLACK, 3)
        centre = ((x1 + x2) // 2, (y1 + y2) // 2)
        for radius in (20, 35, 50, 65):
            cv2.circle(page, centre, radius, BLACK, 1)
    assert_found(jpeg(page), GRID)


@pytest.mark.parametrize(
    "page", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)]
)
def test_what_is_no_rgb_page_is_refused(page):
    with pytest.raises(ValueError, match="expected RGB uint8"):
        find_panels(page)


def test_the_score_counts_each_box_once():
    assert matches([(0, 0, 10, 10), (0, 0, 10, 9)], [(0, 0, 10, 10)]) == 1
    assert matches([(0, 0, 10, 10)], [(0, 0, 10, 7), (0, 0, 10, 6)]) == 1
    assert matches([(0, 0, 10, 6)], [(0, 0, 10, 10)]) == 0


@pytest.mark.skipif(not REAL.exists(), reason="the pack of real pages is not beside the repository")
def test_real_pages_that_no_constant_was_chosen_on():
    layout = Layout(REAL, REAL)
    pages = [*measure(layout, "validation").values(), *measure(layout, "test").values()]
    hits, found, truth = (sum(page[i] for page in pages) for i in range(3))
    assert 2 * hits / (found + truth) >= 0.90
