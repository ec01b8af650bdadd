"""The synthetic world: reproducible, in the datasets' formats, and true."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image

from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import read_ordering
from comics_depth.paths import SPLITS, Layout, read_names
from comics_depth.synthetic import world
from comics_depth.synthetic.camera import Camera, cast
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.pages import comics_page, order_points
from comics_depth.synthetic.scene import Scene
from common.errors import UserError
from common.files import read_json


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    made = Layout(root / "data", root / "runs")
    world.write_world(made, pages=4, photographs=3, seed=5, workers=1)
    return made


def files(layout):
    return {
        path.relative_to(layout.data_root): path.read_bytes()
        for path in layout.data_root.rglob("*")
        if path.is_file()
    }


def boxes(layout, page):
    rows = [
        [int(word) for word in line.split()]
        for line in (layout.dcm_boxes / f"{page}.txt").read_text().splitlines()
    ]
    assert all(len(row) == 5 for row in rows)
    return rows


def all_pages(layout):
    return [page for split in SPLITS for page in read_names(layout.dcm_pages(split), "")]


def test_depth_of_a_camera_is_exact():
    scene = Scene(np.random.default_rng(0))
    scene.begin("ball")
    scene.ball((0, 0, 5), 1.0, (9, 9, 9))
    scene.begin("ground")
    scene.box((0, -2.5, 50), (400, 1, 400), (9, 9, 9))
    scene.begin("tube")
    scene.tube((3, 0, 10), (3, 6, 10), 1.0, (9, 9, 9))
    view = cast(scene.shapes, Camera(np.zeros(3), np.eye(3), 50.0, 101, 101))
    assert view.depth[50, 50] == pytest.approx(4)  # front of the ball
    assert view.group[50, 50] == 1 and view.normal[:, 50, 50] == pytest.approx([0, 0, -1], abs=1e-5)
    assert view.depth[100, 50] == pytest.approx(
        2 * 50 / 50
    )  # 50 pixels below the horizon, 2 m below the eye
    row, column = np.argwhere(view.group == 3)[0]
    assert 9 <= view.depth[row, column] <= 10
    assert np.isinf(view.depth[0, 50]) and view.group[0, 50] == 0


def test_same_seed_same_bytes_whatever_the_counts_and_the_workers(layout, tmp_path):
    again, other = Layout(tmp_path / "again", tmp_path), Layout(tmp_path / "other", tmp_path)
    world.write_world(again, pages=2, photographs=2, seed=5, workers=2)
    world.write_world(other, pages=1, photographs=1, seed=6, workers=1)
    ours, same, others = (
        {
            path: data
            for path, data in files(made).items()
            if path.suffix in (".jpg", ".png", ".svg")
        }
        for made in (layout, again, other)
    )
    assert len(same) > 12 and all(ours[path] == data for path, data in same.items())
    assert others and not any(ours.get(path) == data for path, data in others.items())


def test_formats(layout):
    pages = all_pages(layout)
    assert [len(read_names(layout.dcm_pages(split), "")) for split in SPLITS] == [2, 1, 1]
    assert len(set(pages)) == 4 and len(list(layout.photographs.glob("*.jpg"))) == 3
    for page in pages:
        width, height = Image.open(layout.dcm_images / f"{page}.jpg").size
        rows = boxes(layout, page)
        assert all(0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height for _, x1, y1, x2, y2 in rows)
        frames = [row for row in rows if row[0] == 8]
        assert 2 <= len(frames) <= 6
        for k, (_, x1, y1, x2, y2) in enumerate(frames, start=1):
            depth = read_depth(layout.frame_truth / f"{page}_{k}.png")
            assert (
                depth.shape == (y2 - y1, x2 - x1) and depth.min() >= 0 and depth.max() > depth.min()
            )
    for path in layout.photographs.glob("*.jpg"):
        assert (
            read_depth(layout.photograph_truth / f"{path.stem}.png").shape
            == Image.open(path).size[::-1]
        )
    svg = sorted((layout.ebdtheque / "GT").glob("*.svg"))
    assert len(svg) == 2
    text = svg[0].read_text()
    assert all(
        f'class="{name}"' in text
        for name in ("Page", "Panel", "Balloon", "Line", "TextArea", "Character")
    )
    assert re.search(r'<polygon id="\S+" points="(\d+,\d+ )+\d+,\d+"/>', text)


def test_orderings_agree_with_the_truth_and_their_points_are_free(layout):
    found = 0
    for page in all_pages(layout):
        for k in range(1, sum(row[0] == 8 for row in boxes(layout, page)) + 1):
            points = read_ordering(layout.ordering(f"{page}_{k}"))
            depth = read_depth(layout.frame_truth / f"{page}_{k}.png")
            assert 3 <= len(points) <= 10
            for a in points:
                for b in points:
                    if (a.object_level, a.intra_level) < (b.object_level, b.intra_level):
                        assert depth[a.y, a.x] > depth[b.y, b.x]
                        found += 1
    assert found > 80


def test_text_mask_holds_the_lettering():
    page = comics_page(5, 0)
    assert 0.005 < page.text_mask.mean() < 0.4 and page.text_mask.shape == page.image.shape[:2]
    drawn = np.zeros(page.text_mask.shape, np.uint8)
    for polygon in page.polygons["Balloon"] + page.polygons["Line"]:
        cv2.fillPoly(drawn, [np.round(polygon).astype(np.int32)], 1)
    both = ((drawn > 0) & page.text_mask).sum() / ((drawn > 0) | page.text_mask).sum()
    assert both > 0.98
    for (x1, y1, x2, y2), points in zip(page.boxes, page.orderings, strict=True):
        inside = page.text_mask[y1:y2, x1:x2]
        assert not any(inside[p.y, p.x] for p in points)


def test_lower_is_nearer_is_not_enough():
    """A vertical ramp must stay below 0.80, else the world cannot tell a depth network from a
    rule."""
    right = []
    for n, kind in enumerate(list(KINDS) * 3):
        rng = np.random.default_rng(n)
        frame = comics_frame(kind, rng, 120, 150, draw_style(rng))
        points = order_points(frame.inverse_depth, frame.group, np.zeros((120, 150), np.uint8), rng)
        right.append([a.y > b.y for a in points for b in points if a.object_level < b.object_level])
    assert 0.5 < np.mean([np.mean(frame) for frame in right if frame]) < 0.8


def test_a_finished_world_stays_and_another_is_refused(layout, capsys):
    before = {path: path.stat().st_mtime_ns for path in layout.data_root.rglob("*")}
    world.write_world(layout, pages=4, photographs=3, seed=5)
    assert "already" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in layout.data_root.rglob("*")}
    with pytest.raises(UserError, match="--restart"):
        world.write_world(layout, pages=4, photographs=3, seed=8)


def test_an_interrupted_world_goes_on_and_restart_replaces_it(tmp_path, monkeypatch):
    made = Layout(tmp_path / "data", tmp_path)

    def interrupt(*job):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world, "_write_photograph", interrupt)
        with pytest.raises(KeyboardInterrupt):
            world.write_world(made, pages=0, photographs=1, workers=1)
    record = made.photograph_truth.parent / "world.json"
    assert not record.exists()
    world.write_world(made, pages=0, photographs=1, workers=1)
    assert read_json(record)["photographs"] == 1
    stale = made.cropped / "images" / "old.jpg"
    stale.parent.mkdir(parents=True)
    for path in (stale, made.photograph_list("train")):
        path.touch()
    world.write_world(made, pages=0, photographs=2, workers=1, restart=True)
    assert (
        not stale.exists()
        and not made.photograph_list("train").exists()
        and len(list(made.photographs.glob("*.jpg"))) == 2
    )


def test_real_data_is_never_written_over(tmp_path):
    made = Layout(tmp_path, tmp_path)
    made.dcm_images.mkdir(parents=True)
    with pytest.raises(UserError, match="another folder"):
        world.write_world(made, pages=1, photographs=1, restart=True)
    assert not made.photograph_truth.parent.exists()
