"""Scores the panel finder on pages with annotated panels: python -m benchmarks.panels DATA_ROOT
(DCM's folders)."""

import sys
from collections.abc import Sequence
from pathlib import Path

from comics_depth.data.annotations import Box, read_boxes
from comics_depth.images import find_image, read_image
from comics_depth.pages.panels import find_panels
from comics_depth.paths import SPLITS, Layout, read_names

# two annotated boxes that share more of the smaller one lie beside a slanted gutter, insets apart
SLANTED = 0.05


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


def measure(layout: Layout, split: str) -> dict[str, tuple[int, int, int, bool]]:
    """Page -> (matches, found boxes, annotated boxes, whether its gutters are slanted)."""
    pages = {}
    for name in read_names(layout.dcm_pages(split), "the download of the data set (see README.md)"):
        page = read_image(find_image(layout.dcm_images, name))
        truth = [box for _, box in read_boxes(layout.dcm_boxes / f"{name}.txt", page.shape[:2])[0]]
        found = find_panels(page)
        shared = [
            overlap(a, b) / min(overlap(a, a), overlap(b, b)) for a in truth for b in truth if a < b
        ]
        pages[name] = (
            matches(found, truth),
            len(found),
            len(truth),
            any(SLANTED < part < 0.95 for part in shared),
        )
    return pages


def report(name: str, pages: Sequence[tuple[int, int, int, bool]]) -> None:
    hits, found, truth = (sum(page[i] for page in pages) for i in range(3))
    precision, recall = hits / max(found, 1), hits / max(truth, 1)
    f1 = 2 * hits / max(found + truth, 1)
    print(
        f"{name:<12} F1 {f1:.3f}  precision {precision:.3f}  recall {recall:.3f}  {len(pages)}"
        f" pages, {truth} boxes"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    layout = Layout(Path(sys.argv[1]), Path())
    splits = [word for word in SPLITS if layout.dcm_pages(word).exists()]
    if not splits:
        sys.exit(f"{layout.dcm}: no train.txt, val.txt or test.txt there\n\n{__doc__}")
    for split in splits:
        pages = measure(layout, split)
        report(split, list(pages.values()))
        for name in (name for name, page in pages.items() if page[3]):
            report(name, [pages[name]])
