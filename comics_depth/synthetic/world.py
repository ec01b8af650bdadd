"""A world of comics pages and photographs on disk, in the formats of the real datasets."""

import os
import shutil
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from comics_depth.data.annotations import svg_page
from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import write_ordering
from comics_depth.images import write_image
from comics_depth.parallel import parallel_map
from comics_depth.paths import SPLITS, Layout
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.pages import comics_page
from comics_depth.synthetic.photographs import photograph
from common.errors import UserError
from common.files import read_json, write_json, write_text

VERSION = 2


def write_world(
    layout: Layout,
    *,
    pages: int,
    photographs: int,
    seed: int = 0,
    workers: int | None = None,
    restart: bool = False,
) -> None:
    """Writes a world into the dataset folders of `layout`: pages with boxes and lists, every other
    page also for eBDtheque, photographs, exact depths, and orderings of all frames. A finished
    world is left as it is. Raises UserError if another world, or real data, lies there."""
    wanted = {"version": VERSION, "seed": seed, "pages": pages, "photographs": photographs}
    done = layout.photograph_truth.parent / "world.json"
    begun = done.with_name("unfinished.json")
    found = next((read_json(path) for path in (done, begun) if path.exists()), None)
    if found is None:
        _refuse_real_data(layout)
    elif restart:
        _remove(layout, done.parent)
    elif {key: found.get(key) for key in wanted} != wanted:
        raise UserError(
            f"{layout.data_root} holds the world {found}, asked for was {wanted}; say --restart to "
            "replace it, or give --data-root another folder"
        )
    elif done.exists():
        print(
            f"{layout.data_root}: the synthetic world is there already ({pages} pages,"
            f" {photographs} photographs)"
        )
        return
    write_json(begun, wanted)
    held_out = max(1, round(0.2 * pages)) if pages > 2 else 0
    names = [f"world_{n + 1:03d}" for n in range(pages)]
    write_page = partial(_write_page, layout, seed)
    frames = sum(parallel_map(write_page, enumerate(names), "comics pages", workers))
    ends = (0, pages - 2 * held_out, pages - held_out, pages)
    for split, (start, end) in zip(SPLITS, pairwise(ends), strict=True):
        write_text(layout.dcm_pages(split), "".join(f"{name}\n" for name in names[start:end]))
    write_photograph = partial(_write_photograph, layout, seed)
    parallel_map(write_photograph, range(photographs), "photographs", workers)
    write_json(begun, {**wanted, "frames": frames})
    os.replace(begun, done)


def _refuse_real_data(layout: Layout) -> None:
    for path in (layout.dcm, layout.ebdtheque, layout.photographs):
        if path.exists() and any(path.iterdir()):
            raise UserError(
                f"{path} holds data that is not of the synthetic world; give --data-root another"
                " folder"
            )


def _remove(layout: Layout, truth: Path) -> None:
    """Removes a world and what was prepared from it."""
    drawn = (layout.dcm, layout.ebdtheque, layout.photographs, truth)
    prepared = (layout.cropped, layout.text_frames, layout.no_text, layout.no_text_checked)
    for path in (*drawn, *prepared, layout.photograph_depth):
        shutil.rmtree(path, ignore_errors=True)
    for split in SPLITS:
        layout.photograph_list(split).unlink(missing_ok=True)


def _write_page(layout: Layout, seed: int, numbered: tuple[int, str]) -> int:
    """Writes a page; returns its number of frames."""
    number, name = numbered
    cv2.setNumThreads(1)
    page = comics_page(seed, number)
    write_image(layout.dcm_images / f"{name}.jpg", page.image, quality=92)
    if number % 2 == 0:
        write_image(layout.ebdtheque_pages / f"{name}.jpg", page.image, quality=92)
        svg = svg_page(name, page.image.shape[:2], page.polygons)
        write_text(layout.ebdtheque_svg / f"{name}.svg", svg)
    rows = [(8, *box) for box in page.boxes]
    rows += [(1, *polygon[0], *polygon[2]) for polygon in page.polygons["Character"]]
    lines = [" ".join(map(str, row)) + "\n" for row in rows]
    write_text(layout.dcm_boxes / f"{name}.txt", "".join(lines))
    for k, (depth, points) in enumerate(zip(page.depths, page.orderings, strict=True), start=1):
        write_depth(layout.frame_truth / f"{name}_{k}.png", depth)
        write_ordering(layout.ordering(f"{name}_{k}"), points)
    return len(page.boxes)


def _write_photograph(layout: Layout, seed: int, number: int) -> None:
    """About 256 x 192 pixels, lying or standing."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 0, number))
    size = (192, int(rng.integers(240, 280)))
    kind = list(KINDS)[number % len(KINDS)]
    image, depth = photograph(kind, rng, *(size if rng.random() < 0.75 else size[::-1]))
    name = f"{number + 1:012d}"
    write_image(layout.photographs / f"{name}.jpg", image, quality=93)
    write_depth(layout.photograph_truth / f"{name}.png", depth)
