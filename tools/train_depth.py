"""Makes the networks in models/weights/, and measures depth models on held-out photographs.

Reads, below the data root, photographs with the averaged depth of a teacher, and a drawn world in
synthetic_world/:
  python datasets_preparation.py --crop_frames --coco17_depth --averaged --teacher FILE \\
    --preset open --data-root DATA
  python datasets_preparation.py --synthesize --crop_frames --pages 120 --photographs 800 \\
    --seed 1 --preset demo --data-root DATA/synthetic_world
and for text_areas the run of `comics2textareas.py --train --select_epoch --optimize_threshold`."""

from dataclasses import asdict, replace

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.utils.data import ConcatDataset

from comics_depth.cli import apply_preset, command_line, run_main
from comics_depth.data.datasets import PairedDomains
from comics_depth.data.depth_files import read_depth
from comics_depth.data.prepared import data_files, photographs
from comics_depth.data.splits import photograph_split
from comics_depth.data.transforms import central_crops, varied_crops
from comics_depth.evaluation.predicting import as_predictor
from comics_depth.images import image_size, list_images, read_image
from comics_depth.paths import Layout, needed
from comics_depth.training.devices import default_device
from comics_depth.training.loop import TrainingOptions, fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import depth_validation, sample_grid
from common.errors import UserError
from common.files import file_hash, read_json
from models.checkpoints import TEXT_AREAS, WEIGHTS, load_network, write_shipped
from models.depth_model import depth_model, small_depth_model
from models.depth_objectives import DepthTraining

EXAMPLES = """\
  python -m tools.train_depth train default --preset open --data-root DATA
  python -m tools.train_depth train text_areas --preset open --data-root DATA
  python -m tools.train_depth measure default MiDaS_small --preset open --data-root DATA"""
RECIPE = TrainingOptions(20, 8, seed=0, schedule="linear", precision="auto")
LR = 6e-4
CROP = 256  # pixels
REPEATS = 5  # of the real photographs in an epoch, in different crops: they are few


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, "workers", "restart")
    parser.add_argument("action", choices=("train", "measure"))
    parser.add_argument("networks", nargs="+", help="train: default, text_areas; else depth models")
    args = apply_preset(parser.parse_args())
    layout = args.layout
    world = Layout(layout.data_root / "synthetic_world", layout.runs_root)
    for name in args.networks:
        if args.dry_run:
            print(f"would {args.action} {name} with {layout.data_root} and {layout.runs_root}")
        elif args.action == "measure":
            measure(layout, world, name)
        elif name == "default":
            train_depth(layout, world, workers=args.workers, restart=args.restart)
        elif name == TEXT_AREAS.stem:
            write_text_areas(layout)
        else:
            parser.error(f"train {name}: expected default or {TEXT_AREAS.stem}")


def train_depth(layout: Layout, world: Layout, *, workers: int | None, restart: bool) -> None:
    """Trains the small network, from ImageNet weights, on the teacher's depth of photographs and
    the exact depth of drawn ones; writes it to models/weights/."""
    folders = [(layout, layout.photograph_depth)] * REPEATS + [(world, world.photograph_truth)]
    training = [
        photographs(where, "train", depth=depth, view=varied_crops(CROP), seed=seed)
        for seed, (where, depth) in enumerate(folders)
    ]
    held_out = [
        photographs(where, "validation", depth=depth, view=central_crops(CROP))
        for where, depth in folders[-2:]
    ]
    torch.manual_seed(RECIPE.seed)
    objective = DepthTraining(small_depth_model(384), LR, "ssi")
    pairs = PairedDomains(ConcatDataset(held_out), None)
    run = Run(
        layout.run("recipe_default"), {**asdict(RECIPE), "lr": LR}, data_files(layout), restart
    )
    fit(
        objective,
        PairedDomains(ConcatDataset(training), None),
        run,
        replace(RECIPE, workers=workers),
        validate=depth_validation(objective, pairs, RECIPE.batch_size, workers),
        pictures=sample_grid(objective, pairs),
    )
    model = depth_model(str(run.last))
    target = WEIGHTS / "default.safetensors"
    write_shipped(target, model, model.architecture, "depth", licence="MIT")
    print(f"wrote {target}")


def write_text_areas(layout: Layout) -> None:
    """Writes the text network of the run, with its threshold and the page width (pixels, as it is
    read) that it knows, to models/weights/."""
    folder = layout.run("comics2textareas_unet")
    command = "`python comics2textareas.py --train --select_epoch --optimize_threshold`"
    checkpoint = finished_run(folder, command)
    chosen = read_json(needed(layout.choice(folder.name), command))
    if chosen.get("network") != file_hash(checkpoint) or "threshold" not in chosen:
        raise UserError(f"{folder}: no threshold; run first: {command}")
    widths = [image_size(path)[1] for path in list_images(layout.ebdtheque_pages)]
    scale = read_json(folder / "config.json")["options"]["scale"]
    page_width = float(np.median(widths)) * scale
    network = load_network(checkpoint, "text")
    notes = {"threshold": round(chosen["threshold"], 2), "page_width": page_width}
    write_shipped(TEXT_AREAS, network, network.architecture | notes, "text", licence="MIT")


def pairs_in_order(predicted: np.ndarray, truth: np.ndarray, exact: bool) -> float:
    """Share of 20,000 random pairs of pixels that lie in the order of `truth`, inverse depth (H,
    W); where that is exact, of those whose depths differ by more than 10 %."""
    pairs = np.random.default_rng(0).integers(truth.size, size=(2, 20_000))
    first, second = truth.ravel()[pairs]
    difference = first - second
    found = np.subtract(*predicted.ravel()[pairs])
    counted = np.abs(difference) > np.maximum(first, second) / 11 if exact else difference != 0
    return float((np.sign(found) == np.sign(difference))[counted].mean())


def measure(layout: Layout, world: Layout, name: str) -> None:
    """Prints how a model orders the pixels of held-out photographs, medians over images: real
    ones against the averaged teacher (Spearman's rank correlation, pairs), drawn ones against the
    exact depth (pairs)."""
    model = depth_model(name)
    predict = as_predictor(model, default_device())
    for model.resolution in (256, 384):
        scores = {"rank correlation": [], "pairs": [], "pairs, drawn": []}
        for photograph in photograph_split(layout, 0)["validation"]:
            truth = read_depth(layout.photograph_depth_map(photograph))
            predicted = predict(read_image(layout.photograph(photograph)))
            correlation = spearmanr(predicted.ravel(), truth.ravel()).statistic
            scores["rank correlation"].append(correlation)
            scores["pairs"].append(pairs_in_order(predicted, truth, exact=False))
        for photograph in photograph_split(world, 0)["validation"]:
            truth = read_depth(world.photograph_truth / f"{photograph}.png")
            predicted = predict(read_image(world.photograph(photograph)))
            scores["pairs, drawn"].append(pairs_in_order(predicted, truth, exact=True))
        medians = [f"{title} {np.median(all_):.3f} ({len(all_)})" for title, all_ in scores.items()]
        print(f"{name} at {model.resolution} px: {', '.join(medians)}")


if __name__ == "__main__":
    run_main(main)
