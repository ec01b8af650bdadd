"""Damaged files of every kind that the commands read, and what their readers make of them."""

import json
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from comics_depth.data.annotations import read_boxes, read_svg
from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import read_ordering
from comics_depth.data.pseudo_depth import TeacherNote
from comics_depth.evaluation.published import read_published
from comics_depth.evaluation.text_areas import read_choice
from comics_depth.images import image_count, image_size, read_image
from comics_depth.pages.predicting import read_contents
from comics_depth.pages.sources import ImageBytes, find_pages, read_record
from comics_depth.pages.viewer import write_viewer
from comics_depth.paths import FrameEntry, read_names
from comics_depth.stages import StageLog
from comics_depth.training.run import RunConfig, read_metrics
from common.errors import UserError
from common.files import read_json
from models.checkpoints import load_network, read_weights
from models.depth_model import depth_model

LIMIT = 20  # seconds of reading a file, after which it counts as hanging
# what may stand where something else is expected in JSON
STRANGERS = [None, True, -1, 10**400, 1e308, float("nan"), "", "\ud800", [], {}, [[]], {"a": 1}]
STRANGE_TEXTS = [
    *("", "\n", "[", "{}", "[]", "5", '"x"', "null", "[" * 100_000, '{"a":' * 50_000),
    *("9" * 5000, "1 " * 5000, "8 nan nan inf 1", "\x00", "1 1 -9 99999999999999999999"),
]


def damaged(content: bytes, suffix: str, draw: random.Random) -> bytes:
    """The content of a file, in one of many ways not what it was."""
    ways = [flipped, flipped, cut, zeroed, doubled, strange]
    if suffix in (".txt", ".svg", ".json", ".jsonl", ".csv"):
        ways += [recoded, recoded, other_number, other_number]
    if suffix == ".json":
        ways += [other_value] * 4
    return draw.choice(ways)(content, draw)


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(draw.choice((1, 1, 16))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def zeroed(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    length = min(len(content) - start, 1 << draw.randrange(4, 13))
    return content[:start] + bytes(length) + content[start + length :]


def doubled(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:]


def strange(_: bytes, draw: random.Random) -> bytes:
    return draw.choice(STRANGE_TEXTS).encode()


def recoded(content: bytes, draw: random.Random) -> bytes:
    text = content.decode("utf-8", errors="replace")
    codes = ("utf-8-sig", "utf-16", "utf-32-be")
    return draw.choice([*(text.encode(code) for code in codes), b"\xe4\xff" + content])


def other_number(content: bytes, draw: random.Random) -> bytes:
    """One of the numbers in a text gives way to one that is none, or far too large."""
    words = content.split(b" ")
    at = draw.randrange(len(words))
    number = draw.choice((b"9" * 400, b"-1", b"nan", b"1e999", b"9223372036854775808", b"0x1", b""))
    return b" ".join([*words[:at], number, *words[at + 1 :]])


def other_value(content: bytes, draw: random.Random) -> bytes:
    """One of the values in JSON gives way to one of another type, or is gone."""
    try:
        value = json.loads(content)
    except ValueError:
        return strange(content, draw)
    places = list(places_in([value]))
    inside, key = draw.choice(places)
    if isinstance(inside, dict) and draw.random() < 0.2:
        del inside[key]
    else:
        inside[key] = draw.choice(STRANGERS)
    return json.dumps(places[0][0][0]).encode()


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """(list or dict, index or key) of everything in a value."""
    keys = (
        range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    )
    for key in keys:
        yield value, key
        yield from places_in(value[key])


def read_picture(path: Path) -> None:
    for read in (image_size, image_count, read_image):
        read(path)


def read_pages(path: Path) -> None:
    """Reads the pages of an archive as predict.py does."""
    sheets, problems = find_pages([path], path.parent / "nowhere")
    for page in chain(*sheets.values()):
        content, _ = read_contents(page)
        read_image(ImageBytes(content, page.source))
        if page.boxes:
            read_boxes(page.boxes, (64, 96))
    if problems:
        raise UserError(problems[0])


def states(network: nn.Module) -> dict[str, Any]:
    return network.state_dict()


UNET = "runs/comics2textareas_unet"
# files of the world -> what reads them
READERS: dict[str, Callable[[Path], Any]] = {
    **{f"page.{suffix}": read_picture for suffix in ("png", "jpg", "webp", "tif", "gif", "bmp")},
    "page.txt": lambda path: read_boxes(path, (64, 96)),
    "data/dcm_dataset.git/train.txt": read_names,
    "data/dcm_cropped/depth/p1_1.txt": lambda path: np.array(read_ordering(path), np.int64),
    "data/eBDtheque_database_v3/GT/tp1.svg": lambda path: read_svg(path, path.parents[1]),
    "album.cbz": read_pages,
    "book.pdf": read_pages,
    "out/page/page.png": read_depth,
    "out/page/page.npy": read_depth,
    "data/dcm_cropped/manifest.json": lambda path: read_json(path, dict[str, FrameEntry]),
    f"{UNET}/config.json": lambda path: read_json(path, RunConfig),
    f"{UNET}/metrics.jsonl": lambda path: read_metrics(path.parent),
    f"{UNET}/choice.json": lambda path: read_choice(path, path.with_name("best.pt")),
    "data/coco_val2017_depth/teacher.json": lambda path: read_json(path, TeacherNote),
    "out/page/made_by.json": lambda path: read_record(path.parent),
    "out/page/page.json": lambda path: write_viewer(
        path.with_name("x.html"), path.parents[1], ["page"]
    ),
    "runs/stages.json": lambda path: StageLog(path, empty=False),
    "runs/evaluation/records.json": lambda path: read_published(path.parent),
    "runs/evaluation/per_image.csv": lambda path: read_published(path.parent),
    f"{UNET}/last.pt": read_weights,
    f"{UNET}/best.pt": lambda path: states(load_network(path, "text")),
    "tiny.pt": lambda path: states(depth_model(str(path))),
    "tiny.safetensors": lambda path: states(depth_model(str(path))),
    "tiny.ts": lambda path: states(depth_model(str(path))),
}
SOUND = (".pt", ".safetensors", ".ts")  # of which nothing damaged may be taken


def faults_of_reading(place: Path, name: str, count: int, seed: float) -> list[str]:
    """What no user should see of `count` damages of a file: other errors than a UserError of one
    line, more than LIMIT seconds, a damaged checkpoint that is taken."""
    path, read = place / name, READERS[name]
    draw = random.Random(seed)
    sound = path.read_bytes()
    expected = plain(read(path))
    faults = []
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # a KeyboardInterrupt
    for number in range(count):
        path.write_bytes(damaged(sound, path.suffix, draw))
        signal.alarm(LIMIT)
        try:
            taken = plain(read(path))
            if path.suffix in SOUND and taken != expected:
                faults.append(f"{path.name}, damage {number}: taken, though it is another")
        except UserError as error:
            if "\n" in str(error):
                faults.append(f"{path.name}, damage {number}: {error}")
        except BaseException:
            faults.append(f"{path.name}, damage {number}: {traceback.format_exc(limit=-3)}")
        signal.alarm(0)
    path.write_bytes(sound)
    return faults


def plain(value: Any) -> Any:
    """A value with its tensors as (type, shape, bytes)."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value
