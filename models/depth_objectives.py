"""What depth models are fitted to: depth of pictures, or the order of points."""

from collections.abc import Callable

import torch
from torch import nn

from models.depth_model import DepthModel
from models.gan_objectives import add_text
from models.losses import DEPTH_LOSSES, ranking, scale_and_shift_invariant
from models.objectives import Batch, Columns, Objective, Steps


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
        **learning: float,
    ):
        """augment: changes the images (N, 3, H, W) that the student learns from, not those that it
        is measured on. learning: average and interpolate of Objective."""
        frozen = {"translator": translator, "text_adder": text_adder}
        frozen = {name: network for name, network in frozen.items() if network}
        learning |= {"frozen": frozen, "averaged": ("depth",)}
        super().__init__({"depth": student}, {"depth": ["depth"]}, lr, **learning)
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
        yield "depth", {"loss": self.learnt(batch)}

    def learnt(self, batch: Batch) -> torch.Tensor:
        images = self.inputs(batch)
        images = self.augment(images) if self.augment else images
        return self._measure(batch, images, self.learning("depth"))[0]

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
        return self._measure(batch, self.inputs(batch), self.networks["depth"])

    def _measure(
        self, batch: Batch, images: torch.Tensor, student: nn.Module
    ) -> tuple[torch.Tensor, torch.Tensor]:
        predicted = student(images, resize=False)
        target = batch["natural"]["depth"][:, 0]
        valid = torch.ones_like(target)
        if self.ignore_text:
            valid = 1 - batch["comics"]["text_mask"][:, 0]
        return self.loss(predicted, target, valid), predicted


class DepthOrdering(DepthTraining):
    """A depth model fitted to the order of points: ranking loss + `regulariser` x
    scale-and-shift-invariant loss to the depth that it gave before, so that shapes are kept, + that
    loss to the teacher's depth of translated photographs where a batch has any. What counts is the
    running mean of the weights; BatchNorm keeps its statistics, as two frames have none."""

    def __init__(
        self,
        student: DepthModel,
        lr: float,
        regulariser: float,
        translator: nn.Module | None = None,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        interpolate: float = 1,
    ):
        options = {"augment": augment, "average": 0.995, "interpolate": interpolate}
        super().__init__(student, lr, "ssi", translator, **options)
        self.regulariser = regulariser
        self.stepped = 0

    def steps(self, batch: dict) -> Steps:
        """batch: comics, a list of frames of any size: image (3, H, W), depth (1, H, W), valid (1,
        H, W) in [0, 1], points (P, 4): object level, intra level, x, y; natural as in
        DepthTraining, of any number or absent: a photograph counts as much as a frame."""
        self.networks.eval()
        frames = batch["comics"]
        order, shape = [], []
        for frame in frames:
            predicted = self.learning("depth")(frame["image"][None], resize=False)
            order.append(ranking(predicted[0], frame["points"]))
            shape.append(scale_and_shift_invariant(predicted, frame["depth"], frame["valid"]))
        terms = {
            "order": torch.stack(order).mean(),
            "shape": self.regulariser * torch.stack(shape).mean(),
        }
        if "translator" in self.frozen:  # the same terms in every step, so that they have a mean
            photographs = len(batch["natural"]["image"]) if "natural" in batch else 0
            terms["translated"] = terms["order"].new_zeros(())
            if photographs:
                terms["translated"] = self.learnt(batch) * photographs / len(frames)
        yield "depth", terms

    def after_step(self, group: str) -> None:
        self.stepped += 1  # the running mean is short at first
        self.update_averages(min(self.average, (self.stepped + 1) / (self.stepped + 20)))

    def state(self) -> dict:
        return {"stepped": self.stepped}

    def load_state(self, state: dict) -> None:
        self.stepped = state["stepped"]
