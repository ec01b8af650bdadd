"""Who is in which split: drawn once from a seed, by page or photograph, and kept from then on."""

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from comics_depth.images import IMAGE_SUFFIXES, image_size, list_images
from comics_depth.paths import SPLITS, Layout, read_manifest, read_names
from common.errors import UserError, counted
from common.files import write_text

PAGE_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
TEXT_SHARES = {"train": 0.8, "validation": 0.2}
PHOTOGRAPH_SHARES = {"train": 0.9, "validation": 0.1}


def seeded_split(
    names: Iterable[str],
    shares: Mapping[str, float],
    seed: int,
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Name -> split, in sorted order. Names in `fixed` keep theirs; the held-out splits get what
    they lack of their shares (one name at least, if there are enough), train the rest."""
    names = sorted(set(names))
    split = {name: fixed[name] for name in names if fixed and name in fixed}
    free = [name for name in names if name not in split]
    random.Random(seed).shuffle(free)
    spare = len(free) - ("train" not in split.values())  # train is not to be left empty
    for part in list(shares)[1:]:
        lacking = max(1, round(shares[part] * len(names))) - list(split.values()).count(part)
        for _ in range(min(lacking, spare)):
            split[free.pop()] = part
            spare -= 1
    split.update(dict.fromkeys(free, "train"))
    return {name: split[name] for name in names}


def write_lists(
    path: Callable[[str], Path], split: Mapping[str, str], parts: Iterable[str] = SPLITS
) -> dict[str, list[str]]:
    """Part -> its names, which are written to the file `path(part)`, one a line."""
    lists = {part: [name for name in split if split[name] == part] for part in parts}
    for part, names in lists.items():
        write_text(path(part), "".join(f"{name}\n" for name in names))
    return lists


def image_names(folder: Path) -> dict[str, Path]:
    """Name (path below `folder` without suffix) -> image file that is not hidden. Raises UserError
    if a name is taken or would not survive in a list of names."""
    found: dict[str, Path] = {}
    for path in list_images(folder):
        relative = path.relative_to(folder)
        name = relative.with_suffix("").as_posix()
        if any(part.startswith(".") for part in relative.parts):
            continue
        if name in found or name != name.strip() or len(name.splitlines()) != 1:
            raise UserError(f"{path}: the name {name!r} is taken or no plain name; rename the file")
        found[name] = path
    return found


def readable(images: Mapping[str, Path], skipped: list[str]) -> dict[str, tuple[int, int]]:
    """(height, width) of the images by name; why one cannot be read goes to `skipped`."""
    sizes = {}
    for name, path in images.items():
        with counted(skipped):
            sizes[name] = image_size(path)
    return sizes


def dcm_split(layout: Layout, seed: int) -> dict[str, str]:
    """Page -> split by the DCM lists; {} without DCM. Without lists, a seeded 80/10/10 split of the
    pages with boxes is written. Raises UserError for a page in two lists."""
    lists = {part: layout.dcm_pages(part) for part in SPLITS}
    missing = [path.name for path in lists.values() if not path.exists()]
    if missing:
        boxes = layout.dcm_boxes.rglob("*.txt")
        pages = [path.relative_to(layout.dcm_boxes).with_suffix("").as_posix() for path in boxes]
        drawn = seeded_split(pages, PAGE_SHARES, seed)
        # those that are there may be of this draw, which was interrupted
        for part, path in lists.items():
            if path.exists() and set(read_names(path)) != {n for n in drawn if drawn[n] == part}:
                wrong = f"{', '.join(missing)} missing; an empty file will do"
                raise UserError(f"{layout.dcm}: {wrong}")
        if drawn:
            write_lists(layout.dcm_pages, drawn)
        return drawn
    split: dict[str, str] = {}
    for part, path in lists.items():
        for name in read_names(path):
            suffix = Path(name).suffix
            page = name.removesuffix(suffix) if suffix.lower() in IMAGE_SUFFIXES else name
            if page.startswith("/") or ".." in page.split("/"):
                raise UserError(f"{path}: the page name {name!r} leaves the folder of pages")
            if split.setdefault(page, part) != part:
                raise UserError(
                    f"{path}: page {page} also stands in the list of {split[page]}; keep one"
                )
    return split


def known_pages(layout: Layout, seed: int) -> dict[str, str]:
    """Last part of a page's name -> its split in DCM or among the frames; of several the most
    held-out, so that a doubtful page is never trained on."""
    pages = [(entry["page"], entry["split"]) for entry in read_manifest(layout).values()]
    pages += dcm_split(layout, seed).items()
    pages.sort(key=lambda item: SPLITS.index(item[1]))
    return {PurePosixPath(page).name: part for page, part in pages}


def photograph_split(
    layout: Layout, seed: int, names: Iterable[str] | None = None
) -> dict[str, list[str]]:
    """{train, validation}: names of the photographs, 90/10, seeded. Lists are written if absent;
    given `names`, exactly these are listed, each in the split it had."""
    files = {part: layout.photograph_list(part) for part in PHOTOGRAPH_SHARES}
    lists = {part: read_names(path, "") for part, path in files.items() if path.exists()}
    fixed = {name: part for part, names in lists.items() for name in names}
    if names is None:
        names = fixed or readable(image_names(layout.photographs), [])
    split = seeded_split(names, PHOTOGRAPH_SHARES, seed, fixed)
    if len(lists) == len(files) and split == fixed:
        return lists
    return write_lists(layout.photograph_list, split, files)


def report(action: str, lists: Mapping[str, list[str]], unit: str, skipped: list[str]) -> None:
    """Prints how many names each split has, and why others were left out."""
    counts = ", ".join(f"{part} {len(names)}" for part, names in lists.items())
    print(f"{action}: {counts} {unit}")
    if skipped:
        shown = skipped[:20] + ["..."] * (len(skipped) > 20)
        print(f"  skipped {len(skipped)}:", *shown, sep="\n    ")
