"""What `reproduce.py --check` says: whether the machine, the data and the models are there that the
stages need."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from packaging.requirements import Requirement

from comics_depth.cli import ModelSource, with_full_commands
from comics_depth.images import IMAGE_SUFFIXES
from comics_depth.paths import Layout
from comics_depth.stages import Stage, StageLog
from common.errors import UserError
from models.checkpoints import PAGE_NETWORK, SHIPPED, TEXT_AREAS
from models.external import check_code, downloads

LEAST_SPACE = 2  # GB


def machine(root: Path) -> Iterator[str]:
    """Python, packages against requirements.txt, processor, GPU, room on the disk of `root`."""
    yield f"Python {platform.python_version()}, torch {torch.__version__}"
    wrong = list(wrong_packages())
    yield from (f"MISSING {line}; run: ./environment.sh" for line in wrong)
    if not wrong:
        yield "packages as requirements.txt asks"
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    shown = ", ".join(gpus) or "none, so stages run on the CPU"
    yield f"{os.cpu_count()} processor cores; GPU: {shown}"
    there = next(folder for folder in (root, *root.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free / 1e9
    yield ("MISSING " if free < LEAST_SPACE else "") + f"{free:.1f} GB free at {there}"


def wrong_packages() -> Iterator[str]:
    """The packages of requirements.txt that are absent or of another version."""
    listed = Path(__file__).parents[1] / "requirements.txt"
    for requirement in map(Requirement, listed.read_text().split()):
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{requirement}: not installed"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement}: found {found}"


def datasets(layout: Layout, needed: bool) -> Iterator[str]:
    """How many files the folders of the datasets hold; whether pages and photographs are `needed`,
    or drawn by a stage."""
    kinds = {
        layout.dcm_images: IMAGE_SUFFIXES,
        layout.dcm_boxes: (".txt",),
        layout.ebdtheque_pages: IMAGE_SUFFIXES,
        layout.ebdtheque_svg: (".svg",),
        layout.photographs: IMAGE_SUFFIXES,
        layout.orderings: (".txt",),
    }
    for folder, suffixes in kinds.items():
        count = sum(path.suffix.lower() in suffixes for path in folder.rglob("*"))
        state = "MISSING, see data/README.md" if needed else "none yet"
        if folder == layout.orderings:
            state = "none yet; `python datasets_preparation.py --generate_evaluation` makes them"
        elif layout.import_note("comics").exists() and folder != layout.photographs:
            state = "none, the comics were imported"
        yield f"{folder}: {count} files" if count else f"{folder}: {with_full_commands(state)}"


def models(sources: dict[str, ModelSource]) -> Iterator[str]:
    """The networks in this repository, and what the models that are used would download."""
    for path in (*SHIPPED.values(), TEXT_AREAS, PAGE_NETWORK):
        yield f"{path.stem}: " + ("in models/weights" if path.exists() else f"MISSING {path}")
    for role, source in sources.items():
        found = ", ".join(downloads(*source))
        yield f"{role} {source.name}: " + (f"would download {found}" if found else "there")
        try:
            check_code(source.name)
        except UserError as error:
            yield f"MISSING trust in {error}"


def stages(listed: Sequence[Stage], log: StageLog) -> Iterator[str]:
    """For each stage whether it is done or can run, or what it waits for. What is made from files
    that another stage leaves waits for that stage."""
    left_by = {path: stage for stage in listed for path in stage.left}
    for number, stage in enumerate(listed, start=1):
        missing = [path for path in stage.inputs if not path.exists()]
        makers = [left_by[path] for path in missing if path in left_by]
        if log.state(stage) == "done":
            state = "done"
        elif makers:
            state = f"after: python {makers[0].title}"
        elif missing:
            state = f"MISSING {missing[0]}"
        else:
            state = "can run"
        yield f"[{number}/{len(listed)}] python {stage.title}\n    {state}"
