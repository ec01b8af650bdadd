"""Edges of depth, enlarged plainly and guided by the drawing: python -m benchmarks.edges DATA_ROOT
[MODEL]

On synthetic comics: the share of the slope of depth, and of its edges, that lies within NEAR pixels
of edges of the exact depth, and the share of these that an edge of depth lies near. On validation
and test frames with an ordering: the share of point pairs in the right order."""

import sys
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from skimage.feature import canny

from comics_depth.cli import run_main
from comics_depth.data.orderings import read_ordering
from comics_depth.data.tensors import image_tensor
from comics_depth.evaluation.metrics import KINDS as PAIRS
from comics_depth.evaluation.metrics import accuracies, count_pairs
from comics_depth.images import read_image
from comics_depth.pages.depth import standardise
from comics_depth.pages.guided import guided_upsampling
from comics_depth.paths import Layout, read_manifest
from comics_depth.synthetic.comics import comics_frame, draw_style
from comics_depth.synthetic.kinds import KINDS
from models.checkpoints import SHIPPED
from models.depth_model import depth_model

NEAR = 3  # pixels
JUMP = 0.12  # of exact inverse depth in the range of a frame, that is an edge
FRAMES = 24


def plain_upsampling(depth: np.ndarray, image: np.ndarray) -> np.ndarray:
    return cv2.resize(depth, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


WAYS = {"plain": plain_upsampling, "guided": guided_upsampling}


@torch.inference_mode()
def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    layout = Layout(Path(sys.argv[1]), Path())
    name = sys.argv[2] if len(sys.argv) == 3 else "default-comics"
    model = depth_model(str(SHIPPED.get(name, name))).eval()

    def depth_of(image: np.ndarray) -> np.ndarray:
        return model(model.resize(image_tensor(image, model.mean.device)), resize=False)[0].numpy()

    edges = {way: [] for way in WAYS}
    for n, kind in enumerate(islice(cycle(KINDS), FRAMES)):
        rng = np.random.default_rng(1000 + n)
        frame = comics_frame(kind, rng, 448, 608, draw_style(rng))
        small = depth_of(frame.image)
        for way, enlarge in WAYS.items():
            if found := near_edges(enlarge(small, frame.image), frame.inverse_depth):
                edges[way].append(found)
    for way, found in edges.items():
        slope, chance, right, there = np.mean(found, axis=0)
        shares = f"edges {right:.3f}, found {there:.3f}"
        print(f"{way}: slope {slope:.3f} (by chance {chance:.3f}), {shares}")
    splits = {key: entry["split"] for key, entry in read_manifest(layout).items()}
    for split in ("validation", "test"):
        counts = {way: [] for way in WAYS}
        for path in sorted(layout.orderings.glob("*.txt")):
            if splits.get(path.stem) != split:
                continue
            image = read_image(layout.frame(path.stem))
            points, small = read_ordering(path), depth_of(image)
            for way, enlarge in WAYS.items():
                counts[way].append(count_pairs(enlarge(small, image), points, path.stem))
        for way, counted in counts.items():
            by_kind = np.swapaxes(counted, 0, 1)  # (kinds, frames, 3)
            shown = ", ".join(
                f"{pairs} {np.mean(accuracies(one[one.any(axis=1)])):.4f}"
                for pairs, one in zip(PAIRS, by_kind, strict=True)
            )
            print(f"{split}, {len(counted)} frames, {way}: {shown}")


def near_edges(depth: np.ndarray, exact: np.ndarray) -> tuple[float, float, float, float] | None:
    """Of depth (H, W), shares near edges of the exact one: of its slope, of all pixels, of its
    edges; and of the exact edges, those near one of depth. None where the exact depth has none."""
    depth, exact = standardise(depth), standardise(exact.astype(np.float32))
    around = np.ones((3, 3), np.uint8)
    exact_edge = cv2.dilate(exact, around) - cv2.erode(exact, around) > JUMP
    if exact_edge.mean() < 0.002:
        return None
    limits = {"low_threshold": 0.94, "high_threshold": 0.97, "use_quantiles": True}
    edge = canny(depth.astype(float), 1, **limits)
    near = distance_transform_edt(~exact_edge) <= NEAR
    slope = np.hypot(*np.gradient(depth))
    slope[:4] = slope[-4:] = slope[:, :4] = slope[:, -4:] = 0  # the border of the frame is no edge
    there = distance_transform_edt(~edge)[exact_edge] <= NEAR
    return slope[near].sum() / slope.sum(), near.mean(), near[edge].mean(), there.mean()


if __name__ == "__main__":
    run_main(main)
