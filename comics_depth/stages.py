"""The data of translation and depth training, as prepared by the earlier stages; each names the command that is due."""

from pathlib import Path

from comics_depth.data import Frames
from comics_depth.files import UserError, read_json
from comics_depth.layout import Layout, read_names
from comics_depth.splits import photograph_split
from comics_depth.training import file_hash

CROP = "python datasets_preparation.py --crop_frames"
DEPTH = "python datasets_preparation.py --coco17_depth"
TEXT_MAPS = "python comics2textareas.py --generate_dcm_without_text_areas"


def frame_names(layout: Layout, *splits: str) -> list[str]:
    """Ids of the comics frames of the splits. Raises UserError naming the command that writes the lists."""
    return [name for split in splits for name in read_names(layout.frame_list(split), CROP)]


def photographs(layout: Layout, split: str, *, depth: Path | None = None, **options) -> Frames:
    """Photographs of a split, with the inverse depth `<depth>/<name>.png` if a folder is given. Photographs without
    depth (broken ones, which that stage counted) are left out; options go to Frames."""
    names = photograph_split(layout, options.get("seed", 0))[split]
    if depth is None:
        return Frames(names, layout.photograph, **options)
    names = [name for name in names if (depth / f"{name}.png").exists()]
    if not names:
        raise UserError(f"{depth}: no depth of the {split} photographs; run first: {DEPTH}")
    return Frames(names, layout.photograph, depth=lambda name: depth / f"{name}.png", **options)


def comics_frames(layout: Layout, split: str, *, with_text_maps: bool, **options) -> Frames:
    """Comics frames of a split, with their text maps at the threshold chosen for them where text is to be pasted."""
    names = frame_names(layout, split)
    if not with_text_maps:
        return Frames(names, layout.frame, **options)
    if not layout.text_choice.exists():
        raise UserError(f"{layout.text_choice} is missing; run first: {TEXT_MAPS}")
    threshold = read_json(layout.text_choice)["threshold"]
    return Frames(names, layout.frame, text_mask=layout.text_map, threshold=threshold, **options)


def text_free_crops(layout: Layout, **options) -> Frames:
    """The text-free crops that a person (or --accept_all) has accepted."""
    manifest = layout.no_text_checked / "manifest.json"
    if not manifest.exists():
        raise UserError(f"{manifest} is missing; run first: {TEXT_MAPS} and then "
                        "python comics2textareas.py --check_by_hand (or --accept_all)")  # fmt: skip
    root = layout.no_text_checked
    names = sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.jpg"))
    return Frames(names, lambda name: root / f"{name}.jpg", **options)


def identity(source: str, weights: Path | None = None) -> str:
    """What tells a depth model from others: its name, with the hash of the file it comes from."""
    files = [Path(path) for path in (source, weights) if path and Path(path).is_file()]
    name = Path(source).name if Path(source).is_file() else source
    return "-".join([name, *(file_hash(path)[:12] for path in files)])
