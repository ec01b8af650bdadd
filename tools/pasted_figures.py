"""Cut-out figures pasted into pictures whose depth is known, so that a depth network learns what stands in front."""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import tv_tensors

from comics_depth.data import Layer, Sample
from comics_depth.files import UserError


class PastedFigures(nn.Module):
    """Puts one to three figures into a sample {image, depth}, with probability `share`; after copy-paste augmentation
    (Ghiasi et al. 2021), here with depth: each figure is nearer than most of what it covers and than the ground it
    stands on, and slightly rounded. Most take on the colours and the light of the picture around them; the inverse
    depth comes back scaled, which a scale-and-shift-invariant loss does not see. Raises UserError without figures."""

    def __init__(self, folder: Path, share: float = 0.5):
        super().__init__()
        paths = sorted(folder.glob("*.png"))
        if not paths:
            raise UserError(f"{folder}: no figures there; first run: python -m tools.free_pictures {folder.parent}")
        self.figures, self.share = [np.array(Image.open(path).convert("RGBA")) for path in paths], share

    def forward(self, sample: Sample) -> Sample:
        if uniform(0, 1) >= self.share:
            return sample
        image = sample["image"].as_subclass(torch.Tensor).permute(1, 2, 0).numpy().copy()
        depth = sample["depth"].as_subclass(torch.Tensor)[0].numpy()
        low, high = np.percentile(depth, (2, 98))
        depth = (depth - low) / max(high - low, 1e-6)
        placed = [self.placed(image, depth) for _ in range(1 + int(3 * uniform(0, 1) ** 2))]
        for _, area, pixels, relief in sorted(filter(None, placed), key=lambda figure: figure[0]):
            alpha = pixels[..., 3:]
            image[area] += alpha * (pixels[..., :3] - image[area])
            depth[area] = np.where(alpha[..., 0] > 0.5, relief, depth[area])
        image, depth = (torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)) for part in (image, depth))
        return {**sample, "image": tv_tensors.Image(image.permute(2, 0, 1).clamp(0, 1)), "depth": Layer(depth[None])}

    def placed(self, image: np.ndarray, depth: np.ndarray) -> tuple | None:
        """(inverse depth, area, RGBA pixels, inverse depth of each pixel) of a random figure in a picture (H, W, 3)
        with inverse depth (H, W); None if nearly nothing of it lies in the picture."""
        figure = self.figures[int(torch.randint(len(self.figures), ()))]
        rows, columns = depth.shape
        scale = rows * np.exp(uniform(np.log(0.2), np.log(1.6))) / max(figure.shape[0], 0.7 * figure.shape[1])
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        figure = cv2.resize(figure, None, fx=scale, fy=scale, interpolation=interpolation).astype(np.float32) / 255
        if uniform(0, 1) < 0.5:
            figure = figure[:, ::-1]
        height, width = figure.shape[:2]
        if height < rows / 2 and uniform(0, 1) < 0.8:
            foot = uniform(max(rows / 2, height), rows)
        else:  # may be cut off by the lower edge
            foot = uniform(max(0.8 * rows, 0.6 * height), max(1.05 * rows, 1.2 * height))
        top, left = int(foot - height), int(uniform(-0.35 * width, columns - 0.65 * width))
        area = (slice(max(top, 0), min(top + height, rows)), slice(max(left, 0), min(left + width, columns)))
        figure = figure[max(-top, 0) : rows - top, max(-left, 0) : columns - left].copy()
        solid = figure[..., 3] > 0.5
        if solid.sum() < 40:
            return None
        ground = np.median(depth[max(min(int(foot), rows - 1) - 4, 0) : min(int(foot), rows - 1) + 1, area[1]])
        near = max(np.quantile(depth[area][solid], 0.9), ground) + uniform(0.02, 0.15)
        if foot > rows:
            near = max(near, uniform(0.7, 1.1))
        inside = np.sqrt(cv2.distanceTransform(np.pad(solid, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1])
        relief = near + uniform(0.02, 0.1) * (inside / inside.max() - 0.5)
        return near, area, recoloured(figure, solid, image[area]), relief


def uniform(low: float, high: float) -> float:
    """From torch's generator, which the dataset seeds for each sample."""
    return low + (high - low) * float(torch.rand(()))


def recoloured(figure: np.ndarray, solid: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """A figure, RGBA (H, W, 4) in [0, 1], in other colours, and mostly with the tones of what is behind it (H, W, 3),
    lit from a side and blurred."""
    figure = figure.clip(0, 1)
    if uniform(0, 1) < 0.5:
        hsv = cv2.cvtColor(np.ascontiguousarray(figure[..., :3]), cv2.COLOR_RGB2HSV)
        hsv = np.dstack(
            [(hsv[..., 0] + uniform(0, 360)) % 360, hsv[..., 1] * uniform(0.3, 1), hsv[..., 2] * uniform(0.5, 1)]
        )
        figure = np.dstack([cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB), figure[..., 3]])
    if uniform(0, 1) < 0.7:
        colours, behind = figure[..., :3], behind.reshape(-1, 3)
        own, share = colours[solid], uniform(0.3, 1)
        tones = (colours - own.mean(0)) / np.maximum(own.std(0), 0.08) * (0.7 * behind.std(0) + 0.08)
        tones += behind.mean(0) + uniform(-0.2, 0.2)
        y, x = np.mgrid[-1 : 1 : solid.shape[0] * 1j, -1 : 1 : solid.shape[1] * 1j]
        angle = uniform(0, 2 * np.pi)
        light = 1 + uniform(0, 0.4) * (y * np.sin(angle) + x * np.cos(angle))
        figure = np.dstack([((1 - share) * colours + share * tones) * light[..., None], figure[..., 3]])
        if uniform(0, 1) < 0.5:
            figure = cv2.GaussianBlur(figure, (0, 0), uniform(0.4, 1.5))
    return figure.clip(0, 1)
