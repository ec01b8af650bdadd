"""Text areas of comics frames: trains a U-Net, chooses its epoch and threshold, makes text-free
crops with it."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from comics_depth import cli
from comics_depth.annotating.checking import CheckServer, accept_crops
from comics_depth.data.prepared import frame_names, labelled_frames
from comics_depth.data.text_free import write_text_free_crops
from comics_depth.data.transforms import text_crops
from comics_depth.evaluation import text_areas
from comics_depth.images import label, read_image, write_image
from comics_depth.options import FITTING, TRAINING
from comics_depth.pages.depth import text_map
from comics_depth.paths import SPLITS, Layout, run_name
from comics_depth.training.devices import default_device
from comics_depth.training.loop import TrainingOptions, fit
from comics_depth.training.run import Run, RunConfig, finished_run, read_metrics
from common.errors import UserError
from common.files import empty, file_hash, lock, read_json, write_json
from models.checkpoints import load_network
from models.objectives import TextAreas

THRESHOLDS = np.round(np.linspace(0, 1, 101), 2)
EXAMPLES = """\
  python comics2textareas.py --train --select_epoch --optimize_threshold
  python comics2textareas.py --visualize_ebdtheque_val --visualize_dcm
  python comics2textareas.py --generate_dcm_without_text_areas
  python comics2textareas.py --check_by_hand
  python comics2textareas.py --train --preset demo --dry-run"""
ACTIONS = {
    "train": "train the U-Net on the frames with masks",
    "select_epoch": "choose the epoch with the best validation IoU at threshold 0.5",
    "optimize_threshold": "choose the threshold with the best validation IoU",
    "visualize_ebdtheque_val": "pictures of the validation frames, worst first",
    "visualize_dcm": "pictures of the frames without masks",
    "generate_dcm_without_text_areas": "text maps of all frames, and text-free crops",
    "check_by_hand": "web page on which a person removes crops that still show text",
    "accept_all": "take all text-free crops as checked (unattended runs)",
}


def main() -> None:
    options = ("tag", *TRAINING, "features", "scale", "text_limit", "host", "port")
    parser = cli.command_line(__doc__, EXAMPLES, *options, actions=ACTIONS)
    args = cli.apply_preset(parser.parse_args(), "comics2textareas")
    layout = args.layout
    folder = layout.run(run_name("comics2textareas", "unet", args.tag))
    side = args.image_size / args.scale  # of a crop, in the pixels of a frame
    masks = [layout.text_frames, folder]
    frames = [layout.frames, folder]

    def train() -> None:
        view = text_crops(args.image_size, args.scale)
        frames = labelled_frames(layout, "train", view=view, seed=args.seed)
        held_out = labelled_frames(layout, "validation")
        torch.manual_seed(args.seed)
        objective = TextAreas(args.features, args.lr)

        def validate(_: torch.device) -> dict[str, float]:
            network = objective.networks["text"]
            counts = text_areas.count_overlaps(network, held_out, args.scale, [0.5])[..., 0]
            pooled = text_areas.intersection_over_union(counts.sum(0))
            return {"iou": pooled, "iou_per_image": text_areas.mean_over_frames(counts)}

        recorded = cli.values(args, "preset", "features", "scale", *TRAINING)
        run = Run(folder, recorded, {"masks": layout.text_manifest}, args.restart)
        options = TrainingOptions(**cli.values(args, *FITTING))
        measured = {"validate": validate, "monitor": "iou", "larger_is_better": True}
        fit(objective, frames, run, options, **measured)

    def serve() -> None:
        CheckServer(layout, args.host, args.port).serve_until_interrupted()

    steps = {
        "train": cli.Step(train, masks[:1], [folder], measured=True),
        "select_epoch": cli.Step(lambda: select_epoch(folder), [folder], [folder]),
        "optimize_threshold": cli.Step(
            lambda: optimize_threshold(layout, folder), [folder], [folder]
        ),
        "visualize_ebdtheque_val": cli.Step(
            lambda: visualize_validation(layout, folder), masks, [folder / "validation"]
        ),
        "visualize_dcm": cli.Step(lambda: visualize_dcm(layout, folder), frames, [folder / "dcm"]),
        "generate_dcm_without_text_areas": cli.Step(
            lambda: remove_text(layout, folder, side, args.text_limit, args.seed),
            frames,
            [layout.text_maps, layout.no_text],
        ),
        "check_by_hand": cli.Step(serve, [layout.no_text], [layout.no_text_checked]),
        "accept_all": cli.Step(
            lambda: accept_all(layout, args.restart), [layout.no_text], [layout.no_text_checked]
        ),
    }
    cli.run_steps(parser, args, steps)


def select_epoch(folder: Path) -> None:
    """Stores the epoch that best.pt comes from, and draws the curve."""
    checkpoint = trained(folder)
    records = read_metrics(folder)
    best = max(records, key=lambda record: record["iou"])
    curves = {name: [record[name] for record in records] for name in ("iou", "iou_per_image")}
    epochs = [record["epoch"] for record in records]
    picture = folder / "epochs.png"
    text_areas.plot_choice(picture, epochs, curves, best["epoch"], "epoch, at threshold 0.5")
    chosen = {"epoch": best["epoch"], "iou_at_half": best["iou"]}
    text_areas.store_choice(folder / "choice.json", checkpoint, **chosen)
    said = f"epoch {best['epoch']} of {len(records)}: validation IoU {best['iou']:.3f}"
    print(f"{said}; curve in {picture}")


def optimize_threshold(layout: Layout, folder: Path) -> None:
    """Stores the threshold with the best IoU over all validation frames, and draws the curve."""
    chosen = chosen_network(folder, "epoch")
    frames = labelled_frames(layout, "validation")
    counts = text_areas.count_overlaps(chosen.network, frames, chosen.scale, THRESHOLDS)
    curve = [text_areas.intersection_over_union(pair) for pair in counts.sum(0).T]
    best = int(np.argmax(curve))
    threshold = float(THRESHOLDS[best])
    picture = folder / "thresholds.png"
    text_areas.plot_choice(picture, THRESHOLDS, {"iou": curve}, threshold, "threshold")
    per_image = text_areas.mean_over_frames(counts[..., best])
    measured = {"iou": curve[best], "iou_per_image": per_image, "frames": len(counts)}
    note = folder / "choice.json"
    text_areas.store_choice(note, chosen.checkpoint, threshold=threshold, **measured)
    print(
        f"threshold {threshold:.2f}: validation IoU {curve[best]:.3f} over {len(counts)} frames "
        f"(mean over frames {per_image:.3f}); curve in {picture}"
    )


class Chosen(NamedTuple):
    """The text network on its device, the scale it sees frames at, and what was chosen for it."""

    checkpoint: Path
    network: nn.Module
    scale: float
    choice: dict


def trained(folder: Path) -> Path:
    return finished_run(folder, "`python comics2textareas.py --train`")


def chosen_network(folder: Path, *needed: str) -> Chosen:
    """Raises UserError naming the command that chooses what is missing of `needed`."""
    checkpoint = trained(folder)
    choice = text_areas.read_choice(folder / "choice.json", checkpoint)
    choosing = {"epoch": "select_epoch", "threshold": "optimize_threshold"}
    for name in needed:
        if name not in choice:
            command = f"`python comics2textareas.py --{choosing[name]}`"
            raise UserError(f"{folder}: no {name} was chosen; run first: {command}")
    scale = read_json(folder / "config.json", RunConfig)["options"]["scale"]
    network = load_network(checkpoint, "text").to(default_device())
    return Chosen(checkpoint, network, scale, choice)


def visualize_validation(layout: Layout, folder: Path) -> None:
    chosen = chosen_network(folder, "epoch", "threshold")
    threshold = chosen.choice["threshold"]
    frames = labelled_frames(layout, "validation")
    rows = []
    for name, image, soft, mask in text_areas.predicted_text(chosen.network, frames, chosen.scale):
        overlap = text_areas.overlap(soft, mask, [threshold])[:, 0]
        picture = text_areas.marked_text(image, soft, threshold, mask)
        rows.append((text_areas.intersection_over_union(overlap), name, picture))
    for rank, (score, name, row) in enumerate(sorted(rows, key=lambda row: row[0])):
        path = folder / "validation" / f"{rank:04d}_{name.replace('/', '_')}.jpg"
        write_image(path, label(row, f"{name} IoU {score:.3f}"))
    print(
        f"{len(rows)} pictures, worst first, in {folder / 'validation'}: frame, soft map, text "
        "(red: found, green: missed, blue: found where there is none)"
    )


def visualize_dcm(layout: Layout, folder: Path) -> None:
    chosen = chosen_network(folder, "epoch", "threshold")
    names = frame_names(layout, "validation")
    for name in tqdm(names, desc="pictures", disable=None):
        image = read_image(layout.frame(name))
        soft = text_map(chosen.network, image, chosen.scale)
        row = text_areas.marked_text(image, soft, chosen.choice["threshold"])
        write_image(folder / "dcm" / f"{name.replace('/', '_')}.jpg", label(row, name))
    print(f"{len(names)} pictures in {folder / 'dcm'}: frame, soft map, text found (red)")


def remove_text(layout: Layout, folder: Path, side: float, limit: float, seed: int) -> None:
    """Soft text maps of all frames, and a text-free crop of each training frame with room."""
    chosen = chosen_network(folder, "epoch", "threshold")
    lock(layout.text_maps)
    lock(layout.no_text)
    write_text_maps(layout, chosen)
    names = frame_names(layout, "train")
    sheet = folder / "text_free_crops.jpg"
    count = write_text_free_crops(layout, names, side, limit, seed, sheet)
    share = count / len(names)
    print(f"{count} text-free crops of {len(names)} training frames ({share:.0%}), see {sheet}")
    if share < 0.1:
        print("few frames have room for a crop: raise --text-limit or train the U-Net longer")
    print(f"next: {cli.full_command('comics2textareas.py --check_by_hand')} (or --accept_all)")


def write_text_maps(layout: Layout, chosen: Chosen) -> None:
    """Stores the soft map of every frame, but for those this network has made of these frames."""
    note = layout.text_choice
    choice = {**chosen.choice, "manifest": file_hash(layout.manifest)}
    before = read_json(note) if note.exists() else {}
    if any(before.get(name) != choice[name] for name in ("network", "manifest")):
        empty(layout.text_maps)
    write_json(note, choice)
    for name in tqdm(frame_names(layout, *SPLITS), desc="text maps", disable=None):
        if not layout.text_map(name).exists():
            soft = text_map(chosen.network, read_image(layout.frame(name)), chosen.scale)
            write_image(layout.text_map(name), np.round(soft * 255).astype(np.uint8))


def accept_all(layout: Layout, restart: bool) -> None:
    target = layout.no_text_checked
    if layout.checked_manifest.exists() and not restart:
        by = read_json(layout.checked_manifest).get("who")
        if by != "--accept_all":
            raise UserError(f"{target} was checked by {by}; --restart replaces it")
    print(f"{accept_crops(layout, set(), by='--accept_all')} crops in {target}, unchecked")


if __name__ == "__main__":
    cli.run_main(main)
