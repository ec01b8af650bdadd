"""The loops of the 2020 recipe, plainly: what speed.py measures the trainings against."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(inputs, outputs, kernel, stride, bias=False),
        nn.InstanceNorm2d(outputs),
        nn.ReLU(True),
    ]


class Block(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


def reference_generator(width: int, blocks: int) -> nn.Module:
    """width: channels of the first layer."""
    deep = 4 * width
    body = [
        Block(*convolution(deep, deep, 3), *convolution(deep, deep, 3)[:-1]) for _ in range(blocks)
    ]
    return nn.Sequential(
        *convolution(3, width, 7),
        *convolution(width, 2 * width, 3, 2),
        *convolution(2 * width, deep, 3, 2),
        *body,
        nn.Upsample(scale_factor=2),
        *convolution(deep, 2 * width, 3),
        nn.Upsample(scale_factor=2),
        *convolution(2 * width, width, 3),
        nn.ReflectionPad2d(3),
        nn.Conv2d(width, 3, 7),
        nn.Sigmoid(),
    )


def reference_discriminator(width: int) -> nn.Module:
    layers = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for stride in (2, 2, 1):
        layers += [
            nn.Conv2d(width, 2 * width, 4, stride, 1, bias=False),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(0.2, True),
        ]
        width *= 2
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))


def reference_networks(width: int = 64, blocks: int = 8) -> list[nn.Module]:
    """The generators to comics and to photographs, the discriminators of photographs and comics."""
    generators = [reference_generator(width, blocks) for _ in range(2)]
    return [*generators, *(reference_discriminator(width) for _ in range(2))]


def reference_cyclegan(
    networks: list[nn.Module], natural: torch.Tensor, comics: torch.Tensor
) -> Callable[[], list[float]]:
    """A step on this batch; it returns the GAN, cycle and identity loss of the generators and the
    losses of both discriminators."""
    to_comics, to_natural, *judging = networks
    judges = dict(zip(("natural", "comics"), judging, strict=True))
    generators = [*to_comics.parameters(), *to_natural.parameters()]
    optimizers = {name: torch.optim.Adam(net.parameters(), 1e-3) for name, net in judges.items()}
    optimizer = torch.optim.Adam(generators, 1e-3)

    def gan(verdict: torch.Tensor, target: float) -> torch.Tensor:
        return functional.mse_loss(verdict, torch.full_like(verdict, target))

    def step() -> list[float]:
        fake = {"comics": to_comics(natural), "natural": to_natural(comics)}
        adversarial = (
            gan(judges["comics"](fake["comics"]), 1) + gan(judges["natural"](fake["natural"]), 1)
        ) / 2
        cycle = functional.l1_loss(to_natural(fake["comics"]), natural)
        cycle = (cycle + functional.l1_loss(to_comics(fake["natural"]), comics)) / 2
        identity = functional.l1_loss(to_comics(comics), comics)
        identity = (identity + functional.l1_loss(to_natural(natural), natural)) / 2
        loss = adversarial + 10 * cycle + 5 * identity
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        logged = [adversarial.item(), cycle.item(), identity.item()]
        for name, real in (("natural", natural), ("comics", comics)):
            judge = judges[name]
            loss = (gan(judge(real), 1) + gan(judge(fake[name].detach()), 0)) / 2
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
            logged.append(loss.item())
        return logged

    return step


def reference_fit(network: nn.Module, lr: float, loss_of: Callable) -> Callable:
    """A step of a network that has one loss."""
    optimizer = torch.optim.Adam(network.parameters(), lr)

    def step() -> float:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def reference_crop(path: Path, size: int, rng: np.random.Generator) -> torch.Tensor:
    """(3, size, size) in [0, 1], any part of the photograph with its shorter side at `size`."""
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) / 255.0
    height, width = image.shape[:2]
    scale = size / min(height, width)
    resized = (max(size, round(width * scale)), max(size, round(height * scale)))
    image = cv2.resize(image, resized, interpolation=cv2.INTER_CUBIC)
    top = rng.integers(0, image.shape[0] - size + 1)
    left = rng.integers(0, image.shape[1] - size + 1)
    image = image[top : top + size, left : left + size].transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(image).astype(np.float32))


@torch.no_grad()
def reference_depth(network: nn.Module, image: np.ndarray, size: int, device: str) -> np.ndarray:
    """Depth (H, W) of a picture, RGB uint8 (H, W, 3), which the network sees with its longer side
    at `size`, in multiples of 32."""
    height, width = image.shape[:2]
    seen = [round(side * size / max(height, width) / 32) * 32 for side in (width, height)]
    pixels = cv2.resize(image / 255.0, seen, interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    inputs = torch.from_numpy(np.ascontiguousarray(pixels).astype(np.float32))[None].to(device)
    depth = network(inputs, resize=False)[:, None]
    depth = functional.interpolate(depth, (height, width), mode="bicubic", align_corners=False)
    return depth[0, 0].cpu().numpy()
