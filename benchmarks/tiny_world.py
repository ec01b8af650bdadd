"""A world of three tiny pages and a depth network of two channels, and commands that run on it."""

import faulthandler
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

import models.depth_model
from comics_depth.cli import run_main
from comics_depth.images import read_image, write_image
from common.files import write_json, write_text
from models.checkpoints import save_checkpoint, write_shipped

ROOTS = "--preset demo --data-root data --runs-root runs"
SMALL = f"{ROOTS} --image-size 32 --batch-size 2 --epochs 2 --train"
GAN = f"{SMALL} --features 2 --blocks 1 --discriminator-features 2"
PREDICTED = "--depth-model tiny.pt --generate_depth_images"
# name -> script and options, in the order in which they need each other
COMMANDS = {
    "prepare": f"datasets_preparation {ROOTS} --crop_frames --generate_text_masks --coco17_depth"
    " --teacher tiny.pt --workers 1",
    "import": "datasets_preparation --import_domain pictures --as comics --data-root imported"
    " --workers 1",
    "text": f"comics2textareas {SMALL} --features 2 --select_epoch --optimize_threshold"
    " --generate_dcm_without_text_areas --text-limit 1 --accept_all",
    "simple": f"cyclegan_natural2comics simple {GAN} {PREDICTED}",
    "without_text": f"cyclegan_natural2comics without_text {GAN}",
    "add_text": f"cyclegan_natural2comics add_text {GAN}",
    "estimator": f"depth_estimator simple {SMALL} {PREDICTED} --optimize_lr --rates 1e-3",
    "orderings": f"depth_estimator orderings {SMALL} {PREDICTED} --lr 1e-3",
    "batchnorm": f"baseline batchnorm_trick {ROOTS} {PREDICTED} --train",
    "rule": f"baseline lower_is_nearer {ROOTS} {PREDICTED}",
    "evaluate": f"evaluation all {ROOTS} --allow-missing",
    "predict": "predict page.png album.cbz -o out --model tiny.pt --image-size 32 --floats --mesh"
    " --layers 2 --html",
}
LIMIT = 60  # seconds of a command, after which it counts as hanging
BOXES = "8 0 0 48 64\n8 50 0 96 64\n"
POINTS = "1 1 5 50\n2 1 40 30\n3 1 20 5\n3 2 30 9\n2 1 8 40\n"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    '<image width="96" height="64" xlink:href="../Pages/{0}.png"/>'
    '<g class="Panel"><polygon points="0,0 48,0 48,64 0,64"/></g>'
    '<g class="Balloon"><polygon points="4,4 40,4 40,20 4,20"/></g></svg>'
)


class Outcome(NamedTuple):
    """How a command ended: exit code (-9: killed), what it said, how often it changed the file
    system, what it opened to read, seconds."""

    code: int
    said: str
    changes: int
    reads: set[str]
    seconds: float

    @property
    def fault(self) -> str:
        """What no user should see; empty if the command ended well or with one line."""
        if self.code in (0, 2) and "Traceback" not in self.said:
            return ""
        return f"exit code {self.code}: {self.said.strip()[-600:]}"


class Tiny(nn.Sequential):
    """A depth network in the place of MidasSmall: (N, 3, H, W) -> (N, H, W)."""

    def __init__(self, encoder: str, features: int) -> None:
        first = [nn.Conv2d(3, features, 3, padding=1), nn.BatchNorm2d(features), nn.ReLU()]
        super().__init__(*first, nn.Conv2d(features, 1, 1), nn.Flatten(1, 2))


