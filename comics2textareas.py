"""Text areas of comics frames: trains a U-Net, chooses its epoch and threshold, makes text-free
crops with it."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from tqdm import tqdm

from comics_depth.cli import (
    FITTING,
    TRAINING,
    apply_preset,
    command_line,
    run_actions,
    run_main,
    values,
)
from comics_depth.data.datasets import Frames
from comics_depth.data.prepared import frame_names
from comics_depth.data.tensors import image_array
from comics_depth.data.transforms import text_crops
from comics_depth.images import label, read_image, write_image
from comics_depth.pages.depth import text_map
from comics_depth.paths import SPLITS, Layout, read_names, run_name
from comics_depth.training.devices import default_device
from comics_depth.training.loop import fit
from comics_depth.training.run import Run, finished_run, read_metrics
from common.errors import UserError
from common.files import file_hash, read_json, write_json, written_atomically
from models.checkpoints import load_network
from models.objectives import TextAreas

THRESHOLDS = np.round(np.linspace(0, 1, 101), 2)
SMALLEST_CROP = 96  # pixels at a crop size of 384; the 2020 code gives up there

EXAMPLES = """\
  python comics2textareas.py --train --select_epoch --optimize_threshold
  python comics2textareas.py --visualize_ebdtheque_val --visualize_dcm
  python comics2textareas.py --generate_dcm_without_text_areas
  python comics2textareas.py --check_by_hand
  python comics2textareas.py --train --preset demo --dry-run"""


def main() -> None:
    actions = {
        "train": (train, "train the U-Net on the frames with masks"),
        "select_epoch": (
            select_epoch,
            "choose the epoch with the best validation IoU at threshold 0.5",
        ),
        "optimize_threshold": (
            optimize_threshold,
            "choose the threshold with the best validation IoU",
        ),
        "visualize_ebdtheque_val": (
            visualize_validation,
            "pictures of the validation frames, worst first",
        ),
        "visualize_dcm": (visualize_dcm, "pictures of the frames without masks"),
        "generate_dcm_without_text_areas": (
            remove_text,
            "text maps of all frames, and text-free crops",
        ),
        "check_by_hand": (
            check_by_hand,
            "web page on which a person removes crops that still show text",
        ),
        "accept_all": (accept_all, "take all text-free crops as checked (unattended runs)"),
    }
    options = ("tag", *TRAINING, "features", "scale", "text_limit", "host", "port")
    parser = command_line(__doc__, EXAMPLES, *options, actions=actions)
    args = apply_preset(parser.parse_args(), "comics2textareas")
    args.run = run_name("comics2textareas", "unet", args.tag)
    layout, crops = args.layout, [args.layout.no_text]
    run_actions(
        parser,
        args,
        actions,
        generate_dcm_without_text_areas=([layout.frames], [layout.text_maps, *crops]),
        check_by_hand=(crops, [layout.no_text_checked]),
        accept_all=(crops, [layout.no_text_checked]),
    )


def labelled(layout: Layout, split: str, **options) -> Frames:
    """The frames with text masks of a split."""
    names = read_names(
        layout.text_list(split), layout.command("datasets_preparation.py --generate_text_masks")
    )
    return Frames(names, layout.text_frame, text_mask=layout.text_mask, **options)


def train(args) -> None:
    options = {"transform": text_crops(args.image_size), **values(args, "seed", "scale")}
    frames = labelled(args.layout, "train", **options)
    torch.manual_seed(args.seed)
    objective = TextAreas(args.features, args.lr)

    def validate(_: torch.device) -> dict[str, float]:
        counts = overlaps(args, objective.networks["text"], [0.5])[..., 0]
        return {
            "iou": iou(*counts.sum(0)),
            "iou_per_image": float(np.mean([iou(*c) for c in counts])),
        }

    recorded = values(args, "preset", "features", "scale", *TRAINING)
    fit(
        objective,
        frames,
        Run(args.layout.run(args.run), recorded, {"masks": args.layout.text_manifest}),
        **values(args, *FITTING),
        validate=validate,
        monitor="iou",
        larger_is_better=True,
    )


@torch.inference_mode()
def predicted(args, network: nn.Module) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """(name, image uint8 (H, W, 3), soft map, mask) of every validation frame, whole, at its own
    size."""
    for sample in tqdm(
        labelled(args.layout, "validation"), desc="text areas", leave=False, disable=None
    ):
        image = image_array(sample["image"])
        yield (
            sample["name"],
            image,
            text_map(network, image, args.scale),
            sample["text_mask"][0].numpy() >= 0.5,
        )


def overlaps(args, network: nn.Module, thresholds: Sequence[float]) -> np.ndarray:
    """(frames, 2, T): `overlap` of the validation frames."""
    return np.array(
        [overlap(soft, mask, thresholds) for *_, soft, mask in predicted(args, network)]
    )


def overlap(soft: np.ndarray, mask: np.ndarray, thresholds) -> np.ndarray:
    """(2, T): pixels in the intersection and in the union of soft >= threshold with the mask, for
    each threshold."""
    text, rest = np.sort(soft[mask]), np.sort(soft[~mask])
    hits = len(text) - np.searchsorted(text, np.asarray(thresholds, dtype=soft.dtype))
    false = len(rest) - np.searchsorted(rest, np.asarray(thresholds, dtype=soft.dtype))
    return np.stack([hits, len(text) + false])


def iou(intersection: float, union: float) -> float:
    """Intersection over union; 1 where neither prediction nor mask has text."""
    return float(intersection / union) if union else 1.0


def plot_choice(
    path: Path, x: Sequence[float], curves: dict[str, list[float]], chosen: float, **labels: str
) -> None:
    """Curves of the validation IoU by their names, with a line at what was chosen."""
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(x, curve, label=name)
    axes.axvline(chosen, color="grey", linestyle=":", label="chosen")
    axes.set(ylim=(0, 1), **labels)
    axes.legend()
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")


def select_epoch(args) -> None:
    folder = finished_run(
        args.layout.run(args.run), args.layout.command("comics2textareas.py --train")
    ).parent
    records = read_metrics(folder)
    best, epochs = (
        max(records, key=lambda record: record["iou"]),
        [record["epoch"] for record in records],
    )
    curves = {name: [record[name] for record in records] for name in ("iou", "iou_per_image")}
    plot_choice(
        folder / "epochs.png",
        epochs,
        curves,
        best["epoch"],
        xlabel="epoch",
        ylabel="validation IoU at threshold 0.5",
    )
    store_choice(args, epoch=best["epoch"], iou_at_half=best["iou"])
    print(
        f"epoch {best['epoch']} of {len(records)}: validation IoU {best['iou']:.3f}; curve in"
        f" {folder / 'epochs.png'}"
    )


def optimize_threshold(args) -> None:
    counts = overlaps(args, chosen_network(args, "epoch")[0], THRESHOLDS)
    curve = [iou(*pair) for pair in counts.sum(0).T]
    best = int(np.argmax(curve))
    threshold, path = float(THRESHOLDS[best]), args.layout.run(args.run) / "thresholds.png"
    plot_choice(
        path, THRESHOLDS, {"iou": curve}, threshold, xlabel="threshold", ylabel="validation IoU"
    )
    per_image = float(np.mean([iou(*count[:, best]) for count in counts]))
    store_choice(
        args, threshold=threshold, iou=curve[best], iou_per_image=per_image, frames=len(counts)
    )
    print(
        f"threshold {threshold:.2f}: validation IoU {curve[best]:.3f} over {len(counts)} frames "
        f"(mean over frames {per_image:.3f}); curve in {path}"
    )


def choice_of(args) -> tuple[str, dict]:
    """(hash of best.pt, what was chosen for it): what was chosen for another network does not
    count."""
    network, path = file_hash(args.layout.run(args.run) / "best.pt"), args.layout.choice(args.run)
    found = read_json(path) if path.exists() else {}
    return network, found if found.get("network") == network else {}


def store_choice(args, **chosen) -> None:
    network, before = choice_of(args)
    write_json(args.layout.choice(args.run), {**before, "network": network, **chosen})


def chosen_network(args, *needed: str) -> tuple[nn.Module, dict]:
    """The network and what was chosen for it: `needed` of epoch and threshold. Raises UserError
    naming the command that is due."""
    folder, command = args.layout.run(args.run), args.layout.command
    checkpoint = finished_run(folder, command("comics2textareas.py --train"))
    args.scale = read_json(folder / "config.json")["options"][
        "scale"
    ]  # it sees text at the size it was trained for
    choice = choice_of(args)[1]
    for key in needed:
        if key not in choice:
            due = command(
                "comics2textareas.py"
                f" --{'select_epoch' if key == 'epoch' else 'optimize_threshold'}"
            )
            raise UserError(f"{folder}: no {key} was chosen for this network; run first: {due}")
    return load_network(checkpoint, "text").to(default_device()), choice


def visualize_validation(args) -> None:
    network, choice = chosen_network(args, "epoch", "threshold")
    threshold, folder, rows = choice["threshold"], args.layout.run(args.run) / "validation", []
    for name, image, soft, mask in predicted(args, network):
        score = iou(*overlap(soft, mask, [threshold])[:, 0])
        rows.append((score, name, picture(image, soft, threshold, mask)))
    for rank, (score, name, row) in enumerate(sorted(rows, key=lambda row: row[0])):
        path = folder / f"{rank:04d}_{name.replace('/', '_')}.jpg"
        write_image(path, label(row, f"{name} IoU {score:.3f}"))
    print(
        f"{len(rows)} pictures, worst first, in {folder}: frame, soft map, text found (red: found,"
        " green: missed, blue: found where there is none)"
    )


def visualize_dcm(args) -> None:
    network, choice = chosen_network(args, "epoch", "threshold")
    folder, names = args.layout.run(args.run) / "dcm", frame_names(args.layout, "validation")
    for name in tqdm(names, desc="pictures", disable=None):
        image = read_image(args.layout.frame(name))
        soft = text_map(network, image, args.scale)
        write_image(
            folder / f"{name.replace('/', '_')}.jpg",
            label(picture(image, soft, choice["threshold"]), name),
        )
    print(f"{len(names)} pictures in {folder}: frame, soft map, text found (red)")


def picture(
    image: np.ndarray, soft: np.ndarray, threshold: float, mask: np.ndarray | None = None
) -> np.ndarray:
    """Frame, soft map and marked text side by side, uint8 (H, 3 W, 3), at the size of the frame."""
    found = soft >= threshold
    truth = found if mask is None else mask
    marked = image // 3
    areas = {
        (255, 60, 60): found & truth,
        (60, 255, 60): truth & ~found,
        (60, 60, 255): found & ~truth,
    }
    for colour, area in areas.items():
        marked[area] = (image[area] // 3 + np.array(colour) * 2 // 3).astype(np.uint8)
    return np.hstack([image, np.repeat((soft * 255).astype(np.uint8)[..., None], 3, 2), marked])


def remove_text(args) -> None:
    """Soft text maps of all frames, and one text-free crop of each training frame that has room for
    one."""
    network, choice = chosen_network(args, "epoch", "threshold")
    layout = args.layout
    write_text_maps(args, network, choice)
    names = frame_names(layout, "train")
    crops, sheet = {}, []
    for index, name in enumerate(tqdm(names, desc="text-free boxes", disable=None)):
        soft = read_image(layout.text_map(name))[..., 0]
        if box := text_free_box(soft.shape, soft, args, np.random.default_rng((args.seed, index))):
            x1, y1, x2, y2 = box
            crops[name] = {"box": box, "text": float(soft[y1:y2, x1:x2].max() / 255)}
    # The same crops again stay, with what a person has marked on them; others go.
    if not layout.crop_manifest.exists() or read_json(layout.crop_manifest) != crops:
        shutil.rmtree(layout.no_text, ignore_errors=True)
    for name, crop in tqdm(crops.items(), desc="text-free crops", disable=None):
        x1, y1, x2, y2 = crop["box"]
        pixels = read_image(layout.frame(name))[y1:y2, x1:x2]
        write_image(layout.no_text / f"{name}.jpg", pixels)
        sheet.append(cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA))
    write_json(layout.crop_manifest, crops)
    share = len(crops) / len(names)
    print(
        f"{len(crops)} text-free crops of {len(names)} training frames ({share:.0%}) in"
        f" {layout.no_text}"
    )
    if share < 0.1:
        print(
            "hardly a frame has room for a crop: raise --text-limit, lower --image-size, or train"
            " the U-Net longer (--visualize_dcm shows what it takes for text)"
        )
    if sheet:
        sheet += [np.full_like(sheet[0], 255)] * (-len(sheet) % 12)
        rows = [np.hstack(sheet[start : start + 12]) for start in range(0, len(sheet), 12)]
        contact_sheet = layout.run(args.run) / "text_free_crops.jpg"
        write_image(contact_sheet, np.vstack(rows))
        print(f"contact sheet: {contact_sheet}")
    print(f"next: {layout.command('comics2textareas.py --check_by_hand')} (or --accept_all)")


def write_text_maps(args, network: nn.Module, choice: dict) -> None:
    """Stores the soft map of every frame of every split, skipping those this network has made of
    these frames."""
    layout, note = args.layout, args.layout.text_choice
    choice = {**choice, "manifest": file_hash(layout.manifest)}
    before = read_json(note) if note.exists() else {}
    if any(before.get(key) != choice[key] for key in ("network", "manifest")):
        shutil.rmtree(layout.text_maps, ignore_errors=True)
    write_json(note, choice)
    for name in tqdm(frame_names(layout, *SPLITS), desc="text maps", disable=None):
        if not layout.text_map(name).exists():
            soft = text_map(network, read_image(layout.frame(name)), args.scale)
            write_image(layout.text_map(name), np.round(soft * 255).astype(np.uint8))


def text_free_box(
    shape: tuple[int, int], soft: np.ndarray, args, random: np.random.Generator
) -> list[int] | None:
    """[x1, y1, x2, y2] of a random square crop whose text map stays under the limit, or None.

    The frame counts as resized so that its shorter side is at least 384 (at the paper's size),
    crops are 384 wide, and shrink by a pixel after 20 failures, down to SMALLEST_CROP. The box is
    in the frame's own pixels."""
    side = args.image_size / args.scale
    enlarged = max(1.0, side / min(shape))
    text = np.pad(
        (soft > args.text_limit * 255).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0))
    )
    smallest = max(8, round(side * SMALLEST_CROP / 384))
    for size in range(round(side), smallest - 1, -1):
        crop = max(1, min(int(size / enlarged), *shape))
        tops, lefts = random.integers(0, [[shape[0] - crop + 1], [shape[1] - crop + 1]], (2, 20))
        inside = (
            text[tops + crop, lefts + crop]
            - text[tops, lefts + crop]
            - text[tops + crop, lefts]
            + text[tops, lefts]
        )
        free = np.flatnonzero(inside == 0)
        if len(free):
            top, left = int(tops[free[0]]), int(lefts[free[0]])
            return [left, top, left + crop, top + crop]
    return None


def check_by_hand(args) -> None:
    from comics_depth.annotating.checking import CheckServer

    CheckServer(args.layout, args.host, args.port).serve_until_interrupted()


def accept_all(args) -> None:
    from comics_depth.annotating.checking import accept_crops

    if args.layout.checked_manifest.exists() and not args.restart:
        by = read_json(args.layout.checked_manifest).get("who")
        if by != "--accept_all":
            raise UserError(
                f"{args.layout.no_text_checked} was checked by {by}; --restart replaces it"
            )
    print(
        f"{accept_crops(args.layout, set(), by='--accept_all')} crops in"
        f" {args.layout.no_text_checked}, unchecked"
    )


if __name__ == "__main__":
    run_main(main)
