"""Preparation: the readers, the splits, and the real command line on tiny pages (and on real ones,
where at hand)."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch
from PIL import Image

from comics_depth.data.annotations import read_boxes, read_svg
from comics_depth.data.depth_files import read_depth
from comics_depth.data.splits import dcm_split, image_names, photograph_split, seeded_split
from comics_depth.images import read_image, write_image
from comics_depth.paths import SPLITS, Layout, read_manifest, read_names
from common.errors import UserError
from common.files import write_text

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "realdata"
SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
<svg class="Page"><image x="0" y="0" width="120" height="160" xlink:href="{href}"/></svg>
{body}</svg>
"""


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "data", tmp_path / "runs")


def prepare(layout, *options, code=0):
    """Runs datasets_preparation.py; its output. `code` is the exit code it must have."""
    done = subprocess.run(
        [
            sys.executable,
            "datasets_preparation.py",
            *map(str, options),
            "--data-root",
            layout.data_root,
            "--runs-root",
            layout.runs_root,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def prepare_here(layout, monkeypatch, capsys, *options):
    """As prepare, without the seconds that a new process takes to import torch."""
    monkeypatch.setattr(sys, "argv", ["", *map(str, options), "--data-root", str(layout.data_root)])
    run_path(str(ROOT / "datasets_preparation.py"), run_name="__main__")
    return capsys.readouterr().out


def picture(path, height=160, width=120, seed=0, grey=False):
    pixels = np.random.default_rng(seed).integers(
        0, 255, (height // 8, width // 8) + (() if grey else (3,)), np.uint8
    )
    write_image(path, np.asarray(Image.fromarray(pixels).resize((width, height))))
    return path


def broken(path, whole_header=False):
    data = picture(path).read_bytes()
    path.write_bytes(data[: len(data) // 2] if whole_header else b"no image")


def dcm(layout, pages, boxes="8 10 10 60 80\n8 60 10 110 80\n"):
    """pages: {split: [page]}."""
    for split, names in pages.items():
        layout.dcm_pages(split).parent.mkdir(parents=True, exist_ok=True)
        layout.dcm_pages(split).write_text("\n".join(names))
        for seed, name in enumerate(names):
            picture(layout.dcm_images / f"{name}.jpg", seed=seed)
            (layout.dcm_boxes / name).parent.mkdir(parents=True, exist_ok=True)
            (layout.dcm_boxes / f"{name}.txt").write_text(boxes)


def svg(layout, name, body, href=None):
    path = layout.ebdtheque_svg / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG.format(href=href or f"../Pages/{name}.jpg", body=body))
    return path


def group(name, *points):
    return (
        f'<svg class="{name}">'
        + "".join(f'<polygon id="a" points="{p}"/>' for p in points)
        + "</svg>\n"
    )


def lists(path):
    return {split: read_names(path(split), "") for split in SPLITS}


# Readers


def boxes_of(tmp_path, text):
    (tmp_path / "page.txt").write_bytes(text.encode())
    return read_boxes(tmp_path / "page.txt", (100, 50))


def test_boxes_are_clipped_and_counted_for_life(tmp_path):
    text = (
        "8 0 0 20 30\r\n\r\n1 5 5 9 9\r\n8 7 7 7 20\r\n8 -5 90 70 300\r\n8 20 5 10 9\r\n  \r\n8 60"
        " 0 70 9\r\n8 1 2 3 4"
    )
    boxes, skipped = boxes_of(tmp_path, text)
    # The empty box is frame 2, the inverted one 4, the one beside the page 5; the class-1 line is
    # no frame.
    assert boxes == [(1, (0, 0, 20, 30)), (3, (0, 90, 50, 100)), (6, (1, 2, 3, 4))]
    assert [reason.split("page.txt:")[1] for reason in skipped] == [
        "4: box empty or inverted",
        "6: box empty or inverted",
        "8: box outside the page",
    ]


@pytest.mark.parametrize(
    "line", ["8 1 2 3", "8 1 2 3 4 5", "frame 1 2 3 4", "8 1 2 x 4", "8 nan 2 3 4", "8 1 2 inf 4"]
)
def test_malformed_box_names_file_and_line(tmp_path, line):
    with pytest.raises(UserError, match=r"page\.txt:3: .*five numbers"):
        boxes_of(tmp_path, f"8 0 0 9 9\n\n{line}\n")


def test_svg_takes_every_polygon(layout):
    body = (
        group("Panel", "1,2 30,2 30,40 1,40")  # not closed
        + group(
            "Balloon", " 1.5,2\n3 4.25 , 5e0 -6 1.5,2", "1,1 2,2", ""
        )  # odd separators, closed; too few corners
        + group("TextArea", "1,1 5,1 3,5")
        + group("Character", "0,0 1,0 2,1 1,2 0,2 -1,1")
        + group("Unheard", "0,0 1,0 1,1")
    )
    page = read_svg(svg(layout, "p", body), layout.ebdtheque)
    assert page.size == (160, 120)
    assert page.image == layout.ebdtheque_pages / "p.jpg"
    assert page.polygons["Panel"][0].tolist() == [[1, 2], [30, 2], [30, 40], [1, 40]]
    assert [polygon.tolist() for polygon in page.polygons["Balloon"]] == [
        [[1.5, 2], [3, 4.25], [5, -6]]
    ]
    assert {name: len(polygons) for name, polygons in page.polygons.items()} == {
        "Page": 0,
        "Panel": 1,
        "Balloon": 1,
        "Line": 0,
        "TextArea": 1,
        "Character": 1,
        "linkSBSC": 0,
    }
    assert len(page.skipped) == 2 and all("p.svg:" in reason for reason in page.skipped)


@pytest.mark.parametrize("points", ["1,2 3,4 5", "1,2 a,b 3,4", "1,2 3,4 1e999,2"])
def test_malformed_points_name_file_and_line(layout, points):
    with pytest.raises(UserError, match=r"p\.svg:4: expected points"):
        read_svg(svg(layout, "p", group("Line", points)), layout.ebdtheque)


@pytest.mark.parametrize(
    "href",
    [
        "../../../secret.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://x/a.jpg",
        "..%2F..%2F..%2Fsecret.jpg",
        "..\\..\\..\\secret.jpg",
    ],
)
def test_page_image_stays_inside(layout, href):
    with pytest.raises(UserError, match=r"p\.svg.*must lie inside"):
        read_svg(svg(layout, "p", "", href), layout.ebdtheque)


def test_entities_are_refused(layout, tmp_path):
    (tmp_path / "secret").write_text("1,1 9,1 9,9")
    attacks = {
        "external": f'<!ENTITY x SYSTEM "{(tmp_path / "secret").as_uri()}">',
        "laughs": (
            '<!ENTITY a "1,1 9,1 9,9 ">'
            + "".join(
                f'<!ENTITY {b} "{f"&{a};" * 20}">'
                for a, b in zip("abcdefg", "bcdefgx", strict=True)
            )
        ),
    }
    attacks["inside"] = '<!ENTITY x "1,1 9,1 9,9">'
    attacks["in_text"] = attacks["external"]
    for name, entities in attacks.items():
        points = "1,1 9,1 9,9" if name == "in_text" else "&x;"
        path = svg(
            layout, name, f'<title>&x;</title><svg class="Panel"><polygon points="{points}"/></svg>'
        )
        path.write_text(path.read_text().replace("<svg", f"<!DOCTYPE svg [{entities}]>\n<svg", 1))
        with pytest.raises(UserError, match=f"{name}.svg"):
            read_svg(path, layout.ebdtheque)
    for text in ("", "<svg><svg>", SVG.replace("<image", "<picture")):
        path.write_text(text)
        with pytest.raises(UserError, match=r"in_text\.svg"):
            read_svg(path, layout.ebdtheque)


# Splits


def test_seeded_split_shares_and_keeps():
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    names = [f"p{i}" for i in range(40)]
    split = seeded_split(names, shares, seed=3)
    assert (
        split
        == seeded_split(reversed(names), shares, seed=3)
        != seeded_split(names, shares, seed=4)
    )
    assert [list(split.values()).count(part) for part in shares] == [32, 4, 4]
    more = seeded_split([*names, "q1", "q2"], shares, seed=9, fixed=split)
    assert {name: more[name] for name in names} == split
    taken = seeded_split(names, shares, 0, dict.fromkeys(names[:10], "validation"))
    assert [list(taken.values()).count(part) for part in shares] == [26, 10, 4]
    assert list(seeded_split(["a", "b", "c"], shares, 0).values()).count("train") == 1
    assert seeded_split(["a"], shares, 0) == {"a": "train"}


def test_photograph_split_is_written_once(layout):
    for i in range(20):
        picture(layout.photographs / f"{i}.jpg", 16, 16)
    broken(layout.photographs / "x.jpg")
    first = photograph_split(layout, 0)
    assert [len(names) for names in first.values()] == [18, 2]
    assert photograph_split(layout, 1) == first
    assert [layout.photograph_list(part).read_text().split() for part in first] == list(
        first.values()
    )
    gone = first["validation"][0]
    assert gone not in {
        *chain(*photograph_split(layout, 1, {str(i) for i in range(20)} - {gone}).values())
    }


def test_names_of_images_are_unique(tmp_path):
    for name in ("a.png", "sub/a.png", ".hidden.png"):
        picture(tmp_path / name, 8, 8)
    assert list(image_names(tmp_path)) == ["a", "sub/a"]
    picture(tmp_path / "a.jpg", 8, 8)
    with pytest.raises(UserError, match=r"a\.png.*taken"):
        image_names(tmp_path)


# Pages to frames


def test_crop_frames(layout):
    dcm(
        layout,
        {
            "train": ["one", "sub/dir/two", "bad", "half", "grey"],
            "validation": ["sub/one"],
            "test": ["t.v2"],
        },
    )
    (layout.dcm_boxes / "one.txt").write_text(
        "8 5 5 5 50\n\n8 -10 20 50 60\n1 0 0 9 9\n8 50 100 500 500\n"
    )
    broken(layout.dcm_images / "bad.jpg")
    broken(layout.dcm_images / "half.jpg", whole_header=True)
    picture(layout.dcm_images / "grey.jpg", grey=True)
    with layout.dcm_pages("train").open("a") as file:
        file.write("\r\n\r\nno_image\r\nno_boxes\r\n")
    picture(layout.dcm_images / "no_boxes.png")
    assert (
        "would write" in prepare(layout, "--crop_frames", "--dry-run")
        and not layout.cropped.exists()
    )
    output = prepare(layout, "-cf", "--workers", 2)
    assert "train 6, validation 2, test 2" in output
    for reason in (
        "skipped 5",
        "one.txt:1: box empty",
        "bad.jpg",
        "half.jpg",
        "no_image: no image",
        "no_boxes: no g",
    ):
        assert reason in output
    assert lists(layout.frame_list) == {
        "train": ["one_2", "one_3", "sub/dir/two_1", "sub/dir/two_2", "grey_1", "grey_2"],
        "validation": ["sub/one_1", "sub/one_2"],
        "test": ["t.v2_1", "t.v2_2"],
    }
    manifest = read_manifest(layout)
    assert manifest["one_3"] == {
        "page": "one",
        "box": [50, 100, 120, 160],
        "split": "train",
        "legacy": "one3",
        "image": "dcm_dataset.git/images/one.jpg",
    }
    page = read_image(layout.dcm_images / "one.jpg").astype(int)
    frame = read_image(layout.frame("one_2")).astype(int)
    assert frame.shape == (40, 50, 3) and np.abs(frame - page[20:60, 0:50]).mean() < 3
    assert {
        path.relative_to(layout.frames).with_suffix("").as_posix()
        for path in layout.frames.rglob("*.*")
    } == {*manifest}


def test_crop_frames_goes_on_where_it_stopped(layout):
    dcm(layout, {"train": ["a", "b"], "validation": ["c"], "test": ["d"]})
    prepare(layout, "-cf", "--workers", 1)
    listed = lists(layout.frame_list)
    layout.frame("a_1").write_bytes(b"kept")
    layout.frame("b_1").unlink()
    layout.manifest.unlink()  # interrupted: lists and manifest come last
    prepare(layout, "-cf", "--workers", 1)
    assert layout.frame("a_1").read_bytes() == b"kept" and read_image(
        layout.frame("b_1")
    ).shape == (70, 50, 3)
    (layout.dcm_boxes / "b.txt").write_text("8 10 10 40 80\n8 60 10 110 80\n")
    prepare(layout, "-cf", "--workers", 1)
    assert read_image(layout.frame("b_1")).shape == (
        70,
        30,
        3,
    )  # cut anew, since its box is another one
    prepare(layout, "-cf", "--workers", 1, "--restart")
    assert read_image(layout.frame("a_1")).shape == (70, 50, 3)
    assert lists(layout.frame_list) == listed


def test_crop_frames_errors(layout):
    assert "no pages found" in prepare(layout, "-cf", code=2)
    dcm(layout, {"train": ["a", "b"], "validation": ["a"], "test": []})
    assert "page a also stands in the list of train" in prepare(layout, "-cf", code=2)
    dcm(layout, {"train": ["../../x"], "validation": [], "test": []})
    assert "leaves the folder" in prepare(layout, "-cf", code=2)
    dcm(layout, {"train": ["a", "b"], "validation": [], "test": []}, boxes="8 1 1 50 50\n8 one\n")
    assert "a.txt:2" in prepare(layout, "-cf", code=2)
    layout.dcm_pages("test").unlink()
    assert "test.txt missing" in prepare(layout, "-cf", code=2)
    assert not layout.cropped.exists()
    assert "choose one or more of" in prepare(layout, code=2)


def test_a_file_that_does_not_parse_costs_its_page_alone(layout):
    dcm(layout, {"train": ["a", "b"], "validation": [], "test": []})
    (layout.dcm_boxes / "a.txt").write_text("8 1 1 50 50\n8 one\n")
    for name in ("p", "q", "r"):
        picture(layout.ebdtheque_pages / f"{name}.jpg")
        svg(layout, name, PANELS)
    svg(layout, "q", group("Line", "1,2 a,b 3,4"))
    svg(layout, "s", "", "../../../secret.jpg")
    output = prepare(layout, "-cf", "-gtm", "--workers", 1)
    assert "train 2, validation 0, test 0" in output and "a.txt:2: expected five numbers" in output
    assert "skipped 2" in output and "q.svg:4: expected points" in output and "s.svg" in output
    assert list(read_manifest(layout)) == ["b_1", "b_2"]
    assert {entry["page"] for entry in json.loads(layout.text_manifest.read_text()).values()} == {
        "p",
        "r",
    }


def test_pages_without_lists_are_split_once(layout):
    dcm(layout, {"train": [f"p{i}" for i in range(10)]})
    layout.dcm_pages("train").unlink()
    prepare(layout, "-cf", "--seed", 1)
    pages = {split: read_names(layout.dcm_pages(split), "") for split in SPLITS}
    assert [len(names) for names in pages.values()] == [8, 1, 1]
    prepare(layout, "-cf", "--seed", 2)
    assert pages == {split: read_names(layout.dcm_pages(split), "") for split in SPLITS}
    for split, frames in lists(layout.frame_list).items():
        assert {frame.rpartition("_")[0] for frame in frames} == {*pages[split]}


# Text masks

PANELS = group("Panel", "10,10 60,10 60,80 10,80", "60,10 130,10 130,80 60,80 60,10")
TEXT = (
    group("Balloon", "20,20 40,20 40,40 20,40")
    + group("TextArea", "70,20 80,20 80,30")
    + group("Line", "0,0 9,0 9,9")
)


def test_text_masks(layout):
    for i in range(10):
        picture(layout.ebdtheque_pages / f"p{i}.jpg", seed=i, grey=i == 3)
        svg(layout, f"p{i}", PANELS + TEXT)
    svg(layout, "p9", TEXT)  # no panel: the whole page is one
    picture(layout.ebdtheque_pages / "p8.jpg", 320, 240)  # twice the size that the SVG speaks of
    svg(layout, "lost", PANELS)
    broken(layout.ebdtheque_pages / "bad.jpg")
    svg(layout, "bad", PANELS)
    output = prepare(layout, "-gtm", "--workers", 2)
    assert "skipped 2" in output and "lost" in output and "bad.jpg" in output
    split = lists(layout.text_list)
    pages = {part: {frame.rpartition("_")[0] for frame in frames} for part, frames in split.items()}
    assert [len(pages[part]) for part in SPLITS] == [8, 2, 0] and not pages["train"] & pages[
        "validation"
    ]
    first, second, large = (
        np.array(Image.open(layout.text_mask(id))) for id in ("p3_1", "p3_2", "p8_1")
    )
    expected = np.zeros((70, 50), np.uint8)
    expected[10:31, 10:31] = 255
    assert (
        (first == expected).all()
        and second.shape == (70, 60)
        and second[10, 15] == 255
        and large.shape == (140, 100)
    )
    assert abs((large > 0).mean() / (first > 0).mean() - 1) < 0.1
    assert read_image(layout.text_frame("p9_1")).shape == (160, 120, 3)
    assert np.array(Image.open(layout.text_mask("p9_1")))[2, 5] == 255

    prepare(layout, "-gtm", "--mask-classes", "TextArea", "--seed", 5)
    assert not np.array(Image.open(layout.text_mask("p3_1"))).any()  # other classes: written anew
    assert lists(layout.text_list) == split  # drawn once
    prepare(layout, "-gtm", "--seed", 5, "--restart")
    assert lists(layout.text_list) != split


def test_pages_of_dcm_keep_their_split(layout):
    for i in range(10):
        picture(layout.ebdtheque_pages / f"p{i}.jpg", seed=i)
        svg(layout, f"p{i}", PANELS)
    prepare(layout, "-gtm")
    drawn = lists(layout.text_list)
    trained = sorted({frame.rpartition("_")[0] for frame in drawn["train"]})
    # DCM comes later and holds aside pages that were trained on: it wins. p of two folders: the
    # held-out one does.
    dcm(
        layout,
        {
            "train": ["a/" + trained[0], "z"],
            "validation": [trained[1]],
            "test": ["b/" + trained[0]],
        },
    )
    prepare(layout, "-gtm")
    split = {frame: part for part, frames in lists(layout.text_list).items() for frame in frames}
    assert split[trained[0] + "_1"] == "test" and split[trained[1] + "_2"] == "validation"
    assert split[trained[2] + "_1"] == "train"
    dcm(layout, {"train": [f"p{i}" for i in range(10)], "validation": [], "test": []})
    assert "no page is left for validation" in prepare(layout, "-gtm")


# Photographs


class Ramp(torch.nn.Module):
    """Log-disparity that grows by `slope` from the top of the picture to the bottom: (N, 3, H, W)
    -> (N, 1, H, W)."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = slope

    def forward(self, image):
        rows = torch.linspace(0, 1, image.shape[2])[:, None]
        return self.slope * rows + 0 * image[:, :1]


def teacher(path, slope):
    torch.jit.script(Ramp(slope)).save(str(path))
    return path


def test_lists_that_were_half_drawn_are_drawn_to_the_end(layout):
    for number in range(9):
        write_text(layout.dcm_boxes / f"p{number}.txt", "8 0 0 9 9\n")
    whole = dcm_split(layout, 0)
    for part in ("test", "validation", "train"):
        layout.dcm_pages(part).unlink()
        assert dcm_split(layout, 0) == whole and layout.dcm_pages(part).exists()
    layout.dcm_pages("test").unlink()
    with pytest.raises(UserError, match=r"test\.txt missing; an empty file will do"):
        dcm_split(layout, 1)


def test_depth_of_photographs(layout, tmp_path, monkeypatch, capsys):
    for i in range(4):
        picture(layout.photographs / f"{i}.jpg", 48 + i, 40, seed=i, grey=i == 1)
    broken(layout.photographs / "bad.jpg")
    broken(layout.photographs / "half.jpg", whole_header=True)
    ramp = teacher(tmp_path / "ramp.ts", 2.0)
    ramps = ("--teacher", ramp, "--trust-code")
    output = prepare(layout, "-cd", *ramps)
    assert (
        "depth of 5 of 5" in output and "skipped 2" in output and "train 3, validation 1" in output
    )
    depth = read_depth(layout.photograph_depth_map("3"))
    assert depth.shape == (51, 40) and (np.diff(depth[:, 20]) > 0).all()
    assert 0.8 * np.e**2 < depth.max() / depth.min() < 1.2 * np.e**2
    listed = [layout.photograph_list(part).read_text().split() for part in ("train", "validation")]
    assert sorted(chain(*listed)) == ["0", "1", "2", "3"]

    layout.photograph_depth_map("2").unlink()
    before = {i: layout.photograph_depth_map(i).stat().st_mtime_ns for i in "013"}
    (layout.photographs / "half.jpg").unlink()
    assert "depth of 1 of 4" in prepare_here(layout, monkeypatch, capsys, "-cd", *ramps)
    assert before == {i: layout.photograph_depth_map(i).stat().st_mtime_ns for i in "013"}
    assert layout.photograph_depth_map("2").exists()

    chosen = tmp_path / "chosen.tsv"
    chosen.write_text("# name\tlicence\n3\tfree\n1\tfree\n")
    listed = ("-cd", "--teacher", ramp, "--photograph-list", chosen)
    said = prepare_here(layout, monkeypatch, capsys, *listed)
    assert "train 1, validation 1 photographs" in said
    chosen.write_text("3\nlost\n")
    assert "1 missing: lost" in prepare(layout, *listed, code=2)

    other = teacher(tmp_path / "other.ts", -1.0)
    assert "teachers are not mixed" in prepare(layout, "-cd", "--teacher", other, code=2)
    assert json.loads(layout.photograph_teacher.read_text())["name"] == str(ramp)
    prepare_here(layout, monkeypatch, capsys, "-cd", "--teacher", other, "--restart")
    assert (np.diff(read_depth(layout.photograph_depth_map("0"))[:, 5]) < 0).all()
    assert "default as it is now" in prepare(layout, "-cd", "--preset", "demo", code=2)


# A folder of images as a domain


def test_import_comics(layout, tmp_path):
    for i in range(10):
        picture(tmp_path / "manga" / ("vol 1" if i % 2 else ".") / f"m{i}.png", seed=i)
    broken(tmp_path / "manga" / "bad.png")
    as_comics = ("--import_domain", tmp_path / "manga", "--as", "comics")
    prepare(layout, *as_comics, "--dry-run")
    assert not layout.data_root.exists()
    assert (
        "train 8, validation 1, test 1" in (output := prepare(layout, *as_comics))
        and "bad.png" in output
    )
    split, entry = lists(layout.frame_list), read_manifest(layout)["vol 1/m3_1"]
    assert (entry["page"], entry["box"], entry["legacy"]) == (
        "vol 1/m3",
        [0, 0, 120, 160],
        "vol 1/m31",
    )
    assert read_image(layout.frame("vol 1/m3_1")).shape == (160, 120, 3)
    prepare(layout, *as_comics, "--seed", 7)
    assert lists(layout.frame_list) == split

    picture(tmp_path / "paintings" / "m0.png", 40, 40)
    other = ("--import_domain", tmp_path / "paintings", "--as", "comics")
    assert "holds another domain" in prepare(layout, *other, code=2)
    dcm(layout, {"train": ["d"], "validation": [], "test": []})
    assert "holds an imported domain" in prepare(layout, "-cf", code=2)
    prepare(layout, *other, "--restart")
    assert list(read_manifest(layout)) == ["m0_1"] and not layout.frame("vol 1/m3_1").exists()
    prepare(layout, "-cf", "--restart")
    assert list(read_manifest(layout)) == ["d_1", "d_2"]
    assert "belong together" in prepare(layout, *other[:2], code=2)
    assert "inside each other" in prepare(
        layout, "--import_domain", layout.frames, "--as", "comics", code=2
    )


def test_import_pages_cut_into_their_panels(layout, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("found", "given", "wrong"):
        page = np.full((600, 400, 3), 255, np.uint8)
        for y1, y2 in ((20, 290), (310, 580)):
            page[y1:y2, 20:380] = 30
            page[y1 + 4 : y2 - 4, 24:376] = 60 + rng.integers(0, 60, (y2 - y1 - 8, 352, 3))
        write_image(tmp_path / "pages" / f"{name}.png", page)
    (tmp_path / "pages" / "given.txt").write_text("8 100 100 300 250\n")
    (tmp_path / "pages" / "wrong.txt").write_text("1 5 5 50 50\n")
    options = ("--import_domain", tmp_path / "pages", "--as", "comics", "--split-pages")
    said = prepare(layout, *options)
    assert "wrong.txt" in said and "mend or remove it" in said
    found = {name: entry["box"] for name, entry in read_manifest(layout).items()}
    assert list(found) == ["found_1", "found_2", "given_1"]
    assert found["given_1"] == [100, 100, 300, 250]
    for number, y1, y2 in (("1", 20, 290), ("2", 310, 580)):
        box = found[f"found_{number}"]
        assert np.abs(np.subtract(box, (20, y1, 380, y2))).max() < 12
        height, width, _ = read_image(layout.frame(f"found_{number}")).shape
        assert (width, height) == (box[2] - box[0], box[3] - box[1])
    written = {name: layout.frame(name).stat().st_mtime_ns for name in found}
    assert "mend or remove it" in prepare(layout, *options)
    assert {name: layout.frame(name).stat().st_mtime_ns for name in found} == written
    assert "belongs to" in prepare(layout, *options[:3], "natural", options[-1], code=2)


def test_import_photographs(layout, tmp_path):
    for i in range(10):
        picture(tmp_path / "holiday" / f"{i}.png", seed=i)
    as_natural = ("--import_domain", tmp_path / "holiday", "--as", "natural")
    assert "train 9, validation 1" in prepare(layout, *as_natural)
    assert sorted(path.name for path in layout.photographs.iterdir()) == [
        f"{i}.jpg" for i in range(10)
    ]
    first = photograph_split(layout, 5)
    prepare(layout, *as_natural, "--seed", 5)
    assert photograph_split(layout, 5) == first

    picture(tmp_path / "other" / "new.png")
    other = ("--import_domain", tmp_path / "other", "--as", "natural")
    assert "holds another domain" in prepare(layout, *other, code=2)
    layout.import_note(
        "natural"
    ).unlink()  # photographs that this command did not bring are never thrown away
    assert "another --data-root" in prepare(layout, *other, "--restart", code=2)
    assert len(list(layout.photographs.iterdir())) == 10


# Real pages


@pytest.mark.skipif(not REAL.exists(), reason="the pack of real pages is not beside the repository")
def test_real_pages(layout):
    layout.data_root.mkdir()
    for name in ("dcm_dataset.git", "eBDtheque_database_v3"):
        (layout.data_root / name).symlink_to(REAL / name)
    output = prepare(layout, "-cf", "-gtm")
    assert "crop_frames: train 230, validation 59, test 54" in output and "skipped" not in output
    masks = json.loads(layout.text_manifest.read_text())
    assert len(masks) == 153
    pages = {split: set(read_names(layout.dcm_pages(split), "")) for split in SPLITS}
    assert all(entry["page"] in pages[entry["split"]] for entry in masks.values())
    both = either = 0
    for id, entry in masks.items():
        x1, y1, x2, y2 = entry["box"]
        ours = np.array(Image.open(layout.text_mask(id))) > 0
        truth = np.array(Image.open(REAL / "text_masks" / f"{entry['page']}.png"))[y1:y2, x1:x2] > 0
        both, either = both + (ours & truth).sum(), either + (ours | truth).sum()
    assert both / either > 0.95
