"""What the image translations optimise: CycleGAN, and the GAN that pastes text areas."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional

from models.cyclegan import PatchGAN, ResnetGenerator
from models.depth_model import DepthModel
from models.losses import discriminator_loss, edge_aware_smoothness, lsgan
from models.objectives import Batch, Columns, Objective, Steps


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
    """Images (N, 3, H, W) with the inverse depth that a frozen teacher sees in them, stretched to
    [0, 1] per image: (N, 4, H, W). Gradients pass through the teacher."""
    depth = teacher(images, resize=False)
    low, high = depth.amin((1, 2), keepdim=True), depth.amax((1, 2), keepdim=True)
    return torch.cat([images, ((depth - low) / (high - low).clamp_min(1e-6))[:, None]], dim=1)


class CycleGAN(Objective):
    """Photographs to comics and back (Zhu et al. 2017): mean LSGAN loss + 10 x cycle + 5 x identity
    (by default), and `smooth` x edge-aware smoothness of the translations.

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
        smooth: float = 0,
        discriminator: dict | None = None,
        **learning: float,
    ):
        """generator, discriminator: arguments of ResnetGenerator and of PatchGAN, without the
        channels; without a `discriminator` it has the generator's features. learning: average and
        discriminator_rate of Objective."""
        discriminator = discriminator or {"features": generator["features"]}
        generators = ("natural2comics", "comics2natural")
        networks = {name: ResnetGenerator(3, **generator) for name in generators}
        networks["natural_discriminator"] = PatchGAN(4 if teacher else 3, **discriminator)
        networks["comics_discriminator"] = PatchGAN(3, **discriminator)
        groups = {"generators": [*generators]}
        groups |= {name: [name] for name in networks if name not in generators}
        learning |= {"frozen": {"teacher": teacher} if teacher else {}, "averaged": generators}
        super().__init__(networks, groups, lr, beta1, **learning)
        self.weights = {"cycle": cycle, "identity": identity, "smooth": smooth}
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
        # what is to change and what is to stay in one pass: a generator has no batch statistics
        both = torch.cat([natural, comics])
        counts = [len(natural), len(comics)]
        fake_comics, same_comics = to_comics(both).split(counts)
        same_natural, fake_natural = to_natural(both).split(counts)
        fake = {"comics": fake_comics, "natural": fake_natural}
        inputs = {"comics": fake["comics"], "natural": self.view(fake["natural"])}
        cycle = functional.l1_loss(to_natural(fake["comics"]), natural)
        cycle = cycle + functional.l1_loss(to_comics(fake["natural"]), comics)
        identity = functional.l1_loss(same_comics, comics)
        identity = identity + functional.l1_loss(same_natural, natural)
        gan = sum(lsgan(discriminators[domain](inputs[domain]), True) for domain in discriminators)
        weight = self.weights
        losses = {
            "gan": gan / 2,
            "cycle": weight["cycle"] * cycle / 2,
            "identity": weight["identity"] * identity / 2,
        }
        if weight["smooth"]:
            smooth = edge_aware_smoothness(fake["comics"], natural)
            smooth = smooth + edge_aware_smoothness(fake["natural"], comics)
            losses["smooth"] = weight["smooth"] * smooth / 2
        yield "generators", losses
        with torch.no_grad():
            real = {"comics": comics, "natural": self.view(natural)}
        for domain, discriminator in discriminators.items():
            discriminator.requires_grad_(True)
            past = self.pools[domain].exchange(inputs[domain])
            gan = discriminator_loss(discriminator, real[domain], past)
            yield f"{domain}_discriminator", {"gan": gan}

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
    3, H, W): it sees these alone, or, as in 2020, the `whole` frame; a residual one starts from
    the photograph with them pasted in. comics, photograph (N, 3, H, W); mask (N, 1, H, W) in [0,
    1]."""
    if generator.architecture["residual"]:
        photograph = torch.lerp(photograph, comics, mask)
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
        **learning: float,
    ):
        """As of CycleGAN; whole_comics: see add_text."""
        discriminator = discriminator or {"features": generator["features"]}
        networks = {
            "add_text": ResnetGenerator(7, **generator),
            "discriminator": PatchGAN(3, **discriminator),
        }
        groups = {"generator": ["add_text"], "discriminator": ["discriminator"]}
        learning |= {"frozen": {"translator": translator}, "averaged": ("add_text",)}
        super().__init__(networks, groups, lr, beta1, **learning)
        described = self.architecture["add_text"] | {"whole_comics": whole_comics}
        self.architecture["add_text"] = described
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
        discriminator.requires_grad_(True)
        past = self.pools["comics"].exchange(fake)
        yield "discriminator", {"gan": discriminator_loss(discriminator, comics, past)}

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
