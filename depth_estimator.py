"""Fits depth models to the teacher's depth of photographs translated into comics, with or without text areas."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from comics_depth.data import JoinedFrames, PairedDomains, central_crops, image_array, random_crops
from comics_depth.files import UserError, read_json, run_main, write_json
from comics_depth.inference import as_predictor, predict_frames
from comics_depth.layout import Layout, run_name
from comics_depth.options import (
    TRAINING,
    chosen_actions,
    command_line,
    fill,
    model_source,
    prediction_options,
    run_actions,
)
from comics_depth.predictions import preview
from comics_depth.stages import comics_frames, data_files, identity, photographs
from comics_depth.training import Diverged, Run, default_device, file_hash, finished_run, fit, save_checkpoint
from models.depth import DepthModel, depth_model, small_depth_model
from models.loading import load_network
from models.objectives import DepthTraining

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# variant -> the translation it trains on; `photographs` fits the small network to photographs as they are
TRANSLATIONS = {
    "photographs": None,
    "simple": "simple",
    "add_text": "without_text",
    "add_text_ignoretext": "without_text",
}

EXAMPLES = """\
  python depth_estimator.py simple --optimize_lr --train --generate_depth_images
  python depth_estimator.py add_text_ignoretext --train --lr 1e-5
  python depth_estimator.py simple --train --depth-model MiDaS_small --tag small
  python depth_estimator.py photographs --train --preset demo"""


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, *TRAINING, "loss", "rates", "depth_model", "depth_weights")
    parser.add_argument(
        "variant", choices=tuple(TRANSLATIONS), help="photographs: the first training of the small network"
    )
    parser.add_argument("--optimize_lr", "--optimize-lr", "-ol", action="store_true",
                        help="one epoch at each of --rates; --train takes the best on validation")  # fmt: skip
    prediction_options(parser)
    args = parser.parse_args()
    actions = {"optimize_lr": optimize_lr, "train": train, "generate_depth_images": generate_depth_images}
    chosen = chosen_actions(parser, args, actions)
    if args.optimize_lr and args.variant in ("photographs", "add_text_ignoretext"):
        parser.error(f"{args.variant} has no sweep of its own: --optimize_lr is for simple and add_text")
    fill(args, "photographs" if args.variant == "photographs" else "depth_estimator")
    run = run_name("depth_estimator", args.variant, args.tag)
    run_actions(args, chosen, actions, run)


def fresh_student(args) -> tuple[DepthModel, str]:
    """The depth model before any fitting here, and what identifies it."""
    if args.variant == "photographs":
        torch.manual_seed(args.seed)
        return small_depth_model(args.image_size), "small, ImageNet encoder"
    source, weights = model_source(args, "depth_model")
    student = depth_model(source, weights)
    if not student.trainable:
        raise UserError(f"--depth-model {source}: this file has no trainable weights; it can be a --teacher only")
    return student, identity(source, weights)


def samples(args, split: str, transform) -> PairedDomains:
    """Photographs with inverse depth, and comics frames with text maps for the variants that add text."""
    layout, options = args.layout, {"transform": transform, "seed": args.seed}
    if args.variant != "photographs":
        natural = photographs(layout, split, depth=layout.photograph_depth, **options)
        with_text = args.variant != "simple"
        return PairedDomains(
            natural, comics_frames(layout, split, with_text_maps=True, **options) if with_text else None
        )
    # exact depth where it is known, else the teacher's; and the synthetic photographs beside real ones
    sources = [(layout, layout.photograph_truth if layout.photograph_truth.exists() else layout.photograph_depth)]
    synthetic = Layout(layout.data_root / "synthetic_world", layout.runs_root)
    if synthetic.photograph_truth.exists():
        sources.append((synthetic, synthetic.photograph_truth))
    parts = [photographs(where, split, depth=depth, **options) for where, depth in sources]
    print(f"{split}: " + " and ".join(f"{len(part)} photographs with the depth in {depth}" for part, (_, depth) in
                                      zip(parts, sources, strict=True)))  # fmt: skip
    return PairedDomains(JoinedFrames(parts), None)


def translators(args) -> tuple[dict[str, nn.Module], dict[str, Path]]:
    """The frozen networks through which the variant sees photographs, and their checkpoints."""
    networks, files = {}, {}
    needed = {"translator": (TRANSLATIONS[args.variant], "natural2comics")}
    if args.variant.startswith("add_text"):
        needed["text_adder"] = ("add_text", "add_text")
    for role, (variant, name) in needed.items():
        if variant:
            folder = args.layout.tagged_run("natural2comics", variant, args.tag)
            files[role] = finished_run(folder, f"python cyclegan_natural2comics.py {variant} --train")
            networks[role] = load_network(files[role], name)
    return networks, files


def train_once(args, folder: Path, lr: float, epochs: int) -> list[dict]:
    student, identifier = fresh_student(args)
    networks, files = translators(args)
    ignore_text = args.variant == "add_text_ignoretext"
    objective = DepthTraining(student, lr, args.loss, **networks, ignore_text=ignore_text)
    names = ("variant", "preset", "seed", "batch_size", "image_size", "schedule", "loss", "precision", "restart")
    options = {name: getattr(args, name) for name in names} | {"lr": lr, "epochs": epochs, "depth_model": identifier}
    if args.variant != "photographs":
        files |= {"teacher": args.layout.photograph_teacher} if args.layout.photograph_teacher.exists() else {}
        files |= data_files(args.layout, with_text_maps=args.variant != "simple")
    held_aside = samples(args, "validation", central_crops(args.image_size))
    return fit(objective, samples(args, "train", random_crops(args.image_size)), Run(folder, options, files),
               epochs=epochs, batch_size=args.batch_size, seed=args.seed, schedule=args.schedule, workers=args.workers,
               precision=args.precision, validate=validation(objective, held_aside, args.batch_size),
               monitor="val_loss", pictures=sample_grid(objective, held_aside))  # fmt: skip


def to_device(batch: dict, device: torch.device) -> dict:
    return {d: {k: v.to(device) for k, v in s.items() if k != "name"} for d, s in batch.items()}


def validation(objective: DepthTraining, held_aside, batch_size: int) -> Callable[[torch.device], dict[str, float]]:
    """Loss on the held-aside photographs, and the share of random pixel pairs in the teacher's order."""

    def validate(device: torch.device) -> dict[str, float]:
        losses, ordinal = [], []
        for batch in DataLoader(held_aside, batch_size):
            batch = to_device(batch, device)
            loss, predicted = objective.measure(batch)
            losses += [float(loss)] * len(predicted)
            a, b = torch.randint(predicted[0].numel(), (2, 2000), generator=torch.Generator().manual_seed(0)).to(device)
            signs = [(d[:, a] - d[:, b]).sign() for d in (predicted.flatten(1), batch["natural"]["depth"].flatten(1))]
            ordinal += [
                float((mine == theirs)[theirs != 0].float().mean()) for mine, theirs in zip(*signs, strict=True)
            ]
        return {"val_loss": float(np.mean(losses)), "val_ordinal": float(np.mean(ordinal))}

    return validate


