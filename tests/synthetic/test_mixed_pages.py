"""Pages put together anew: their masks say what their pictures show."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from comics_depth.synthetic.layouts import area_of, clip, layout
from comics_depth.synthetic.lettering import corners
from comics_depth.synthetic.mixed_pages import (
    RIM,
    UNKNOWN,
    LabelledPage,
    inside,
    lettered,
    maps_of,
    mixed_page,
    scanned_page,
)

FONTS = [Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"]


def pictures():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (3, 6, 8, 3)).astype(np.uint8)
    return [cv2.resize(picture, (240, 180)) for picture in coarse]


def test_a_convex_polygon_is_cut_along_a_line():
    square = corners(0, 0, 10, 10).astype(float)
    half = clip(square, np.array([1.0, 0.0]), 4)
    assert half.min(axis=0).tolist() == [4, 0] and area_of(half) == 60
    assert area_of(clip(square, np.array([0.6, 0.8]), 7)) == pytest.approx(50)
    assert len(clip(square, np.array([1.0, 0.0]), 11)) == 0


def test_panels_of_a_layout_do_not_cover_each_other_but_for_an_inset():
    counts = []
    for seed in range(30):
        panels = layout(np.random.default_rng(seed), 900, 640)
        counts.append(len(panels))
        cover = np.zeros((900, 640), np.uint8)
        for panel in panels[:-1]:  # the last may be an inset
            shape = np.zeros_like(cover)
            cover += cv2.fillPoly(shape, [np.round(panel).astype(np.int32)], 1)
        assert (cover > 1).mean() < 0.02
    assert min(counts) == 1 and max(counts) > 8


def test_lettering_changes_nothing_outside_its_mask_and_marks_what_it_draws():
    panels = np.ones((400, 300), np.uint8)
    panels[:, 150:] = 2
    plain = LabelledPage(np.full((400, 300, 3), 90, np.uint8), panels, np.zeros_like(panels))
    marked = 0
    for seed in range(6):
        page = lettered(plain, np.random.default_rng(seed), FONTS)
        changed = (page.image != plain.image).any(axis=2)
        near = cv2.dilate(page.text, np.ones((5, 5), np.uint8)) > 0
        assert changed[near].sum() > 0.98 * changed.sum()
        assert changed.sum() > 0.3 * (page.text == 1).sum()
        marked += (page.text == 1).mean() > 0.02
    assert marked >= 4 and not plain.text.any() and (plain.image == 90).all()


def test_a_page_shows_pictures_in_its_panels_and_comes_again_from_its_seed():
    for seed in range(4):
        page, again = (
            mixed_page(np.random.default_rng(seed), pictures(), FONTS, 300, 220) for _ in "ab"
        )
        assert all(np.array_equal(a, b) for a, b in zip(page, again, strict=True))
        assert page.image.shape == (300, 220, 3) and set(np.unique(page.text)) <= {0, 1, UNKNOWN}
        busy = page.image[(page.panels > 0) & (page.text == 0)]
        assert (page.panels > 0).mean() > 0.2 and busy.std() > 10


def test_masks_are_scanned_with_the_picture():
    panels = np.zeros((300, 220), np.uint8)
    panels[20:140, 20:200] = 1
    panels[150:280, 20:200] = 2
    text = np.zeros_like(panels)
    text[60:100, 50:150] = 1
    image = np.full((300, 220, 3), 255, np.uint8)
    image[panels > 0] = (200, 40, 40)
    image[text > 0] = (40, 40, 200)
    for seed in range(8):
        page = scanned_page(
            LabelledPage(image, panels, text), np.random.default_rng(seed), (280, 230)
        )
        assert all(part.shape[:2] == (280, 230) for part in page)
        red, blue = page.image[..., 0].astype(int), page.image[..., 2].astype(int)
        if page.image.std(axis=2).mean() < 3:
            continue  # a scan without colours
        here = (page.panels > 0) & (page.text == 0)
        assert np.median((red - blue)[here]) > np.median((red - blue)[page.text == 1]) + 30


def test_panels_that_touch_are_apart_and_the_edge_of_the_page_has_no_rim():
    panels = np.ones((60, 80), np.uint8)
    panels[:, 40:] = 2
    found = inside(panels)
    gap = np.flatnonzero(~found[30])
    assert gap.tolist() == list(range(40 - RIM, 40 + RIM)) and found[:, :36].all()
    panels[:, 70:] = UNKNOWN
    masks, weights = maps_of(LabelledPage(np.zeros((60, 80, 3)), panels, np.zeros_like(panels)))
    assert (weights[0, :, 70:] == 0).all() and (weights[1] == 1).all()
    assert (weights[0, :, 36:44] == 4).all() and not masks[0, :, 70:].any()
