"""Trains the network that reads pages (panels and text), on pages put together anew from training
frames, photographs and drawn frames, and on lettered training pages; writes it to models/weights/.

  python -m tools.train_page_network DATA_ROOT TEXT_FREE TEXT_MASKS FONTS WORLD RUN_FOLDER [START]

DATA_ROOT holds pages with boxes of panels, and photographs, in the folders of the method; TEXT_FREE
and TEXT_MASKS the pages without text and the masks of the text, by page name; FONTS font files;
WORLD is the data root of a `reproduce.py --preset demo`, for its text-free crops; START a network
to go on from, at half the rate: what is written is then the mean of the two, which keeps what the
first knew (Wortsman et al. 2022, arXiv:2109.01903). Running the same command again resumes."""

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from comics_depth.cli import run_main
from comics_depth.data.annotations import Box, read_boxes
from comics_depth.data.print_style import print_style
from comics_depth.data.tensors import image_array, image_tensor
from comics_depth.images import find_image, list_images, read_image
from comics_depth.paths import Layout, read_names
from comics_depth.synthetic.mixed_pages import (
    UNKNOWN,
    LabelledPage,
    lettered,
    maps_of,
    mixed_page,
    scanned_page,
)
from comics_depth.training.loop import TrainingOptions, fit
from comics_depth.training.run import Run
from models.checkpoints import PAGE_NETWORK, load_network, write_shipped
from models.objectives import PageMaps
from models.unet import UNet
from tools.ship_comics_depth import mean_of

RECIPE = {"epochs": 10, "batch_size": 2, "seed": 0, "schedule": "linear"}
LR = 2e-3
PAGES = 240  # an epoch
WIDTH = 768  # pixels of a page's width (of one page of a spread) that the network sees
SHAPES = ((1088, 768), (1088, 768), (1088, 768), (896, 896), (768, 1088), (1088, 768), (1472, 512))
WIDTHS = [48, 64, 96, 128, 128]  # channels of the levels, from a quarter of the page's size
LARGEST = 840  # longer side of the pictures that are kept, pixels


def main() -> None:
    if len(sys.argv) not in (7, 8):
        sys.exit(__doc__)
    root, text_free, text_masks, fonts, world, folder, *start = map(Path, sys.argv[1:])
    layout = Layout(root, Path())
    pictures = [
        *frames_of(layout, text_free),
        *map(reduced, map(read_image, list_images(layout.photographs))),
        *map(reduced, map(read_image, list_images(Layout(world, Path()).no_text_checked))),
    ]
    pages, bare = labelled_pages(layout, "train", text_free, text_masks)
    held_out, _ = labelled_pages(layout, "validation", text_free, text_masks)
    font_files = [path for path in sorted(fonts.rglob("*")) if path.suffix in (".ttf", ".otf")]
    print(f"{len(pictures)} pictures, {len(pages)} pages, {len(font_files)} fonts", flush=True)
    torch.manual_seed(RECIPE["seed"])
    network = UNet(out_channels=2, widths=WIDTHS, fold=4)
    if start:
        network.load_state_dict(load_network(start[0], "page").state_dict())
    lr = LR / 2 if start else LR
    objective = PageMaps(network, lr)
    run = Run(folder, {**RECIPE, "lr": lr, "pages": PAGES, "widths": WIDTHS})
    fit(
        objective,
        PageSamples(pictures, pages, bare, font_files, RECIPE["seed"]),
        run,
        TrainingOptions(**RECIPE, workers=0),
        validate=lambda device: overlaps(objective.networks["page"], held_out, device),
        pictures=lambda device: drawn_maps(objective.networks["page"], held_out[:4], device),
    )
    network = load_network(run.last, "page")
    if start:
        both = (network.state_dict(), load_network(start[0], "page").state_dict())
        network.load_state_dict(mean_of(both))
    notes = {"page_width": WIDTH}
    write_shipped(PAGE_NETWORK, network, network.architecture | notes, "page", licence="MIT")
    print(f"wrote {PAGE_NETWORK}")


def reduced(image: np.ndarray) -> np.ndarray:
    """The picture at a longer side of at most LARGEST."""
    scale = min(1, LARGEST / max(image.shape[:2]))
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def boxes_of(layout: Layout, name: str, size: tuple[int, int]) -> list[Box]:
    return [box for _, box in read_boxes(layout.dcm_boxes / f"{name}.txt", size)[0]]


def frames_of(layout: Layout, text_free: Path) -> list[np.ndarray]:
    """The training frames without text, without their borders."""
    frames = []
    for name in read_names(layout.dcm_pages("train"), "the download (see data/README.md)"):
        page = read_image(find_image(text_free, name))
        for x1, y1, x2, y2 in boxes_of(layout, name, page.shape[:2]):
            frames.append(reduced(page[y1 + 8 : y2 - 8, x1 + 8 : x2 - 8]))
    return [frame for frame in frames if min(frame.shape[:2]) > 80]


