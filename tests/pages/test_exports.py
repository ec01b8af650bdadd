"""What is made of a frame and its depth: it loads again, fits together, moves."""

import shutil

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image

from comics_depth.data.depth_files import write_depth
from comics_depth.images import write_image
from comics_depth.pages.exports import Exports, layers
from comics_depth.pages.motion import parallax, write_animation
from comics_depth.pages.pictures import BAND, beside_depth, contact_sheet, marked
from comics_depth.pages.solids import FARTHEST, write_mesh, write_points
from comics_depth.pages.viewer import write_viewer
from common.errors import UserError
from common.files import write_json


@pytest.fixture
def square():
    """A far blue wall, 100 x 160, and a near red square of 20 pixels in front of it, whose depth
    reaches two pixels farther."""
    image = np.zeros((100, 160, 3), np.uint8)
    image[:, :, 2] = np.linspace(50, 200, 160)
    image[40:60, 70:90] = (255, 0, 0)
    depth = np.zeros((100, 160), np.float32)
    depth[38:62, 68:92] = 1
    return image, depth


def test_near_points_move_most_and_hide_what_is_behind(square):
    views = parallax(*square, steps=4)
    centres = [np.argwhere(view[..., 0] > 128).mean(axis=0) for view in views]
    sizes = [(view[..., 0] > 128).sum() for view in views]
    assert 4 < centres[0][1] - centres[2][1] < 7 and 1 < centres[1][0] - centres[3][0] < 4
    assert max(sizes) < 1.15 * 400 and min(sizes) > 0.85 * 400  # neither torn nor smeared
    for view in views:
        wall = view[..., 0] < 128
        assert view[wall][:, 0].max() < 100 and view[wall][:, 2].min() > 30  # the holes are wall


def red(view):
    return view[..., 0] > 128


def test_a_sweep_goes_sideways_a_dolly_in_and_strength_is_how_far(square):
    weak, strong = (parallax(*square, steps=4, path="sweep", strength=s) for s in (0.5, 1.5))
    for views, least, most in ((weak, 1.5, 4), (strong, 6.5, 10)):
        centres = np.array([np.argwhere(red(view)).mean(axis=0) for view in views])
        assert least < np.ptp(centres[:, 1]) < most and np.ptp(centres[:, 0]) < 1
    views = parallax(*square, steps=4, path="dolly", strength=2)
    sizes = [int(red(view).sum()) for view in views]
    assert sizes[0] == 400 and 1.2**2 * 400 < sizes[2] < 1.4**2 * 400 and sizes[1] == sizes[3]
    assert not red(views[2])[:28].any()
    assert max(parallax(*square, steps=1, side=80)[0].shape) <= 80


@pytest.mark.parametrize("kind", ["webp", "gif", "mp4"])
def test_animations_have_every_view(tmp_path, square, kind):
    views = parallax(*square, steps=5)
    path = tmp_path / f"moving.{kind}"
    write_animation(path, views)
    if kind == "mp4":
        frames = cv2.VideoCapture(str(path))
        assert frames.get(cv2.CAP_PROP_FRAME_COUNT) == 5
        first = frames.read()[1][..., ::-1].astype(int)
        assert np.abs(first - views[0][: len(first), : first.shape[1]]).mean() < 20
        return
    with Image.open(path) as animation:
        assert animation.n_frames == 5 and animation.info["loop"] == 0
        assert animation.size == views[0].shape[1::-1]


def test_point_cloud_is_a_pyramid_of_sight(tmp_path):
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    depth = np.zeros((4, 6), np.float32)
    depth[0, 0] = 1
    write_points(tmp_path / "frame.ply", image, depth)
    cloud = trimesh.load(tmp_path / "frame.ply")
    assert np.array_equal(cloud.colors[:, :3], image.reshape(-1, 3))
    points = np.asarray(cloud.vertices)
    assert points[0, 2] == pytest.approx(-1) and points[1:, 2] == pytest.approx(-FARTHEST)
    assert points[0, 0] < 0 < points[0, 1] and points[-1, 1] < 0 < points[-1, 0]


