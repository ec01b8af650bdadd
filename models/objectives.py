"""What each variant optimises: networks, optimisers and losses, in the order in which they are
stepped."""

import copy
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from models.cyclegan import PatchGAN, ResnetGenerator
from models.depth_model import DepthModel
from models.losses import (
    DEPTH_LOSSES,
    discriminator_loss,
    lsgan,
    ranking,
    scale_and_shift_invariant,
)
from models.unet import UNet

Batch = dict[str, dict[str, torch.Tensor]]
Steps = Iterator[tuple[str, dict[str, torch.Tensor]]]
# Titles and pictures of a sample grid.
Columns = list[tuple[str, torch.Tensor]]


class Objective:
    """What a variant optimises: networks that learn, networks that are only used, and one Adam for
    each named group of the former. It knows nothing of epochs, devices or files. A subclass adds
    `steps(batch)`, which yields (optimiser name, named loss terms) in the order in which they are
    to be stepped."""

    def __init__(
        self,
        networks: dict[str, nn.Module],
        groups: dict[str, list[str]],
        lr: float,
        beta1: float = 0.9,
        frozen: dict[str, nn.Module] | None = None,
        discriminator_rate: float = 1,
        averaged: tuple[str, ...] = (),
        average: float = 0,
    ):
        """groups: optimiser name -> names of its networks; discriminators learn at lr x
        `discriminator_rate`. average: decay of the exponential moving average of the weights of the
        `averaged` networks (0: none). The average then has the network's name, so that it is what
        is drawn, saved and used by later stages; what learns is `<name>_learning`."""
        self.average, self.averaged = average, averaged if average else ()
        for name in self.averaged:
            networks[f"{name}_learning"] = networks[name]
            networks[name] = copy.deepcopy(networks[name]).requires_grad_(False)
        self.networks = nn.ModuleDict(networks)
        self.frozen = nn.ModuleDict(frozen or {}).eval().requires_grad_(False)
        self.architecture = {name: network.architecture for name, network in networks.items()}
        self.pools: dict[str, ImagePool] = {}
        self.optimizers = {}
        for group, names in groups.items():
            parameters = [p for name in names for p in self.learning(name).parameters()]
            rate = lr * (discriminator_rate if "discriminator" in group else 1)
            self.optimizers[group] = torch.optim.Adam(parameters, rate, (beta1, 0.999))

    def learning(self, name: str) -> nn.Module:
        """The network that the optimisers step, where its average has the name."""
        return self.networks[f"{name}_learning" if name in self.averaged else name]

    @torch.no_grad()
    def update_averages(self) -> None:
        """Moves the averages by 1 - `average` towards the weights after a step."""
        for name in self.averaged:
            pairs = zip(
                self.networks[name].parameters(), self.learning(name).parameters(), strict=True
            )
            for mean, weight in pairs:
                mean.lerp_(weight, 1 - self.average)

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
        yield (
            "text",
            {"mse": functional.mse_loss(self.networks["text"](batch["image"]), batch["text_mask"])},
        )