def labelled_pages(
    layout: Layout, split: str, text_free: Path, text_masks: Path
) -> tuple[list[LabelledPage], list[LabelledPage]]:
    """The pages of a split at the network's size, lettered and without text. Where boxes overlap,
    beside slanted gutters, the panels are unknown, insets apart."""
    pages, bare = [], []
    for name in read_names(layout.dcm_pages(split), "the download (see data/README.md)"):
        image = read_image(find_image(layout.dcm_images, name))
        panels = np.zeros(image.shape[:2], np.uint8)
        boxes = boxes_of(layout, name, image.shape[:2])
        largest_first = sorted(boxes, key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))
        for number, (x1, y1, x2, y2) in enumerate(largest_first, start=1):
            part = panels[y1:y2, x1:x2]
            slanted = 0 < (part > 0).mean() < 0.8
            part[:] = np.where((part > 0) & slanted, UNKNOWN, number)
        text = np.uint8(read_image(find_image(text_masks, name))[..., 0] > 127)
        art = read_image(find_image(text_free, name))
        size = (WIDTH, round(image.shape[0] * WIDTH / image.shape[1]))
        image, art = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (image, art))
        panels, text = (
            cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) for mask in (panels, text)
        )
        pages.append(LabelledPage(image, panels, text))
        bare.append(LabelledPage(art, panels, np.zeros_like(text)))
    return pages, bare


class PageSamples(Dataset):
    """Pages put together anew, real ones, and single pictures, two scans of each: {image (3, H, W)
    in [0, 1], masks (2, H, W), weights (2, H, W)}, of one shape in an epoch."""

    def __init__(
        self,
        pictures: Sequence[np.ndarray],
        pages: Sequence[LabelledPage],
        bare: Sequence[LabelledPage],
        fonts: Sequence[Path],
        seed: int,
    ) -> None:
        self.pictures, self.pages, self.bare, self.fonts = pictures, pages, bare, fonts
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return PAGES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        shape = SHAPES[self.epoch % len(SHAPES)]
        page = self.page(self.epoch, index // 2)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        page = scanned_page(page, rng, shape)
        masks, weights = map(torch.from_numpy, maps_of(page))
        return {"image": image_tensor(page.image)[0], "masks": masks, "weights": weights}

    @functools.lru_cache(maxsize=PAGES // 2)  # noqa: B019 (there is one dataset)
    def page(self, epoch: int, number: int) -> LabelledPage:
        rng = np.random.default_rng((self.seed, epoch, number, 1))
        kind = rng.choice(["mixed", "real", "lettered", "picture"], p=[0.5, 0.35, 0.1, 0.05])
        if kind == "mixed":
            height, width = (SHAPES[epoch % len(SHAPES)] * rng.uniform(0.88, 1.12, 2)).astype(int)
            return mixed_page(rng, self.pictures, self.fonts, height, width)
        if kind == "picture":
            image = self.pictures[rng.integers(len(self.pictures))]
            empty = np.zeros(image.shape[:2], np.uint8)
            page = LabelledPage(image, empty + 1, empty)
        else:
            pages = self.pages if kind == "real" else self.bare
            page = pages[rng.integers(len(pages))]
        if kind == "real":
            page = page._replace(image=with_other_inks(page, rng))
        if rng.random() < 0.35:
            page = page._replace(image=print_style(page.image, rng, rng.uniform(0.5, 1.2)))
        return lettered(page, rng, self.fonts) if kind == "lettered" else page


def with_other_inks(page: LabelledPage, rng: np.random.Generator) -> np.ndarray:
    """The image of a page, RGB uint8, with some of its text areas in other inks: light on dark, or
    on a tint."""
    image = page.image.astype(np.float32)
    areas, where = cv2.connectedComponents(np.uint8(page.text == 1))
    for area in np.flatnonzero(rng.random(areas - 1) < 0.3) + 1:
        ranges = ((170, 255), (0, 140)) if rng.random() < 0.5 else ((0, 60), (90, 255))
        ink, fill = (np.float32(rng.uniform(*limits, 3)) for limits in ranges)
        inside = where == area
        share = image[inside] / 255
        image[inside] = ink * (1 - share) + fill * share
    return np.clip(image, 0, 255).astype(np.uint8)


def overlaps(
    network: torch.nn.Module, pages: Sequence[LabelledPage], device: torch.device
) -> dict[str, float]:
    """Intersection over union of the maps with those of pages, all pixels together."""
    shared, joined = np.zeros((2, 2))
    for page in pages:
        found = network(image_tensor(page.image, device))[0].cpu().numpy() > 0.5
        masks, weights = (part > 0 for part in maps_of(page))
        shared += (found & masks & weights).sum((1, 2))
        joined += ((found | masks) & weights).sum((1, 2))
    panels, text = (shared / joined).tolist()
    return {"val_panels": panels, "val_text": text}


def drawn_maps(
    network: torch.nn.Module, pages: Sequence[LabelledPage], device: torch.device
) -> np.ndarray:
    """Pages above their maps, panels red and text green."""
    columns = []
    for page in pages:
        image = image_tensor(page.image, device)
        maps = torch.cat([network(image)[0], image[0, 2:] * 0.5])
        columns.append(np.vstack([page.image, image_array(maps.float())]))
    height = min(column.shape[0] for column in columns)
    return np.hstack([column[:height] for column in columns])


if __name__ == "__main__":
    run_main(main)
