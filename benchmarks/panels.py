"""Scores what is read on pages: python -m benchmarks.panels DATA_ROOT TEXT [NETWORK]

DATA_ROOT holds pages with boxes of panels in DCM's folders; TEXT masks of the text (<page>.png), or
boxes of balloons and captions (<page>.txt, lines `x1 y1 x2 y2`); NETWORK is a file of another page
network than the one that predict.py uses."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn

from comics_depth.data.annotations import Box, read_boxes
from comics_depth.images import find_image, read_image
from comics_depth.pages.panels import read_page
from comics_depth.paths import SPLITS, Layout, read_names
from models.checkpoints import PAGE_NETWORK, load_network


class Score(NamedTuple):
    """Of a page. panels: pairs of boxes that match, found boxes, annotated boxes; text: pixels that
    are found and annotated, and found or annotated; balloons: at least half covered, all; rest:
    pixels of panels beside the balloons that were found as text, all."""

    panels: tuple[int, int, int]
    text: tuple[int, int] = (0, 0)
    balloons: tuple[int, int] = (0, 0)
    rest: tuple[int, int] = (0, 0)
    seconds: float = 0.0


def overlap(one: Box, other: Box) -> float:
    """Area (pixels) that two boxes share."""
    return max(min(one[2], other[2]) - max(one[0], other[0]), 0) * max(
        min(one[3], other[3]) - max(one[1], other[1]), 0
    )


def matches(found: Sequence[Box], truth: Sequence[Box], threshold: float = 0.7) -> int:
    """Pairs of boxes of an intersection over union of at least `threshold`, each box once, best
    pairs first."""
    area = {box: overlap(box, box) for box in (*found, *truth)}
    pairs = [
        (overlap(a, b) / (area[a] + area[b] - overlap(a, b)), a, b)
        for a in set(found)
        for b in set(truth)
    ]
    taken: set[tuple[int, Box]] = set()
    for score, a, b in sorted(pairs, reverse=True):
        if score >= threshold and not {(0, a), (1, b)} & taken:
            taken |= {(0, a), (1, b)}
    return len(taken) // 2


def score_text(found: np.ndarray, folder: Path, name: str, panels: Sequence[Box]) -> dict:
    """The parts of a Score that are about text, boolean (H, W)."""
    if mask := find_image(folder, name):
        truth = read_image(mask)[..., 0] > 127
        return {"text": ((found & truth).sum(), (found | truth).sum())}
    balloons = np.loadtxt(folder / f"{name}.txt", int, ndmin=2)
    covered = [found[y1:y2, x1:x2].mean() >= 0.5 for x1, y1, x2, y2 in balloons]
    rest = np.zeros_like(found)
    for x1, y1, x2, y2 in panels:
        rest[y1:y2, x1:x2] = True
    for x1, y1, x2, y2 in balloons:
        rest[y1:y2, x1:x2] = False
    return {
        "balloons": (sum(covered), len(covered)),
        "rest": ((found & rest).sum(), rest.sum()),
    }


def measure(
    layout: Layout, split: str, network: nn.Module, text: Path | None = None
) -> dict[str, Score]:
    """Page -> what was read on it, against its annotation."""
    pages = {}
    for name in read_names(layout.dcm_pages(split), "the download of the data set (see README.md)"):
        page = read_image(find_image(layout.dcm_images, name))
        truth = [box for _, box in read_boxes(layout.dcm_boxes / f"{name}.txt", page.shape[:2])[0]]
        started = time.perf_counter()
        reading = read_page(page, network)
        seconds = time.perf_counter() - started
        pages[name] = Score(
            panels=(matches(reading.boxes, truth), len(reading.boxes), len(truth)),
            seconds=seconds,
            **(score_text(reading.text, text, name, truth) if text else {}),
        )
    return pages


def report(name: str, pages: Sequence[Score]) -> None:
    hits, found, truth = np.sum([page.panels for page in pages], axis=0).tolist()
    shares = {
        "F1": (2 * hits, found + truth),
        "precision": (hits, found),
        "recall": (hits, truth),
        "text IoU": np.sum([page.text for page in pages], axis=0),
        "balloons half covered": np.sum([page.balloons for page in pages], axis=0),
        "of the rest covered": np.sum([page.rest for page in pages], axis=0),
    }
    told = [f"{words} {part / total:.3f}" for words, (part, total) in shares.items() if total]
    seconds = np.mean([page.seconds for page in pages])
    print(
        f"{name:<12} {len(pages)} pages, {truth} panels", *told, f"{seconds:.2f} s a page", sep="  "
    )


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    layout = Layout(Path(sys.argv[1]), Path())
    network = load_network(Path(sys.argv[3]) if len(sys.argv) > 3 else PAGE_NETWORK, "page")
    splits = [word for word in SPLITS if layout.dcm_pages(word).exists()]
    if not splits:
        sys.exit(f"{layout.dcm}: no train.txt, val.txt or test.txt there\n\n{__doc__}")
    for split in splits:
        pages = measure(layout, split, network, Path(sys.argv[2]))
        if pages:
            report(split, list(pages.values()))