def test_a_mesh_is_cut_at_depth_edges_faces_the_camera_and_has_its_texture(tmp_path, square):
    image, depth = square
    write_mesh(tmp_path / "frame.glb", image, depth)
    [mesh] = trimesh.load(tmp_path / "frame.glb").geometry.values()
    distance = -mesh.vertices[mesh.faces][..., 2]
    assert np.ptp(distance, axis=1).max() < 0.1  # no triangle from the square to the wall
    assert 0.9 * 2 * depth.size < len(mesh.faces) < 2 * 99 * 159 - 100
    assert (mesh.face_normals[:, 2] > 0).all()
    texture = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"))
    assert texture.shape == image.shape and np.abs(texture.astype(int) - image).mean() < 8
    # a point of the square is red: rows of an image go down, v goes up
    u, v = mesh.visual.uv[np.argmin(np.abs(mesh.vertices - [0, 0, -1]).sum(axis=1))]
    assert texture[int((1 - v) * 100), int(u * 160)][0] > 200


def test_layers_lie_on_each_other_as_the_picture_and_go_on_behind(square):
    image, depth = square
    depth = depth + np.linspace(0, 0.5, 160, dtype=np.float32) * (depth == 0)
    cut = layers(image, depth, 3)
    assert len(cut) == 3 and all(layer.shape == (100, 160, 4) for layer in cut)
    picture = Image.new("RGBA", (160, 100))
    for layer in reversed(cut):
        picture.alpha_composite(Image.fromarray(layer))
    assert np.array_equal(np.asarray(picture)[..., :3], image)
    nearest, farthest = cut[0], cut[-1]
    assert nearest[50, 80].tolist() == [255, 0, 0, 255] and not nearest[:, :60, 3].any()
    assert farthest[..., 3].all() and farthest[..., 0].max() < 20  # nothing red is left in it
    assert len(layers(image, np.zeros_like(depth), 4)) == 1


def test_what_is_found_is_drawn_and_named():
    page = np.full((300, 200, 3), 255, np.uint8)
    text = np.zeros((300, 200), bool)
    text[200:220, 100:140] = True
    drawn = marked(page, [(1, (10, 10, 190, 140)), (2, (10, 150, 190, 290))], text)
    assert (page == 255).all() and (drawn[10, 40:190] == drawn[10, 40]).all()
    assert drawn[10, 40].tolist() != [255] * 3 and drawn[210, 120].tolist() != [255] * 3
    assert (drawn[100, 60:100] == 255).all()
    depth = np.zeros((300, 200), np.float32)
    sheet = contact_sheet({"a": beside_depth(drawn, depth), "b/" + "long" * 50: drawn})
    assert (sheet[:BAND, :50] > 200).any() and sheet.shape[1] < 900


def test_an_encoder_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Exports(format="mp4").names == []
    with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
        Exports(parallax=True, format="mp4")


def test_the_page_for_the_browser_moves_with_the_mouse(tmp_path, square):
    """In Chromium, and without any other file."""
    image, depth = square
    odd = "album 1/p\"<b>&'1"
    folder = tmp_path / "out" / odd
    write_image(folder / "preview.jpg", beside_depth(image, depth))
    write_image(folder / "frame_1_image.jpg", image)
    write_depth(folder / "frame_1.png", depth)
    frame = {"box": [0, 0, 160, 100], "confidence": 0.9, "depth": "frame_1.png"}
    write_json(folder / "page.json", {"frames": [frame]})
    write_viewer(tmp_path / "alone" / "album.html", tmp_path / "out", [odd])
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 900})
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.goto((tmp_path / "alone" / "album.html").as_uri())
        assert page.locator("h2").inner_text() == odd
        view = page.locator(".view")
        view.scroll_into_view_if_needed()
        box = view.bounding_box()
        middles = []
        for share in (0.02, 0.98):  # where the mouse is: from the left to the right border
            page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
            page.wait_for_selector(".view canvas")
            page.evaluate("() => new Promise(done => setTimeout(done, 100))")
            code = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
            shown = np.array(view.locator("canvas").evaluate(code)).reshape(100, 160, 4)
            where = np.argwhere((shown[..., 0] > 128) & (shown[..., 2] < 100))
            assert 300 < len(where) < 500
            middles.append(where[:, 1].mean())
        browser.close()
    assert not problems and 4 < abs(middles[0] - middles[1]) < 7
