"""The teacher's inverse depth of every photograph, and whose it is."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from tqdm import tqdm

from comics_depth.cli import ModelSource
from comics_depth.data import splits
from comics_depth.data.depth_files import write_depth
from comics_depth.evaluation.predicting import as_predictor
from comics_depth.images import read_image
from comics_depth.parallel import in_a_thread
from comics_depth.paths import Layout
from comics_depth.training.devices import default_device
from common.errors import UserError
from common.files import file_hash, is_last_in, read_json, write_json
from common.ranks import FINISH, my_share, rank_and_count, refuse_several
from models.checkpoints import SHIPPED
from models.depth_model import AveragedDepth, depth_model


def write_pseudo_depth(
    layout: Layout,
    teacher: ModelSource,
    *,
    averaged: bool,
    names: list[str] | None = None,
    seed: int,
    restart: bool,
) -> None:
    """Writes the teacher's inverse depth of every photograph (or of those of `names`), in 16 bit
    with scale and offset, and the photographs' split. Several processes share the photographs
    (common.ranks); the last of them writes the split if depth of all is there. Raises UserError if
    depth of another teacher lies there already, if a name has no photograph, or if no photograph
    can be read."""
    if restart:
        refuse_several("--restart")
    made_by = teacher_note(teacher, averaged)
    check_teacher(layout, made_by, restart)
    images = splits.image_names(layout.photographs)
    if names is not None:
        if absent := [name for name in names if name not in images]:
            raise UserError(f"{layout.photographs}: {len(absent)} missing: {', '.join(absent)}")
        images = {name: images[name] for name in names}
    skipped = []
    mine = {name: images[name] for name in my_share(list(images))}
    sizes = splits.readable(mine, skipped)
    missing = list(sizes) if restart else without_depth(layout, sizes)
    if missing:
        device = default_device()
        count = f"{len(missing)} of {len(sizes)} photographs"
        print(f"depth of {count} by {teacher.name} on {device}", flush=True)
        model = depth_model(*teacher)
        predict = as_predictor(AveragedDepth(model) if averaged else model, device)
    if restart:
        shutil.rmtree(layout.photograph_depth, ignore_errors=True)
    write_json(layout.photograph_teacher, made_by)
    reading = in_a_thread(lambda name: read_image(images[name]), missing)
    bar = tqdm(reading, desc="photographs", total=len(missing), disable=None)

    def predicted() -> Iterator[tuple[Path, np.ndarray]]:
        for name, image in bar:
            try:
                depth = predict(image.result())
            except UserError as error:
                skipped.append(str(error))
                del sizes[name]
                continue
            if not np.isfinite(depth).all():
                raise UserError(f"{images[name]}: {teacher.name} gave infinite depth; use another")
            yield layout.photograph_depth_map(name), depth

    for _, written in in_a_thread(lambda item: write_depth(*item), predicted()):
        written.result()
    if rank_and_count()[1] > 1:
        print(f"coco17_depth: {len(sizes)} of {len(images)} photographs were for this process")
        if not is_last_in(layout.data_root):
            return
        skipped = []
        sizes = splits.readable(images, skipped)
        if missing := without_depth(layout, sizes):
            print(f"no depth yet of {len(missing)} photographs; {FINISH}")
            return
    if not sizes:
        raise UserError(f"{layout.photographs}: no photograph could be read; {skipped[0]}")
    lists = splits.photograph_split(layout, seed, sizes)
    splits.report("coco17_depth", lists, "photographs", skipped)


def without_depth(layout: Layout, sizes: dict[str, tuple[int, int]]) -> list[str]:
    """Those of the photographs of which no depth of their size is there."""
    written = splits.readable({name: layout.photograph_depth_map(name) for name in sizes}, [])
    return [name for name, size in sizes.items() if written.get(name) != size]


class TeacherNote(TypedDict):
    """Whose depth it is: its name, SHA-256 of its file (None where it has none), and whether the
    depth is averaged over views."""

    name: str
    sha256: str | None
    averaged: NotRequired[bool]


def teacher_note(teacher: ModelSource, averaged: bool) -> TeacherNote:
    file = Path(teacher.weights or SHIPPED.get(teacher.name, teacher.name))
    found = {"name": str(teacher.name), "sha256": file_hash(file) if file.is_file() else None}
    return found | ({"averaged": True} if averaged else {})


def check_teacher(layout: Layout, made_by: TeacherNote, restart: bool) -> None:
    """Raises UserError if the depth that is there is another teacher's; the same file under another
    name is the same."""
    note = layout.photograph_teacher
    unknown = {"name": "an unknown teacher"}
    before = read_json(note, TeacherNote) if note.exists() else unknown
    compared = {*made_by, *before} - ({"name"} if made_by["sha256"] else set())
    same = all(made_by.get(key) == before.get(key) for key in compared)
    if not same and not restart and any(layout.photograph_depth.rglob("*.png")):
        raise UserError(
            f"{layout.photograph_depth} holds depth of {before['name']}, not of {made_by['name']}"
            " as it is now; teachers are not mixed: --restart computes all of it anew"
        )
