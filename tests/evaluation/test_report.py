"""The page that evaluation.py writes: its text, its files, and how it looks and works in headless
Chromium."""

import html.parser
import json
import shutil

import cv2
import numpy as np
import pytest

from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import Point
from comics_depth.evaluation import report
from comics_depth.evaluation.metrics import summarise
from comics_depth.evaluation.rules import lower_is_nearer
from comics_depth.evaluation.scoring import OrderedFrame
from comics_depth.evaluation.sets import PredictionSet
from comics_depth.evaluation.table import Row
from comics_depth.images import write_image

ODD = "album 1/p\"<b>&'$x_1"  # slashes, quotes and HTML may stand in page names
SIZES = {ODD: (60, 90), "p2_1": (500, 90), "p3_1": (40, 640), "p4_1": (30, 30)}
NETWORKS, RULE = ("depth_estimator_simple", "<i>&$run"), "baseline_lower_is_nearer"


class Elements(html.parser.HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def each(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def scored(tmp_path):
    """What write_report takes. The last frame has no pair and no image; a network's maps are right
    where `good`."""
    rng, frames, maps = np.random.default_rng(0), [], {}
    for name, (height, width) in SIZES.items():
        points = [
            Point(1, 1, 5, height - 5),
            Point(1, 2, width - 5, height - 9),
            Point(2, 1, width // 2, 5),
        ]
        frames.append(
            OrderedFrame(name, "test", [points[:1] if name == "p4_1" else points], (height, width))
        )
        if name != "p4_1":
            write_image(
                tmp_path / "images" / f"{name}.jpg",
                rng.integers(0, 255, (height, width, 3), np.uint8),
            )
    good = {NETWORKS[0]: {"p2_1"}, NETWORKS[1]: {"p2_1", "p3_1"}, RULE: set(SIZES) - {"p2_1"}}
    rows = []
    for at, (run, names) in enumerate(good.items()):
        paths = [tmp_path / "maps" / str(at) / f"{frame.name}.png" for frame in frames]
        depths = [
            lower_is_nearer(*frame.size) * (1 if frame.name in names else -1) for frame in frames
        ]
        for path, depth in zip(paths, depths, strict=True):
            write_depth(path, depth)
        maps[PredictionSet(run, tmp_path / "maps" / str(at), "")] = paths
        pairs = [frame.count(depth) for depth, frame in zip(depths, frames, strict=True)]
        rows.append(Row(run, "test", summarise(np.array(pairs)), np.array(pairs), list(SIZES)))
    return (
        tmp_path / "out",
        rows,
        "A <caption>.",
        "corrected",
        frames,
        maps,
        lambda name: tmp_path / f"images/{name}.jpg",
    )


def test_everything_is_there_and_nothing_comes_from_elsewhere(scored):
    folder = scored[0]
    *files, page = report.write_report(*scored)
    assert all(path.exists() for path in files) and page == folder / "report.html"
    text = page.read_text()
    assert "http" not in text
    assert "A &lt;caption&gt;." in text
    assert "<i>" not in text
    assert 'p"<b>' not in text
    elements = Elements(text)
    images = elements.each("img")
    assert len(images) == 1 + 4 * (1 + 3) and all(image["alt"] for image in images)
    for image in images[1:]:
        shown = cv2.imread(str(folder / image["src"]))
        assert shown.shape[:2] == (int(image["height"]), int(image["width"]))
        assert max(shown.shape) <= 320
        assert image["loading"] == "lazy"
    assert any(ODD in image["alt"] and NETWORKS[1] in image["alt"] for image in images)
    assert not elements.each("link")[1:] and all(
        "src" not in script for script in elements.each("script")
    )
    assert (
        f"{NETWORKS[1]}test1.000 [1.000" not in elements.text
        and f"{NETWORKS[1]}test0.667" in elements.text
    )


def test_frames_stand_worst_first_with_their_points_and_scores(scored):
    *_, page = report.write_report(*scored)
    elements = Elements(page.read_text())
    assert [json.loads(article["data-scores"]) for article in elements.each("article")] == [
        [0, 0, 0, 1],
        [0.5, 0, 1, 1],
        [1, 1, 1, 0],
        [None, None, None, None],
    ]
    order = [elements.text.index(f"{name} test mean") for name in (ODD, "p3_1", "p2_1", "p4_1")]
    assert order == sorted(order)
    assert [option["value"] for option in elements.each("option")] == ["0", "1", "2", "3"]
    assert "0.000 (0/2)" in elements.text and "– (0/0)" in elements.text
    # Of the tall frame: the long side of a picture is 320, so a pixel is 0.64 units.
    assert (
        'translate(3.5 317.1)"><circle r="9.5" fill="hsl(0 85% 36%)"/><text>1.1<'
        in page.read_text()
    )
    assert (
        'translate(29.1 3.5)"><circle r="8" fill="hsl(230 85% 36%)"/><text>2<' in page.read_text()
    )


def test_only_frames_of_the_rows_are_shown_and_the_first_run_of_a_name_is_meant(scored, tmp_path):
    folder, rows, caption, protocol, frames, maps, image = scored
    rows = [Row(row.name, "test", row.scores, row.counts[1:2], row.frames[1:2]) for row in rows[:1]]
    other = PredictionSet(rows[0].name, tmp_path / "elsewhere", "")
    *_, page = report.write_report(
        folder, rows, caption, protocol, frames, maps | {other: []}, image
    )
    elements = Elements(page.read_text())
    assert len(elements.each("article")) == 1 and len(elements.each("img")) == 1 + 2


def test_an_interruption_leaves_the_page_before_whole(scored, monkeypatch):
    folder, frames, maps = scored[0], scored[4], scored[5]
    *_, page = report.write_report(*scored)
    before = page.read_text()
    for frame, path in zip(frames, next(iter(maps.values())), strict=True):
        write_depth(path, np.random.default_rng(1).normal(size=frame.size))
    calls, preview = [], report.preview

    def interrupted(depth):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return preview(depth)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(report, "preview", interrupted)
        report.write_report(*scored)
    assert page.read_text() == before
    assert all((folder / shown["src"]).exists() for shown in Elements(before).each("img"))
    (folder / "report" / "mine.jpg").write_bytes(b"")
    report.write_report(*scored)
    named = {shown["src"] for shown in Elements(page.read_text()).each("img")[1:]}
    assert {f"report/{path.name}" for path in (folder / "report").iterdir()} == {
        *named,
        "report/mine.jpg",
    }


@pytest.fixture
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def test_in_a_browser_wide_and_narrow(scored, browser):
    *_, path = report.write_report(*scored)
    for width in (1400, 320):
        page, problems = browser.new_page(viewport={"width": width, "height": 900}), []
        page.on("pageerror", lambda error, problems=problems: problems.append(str(error)))
        page.on("requestfailed", lambda request, problems=problems: problems.append(request.url))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # An error if one cannot be shown.
        page.evaluate(
            "Promise.all([...document.images].map((i) => { i.loading = 'eager'; return"
            " i.decode(); }))"
        )
        overlaid = page.locator("article").nth(1).locator("figure").first
        marks, picture = (
            overlaid.locator("svg").bounding_box(),
            overlaid.locator("img").bounding_box(),
        )
        assert marks == pytest.approx(picture, abs=1)
        assert not problems

    def titles():
        return [title.split(" test")[0] for title in page.locator("h3").all_inner_texts()]

    assert titles() == [ODD, "p3_1", "p2_1", "p4_1"]
    page.select_option("#order", label=RULE)
    assert titles()[0] == "p2_1" and titles()[-1] == "p4_1"
    page.select_option("#order", label=NETWORKS[0])
    assert set(titles()[:2]) == {ODD, "p3_1"} and titles()[2:] == ["p2_1", "p4_1"]
    on_depth = page.locator("article").nth(1).locator("figure").nth(1).locator("svg")
    assert not on_depth.is_visible()
    page.check("#dots")
    assert on_depth.is_visible() and on_depth.bounding_box()["height"] > 5
