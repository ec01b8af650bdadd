"""What each variant optimises: networks, optimisers and losses, in the order in which they are
stepped."""

import copy
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional

from models.unet import UNet

Batch = dict[str, dict[str, torch.Tensor]]
Steps = Iterator[tuple[str, dict[str, torch.Tensor]]]
Columns = list[tuple[str, torch.Tensor]]  # titles and pictures of a sample grid


class Objective:
    """What a variant optimises: networks that learn, `frozen` ones that are only used, and one Adam
    for each group of the former (optimiser name -> names of its networks). It knows nothing of
    epochs, devices or files. A subclass adds `steps(batch)`, which yields (optimiser name, named
    loss terms) in the order in which they are to be stepped; the loop calls `after_step` before it
    goes on, once for all parts of a batch that is computed in parts."""

    def __init__(
        self,
        networks: dict[str, nn.Module],
        groups: dict[str, list[str]],
        lr: float,
        beta1: float = 0.9,
        *,
        frozen: dict[str, nn.Module] | None = None,
        averaged: tuple[str, ...] = (),
        average: float = 0,
        interpolate: float = 1,
        discriminator_rate: float = 1,
    ):
        """average: decay of the exponential moving average of the weights of the `averaged`
        networks (0: none). The average then has the network's name, so that it is what is drawn,
        saved and used by later stages; what learns is `<name>_learning`. interpolate: share of the
        learnt weights in it, the rest being those from before (Wortsman et al. 2022,
        arXiv:2109.01903); 1: all. Discriminators learn at lr x `discriminator_rate`."""
        self.average, self.interpolate = average, interpolate
        self.averaged = averaged if average or interpolate < 1 else ()
        frozen = dict(frozen or {})
        for name in self.averaged:
            networks[f"{name}_learning"] = networks[name]
            networks[name] = copy.deepcopy(networks[name]).requires_grad_(False)
            if interpolate < 1:
                frozen[f"{name}_before"] = copy.deepcopy(networks[name])
        self.networks = nn.ModuleDict(networks)
        self.frozen = nn.ModuleDict(frozen).eval().requires_grad_(False)
        self.architecture = {name: network.architecture for name, network in networks.items()}
        self.groups = groups
        self.pools: dict = {}  # name -> gan_objectives.ImagePool
        self.optimizers = {}
        for group, names in groups.items():
            parameters = [p for name in names for p in self.learning(name).parameters()]
            rate = lr * (discriminator_rate if "discriminator" in group else 1)
            self.optimizers[group] = torch.optim.Adam(parameters, rate, (beta1, 0.999), fused=True)

    def learning(self, name: str) -> nn.Module:
        """The network that the optimisers step, where its average has the name."""
        return self.networks[f"{name}_learning" if name in self.averaged else name]

    def after_step(self, group: str) -> None:
        """What has to follow when the optimiser of this name has stepped."""
        if set(self.averaged) & set(self.groups[group]):
            self.update_averages()

    @torch.no_grad()
    def update_averages(self, kept: float | None = None) -> None:
        """Moves the averages by 1 - `kept` (left out: `average`) towards the weights, or what lies
        between these and those from before, and the statistics of BatchNorm, after a step."""
        kept = self.average if kept is None else kept
        for name in self.averaged:
            target = self.learning(name).state_dict()
            if self.interpolate < 1:
                before = self.frozen[f"{name}_before"].state_dict()
                target = {
                    key: torch.lerp(before[key], value, self.interpolate)
                    for key, value in target.items()
                    if value.is_floating_point()
                }
            for key, mean in self.networks[name].state_dict().items():
                if mean.is_floating_point():
                    mean.lerp_(target[key], 1 - kept)

    def state(self) -> dict:
        return {name: [image.cpu() for image in pool.images] for name, pool in self.pools.items()}

    def load_state(self, state: dict) -> None:
        for name, pool in self.pools.items():
            pool.images = state[name]


class TextAreas(Objective):
    """Mean squared error of the U-Net's text map against the mask."""

    def __init__(self, features: int, lr: float):
        super().__init__({"text": UNet(features=features)}, {"text": ["text"]}, lr)

    def steps(self, batch: dict[str, torch.Tensor]) -> Steps:
        """batch: image (N, 3, H, W), text_mask (N, 1, H, W)."""
        predicted = self.networks["text"](batch["image"])
        yield "text", {"mse": functional.mse_loss(predicted, batch["text_mask"])}


class PageMaps(Objective):
    """Cross-entropy of the two maps of a page, inside a panel and text, against their masks."""

    def __init__(self, network: UNet, lr: float):
        groups = {"page": ["page"]}
        super().__init__({"page": network}, groups, lr, averaged=("page",), average=0.99)

    def steps(self, batch: dict[str, torch.Tensor]) -> Steps:
        """batch: image (N, 3, H, W); masks (N, 2, H, W), 0 or 1; weights of their pixels."""
        predicted = self.learning("page")(batch["image"]).float()
        truth, weights = batch["masks"], batch["weights"]
        right = (1 - truth - predicted).abs().clamp_min(1e-6)
        losses = (-right.log() * weights).sum((0, 2, 3)) / weights.sum((0, 2, 3))
        yield "page", {"panels": losses[0], "text": losses[1]}
