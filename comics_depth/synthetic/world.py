"""Comics pages and photographs of drawn scenes, in the formats of the real datasets."""

import os
import shutil

import cv2
import numpy as np

from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import write_ordering
from comics_depth.images import write_image
from comics_depth.parallel import parallel_map
from comics_depth.paths import SPLITS, Layout
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.pages import DrawnPage, comics_page
from comics_depth.synthetic.photographs import photograph
from common.errors import UserError
from common.files import read_json, write_json, write_text

VERSION = 1
SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 version="1.1" {size}>
  <title>{name}</title>
  <svg class="Page">
    <image x="0" y="0" {size} xlink:href="../Pages/{name}.jpg"/>
  </svg>
{groups}</svg>
"""


def _svg(name: str, page: DrawnPage) -> str:
    """eBDtheque's nested SVG of a page."""
    groups = ""
    for group, polygons in page.polygons.items():
        groups += f'  <svg class="{group}">\n'
        for n, polygon in enumerate(polygons, 1):
            points = " ".join(
                f"{x:g},{y:g}" for x, y in np.round([*polygon, polygon[0]]).astype(int)
            )
            groups += f'    <polygon id="{name}_{group.lower()}{n}" points="{points}"/>\n'
        groups += "  </svg>\n"
    return SVG.format(
        name=name, groups=groups, size='width="{1}" height="{0}"'.format(*page.image.shape)
    )


def _write_page(job: tuple[Layout, int, int, str, str]) -> int:
    layout, seed, number, name, split = job
    page = comics_page(seed, number)
    write_image(layout.dcm_images / f"{name}.jpg", page.image, quality=92)
    if number % 2 == 0:
        write_image(layout.ebdtheque_pages / f"{name}.jpg", page.image, quality=92)
        write_text(layout.ebdtheque_svg / f"{name}.svg", _svg(name, page))
    rows = [(8, *box) for box in page.boxes] + [
        (1, *p[0], *p[2]) for p in page.polygons["Character"]
    ]
    write_text(
        layout.dcm_boxes / f"{name}.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows)
    )
    for k, (depth, points) in enumerate(zip(page.depths, page.orderings, strict=True), start=1):
        write_depth(layout.frame_truth / f"{name}_{k}.png", depth)
        if split != "train":
            write_ordering(layout.ordering(f"{name}_{k}"), points)
    return len(page.boxes)


def _write_photograph(job: tuple[Layout, int, int]) -> None:
    """About 256 x 192 pixels, lying or standing."""
    layout, seed, number = job
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 0, number))
    size = (192, int(rng.integers(240, 280)))
    kind = list(KINDS)[number % len(KINDS)]
    image, depth = photograph(kind, rng, *(size if rng.random() < 0.75 else size[::-1]))
    write_image(layout.photographs / f"{number + 1:012d}.jpg", image, quality=93)
    write_depth(layout.photograph_truth / f"{number + 1:012d}.png", depth)


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
    page also for eBDtheque, photographs, exact depths, and orderings of the validation and test
    frames. `world.json` is written last; a finished world is left as it is. Raises UserError if
    another world, or real data, lies there."""
    truth = layout.photograph_truth.parent
    done, begun = truth / "world.json", truth / "unfinished.json"
    wanted = {"version": VERSION, "seed": seed, "pages": pages, "photographs": photographs}
    ours = (
        layout.dcm,
        layout.ebdtheque,
        layout.photographs,
        truth,
        layout.cropped,
        layout.text_frames,
        layout.no_text,
        layout.no_text_checked,
        layout.photograph_depth,
    )
    found = next((read_json(path) for path in (done, begun) if path.exists()), None)
    if found is None:
        real = [path for path in ours[:3] if path.exists() and any(path.iterdir())]
        if real:
            raise UserError(
                f"{real[0]} holds data that is not of the synthetic world; give --data-root another"
                " folder"
            )
    elif restart:
        for path in ours:
            shutil.rmtree(path, ignore_errors=True)
        for split in SPLITS:
            layout.photograph_list(split).unlink(missing_ok=True)
    elif {key: found.get(key) for key in wanted} != wanted:
        raise UserError(
            f"{layout.data_root} holds the world {found}, asked for was {wanted}; "
            "say --restart to replace it, or give --data-root another folder"
        )
    elif done.exists():
        print(
            f"{layout.data_root}: the synthetic world is there already ({pages} pages,"
            f" {photographs} photographs)"
        )
        return
    write_json(begun, wanted)
    held = max(1, round(0.2 * pages)) if pages > 2 else 0
    split_of = ["train"] * (pages - 2 * held) + ["validation"] * held + ["test"] * held
    jobs = [(layout, seed, n, f"world_{n + 1:03d}", split) for n, split in enumerate(split_of)]
    frames = parallel_map(_write_page, jobs, "comics pages", workers)
    for split in SPLITS:
        write_text(
            layout.dcm_pages(split), "".join(f"{name}\n" for *_, name, its in jobs if its == split)
        )
    parallel_map(
        _write_photograph, [(layout, seed, n) for n in range(photographs)], "photographs", workers
    )
    write_json(begun, {**wanted, "frames": sum(frames)})
    os.replace(begun, done)
