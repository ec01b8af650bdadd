"""The U-Net that finds text areas, and panels."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """(N, C, H, W) -> the same with the last row and column repeated until both sides are multiples
    of `multiple`."""
    height, width = images.shape[-2:]
    if height % multiple == 0 and width % multiple == 0:
        return images
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Map of probabilities, RGB (N, 3, H, W) in [0, 1] -> (N, out_channels, H, W) in [0, 1].

    Four levels of 1, 2, 4, 8 x `features` channels, 16 x at the bottom, or as many as `widths`
    names; any H and W (inside, the image is padded to multiples of 16, or what the levels need).
    Blocks of `fold` x `fold` pixels go in as the channels of one, and come out of one (Shi et al.
    2016), which makes large images cheap. Ronneberger et al. 2015 with the BatchNorm and the
    padding of Buda et al. 2019 (github.com/mateuszbuda/brain-segmentation-pytorch)."""

    def __init__(
        self,
        out_channels: int = 1,
        features: int = 32,
        widths: Sequence[int] | None = None,
        fold: int = 1,
    ) -> None:
        super().__init__()
        widths = list(widths or [features * 2**level for level in range(5)])
        sizes = {"out_channels": out_channels, "widths": widths, "fold": fold}
        self.architecture = {"kind": "UNet", **sizes}
        self.fold = fold
        imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
        for name, values in imagenet.items():
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        inputs = [3 * fold**2, *widths[:-2]]
        self.down = nn.ModuleList(map(_double_convolution, inputs, widths[:-1]))
        self.bottom = _double_convolution(widths[-2], widths[-1])
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(wide, w, 2, stride=2) for w, wide in reversed(list(pairwise(widths)))
        )
        self.up = nn.ModuleList(_double_convolution(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(widths[0], out_channels * fold**2, 1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = (images - self.mean) / self.std
        x = pad_to_multiple(x, self.fold * 2 ** len(self.down))  # (N, 3, H', W')
        x = F.pixel_unshuffle(x, self.fold)  # below, H' and W' are those of this
        skips = []
        for block in self.down:
            skips.append(block(x))  # level k = 0, 1 ...: (N, features * 2^k, H' / 2^k, W' / 2^k)
            x = F.max_pool2d(skips[-1], 2)  # (N, features * 2^k, H' / 2^(k+1), W' / 2^(k+1))
        x = self.bottom(x)  # (N, 16 * features, H' / 16, W' / 16) of four levels
        for enlarge, block, skip in zip(self.enlarge, self.up, reversed(skips), strict=True):
            # level k = ..., 1, 0: (N, 2 * features * 2^k, H' / 2^k, W' / 2^k)
            x = torch.cat([enlarge(x), skip], dim=1)
            x = block(x)  # (N, features * 2^k, H' / 2^k, W' / 2^k)
        x = F.pixel_shuffle(self.head(x), self.fold)  # (N, out_channels, fold * H', fold * W')
        return x[..., :height, :width].sigmoid()  # (N, out_channels, H, W)
