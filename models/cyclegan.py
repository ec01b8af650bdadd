"""Generator and discriminator of the image translations (CycleGAN, Zhu et al. 2017,
https://arxiv.org/abs/1703.10593)."""

from torch import Tensor, nn

from models.unet import pad_to_multiple


def _initialise(network: nn.Module) -> None:
    """Convolutions of `network` as in the CycleGAN paper: weights from a normal distribution of
    deviation 0.02."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _convolution(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1
) -> list[nn.Module]:
    """Reflection padding, convolution, instance norm; no bias, since the norm would take it away
    again."""
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, bias=False),
        nn.InstanceNorm2d(out_channels),
    ]


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
    2016), two nearest upsamplings each followed by a convolution (against checkerboards, Odena et
    al. 2016), sigmoid. Any H and W from 16 on (inside, the image is padded to multiples of 4). A
    `residual` generator adds its output to the logits of the last three input channels: it starts
    as the identity, so that short trainings spend their steps on style, not on copying."""

    def __init__(
        self, in_channels: int = 3, features: int = 64, blocks: int = 8, residual: bool = False
    ) -> None:
        super().__init__()
        self.architecture = {
            "kind": "ResnetGenerator",
            "in_channels": in_channels,
            "features": features,
            "blocks": blocks,
            "residual": residual,
        }
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
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolution(4 * features, 2 * features, 3),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_convolution(2 * features, features, 3),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(features, 3, 7))
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = pad_to_multiple(images, 4)  # (N, in_channels, H', W')
        x = self.down(x)  # (N, 4 * features, H' / 4, W' / 4)
        x = self.blocks(x)  # (N, 4 * features, H' / 4, W' / 4)
        x = self.up(x)  # (N, features, H', W')
        x = self.head(x)[..., :height, :width]  # (N, 3, H, W)
        if self.architecture["residual"]:
            x = x + images[:, -3:].clamp(0.02, 0.98).logit()  # (N, 3, H, W)
        return x.sigmoid()  # (N, 3, H, W)


class PatchGAN(nn.Module):
    """Realness of overlapping 70x70 patches, (N, in_channels, H, W) -> (N, 1, H // 8 - 2, W // 8 -
    2), unbounded.

    For the least-squares GAN loss: 1 = real, 0 = fake. H and W from 32 on. Isola et al. 2017,
    section 3.2.2."""

    def __init__(self, in_channels: int = 3, features: int = 64) -> None:
        super().__init__()
        self.architecture = {"kind": "PatchGAN", "in_channels": in_channels, "features": features}
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for width, stride in ((features, 2), (2 * features, 2), (4 * features, 1)):
            layers += [
                nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1, bias=False),
                nn.InstanceNorm2d(2 * width),
                nn.LeakyReLU(0.2),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(8 * features, 1, 4, padding=1)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.features(images)  # (N, 8 * features, H // 8 - 1, W // 8 - 1)
        return self.head(x)  # (N, 1, H // 8 - 2, W // 8 - 2)
