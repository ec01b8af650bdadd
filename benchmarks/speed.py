"""How fast trainings and depth are beside the 2020 recipe's own loops, on this machine: python -m
benchmarks.speed [--only NAME] [--device cpu|cuda] [--json FILE]

The reference (recipe.py) is written plainly: eager float32, images in NCHW, a forward pass for each
use of a network, a loss read after every step. Ours is what the scripts run: the objective and the
step of the training loop. Both do the same work on the same batch in turns; the ratio is the
reference's time through ours, higher is faster: smallest, median and largest of the rounds. On a
CPU one thread and its processor time, on CUDA the time on the wall until the device is done.
`loader` reads the JPEGs of --photographs (default: some that are drawn, 640 x 480)."""

import argparse
import copy
import json
import os
import statistics
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from benchmarks.recipe import (
    reference_crop,
    reference_cyclegan,
    reference_depth,
    reference_fit,
    reference_networks,
)
from comics_depth.data.datasets import Frames
from comics_depth.data.tensors import as_floats
from comics_depth.data.transforms import random_crops
from comics_depth.evaluation.predicting import as_predictor
from comics_depth.images import write_image
from comics_depth.synthetic.kinds import KINDS
from comics_depth.synthetic.photographs import photograph
from comics_depth.training.devices import resolved_precision
from comics_depth.training.loading import data_loader
from comics_depth.training.loop import TrainingOptions, _Training
from comics_depth.training.run import Run
from models.depth_model import depth_model, rebuild
from models.depth_objectives import DepthTraining
from models.gan_objectives import CycleGAN
from models.objectives import Objective, TextAreas
from models.unet import UNet

ROUNDS = {"cpu": 7, "cuda": 15}


