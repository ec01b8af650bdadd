"""Generator and discriminator of the image translations (CycleGAN, Zhu et al. 2017,
https://arxiv.org/abs/1703.10593)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from models.unet import pad_to_multiple


def _initialise(network: nn.Module) -> None:
    """Weights of convolutions from a normal distribution of deviation 0.02, as in the paper."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Reflection padding, convolution without bias, instance norm."""
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(inputs, outputs, kernel, stride=stride, bias=False),
        nn.InstanceNorm2d(outputs),
    ]


def _two_taps(kernels: Tensor) -> Tensor:
    """Kernels (out, ..., 3) of an enlarged axis as the two of the original one, (out, 2, ..., 2):
    of the pixels before and behind the border between two original ones."""
    first, middle, last = kernels.unbind(-1)
    before = torch.stack([first + middle, last], -1)
    behind = torch.stack([first, middle + last], -1)
    return torch.stack([before, behind], 1)


class DoublingConvolution(nn.Conv2d):
    """Nearest upsampling to twice the size, reflection padding and a 3 x 3 convolution in one, (N,
    in_channels, H, W) -> (N, out_channels, 2 H, 2 W).

    Of the nine pixels of the enlarged image that a kernel sees, only four differ, so a convolution
    with 2 x 2 kernels, sums of parts of the one of 3 x 3, gives the four pixels at each corner
    between the original ones (Shi et al. 2016, arXiv:1609.05158, section 3.2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernels = _two_taps(_two_taps(self.weight).mT).mT.flatten(0, 2)
        # reflecting the enlarged image repeats the pixels at the border of this one
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")  # (N, in_channels, H + 2, W + 2)
        x = F.conv2d(x, kernels)  # (N, 4 * out_channels, H + 1, W + 1)
        return F.pixel_shuffle(x, 2)[..., 1:-1, 1:-1]  # (N, out_channels, 2 H, 2 W)


def _doubling(in_channels: int, out_channels: int) -> list[nn.Module]:
    # two idle layers, so that the keys of the weights are those of when the parts were apart
    convolution = DoublingConvolution(in_channels, out_channels)
    return [nn.Identity(), nn.Identity(), convolution, nn.InstanceNorm2d(out_channels), nn.ReLU()]


class PixelBlockConvolution(nn.Conv2d):
    """A convolution with an odd kernel, (N, in_channels, H, W) -> (N, out_channels, H - kernel + 1,
    W - kernel + 1), both even: blocks of 2 x 2 pixels come out as channels of one, since three
    channels leave most lanes of a processor idle (measured: 1.6 times as fast)."""

    def forward(self, x: Tensor) -> Tensor:
        shifted = [F.pad(self.weight, (c, 1 - c, r, 1 - r)) for r in (0, 1) for c in (0, 1)]
        kernels = torch.stack(shifted, 1).flatten(0, 1)  # (4 * out, in, kernel + 1, kernel + 1)
        x = F.conv2d(x, kernels, self.bias.repeat_interleave(4), stride=2)
        return F.pixel_shuffle(x, 2)


class ResidualBlock(nn.Module):
    """x + convolutions(x), (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(channels, channels, 3), nn.ReLU(), *_convolution(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolutions(x)  # (N, C, H, W)


class ResnetGenerator(nn.Module):
    """Translated image, (N, in_channels, H, W) in [0, 1] -> RGB (N, 3, H, W) in [0, 1].

    Two stride-2 convolutions, `blocks` residual blocks of 4 x `features` channels (Johnson et al.
    2016), two nearest upsamplings each followed by a convolution (Odena et al. 2016), sigmoid. Any
    H and W from 16 on. A `residual` generator adds its output to the logits of the last three input
    channels, so it starts as the identity. With `skips` the features on the way down are added to
    those of the same size on the way up (Isola et al. 2017, section 3.2.1, concatenate them)."""

    def __init__(
        self,
        in_channels: int = 3,
        features: int = 64,
        blocks: int = 8,
        residual: bool = False,
        skips: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"in_channels": in_channels, "features": features, "blocks": blocks}
        kind = {"kind": "ResnetGenerator", **sizes}
        self.architecture = {**kind, "residual": residual, "skips": skips}
        self.down = nn.Sequential(
            *_convolution(in_channels, features, 7),
            nn.ReLU(),
            *_convolution(features, 2 * features, 3, stride=2),
            nn.ReLU(),
            *_convolution(2 * features, 4 * features, 3, stride=2),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * features) for _ in range(blocks)))
        self.up = nn.Sequential(
            *_doubling(4 * features, 2 * features), *_doubling(2 * features, features)
        )
        self.head = nn.Sequential(nn.ReflectionPad2d(3), PixelBlockConvolution(features, 3, 7))
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        skips = self.architecture.get("skips", False)
        x = pad_to_multiple(images, 4)  # (N, in_channels, H', W')
        full = self.down[:4](x)  # (N, features, H', W')
        half = self.down[4:8](full)  # (N, 2 * features, H' / 2, W' / 2)
        x = self.down[8:](half)  # (N, 4 * features, H' / 4, W' / 4)
        x = self.blocks(x)  # (N, 4 * features, H' / 4, W' / 4)
        x = self.up[:5](x)  # (N, 2 * features, H' / 2, W' / 2)
        x = self.up[5:](x + half if skips else x)  # (N, features, H', W')
        x = x + full if skips else x
        x = self.head(x)[..., :height, :width]  # (N, 3, H, W)
        if self.architecture["residual"]:
            x = x + images[:, -3:].clamp(0.02, 0.98).logit()  # (N, 3, H, W)
        return x.sigmoid()  # (N, 3, H, W)


# Side of the patches that a PatchGAN judges, pixels -> its convolutions between first and last.
PATCHES = {16: 1, 34: 2, 70: 3}


class PatchGAN(nn.Module):
    """Realness of overlapping patches of `patch` x `patch` pixels, (N, in_channels, H, W) -> (N, 1,
    H // s - 2, W // s - 2) with s = 2, 4, 8 for patches of 16, 34, 70; unbounded.

    For the least-squares GAN loss: 1 = real, 0 = fake. H and W from 32 on. Isola et al. 2017,
    section 3.2.2 and appendix 6.1.2. With `spectral`, the convolutions have spectral normalisation
    (Miyato et al. 2018, https://arxiv.org/abs/1802.05957) instead of instance norm behind them."""

    def __init__(
        self, in_channels: int = 3, features: int = 64, patch: int = 70, spectral: bool = False
    ) -> None:
        super().__init__()
        sizes = {"in_channels": in_channels, "features": features, "patch": patch}
        self.architecture = {"kind": "PatchGAN", **sizes, "spectral": spectral}
        first = nn.Conv2d(in_channels, features, 4, stride=2, padding=1)
        layers: list[nn.Module] = [first, nn.LeakyReLU(0.2)]
        count = PATCHES[patch]
        for number in range(count):
            width, stride = features * 2**number, 1 if number == count - 1 else 2
            layers += [
                nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1, bias=spectral),
                nn.Identity() if spectral else nn.InstanceNorm2d(2 * width),
                nn.LeakyReLU(0.2),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(features * 2**count, 1, 4, padding=1)
        _initialise(self)
        if spectral:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    # a rate is relative to the size of the weights, which the norm takes away
                    nn.init.kaiming_normal_(module.weight, a=0.2)
                    spectral_norm(module)

    def forward(self, images: Tensor) -> Tensor:
        x = self.features(images)  # (N, features * 2^n, H // s - 1, W // s - 1)
        return self.head(x)  # (N, 1, H // s - 2, W // s - 2)
