"""Losses on images and depth maps."""

import torch
from torch import nn
from torch.nn import functional


def lsgan(verdict: torch.Tensor, real: bool) -> torch.Tensor:
    """Least-squares GAN loss (Mao et al. 2017): real patches are 1, fakes 0."""
    return functional.mse_loss(verdict, torch.full_like(verdict, float(real)))


def discriminator_loss(
    discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor
) -> torch.Tensor:
    return 0.5 * (lsgan(discriminator(real), True) + lsgan(discriminator(fake), False))


def edge_aware_smoothness(images: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Mean change between neighbouring pixels of `images` where `source` hardly changes: weight
    exp(-10 |change of source|) (Godard et al. 2017, arXiv:1609.03677, section 3.2, there of
    disparities). Both (N, 3, H, W) in [0, 1]."""
    total = images.new_zeros(())
    for axis in (2, 3):
        change = source.diff(dim=axis).abs().mean(1, keepdim=True)
        total = total + (images.diff(dim=axis).abs() * torch.exp(-10 * change)).mean()
    return total


def l1(predicted: torch.Tensor, target: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference over valid pixels, in the target's units. All (N, H, W); valid in
    [0, 1]."""
    return ((predicted - target).abs() * valid).sum() / valid.sum().clamp_min(1)


def _standardised(depth: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """(depth - median) / mean absolute deviation over valid pixels, per image (Ranftl et al. 2020,
    eq. 5 and 6)."""
    flat, weight = depth.flatten(1), (valid > 0.5).flatten(1)
    known = flat.masked_fill(~weight, float("nan"))
    centred = flat - known.nanmedian(dim=1, keepdim=True).values.nan_to_num(0)
    count = weight.sum(1, keepdim=True).clamp_min(1)
    deviation = (centred.abs() * weight).sum(1, keepdim=True) / count
    return (centred / deviation.clamp_min(1e-6)).view_as(depth)


def scale_and_shift_invariant(
    predicted: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
) -> torch.Tensor:
    """Absolute difference after removing each map's median and scale, plus 0.5 x gradient matching
    over four scales (Ranftl et al. 2020, section 5, eq. 7 and 11), over valid pixels. All (N, H,
    W)."""
    predicted, target = predicted.float(), target.float()
    valid = (valid > 0.5).float()
    difference = _standardised(predicted, valid) - _standardised(target, valid)
    loss = 0.5 * (difference.abs() * valid).sum() / valid.sum().clamp_min(1)
    for scale in range(4):
        step = 2**scale
        residual, mask = difference[:, ::step, ::step], valid[:, ::step, ::step]
        total = residual.new_zeros(())
        for axis in (1, 2):
            length = residual.shape[axis] - 1
            both = mask.narrow(axis, 1, length) * mask.narrow(axis, 0, length)
            total = total + (residual.diff(dim=axis).abs() * both).sum()
        loss = loss + 0.5 * total / mask.sum().clamp_min(1)
    return loss


DEPTH_LOSSES = {"l1": l1, "ssi": scale_and_shift_invariant}


def pairs_in_order(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (K,) of the nearer and (K,) of the farther point of every pair that has an order:
    points (P, 4) of other object levels, or of the same object and other intra levels. Equal levels
    mean that nobody can tell."""
    level, intra = points[:, 0], points[:, 1]
    between = level[:, None] < level
    inside = (level[:, None] == level) & (intra[:, None] < intra)
    nearer, farther = (between | inside).nonzero(as_tuple=True)
    return nearer, farther


def ranking(predicted: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Weighted mean of softplus(-2 d) over the ordered pairs, d the nearer minus the farther
    inverse depth in units of the points' mean absolute deviation, so that no scale is learnt (Chen
    et al. 2016, arXiv:1604.03901, eq. 2, on standardised depth). Pairs of objects count half as
    much again where the nearer point is not the lower one, and where the farther one is no
    background: those that "lower is nearer" or a far sky alone do not give. predicted (H, W),
    points (P, 4): object level, intra level, x, y in pixels; 0 where no pair has an order."""
    nearer, farther = pairs_in_order(points)
    if len(nearer) == 0:
        return predicted.sum() * 0
    depth = predicted.float()[points[:, 3], points[:, 2]]
    centred = depth - depth.median()
    standardised = centred / centred.abs().mean().clamp_min(1e-6)
    losses = functional.softplus(-2 * (standardised[nearer] - standardised[farther]))
    level, y = points[:, 0], points[:, 3]
    against_height = y[nearer] <= y[farther]
    without_background = level[farther] < level.max()
    between_objects = level[nearer] < level[farther]
    weights = 1 + 0.5 * between_objects * (against_height.float() + without_background.float())
    return (weights * losses).sum() / weights.sum()
