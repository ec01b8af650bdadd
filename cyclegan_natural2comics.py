"""Translation between photographs and comics, text areas added to it, and depth of comics seen as
photographs."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from comics_depth import cli
from comics_depth.data.datasets import PairedDomains
from comics_depth.data.prepared import comics_frames, data_files, photographs, text_free_crops
from comics_depth.data.splits import image_names
from comics_depth.data.tensors import image_array, image_tensor
from comics_depth.data.transforms import View, central_crops, random_crops
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.images import read_image, write_image
from comics_depth.options import FITTING, MODELS, TRAINING
from comics_depth.paths import Layout, run_name
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
}


def main() -> None:
    options = ("tag", *TRAINING, *GENERATOR, *DISCRIMINATOR, *OBJECTIVE[1:], *MODELS, "floats")
    parser = cli.command_line(__doc__, EXAMPLES, *options, actions=ACTIONS)
    add = parser.add_argument
    add("variant", choices=VARIANTS)
    add("--translate", type=Path, metavar="FOLDER", help="write these images translated")
    add("--to", choices=("comics", "natural"), default="comics", help="direction of --translate")
    add("-o", "--output", type=Path, default=Path("translated"), help="folder for --translate")
    add("--whole-comics", action="store_true", help="add_text sees the whole frame, as in 2020")
    args = parser.parse_args()
    variant = args.variant
    makes_photographs = variant in ("simple", "depth_aware")
    if not makes_photographs and (args.generate_depth_images or args.to == "natural"):
        parser.error(f"{variant} makes comics only: use simple or depth_aware")
    if variant == "add_text" and args.translate:
        parser.error("add_text needs a comics frame for each photograph: look at its samples/")
    cli.apply_preset(args, "add_text" if variant == "add_text" else "natural2comics")
    layout = args.layout
    name = run_name("natural2comics", variant, args.tag)
    run = layout.run(name)

    def train() -> None:
        options = ("preset", "variant", *TRAINING, *GENERATOR, *DISCRIMINATOR, *OBJECTIVE)
        recorded = cli.values(args, *options)
        learning = cli.values(args, *OBJECTIVE)
        learning["generator"] = cli.values(args, *GENERATOR)
        learning["discriminator"] = {DISCRIMINATOR[k]: getattr(args, k) for k in DISCRIMINATOR}
        with_text_maps, text_free = variant == "add_text", variant == "without_text"
        inputs = data_files(layout, with_text_maps=with_text_maps, text_free=text_free)
        torch.manual_seed(args.seed)
        if variant == "add_text":
            folder = layout.tagged_run("natural2comics", "without_text", args.tag)
            inputs["translator"] = trained(folder, "without_text")
            recorded["whole_comics"] = learning["whole_comics"] = args.whole_comics
            del learning["cycle"], learning["smooth"]
            objective = AddText(load_network(inputs["translator"], "natural2comics"), **learning)
        elif variant == "depth_aware":
            source = cli.model_source(args, "teacher")
            recorded["teacher"] = model_fingerprint(*source)
            objective = CycleGAN(**learning, teacher=depth_model(*source))
        else:
            objective = CycleGAN(**learning)
        domains = partial(paired_domains, layout, variant, args.seed)
        held_out = domains("validation", central_crops(args.image_size))
        fit(
            objective,
            domains("train", random_crops(args.image_size)),
            Run(run, recorded, inputs, args.restart),
            TrainingOptions(**cli.values(args, *FITTING)),
            pictures=sample_grid(objective, held_out),
        )

    def predict() -> None:
        checkpoint = trained(run, variant)
        source = cli.model_source(args, "depth_model")
        model = TranslatedDepth(load_network(checkpoint, "comics2natural"), depth_model(*source))
        made_by = {"translator": file_hash(checkpoint), "depth_model": model_fingerprint(*source)}
        predictor = as_predictor(model, default_device())
        predict_frames(layout, name, predictor, made_by, **cli.values(args, "floats", "restart"))

    def translate() -> None:
        network = "natural2comics" if args.to == "comics" else "comics2natural"
        translator = load_network(trained(run, variant), network)
        translate_folder(translator, args.translate, args.output, args.image_size)

    teacher = downloads(args.teacher) if variant == "depth_aware" and args.teacher else []
    student = downloads(*cli.model_source(args, "depth_model"))
    data = [layout.photographs, layout.frames]
    listed = layout.photograph_list("train").exists()  # else measuring would list them
    predictions = [layout.predictions(name)]
    steps = {
        "train": cli.Step(train, data, [run], teacher, measured=listed),
        "generate_depth_images": cli.Step(predict, [layout.frames, run], predictions, student),
        "translate": cli.Step(translate, [args.translate, run], [args.output]),
    }
    cli.run_steps(parser, args, steps)


def trained(run: Path, variant: str) -> Path:
    return finished_run(run, f"`python cyclegan_natural2comics.py {variant} --train`")


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
    cli.run_main(main)
