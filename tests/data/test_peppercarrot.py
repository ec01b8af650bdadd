"""Pages of Pepper&Carrot to a data root: from made-up files in each of the three forms, and, where
two episodes are at hand, to exactly the pages they are known to give."""

import json
import re
import shutil
import stat
import sys
import tomllib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from comics_depth.data.annotations import read_boxes, read_svg
from comics_depth.data.orderings import Point, read_ordering
from comics_depth.data.peppercarrot import (
    difference_mask,
    import_peppercarrot,
    lettering_mask,
    scaled_point,
)
from comics_depth.images import read_image, write_image
from comics_depth.paths import PEPPERCARROT, SPLITS, Layout, read_names
from common.errors import UserError

SHARED = Path(__file__).resolve().parents[3] / "shared"
EPISODES = SHARED / "peppercarrot_sources"
REAL = SHARED / "realdata"
OPTIONS = {"workers": 1, "restart": False}
NAME = "Pepper-and-Carrot_by-David-Revoy_E01P01"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="art.png"/><rect/></svg>'
# draws a balloon, opaque in the middle and faint far from it, on every page without its art
INKSCAPE = """#!{python}
import sys
from pathlib import Path
import numpy as np
from PIL import Image
assert "<image" not in Path(sys.argv[-1]).read_text()
options = dict(word.split("=") for word in sys.argv[1:-1] if "=" in word)
layer = np.zeros((701, int(options["--export-width"]), 4), np.uint8)
layer[100:160, 50:150] = (255, 255, 255, 255)
layer[160:162, 50:150, 3] = 90
layer[300:310, 200:210, 3] = 60
Image.fromarray(layer).save(options["--export-filename"])
"""


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "data", tmp_path / "runs")


