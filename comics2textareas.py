"""Text areas of comics frames: trains a U-Net, chooses its epoch and threshold, makes text-free crops with it."""

import shutil

import cv2
import matplotlib
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from comics_depth.data import Frames, image_array, image_tensor, label, text_crops
from comics_depth.files import UserError, read_image, read_json, run_main, write_image, write_json
from comics_depth.layout import SPLITS, Layout, read_names, run_name
from comics_depth.options import TRAINING, chosen_actions, command_line, fill
from comics_depth.stages import frame_names
from comics_depth.training import Run, default_device, file_hash, finished_run, fit, read_metrics
from models.loading import load_network
from models.objectives import TextAreas

matplotlib.use("Agg")
import matplotlib.pyplot as plt

THRESHOLDS = np.round(np.linspace(0, 1, 101), 2)
SMALLEST_CROP = 96  # pixels at a crop size of 384; the 2020 code gives up there

EXAMPLES = """\
  python comics2textareas.py --train --select_epoch --optimize_threshold
  python comics2textareas.py --visualize_ebdtheque_val --visualize_dcm
  python comics2textareas.py --generate_dcm_without_text_areas && python comics2textareas.py --check_by_hand
  python comics2textareas.py --train --preset demo --dry-run"""


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, *TRAINING, "features", "scale", "text_limit")
    actions = {
        "train": ("-t", train, "train the U-Net on the frames with masks"),
        "select_epoch": ("-se", select_epoch, "choose the epoch with the best validation IoU at threshold 0.5"),
        "optimize_threshold": ("-ot", optimize_threshold, "choose the threshold with the best validation IoU"),
        "visualize_ebdtheque_val": ("-vev", visualize_validation, "pictures of the validation frames, worst first"),
        "visualize_dcm": ("-vd", visualize_dcm, "pictures of the frames without masks"),
        "generate_dcm_without_text_areas": ("-gdwta", remove_text, "text maps of all frames, and text-free crops"),
        "check_by_hand": ("-cbh", check_by_hand, "web page on which a person removes crops that still show text"),
        "accept_all": ("-aa", accept_all, "take all text-free crops as checked (unattended runs)"),
    }
    for name, (short, _, text) in actions.items():
        parser.add_argument(short, f"--{name}", f"--{name.replace('_', '-')}", action="store_true", help=text)
    parser.add_argument("--host", default="127.0.0.1", help="address of the web page (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port of the web page (default 8000)")
    args = fill(parser.parse_args(), "comics2textareas")
    chosen = chosen_actions(parser, args, actions)
    folder = args.layout.run(run_name("comics2textareas", "unet", args.tag))
    for name in chosen:
        if args.dry_run:
            print(f"would {actions[name][2]}\n  reads {args.layout.data_root}, run folder {folder}")
        else:
            actions[name][1](args, folder)


def labelled(layout: Layout, split: str, **options) -> Frames:
    """The frames with text masks of a split."""
    names = read_names(layout.text_list(split), "python datasets_preparation.py --generate_text_masks")
    return Frames(names, layout.text_frame, text_mask=layout.text_mask, **options)


def train(args, folder) -> None:
    options = {"seed": args.seed, "scale": args.scale}
    frames = labelled(args.layout, "train", transform=text_crops(args.image_size), **options)
    held_aside = labelled(args.layout, "validation")
    torch.manual_seed(args.seed)
    objective = TextAreas(args.features, args.lr)

    def validate(device: torch.device) -> dict[str, float]:
        counts = np.array([overlap(soft, mask, [0.5])[:, 0] for *_, soft, mask in
                           predicted(objective.networks["text"], held_aside, args.scale, device)])  # fmt: skip
        return {"iou": iou(*counts.sum(0)), "iou_per_image": float(np.mean([iou(*c) for c in counts]))}

    run = Run(folder, run_options(args), {"masks": args.layout.text_manifest})
    fit(objective, frames, run, epochs=args.epochs, batch_size=args.batch_size, seed=args.seed, schedule=args.schedule,
        workers=args.workers, precision=args.precision, validate=validate, monitor="iou",
        larger_is_better=True)  # fmt: skip


