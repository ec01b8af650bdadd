"""EfficientNet-Lite (Tan and Le 2019, https://arxiv.org/abs/1905.11946; without squeeze and
excitation and with ReLU6, as TensorFlow published it): the encoder of the small MiDaS.

Keys and values are those of timm's tf_efficientnet_lite*; timm itself takes longer to import than a
page of comics takes to predict."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# name -> factors of (width, depth)
SIZES = {"tf_efficientnet_lite0": (1.0, 1.0), "tf_efficientnet_lite3": (1.2, 1.4)}
# of each stage: repeats, kernel, stride, expansion, channels
STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
STEM = 32


class Convolution(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow does: with a stride, the more on the right
    and at the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # the bf16 gradient of depthwise convolutions takes so long there (measured: 0.119 s an
            # image and training step against 0.071 s) that it costs more than bf16 saves
            with torch.autocast("cpu", enabled=False):
                return self._padded(x.float())
        return self._padded(x)

    def _padded(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride > 1:
            rows, columns = (
                max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
                for side in x.shape[-2:]
            )
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return super().forward(x)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class SeparableBlock(nn.Module):
    """Depthwise and pointwise: (N, inputs, H, W) -> (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.conv_dw = Convolution(inputs, inputs, kernel, groups=inputs)
        self.bn1 = batch_norm(inputs)
        self.conv_pw = Convolution(inputs, outputs, 1)
        self.bn2 = batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))


class InvertedResidual(nn.Module):
    """Wider, depthwise, narrower (Sandler et al. 2018), added to its input where that has the same
    shape: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.conv_pw = Convolution(inputs, wide, 1)
        self.bn1 = batch_norm(wide)
        self.conv_dw = Convolution(wide, wide, kernel, stride, groups=wide)
        self.bn2 = batch_norm(wide)
        self.conv_pwl = Convolution(wide, outputs, 1)
        self.bn3 = batch_norm(outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn1(self.conv_pw(x)))
        y = F.relu6(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))
        return y + x if self.adds else y


def rounded(channels: float) -> int:
    """To the nearest multiple of 8, but not down by more than a tenth."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def efficientnet_lite(name: str) -> tuple[nn.Sequential, list[nn.Sequential], list[int]]:
    """(stem, the seven stages, their output channels), with random weights."""
    width, depth = SIZES[name]
    stem = nn.Sequential(Convolution(3, STEM, 3, 2), batch_norm(STEM), nn.ReLU6())
    stages = []
    channels = []
    inputs = STEM
    for number, (repeats, kernel, stride, expansion, base) in enumerate(STAGES):
        inner = 0 < number < len(STAGES) - 1  # the first and the last stage are not repeated more
        blocks = []
        for repeat in range(math.ceil(repeats * depth) if inner else repeats):
            outputs = rounded(base * width)
            if expansion == 1:
                blocks.append(SeparableBlock(inputs, outputs, kernel))
            else:
                once = stride if repeat == 0 else 1
                blocks.append(InvertedResidual(inputs, outputs, kernel, once, expansion))
            inputs = outputs
        stages.append(nn.Sequential(*blocks))
        channels.append(inputs)
    return stem, stages, channels
