"""MiDaS v2.1, large and small (Ranftl et al. 2020, https://arxiv.org/abs/1907.01341,
github.com/isl-org/MiDaS).

Attribute names are those of the published state dicts, which load strictly; the functions are
numerically the same."""

import torch.nn.functional as F
from torch import Tensor, nn

from models.efficientnet_lite import efficientnet_lite


class ResidualConvUnit(nn.Module):
    """x + conv(relu(conv(relu(x)))), (N, C, H, W) -> (N, C, H, W). With `skip_relu` the sum takes
    relu(x) instead of x: in the large network as published the first activation works in place, and
    the weights were trained that way."""

    def __init__(self, channels: int, skip_relu: bool) -> None:
        super().__init__()
        self.skip_relu = skip_relu
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(x)  # (N, C, H, W)
        residual = self.conv2(F.relu(self.conv1(activated)))  # (N, C, H, W)
        return residual + (activated if self.skip_relu else x)  # (N, C, H, W)


class FeatureFusion(nn.Module):
    """Joins the path from below with the skip of a level and doubles the size: (N, in, h, w) twice
    -> (N, out, 2h, 2w). `out_channels` None keeps the channels, without a convolution."""

    def __init__(self, channels: int, out_channels: int | None) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(channels, out_channels, 1) if out_channels else nn.Identity()
        self.resConfUnit1 = ResidualConvUnit(channels, skip_relu=out_channels is None)
        self.resConfUnit2 = ResidualConvUnit(channels, skip_relu=out_channels is None)

    def forward(self, path: Tensor, skip: Tensor | None = None) -> Tensor:
        if skip is not None:
            path = path + self.resConfUnit1(skip)  # (N, in, h, w)
        path = self.resConfUnit2(path)  # (N, in, h, w)
        doubled = F.interpolate(path, scale_factor=2, mode="bilinear", align_corners=True)
        return self.out_conv(doubled)  # (N, out, 2h, 2w)


class MidasNetwork(nn.Module):
    """Inverse depth, (N, 3, H, W) images in the encoder's normalisation -> (N, H, W), >= 0, larger
    is nearer.

    H and W must be multiples of 32. `layers` are the encoder's, with strides 4, 8, 16, 32 and these
    output `channels`; the decoder has `features` channels, doubling with every level downwards if
    it is to `expand`."""

    def __init__(
        self, layers: list[nn.Sequential], channels: list[int], features: int, expand: bool
    ) -> None:
        super().__init__()
        widths = [features * 2**level if expand else features for level in range(4)]
        self.pretrained, self.scratch = nn.Module(), nn.Module()
        for level, (layer, width) in enumerate(zip(layers, widths, strict=True), start=1):
            self.pretrained.add_module(f"layer{level}", layer)
            self.scratch.add_module(
                f"layer{level}_rn", nn.Conv2d(channels[level - 1], width, 3, padding=1, bias=False)
            )
        for level in (3, 2, 1, 0):
            out = widths[max(level - 1, 0)] if expand else None
            self.scratch.add_module(f"refinenet{level + 1}", FeatureFusion(widths[level], out))
        # the deepest fusion has no second input: these weights of the published files do nothing
        self.scratch.refinenet4.resConfUnit1.requires_grad_(False)
        self.scratch.output_conv = nn.Sequential(
            nn.Conv2d(features, features // 2, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(features // 2, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 1, 1),
            nn.ReLU(),
        )
        # random weights that start below zero everywhere would never learn behind the last ReLU
        nn.init.ones_(self.scratch.output_conv[4].bias)

    def forward(self, images: Tensor) -> Tensor:
        encoder, decoder = self.pretrained, self.scratch
        level1 = encoder.layer1(images)  # (N, C1, H / 4, W / 4)
        level2 = encoder.layer2(level1)  # (N, C2, H / 8, W / 8)
        level3 = encoder.layer3(level2)  # (N, C3, H / 16, W / 16)
        level4 = encoder.layer4(level3)  # (N, C4, H / 32, W / 32)
        path = decoder.refinenet4(decoder.layer4_rn(level4))  # (N, D3, H / 16, W / 16)
        path = decoder.refinenet3(path, decoder.layer3_rn(level3))  # (N, D2, H / 8, W / 8)
        path = decoder.refinenet2(path, decoder.layer2_rn(level2))  # (N, D1, H / 4, W / 4)
        path = decoder.refinenet1(path, decoder.layer1_rn(level1))  # (N, D1, H / 2, W / 2)
        return decoder.output_conv(path).squeeze(1)  # (N, H, W)


class Midas(MidasNetwork):
    """The large network: ResNeXt-101 32x8d, decoder of 256 channels; 105 M parameters, random
    weights."""

    def __init__(self) -> None:
        from torchvision.models import resnext101_32x8d  # slow to import

        net = resnext101_32x8d(weights=None)
        stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
        super().__init__(
            [stem, net.layer2, net.layer3, net.layer4], [256, 512, 1024, 2048], 256, expand=False
        )


class MidasSmall(MidasNetwork):
    """The small network: an EfficientNet-Lite (TensorFlow's padding and BatchNorm epsilon), decoder
    of `features` x 1, 2, 4, 8 channels; random weights. As published, on tf_efficientnet_lite3 with
    64: 21 M parameters. On tf_efficientnet_lite0 with 32: 7.0 M."""

    def __init__(self, encoder: str = "tf_efficientnet_lite3", features: int = 64) -> None:
        stem, stages, channels = efficientnet_lite(encoder)
        layers = [
            nn.Sequential(*stem, *stages[:2]),
            *(nn.Sequential(*stages[part]) for part in (slice(2, 3), slice(3, 5), slice(5, 7))),
        ]
        super().__init__(layers, [channels[n] for n in (1, 2, 4, 6)], features, expand=True)
