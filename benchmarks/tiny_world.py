"""A world of three tiny pages and a depth network of two channels, and commands that run on it."""

import faulthandler
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

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
    "verify": f"evaluation verify {ROOTS} --report runs/evaluation",
    "predict": "predict page.png album.cbz -o out --model tiny.pt --image-size 32 --floats --mesh"
    " --layers 2 --html",
    "safetensors": "predict book.pdf -o half --model tiny.safetensors --image-size 32 --whole-page",
    "torchscript": "predict page.png -o script --model tiny.ts --image-size 32 --trust-code",
    "stages": f"reproduce {ROOTS} --dry-run",
}
PROCESSOR_LIMIT = 60  # seconds of the processor that a command may take
LIMIT = 600  # seconds on the clock, after which it counts as hanging
FORK = multiprocessing.get_context("fork")
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
        said = self.said.strip()
        one_line = said.rpartition("\n")[2].startswith("error: ")
        if "Traceback" not in said and (self.code == 0 or (self.code == 2 and one_line)):
            return ""
        return f"exit code {self.code}: {said[-600:]}"


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
    for suffix in ("png", "jpg", "webp", "tif", "gif", "bmp"):
        picture(f"pictures/{suffix}.{suffix}")
    picture("page.png")
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
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as events:
        files = (said, events)
        child = FORK.Process(target=_in_child, args=(place, command, at, *files))
        started = time.monotonic()
        child.start()
        child.join(LIMIT if after is None else after)
        hangs = after is None and child.is_alive()
        child.kill()
        child.join()
        seconds = time.monotonic() - started
        for file in files:
            file.seek(0)
        text, noted = (file.read().decode(errors="replace") for file in files)
    if hangs:
        text += f"\nTraceback: still running after {LIMIT} seconds"
    opened = noted.splitlines()
    reads = {os.path.join(place, name) for name in opened if name}
    return Outcome(child.exitcode, text, opened.count(""), reads, seconds)


def _in_child(place: Path, command: str, at: int, said: BinaryIO, events: BinaryIO) -> None:
    """Runs a script; writes a line for each file that it opens to read, an empty one for each
    change to the file system."""
    changes = 0

    def note(event: str, arguments: tuple) -> None:
        nonlocal changes
        opened = event == "open" and isinstance(arguments[2], int)
        writes = opened and arguments[2] & os.O_ACCMODE
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            changes += 1
            if changes == at:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(events.fileno(), b"\n")
        elif opened and isinstance(arguments[0], str):
            os.write(events.fileno(), os.fsencode(arguments[0]) + b"\n")

    for stream in (1, 2):
        os.dup2(said.fileno(), stream)
    script, *sys.argv[1:] = command.split()
    sys.argv[0] = f"{script}.py"
    os.chdir(place)
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_LIMIT, PROCESSOR_LIMIT + 5))
    faulthandler.dump_traceback_later(LIMIT - 5)  # where it hangs
    sys.addaudithook(note)
    run_main(importlib.import_module(script).main)