class Duel(NamedTuple):
    """Two functions that do the same work, and how many times a round calls each."""

    ours: Callable[[], object]
    reference: Callable[[], object]
    calls: int = 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", choices=tuple(DUELS), help="one of the measurements (default: all)")
    add("--device", choices=("cpu", "cuda"), help="default: CUDA where there is any")
    add("--photographs", type=Path, metavar="FOLDER", help="JPEGs that `loader` reads")
    add("--json", type=Path, help="file for the results: name -> ratio, seconds of a call")
    args = parser.parse_args()
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("--device cuda: this torch finds no CUDA device; use --device cpu")
    torch.set_num_threads(1)
    os.environ["ACCELERATE_USE_CPU"] = str(device == "cpu").lower()
    machine = torch.cuda.get_device_name() if device == "cuda" else "one CPU thread"
    print(f"{machine}, torch {torch.__version__}, {ROUNDS[device]} rounds")
    print("| | ratio: least, median, most | ours, s | reference, s |\n|---|---|---|---|")
    results = {}
    for name in [args.only] if args.only else DUELS:
        duel = DUELS[name](device, args.photographs)
        if duel is None:
            continue
        result = results[name] = measured(duel, device)
        least, median, most = result["ratio"]
        times = f"{result['ours']:.4g} | {result['reference']:.4g}"
        print(f"| {name} | {least:.2f}, {median:.2f}, {most:.2f} | {times} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measured(duel: Duel, device: str) -> dict[str, list[float] | float]:
    """ratio: [least, median, most]; ours, reference: median seconds of a call."""
    for work in (duel.ours, duel.reference):
        for _ in range(1 if device == "cpu" else 5):
            work()
    rounds = []
    for number in range(ROUNDS[device]):
        # in turns, and who begins changes: the machine may be slower for a while
        pair = (duel.ours, duel.reference)[:: 1 if number % 2 else -1]
        seconds = [seconds_of(work, duel.calls, device) for work in pair]
        rounds.append(seconds if number % 2 else seconds[::-1])
    ours, reference = zip(*rounds, strict=True)
    ratios = sorted(theirs / mine for mine, theirs in rounds)
    return {
        "ratio": [ratios[0], statistics.median(ratios), ratios[-1]],
        "ours": statistics.median(ours),
        "reference": statistics.median(reference),
    }


def seconds_of(work: Callable[[], object], calls: int, device: str) -> float:
    """Seconds of a call, mean over `calls`: of the processor, or until the device is done."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    if device == "cuda":
        torch.cuda.synchronize()
    start = clock()
    for _ in range(calls):
        work()
    if device == "cuda":
        torch.cuda.synchronize()
    return (clock() - start) / calls


def our_step(objective: Objective, batch: dict, precision: str = "auto") -> Callable:
    """One step of the training loop on this batch."""
    AcceleratorState._reset_state()  # accelerate takes one precision a process
    accelerator = Accelerator(mixed_precision=resolved_precision(precision))
    data = torch.utils.data.TensorDataset(torch.zeros(1))
    training = _Training(accelerator, objective, data, Run(Path(), {}), TrainingOptions(1, 1))
    objective.networks.train()

    def step() -> None:
        torch.backends.cudnn.benchmark = True  # as in an epoch, and not for the reference
        training.step(batch, 1.0)
        torch.backends.cudnn.benchmark = False

    return step


def cyclegan(device: str, _: Path | None = None, precision: str = "no") -> Duel | None:
    """64 features, 8 blocks: batch 2 of 96 pixels on a CPU, 4 of 384 pixels on CUDA."""
    if precision == "auto" and resolved_precision("auto") == "no":
        return None  # the same again
    count, side = (2, 96) if device == "cpu" else (4, 384)
    torch.manual_seed(0)
    natural, comics = torch.rand(2, count, 3, side, side, device=device)
    batch = {"natural": {"image": natural}, "comics": {"image": comics}}
    objective = CycleGAN({"features": 64, "blocks": 8}, 1e-3, 0.9)
    ours = our_step(objective, batch, precision)
    networks = [network.to(device) for network in reference_networks()]
    reference = reference_cyclegan(networks, natural, comics)
    return Duel(ours, reference, 1 if device == "cpu" else 10)


def unet(device: str, _: Path | None) -> Duel:
    """32 features, 256 pixels: batch 2 on a CPU, 16 on CUDA."""
    count = 2 if device == "cpu" else 16
    torch.manual_seed(0)
    images = torch.rand(count, 3, 256, 256, device=device)
    masks = (torch.rand(count, 1, 256, 256, device=device) > 0.5).float()
    objective = TextAreas(32, 1e-2)
    network = UNet().to(device).train()
    network.load_state_dict(objective.networks["text"].state_dict())
    ours = our_step(objective, {"image": images, "text_mask": masks})
    loss = nn.MSELoss()
    reference = reference_fit(network, 1e-2, lambda: loss(network(images), masks))
    return Duel(ours, reference, 2 if device == "cpu" else 20)


def depth(device: str, _: Path | None) -> Duel:
    """Fine-tuning: `default`, batch 4 of 192 pixels, on a CPU; MiDaS, 16 of 384, on CUDA."""
    count, side = (4, 192) if device == "cpu" else (16, 384)
    torch.manual_seed(0)
    model = depth_model("default") if device == "cpu" else rebuild({"kind": "MiDaS"})
    images = torch.rand(count, 3, side, side, device=device)
    target = torch.rand(count, 1, side, side, device=device)
    student = copy.deepcopy(model).to(device).train()
    batch = {"natural": {"image": images, "depth": target}}
    ours = our_step(DepthTraining(model, 1e-6, "l1"), batch)
    loss = nn.L1Loss()
    reference = reference_fit(
        student, 1e-6, lambda: loss(student(images, resize=False), target[:, 0])
    )
    return Duel(ours, reference, 2 if device == "cpu" else 5)


def loader(device: str, folder: Path | None) -> Duel:
    """Random crops of 384 pixels of JPEGs, in batches of 4 as floats, without a cache or workers; a
    call reads every photograph."""
    cv2.setNumThreads(1)
    drawn = tempfile.TemporaryDirectory()
    if folder is None:
        folder = Path(drawn.name)
        for number, kind in enumerate(list(KINDS) * 2):
            image, _ = photograph(kind, np.random.default_rng(number), 480, 640)
            write_image(folder / f"{number}.jpg", image, quality=90)
    paths = {path.stem: path for path in sorted(folder.glob("*.jpg"))}
    frames = Frames(list(paths), paths.__getitem__, view=random_crops(384))
    rng = np.random.default_rng(0)

    def ours() -> None:
        for batch in data_loader(frames, 4, 0, torch.device("cpu")):
            as_floats(batch)

    def reference() -> None:
        crops = [reference_crop(path, 384, rng) for path in paths.values()]
        for first in range(0, len(crops), 4):
            torch.stack(crops[first : first + 4])

    weakref.finalize(reference, drawn.cleanup)
    return Duel(ours, reference)


def predict(device: str, _: Path | None) -> Duel:
    """Depth of pictures of 640 x 480 by `default` at 384 pixels, from the pixels to the floats."""
    pictures = [
        photograph(kind, np.random.default_rng(number), 480, 640)[0]
        for number, kind in enumerate(KINDS)
    ]
    ours = as_predictor(depth_model("default"), torch.device(device))
    network = depth_model("default").eval().to(device)

    def reference() -> None:
        for picture in pictures:
            reference_depth(network, picture, 384, device)

    return Duel(lambda: [ours(picture) for picture in pictures], reference)


# name in the results -> what is measured on a device, with a folder of photographs if one is given
DUELS: dict[str, Callable[[str, Path | None], Duel | None]] = {
    "cyclegan": cyclegan,
    "cyclegan_auto": partial(cyclegan, precision="auto"),
    "unet": unet,
    "depth": depth,
    "loader": loader,
    "predict": predict,
}


if __name__ == "__main__":
    main()
