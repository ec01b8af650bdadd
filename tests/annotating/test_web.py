"""The two pages over HTTP, and with real clicks in headless Chromium."""

import http.client
import json
import shutil
import socket
import threading
from contextlib import contextmanager
from urllib.parse import quote

import numpy as np
import pytest

from comics_depth.annotating.boxes import BoxServer
from comics_depth.annotating.checking import CheckServer, accept_crops
from comics_depth.annotating.ordering import OrderingServer
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
    pages = {"p2_1": {"page": "p2", "split": "test", "box": [20, 30, 140, 120]}}
    write_json(
        layout.manifest, {**pages, ODD: {"page": "gone", "split": "test", "box": [0, 0, 0, 0]}}
    )
    write_json(layout.crop_manifest, {frame: {"box": [0, 0, 120, 90]} for frame in FRAMES})
    return layout


@contextmanager
def running(server):
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()


@pytest.fixture
def orderings(layout):
    with running(OrderingServer(layout, FRAMES, "127.0.0.1", 0)) as server:
        yield server


def ask(server, method, route, body=None, token=None, **headers):
    """(status, JSON or bytes, headers) of one request, sent as the page of the server would."""
    host = headers.setdefault("Host", f"127.0.0.1:{server.http.port}")
    headers = {"Origin": f"http://{host}", "Content-Type": "application/json", **headers}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.http.port, timeout=10)
    path = f"/{server.token if token is None else token}/{route}"
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    is_json = reply.headers["Content-Type"] == "application/json"
    return reply.status, json.loads(content) if is_json else content, reply.headers


def read(server, route, frame=None):
    query = "" if frame is None else f"?id={quote(frame, safe='')}"
    return ask(server, "GET", route + query)[1]


def counts(server):
    return [frame["points"] for frame in read(server, "state")["frames"]]


def save(server, frame, points, before):
    body = {"id": frame, "points": points, "before": before}
    return ask(server, "POST", "save", body)[:2]


def test_points_are_saved_and_undone_to_no_file(layout, orderings):
    one, two = [1, 1, 5, 6], [1, 2, 119, 89]
    assert save(orderings, ODD, [one], []) == (200, {"points": 1})
    assert save(orderings, ODD, [one, two], [one])[0] == 200
    assert layout.ordering(ODD).read_text() == "1 1 5 6\n1 2 119 89\n"
    assert read(orderings, "frame", ODD)["points"] == [one, two]
    assert counts(orderings) == [2, 0, 0]
    assert save(orderings, ODD, [], [one, two]) == (200, {"points": 0})
    assert not list(layout.orderings.rglob("*.txt"))
    assert read(orderings, "state")["frames"][0] == {"id": ODD, "points": 0}


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("outside the frame (120x90", [[1, 1, 120, 5], [1, 1, 5, 90], [1, 1, -1, 5]]),
        ("levels go from 1", [[0, 1, 5, 5], [1, 10**9, 5, 5]]),
        ("four integers", [[1, 1, 5], [1, 1, 5, 5.5], [True, 1, 5, 5], "1 1 5 5", None]),
    ],
)
def test_wrong_points_are_refused(layout, orderings, words, wrong):
    for point in wrong:
        status, answer = save(orderings, "p2_1", [point], [])
        assert status == 400
        assert words in answer["error"]
    for points in (None, "1 1 5 5", {}):
        assert save(orderings, "p2_1", points, [])[0] == 400
    assert not layout.orderings.exists()


@pytest.mark.parametrize("content", [b"1 1 5 6\nnearest 1 2 3\n", b"\xff\xfe\x00"])
def test_a_malformed_file_is_shown_and_kept(layout, orderings, content):
    layout.orderings.mkdir(parents=True)
    layout.ordering("p2_1").write_bytes(content)
    answer = read(orderings, "frame", "p2_1")
    assert "p2_1.txt" in answer["error"]
    assert answer["points"] == []
    assert "error" in read(orderings, "state")["frames"][1]
    assert save(orderings, "p2_1", [[1, 1, 2, 2]], [])[0] == 500
    assert layout.ordering("p2_1").read_bytes() == content