class ImagePool:
    """Up to `size` past fakes; half of what a discriminator sees comes from there (Shrivastava et
    al. 2017, used by CycleGAN, Zhu et al. 2017, section 4)."""

    def __init__(self, size: int = 50):
        self.size, self.images = size, []

    def exchange(self, fakes: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape, some fakes replaced by earlier ones, whose place in the
        pool they take."""
        shown = []
        for fake in fakes.detach():
            if len(self.images) < self.size:
                self.images.append(fake.clone())
            elif torch.rand(()) < 0.5:
                index = int(torch.randint(self.size, ()))
                fake, self.images[index] = self.images[index].to(fake), fake.clone()
            shown.append(fake)
        return torch.stack(shown)


def depth_view(teacher: DepthModel, images: torch.Tensor) -> torch.Tensor:
    """Natural images (N, 3, H, W) with the inverse depth that a frozen teacher sees in them,
    stretched to [0, 1] per image: (N, 4, H, W). Gradients pass through the teacher to the
    images."""
    depth = teacher(images, resize=False)
    low, high = depth.amin((1, 2), keepdim=True), depth.amax((1, 2), keepdim=True)
    return torch.cat([images, ((depth - low) / (high - low).clamp_min(1e-6))[:, None]], dim=1)


class CycleGAN(Objective):
    """Photographs to comics and back (Zhu et al. 2017): mean LSGAN loss + 10 x cycle + 5 x identity
    (by default).

    *simple* and *without_text* differ in the comics they are given; *depth_aware* shows the
    discriminator of the natural domain the teacher's depth too."""

    def __init__(
        self,
        generator: dict,
        lr: float,
        beta1: float,
        teacher: DepthModel | None = None,
        *,
        cycle: float = 10,
        identity: float = 5,
        discriminator: dict | None = None,
        discriminator_rate: float = 1,
        average: float = 0,
    ):
        """generator, discriminator: arguments of ResnetGenerator and of PatchGAN, without the
        channels; without a `discriminator` it has the generator's features. average: see
        Objective, for both generators."""
        discriminator = discriminator or {"features": generator["features"]}
        networks = {
            "natural2comics": ResnetGenerator(3, **generator),
            "comics2natural": ResnetGenerator(3, **generator),
            "natural_discriminator": PatchGAN(4 if teacher else 3, **discriminator),
            "comics_discriminator": PatchGAN(3, **discriminator),
        }
        groups = {"generators": ["natural2comics", "comics2natural"]}
        groups |= {name: [name] for name in ("natural_discriminator", "comics_discriminator")}
        super().__init__(
            networks,
            groups,
            lr,
            beta1,
            {"teacher": teacher} if teacher else None,
            discriminator_rate,
            ("natural2comics", "comics2natural"),
            average,
        )
        self.weights = {"cycle": cycle, "identity": identity}
        self.pools = {"natural": ImagePool(), "comics": ImagePool()}
        self.view = partial(depth_view, teacher) if teacher else nn.Identity()

    def steps(self, batch: Batch) -> Steps:
        """batch: natural and comics, each with image (N, 3, H, W)."""
        natural, comics = batch["natural"]["image"], batch["comics"]["image"]
        to_comics, to_natural = self.learning("natural2comics"), self.learning("comics2natural")
        discriminators = {
            "natural": self.networks["natural_discriminator"],
            "comics": self.networks["comics_discriminator"],
        }
        for discriminator in discriminators.values():
            discriminator.requires_grad_(False)
        fake = {"comics": to_comics(natural), "natural": to_natural(comics)}
        inputs = {"comics": fake["comics"], "natural": self.view(fake["natural"])}
        cycle = functional.l1_loss(to_natural(fake["comics"]), natural)
        cycle = cycle + functional.l1_loss(to_comics(fake["natural"]), comics)
        identity = functional.l1_loss(to_comics(comics), comics) + functional.l1_loss(
            to_natural(natural), natural
        )
        gan = sum(lsgan(discriminators[domain](inputs[domain]), True) for domain in discriminators)
        weight = self.weights
        yield (
            "generators",
            {
                "gan": gan / 2,
                "cycle": weight["cycle"] * cycle / 2,
                "identity": weight["identity"] * identity / 2,
            },
        )
        self.update_averages()  # the loop comes back here when it has stepped
        with torch.no_grad():
            real = {"comics": comics, "natural": self.view(natural)}
        for domain, discriminator in discriminators.items():
            discriminator.requires_grad_(True)
            past = self.pools[domain].exchange(inputs[domain])
            yield (
                f"{domain}_discriminator",
                {"gan": discriminator_loss(discriminator, real[domain], past)},
            )

    def pictures(self, batch: Batch) -> Columns:
        """Both domains, translated and back, each (N, 3, H, W)."""
        natural, comics = batch["natural"]["image"], batch["comics"]["image"]
        to_comics, to_natural = self.networks["natural2comics"], self.networks["comics2natural"]
        fake_comics, fake_natural = to_comics(natural), to_natural(comics)
        return [
            ("photograph", natural),
            ("as comics", fake_comics),
            ("and back", to_natural(fake_comics)),
            ("comics", comics),
            ("as photograph", fake_natural),
            ("and back", to_comics(fake_natural)),
        ]


def add_text(
    generator: nn.Module,
    comics: torch.Tensor,
    mask: torch.Tensor,
    photograph: torch.Tensor,
    whole: bool,
):
    """The generator's picture of a translated photograph with the text areas of a comics frame, (N,
    3, H, W).

    The 2020 generator saw the whole frame and could copy content that contradicts the photograph's
    depth; unless `whole`, it sees the text areas alone. comics, photograph (N, 3, H, W); mask (N,
    1, H, W) in [0, 1]."""
    return generator(torch.cat([comics if whole else comics * mask, mask, photograph], dim=1))


class AddText(Objective):
    """A generator that pastes the text areas of real comics into translated photographs: LSGAN + 3
    x L1 to the photograph outside the mask + 3 x L1 to the comics inside + 5 x identity (real
    comics pasted on itself)."""

    def __init__(
        self,
        translator: nn.Module,
        generator: dict,
        lr: float,
        beta1: float,
        whole_comics: bool = False,
        *,
        identity: float = 5,
        discriminator: dict | None = None,
        discriminator_rate: float = 1,
        average: float = 0,
    ):
        discriminator = discriminator or {"features": generator["features"]}
        networks = {
            "add_text": ResnetGenerator(7, **generator),
            "discriminator": PatchGAN(3, **discriminator),
        }
        groups = {"generator": ["add_text"], "discriminator": ["discriminator"]}
        super().__init__(
            networks,
            groups,
            lr,
            beta1,
            {"translator": translator},
            discriminator_rate,
            ("add_text",),
            average,
        )
        self.architecture["add_text"] = {
            **self.architecture["add_text"],
            "whole_comics": whole_comics,
        }
        self.pools = {"comics": ImagePool()}
        self.whole, self.identity = whole_comics, identity

    def steps(self, batch: Batch) -> Steps:
        """batch: natural with image, comics with image and text_mask."""
        comics, mask = batch["comics"]["image"], batch["comics"]["text_mask"]
        generator, discriminator = self.learning("add_text"), self.networks["discriminator"]
        discriminator.requires_grad_(False)
        with torch.no_grad():
            photograph = self.frozen["translator"](batch["natural"]["image"])
        fake = add_text(generator, comics, mask, photograph, self.whole)
        again = add_text(generator, comics, mask, comics, self.whole)
        losses = {
            "gan": lsgan(discriminator(fake), True),
            "outside": 3 * ((fake - photograph).abs() * (1 - mask)).mean(),
            "inside": 3 * ((fake - comics).abs() * mask).mean(),
            "identity": self.identity * functional.l1_loss(again, comics),
        }
        yield "generator", losses
        self.update_averages()
        discriminator.requires_grad_(True)
        yield (
            "discriminator",
            {"gan": discriminator_loss(discriminator, comics, self.pools["comics"].exchange(fake))},
        )

    def pictures(self, batch: Batch) -> Columns:
        """Translated photograph, comics with text mask, and the result, each (N, 3, H, W)."""
        comics, mask = batch["comics"]["image"], batch["comics"]["text_mask"]
        photograph = self.frozen["translator"](batch["natural"]["image"])
        fake = add_text(self.networks["add_text"], comics, mask, photograph, self.whole)
        return [
            ("photograph", batch["natural"]["image"]),
            ("as comics", photograph),
            ("comics", comics),
            ("its text", mask.expand_as(comics)),
            ("with text", fake),
        ]


class DepthTraining(Objective):
    """A depth model fitted to the teacher's inverse depth of photographs, which it sees as they are
    (no translator), as comics (translator), or as comics with text areas pasted in (translator and
    text adder)."""

    def __init__(
        self,
        student: DepthModel,
        lr: float,
        loss: str,
        translator: nn.Module | None = None,
        text_adder: nn.Module | None = None,
        ignore_text: bool = False,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ):
        """augment: changes the images (N, 3, H, W) that the student learns from, not those that it
        is measured on."""
        frozen = {"translator": translator, "text_adder": text_adder}
        super().__init__(
            {"depth": student},
            {"depth": ["depth"]},
            lr,
            frozen={k: v for k, v in frozen.items() if v},
        )
        self.loss, self.ignore_text = DEPTH_LOSSES[loss], ignore_text
        self.augment = augment

    @torch.no_grad()
    def inputs(self, batch: Batch) -> torch.Tensor:
        """What the student is shown: (N, 3, H, W) in [0, 1]."""
        images = batch["natural"]["image"]
        if "translator" in self.frozen:
            images = self.frozen["translator"](images)
        if "text_adder" in self.frozen:
            adder = self.frozen["text_adder"]
            comics, whole = batch["comics"], adder.architecture.get("whole_comics", False)
            images = add_text(adder, comics["image"], comics["text_mask"], images, whole)
        return images

    def steps(self, batch: Batch) -> Steps:
        """batch: natural with image (N, 3, H, W) and depth (N, 1, H, W); comics with image and
        text_mask to add."""
        images = self.inputs(batch)
        images = self.augment(images) if self.augment else images
        yield "depth", {"loss": self._measure(batch, images)[0]}

    def pictures(self, batch: Batch) -> Columns:
        """Photograph and what the student sees of it, (N, 3, H, W); its inverse depth and the
        teacher's, (N, H, W)."""
        return [
            ("photograph", batch["natural"]["image"]),
            ("input", self.inputs(batch)),
            ("student", self.measure(batch)[1]),
            ("teacher", batch["natural"]["depth"][:, 0]),
        ]

    def measure(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """(loss over the batch, the student's inverse depth (N, H, W))."""
        return self._measure(batch, self.inputs(batch))

    def _measure(self, batch: Batch, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        predicted = self.networks["depth"](images, resize=False)
        target = batch["natural"]["depth"][:, 0]
        valid = (
            1 - batch["comics"]["text_mask"][:, 0] if self.ignore_text else torch.ones_like(target)
        )
        return self.loss(predicted, target, valid), predicted


class DepthOrdering(Objective):
    """A depth model fitted to the order of points: ranking loss + `regulariser` x
    scale-and-shift-invariant loss to the depth that it gave before, so that shapes are kept.

    Some hundred points are few for millions of weights, so what counts is the running mean of the
    weights (`depth`), not the weights that are stepped (`student`); BatchNorm keeps its
    statistics, since two frames have none of their own."""

    longest_memory = 0.995  # of the running mean, a step; it begins shorter

    def __init__(self, student: DepthModel, lr: float, regulariser: float):
        networks = {"depth": copy.deepcopy(student).requires_grad_(False), "student": student}
        super().__init__(networks, {"student": ["student"]}, lr)
        self.regulariser = regulariser
        self.stepped = 0

    def steps(self, batch: dict[str, list[dict[str, torch.Tensor]]]) -> Steps:
        """batch: comics, a list of frames of any size: image (3, H, W), depth (1, H, W), valid (1,
        H, W) in [0, 1], points (P, 4): object level, intra level, x, y."""
        self.networks.eval()
        self._remember()
        order, shape = [], []
        for frame in batch["comics"]:
            predicted = self.networks["student"](frame["image"][None], resize=False)
            order.append(ranking(predicted[0], frame["points"]))
            shape.append(scale_and_shift_invariant(predicted, frame["depth"], frame["valid"]))
        shape = self.regulariser * torch.stack(shape).mean()
        yield "student", {"order": torch.stack(order).mean(), "shape": shape}

    @torch.no_grad()
    def _remember(self) -> None:
        kept = min(self.longest_memory, (self.stepped + 1) / (self.stepped + 20))
        pairs = zip(
            self.networks["depth"].parameters(), self.networks["student"].parameters(), strict=True
        )
        for mean, weights in pairs:
            mean.lerp_(weights, 1 - kept)
        self.stepped += 1

    def state(self) -> dict:
        return {"stepped": self.stepped}

    def load_state(self, state: dict) -> None:
        self.stepped = state["stepped"]
