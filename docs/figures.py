"""Draws the pictures of the README from the synthetic world and from a finished
`reproduce.py --preset demo`.

Run from the root of the repository: python -m docs.figures [DATA_ROOT RUNS_ROOT]
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from comics_depth.cli import run_main
from comics_depth.data.depth_files import preview, read_depth
from comics_depth.data.prepared import frame_names
from comics_depth.data.print_style import print_style
from comics_depth.data.splits import photograph_split
from comics_depth.data.tensors import image_array, image_tensor
from comics_depth.images import label, read_image, write_image
from comics_depth.pages.depth import depth_of_page
from comics_depth.pages.motion import parallax, write_animation
from comics_depth.pages.panels import read_page
from comics_depth.paths import Layout
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.pages import comics_page
from comics_depth.synthetic.photographs import photograph
from comics_depth.training.run import finished_run
from models.checkpoints import PAGE_NETWORK, load_network
from models.depth_model import depth_model

HERE = Path(__file__).with_name("figures")
MODEL = "default-comics"
PAGE = (0, 10)  # seed of a world and number of a page in it
FRAME = 2  # of that page, which moves
ROWS = {
    "baseline_no_batchnorm_trick": "as it is",
    "natural2comics_simple": "natural2comics simple",
    "depth_estimator_simple": "estimator simple",
    "depth_estimator_printed": "estimator printed",
    "depth_estimator_orderings": "estimator orderings",
}


def framed(image: np.ndarray) -> np.ndarray:
    """The picture with a white margin to the right and below."""
    return np.pad(image, ((0, 4), (0, 4), (0, 0)), constant_values=255)


def page() -> np.ndarray:
    """A drawn page, what was found on it, and its depth; writes a moving frame beside it."""
    image = comics_page(*PAGE).image
    model = depth_model(MODEL)
    reading = read_page(image, load_network(PAGE_NETWORK, "page"))
    result = depth_of_page(image, model, reading.text, reading.boxes, reading.inside)
    found = image.copy()
    for number, frame in enumerate(result.frames, start=1):
        x1, y1, x2, y2 = frame.box
        part = found[y1:y2, x1:x2]
        part[frame.text] = part[frame.text] // 2 + np.array([127, 30, 30], np.uint8)
        cv2.rectangle(found, (x1, y1), (x2 - 1, y2 - 1), (255, 60, 60), 3)
        cv2.circle(found, (x1 + 16, y1 + 16), 13, (255, 60, 60), -1)
        place = (x1 + 10, y1 + 23)
        cv2.putText(found, str(number), place, 0, 0.6, (255, 255, 255), 2, cv2.LINE_AA)
    x1, y1, x2, y2 = result.frames[FRAME].box
    views = parallax(image[y1:y2, x1:x2], result.frames[FRAME].depth)
    write_animation(HERE / "parallax.webp", views)
    titled = {"a page": image, "its frames and text": found, "its depth": preview(result.depth)}
    return np.hstack([framed(label(picture, title)) for title, picture in titled.items()])


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
            cells += [framed(image), framed(preview(depth))]
        columns.append(np.vstack(cells))
    return np.hstack(columns)


@torch.inference_mode()
def translations(layout: Layout) -> np.ndarray:
    """Held-out photographs, as the CycleGAN of `simple` draws them, and drawn as print."""
    checkpoint = finished_run(layout.run("natural2comics_simple"), "./demo.sh")
    network = load_network(checkpoint, "natural2comics")
    columns = []
    for index, name in enumerate(photograph_split(layout, 0)["validation"][:7]):
        image = cv2.resize(read_image(layout.photograph(name)), (192, 144))
        translated = image_array(network(image_tensor(image))[0])
        printed = print_style(image, np.random.default_rng(index))
        cells = {"photograph": image, "translated": translated, "printed": printed}
        columns.append(np.vstack([framed(label(cell, title)) for title, cell in cells.items()]))
    return np.hstack(columns)


def demo(layout: Layout) -> np.ndarray:
    """Frames of the test split, their exact inverse depth, and what each of ROWS predicts."""

    def cell(image: np.ndarray, title: str) -> np.ndarray:
        return label(cv2.resize(image, (190, 150), interpolation=cv2.INTER_AREA), title)

    columns = []
    for name in frame_names(layout, "test")[::5][:7]:
        exact = read_depth(layout.frame_truth / f"{name}.png")
        cells = [cell(read_image(layout.frame(name)), name), cell(preview(exact), "exact")]
        for row, title in ROWS.items():
            path = layout.predictions(row) / f"{name}.png"
            if path.exists():
                cells.append(cell(preview(read_depth(path)), title))
        columns.append(np.vstack(cells))
    return np.hstack(columns)


def main() -> None:
    layout = Layout(*map(Path, sys.argv[1:3] or ("data/demo", "models/trained/demo")))
    write_image(HERE / "page.jpg", page(), quality=85)
    for rendering in ("photographs", "comics"):
        write_image(HERE / f"world_{rendering}.jpg", world(rendering), quality=75)
    write_image(HERE / "translations.jpg", translations(layout), quality=85)
    write_image(HERE / "demo.jpg", demo(layout), quality=80)


if __name__ == "__main__":
    run_main(main)
