"""The two pages over HTTP, and with real clicks in headless Chromium."""

import http.client
import json
import shutil
import threading
import time
import urllib.parse
from contextlib import contextmanager

import numpy as np
import pytest

from comics_depth.annotating import checking, ordering
from comics_depth.annotating import server as web
from comics_depth.data.orderings import read_ordering
from comics_depth.images import write_image
from comics_depth.paths import Layout
from common.errors import UserError
from common.files import write_json

ODD = "album 1/p\"<b>&'1#?%_1"  # slashes, quotes and HTML may stand in page names
FRAMES = [ODD, "p2_1", "p2_2"]


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    image = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    for frame in FRAMES:
        write_image(layout.frame(frame), image)
        write_image(layout.no_text / f"{frame}.jpg", image)
    write_image(layout.no_text / "contact_sheet.jpg", image)
    write_image(layout.dcm_images / "p2.png", np.full((300, 200, 3), 200, np.uint8))
    write_json(
        layout.manifest,
        {"p2_1": {"page": "p2", "box": [20, 30, 140, 120]}, ODD: {"page": "gone", "box": [0] * 4}},
    )
    write_json(
        layout.no_text / "manifest.json", {frame: {"box": [0, 0, 120, 90]} for frame in FRAMES}
    )
    return layout


@contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(server, method, route, body=None, token=None, **headers):
    """(status, JSON or bytes, headers) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(
        method, f"/{server.token if token is None else token}/{route}", body, headers
    )
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    is_json = reply.headers["Content-Type"] == "application/json"
    return reply.status, json.loads(content) if is_json else content, reply.headers


def about(route, frame):
    return f"{route}?id={urllib.parse.quote(frame, safe='')}"


@pytest.fixture
def orderings(layout):
    with running(ordering.OrderingServer(layout, FRAMES, "127.0.0.1", 0)) as server:
        yield server


def save(server, frame, points, before):
    return ask(server, "POST", "save", {"id": frame, "points": points, "before": before})[:2]


def test_points_are_saved_and_undone_to_no_file(layout, orderings):
    one, two = [1, 1, 5, 6], [1, 2, 119, 89]
    assert save(orderings, ODD, [one], []) == (200, {"points": 1})
    assert save(orderings, ODD, [one, two], [one])[0] == 200
    assert layout.ordering(ODD).read_text() == "1 1 5 6\n1 2 119 89\n"
    assert ask(orderings, "GET", about("frame", ODD))[1]["points"] == [one, two]
    assert [entry["points"] for entry in ask(orderings, "GET", "state")[1]["frames"]] == [2, 0, 0]
    assert save(orderings, ODD, [], [one, two]) == (200, {"points": 0})
    assert not layout.ordering(ODD).exists()
    assert not list(layout.orderings.rglob("*.txt"))
    assert ask(orderings, "GET", "state")[1]["frames"][0] == {"id": ODD, "points": 0}


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([[1, 1, 120, 5]], "outside the frame (120x90"),
        ([[1, 1, 5, 90]], "outside"),
        ([[1, 1, -1, 5]], "outside"),
        ([[0, 1, 5, 5]], "levels go from 1"),
        ([[1, 10**9, 5, 5]], "levels go from 1"),
        ([[1, 1, 5]], "four integers"),
        ([[1, 1, 5, 5.5]], "four integers"),
        ([[True, 1, 5, 5]], "four integers"),
        ("1 1 5 5", "four integers"),
        (None, "four integers"),
    ],
)
def test_wrong_points_are_refused(layout, orderings, points, words):
    status, answer = save(orderings, "p2_1", points, [])
    assert status == 400
    assert words in answer["error"]
    assert not layout.orderings.exists()


def test_a_malformed_file_is_shown_and_kept(layout, orderings):
    layout.orderings.mkdir(parents=True)
    for content in (b"1 1 5 6\nnearest 1 2 3\n", b"\xff\xfe\x00"):
        layout.ordering("p2_1").write_bytes(content)
        answer = ask(orderings, "GET", about("frame", "p2_1"))[1]
        assert "p2_1.txt" in answer["error"]
        assert answer["points"] == []
        assert "error" in ask(orderings, "GET", "state")[1]["frames"][1]
        assert save(orderings, "p2_1", [[1, 1, 2, 2]], [])[0] == 500
        assert layout.ordering("p2_1").read_bytes() == content


def test_an_empty_file_does_not_count_and_other_writers_are_noticed(layout, orderings):
    layout.orderings.mkdir(parents=True)
    layout.ordering("p2_1").write_text("\n")
    assert ask(orderings, "GET", "state")[1]["frames"][1]["points"] == 0
    layout.ordering("p2_1").write_text(
        "1 1 3 3\n1 1 500 3\n"
    )  # an old point outside can stay, and be undone
    status, answer = save(orderings, "p2_1", [[1, 1, 5, 5]], [])
    assert status == 409
    assert "changed elsewhere" in answer["error"]
    old = [[1, 1, 3, 3], [1, 1, 500, 3]]
    assert save(orderings, "p2_1", [*old, [2, 1, 4, 4]], old)[0] == 200
    assert len(read_ordering(layout.ordering("p2_1"))) == 3


def test_names_of_2020_are_edited_in_place_unless_two_frames_claim_them(layout):
    frames = ["a_1", "b_11", "b1_1"]
    layout.orderings.mkdir(parents=True)
    for frame in frames:
        write_image(layout.frame(frame), np.zeros((9, 9, 3), np.uint8))
    for name in ("a1", "b11"):
        (layout.orderings / f"{name}.txt").write_text("1 1 3 3\n")
    with running(ordering.OrderingServer(layout, frames, "127.0.0.1", 0)) as server:
        assert [entry["points"] for entry in ask(server, "GET", "state")[1]["frames"]] == [1, 0, 0]
        assert save(server, "a_1", [], [[1, 1, 3, 3]])[0] == 200
        assert save(server, "b1_1", [[1, 1, 4, 4]], [])[0] == 200
    assert sorted(path.name for path in layout.orderings.iterdir()) == ["b11.txt", "b1_1.txt"]


def test_a_failed_save_is_told_and_harms_nothing(layout, orderings, monkeypatch):
    assert save(orderings, "p2_1", [[1, 1, 5, 5]], [])[0] == 200

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    status, answer = save(orderings, "p2_1", [[1, 1, 5, 5], [2, 1, 6, 6]], [[1, 1, 5, 5]])
    assert status == 500
    assert "No space left" in answer["error"]
    assert layout.ordering("p2_1").read_text() == "1 1 5 5\n"
    assert [path.name for path in layout.orderings.iterdir()] == ["p2_1.txt"]


def test_the_page_beside_has_its_box_or_is_absent(orderings):
    assert ask(orderings, "GET", about("frame", "p2_1"))[1]["page"] == {
        "box": [20, 30, 140, 120],
        "size": [200, 300],
    }
    status, content, headers = ask(orderings, "GET", about("page", "p2_1"))
    assert (status, headers["Content-Type"], content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    for frame in (ODD, "p2_2"):  # the page is missing; the frame is not in the manifest
        assert "page" not in ask(orderings, "GET", about("frame", frame))[1]
        assert ask(orderings, "GET", about("page", frame))[0] == 404


def test_strangers_get_nothing(layout, orderings):
    (layout.frames / "secret.jpg").write_bytes(b"secret")
    body = {"id": "p2_1", "points": [[1, 1, 5, 5]], "before": []}
    for token in ("", "wrong", orderings.token[:-1], "%2e%2e"):
        assert ask(orderings, "GET", "state", token=token)[0] == 403
        assert ask(orderings, "POST", "save", body, token=token)[0] == 403
    for host in ("evil.example", "127.0.0.1.evil.example:8000", "", "[::1", "10.0.0.1"):
        assert ask(orderings, "GET", "state", Host=host)[0] == 403
        assert ask(orderings, "POST", "save", body, Host=host)[0] == 403
    for host in ("localhost:1234", "127.0.0.1", "[::1]:8000"):
        assert ask(orderings, "GET", "state", Host=host)[0] == 200
    for name in ("secret", "../../data/dcm_cropped/images/p2_1", "..", "/etc/passwd", ""):
        for route in ("image", "page", "frame"):
            assert ask(orderings, "GET", about(route, name))[0] == 404
        assert save(orderings, name, [[1, 1, 5, 5]], [])[0] == 404
    for route in ("../__init__.py", "__init__.py", "%2e%2e/files.py", "nothing", "save"):
        assert ask(orderings, "GET", route)[0] == 404
    assert (
        ask(orderings, "POST", "save", json.dumps(body).encode(), Content_Type="text/plain")[0]
        == 400
    )
    assert ask(orderings, "POST", "save", b"[" * 90000, Content_Type="application/json")[0] == 400
    assert ask(orderings, "POST", "save", b"", Content_Length=str(10**9))[0] == 413
    assert ask(orderings, "POST", "save", b"", Content_Length="-5")[0] == 411
    assert not layout.orderings.exists()
    status, content, headers = ask(orderings, "GET", "")
    assert status == 200
    assert b"order.js" in content
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_bound_to_every_interface_takes_addresses_but_no_foreign_names(layout):
    with ordering.OrderingServer(layout, FRAMES, "0.0.0.0", 0) as server:
        assert server.knows_host("10.1.2.3:8000")
        assert not server.knows_host("evil.example")
        assert server.address.startswith("http://127.0.0.1:")


def test_what_cannot_be_served_is_a_user_error(layout, orderings):
    with pytest.raises(UserError, match="--port"):
        ordering.OrderingServer(layout, FRAMES, "127.0.0.1", orderings.server_address[1])
    with pytest.raises(UserError, match="--port"):
        ordering.OrderingServer(layout, FRAMES, "127.0.0.1", 70000)
    with pytest.raises(UserError, match=r"nowhere_1.jpg is missing.*--crop_frames"):
        ordering.OrderingServer(layout, ["nowhere_1"], "127.0.0.1", 0)
    with pytest.raises(UserError, match="no frames"):
        ordering.OrderingServer(layout, [], "127.0.0.1", 0)
    shutil.rmtree(layout.no_text)
    with pytest.raises(UserError, match="--generate_dcm_without_text_areas"):
        checking.CheckServer(layout, "127.0.0.1", 0)


def test_ctrl_c_ends_and_the_address_is_printed(layout, monkeypatch, capsys):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(web.Server, "serve_forever", interrupted)
    ordering.OrderingServer(layout, FRAMES, "127.0.0.1", 0).serve_until_interrupted()
    assert "http://127.0.0.1:" in (printed := capsys.readouterr().out)
    assert "ssh -L" in printed


def test_accepted_crops(layout):
    assert checking.accept_crops(layout, {"p2_1"}, "hand") == 2
    target = layout.no_text_checked
    assert (target / f"{ODD}.jpg").read_bytes() == (layout.no_text / f"{ODD}.jpg").read_bytes()
    manifest = json.loads((target / "manifest.json").read_text())
    assert {key: manifest[key] for key in ("who", "kept", "removed")} == {
        "who": "hand",
        "kept": 2,
        "removed": 1,
    }
    assert list(manifest["crops"]) == [ODD, "p2_2"]
    assert not (target / "contact_sheet.jpg").exists()
    assert checking.accept_crops(layout, set(), "accept-all") == 3  # replaces the folder
    assert len(list(target.rglob("*.jpg"))) == 3
    for removed in ({"unknown"}, set(FRAMES)):
        with pytest.raises(UserError):
            checking.accept_crops(layout, removed, "hand")
    assert len(list(target.rglob("*.jpg"))) == 3
    (target / "manifest.json").unlink()
    with pytest.raises(UserError, match="not written by this command"):
        checking.accept_crops(layout, set(), "hand")
    assert not list(layout.data_root.glob(".partial-*"))


def test_crops_over_http(layout):
    with running(checking.CheckServer(layout, "127.0.0.1", 0)) as server:
        assert ask(server, "GET", "state")[1]["crops"] == FRAMES
        assert ask(server, "GET", about("image", ODD))[0] == 200
        assert ask(server, "GET", about("image", "contact_sheet"))[0] == 404
        assert ask(server, "POST", "mark", {"id": ODD, "removed": True})[1] == {"removed": [ODD]}
        assert ask(server, "POST", "mark", {"id": "../x", "removed": True})[0] == 404
        assert json.loads((layout.no_text / "removed.json").read_text()) == [ODD]
        assert ask(server, "POST", "finish", {})[1] == {"kept": 2, "removed": 1}
        assert ask(server, "POST", "mark", {"id": ODD, "removed": False})[1] == {"removed": []}
        (layout.no_text / "removed.json").write_text("{}")
        status, answer, _ = ask(server, "POST", "finish", {})
        assert status == 500
        assert "removed.json" in answer["error"]


# Real clicks


@pytest.fixture(scope="module")
def chromium():
    path = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if path is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running_playwright:
        browser = running_playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    page = chromium.new_page(viewport={"width": 1100, "height": 700})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda line: problems.append(line.text) if "Content Security" in line.text else None,
    )
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=20_000)
    page.expect = lambda selector: sync_api.expect(
        page.locator(selector)
    )  # wait_for_function needs eval: our CSP has none
    yield page
    page.close()
    assert not problems


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_points_by_real_clicks_at_any_zoom(layout, orderings, page):
    page.goto(orderings.address)
    page.expect("#left").to_have_text("object 1, intra 1")
    box = page.locator("#stage").bounding_box()
    # What the page does at first: fit into the canvas with a margin of 12, enlarged at most 8
    # times.
    scale = min((box["width"] - 24) / 120, (box["height"] - 24) / 90, 8)
    left, top = (box["width"] - 120 * scale) / 2, (box["height"] - 90 * scale) / 2

    def written():
        return read_ordering(layout.ordering(ODD)) if layout.ordering(ODD).exists() else []

    def click(x, y, count, inside=(0.5, 0.5), **how):
        at = box["x"] + left + (x + inside[0]) * scale, box["y"] + top + (y + inside[1]) * scale
        page.mouse.move(*at)
        page.mouse.click(*at, **how)
        wait_for(lambda: len(written()) == count)

    click(60, 45, 1, button="middle")  # the first point is 1 1 whichever button
    # Zoom in twice about that point with the wheel: 2 ** (delta / 300).
    for delta in (-300, -300):
        page.mouse.wheel(0, delta)
        factor = 2 ** (-delta / 300)
        left, top = (
            (60.5 * scale + left) - 60.5 * scale * factor,
            (45.5 * scale + top) - 45.5 * scale * factor,
        )
        scale *= factor
    click(65, 40, 2, inside=(0.93, 0.93), button="left")
    click(55, 50, 3, inside=(0.07, 0.07), button="middle")
    click(57, 44, 4, button="right")
    page.keyboard.down("Shift")
    click(70, 47, 5, button="left")
    page.keyboard.up("Shift")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert page.locator("#left").inner_text() == "object 4, intra 3"
    click(52, 41, 6, button="right")
    page.keyboard.press("Control+z")  # back to the levels that the arrows had set
    wait_for(lambda: len(written()) == 5)
    assert page.locator("#right").inner_text() == "object 4, intra 2"
    page.keyboard.press("Backspace")
    wait_for(lambda: len(written()) == 4)
    assert page.locator("#right").inner_text() == "object 2, intra 1"
    # A drag moves the picture and adds no point; a click right of the frame is none either.
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 340, box["y"] + 280, steps=3)
    page.mouse.up()
    left, top = left + 40, top - 20
    click(58, 46, 5, button="left")
    assert written() == [
        (1, 1, 60, 45),
        (1, 2, 65, 40),
        (2, 1, 55, 50),
        (2, 1, 57, 44),
        (2, 2, 58, 46),
    ]
    page.keyboard.press("n")
    page.expect("#name").to_have_text("p2_1")
    page.wait_for_selector("#beside:not([hidden])")
    page.keyboard.press("p")
    page.expect("#left").to_have_text("object 2, intra 3")
    assert page.locator("#name").inner_text() == ODD
    assert page.locator("#count").inner_text() == "1 of 3 frames done"
    for _ in range(5):
        page.click("#undo")
    wait_for(lambda: not layout.ordering(ODD).exists())
    assert list(layout.orderings.rglob("*.txt")) == []


def test_failures_are_seen_in_the_browser(layout, orderings, page):
    layout.orderings.mkdir(parents=True)
    layout.ordering("p2_1").write_text("broken\n")
    page.goto(orderings.address)
    page.expect("#left").to_have_text("object 1, intra 1")
    page.locator("#frames button").nth(1).click()
    page.wait_for_selector("#status.bad")
    assert "p2_1.txt:1" in page.locator("#status").inner_text()
    page.click("#stage")
    page.keyboard.press("n")
    page.expect("#status").to_have_class("good")
    target = layout.ordering("p2_2")
    target.mkdir()  # no file can be written over a folder, whoever runs this test
    (target / "x").write_text("")
    page.click("#stage")
    page.wait_for_selector("#status.bad")
    assert "NOT SAVED" in page.locator("#status").inner_text()
    shutil.rmtree(target)
    page.click("#retry")
    page.expect("#status").to_have_text("saved")
    assert len(read_ordering(target)) == 1
    assert layout.ordering("p2_1").read_text() == "broken\n"


def test_crops_by_real_clicks(layout, page):
    with running(checking.CheckServer(layout, "127.0.0.1", 0)) as server:
        page.goto(server.address)
        for name, pressed in ((ODD, "true"), ("p2_1", "true"), ("p2_2", "true"), ("p2_2", "false")):
            page.locator("#crops button", has_text=name).click()
            page.expect(f"#crops button:nth-child({FRAMES.index(name) + 1})").to_have_attribute(
                "aria-pressed", pressed
            )
        page.expect("#count").to_have_text("1 kept, 2 removed")
        assert json.loads((layout.no_text / "removed.json").read_text()) == sorted([ODD, "p2_1"])
        page.reload()
        page.expect("#count").to_have_text("1 kept, 2 removed")
        page.click("#finish")
        page.expect("#status").to_contain_text("Written: 1 crops kept, 2 removed")
    assert [path.name for path in layout.no_text_checked.rglob("*.jpg")] == ["p2_2.jpg"]