@pytest.fixture
def inkscape(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "inkscape"
    program.parent.mkdir()
    program.write_text(INKSCAPE.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def art():
    """Half the size of the art that the boxes refer to."""
    rows = np.linspace(40, 200, 701).astype(np.uint8)[:, None, None]
    return np.broadcast_to(rows, (701, 496, 3)).copy()


def test_what_is_ours_is_whole():
    """Every page has its list, boxes and authors; every ordering a frame and points inside it."""
    sources = tomllib.loads((PEPPERCARROT / "sources.toml").read_text(encoding="utf-8"))
    assert {f"ep{number:02d}" for number in range(1, 18)} == set(sources.pop("revisions"))
    lists = {name: read_names(PEPPERCARROT / f"{name}.txt") for name in ("train", "val", "test")}
    assert {name: len(pages) for name, pages in lists.items()} == {
        "train": 66,
        "val": 20,
        "test": 13,
    }
    assert sorted(chain(*lists.values())) == sorted(sources)
    index = json.loads((PEPPERCARROT / "index.json").read_text(encoding="utf-8"))
    found = {path.stem for path in (PEPPERCARROT / "depth").glob("*.txt")}
    assert found == set(index) and len(found) == 282
    frames = 0
    for name, source in sources.items():
        assert source["art"] and source["english"] and source["licence"] == "CC BY 4.0"
        width, height = source["size"]
        boxes, skipped = read_boxes(PEPPERCARROT / f"groundtruth/{name}.txt", (height, width))
        assert not skipped
        frames += len(boxes)
        for k, (x1, y1, x2, y2) in boxes:
            if f"{name}_{k}" not in found:
                continue
            points = read_ordering(PEPPERCARROT / f"depth/{name}_{k}.txt")
            assert len(points) == index[f"{name}_{k}"]["points"] > 1
            assert all(0 <= p.x < x2 - x1 and 0 <= p.y < y2 - y1 for p in points)
            found.remove(f"{name}_{k}")
    assert frames == 343 and not found
    text = (PEPPERCARROT.parent / "coco_free_photographs.tsv").read_text(encoding="utf-8")
    photographs = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    assert len({row[0] for row in photographs}) == 111
    assert not [row for row in photographs if "Non" in row[2] or "NoDerivs" in row[2]]


@pytest.mark.parametrize("language", ["en", "lang/en"])
def test_repositories_with_lettering_in_svg(tmp_path, layout, inkscape, language, capsys):
    folder = tmp_path / "source"
    above = folder / language
    svg = NAME if language == "en" else "E01P01"
    above.mkdir(parents=True)
    (above / f"{svg}.svg").write_text(SVG)
    (folder / "fr").mkdir()
    (folder / f"fr/{svg}.svg").write_text("another language, not read")
    write_image(above.parent / f"gfx_{NAME}.png", art())
    write_image(above.parent / f"gfx_{NAME[:-2]}99.png", art())  # a page that is not annotated
    import_peppercarrot(layout, [folder], **OPTIONS)
    said = capsys.readouterr().out
    assert "train 1, validation 0, test 0 pages" in said and "ep17_p07" in said
    assert "ep01_p01" not in said
    page, mask = (
        read_image(layout.dcm_images / "ep01_p01.jpg"),
        read_image(layout.page_mask("ep01_p01")),
    )
    expected = np.zeros((701, 496), bool)
    expected[100:160, 50:150] = True
    expected[300:310, 200:210] = True  # faint, but not the edge of what is opaque
    assert np.array_equal(mask[..., 0] > 0, expected)
    assert page[105:150, 60:140].min() > 240 and page[:90].max() < 80
    free = read_image(layout.text_free_page("ep01_p01")).astype(int)
    assert np.abs(free - art()).max() < 12
    lines = (layout.dcm_boxes / "ep01_p01.txt").read_text().splitlines()
    assert lines[0] == "8 20 21 476 240"  # half of 41 41 952 480, rounded
    polygons = read_svg(layout.ebdtheque_svg / "ep01_p01.svg", layout.ebdtheque).polygons
    assert {name: len(p) for name, p in polygons.items() if p} == {
        "Panel": 3,
        "Balloon": 1,
        "Line": 1,
    }
    half = read_ordering(layout.ordering("ep01_p01_1"))
    whole = read_ordering(PEPPERCARROT / "depth/ep01_p01_1.txt")
    assert [p[:2] for p in half] == [p[:2] for p in whole]
    assert (
        max(abs(2 * p.x - q.x) + abs(2 * p.y - q.y) for p, q in zip(half, whole, strict=True)) <= 5
    )


def test_pages_of_the_web_site(tmp_path, layout, monkeypatch, capsys):
    """Lettered and text-free JPEG: no Inkscape, and no second compression."""
    monkeypatch.setenv("PATH", "")
    folder = tmp_path / "low-res"
    lettered = art()
    lettered[100:160, 50:150] = 255
    write_image(folder / f"en_{NAME}.jpg", lettered, quality=90, subsampling=2)
    write_image(folder / "gfx-only" / f"gfx_{NAME}.jpg", art(), quality=88, subsampling=2)
    write_image(folder / f"fr_{NAME}.jpg", art())
    import_peppercarrot(layout, [folder], **OPTIONS)
    same = (layout.dcm_images / "ep01_p01.jpg").read_bytes()
    assert same == (folder / f"en_{NAME}.jpg").read_bytes()
    mask = read_image(layout.page_mask("ep01_p01"))[..., 0] > 0
    assert mask[101:159, 51:149].all() and not mask[:90].any() and not mask[170:].any()
    written = layout.dcm_images / "ep01_p01.jpg"
    before = written.stat().st_mtime_ns
    import_peppercarrot(layout, [folder], **OPTIONS)
    assert written.stat().st_mtime_ns == before
    import_peppercarrot(layout, [folder], workers=1, restart=True)
    assert written.stat().st_mtime_ns > before


def test_what_is_missing_is_said(tmp_path, layout, monkeypatch, capsys):
    folder = tmp_path / "source"
    folder.mkdir()
    with pytest.raises(UserError, match="found no art"):
        import_peppercarrot(layout, [folder], **OPTIONS)
    write_image(folder / f"gfx_{NAME}.png", art())
    write_image(folder / f"gfx_{NAME[:-6]}E05P02.png", art())
    write_image(folder / f"gfx_{NAME[:-6]}E05P03.png", art()[:400])
    import_peppercarrot(layout, [folder], **OPTIONS)
    said = capsys.readouterr().out
    assert re.search(r"no English lettering .*: ep01_p01$", said, re.MULTILINE)
    assert "E05P03.png: expected the proportions" in said
    names = {split: read_names(layout.dcm_pages(split)) for split in SPLITS}
    assert names == {"train": ["ep05_p02"], "validation": [], "test": []}
    assert not read_image(layout.page_mask("ep05_p02")).any()  # a page without lettering
    (folder / "en").mkdir()
    (folder / f"en/{NAME}.svg").write_text(SVG)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="apt install inkscape"):
        import_peppercarrot(layout, [folder], **OPTIONS)
    write_image(layout.dcm_images / "other.jpg", art())
    with pytest.raises(UserError, match="holds other pages"):
        import_peppercarrot(layout, [folder], **OPTIONS)


def test_masks_and_points():
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:8, 5:8] = 200
    alpha[5, 9] = 100  # two pixels from what is opaque: its edge
    alpha[5, 10] = 100
    alpha[15, 15] = 20
    expected = alpha > 128
    expected[5, 10] = True
    assert np.array_equal(lettering_mask(alpha), expected)
    art_, page = np.full((2, 40, 40, 3), 100, np.uint8)
    page[5:8, 5:8] = 160
    page[8, 5:8] = 126  # joined to it, and noticeably other
    page[20, 20:25] = 160  # five pixels are noise
    page[30:34, 30:34] = 130  # even much of what differs little is
    found = np.zeros((40, 40), bool)
    found[5:9, 5:8] = True
    assert np.array_equal(difference_mask(page, art_), found)
    scale = np.array([0.5, 2.0])
    point = scaled_point(Point(1, 2, 9, 0), (10, 10, 20, 30), (5, 20, 10, 60), scale)
    assert point == (1, 2, 4, 1)


