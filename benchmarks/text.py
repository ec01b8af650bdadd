"""What text areas do to depth: python -m benchmarks.text DATA_ROOT TEXT_FREE TEXT_MASKS [MODEL
...]

Compares the depth of lettered validation and test frames, with text filled and with text kept, to
the depth of the same art without lettering. TEXT_FREE and TEXT_MASKS hold the pages without text
and the masks of the text, by page name."""

import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from comics_depth.cli import run_main
from comics_depth.images import find_image, read_image
from comics_depth.pages.depth import depth_of_page
from comics_depth.pages.panels import read_page
from comics_depth.paths import Layout, read_manifest
from comics_depth.training.devices import default_device
from common.errors import UserError
from models.checkpoints import PAGE_NETWORK, load_network
from models.depth_model import depth_model

LEAST = 0.03  # share of text from which a frame counts
NEAR = 31  # pixels around text that count as next to it


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    root, text_free, masks = map(Path, sys.argv[1:4])
    layout = Layout(root, Path())
    reader = load_network(PAGE_NETWORK, "page").to(default_device())
    frames = [entry for entry in read_manifest(layout).values() if entry["split"] != "train"]
    for name in sys.argv[4:] or ["default"]:
        model = depth_model(name).to(default_device())
        differences = {"filled": [], "kept": []}
        for entry in tqdm(frames, desc=name, disable=None):
            x1, y1, x2, y2 = entry["box"]
            mask, art = (find_image(folder, entry["page"]) for folder in (masks, text_free))
            if mask is None or art is None:
                raise UserError(f"{masks} or {text_free}: no image of page {entry['page']}")
            mask = read_image(mask)[y1:y2, x1:x2, 0]
            if (mask > 0).mean() < LEAST:
                continue
            near = cv2.dilate(mask, np.ones((2 * NEAR + 1,) * 2, np.uint8)) > 0
            art = depth_of_page(read_image(art)[y1:y2, x1:x2], model).depth
            page = read_image(find_image(layout.dcm_images, entry["page"]))
            text = read_page(page, reader).text[y1:y2, x1:x2]
            lettered = page[y1:y2, x1:x2]
            for way, filled in (("filled", text), ("kept", None)):
                difference = np.abs(depth_of_page(lettered, model, filled).depth - art)
                places = (mask > 0, near & (mask == 0))
                differences[way].append([difference[place].mean() for place in places])
        if not differences["filled"]:
            raise UserError(
                f"{layout.manifest}: no validation or test frame has more than {LEAST:.0%} text"
            )
        for way, found in differences.items():
            on, beside = np.mean(found, axis=0)
            print(
                f"{name}, text {way}: {on:.3f} on text, {beside:.3f} next to it,"
                f" in units of a frame's range ({len(found)} frames)"
            )


if __name__ == "__main__":
    run_main(main)
