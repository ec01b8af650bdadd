"""Translation between photographs and comics, text areas added to it, and depth of comics seen as photographs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import default_collate
from tqdm import tqdm

from comics_depth.data import PairedDomains, central_crops, image_array, image_tensor, random_crops
from comics_depth.files import list_images, read_image, run_main, write_image
from comics_depth.inference import as_predictor, predict_frames
from comics_depth.layout import run_name
from comics_depth.options import (
    MODELS,
    TRAINING,
    chosen_actions,
    command_line,
    fill,
    model_source,
    prediction_options,
    run_actions,
)
from comics_depth.stages import comics_frames, data_files, identity, photographs, text_free_crops
from comics_depth.training import Run, default_device, file_hash, finished_run, fit
from models.depth import DepthModel, depth_model
from models.loading import load_network
from models.objectives import AddText, CycleGAN

VARIANTS = ("simple", "depth_aware", "without_text", "add_text")

EXAMPLES = """\
  python cyclegan_natural2comics.py simple --train
  python cyclegan_natural2comics.py depth_aware --train --generate_depth_images --teacher MiDaS
  python cyclegan_natural2comics.py without_text --train && python cyclegan_natural2comics.py add_text --train
  python cyclegan_natural2comics.py simple --translate FOLDER_OF_PHOTOGRAPHS --to comics -o translated"""


def main() -> None:
    parser = command_line(
        __doc__,
        EXAMPLES,
        *TRAINING,
        "beta1",
        "features",
        "blocks",
        "residual",
        "cycle",
        "identity",
        "discriminator_rate",
        *MODELS,
    )
    parser.add_argument("variant", choices=VARIANTS)
    prediction_options(parser)
    parser.add_argument("--translate", type=Path, metavar="FOLDER", help="write what the variant makes of these images")
    parser.add_argument("--to", choices=("comics", "natural"), default="comics", help="direction of --translate")
    parser.add_argument("-o", "--output", type=Path, default=Path("translated"), help="folder for --translate")
    parser.add_argument("--whole-comics", action="store_true", help="add_text sees the whole comics frame, as in 2020")
    args = parser.parse_args()
    actions = {"train": train, "generate_depth_images": generate_depth_images, "translate": translate_folder}
    chosen = chosen_actions(parser, args, actions)
    if args.variant not in ("simple", "depth_aware") and (args.generate_depth_images or args.to == "natural"):
        parser.error(f"{args.variant} makes comics only: depth images and --to natural are for simple and depth_aware")
    if args.variant == "add_text" and args.translate:
        parser.error("add_text needs a comics frame for every photograph: look at samples/ in its run folder")
    fill(args, "add_text" if args.variant == "add_text" else "natural2comics")
    run = run_name("natural2comics", args.variant, args.tag)
    run_actions(args, chosen, actions, run)


def train(args, run: str) -> None:
    layout, inputs, teacher = args.layout, {}, None
    torch.manual_seed(args.seed)
    weights = {"identity": args.identity, "discriminator_rate": args.discriminator_rate}
    generator = {"features": args.features, "blocks": args.blocks, "residual": args.residual}
    if args.variant == "add_text":
        command = "python cyclegan_natural2comics.py without_text --train"
        inputs["translator"] = finished_run(layout.tagged_run("natural2comics", "without_text", args.tag), command)
        translator = load_network(inputs["translator"], "natural2comics")
        objective = AddText(translator, generator, args.lr, args.beta1, args.whole_comics, **weights)
    else:
        if args.variant == "depth_aware":
            teacher = model_source(args, "teacher")
        objective = CycleGAN(
            generator, args.lr, args.beta1, depth_model(*teacher) if teacher else None, cycle=args.cycle, **weights
        )
    files = data_files(layout, with_text_maps=args.variant == "add_text", text_free=args.variant == "without_text")
    names = ("variant", "preset", "seed", "epochs", "batch_size", "image_size", "lr", "beta1", "schedule", "features",
             "blocks", "residual", "cycle", "identity", "discriminator_rate", "precision", "restart")  # fmt: skip
    options = {name: getattr(args, name) for name in names}
    options |= {"teacher": identity(*teacher)} if teacher else {}
    options |= {"whole_comics": args.whole_comics} if args.variant == "add_text" else {}
    fit(objective, domains(args, "train", random_crops(args.image_size)), Run(layout.run(run), options, inputs | files),
        epochs=args.epochs, batch_size=args.batch_size, seed=args.seed, schedule=args.schedule, workers=args.workers,
        precision=args.precision, pictures=sample_grid(objective, args))  # fmt: skip


def domains(args, split: str, transform) -> PairedDomains:
    """Photographs and comics of a split, as the variant is to see them."""
    options = {"transform": transform, "seed": args.seed}
    natural = photographs(args.layout, split, **options)
    if args.variant == "without_text" and split == "train":
        return PairedDomains(natural, text_free_crops(args.layout, **options))
    return PairedDomains(
        natural, comics_frames(args.layout, split, with_text_maps=args.variant == "add_text", **options)
    )


def sample_grid(objective: CycleGAN | AddText, args) -> Callable[[torch.device], np.ndarray]:
    """Pictures of the same four validation pairs after every epoch."""
    pairs = domains(args, "validation", central_crops(args.image_size))
    batch = default_collate([pairs[index % len(pairs)] for index in range(4)])

    def pictures(device: torch.device) -> np.ndarray:
        moved = {d: {k: v.to(device) for k, v in s.items() if k != "name"} for d, s in batch.items()}
        columns = objective.pictures(moved)
        return np.hstack([np.vstack([image_array(image.float()) for image in column]) for column in columns])

    return pictures


class Translated(nn.Module):
    """A depth model that sees comics as photographs: translation at the depth model's own resolution, then depth."""

    def __init__(self, translator: nn.Module, model: DepthModel):
        super().__init__()
        self.translator, self.model = translator, model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """RGB (N, 3, H, W) in [0, 1] -> inverse depth (N, H, W)."""
        depth = self.model(self.translator(self.model.resize(images)), resize=False)
        return functional.interpolate(depth[:, None], images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def trained(args, run: str, name: str) -> tuple[Path, nn.Module]:
    checkpoint = finished_run(args.layout.run(run), f"python cyclegan_natural2comics.py {args.variant} --train")
    return checkpoint, load_network(checkpoint, name)


def generate_depth_images(args, run: str) -> None:
    checkpoint, translator = trained(args, run, "comics2natural")
    source, weights = model_source(args, "depth_model")
    model = Translated(translator, depth_model(source, weights))
    made_by = {"translator": file_hash(checkpoint), "depth_model": identity(source, weights)}
    predict_frames(args.layout, run, as_predictor(model, default_device()), made_by, args)


@torch.inference_mode()
def translate_folder(args, run: str) -> None:
    """Writes original and translation side by side for every image below the folder."""
    device = default_device()
    network = trained(args, run, "natural2comics" if args.to == "comics" else "comics2natural")[1].to(device)
    paths = list_images(args.translate)
    for path in tqdm(paths, desc=f"to {args.to}", disable=None):
        images = image_tensor(read_image(path), device)
        factor = args.image_size / min(images.shape[-2:])
        size = [max(1, round(side * factor / 4)) * 4 for side in images.shape[-2:]]
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        both = np.hstack([image_array(images[0]), image_array(network(images)[0])])
        write_image(args.output / path.relative_to(args.translate).with_suffix(".jpg"), both)
    print(f"{len(paths)} pairs, original and as {args.to}, in {args.output}")


if __name__ == "__main__":
    run_main(main)