def run_options(args) -> dict:
    names = ("preset", "seed", "epochs", "batch_size", "image_size", "lr", "schedule", "features", "scale", "precision",
             "restart")  # fmt: skip
    return {name: getattr(args, name) for name in names}


@torch.inference_mode()
def predicted(network: nn.Module, frames: Frames, scale: float, device: torch.device):
    """(name, image uint8 (H, W, 3), soft map, mask) of every frame, whole, in order and at its own size."""
    network.eval()
    for index in tqdm(range(len(frames)), desc="text areas", leave=False, disable=None):
        sample = frames[index]
        soft = whole_map(network, sample["image"][None].to(device), scale)
        yield sample["name"], image_array(sample["image"]), soft, sample["text_mask"][0].numpy() >= 0.5


def overlap(soft: np.ndarray, mask: np.ndarray, thresholds) -> np.ndarray:
    """(2, T): pixels in the intersection and in the union of soft >= threshold with the mask, for each threshold."""
    text, rest = np.sort(soft[mask]), np.sort(soft[~mask])
    hits = len(text) - np.searchsorted(text, np.asarray(thresholds, dtype=soft.dtype))
    false = len(rest) - np.searchsorted(rest, np.asarray(thresholds, dtype=soft.dtype))
    return np.stack([hits, len(text) + false])


def iou(intersection: float, union: float) -> float:
    """Intersection over union; 1 where neither prediction nor mask has text."""
    return float(intersection / union) if union else 1.0


def select_epoch(args, folder) -> None:
    finished_run(folder, "python comics2textareas.py --train")
    records = read_metrics(folder)
    best = max(records, key=lambda record: record["iou"])
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot([r["epoch"] for r in records], [r["iou"] for r in records], label="whole set")
    axes.plot([r["epoch"] for r in records], [r["iou_per_image"] for r in records], label="mean over frames")
    axes.axvline(best["epoch"], color="grey", linestyle=":", label=f"chosen: epoch {best['epoch']}")
    axes.set(xlabel="epoch", ylabel="validation IoU at threshold 0.5", ylim=(0, 1))
    axes.legend()
    figure.savefig(folder / "epochs.png", dpi=110, bbox_inches="tight")
    store_choice(folder, epoch=best["epoch"], iou_at_half=best["iou"])
    print(
        f"epoch {best['epoch']} of {len(records)}: validation IoU {best['iou']:.3f}; curve in {folder / 'epochs.png'}"
    )


def optimize_threshold(args, folder) -> None:
    frames, network = labelled(args.layout, "validation"), chosen_network(args, folder)[0]
    found = predicted(network, frames, args.scale, default_device())
    counts = [overlap(soft, mask, THRESHOLDS) for *_, soft, mask in found]
    curve = [iou(*pair) for pair in np.sum(counts, axis=0).T]
    best = int(np.argmax(curve))
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(THRESHOLDS, curve)
    axes.axvline(THRESHOLDS[best], color="grey", linestyle=":")
    axes.set(xlabel="threshold", ylabel="validation IoU", ylim=(0, 1), title=f"best: {THRESHOLDS[best]:.2f}")
    figure.savefig(folder / "thresholds.png", dpi=110, bbox_inches="tight")
    per_image = float(np.mean([iou(*count[:, best]) for count in counts]))
    store_choice(
        folder, threshold=float(THRESHOLDS[best]), iou=curve[best], iou_per_image=per_image, frames=len(counts)
    )
    print(f"threshold {THRESHOLDS[best]:.2f}: validation IoU {curve[best]:.3f} over {len(counts)} frames "
          f"(mean over frames {per_image:.3f}); curve in {folder / 'thresholds.png'}")  # fmt: skip


def store_choice(folder, **values) -> None:
    """Adds to choice.json, which belongs to one best.pt: another network starts a new file."""
    network = file_hash(folder / "best.pt")
    path = folder / "choice.json"
    before = read_json(path) if path.exists() else {}
    write_json(path, {**(before if before.get("network") == network else {}), "network": network, **values})


