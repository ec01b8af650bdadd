"""The U-Net that finds text areas."""

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

    Four levels of 1, 2, 4, 8 x `features` channels, 16 x at the bottom; any H and W (inside, the
    image is padded to multiples of 16). Ronneberger et al. 2015 with the BatchNorm and the padding
    of Buda et al. 2019 (github.com/mateuszbuda/brain-segmentation-pytorch)."""

    def __init__(self, out_channels: int = 1, features: int = 32) -> None:
        super().__init__()
        self.architecture = {"kind": "UNet", "out_channels": out_channels, "features": features}
        for name, values in (
            ("mean", (0.485, 0.456, 0.406)),
            ("std", (0.229, 0.224, 0.225)),
        ):  # of ImageNet
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        widths = [features * 2**level for level in range(5)]
        self.down = nn.ModuleList(map(_double_convolution, [3, *widths[:3]], widths[:4]))
        self.bottom = _double_convolution(widths[3], widths[4])
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:4])
        )
        self.up = nn.ModuleList(_double_convolution(2 * w, w) for w in reversed(widths[:4]))
        self.head = nn.Conv2d(features, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = pad_to_multiple((images - self.mean) / self.std, 16)  # (N, 3, H', W')
        skips = []
        for block in self.down:
            skips.append(block(x))  # level k = 0..3: (N, features * 2^k, H' / 2^k, W' / 2^k)
            x = F.max_pool2d(skips[-1], 2)  # (N, features * 2^k, H' / 2^(k+1), W' / 2^(k+1))
        x = self.bottom(x)  # (N, 16 * features, H' / 16, W' / 16)
        for enlarge, block, skip in zip(self.enlarge, self.up, reversed(skips), strict=True):
            x = torch.cat(
                [enlarge(x), skip], dim=1
            )  # level k = 3..0: (N, 2 * features * 2^k, H' / 2^k, W' / 2^k)
            x = block(x)  # (N, features * 2^k, H' / 2^k, W' / 2^k)
        x = self.head(x)  # (N, out_channels, H', W')
        return x[..., :height, :width].sigmoid()  # (N, out_channels, H, W)