def sample_grid(objective: DepthTraining, held_aside) -> Callable[[torch.device], np.ndarray]:
    """Rows of photograph, what the student sees, its inverse depth, the teacher's."""
    batch = next(iter(DataLoader(held_aside, 4)))

    def pictures(device: torch.device) -> np.ndarray:
        moved = to_device(batch, device)
        seen, (_, depth) = objective.seen(moved), objective.measure(moved)
        images = [[image_array(image.float()) for image in column] for column in (moved["natural"]["image"], seen)]
        depths = [
            [preview(d.float().cpu().numpy()) for d in column] for column in (depth, moved["natural"]["depth"][:, 0])
        ]
        return np.hstack([np.vstack(column) for column in images + depths])

    return pictures


def optimize_lr(args, run: str) -> None:
    """One epoch at each rate, from the same student, seed and order of data; the choice goes to choice.json."""
    folder, records = args.layout.run(f"{run}_lr"), {}
    for rate in sorted(args.rates):
        try:
            records[rate] = train_once(args, folder / f"{rate:g}", rate, epochs=1)[-1]
        except Diverged as error:
            print(error)
            continue
        # a sweep of nine large networks fills a disk; that this rate is done is all the next call has to know
        save_checkpoint(folder / f"{rate:g}" / "last.pt", {"epoch": 1})
        (folder / f"{rate:g}" / "best.pt").unlink(missing_ok=True)
    if not records:
        raise UserError(f"{run}: every rate of {args.rates} diverged; give lower --rates")
    losses = {rate: record["val_loss"] for rate, record in records.items()}
    best = min(losses, key=losses.get)
    figure, (curves, validated) = plt.subplots(1, 2, figsize=(11, 4))
    for rate, record in records.items():
        curves.plot(np.linspace(0, 1, len(record["curve"])), record["curve"], label=f"{rate:g}")
    curves.set(xlabel="share of the epoch", ylabel="training loss", title=run)
    curves.legend(title="learning rate", fontsize=8)
    validated.semilogx(list(losses), list(losses.values()), "o-")
    validated.axvline(best, color="grey", linestyle=":")
    validated.set(xlabel="learning rate", ylabel="validation loss", title=f"chosen: {best:g}")
    figure.savefig(folder / "learning_rates.png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    write_json(folder / "choice.json", {"lr": best, "val_loss": {f"{rate:g}": loss for rate, loss in losses.items()}})
    print(f"{run}: learning rate {best:g}; losses and plot in {folder}")


def train(args, run: str) -> None:
    if args.lr is None:
        swept = args.variant.replace("_ignoretext", "")
        path = args.layout.run(run_name("depth_estimator", swept, args.tag) + "_lr") / "choice.json"
        if not path.exists():
            raise UserError(
                f"{path} is missing; run first: python depth_estimator.py {swept} --optimize_lr (or give --lr)"
            )
        args.lr = read_json(path)["lr"]
        print(f"{run}: learning rate {args.lr:g}, chosen by --optimize_lr of {swept}")
    train_once(args, args.layout.run(run), args.lr, args.epochs)


def generate_depth_images(args, run: str) -> None:
    checkpoint = finished_run(args.layout.run(run), f"python depth_estimator.py {args.variant} --train")
    model = depth_model(str(checkpoint))
    made_by = {"depth_model": file_hash(checkpoint)}
    predict_frames(args.layout, run, as_predictor(model, default_device()), made_by, args)


if __name__ == "__main__":
    run_main(main)