def test_an_empty_file_does_not_count_and_other_writers_are_noticed(layout, orderings):
    layout.orderings.mkdir(parents=True)
    layout.ordering("p2_1").write_text("\n")
    assert counts(orderings) == [0, 0, 0]
    old = [[1, 1, 3, 3], [1, 1, 500, 3]]  # a point outside that was there before may stay
    layout.ordering("p2_1").write_text("1 1 3 3\n1 1 500 3\n")
    status, answer = save(orderings, "p2_1", [[1, 1, 5, 5]], [])
    assert status == 409
    assert "changed elsewhere" in answer["error"]
    assert save(orderings, "p2_1", [*old, [2, 1, 4, 4]], old)[0] == 200
    assert len(read_ordering(layout.ordering("p2_1"))) == 3


def test_names_of_2020_are_edited_in_place_unless_two_frames_claim_them(layout):
    frames = ["a_1", "b_11", "b1_1"]
    layout.orderings.mkdir(parents=True)
    for frame in frames:
        write_image(layout.frame(frame), np.zeros((9, 9, 3), np.uint8))
    for name in ("a1", "b11"):
        (layout.orderings / f"{name}.txt").write_text("1 1 3 3\n")
    with running(OrderingServer(layout, frames, "127.0.0.1", 0)) as server:
        assert counts(server) == [1, 0, 0]
        assert save(server, "a_1", [], [[1, 1, 3, 3]])[0] == 200
        assert save(server, "b1_1", [[1, 1, 4, 4]], [])[0] == 200
    assert sorted(path.name for path in layout.orderings.iterdir()) == ["b11.txt", "b1_1.txt"]


