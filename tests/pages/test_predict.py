"""predict.py and what is under it: pages in every form, archives that lie, text-aware depth, what
is written."""

import contextlib
import io
import itertools
import json
import os
import re
import runpy
import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from comics_depth.annotating.boxes import BoxServer
from comics_depth.data.depth_files import read_depth
from comics_depth.images import image_count, read_image, write_image
from comics_depth.pages import depth as page_depth
from comics_depth.pages import sources as pages
from comics_depth.pages.confidence import UNSURE, confidence, is_one_picture
from comics_depth.pages.depth import (
    FrameDepth,
    _join,
    _windows,
    compose,
    depth_of_page,
    fill_smoothly,
    gutters,
)
from comics_depth.pages.guided import guided_upsampling
from comics_depth.pages.panels import read_page
from comics_depth.pages.predicting import PredictionOptions, doubts
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.lettering import Lettering
from common.errors import UserError
from common.files import read_json
from models.checkpoints import PAGE_NETWORK, load_network
from models.depth_model import depth_model

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
BOXES = [(10, 10, 90, 70), (10, 80, 90, 150)]


def draw_page(seed: int = 0, height: int = 160) -> np.ndarray:
    """A white page, 100 wide, with two coloured panels; the second is as high as the page
    allows."""
    rng = np.random.default_rng(seed)
    page = np.full((height, 100, 3), 255, np.uint8)
    for (x1, y1, x2, y2), lowest in zip(BOXES, (70, height - 10), strict=True):
        y2 = max(y2, lowest) if y2 == 150 else y2
        coarse = rng.integers(20, 200, ((y2 - y1) // 20 + 2, 6, 3)).astype(np.uint8)
        page[y1:y2, x1:x2] = cv2.resize(coarse, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
        cv2.rectangle(page, (x1, y1), (x2 - 1, y2 - 1), (0, 0, 0), 1)
    return page


def as_file(image: np.ndarray, kind: str = "png") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def predict(monkeypatch, capsys):
    """Runs predict.py as a command, at a size that is fast: (exit code, what it printed)."""

    def run(*arguments, size: int = 64) -> tuple[int, str]:
        line = ["predict.py", *map(str, arguments), "--image-size", str(size)]
        monkeypatch.setattr(sys, "argv", line)
        code = 0
        try:
            runpy.run_path(str(ROOT / "predict.py"), run_name="__main__")
        except SystemExit as error:
            code = error.code or 0
        return code, "".join(capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def networks():
    return depth_model("default"), load_network(PAGE_NETWORK, "page")


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# Text-aware depth


def test_depth_around_and_on_a_balloon_is_that_without_text(networks):
    """Of the range of a frame: within 0.15 around balloons and on them and, on them, clearly
    less than where text is left in."""
    model, reader = networks
    differences, overlaps = [], []
    for seed, kind in ((3, "room"), (4, "stairs"), (5, "crowd")):
        rng = np.random.default_rng(seed)
        style = draw_style(rng)
        plain = comics_frame(kind, rng, 300, 420, style).image
        lettered = plain.copy()
        lettering = Lettering(lettered, style, rng)
        words, avoid = (
            "I SHOULD NEVER HAVE COME HERE. WHAT IS THAT?",
            np.full(plain.shape[:2], 0.05, np.float32),
        )
        lettering.balloon(style.balloon, words, (0, 0, 420, 300), avoid, (250, 180))
        balloon = lettering.mask > 0
        text = read_page(lettered, reader).text
        aware = depth_of_page(lettered, model, text).frames[0]
        overlaps.append((aware.text & balloon).sum() / (aware.text | balloon).sum())
        around = (
            cv2.dilate(balloon.astype(np.uint8), np.ones((41, 41), np.uint8)).astype(bool)
            & ~aware.text
            & ~balloon
        )
        change = np.abs(aware.depth - depth_of_page(plain, model).depth)
        kept = np.abs(depth_of_page(lettered, model).depth - depth_of_page(plain, model).depth)
        differences.append(
            [
                change[around].mean(),
                change[balloon].mean(),
                kept[around].mean(),
                kept[balloon].mean(),
            ]
        )
    assert np.mean(overlaps) > 0.6
    around, on, kept_around, kept_on = np.mean(differences, axis=0)
    assert around < 0.15 and on < 0.15
    assert around < kept_around and on < 0.6 * kept_on


def test_filling_continues_what_is_around_and_touches_nothing_else():
    ramp = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(60, axis=0)
    hole = np.zeros(ramp.shape, bool)
    hole[20:35, 30:50] = True
    filled = fill_smoothly(np.where(hole, 9, ramp), hole)
    assert np.array_equal(filled[~hole], ramp[~hole]) and np.abs(filled - ramp).max() < 0.1
    assert np.allclose(
        fill_smoothly(np.where(hole[..., None], 0, np.full((60, 80, 3), 7.0)), hole), 7
    )
    assert np.array_equal(fill_smoothly(ramp, np.ones_like(hole)), ramp)


def test_edges_of_depth_follow_the_drawing_but_not_its_lines():
    """Blurred depth of an object that a colour tells from its background, over ink lines."""
    image = np.full((240, 320, 3), (90, 140, 200), np.uint8)
    cv2.circle(image, (160, 120), 60, (200, 90, 60), -1)
    exact = (image[..., 0] == 200).astype(np.float32)
    image[20:40:7, 20:300] = 20  # lines on the background
    small = cv2.resize(cv2.GaussianBlur(exact, (0, 0), 12), (160, 120)) * 7 + 1000
    plain = (cv2.resize(small, (320, 240)) - 1000) / 7
    found = (guided_upsampling(small, image) - 1000) / 7
    assert found.shape == (240, 320) and found.dtype == np.float32
    steep = [np.abs(np.diff(depth[120])).max() for depth in (plain, found)]
    assert steep[1] > 4 * steep[0]
    at_edge = cv2.dilate(exact, np.ones((9, 9))) != cv2.erode(exact, np.ones((9, 9)))
    error = [np.abs(depth - exact)[at_edge].mean() for depth in (plain, found)]
    assert error[1] < 0.9 * error[0]
    assert np.ptp(found[15:45, 20:60]) < 0.02
    flat = guided_upsampling(np.full((12, 16), 3, np.float32), image)
    assert np.abs(flat - 3).max() < 1e-4


def test_results_do_not_depend_on_the_batch_size(networks):
    model = networks[0]
    page = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    boxes = [
        (0, 0, 100, 100),
        (100, 0, 202, 100),
        (200, 100, 300, 199),
        (0, 100, 97, 198),
        (100, 200, 200, 300),
    ]
    one, many = (depth_of_page(page, model, boxes=boxes, batch_size=size) for size in (1, 4))
    crop = page[100:199, 200:300]
    pixels = model.resize(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255)
    alone = guided_upsampling(model(pixels, resize=False)[0].detach().numpy(), crop)
    assert np.abs(one.depth - many.depth).max() < 1e-4
    assert (
        np.abs(page_depth.standardise(alone) - many.frames[2].depth).max() < 1e-4
    )  # the model by itself says the same


def flat_frame(box, value: float) -> FrameDepth:
    shape = (box[3] - box[1], box[2] - box[0])
    return FrameDepth(box, np.full(shape, value, np.float32), np.zeros(shape, bool))


def test_gutters_are_farthest_insets_on_top_and_neighbours_share_an_overlap():
    around, inset = flat_frame((2, 2, 40, 40), 0.5), flat_frame((5, 5, 12, 12), 0.2)
    left, right = flat_frame((50, 0, 70, 40), 0.3), flat_frame((64, 0, 90, 40), 0.8)
    gutter = np.zeros((44, 100), bool)
    gutter[30:, 66] = True
    for order in ([around, inset, left, right], [right, inset, left, around]):
        page = compose(order, gutter)
        assert (
            page.min() == page[0, 0] == page[35, 66] < 0.2
            and (page[5:12, 5:12] == np.float32(0.2)).all()
        )
        assert page[13, 13] == page[3, 3] == np.float32(0.5)
        assert page[20, 65] == np.float32(0.3) and page[20, 68] == np.float32(0.8)


def test_slanted_gutters_are_gutter_but_nothing_else_in_a_box_is():
    inside = np.zeros((400, 200), np.uint8)
    boxes = [(10, 10, 190, 190), (10, 200, 106, 390), (70, 200, 190, 390), (20, 20, 60, 60)]
    for x1, y1, x2, y2 in boxes:
        inside[y1:y2, x1:x2] = 1
    slanted = np.array([[100, 200], [105, 200], [75, 390], [70, 390]])
    cv2.fillConvexPoly(inside, slanted, 0)
    inside[100:150, 100:150] = inside[40, 20:60] = 0  # a pale place, and the rim of the inset
    found = gutters(inside.shape, [flat_frame(box, 0.5) for box in boxes], inside > 0)
    assert found[:10].all() and found[192:198].all() and found[395:].all()
    assert not found[10:190, 10:190].any() and not found[200:390, 106:190].any()
    assert found[205, 102] and found[300, 87] and found[380, 74] and not found[360, 96]
    assert not gutters(inside.shape, [flat_frame((0, 0, 200, 400), 0.5)], None).any()


def test_neighbours_keep_what_lies_on_their_side_of_a_slanted_gutter():
    left, right = flat_frame((0, 0, 120, 100), 0.3), flat_frame((80, 0, 200, 100), 0.8)
    slanted = cv2.line(np.zeros((100, 200), np.uint8), (119, 0), (80, 99), 1, 3) > 0
    page = compose([left, right], slanted)
    assert page[5, 112] == page[50, 95] == np.float32(0.3) and page[95, 88] == page[
        50, 105
    ] == np.float32(0.8)
    assert np.array_equal(page == page.min(), slanted)


def test_long_frames_are_seen_in_overlapping_windows_without_seams():
    assert _windows(100, 480) == [(slice(0, 100), slice(0, 480))]
    windows = _windows(2000, 100)
    assert all(rows.stop - rows.start == 200 for rows, _ in windows) and windows[-1][0].stop == 2000
    assert all(b.start - a.start <= 150 for (a, _), (b, _) in itertools.pairwise(windows))
    values = [np.full((200, 100), n % 2, np.float32) for n in range(len(windows))]
    joined = _join(list(zip(windows, values, strict=True)), (2000, 100))
    assert (
        np.array_equal(joined.min(axis=1), joined.max(axis=1))
        and joined.min() == 0
        and joined.max() == 1
    )
    assert np.abs(np.diff(joined, axis=0)).max() < 0.05


# Inputs


def test_every_image_format_gives_the_same_depth(tmp_path, predict):
    page, folder = draw_page(), tmp_path / "in"
    folder.mkdir()
    picture, grey = Image.fromarray(page), Image.fromarray(page).convert("L")
    clear = Image.fromarray(
        np.dstack([page, np.where(page.min(2) == 255, 0, 255).astype(np.uint8)])
    )
    turned, exif = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6  # to be turned by 270 degrees before it is shown
    for name, image, options in (
        ("plain.png", picture, {}),
        ("jpeg.jpeg", picture, {"quality": 95}),
        ("w.webp", picture, {"lossless": True}),
        ("t.tiff", picture, {"compression": "tiff_lzw"}),
        ("grey.png", grey, {}),
        ("alpha.png", clear, {}),
        ("cmyk.jpg", picture.convert("CMYK"), {"quality": 95}),
        ("turned.png", turned, {"exif": exif}),
        ("deep.png", Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257), {}),
    ):
        image.save(folder / name, **options)
    code, printed = predict(folder, "-o", tmp_path / "out", "--text", "keep")
    assert code == 0, printed
    depth = {
        name: read_depth(tmp_path / "out" / name / "page.png")
        for name in ("plain", "jpeg", "w", "t", "grey", "alpha", "cmyk", "turned", "deep")
    }
    for name, other in (
        ("w", "plain"),
        ("t", "plain"),
        ("alpha", "plain"),
        ("turned", "plain"),
        ("deep", "grey"),
    ):
        assert np.array_equal(depth[name], depth[other]), name
    for name in ("jpeg", "cmyk"):
        assert np.corrcoef(depth[name].ravel(), depth["plain"].ravel())[0, 1] > 0.95, name
    assert (
        not np.array_equal(depth["grey"], depth["plain"])
        and (tmp_path / "out" / "contact_in.jpg").exists()
    )


def test_what_is_written(tmp_path, predict):
    write_image(tmp_path / "p1.png", draw_page())
    out = tmp_path / "out"
    code, printed = predict(
        tmp_path / "p1.png",
        "-o",
        out,
        "--floats",
        "--depth8",
        "--parallax",
        "--mesh",
        "--crops",
        "--text-masks",
        "--layers",
        "2",
    )
    assert code == 0 and "on cpu" in printed and "1 pages, 2 frames, " in printed
    kinds = (".png", ".npy", "_preview.jpg", ".webp", ".ply", ".glb", "_image.jpg", "_text.png")
    kinds += ("_depth8.png", "_layer_01.png", "_layer_02.png")
    expected = {f"p1/frame_{k}{kind}" for k in (1, 2) for kind in kinds}
    assert files_below(out) == expected | {
        ".lock",
        "contact_pages.jpg",
        "p1.txt",
        "p1/page.json",
        "p1/text.png",
        "p1/page.png",
        "p1/page.npy",
        "p1/page_depth8.png",
        "p1/preview.jpg",
        "p1/made_by.json",
    }
    page = read_depth(out / "p1/page.npy")
    with Image.open(out / "p1/page.png") as image:
        assert image.mode == "I;16" and set(json.loads(image.info["inverse_depth"])) == {
            "scale",
            "offset",
        }
    assert np.abs(page - read_depth(out / "p1/page.png")).max() < 1e-4
    assert (page[:9] == page.min()).all() and (
        page[12:68, 12:88] > page.min()
    ).all()  # gutter and first frame
    rows, columns = np.nonzero(page[:75] > page.min())
    first = page[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    frame = read_depth(out / "p1/frame_1.npy")
    assert min(first.shape) > 50 and np.array_equal(
        first, frame[: first.shape[0], : first.shape[1]]
    )
    assert np.percentile(read_depth(out / "p1/frame_2.npy"), (2, 98)) == pytest.approx(
        (0, 1), abs=1e-5
    )
    assert read_image(out / "p1/preview.jpg").shape == (160, 200, 3)
    with Image.open(out / "p1/frame_1.webp") as animation:
        assert 20 <= animation.n_frames <= 24 and animation.info["loop"] == 0
    grey = np.asarray(Image.open(out / "p1/frame_1_depth8.png"))
    assert grey.dtype == np.uint8 and np.corrcoef(grey.ravel(), frame.ravel())[0, 1] > 0.999
    assert read_image(out / "p1/frame_1_image.jpg").shape[:2] == frame.shape
    assert Image.open(out / "p1/frame_1_text.png").size == frame.shape[::-1]
    assert predict(tmp_path / "p1.png", "-o", out, "--layers", "3")[0] == 0  # another number
    left = {path.name for path in (out / "p1").iterdir() if path.is_file()}
    assert "frame_1_layer_03.png" in left and not left & {"page_depth8.png", "frame_1.glb"}


@pytest.mark.parametrize("whole", [False, True])
def test_a_strip_twenty_thousand_pixels_high(tmp_path, predict, whole):
    strip = np.vstack([draw_page(seed, height=400) for seed in range(50)])
    write_image(tmp_path / "strip.png", strip)
    code, printed = predict(
        tmp_path / "strip.png",
        "-o",
        tmp_path / "out",
        "--text",
        "keep",
        *(["--whole-page"] if whole else []),
        size=32,
    )
    assert code == 0, printed
    depth = read_depth(tmp_path / "out/strip/page.png")
    assert depth.shape == (20_000, 100) and depth.std() > 0.1
    frames = list((tmp_path / "out/strip").glob("frame_*.png"))
    assert len(frames) == 1 if whole else len(frames) > 90
    assert read_image(tmp_path / "out/strip/preview.jpg").shape[1] > 500  # in columns


def test_frames_come_from_the_annotation_beside_the_page(tmp_path, predict):
    write_image(tmp_path / "p1.png", draw_page())
    (tmp_path / "p1.txt").write_text("1 0 0 5 5\n8 20 20 60 50\n8 500 0 600 9\n8 0 90 100 140\n")
    out = tmp_path / "out"
    code, printed = predict(tmp_path / "p1.png", "-o", out)
    assert code == 0 and "p1.txt:3: box outside the page" in printed
    assert {path.name for path in (out / "p1").glob("frame_?.png")} == {
        "frame_1.png",
        "frame_3.png",
    }
    assert read_depth(out / "p1/frame_1.png").shape == (30, 40)
    (tmp_path / "p1.txt").write_text("8 0 0 50\n")  # read again, although the image is the same
    code, printed = predict(tmp_path / "p1.png", "-o", out)
    assert code == 2 and f"{tmp_path / 'p1.txt'}:1: expected five numbers" in printed
    assert predict(tmp_path / "p1.png", "-o", out, "--whole-page")[0] == 0
    assert {path.name for path in (out / "p1").glob("frame_?.png")} == {"frame_1.png"}


def test_broken_files_are_reported_and_the_rest_goes_on(tmp_path, predict):
    folder = tmp_path / "in"
    write_image(folder / "good.png", draw_page())
    (folder / "broken.png").write_bytes(as_file(draw_page())[:300])
    (folder / "text.jpg").write_text("no image")
    (folder / ".hidden.png").write_text("left out without a word")
    (tmp_path / "book.cbr").write_text("an archive of another kind")
    code, printed = predict(
        folder, tmp_path / "missing.png", tmp_path / "book.cbr", "-o", tmp_path / "out"
    )
    assert code == 0 and "depth of 1 pages; 4 left out" in printed and "hidden" not in printed
    assert all(name in printed for name in ("broken.png", "text.jpg", "missing.png", "book.cbr"))
    assert not (tmp_path / "out/broken").exists()
    code, printed = predict(folder / "broken.png", "-o", tmp_path / "none")
    assert (
        code == 2
        and "nothing could be predicted" in printed
        and files_below(tmp_path / "none") <= {".lock"}
    )


def test_an_animation_that_breaks_off_behind_its_first_image(tmp_path, predict):
    stream = io.BytesIO()
    frames = [Image.fromarray(draw_page()).resize((60, 40)).rotate(90 * n) for n in range(3)]
    frames[0].save(stream, "gif", save_all=True, append_images=frames[1:])
    whole, folder = stream.getvalue(), tmp_path / "in"
    folder.mkdir()
    for cut in range(len(whole) - 1, len(whole) // 2, -1):
        (folder / "b.gif").write_bytes(whole[:cut])
        with contextlib.suppress(UserError):
            read_image(folder / "b.gif")
            assert image_count(folder / "b.gif") in (1, 2, 3)
    write_image(folder / "c.png", draw_page())
    code, printed = predict(folder, "-o", tmp_path / "out")
    assert code == 0 and (tmp_path / "out/c/page.png").exists(), printed


def test_averaged_depth_of_a_page_does_not_know_left_from_right(tmp_path, predict):
    page = draw_page()
    write_image(tmp_path / "in" / "p.png", page)
    write_image(tmp_path / "in" / "q.png", page[:, ::-1])
    for out, options in (("one", ()), ("many", ("--averaged",))):
        code, printed = predict(
            tmp_path / "in",
            "-o",
            tmp_path / out,
            "--whole-page",
            "--floats",
            "--text",
            "keep",
            *options,
            size=96,
        )
        assert code == 0 and ("64 and 96 and 128 pixels" in printed) == (out == "many")
    one, many = (
        [read_depth(tmp_path / out / name / "page.npy") for name in "pq"] for out in ("one", "many")
    )
    assert np.abs(many[0] - many[1][:, ::-1]).max() < 1e-3 < np.abs(one[0] - one[1][:, ::-1]).max()
    assert np.corrcoef(one[0].ravel(), many[0].ravel())[0, 1] > 0.8
    code, printed = predict(
        tmp_path / "in",
        "-o",
        tmp_path / "many",
        "--whole-page",
        "--floats",
        "--text",
        "keep",
        size=96,
    )
    assert code == 0 and not np.array_equal(
        read_depth(tmp_path / "many/p/page.npy"), many[0]
    )  # made anew


def test_of_a_file_of_several_images_the_first_is_read_and_the_rest_told(tmp_path, predict):
    first, second = Image.fromarray(draw_page()), Image.new("RGB", (90, 90), "red")
    first.save(tmp_path / "scan.tiff", save_all=True, append_images=[second])
    code, printed = predict(tmp_path / "scan.tiff", "-o", tmp_path / "out")
    assert code == 0 and "all but the first of 2 images" in printed
    assert read_depth(tmp_path / "out/scan/page.png").shape == draw_page().shape[:2]


def test_a_page_that_is_taken_as_one_frame_says_so(tmp_path, predict):
    page = np.full((300, 200, 3), 200, np.uint8)
    write_image(tmp_path / "plain.png", page)
    code, printed = predict(tmp_path / "plain.png", "-o", tmp_path / "out")
    assert code == 0 and "taken as one frame" not in printed and "1 frames" in printed
    cv2.rectangle(page, (20, 20), (180, 280), (0, 0, 0), 2)
    assert not is_one_picture(page)
    everything = [(1, (0, 0, 200, 300))]
    options = PredictionOptions(tmp_path / "out", "default")
    source = pages.PageInput("plain", "plain.png", bytes, None)
    [note] = doubts(source, page, everything, [1.0], options)
    assert "taken as one frame" in note and str(tmp_path / "out/plain.txt") in note
    assert not doubts(source, page, everything, [1.0], replace(options, whole_page=True))


def test_boxes_in_the_output_can_be_mended(tmp_path, predict):
    write_image(tmp_path / "p1.png", draw_page())
    out = tmp_path / "out"
    command = (tmp_path / "p1.png", "-o", out, "--text", "keep")
    assert predict(*command)[0] == 0
    page = read_json(out / "p1/page.json")
    boxes = [tuple(frame["box"]) for frame in page["frames"]]
    assert (out / "p1.txt").read_text() == "".join("8 {} {} {} {}\n".format(*b) for b in boxes)
    assert len(boxes) == 2 and page["version"] == 1 and "default-comics" in page["model"]
    assert [frame["depth"] for frame in page["frames"]] == ["frame_1.png", "frame_2.png"]
    assert all(0 <= frame["confidence"] <= 1 for frame in page["frames"])
    text = Image.open(out / "p1" / page["text_mask"])
    assert text.size == (100, 160) and text.mode == "L"
    (out / "p1.txt").write_text("8 10 80 90 150\n8 10 10 60 70\n8 60 10 90 70\n")
    assert "1 pages to predict" in predict(*command)[1]
    mended = read_json(out / "p1/page.json")["frames"]
    assert [frame["box"] for frame in mended] == [
        [10, 80, 90, 150],
        [10, 10, 60, 70],
        [60, 10, 90, 70],
    ]
    assert {frame["confidence"] for frame in mended} == {1.0}
    assert read_depth(out / "p1/frame_2.png").shape == (60, 50)
    assert "0 pages to predict" in predict(*command)[1]
    assert predict(*command, "--restart")[0] == 0  # nobody's work is lost
    assert read_depth(out / "p1/frame_2.png").shape == (60, 50)
    (out / "p1.txt").unlink()
    assert predict(*command)[0] == 0
    assert [tuple(f["box"]) for f in read_json(out / "p1/page.json")["frames"]] == boxes


def test_boxes_are_checked_in_the_browser_and_the_page_is_made_anew(tmp_path, predict, monkeypatch):
    write_image(tmp_path / "p1.png", draw_page())

    def person(server: BoxServer) -> None:
        assert read_image(server.image_file("p1")).shape == (160, 100, 3)
        with server.http.app.test_request_context():
            server.save({"id": "p1", "boxes": [[10, 10, 90, 150]]})
        server.http.server_close()
        raise KeyboardInterrupt

    monkeypatch.setattr(BoxServer, "serve_until_interrupted", person)
    out = tmp_path / "out"
    command = (tmp_path / "p1.png", "-o", out, "--text", "keep", "--check", "--port", "0")
    code, printed = predict(*command)
    assert code == 0 and "1 pages, 2 frames" in printed and "1 pages, 1 frames" in printed
    assert [frame["box"] for frame in read_json(out / "p1/page.json")["frames"]] == [
        [10, 10, 90, 150]
    ]
    assert not (out / "p1/frame_2.png").exists()


def test_moved_boxes_are_unsure(tmp_path):
    page = draw_page()
    right = [confidence(page, box) for box in BOXES]
    moved = [confidence(page, (x1 + 15, y1 + 12, x2 - 20, y2 - 15)) for x1, y1, x2, y2 in BOXES]
    assert min(right) > 0.95 and max(moved) < UNSURE
    options = PredictionOptions(tmp_path, "default")
    source = pages.PageInput("p1", "p1.png", bytes, None)
    assert not doubts(source, page, list(enumerate(BOXES, 1)), right, options)
    [note] = doubts(source, page, list(enumerate(BOXES, 1)), [1.0, 0.2], options)
    assert "unsure of frame 2;" in note
    assert confidence(page, (0, 0, 100, 160)) == 1


# Archives


def write_zip(path: Path, members: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_pages_of_an_archive_in_natural_order(tmp_path, predict):
    members = {f"ch 1/p{n}.png": as_file(draw_page(n)) for n in (10, 2)}
    members |= {
        "./ch 1//p3.png": members["ch 1/p2.png"],
        "./ch 1/p3.txt": b"8 20 20 70 50\n",
    }  # spelled in another way
    members |= {
        "ch 1/p2.txt": b"8 20 20 60 50\n",
        "__MACOSX/ch 1/._p2.png": b"?",
        "ComicInfo.xml": b"<x/>",
    }
    write_zip(tmp_path / "book.cbz", members)
    found, problems = pages.find_pages([tmp_path / "book.cbz"], tmp_path / "out")
    assert [page.name for page in found["book"]] == [
        "book/ch 1/p2",
        "book/ch 1/p3",
        "book/ch 1/p10",
    ] and not problems
    assert predict(tmp_path / "book.cbz", "-o", tmp_path / "out")[0] == 0
    assert read_depth(tmp_path / "out/book/ch 1/p2/frame_1.png").shape == (30, 40)
    assert read_depth(tmp_path / "out/book/ch 1/p3/frame_1.png").shape == (30, 50)
    assert (tmp_path / "out/book/ch 1/p10/page.png").exists() and (
        tmp_path / "out/contact_book.jpg"
    ).exists()


def symlink() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link.png")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


PAGE = as_file(draw_page())
BAD = {
    "outside": ({"../../escaped.png": PAGE}, "leads out of the archive"),
    "inside outside": ({"a/../../../escaped.png": PAGE}, "leads out of the archive"),
    "backslashes": ({"..\\escaped.png": PAGE}, "leads out of the archive"),
    "absolute": ({"/escaped.png": PAGE}, "leads out of the archive"),
    "drive": ({"C:\\escaped.png": PAGE}, "leads out of the archive"),
    "link": ({symlink(): b"/etc/passwd"}, "symbolic link"),
    "entries": ({f"{n}.png": b"" for n in range(10_000)}, "1000. entries"),
    "bomb": ({"p.png": bytes(20_000_000)}, "20000000 bytes"),
    "no images": ({"readme.txt": b"hello"}, "expected images"),
}


@pytest.mark.parametrize("as_folder", [False, True])
def test_bad_archives_are_refused_and_the_rest_goes_on(tmp_path, predict, as_folder):
    folder, out = tmp_path / "in", tmp_path / "deep/er/out"
    folder.mkdir()
    for name, (members, _) in BAD.items():
        write_zip(
            folder / f"{name}.cbz", {"ok.png": PAGE} | members if name != "no images" else members
        )
    (folder / "cut.cbz").write_bytes(PAGE)
    damaged = bytearray(
        write_zip(folder / "damaged.cbz", {"bad.png": PAGE, "ok.png": PAGE}).read_bytes()
    )
    damaged[60:160] = bytes(100)
    (folder / "damaged.cbz").write_bytes(damaged)
    before = files_below(tmp_path)
    inputs = [folder] if as_folder else sorted(folder.glob("*.cbz"))
    code, printed = predict(*inputs, "-o", out, "--whole-page", size=32)
    assert code == 0, printed
    for name, (_, message) in BAD.items():
        assert re.search(rf"{re.escape(name)}\.cbz: .*{message}", printed), (name, printed)
    assert "cut.cbz: refused" in printed and "damaged.cbz/bad.png" in printed
    written = files_below(tmp_path) - before
    assert written and all(name.startswith("deep/er/out/") for name in written)
    assert {path.parent.name for path in out.rglob("page.png")} == {"ok"}  # of damaged.cbz alone
    assert predict(folder / "bomb.cbz", "-o", tmp_path / "none")[0] == 2 and files_below(
        tmp_path / "none"
    ) <= {".lock"}


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([300 << 20], {}, "would unpack"),
        ([250 << 20] * 20, {}, "in all"),
        ([9], {"flag_bits": 1}, "encrypted"),
        ([9], {"compress_type": zipfile.ZIP_LZMA}, "deflate"),
    ],
)
def test_sizes_and_methods_of_members_are_checked_before_any_is_read(sizes, options, message):
    members = [zipfile.ZipInfo(f"{n}.png") for n in range(len(sizes))]
    for member, size in zip(members, sizes, strict=True):
        member.file_size, member.compress_size = size, size // 2
        for name, value in options.items():
            setattr(member, name, value)
    with pytest.raises(UserError, match=message):
        pages.check_members(members)


def test_a_member_that_lies_about_its_size_is_a_broken_page(tmp_path):
    path = write_zip(tmp_path / "a.cbz", {"p.png": bytes(50_000)})
    content = path.read_bytes().replace((50_000).to_bytes(4, "little"), (500).to_bytes(4, "little"))
    path.write_bytes(content)
    [page] = pages.find_pages([path], tmp_path / "out")[0]["a"]
    with pytest.raises(zipfile.BadZipFile):
        page.read()


def test_pages_of_a_pdf(tmp_path, predict, monkeypatch):
    drawn = [Image.fromarray(draw_page(seed)).resize((200, 320)) for seed in (0, 1)]
    drawn[0].save(tmp_path / "book.pdf", save_all=True, append_images=drawn[1:], quality=95)
    found, problems = pages.find_pages([tmp_path / "book.pdf"], tmp_path / "out")
    assert [page.name for page in found["book"]] == ["book/001", "book/002"] and not problems
    for page, image in zip(found["book"], drawn, strict=True):
        read = read_image(pages.ImageBytes(page.read(), page.source))
        assert read.shape == (2400, 1500, 3)
        small = cv2.resize(read, (200, 320), interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(small - np.asarray(image)).mean() < 4
    (tmp_path / "cut.pdf").write_bytes((tmp_path / "book.pdf").read_bytes()[:99])
    monkeypatch.setattr(pages, "PDF_SIDE", 320)
    code, printed = predict(tmp_path, "-o", tmp_path / "out")
    assert code == 0 and "cut.pdf: not a readable PDF" in printed
    assert read_depth(tmp_path / "out/book/002/page.png").shape == (320, 200)
    assert "0 pages to predict, 2 done" in predict(tmp_path / "book.pdf", "-o", tmp_path / "out")[1]
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    code, printed = predict(tmp_path / "book.pdf", "-o", tmp_path / "none")
    assert code == 2 and "pip install pypdfium2" in printed


# Runs


def test_what_is_done_is_not_done_again_unless_something_changed(tmp_path, predict):
    write_image(tmp_path / "in/p1.png", draw_page(1))
    out, result = tmp_path / "out", tmp_path / "out/p1/page.png"
    command = (tmp_path / "in", "-o", out, "--text", "keep")

    def predicted(*arguments) -> bool:
        before = result.stat().st_mtime_ns if result.exists() else 0
        assert predict(*arguments)[0] == 0
        return result.stat().st_mtime_ns != before

    assert "would read" in predict(*command, "--dry-run")[1] and not out.exists()
    assert predicted(*command) and not predicted(*command)
    assert (
        predicted(*command, "--restart")
        and predicted(*command, "--whole-page")
        and predicted(*command)
    )
    assert predicted(*command, "--floats") and not predicted(
        *command
    )  # more files than asked for are no harm
    write_image(tmp_path / "in/p1.png", draw_page(2))
    assert predicted(*command)
    (out / "p1/made_by.json").write_text("{")  # a run that was killed
    assert predicted(*command)
    for gone in ("preview.jpg", "frame_1.png"):
        (out / "p1" / gone).unlink()
        assert predicted(*command) and (out / "p1" / gone).exists()
    (out / "p1.txt").unlink()  # a run that was killed before it wrote them
    assert predicted(*command) and (out / "p1.txt").exists() and not predicted(*command)
    for damage in ('{"files": 5}', "[]", "\xff"):
        (out / "p1/made_by.json").write_text(damage, encoding="latin-1")
        assert predicted(*command)


def test_an_output_folder_belongs_to_one_command_and_pipes_are_no_pages(tmp_path, predict):
    write_image(tmp_path / "in/p1.png", draw_page())
    os.mkfifo(tmp_path / "in/pipe.png")
    out = tmp_path / "out"
    locking = "import sys, pathlib, common.files as f; f.lock(pathlib.Path(sys.argv[1])); input()"
    command = [sys.executable, "-c", locking + "\n", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) as holder:
        while not (out / ".lock").exists() or not (out / ".lock").read_text():
            assert holder.poll() is None
        code, said = predict(tmp_path / "in", "-o", out)
        assert code == 2 and f"{out} is in use by process {holder.pid}" in said
        holder.kill()
    code, said = predict(tmp_path / "in", tmp_path / "in/pipe.png", "-o", out, "--whole-page")
    assert code == 0 and "pipe.png: expected a file" in said and "1 pages, 1 frames" in said


def test_pages_of_one_name_do_not_overwrite_each_other(tmp_path, predict):
    paths = [tmp_path / "a/p1.png", tmp_path / "b/p1.png", tmp_path / "b/P1.jpg"]
    for seed, path in enumerate(paths):
        write_image(path, draw_page(seed))
    out = tmp_path / "out"
    assert predict(*paths[:2], "-o", out, "--text", "keep")[0] == 0
    first = [read_depth(out / name / "page.png") for name in ("p1", "p1-2")]
    assert (
        predict(paths[2], paths[1], "-o", out, "--text", "keep")[0] == 0
    )  # in a later run, in another order
    assert {path.parent.name for path in out.rglob("page.png")} in (
        {"p1", "p1-2", "P1"},
        {"p1", "p1-2", "P1-3"},
    )
    second = [read_depth(out / name / "page.png") for name in ("p1", "p1-2")]
    assert all(map(np.array_equal, first, second)) and not np.array_equal(*first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nothing"], "depth model 'nothing'"),
        (["--batch-size", "0"], "--batch-size from 1"),
        (["--layers", "1"], "--layers from 2 to 32, found 1"),
        (["--strength", "-1"], "--strength above 0, to 3"),
        (["--size", "9"], "--size from 32 to 4096"),
        (["--model", "."], "expected an existing file or one of"),
    ],
)
def test_mistakes_on_the_command_line_are_named(tmp_path, predict, arguments, message):
    write_image(tmp_path / "p1.png", draw_page())
    code, printed = predict(tmp_path / "p1.png", "-o", tmp_path / "out", *arguments)
    assert code == 2 and message in printed and files_below(tmp_path / "out") <= {".lock"}


def test_names_of_dots_stay_inside_the_output(tmp_path):
    """The stem of `...png` is `..`: a name that would lead out of the output folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "...png", "png")
    with zipfile.ZipFile(folder / "...cbz", "w") as archive:
        archive.write(folder / "...png", "1.png")
    sheets, problems = pages.find_pages([folder / "...png", folder / "...cbz"], tmp_path / "out")
    names = [page.name for sheet in sheets.values() for page in sheet]
    assert not problems and names == ["page", "page/1"]
