"""Draws the pictures of the README from the synthetic world and from a finished `reproduce.py
--preset demo`.

Run from the root of the repository: python -m docs.figures [data root] [runs root]
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from comics_depth.cli import run_main
from comics_depth.data.depth_files import preview, read_depth
from comics_depth.data.prepared import frame_names
from comics_depth.images import label, read_image, write_image
from comics_depth.paths import Layout
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.photographs import photograph

HERE = Path(__file__).with_name("figures")
ROWS = (
    "baseline_no_batchnorm_trick",
    "natural2comics_simple",
    "depth_estimator_simple",
    "depth_estimator_add_text",
)


def world(rendering: str) -> np.ndarray:
    """A column for each kind of scene, two instances each, every one above its inverse depth."""
    columns = []
    for number, kind in enumerate(KINDS):
        cells = []
        for row in range(2):
            rng = np.random.default_rng((0, 4, number, row))
            if rendering == "photographs":
                image, depth = photograph(kind, rng, 150, 180)
            else:
                image, depth = comics_frame(kind, rng, 150, 180, draw_style(rng))[:2]
            cells += [
                np.pad(cell, ((0, 4), (0, 4), (0, 0)), constant_values=255)
                for cell in (image, preview(depth))
            ]
        columns.append(np.vstack(cells))
    return np.hstack(columns)


def demo(layout: Layout) -> np.ndarray:
    """Frames of the test split, their exact inverse depth, and what each of ROWS predicts."""

    def cell(image: np.ndarray, title: str) -> np.ndarray:
        return label(cv2.resize(image, (190, 150), interpolation=cv2.INTER_AREA), title)

    columns = []
    for name in frame_names(layout, "test")[::5][:7]:
        cells = [cell(read_image(layout.frame(name)), name)]
        cells.append(cell(preview(read_depth(layout.frame_truth / f"{name}.png")), "exact"))
        for row in ROWS:
            depth = preview(read_depth(layout.predictions(row) / f"{name}.png"))
            cells.append(
                cell(
                    depth,
                    row.replace("natural2comics", "n2c").replace("depth_estimator", "estimator"),
                )
            )
        columns.append(np.vstack(cells))
    return np.hstack(columns)


def main() -> None:
    given, usual = (
        [Path(argument) for argument in sys.argv[1:3]],
        [
            Path("data/demo"),
            Path("models/trained/demo"),
        ],
    )
    roots = given + usual[len(given) :]
    for rendering in ("photographs", "comics"):
        write_image(HERE / f"world_{rendering}.jpg", world(rendering), quality=75)
    write_image(HERE / "demo.jpg", demo(Layout(*roots)), quality=80)


if __name__ == "__main__":
    run_main(main)
