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
    """Photographs of a split, with the inverse depth `<depth>/<name>.png` if a folder is given; options go to Frames.
    Raises UserError if some have none: that stage was interrupted (it takes broken photographs off the lists)."""
    names = photograph_split(layout, options.get("seed", 0))[split]
    if depth is None:
        return Frames(names, layout.photograph, **options)
    missing = sum(not (depth / f"{name}.png").exists() for name in names)
    if missing:
        raise UserError(f"{depth}: {missing} of {len(names)} {split} photographs have no depth; run first: {DEPTH}")
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
    if not layout.checked_manifest.exists():
        raise UserError(f"{layout.checked_manifest} is missing; run first: {TEXT_MAPS} and then "
                        "python comics2textareas.py --check_by_hand (or --accept_all)")  # fmt: skip
    root = layout.no_text_checked
    names = sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.jpg"))
    return Frames(names, lambda name: root / f"{name}.jpg", **options)


def data_files(layout: Layout, *, with_text_maps: bool = False, text_free: bool = False) -> dict[str, Path]:
    """The files that say which frames, photographs and text a run was trained on; a run records their hashes."""
    files = [layout.manifest, layout.photograph_list("train")]
    files += [layout.text_choice] * with_text_maps + [layout.checked_manifest] * text_free
    return {path.name if path.name != "manifest.json" else path.parent.name: path for path in files if path.exists()}


def identity(source: str, weights: Path | None = None) -> str:
    """What tells a depth model from others: its name, with the hash of the file it comes from."""
    files = [Path(path) for path in (source, weights) if path and Path(path).is_file()]
    name = Path(source).name if Path(source).is_file() else source
    return "-".join([name, *(file_hash(path)[:12] for path in files)])