def test_each_named_annotator_has_a_folder(layout, orderings):
    assert save(orderings, ODD, [[1, 1, 5, 6]], [])[0] == 200
    with running(OrderingServer(layout, FRAMES, "127.0.0.1", 0, annotator="ada")) as server:
        assert counts(server) == [0, 0, 0]
        assert save(server, ODD, [[1, 1, 7, 8]], [])[0] == 200
    assert (layout.cropped / "depth-ada" / f"{ODD}.txt").read_text() == "1 1 7 8\n"
    assert layout.ordering(ODD).read_text() == "1 1 5 6\n"
    with pytest.raises(UserError, match="one word"):
        OrderingServer(layout, FRAMES, "127.0.0.1", 0, annotator="../x")


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
    page = {"box": [20, 30, 140, 120], "size": [200, 300]}
    assert read(orderings, "frame", "p2_1")["page"] == page
    status, content, headers = ask(orderings, "GET", "page?id=p2_1")
    assert (status, headers["Content-Type"], content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    for frame in (ODD, "p2_2"):  # the page is missing; the frame is not in the manifest
        assert "page" not in read(orderings, "frame", frame)
        assert "is not there" in read(orderings, "page", frame)["error"]


BODY = {"id": "p2_1", "points": [[1, 1, 5, 5]], "before": []}


@pytest.mark.parametrize(
    "change",
    [
        *({"token": token} for token in ("", "wrong", "%2e%2e", "é")),
        *({"Host": host} for host in ("evil.example", "127.0.0.1.evil.example:8000", "", "[::1")),
        *({"Host": host} for host in ("10.0.0.1", "x@localhost", "localhost/x", "localhost:80:80")),
    ],
)
def test_strangers_get_nothing(layout, orderings, change):
    change = {name: quote(value, safe="%@[]:/") for name, value in change.items()}
    assert ask(orderings, "GET", "state", **change)[0] == 403
    assert ask(orderings, "GET", "", **change)[0] == 403
    assert ask(orderings, "POST", "save", BODY, **change)[0] == 403
    assert not layout.orderings.exists()


def test_only_the_page_itself_writes(layout, orderings):
    for origin in ("http://evil.example", "null", "", "http://127.0.0.1:1", "https://localhost"):
        assert ask(orderings, "POST", "save", BODY, Origin=origin)[0] == 403
    assert ask(orderings, "POST", "save", BODY, Content_Type="text/plain")[0] == 415
    for body in (b"[" * 90000, b"[1]", b"{", b""):
        assert ask(orderings, "POST", "save", body)[0] == 400
    assert ask(orderings, "POST", "save", b"", Content_Length=str(10**9))[0] == 413
    assert ask(orderings, "POST", "save", b"", Content_Length="-5")[0] == 400
    assert not layout.orderings.exists()
    for host in ("localhost:1234", "127.0.0.1", "[::1]:8000"):  # as through ssh -L
        assert ask(orderings, "POST", "save", {**BODY, "points": []}, Host=host)[0] == 200


def test_only_listed_files_are_served(layout, orderings, capfd):
    (layout.frames / "secret.jpg").write_bytes(b"secret")
    for name in ("secret", "../../data/dcm_cropped/images/p2_1", "..", "/etc/passwd", ""):
        for route in ("image", "page", "frame"):
            assert "is not in the list" in read(orderings, route, name)["error"]
        assert save(orderings, name, [[1, 1, 5, 5]], [])[0] == 404
    with socket.create_connection(("127.0.0.1", orderings.http.port), timeout=5) as client:
        client.sendall(b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(9) == b""
    assert not capfd.readouterr().err
    for route in ("../__init__.py", "__init__.py", "%2e%2e/files.py", "nothing"):
        assert ask(orderings, "GET", route)[0] == 404
    assert ask(orderings, "GET", "save")[0] == 405
    status, content, headers = ask(orderings, "GET", "")
    assert status == 200
    assert b"order.js" in content
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_fifty_clients_at_once(layout):
    """All have sent their request before the first is answered."""
    server = OrderingServer(layout, FRAMES, "127.0.0.1", 0)
    clients = []
    for _ in range(50):
        clients.append(http.client.HTTPConnection("127.0.0.1", server.http.port, timeout=5))
        clients[-1].request("GET", f"/{server.token}/state")
    with running(server):
        assert [client.getresponse().status for client in clients] == [200] * 50


def test_bound_to_every_interface_takes_addresses_but_no_foreign_names(layout):
    with running(OrderingServer(layout, FRAMES, "0.0.0.0", 0)) as server:
        for host in ("10.1.2.3:8000", "[fe80::1]", "localhost"):
            assert server.knows_host(host)
        for host in ("evil.example", "10.1.2.3.example", ""):
            assert not server.knows_host(host)
        assert server.address.startswith("http://localhost:")


def test_what_cannot_be_served_is_a_user_error(layout, orderings):
    for port in (orderings.http.port, 70000):
        with pytest.raises(UserError, match="--port"):
            OrderingServer(layout, FRAMES, "127.0.0.1", port)
    with pytest.raises(UserError, match=r"nowhere_1.jpg is missing.*--crop_frames"):
        OrderingServer(layout, ["nowhere_1"], "127.0.0.1", 0)
    with pytest.raises(UserError, match="no frames"):
        OrderingServer(layout, [], "127.0.0.1", 0)
    shutil.rmtree(layout.no_text)
    with pytest.raises(UserError, match="--generate_dcm_without_text_areas"):
        CheckServer(layout, "127.0.0.1", 0)


def test_ctrl_c_ends_and_the_address_is_printed(layout, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("selectors.PollSelector.select", interrupted)
    OrderingServer(layout, FRAMES, "127.0.0.1", 0).serve_until_interrupted()
    printed = capsys.readouterr()
    assert "http://127.0.0.1:" in printed.out
    assert "ssh -L" in printed.out
    assert not printed.err


def test_accepted_crops(layout):
    assert accept_crops(layout, {"p2_1"}, "hand") == 2
    target = layout.no_text_checked
    assert (target / f"{ODD}.jpg").read_bytes() == (layout.no_text / f"{ODD}.jpg").read_bytes()
    manifest = json.loads(layout.checked_manifest.read_text())
    assert list(manifest.pop("crops")) == [ODD, "p2_2"]
    assert manifest == {"who": "hand", "kept": 2, "removed": 1}
    assert not (target / "contact_sheet.jpg").exists()
    assert accept_crops(layout, set(), "accept-all") == 3  # replaces the folder
    with pytest.raises(UserError, match="none is left"):
        accept_crops(layout, set(FRAMES), "hand")
    assert len(list(target.rglob("*.jpg"))) == 3
    layout.checked_manifest.unlink()
    with pytest.raises(UserError, match="not written by this command"):
        accept_crops(layout, set(), "hand")
    assert not list(layout.data_root.glob(".partial-*"))


def test_crops_over_http(layout):
    with running(CheckServer(layout, "127.0.0.1", 0)) as server:

        def write(route, body):
            return ask(server, "POST", route, body)[:2]

        assert read(server, "state")["crops"] == FRAMES
        assert read(server, "image", ODD) == (layout.no_text / f"{ODD}.jpg").read_bytes()
        assert "not in the list" in read(server, "image", "contact_sheet")["error"]
        assert write("mark", {"id": ODD, "removed": True}) == (200, {"removed": [ODD]})
        assert write("mark", {"id": "../x", "removed": True})[0] == 404
        assert json.loads(layout.crop_marks.read_text()) == [ODD]
        assert write("finish", {}) == (200, {"kept": 2, "removed": 1})
        assert write("mark", {"id": ODD, "removed": False}) == (200, {"removed": []})
        layout.crop_marks.write_text("{}")
        status, answer = write("finish", {})
        assert status == 500
        assert "removed.json" in answer["error"]


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running_playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = running_playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A browser tab with `expect(selector)`, which waits (our CSP forbids wait_for_function). Fails
    at the end if a script failed or the CSP was in its way."""
    from playwright.sync_api import expect

    page = chromium.new_page(viewport={"width": 1100, "height": 700})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: "Content Security" in line.text and problems.append(line.text))
    expect.set_options(timeout=20_000)
    page.expect = lambda selector: expect(page.locator(selector))
    yield page
    page.close()
    assert not problems


class Stage:
    """Clicks on pixels of the first frame, as it is shown at first: fitted into the canvas with a
    margin of 12, enlarged at most 8 times."""

    def __init__(self, page):
        self.page = page
        box = page.locator("#stage").bounding_box()
        self.scale = min((box["width"] - 24) / 120, (box["height"] - 24) / 90, 8)
        self.left = box["x"] + (box["width"] - 120 * self.scale) / 2
        self.top = box["y"] + (box["height"] - 90 * self.scale) / 2

    def click(self, x, y, note, button="left", inside=(0.5, 0.5)):
        """Clicks; `note` is what the list of frames says once the point is on disk."""
        across = self.left + (x + inside[0]) * self.scale
        down = self.top + (y + inside[1]) * self.scale
        self.page.mouse.click(across, down, button=button)
        self.page.expect("#frames .here small").to_have_text(note)

    def zoom_twice(self, x, y):
        """By the wheel, about the pixel under the pointer: 300 units double the picture."""
        for _ in range(2):
            self.page.mouse.wheel(0, -300)
            self.left -= (x + 0.5) * self.scale
            self.top -= (y + 0.5) * self.scale
            self.scale *= 2


def test_points_by_real_clicks_at_any_zoom(layout, orderings, page):
    page.goto(orderings.address)
    page.expect("#left").to_have_text("object 1, intra 1")
    stage = Stage(page)
    stage.click(60, 45, "1 points", "middle")  # the first point is 1 1 whichever button
    stage.zoom_twice(60, 45)
    stage.click(65, 40, "2 points", inside=(0.93, 0.93))
    stage.click(55, 50, "3 points", "middle", inside=(0.07, 0.07))
    stage.click(57, 44, "4 points", "right")
    page.keyboard.down("Shift")
    stage.click(70, 47, "5 points")
    page.keyboard.up("Shift")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.expect("#left").to_have_text("object 4, intra 3")
    stage.click(52, 41, "6 points", "right")
    page.keyboard.press("Control+z")  # back to the levels that the arrows had set
    page.expect("#right").to_have_text("object 4, intra 2")
    page.keyboard.press("Backspace")
    page.expect("#right").to_have_text("object 2, intra 1")
    # A drag moves the picture and adds no point.
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.move(340, 280, steps=3)
    page.mouse.up()
    stage.left += 40
    stage.top -= 20
    stage.click(58, 46, "5 points")
    expected = [(1, 1, 60, 45), (1, 2, 65, 40), (2, 1, 55, 50), (2, 1, 57, 44), (2, 2, 58, 46)]
    assert read_ordering(layout.ordering(ODD)) == expected
    page.keyboard.press("n")
    page.expect("#name").to_have_text("p2_1")
    page.expect("#beside").to_be_visible()
    page.keyboard.press("p")
    page.expect("#name").to_have_text(ODD)
    page.expect("#left").to_have_text("object 2, intra 3")
    page.expect("#count").to_have_text("1 of 3 frames done")
    for _ in range(5):
        page.click("#undo")
    page.expect("#count").to_have_text("0 of 3 frames done")
    assert list(layout.orderings.rglob("*.txt")) == []


def test_the_time_for_a_frame_is_the_median_without_pauses(orderings, page):
    page.clock.install(time=0)
    page.clock.pause_at(1)  # seconds; the clock of the page stands still but for fast_forward
    page.goto(orderings.address)

    def order(frame, *pauses):
        page.expect("#name").to_have_text(frame)
        page.expect("#left").to_have_text("object 1, intra 1")
        for count, pause in enumerate(pauses, start=1):
            page.clock.fast_forward(pause * 1000)
            page.click("#stage", position={"x": 300 + 40 * count, "y": 300})
            page.expect("#frames .here small").to_have_text(f"{count} points")
        page.keyboard.press("n")

    order(ODD, 10, 121, 12)  # 22 s: the person was away for the pause in the middle
    page.expect("#status").to_have_text("median 22 s a frame (1 ordered)")
    order("p2_1", 30, 34)
    page.expect("#status").to_have_text("median 43 s a frame (2 ordered)")
    page.click("#stage")  # the frame at hand is not in it
    page.expect("#status").to_have_text("saved · median 43 s a frame (2 ordered)")


def test_failures_are_seen_in_the_browser(layout, orderings, page):
    layout.orderings.mkdir(parents=True)
    layout.ordering("p2_1").write_text("broken\n")
    page.goto(orderings.address)
    page.expect("#left").to_have_text("object 1, intra 1")
    page.locator("#frames button").nth(1).click()
    page.expect("#status.bad").to_contain_text("p2_1.txt:1")
    page.click("#stage")
    page.keyboard.press("n")
    page.expect("#status").to_have_class("good")
    target = layout.ordering("p2_2")
    (target / "x").mkdir(parents=True)  # no file can be written over a folder, by whomever
    page.click("#stage")
    page.expect("#status.bad").to_contain_text("NOT SAVED")
    shutil.rmtree(target)
    page.click("#retry")
    page.expect("#status").to_have_text("saved")
    assert len(read_ordering(target)) == 1
    assert layout.ordering("p2_1").read_text() == "broken\n"


def test_crops_by_real_clicks(layout, page):
    with running(CheckServer(layout, "127.0.0.1", 0)) as server:
        page.goto(server.address)
        for name, pressed in ((ODD, "true"), ("p2_1", "true"), ("p2_2", "true"), ("p2_2", "false")):
            page.locator("#crops button", has_text=name).click()
            crop = f"#crops button:nth-child({FRAMES.index(name) + 1})"
            page.expect(crop).to_have_attribute("aria-pressed", pressed)
        page.expect("#count").to_have_text("1 kept, 2 removed")
        assert json.loads(layout.crop_marks.read_text()) == sorted([ODD, "p2_1"])
        page.reload()
        page.expect("#count").to_have_text("1 kept, 2 removed")
        page.click("#finish")
        page.expect("#status").to_contain_text("Written: 1 crops kept, 2 removed")
    assert [path.name for path in layout.no_text_checked.rglob("*.jpg")] == ["p2_2.jpg"]


@pytest.fixture
def frames(tmp_path):
    """(server, file of the boxes) of a page 200 x 300 with two frames, and of a second page."""
    image = np.full((300, 200, 3), 230, np.uint8)
    write_image(tmp_path / "size.png", image)
    files = {name: tmp_path / "out" / f"{number}.txt" for number, name in enumerate((ODD, "p2"))}
    for path in files.values():
        path.parent.mkdir(exist_ok=True)
        path.write_text("8 10 10 190 140\n8 10 150 190 290\n")
    pages = {name: (path, tmp_path / "size.png", lambda: image) for name, path in files.items()}
    with running(BoxServer(pages, "127.0.0.1", 0)) as server:
        yield server, files[ODD]


def test_only_boxes_inside_the_page_are_saved(frames):
    server, path = frames
    assert ask(server, "GET", "state")[1] == {"pages": [ODD, "p2"]}
    answer = ask(server, "GET", f"page?id={quote(ODD)}")[1]
    assert answer == {"size": [200, 300], "boxes": [[10, 10, 190, 140], [10, 150, 190, 290]]}
    status, content, _ = ask(server, "GET", f"image?id={quote(ODD)}")
    assert status == 200 and content[:2] == b"\xff\xd8"
    before = path.read_text()
    for boxes in ([], None, [[0, 0, 201, 9]], [[9, 9, 9, 20]], [[0, 0, 9.5, 9]], [["8", 0, 9, 9]]):
        status, answer, _ = ask(server, "POST", "save", {"id": ODD, "boxes": boxes})
        assert status == 400 and "expected" in answer["error"] and path.read_text() == before
    assert ask(server, "POST", "save", {"id": "../x", "boxes": [[0, 0, 9, 9]]})[0] == 404
    assert ask(server, "POST", "save", {"id": ODD, "boxes": [[0, 0, 200, 300]]})[0] == 200
    assert path.read_text() == "8 0 0 200 300\n"


def test_boxes_are_mended_by_mouse_and_keys(page, frames):
    server, path = frames
    page.goto(server.address)
    page.expect("#drawing rect").to_have_count(2)
    page.wait_for_timeout(200)
    box = page.locator("#image").bounding_box()

    def at(x, y):
        return box["x"] + x / 200 * box["width"], box["y"] + y / 300 * box["height"]

    def drag(start, end):
        page.mouse.move(*at(*start))
        page.mouse.down()
        page.mouse.move(*at(*end), steps=3)
        page.mouse.up()

    def saved(count):
        page.expect("#status").to_have_text(f"saved: {count} frames")
        page.wait_for_timeout(150)
        return [tuple(map(int, line.split()[1:])) for line in path.read_text().splitlines()]

    drag((190, 80), (150, 80))
    (x1, y1, x2, y2), other = saved(2)
    assert (x1, y1, y2) == (10, 10, 140) and abs(x2 - 150) <= 2 and other == (10, 150, 190, 290)
    drag((160, 20), (195, 130))
    third = saved(3)[2]
    assert np.abs(np.array(third) - (160, 20, 195, 130)).max() <= 2
    page.keyboard.press("-")
    assert saved(3)[1] == third
    page.mouse.click(*at(80, 80))
    page.mouse.move(*at(60, 80))
    page.keyboard.press("s")
    left, right, *_ = saved(4)
    assert left[2] == right[0] and abs(left[2] - 60) <= 2
    page.mouse.click(*at(30, 80))
    page.keyboard.down("Shift")
    page.mouse.click(*at(100, 80))
    page.keyboard.up("Shift")
    page.keyboard.press("m")
    assert saved(3)[0] == (x1, y1, x2, y2)
    page.mouse.click(*at(100, 220))
    page.keyboard.press("Delete")
    assert saved(2) == [(x1, y1, x2, y2), third]
    page.keyboard.press("Control+z")
    assert len(saved(3)) == 3
    page.locator("#next").click()
    page.expect("#drawing rect").to_have_count(2)
