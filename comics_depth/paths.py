"""Paths of datasets, runs, predictions and results, spelt nowhere else; lists, manifests, names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from comics_depth.images import find_image
from common.errors import UserError
from common.files import lines_of, read_json

SPLITS = ("train", "validation", "test")
# boxes, lists, orderings and authors of Pepper&Carrot; its pictures come with an import
PEPPERCARROT = Path(__file__).parents[1] / "data/peppercarrot"
LEADERBOARD = Path(__file__).parents[1] / "docs/leaderboard"
APPROACHES = ("natural2comics", "depth_estimator", "baseline", "comics2textareas")


class FrameEntry(TypedDict):
    """What a manifest holds of a frame. box: [x1, y1, x2, y2] in pixels of the page."""

    page: str
    box: list[int]
    split: str
    legacy: NotRequired[str]
    image: NotRequired[str]
    classes: NotRequired[list[str]]


def run_name(approach: str, variant: str, tag: str | None = None) -> str:
    """`<approach>_<variant>[-tag]`, the name of a run and of its predictions."""
    if tag and ("/" in tag or tag.startswith(".")):
        raise UserError(f"--tag {tag!r}: a tag is one word without slashes")
    return f"{approach}_{variant}" + (f"-{tag}" if tag else "")


class Place:
    """An attribute of Layout: a path below the data root, or, where the path has braces, a function
    that gives it of a frame, photograph, split ... by the name that they stand for."""

    def __init__(self, path: str):
        self.path = path

    def __get__(self, layout: "Layout", _: type) -> Any:
        if "{}" in self.path:
            return lambda name: layout.data_root / self.path.format(name)
        return layout.data_root / self.path


@dataclass(frozen=True)
class Layout:
    """Paths under a data root (datasets and predictions) and a runs root (trained networks and
    tables)."""

    data_root: Path
    runs_root: Path

    # Datasets as downloaded
    dcm = Place("dcm_dataset.git")
    dcm_images = Place("dcm_dataset.git/images")
    dcm_image = Place("dcm_dataset.git/images/{}.jpg")
    dcm_boxes = Place("dcm_dataset.git/groundtruth")
    ebdtheque = Place("eBDtheque_database_v3")
    ebdtheque_pages = Place("eBDtheque_database_v3/Pages")
    ebdtheque_svg = Place("eBDtheque_database_v3/GT")
    photographs = Place("coco_val2017")
    import_note = Place("import_{}.json")  # {folder}: where comics or natural were imported from

    # Pages as Pepper&Carrot has them: lettering of whole pages (white), and pages without it
    page_masks = Place("text_masks")
    page_mask = Place("text_masks/{}.png")
    text_free_pages = Place("text_free")
    text_free_page = Place("text_free/{}.jpg")

    # Photographs: the teacher's inverse depth, and who it is: {name, sha256}; lists of names
    # (train, validation)
    photograph_depth = Place("coco_val2017_depth")
    photograph_depth_map = Place("coco_val2017_depth/{}.png")
    photograph_teacher = Place("coco_val2017_depth/teacher.json")
    photograph_list = Place("coco_val2017_{}.txt")

    # Frames of DCM. Manifest: {frame id: {page, box: [x1, y1, x2, y2], split, legacy, image}}
    cropped = Place("dcm_cropped")
    frames = Place("dcm_cropped/images")
    frame = Place("dcm_cropped/images/{}.jpg")
    frame_list = Place("dcm_cropped/{}.txt")
    manifest = Place("dcm_cropped/manifest.json")
    orderings = Place("dcm_cropped/depth")
    ordering = Place("dcm_cropped/depth/{}.txt")
    predictions = Place("dcm_cropped/predictions/{}")  # by the name of the run
    # Depth of training frames by the model that is to learn their orderings; who it is
    starting_depth = Place("dcm_cropped/starting_depth")
    # Frame -> how far a depth model disagrees with itself on it: {made_by, disagreement}
    uncertainty = Place("dcm_cropped/uncertainty.json")
    # The U-Net's soft text map of a frame, 8-bit grey, 255 = text; hash, epoch and threshold of the
    # U-Net that made it
    text_maps = Place("dcm_cropped/text_areas")
    text_map = Place("dcm_cropped/text_areas/{}.png")
    text_choice = Place("dcm_cropped/text_areas/network.json")
    no_text = Place("dcm_cropped_noballoons")
    no_text_checked = Place("dcm_cropped_noballoons_human")
    # crops that a person has marked as showing text
    crop_marks = Place("dcm_cropped_noballoons/removed.json")
    # {frame id: {box, text}}; {who, kept, removed, crops}
    crop_manifest = Place("dcm_cropped_noballoons/manifest.json")
    checked_manifest = Place("dcm_cropped_noballoons_human/manifest.json")

    # Frames of eBDtheque and their text masks, 8-bit grey, 0 or 255 = text. Manifest: {frame id:
    # {page, box, split, classes}}
    text_frames = Place("eBDtheque_cropped")
    text_frame = Place("eBDtheque_cropped/images/{}.jpg")
    text_mask = Place("eBDtheque_cropped/masks/{}.png")
    text_list = Place("eBDtheque_cropped/{}.txt")
    text_manifest = Place("eBDtheque_cropped/manifest.json")

    # Exact inverse depth, `<name>.png`, which only the synthetic world has
    photograph_truth = Place("synthetic_truth/photographs")
    frame_truth = Place("synthetic_truth/frames")

    def dcm_pages(self, split: str) -> Path:
        """List of page names; DCM calls the validation list val.txt."""
        return self.dcm / f"{'val' if split == 'validation' else split}.txt"

    def orderings_of(self, annotator: str | None) -> Path:
        """The folder of a named person's orderings, <frame>.txt; without a name, `orderings`."""
        if annotator is None:
            return self.orderings
        if not re.fullmatch(r"[\w-]+", annotator):
            raise UserError(f"--annotator {annotator!r}: a name is one word of letters and digits")
        return self.orderings.with_name(f"depth-{annotator}")

    def photograph(self, name: str) -> Path:
        """Raises UserError if no image of that name is there."""
        path = find_image(self.photographs, name)
        if path is None:
            raise UserError(f"{self.photographs}: no photograph named {name}, which a list names")
        return path

    def run(self, name: str) -> Path:
        return self.runs_root / name

    def choice(self, run: str) -> Path:
        """What was chosen on the validation split for a run: learning rate, or epoch and
        threshold."""
        return self.run(run) / "choice.json"

    def tagged_run(self, approach: str, variant: str, tag: str | None) -> Path:
        """The run with this tag, or without one if there is none: a tag may mark a later stage
        only."""
        tagged = self.run(run_name(approach, variant, tag))
        if tag and not tagged.exists():
            print(f"{tagged} does not exist: using the run without --tag {tag}")
            return self.run(run_name(approach, variant))
        return tagged

    @property
    def results(self) -> Path:
        return self.runs_root / "evaluation"


