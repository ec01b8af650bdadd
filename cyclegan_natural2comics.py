"""Translation between photographs and comics, text areas added to it, and depth of comics seen as
photographs."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from comics_depth.cli import (
    FITTING,
    MODELS,
    TRAINING,
    apply_preset,
    command_line,
    model_source,
    run_actions,
    run_main,
    values,
)
from comics_depth.data.datasets import PairedDomains
from comics_depth.data.prepared import comics_frames, data_files, photographs, text_free_crops
from comics_depth.data.splits import image_names
from comics_depth.data.tensors import image_array, image_tensor
from comics_depth.data.transforms import central_crops, random_crops
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.images import read_image, write_image
from comics_depth.paths import run_name
from comics_depth.training.devices import default_device
from comics_depth.training.loop import fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import sample_grid
from common.files import file_hash
from models.checkpoints import load_network, model_fingerprint
from models.depth_model import DepthModel, depth_model
from models.objectives import AddText, CycleGAN

VARIANTS = ("simple", "depth_aware", "without_text", "add_text")
NETWORKS = ("beta1", "features", "blocks", "residual", "cycle", "identity", "discriminator_rate")

EXAMPLES = """\
  python cyclegan_natural2comics.py simple --train
  python cyclegan_natural2comics.py depth_aware --train --generate_depth_images --teacher MiDaS
  python cyclegan_natural2comics.py without_text --train
  python cyclegan_natural2comics.py add_text --train
  python cyclegan_natural2comics.py simple --translate PHOTOGRAPHS --to comics -o translated"""


def main() -> None:
    actions = {
        "train": (train, "train the variant"),
        "generate_depth_images": (
            generate_depth_images,
            "depth of every validation and test frame",
        ),
        "translate": (translate_folder, None),
    }
    options = ("tag", *TRAINING, *NETWORKS, *MODELS, "floats")
    parser = command_line(__doc__, EXAMPLES, *options, actions=actions)
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument(
        "--translate",
        type=Path,
        metavar="FOLDER",
        help="write what the variant makes of these images",
    )
    parser.add_argument(
        "--to", choices=("comics", "natural"), default="comics", help="direction of --translate"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("translated"), help="folder for --translate"
    )
    parser.add_argument(
        "--whole-comics",
        action="store_true",
        help="add_text sees the whole comics frame, as in 2020",
    )
    args = parser.parse_args()
    if args.variant not in ("simple", "depth_aware") and (
        args.generate_depth_images or args.to == "natural"
    ):
        parser.error(
            f"{args.variant} makes comics only: depth images and --to natural are for simple and"
            " depth_aware"
        )
    if args.variant == "add_text" and args.translate:
        parser.error(
            "add_text needs a comics frame for every photograph: look at samples/ in its run folder"
        )
    apply_preset(args, "add_text" if args.variant == "add_text" else "natural2comics")
    args.run = run_name("natural2comics", args.variant, args.tag)
    run_actions(parser, args, actions, translate=([args.translate], [args.output]))


def train(args) -> None:
    layout, options = args.layout, values(args, "preset", "variant", *TRAINING, *NETWORKS)
    files = data_files(
        layout, with_text_maps=args.variant == "add_text", text_free=args.variant == "without_text"
    )
    torch.manual_seed(args.seed)
    weights, generator = (
        values(args, "identity", "discriminator_rate"),
        values(args, "features", "blocks", "residual"),
    )
    if args.variant == "add_text":
        command = layout.command("cyclegan_natural2comics.py without_text --train")
        files["translator"] = finished_run(
            layout.tagged_run("natural2comics", "without_text", args.tag), command
        )
        translator = load_network(files["translator"], "natural2comics")
        objective = AddText(
            translator, generator, args.lr, args.beta1, args.whole_comics, **weights
        )
        options["whole_comics"] = args.whole_comics
    else:
        teacher = None
        if args.variant == "depth_aware":
            source = model_source(args, "teacher")
            teacher, options["teacher"] = depth_model(*source), model_fingerprint(*source)
        objective = CycleGAN(generator, args.lr, args.beta1, teacher, cycle=args.cycle, **weights)
    held_out = domains(args, "validation", central_crops(args.image_size))
    fit(
        objective,
        domains(args, "train", random_crops(args.image_size)),
        Run(layout.run(args.run), options, files),
        **values(args, *FITTING),
        pictures=sample_grid(objective, held_out),
    )


def domains(args, split: str, crops) -> PairedDomains:
    """Photographs and comics of a split, as the variant is to see them."""
    options = {"transform": crops, "seed": args.seed}
    natural = photographs(args.layout, split, **options)
    if args.variant == "without_text" and split == "train":
        return PairedDomains(natural, text_free_crops(args.layout, **options))
    comics = comics_frames(args.layout, split, with_text_maps=args.variant == "add_text", **options)
    return PairedDomains(natural, comics)


class Translated(nn.Module):
    """A depth model that sees comics as photographs: translation at the depth model's own
    resolution, then depth."""

    def __init__(self, translator: nn.Module, model: DepthModel):
        super().__init__()
        self.translator, self.model = translator, model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """RGB (N, 3, H, W) in [0, 1] -> inverse depth (N, H, W)."""
        depth = self.model(self.translator(self.model.resize(images)), resize=False)
        return functional.interpolate(
            depth[:, None], images.shape[-2:], mode="bilinear", align_corners=False
        )[:, 0]


def trained(args, name: str) -> tuple[Path, nn.Module]:
    command = args.layout.command(f"cyclegan_natural2comics.py {args.variant} --train")
    checkpoint = finished_run(args.layout.run(args.run), command)
    return checkpoint, load_network(checkpoint, name)


def generate_depth_images(args) -> None:
    checkpoint, translator = trained(args, "comics2natural")
    source = model_source(args, "depth_model")
    model = Translated(translator, depth_model(*source))
    made_by = {"translator": file_hash(checkpoint), "depth_model": model_fingerprint(*source)}
    predict_frames(args, as_predictor(model, default_device()), made_by)


@torch.inference_mode()
def translate_folder(args) -> None:
    """Writes original and translation side by side for every image below the folder."""
    device = default_device()
    network = trained(args, "natural2comics" if args.to == "comics" else "comics2natural")[1].to(
        device
    )
    found = image_names(args.translate)
    for name, path in tqdm(found.items(), desc=f"to {args.to}", disable=None):
        images = image_tensor(read_image(path), device)
        factor = args.image_size / min(images.shape[-2:])
        size = [max(1, round(side * factor / 4)) * 4 for side in images.shape[-2:]]
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        both = np.hstack([image_array(images[0]), image_array(network(images)[0])])
        write_image(args.output / f"{name}.jpg", both)
    print(f"{len(found)} pairs, original and as {args.to}, in {args.output}")


if __name__ == "__main__":
    run_main(main)