def chosen_network(args, folder) -> tuple[nn.Module, dict]:
    """The network of the chosen epoch, and what was chosen for it. Raises UserError naming the command that is due."""
    checkpoint = finished_run(folder, "python comics2textareas.py --train")
    return load_network(checkpoint, "text").eval().to(default_device()), read_choice(folder, "epoch")


def read_choice(folder, key: str) -> dict:
    command = "--select_epoch" if key == "epoch" else "--optimize_threshold"
    choice = read_json(folder / "choice.json") if (folder / "choice.json").exists() else {}
    if key not in choice or choice["network"] != file_hash(folder / "best.pt"):
        raise UserError(
            f"{folder}: no {key} was chosen for this network; run first: python comics2textareas.py {command}"
        )
    return choice


def visualize_validation(args, folder) -> None:
    network, _ = chosen_network(args, folder)
    threshold, rows = read_choice(folder, "threshold")["threshold"], []
    frames = labelled(args.layout, "validation")
    for name, image, soft, mask in predicted(network, frames, args.scale, default_device()):
        score = iou(*overlap(soft, mask, [threshold])[:, 0])
        rows.append((score, name, picture(image, soft, threshold, mask)))
    for rank, (score, name, row) in enumerate(sorted(rows, key=lambda row: row[0])):
        write_image(
            folder / "validation" / f"{rank:04d}_{name.replace('/', '_')}.jpg", label(row, f"{name} IoU {score:.3f}")
        )
    print(f"{len(rows)} pictures, worst first, in {folder / 'validation'}: frame, soft map, text found (red: found, "
          "green: missed, blue: found where there is none)")  # fmt: skip


def visualize_dcm(args, folder) -> None:
    network, _ = chosen_network(args, folder)
    threshold = read_choice(folder, "threshold")["threshold"]
    names = frame_names(args.layout, "validation")
    for name in tqdm(names, desc="pictures", disable=None):
        image = read_image(args.layout.frame(name))
        row = picture(image, whole_map(network, image_tensor(image, default_device()), args.scale), threshold)
        write_image(folder / "dcm" / f"{name.replace('/', '_')}.jpg", label(row, name))
    print(f"{len(names)} pictures in {folder / 'dcm'}: frame, soft map, text found (red)")