def needed(path: Path, command: str) -> Path:
    """The path. Raises UserError naming `command`, which writes it, if it is missing."""
    if not path.exists():
        raise UserError(f"{path} is missing; run first: {command}")
    return path


def read_names(path: Path, command: str = "") -> list[str]:
    """Names of a list file, one a line. Raises UserError naming `command`, which writes the file,
    if it is missing."""
    return [line for _, line in lines_of(needed(path, command))]


def read_manifest(layout: Layout) -> dict[str, FrameEntry]:
    """Frame id -> its entry; empty if the frames were never cropped."""
    kind = dict[str, FrameEntry]
    return read_json(layout.manifest, kind) if layout.manifest.exists() else {}


def listed_frames(layout: Layout, split: str) -> list[str]:
    """Ids of the comics frames of a split; says how many of the manifest its list leaves out.
    Raises UserError naming the command that writes the list."""
    path = layout.frame_list(split)
    names = read_names(path, "`python datasets_preparation.py --crop_frames`")
    of_split = {id for id, entry in read_manifest(layout).items() if entry["split"] == split}
    if unlisted := of_split - set(names):
        print(f"{path}: leaves out {len(unlisted)} of the {len(of_split)} frames of the manifest")
    return names


def legacy_name(frame_id: str) -> str:
    """The 2020 name of a frame, page and counter without separator: `p1_11` -> `p111`."""
    page, _, counter = frame_id.rpartition("_")
    return page + counter


def names_of(frames: Iterable[str]) -> dict[str, set[str]]:
    """Every id and 2020 name of `frames` -> the frames that it could mean."""
    meant: dict[str, set[str]] = {}
    for frame in frames:
        for name in (frame, legacy_name(frame)):
            meant.setdefault(name, set()).add(frame)
    return meant


def find_named(
    folder: Path, frame: str, suffixes: tuple[str, ...], meant: Mapping[str, set[str]]
) -> Path | None:
    """The file of a frame in `folder`, under its id or, failing that, its 2020 name, unless that is
    the id of another frame; None if neither is there. Raises UserError if by `meant` (see names_of)
    other frames have that 2020 name."""
    for name in (frame, legacy_name(frame)):
        others = meant.get(name, set()) - {frame}
        there = [path for suffix in suffixes if (path := folder / f"{name}{suffix}").exists()]
        if not there or name in others:
            continue
        if name != frame and others:
            both = ", ".join(sorted({frame, *others}))
            raise UserError(
                f"{there[0]} could belong to any of {both}; rename it to the one it shows"
            )
        return there[0]
    return None
