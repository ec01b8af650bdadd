"""Translation between photographs and comics, text areas added to it, and depth of comics seen as
photographs."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from comics_depth.cli import (
    Step,
    apply_preset,
    command_line,
    model_source,
    run_main,
    run_steps,
    values,
)
from comics_depth.data.datasets import PairedDomains
from comics_depth.data.prepared import comics_frames, data_files, photographs, text_free_crops
from comics_depth.data.splits import image_names
from comics_depth.data.tensors import image_array, image_tensor
from comics_depth.data.transforms import View, central_crops, random_crops
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.images import read_image, write_image
from comics_depth.options import FITTING, MODELS, TRAINING
from comics_depth.paths import Layout, run_name
from comics_depth.training.cost import print_cost
from comics_depth.training.devices import default_device
from comics_depth.training.loop import TrainingOptions, fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import sample_grid
from common.files import file_hash
from models.checkpoints import load_network, model_fingerprint
from models.depth_model import DepthModel, depth_model
from models.external import downloads
from models.gan_objectives import AddText, CycleGAN

VARIANTS = ("simple", "depth_aware", "without_text", "add_text")
GENERATOR = ("features", "blocks", "residual", "skips")
# option -> argument of PatchGAN
DISCRIMINATOR = {"discriminator_features": "features", "patch": "patch", "spectral": "spectral"}
OBJECTIVE = ("lr", "beta1", "cycle", "identity", "smooth", "discriminator_rate", "average")
EXAMPLES = """\
  python cyclegan_natural2comics.py simple --train
  python cyclegan_natural2comics.py depth_aware --train --generate_depth_images --teacher MiDaS
  python cyclegan_natural2comics.py without_text --train
  python cyclegan_natural2comics.py add_text --train
  python cyclegan_natural2comics.py simple --translate PHOTOGRAPHS --to comics -o translated"""
ACTIONS = {
    "train": "train the variant",
    "generate_depth_images": "depth of every validation and test frame, shared by processes",
    "translate": None,
}


def main() -> None:
    options = ("tag", *TRAINING, *GENERATOR, *DISCRIMINATOR, *OBJECTIVE[1:], *MODELS, "floats")
    parser = command_line(__doc__, EXAMPLES, *options, actions=ACTIONS)
    add = parser.add_argument
    add("variant", choices=VARIANTS)
    add("--translate", type=Path, metavar="FOLDER", help="write these images translated")
    add("--to", choices=("comics", "natural"), default="comics", help="direction of --translate")
    add("-o", "--output", type=Path, default=Path("translated"), help="folder for --translate")
    add("--whole-comics", action="store_true", help="add_text sees the whole frame, as in 2020")
    args = parser.parse_args()
    makes_photographs = args.variant in ("simple", "depth_aware")
    if not makes_photographs and (args.generate_depth_images or args.to == "natural"):
        parser.error(f"{args.variant} makes comics only: use simple or depth_aware")
    if args.variant == "add_text" and args.translate:
        parser.error("add_text needs a comics frame for each photograph: look at its samples/")
    apply_preset(args, "add_text" if args.variant == "add_text" else "natural2comics")
    layout = args.layout
    name = run_name("natural2comics", args.variant, args.tag)
    command = f"`python cyclegan_natural2comics.py {args.variant} --train`"

    def train(fitting: Callable = fit) -> None:
        described = (*GENERATOR, *DISCRIMINATOR, *OBJECTIVE)
        recorded = values(args, "preset", "variant", *TRAINING, *described)
        networks = {
            "generator": values(args, *GENERATOR),
            "discriminator": {DISCRIMINATOR[o]: v for o, v in values(args, *DISCRIMINATOR).items()},
            **values(args, *OBJECTIVE),
        }
        inputs = data_files(
            layout,
            with_text_maps=args.variant == "add_text",
            text_free=args.variant == "without_text",
        )
        torch.manual_seed(args.seed)
        if args.variant == "add_text":
            translator = "`python cyclegan_natural2comics.py without_text --train`"
            folder = layout.tagged_run("natural2comics", "without_text", args.tag)
            inputs["translator"] = finished_run(folder, translator)
            recorded["whole_comics"] = networks["whole_comics"] = args.whole_comics
            del networks["cycle"], networks["smooth"]
            objective = AddText(load_network(inputs["translator"], "natural2comics"), **networks)
        else:
            teacher = None
            if args.variant == "depth_aware":
                source = model_source(args, "teacher")
                recorded["teacher"] = model_fingerprint(*source)
                teacher = depth_model(*source)
            objective = CycleGAN(**networks, teacher=teacher)
        domains = partial(paired_domains, layout, args.variant, args.seed)
        held_out = domains("validation", central_crops(args.image_size))
        fitting(
            objective,
            domains("train", random_crops(args.image_size)),
            Run(layout.run(name), recorded, inputs, args.restart),
            TrainingOptions(**values(args, *FITTING)),
            pictures=sample_grid(objective, held_out),
        )

    def predict() -> None:
        checkpoint = finished_run(layout.run(name), command)
        source = model_source(args, "depth_model")
        translator = load_network(checkpoint, "comics2natural")
        model = TranslatedDepth(translator, depth_model(*source))
        made_by = {"translator": file_hash(checkpoint), "depth_model": model_fingerprint(*source)}
        predictor = as_predictor(model, default_device())
        predict_frames(layout, name, predictor, made_by, **values(args, "floats", "restart"))

    def translate() -> None:
        network = "natural2comics" if args.to == "comics" else "comics2natural"
        translator = load_network(finished_run(layout.run(name), command), network)
        translate_folder(translator, args.translate, args.output, args.image_size)

    run = layout.run(name)
    predictions = [layout.predictions(name)]
    student = downloads(*model_source(args, "depth_model"))
    teacher = downloads(args.teacher) if args.variant == "depth_aware" and args.teacher else []
    data = [layout.photographs, layout.frames]
    # without lists the photographs would be listed now
    cost = partial(train, print_cost) if layout.photograph_list("train").exists() else None
    steps = {
        "train": Step(train, data, [run], teacher, cost),
        "generate_depth_images": Step(predict, [layout.frames, run], predictions, student),
        "translate": Step(translate, [args.translate, run], [args.output]),
    }
    run_steps(parser, args, steps)


def paired_domains(
    layout: Layout, variant: str, seed: int, split: str, view: View
) -> PairedDomains:
    """Photographs and comics of a split, as the variant is to see them."""
    options = {"view": view, "seed": seed}
    natural = photographs(layout, split, **options)
    if variant == "without_text" and split == "train":
        return PairedDomains(natural, text_free_crops(layout, **options))
    comics = comics_frames(layout, split, with_text_maps=variant == "add_text", **options)
    return PairedDomains(natural, comics)


class TranslatedDepth(nn.Module):
    """A depth model that sees comics as photographs: translation at the depth model's own
    resolution, then depth."""

    def __init__(self, translator: nn.Module, model: DepthModel):
        super().__init__()
        self.translator = translator
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """RGB (N, 3, H, W) in [0, 1] -> inverse depth (N, H, W)."""
        translated = self.translator(self.model.resize(images))  # (N, 3, h, w)
        depth = self.model(translated, resize=False)[:, None]  # (N, 1, h, w)
        size = images.shape[-2:]
        return functional.interpolate(depth, size, mode="bilinear", align_corners=False)[:, 0]


@torch.inference_mode()
def translate_folder(network: nn.Module, folder: Path, output: Path, image_size: int) -> None:
    """Writes original and translation side by side for every image below the folder, the shorter
    side at `image_size` pixels."""
    device = default_device()
    network.to(device)
    found = image_names(folder)
    for name, path in tqdm(found.items(), desc="translations", disable=None):
        images = image_tensor(read_image(path), device)
        factor = image_size / min(images.shape[-2:])
        size = [max(1, round(side * factor / 4)) * 4 for side in images.shape[-2:]]
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        both = np.hstack([image_array(images[0]), image_array(network(images)[0])])
        write_image(output / f"{name}.jpg", both)
    print(f"{len(found)} pairs, original and translation, in {output}")


if __name__ == "__main__":
    run_main(main)