@pytest.mark.skipif(
    not EPISODES.exists() or not shutil.which("inkscape"),
    reason="the two episodes are not here, or Inkscape is not installed",
)
def test_two_real_episodes_give_the_known_pages(layout):
    """Inkscape draws the lettering to the pixel where it is 1.2 and has the fonts."""
    import_peppercarrot(layout, [EPISODES], workers=2, restart=False)
    names = [name for split in SPLITS for name in read_names(layout.dcm_pages(split))]
    assert [name[:4] for name in names] == ["ep01"] * 3 + ["ep14"] * 6
    for name in names:
        boxes = f"dcm_dataset.git/groundtruth/{name}.txt"
        assert (layout.data_root / boxes).read_text() == (REAL / boxes).read_text()
        mask = read_image(layout.page_mask(name))
        assert np.array_equal(mask, read_image(REAL / f"text_masks/{name}.png"))
        for path in (f"dcm_dataset.git/images/{name}.jpg", f"text_free/{name}.jpg"):
            own, known = (read_image(root / path) for root in (layout.data_root, REAL))
            assert np.abs(own.astype(int) - known).mean() < 0.5
        svg = f"eBDtheque_database_v3/GT/{name}.svg"
        assert (layout.data_root / svg).exists() == (REAL / svg).exists()
        if (REAL / svg).exists():
            own, known = (
                read_svg(root / svg, root / "eBDtheque_database_v3").polygons
                for root in (layout.data_root, REAL)
            )
            assert all(
                len(own[kind]) == len(known[kind])
                and all(map(np.array_equal, own[kind], known[kind]))
                for kind in known
            )
    for path in layout.orderings.glob("*.txt"):
        known = "depth_orderings_train" if path.stem.startswith("ep01") else "depth_orderings"
        assert read_ordering(path) == read_ordering(REAL / known / path.name)