def draw_world(place: Path) -> None:
    """Writes pages with boxes, text and orderings, photographs and models to `place`; in this
    process, Tiny is now what MidasSmall was."""
    models.depth_model.MidasSmall = Tiny
    tqdm.monitor_interval = 0  # no threads, whose locks a child would find locked for ever
    cv2.setNumThreads(1)
    draw = np.random.default_rng(0)

    def picture(path: str) -> None:
        coarse = draw.integers(0, 256, (8, 12, 3), dtype=np.uint8)
        write_image(place / path, coarse.repeat(8, 0).repeat(8, 1))

    for name in ("p1", "p2", "p3"):
        picture(f"data/dcm_dataset.git/images/{name}.png")
        write_text(place / f"data/dcm_dataset.git/groundtruth/{name}.txt", BOXES)
        for k in (1, 2):
            write_text(place / f"data/dcm_cropped/depth/{name}_{k}.txt", POINTS)
        picture(f"data/eBDtheque_database_v3/Pages/t{name}.png")
        write_text(place / f"data/eBDtheque_database_v3/GT/t{name}.svg", SVG.format(f"t{name}"))
        picture(f"data/coco_val2017/{name}.jpg")
        picture(f"pictures/{name}.png")
    for suffix in ("png", "jpg", "webp", "tif", "gif", "bmp"):
        picture(f"page.{suffix}")
    write_text(place / "page.txt", BOXES)
    Image.fromarray(read_image(place / "page.png")).save(place / "book.pdf")
    with zipfile.ZipFile(place / "album.cbz", "w", zipfile.ZIP_DEFLATED) as album:
        album.write(place / "page.png", "1.png")
        album.writestr("1.txt", BOXES)
    write_json(place / "runs/stages.json", {"x": {"seconds": 1, "inputs": {}, "watched": {}}})
    torch.manual_seed(0)
    kind = {"kind": "MiDaS_small", "encoder": "tf_efficientnet_lite0", "features": 2}
    model = models.depth_model.rebuild({**kind, "resolution": 32})
    networks = {"depth": model.state_dict()}
    save_checkpoint(
        place / "tiny.pt", {"architecture": {"depth": model.architecture}, "networks": networks}
    )
    write_shipped(place / "tiny.safetensors", model, model.architecture, "depth")
    torch.jit.script(nn.Conv2d(3, 1, 1)).save(place / "tiny.ts")


def run(place: Path, command: str, at: int = 0, after: float | None = None) -> Outcome:
    """Runs a script in a child whose folder is `place`; it is killed before its change number `at`
    to the file system, or `after` so many seconds."""
    said, events = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    started = time.monotonic()
    child = os.fork()
    if not child:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        os._exit(_in_child(place, command, at, events.fileno()))
    deadline = started + (LIMIT if after is None else after)
    ended, status = 0, 0
    while not ended and time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.001)
    if not ended:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    said.seek(0)
    events.seek(0)
    text = said.read().decode(errors="replace")
    if not ended and after is None:
        text += f"\nTraceback: still running after {LIMIT} seconds"
    names = events.read().decode(errors="replace").splitlines()
    reads = {os.path.join(place, name) for name in names if name}
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code, text, names.count(""), reads, time.monotonic() - started)


def _in_child(place: Path, command: str, at: int, events: int) -> int:
    """Runs a script; writes a line for each file that it opens to read, an empty one for each
    change to the file system, and returns its exit code."""
    done = 0

    def note(event: str, arguments: tuple) -> None:
        nonlocal done
        opened = event == "open" and isinstance(arguments[2], int)
        writes = opened and arguments[2] & os.O_ACCMODE
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            done += 1
            if done == at:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(events, b"\n")
        elif opened and isinstance(arguments[0], str):
            os.write(events, os.fsencode(arguments[0]) + b"\n")

    faulthandler.dump_traceback_later(LIMIT - 5)  # where it hangs
    sys.addaudithook(note)
    try:
        code = execute(place, command)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def execute(place: Path, command: str) -> int:
    """Runs a script in this process; returns its exit code."""
    script, *options = command.split()
    os.chdir(place)
    sys.argv = [f"{script}.py", *options]
    try:
        run_main(importlib.import_module(script).main)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1
    return 0
