"""Makes the networks in models/weights/, and measures depth models on held-out photographs.

Reads, below the data root, photographs with the averaged depth of a teacher, and a drawn world in
synthetic_world/:
  python datasets_preparation.py --crop_frames --coco17_depth --averaged --teacher FILE --preset
  open --data-root DATA python datasets_preparation.py --synthesize --crop_frames --pages 120
  --photographs 800 --seed 1 --preset demo \\
    --data-root DATA/synthetic_world
  python -m tools.free_pictures DATA/free_pictures and, for the other networks, the translations of
  `cyclegan_natural2comics.py simple|depth_aware|without_text --train`; for text_areas the run of
  `comics2textareas.py --train --select_epoch --optimize_threshold`. What `train default` and `train
  text_areas` make replaces the file in models/weights/."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from tools.pasted_figures import PastedFigures
from torch.nn import functional
from torch.utils.data import ConcatDataset
from tqdm import tqdm

from comics_depth.cli import apply_preset, command_line, run_main
from comics_depth.data.datasets import Frames, PairedDomains
from comics_depth.data.depth_files import read_depth, write_depth
from comics_depth.data.prepared import comics_frames, data_files, frame_names, photographs
from comics_depth.data.splits import photograph_split
from comics_depth.data.tensors import image_array, image_tensor
from comics_depth.data.transforms import central_crops, varied_crops
from comics_depth.evaluation.predicting import as_predictor
from comics_depth.images import image_size, list_images, read_image, write_image
from comics_depth.paths import Layout
from comics_depth.training.devices import default_device
from comics_depth.training.loop import fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import depth_validation, sample_grid
from common.errors import UserError
from common.files import file_hash, read_json, write_json
from models.checkpoints import (
    SHIPPED,
    TEXT_AREAS,
    WEIGHTS,
    load_network,
    model_fingerprint,
    write_shipped,
)
from models.depth_model import AveragedDepth, depth_model, small_depth_model
from models.objectives import DepthTraining

EXAMPLES = """\
  python -m tools.train_depth train default --preset open --data-root DATA
  python -m tools.train_depth train default --preset open --data-root DATA
  python -m tools.train_depth measure default MiDaS_small --preset open --data-root DATA"""
TRANSLATED = ["translated_simple", "translated_depth_aware", "translated_without_text"]
LABELS = ["teacher", "default", "mixed"]
# What each network starts from and what an epoch shows it: sources named more than once come in
# different crops.
RECIPES = {
    # real photographs are few
    "default": {
        "start": None,
        "sources": [*["photographs"] * 5, "synthetic_photographs"],
        "epochs": 20,
        "lr": 6e-4,
    },
    # the routes that adapt it, each a row in docs/benchmarks.md
    "translated": {"start": "default", "sources": TRANSLATED * 2, "epochs": 3, "lr": 3e-4},
    "synthetic": {"start": "default", "sources": ["synthetic_comics"] * 2, "epochs": 3, "lr": 3e-4},
    "mixed": {
        "start": "default",
        "sources": [*TRANSLATED, "synthetic_comics"],
        "epochs": 3,
        "lr": 3e-4,
    },
    # with the frames of real comics and the mean depth of these three, which is better than that of
    # each
    "labelled": {
        "start": "default",
        "labels": LABELS,
        "sources": [*TRANSLATED, *["labelled_comics"] * 2],
        "epochs": 3,
        "lr": 1e-4,
    },
    "everything": {
        "start": "default",
        "labels": LABELS,
        "epochs": 4,
        "lr": 3e-4,
        "sources": [*TRANSLATED, "synthetic_comics", *["labelled_comics"] * 2],
    },
    # with figures pasted in front of everything that is not drawn by this repository
    "pasted": {
        "start": None,
        "figures": True,
        "epochs": 22,
        "lr": 6e-4,
        "sources": [*["photographs"] * 3, "free_photographs", "synthetic_photographs"],
    },
    "pasted_longer": {
        "start": "pasted",
        "figures": True,
        "epochs": 6,
        "lr": 3e-4,
        "sources": [*["photographs"] * 3, "free_photographs", "synthetic_photographs"],
    },
    "pasted_translated": {
        "start": "pasted",
        "figures": True,
        "epochs": 6,
        "lr": 3e-4,
        "sources": [*["photographs"] * 3, "free_photographs", "synthetic_photographs", *TRANSLATED],
    },
    "pasted_labelled": {
        "start": "pasted",
        "figures": True,
        "labels": ["teacher", "pasted"],
        "epochs": 3,
        "lr": 1e-4,
        "sources": [*TRANSLATED, *["labelled_comics"] * 2],
    },
}
TRAINING = {
    "image_size": 256,
    "batch_size": 8,
    "seed": 0,
    "schedule": "linear",
    "precision": "auto",
}


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, "teacher", "workers", "restart")
    parser.add_argument("action", choices=("train", "measure"))
    known = ", ".join([*RECIPES, TEXT_AREAS.stem])
    parser.add_argument("networks", nargs="+", help=f"train: {known}; measure: any depth models")
    args = apply_preset(parser.parse_args())
    for name in args.networks:
        if args.dry_run:
            print(
                f"would {args.action} {name}\n  reads {args.layout.data_root}\n  writes"
                f" {args.layout.runs_root}"
            )
        else:
            {"train": train, "measure": measure}[args.action](args, name)


def known_network(args, name: str) -> str:
    """A name or file for depth_model: the teacher, a network that a recipe has trained here, or a
    model of its own."""
    run = args.layout.run(f"recipe_{name}")
    if name == "teacher":
        return args.teacher
    if not run.exists() and (name in SHIPPED or name not in RECIPES):
        return str(SHIPPED.get(name, name))
    return str(finished_run(run, args.layout.command(f"-m tools.train_depth train {name}")))


def keep_if_made_by(folder: Path, file: str) -> None:
    """Empties a folder of results unless this file, a network, has made them."""
    note, made_by = folder / "made_by.json", {"network": model_fingerprint(file)}
    if not note.exists() or read_json(note) != made_by:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(note, made_by)


def translated(args, source: str) -> Path:
    """The folder of a translation of every photograph, 256 pixels high or wide, with the depth
    beside it."""
    layout, variant = args.layout, source.removeprefix("translated_")
    folder, device = layout.run(source), default_device()
    due = layout.command(f"cyclegan_natural2comics.py {variant} --train")
    checkpoint = finished_run(layout.run(f"natural2comics_{variant}"), due)
    keep_if_made_by(folder, str(checkpoint))
    network = load_network(checkpoint, "natural2comics").to(device)
    names = [name for split in photograph_split(layout, 0).values() for name in split]
    for name in tqdm(names, desc=source, disable=None):
        if (folder / f"{name}.png").exists():
            continue
        images = image_tensor(read_image(layout.photograph(name)), device)
        size = [round(side * 256 / min(images.shape[-2:]) / 4) * 4 for side in images.shape[-2:]]
        depth = torch.from_numpy(read_depth(layout.photograph_depth_map(name)))[None, None]
        with torch.inference_mode():
            images = network(functional.interpolate(images, size, mode="bilinear", antialias=True))
        write_image(folder / f"{name}.jpg", image_array(images[0]), quality=92)
        depth = functional.interpolate(depth, size, mode="bilinear", antialias=True)
        write_depth(folder / f"{name}.png", depth[0, 0].numpy())
    return folder


def averaged(
    args, network: str, folder: Path, names: list[str], image: Callable[[str], Path]
) -> Path:
    """The folder, with the depth of every image by a network, averaged over sizes and mirror
    images."""
    keep_if_made_by(folder, known_network(args, network))
    missing = [name for name in names if not (folder / f"{name}.png").exists()]
    if missing:
        predict = as_predictor(
            AveragedDepth(depth_model(known_network(args, network))), default_device()
        )
    for name in tqdm(missing, desc=folder.name, disable=None):
        write_depth(folder / f"{name}.png", predict(read_image(image(name))))
    return folder


def labelled(args, networks: list[str]) -> Path:
    """The folder of the depth of every training frame, the mean over networks (pseudo-labels of an
    ensemble; no ordering is used)."""
    names = frame_names(args.layout, "train")
    folders = [
        averaged(args, network, args.layout.run(f"averaged_{network}"), names, args.layout.frame)
        for network in networks
    ]
    labels = args.layout.run("labels")
    for name in names:
        write_depth(
            labels / f"{name}.png",
            np.mean([read_depth(folder / f"{name}.png") for folder in folders], axis=0),
        )
    return labels


def source(args, kind: str, split: str, options: dict) -> Frames:
    """Images of a kind with the inverse depth that they are to have."""
    layout, world = (
        args.layout,
        Layout(args.layout.data_root / "synthetic_world", args.layout.runs_root),
    )
    if kind == "photographs":
        return photographs(layout, split, depth=layout.photograph_depth, **options)
    if kind == "free_photographs":
        folder = layout.data_root / "free_pictures/photographs"
        names = sorted(path.stem for path in folder.glob("*.jpg"))
        if not names:
            raise UserError(
                f"{folder}: no photographs; first run: python -m tools.free_pictures"
                f" {folder.parent}"
            )

        def image(name):
            return folder / f"{name}.jpg"

        depth = averaged(args, "teacher", layout.run("averaged_photographs"), names, image)
        return Frames(names, image, depth=lambda name: depth / f"{name}.png", **options)
    if kind == "synthetic_photographs":
        return photographs(world, split, depth=world.photograph_truth, **options)
    if kind == "synthetic_comics":
        depth = world.frame_truth
        return comics_frames(
            world, split, with_text_maps=False, depth=lambda name: depth / f"{name}.png", **options
        )
    if kind == "labelled_comics":
        depth = args.labels
        return comics_frames(
            layout, split, with_text_maps=False, depth=lambda name: depth / f"{name}.png", **options
        )
    folder = args.layout.run(kind)
    paths = {
        layer: lambda name, suffix=suffix: folder / f"{name}{suffix}"
        for layer, suffix in (("image", ".jpg"), ("depth", ".png"))
    }
    return Frames(photograph_split(layout, 0)[split], **paths, **options)


def train(args, name: str) -> None:
    """Trains by the recipe; `default` is written to models/weights/, and so is `text_areas` from
    the run of its own stage."""
    if name == TEXT_AREAS.stem:
        layout, run = args.layout, "comics2textareas_unet"
        due = "comics2textareas.py --train --select_epoch --optimize_threshold"
        checkpoint = finished_run(layout.run(run), layout.command(due))
        network, chosen = (
            load_network(checkpoint, "text"),
            read_json(layout.needed(layout.choice(run), due)),
        )
        if chosen.get("network") != file_hash(checkpoint) or "threshold" not in chosen:
            raise UserError(
                f"{layout.run(run)}: no threshold of this network; run first: {layout.command(due)}"
            )
        widths = [image_size(path)[1] for path in list_images(layout.ebdtheque_pages)]
        seen = (
            float(np.median(widths))
            * read_json(layout.run(run) / "config.json")["options"]["scale"]
        )
        notes = {"threshold": round(chosen["threshold"], 2), "page_width": seen}
        write_shipped(TEXT_AREAS, network, network.architecture | notes, "text", licence="MIT")
        return
    if args.teacher is None and (
        "labels" in RECIPES.get(name, {})
        or "free_photographs" in RECIPES.get(name, {}).get("sources", [])
    ):
        raise UserError(f"{name} needs --teacher FILE: it gives part of the depth")
    if name not in RECIPES:
        raise UserError(f"{name}: expected one of {', '.join(RECIPES)}, {TEXT_AREAS.stem}")
    recipe = {**TRAINING, **RECIPES[name]}
    kinds, size = recipe["sources"], recipe["image_size"]
    for kind in TRANSLATED:
        if kind in kinds:
            translated(args, kind)
    args.labels = labelled(args, recipe["labels"]) if "labels" in recipe else None
    paste = (
        [PastedFigures(args.layout.data_root / "free_pictures/figures")]
        if recipe.get("figures")
        else []
    )
    crops = {kind: varied_crops(size, *([] if "synthetic" in kind else paste)) for kind in kinds}
    training = [
        source(args, kind, "train", {"transform": crops[kind], "seed": n})
        for n, kind in enumerate(kinds)
    ]
    held_out = [
        source(args, kind, "validation", {"transform": central_crops(size)})
        for kind in dict.fromkeys(kinds)
        if kind not in ("free_photographs", "labelled_comics")
    ]
    torch.manual_seed(recipe["seed"])
    start = recipe["start"] and known_network(args, recipe["start"])
    student = depth_model(start) if start else small_depth_model(384)
    objective, pairs = (
        DepthTraining(student, recipe["lr"], "ssi"),
        PairedDomains(ConcatDataset(held_out), None),
    )
    made_of = {
        part: model_fingerprint(file)
        for part, file in {"start": start, "teacher": args.teacher}.items()
        if file
    }
    run = Run(
        args.layout.run(f"recipe_{name}"),
        {**recipe, **made_of, "restart": args.restart},
        data_files(args.layout),
    )
    options = {
        option: recipe[option]
        for option in ("epochs", "batch_size", "seed", "schedule", "precision")
    }
    fit(
        objective,
        PairedDomains(ConcatDataset(training), None),
        run,
        **options,
        workers=args.workers,
        validate=depth_validation(objective, pairs, 8),
        pictures=sample_grid(objective, pairs),
    )
    if name == "default":
        model = depth_model(str(run.folder / "last.pt"))
        write_shipped(
            WEIGHTS / f"{name}.safetensors", model, model.architecture, "depth", licence="MIT"
        )
        print(f"wrote {WEIGHTS / name}.safetensors")


def pairs_in_order(predicted: np.ndarray, truth: np.ndarray, exact: bool) -> float:
    """Share of 20,000 random pairs of pixels that lie in the order of `truth`, inverse depth (H,
    W); where that is exact, of those whose depths differ by more than 10 %."""
    a, b = np.random.default_rng(0).integers(truth.size, size=(2, 20_000))
    difference, nearer = (
        truth.ravel()[a] - truth.ravel()[b],
        np.maximum(truth.ravel()[a], truth.ravel()[b]),
    )
    counted = np.abs(difference) > nearer / 11 if exact else difference != 0
    return float(
        (np.sign(predicted.ravel()[a] - predicted.ravel()[b]) == np.sign(difference))[
            counted
        ].mean()
    )


def measure(args, name: str) -> None:
    """Prints how a model orders the pixels of held-out photographs, medians over images: real
    ones against the averaged teacher (Spearman's rank correlation, pairs), drawn ones against the
    exact depth (pairs)."""
    layout, world = (
        args.layout,
        Layout(args.layout.data_root / "synthetic_world", args.layout.runs_root),
    )
    model = depth_model(known_network(args, name))
    predict = as_predictor(model, default_device())
    parts = ((layout, layout.photograph_depth), (world, world.photograph_truth))
    for model.resolution in (256, 384):
        scores = {"rank correlation": [], "pairs": [], "pairs, drawn": []}
        for where, folder in parts:
            for photograph in photograph_split(where, 0)["validation"]:
                truth = read_depth(folder / f"{photograph}.png")
                predicted = predict(read_image(where.photograph(photograph)))
                if where is layout:
                    scores["rank correlation"].append(
                        spearmanr(predicted.ravel(), truth.ravel()).statistic
                    )
                scores["pairs" if where is layout else "pairs, drawn"].append(
                    pairs_in_order(predicted, truth, exact=where is world)
                )
        told = ", ".join(
            f"{title} {np.median(found):.3f} ({len(found)})" for title, found in scores.items()
        )
        print(f"{name} at {model.resolution} px: {told}")


if __name__ == "__main__":
    run_main(main)