def picture(image: np.ndarray, soft: np.ndarray, threshold: float, mask: np.ndarray | None = None) -> np.ndarray:
    """Frame, soft map and marked text side by side, uint8 (H, 3 W, 3), at the size of the frame."""
    found = soft >= threshold
    truth = found if mask is None else mask
    marked = image // 3
    for colour, area in (
        ((255, 60, 60), found & truth),
        ((60, 255, 60), truth & ~found),
        ((60, 60, 255), found & ~truth),
    ):
        marked[area] = (image[area] // 3 + np.array(colour) * 2 // 3).astype(np.uint8)
    return np.hstack([image, np.repeat((soft * 255).astype(np.uint8)[..., None], 3, 2), marked])


@torch.inference_mode()
def whole_map(network: nn.Module, images: torch.Tensor, scale: float) -> np.ndarray:
    """Soft text map (H, W) of one frame (1, 3, H, W), which the network sees at `scale`."""
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    small = functional.interpolate(images, size, mode="bilinear", antialias=True) if scale != 1 else images
    soft = functional.interpolate(network(small).float(), images.shape[-2:], mode="bilinear")
    return soft[0, 0].clamp(0, 1).cpu().numpy()


def remove_text(args, folder) -> None:
    """Soft text maps of all frames, and one text-free crop of each training frame that has room for one."""
    network, choice = chosen_network(args, folder)
    layout, choice = args.layout, read_choice(folder, "threshold")
    write_text_maps(args, network, choice)
    names = frame_names(layout, "train")
    crops, sheet = {}, []
    marks = layout.no_text / "removed.json"
    before = (read_json(layout.crop_manifest), read_json(marks)) if marks.exists() else (None, None)
    shutil.rmtree(layout.no_text, ignore_errors=True)  # crops of another network must not stay among these
    for index, name in enumerate(tqdm(names, desc="text-free crops", disable=None)):
        image, soft = read_image(layout.frame(name)), read_image(layout.text_map(name))[..., 0]
        box = text_free_box(image.shape[:2], soft, args, np.random.default_rng((args.seed, index)))
        if box is None:
            continue
        x1, y1, x2, y2 = box
        crops[name] = {"box": box, "text": float(soft[y1:y2, x1:x2].max() / 255)}
        write_image(layout.no_text / f"{name}.jpg", image[y1:y2, x1:x2])
        sheet.append(cv2.resize(image[y1:y2, x1:x2], (96, 96), interpolation=cv2.INTER_AREA))
    write_json(layout.crop_manifest, crops)
    if before[0] == crops:  # the same crops again: what a person marked still holds
        write_json(marks, before[1])
    share = len(crops) / len(names)
    print(f"{len(crops)} text-free crops of {len(names)} training frames ({share:.0%}) in {layout.no_text}")
    if share < 0.1:
        print("hardly a frame has room for a crop: raise --text-limit, lower --image-size, or train the U-Net longer "
              "(--visualize_dcm shows what it takes for text)")  # fmt: skip
    if sheet:
        sheet += [np.full_like(sheet[0], 255)] * (-len(sheet) % 12)
        rows = [np.hstack(sheet[start : start + 12]) for start in range(0, len(sheet), 12)]
        write_image(folder / "text_free_crops.jpg", np.vstack(rows))
        print(f"contact sheet: {folder / 'text_free_crops.jpg'}")
    print("next: python comics2textareas.py --check_by_hand   (or --accept_all)")


def write_text_maps(args, network: nn.Module, choice: dict) -> None:
    """Stores the soft map of every frame of every split, skipping those this network has made already."""
    note = args.layout.text_choice
    same = note.exists() and read_json(note).get("network") == choice["network"]
    names = frame_names(args.layout, *SPLITS)
    if not same:
        note.unlink(missing_ok=True)
        for name in names:
            args.layout.text_map(name).unlink(missing_ok=True)
    write_json(note, choice)
    for name in tqdm(names, desc="text maps", disable=None):
        if not args.layout.text_map(name).exists():
            image = image_tensor(read_image(args.layout.frame(name)), default_device())
            soft = whole_map(network, image, args.scale)
            write_image(args.layout.text_map(name), np.round(soft * 255).astype(np.uint8))


def text_free_box(shape: tuple[int, int], soft: np.ndarray, args, random: np.random.Generator) -> list[int] | None:
    """[x1, y1, x2, y2] of a random square crop whose text map stays under the limit, or None.

    The frame counts as resized so that its shorter side is at least 384 (at the paper's size), crops are 384 wide, and
    shrink by a pixel after 20 failures, down to SMALLEST_CROP. The box is in the frame's own pixels.
    """
    side = args.image_size / args.scale
    enlarged = max(1.0, side / min(shape))
    text = np.pad((soft > args.text_limit * 255).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    smallest = max(8, round(side * SMALLEST_CROP / 384))
    for size in range(round(side), smallest - 1, -1):
        crop = max(1, min(int(size / enlarged), *shape))
        tops, lefts = random.integers(0, [[shape[0] - crop + 1], [shape[1] - crop + 1]], (2, 20))
        inside = (
            text[tops + crop, lefts + crop] - text[tops, lefts + crop] - text[tops + crop, lefts] + text[tops, lefts]
        )
        free = np.flatnonzero(inside == 0)
        if len(free):
            top, left = int(tops[free[0]]), int(lefts[free[0]])
            return [left, top, left + crop, top + crop]
    return None


def check_by_hand(args, folder) -> None:
    from comics_depth.web import check_crops

    check_crops(args.layout, host=args.host, port=args.port)


def accept_all(args, folder) -> None:
    from comics_depth.web import accept_crops

    if args.layout.checked_manifest.exists() and not args.restart:
        by = read_json(args.layout.checked_manifest).get("who")
        if by != "--accept_all":
            raise UserError(f"{args.layout.no_text_checked} was checked by {by}; --restart replaces it")
    print(f"{accept_crops(args.layout, set(), by='--accept_all')} crops in {args.layout.no_text_checked}, unchecked")


if __name__ == "__main__":
    run_main(main)
