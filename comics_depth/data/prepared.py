"""The data of a training, as earlier stages prepared it; names the command that is missing."""

from pathlib import Path
from typing import Any, TypedDict

from comics_depth.data.datasets import Frames
from comics_depth.data.frames_with_points import FramesWithPoints
from comics_depth.data.splits import photograph_split
from comics_depth.paths import (
    Layout,
    find_named,
    listed_frames,
    names_of,
    needed,
    read_manifest,
    read_names,
)
from common.errors import UserError
from common.files import read_json


def frame_names(layout: Layout, *splits: str) -> list[str]:
    """Ids of the comics frames of the splits; see paths.listed_frames."""
    return [name for split in splits for name in listed_frames(layout, split)]


def labelled_frames(layout: Layout, split: str, **options) -> Frames:
    """The frames with text masks of a split; options go to Frames."""
    command = "`python datasets_preparation.py --generate_text_masks`"
    names = read_names(layout.text_list(split), command)
    return Frames(names, layout.text_frame, text_mask=layout.text_mask, **options)


def photographs(layout: Layout, split: str, *, depth: Path | None = None, **options) -> Frames:
    """Photographs of a split, with the inverse depth `<depth>/<name>.png` if a folder is given.
    Raises UserError if some have none: that stage was interrupted."""
    names = photograph_split(layout, options.get("seed", 0))[split]
    if depth is None:
        return Frames(names, layout.photograph, **options)
    if missing := sum(not (depth / f"{name}.png").exists() for name in names):
        raise UserError(
            f"{depth}: {missing} of {len(names)} {split} photographs have no depth; run first: "
            "`python datasets_preparation.py --coco17_depth`"
        )
    return Frames(names, layout.photograph, depth=lambda name: depth / f"{name}.png", **options)


def comics_frames(layout: Layout, split: str, *, with_text_maps: bool, **options) -> Frames:
    """Comics frames of a split, on request with text maps at their chosen threshold."""
    text = known_text(layout) if with_text_maps else {}
    return Frames(frame_names(layout, split), layout.frame, **text, **options)


class TextChoice(TypedDict):
    """What the maps of the text network are read with."""

    threshold: float


def known_text(layout: Layout) -> dict[str, Any]:
    """Options text_mask and threshold of Frames. Raises UserError if there are no text maps."""
    command = "`python comics2textareas.py --generate_dcm_without_text_areas`"
    choice = read_json(needed(layout.text_choice, command), TextChoice)
    return {"text_mask": layout.text_map, "threshold": choice["threshold"]}


def frame_orderings(layout: Layout, split: str) -> dict[str, Path]:
    """Frame of the split -> file of its depth ordering. Raises UserError if none has one."""
    names = frame_names(layout, split)
    meant = names_of({*read_manifest(layout), *names})
    files = {name: find_named(layout.orderings, name, (".txt",), meant) for name in names}
    found = {name: path for name, path in files.items() if path}
    if not found:
        due = f"`python datasets_preparation.py --generate_evaluation --split {split}`"
        raise UserError(f"{layout.orderings}: no {split} frame has an ordering; run first: {due}")
    return found


def frames_with_points(
    layout: Layout, orderings: dict[str, Path], depth: Path, **options
) -> FramesWithPoints:
    """Frames with their orderings (frame -> file) and the inverse depth `<depth>/<frame>.png`, text
    areas where they are known; options go to FramesWithPoints."""
    if layout.text_choice.exists():
        options |= known_text(layout)
    options |= {"depth": lambda name: depth / f"{name}.png"}
    return FramesWithPoints(list(orderings), layout.frame, orderings.__getitem__, **options)


class CheckedCrops(TypedDict):
    """What was accepted: crop -> where it is from."""

    crops: dict[str, Any]


def text_free_crops(layout: Layout, **options) -> Frames:
    """The text-free crops that a person (or --accept_all) has accepted."""
    command = "`python comics2textareas.py --check_by_hand` (or --accept_all)"
    root = needed(layout.checked_manifest, command).parent
    if layout.crop_manifest.exists():
        made = read_json(layout.crop_manifest)
        checked = read_json(layout.checked_manifest, CheckedCrops)["crops"]
        if any(made.get(name) != crop for name, crop in checked.items()):
            raise UserError(
                f"{root} holds other crops than {layout.no_text}, which was made anew; run again: "
                f"{command}"
            )
    found = (path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.jpg"))
    return Frames(sorted(found), lambda name: root / f"{name}.jpg", **options)


def data_files(
    layout: Layout, *, with_text_maps: bool = False, text_free: bool = False
) -> dict[str, Path]:
    """The files that say what a run was trained on; it records their hashes."""
    files = [layout.manifest, layout.photograph_list("train")]
    files += [layout.text_choice] * with_text_maps + [layout.checked_manifest] * text_free
    named = {
        path.parent.name if path.name == "manifest.json" else path.name: path for path in files
    }
    return {name: path for name, path in named.items() if path.exists()}
