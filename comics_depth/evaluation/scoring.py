"""Which frames have an ordering, whose maps of them are there, and how many pairs these order
right: no network."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from comics_depth.cli import with_full_commands
from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import Point, read_ordering
from comics_depth.evaluation.metrics import KINDS, count_pairs, eight_bit, summarise
from comics_depth.evaluation.sets import PredictionSet
from comics_depth.evaluation.table import Row
from comics_depth.paths import SPLITS, Layout, find_named, listed_frames, names_of, read_manifest
from common.errors import UserError


class OrderedFrame(NamedTuple):
    """A frame with an ordering. split: None where no list has it; orderings: its points by each
    annotator (empty: none); size: (H, W), if known; agreed: bool (P, P), the pairs that alone
    count, of a single ordering."""

    name: str
    split: str | None
    orderings: list[list[Point]]
    size: tuple[int, int] | None
    agreed: np.ndarray | None = None

    def count(self, inverse_depth: np.ndarray) -> np.ndarray:
        """metrics.count_pairs, summed over the annotators."""
        counts = [count_pairs(inverse_depth, o, self.name, self.agreed) for o in self.orderings]
        return np.sum(counts, axis=0)


def orderings_folder(layout: Layout, word: str) -> Path:
    """The folder of orderings that a word means: itself, or that of the annotator of this name."""
    folder = Path(word)
    return folder if folder.is_dir() or folder.name != word else layout.orderings_of(word)


def ordered_frames(
    layout: Layout, folders: Sequence[Path], splits: Sequence[str] | None, protocol: str
) -> list[OrderedFrame]:
    """Frames of the splits (None: all, lists need not exist) that have an ordering in one of the
    folders, by name. Raises UserError if a folder has none."""
    manifest = read_manifest(layout)
    split_of = {}
    for split in splits or SPLITS:
        path = layout.frame_list(split)
        if splits is None and not path.exists():
            continue
        names = listed_frames(layout, split)
        if splits and protocol == "original" and not path.read_bytes().endswith(b"\n"):
            names = names[:-1]  # the 2020 reader cut the text at newlines and lost the last piece
        split_of |= dict.fromkeys(names, split)
    meant = names_of({*manifest, *split_of})
    orderings: dict[str, list[list[Point]]] = {}
    for at, folder in enumerate(folders):
        found = {find_named(folder, name, (".txt",), meant): name for name in split_of}
        found.pop(None, None)
        if splits is None:
            for path in folder.rglob("*.txt"):
                found.setdefault(path, path.relative_to(folder).with_suffix("").as_posix())
        if not found:
            where = f" of a {' or '.join(splits)} frame" if splits else ""
            raise UserError(
                f"{folder}: expected <frame>.txt, found no depth ordering{where}; give another"
                " folder or annotator, or make some:"
                " `python datasets_preparation.py --generate_evaluation`"
            )
        for path, name in found.items():
            orderings.setdefault(name, [[] for _ in folders])[at] = read_ordering(path)
    boxes = {name: entry["box"] for name, entry in manifest.items() if entry["box"]}
    sizes = {name: (box[3] - box[1], box[2] - box[0]) for name, box in boxes.items()}
    return sorted(
        OrderedFrame(name, split_of.get(name), points, sizes.get(name))
        for name, points in orderings.items()
    )


def complete_maps(
    layout: Layout,
    wanted: Sequence[PredictionSet],
    baseline: PredictionSet,
    frames: Sequence[OrderedFrame],
    allow_missing: bool,
) -> dict[PredictionSet, list[Path]]:
    """The depth maps of the wanted sets, and of the baseline if it is complete. Raises UserError
    that names the missing frames; with `allow_missing` such sets are left out, which is printed,
    unless that leaves none."""
    names = [frame.name for frame in frames]
    meant = names_of({*read_manifest(layout), *names})
    complete = {}
    problems = []
    for predictions in dict.fromkeys([*wanted, baseline]):
        folder = predictions.folder
        maps = [find_named(folder, name, (".npy", ".png"), meant) for name in names]
        missing = [name for name, path in zip(names, maps, strict=True) if path is None]
        if not missing:
            complete[predictions] = maps
        elif predictions in wanted:
            shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            problems.append(
                f"{predictions.name}: no prediction for {len(missing)} of {len(names)} frames"
                f" ({shown}) in {folder}. {predictions.remedy}"
            )
    if problems and not (allow_missing and complete.keys() & set(wanted)):
        hint = "\nTo leave such rows out: --allow-missing" if len(wanted) > 1 else ""
        raise UserError("\n".join(problems) + hint)
    for problem in problems:
        print(f"left out: {with_full_commands(problem)}\n")
    return complete


def count_set(
    predictions: PredictionSet,
    frames: Sequence[OrderedFrame],
    maps: Sequence[Path],
    protocol: str,
) -> np.ndarray:
    """Counts of every frame, (frames, kinds, 3). Raises UserError for a map of another size."""
    counts = []
    for frame, path in zip(frames, maps, strict=True):
        depth = read_depth(path)
        if frame.size is not None and depth.shape != frame.size:
            raise UserError(
                f"{path}: expected {frame.size[1]}x{frame.size[0]} pixels, the size of frame"
                f" {frame.name}, found {depth.shape[1]}x{depth.shape[0]}. {predictions.remedy}"
            )
        depth = eight_bit(depth) if protocol == "original" else depth
        counts.append(frame.count(depth))
    return np.array(counts)


def score(
    wanted: Sequence[PredictionSet],
    counts: dict[PredictionSet, np.ndarray],
    baseline: PredictionSet,
    frames: Sequence[OrderedFrame],
    protocol: str,
    all_together: bool,
    kinds: Iterable[str] = tuple(KINDS),
) -> list[Row]:
    """Rows of the table, of each wanted set that has counts: of all frames first if `all_together`,
    then of each split; compared where the baseline has counts."""
    rows = []
    for section in ("all", *SPLITS) if all_together else SPLITS:
        at = [n for n, frame in enumerate(frames) if section in ("all", frame.split)]
        names = [frames[n].name for n in at]
        for predictions in wanted:
            if at and predictions in counts:
                own = counts[predictions][at]
                compared_to = counts[baseline][at] if baseline in counts else None
                scores = summarise(own, compared_to, protocol, kinds)
                rows.append(Row(predictions.name, section, scores, own, names))
    return rows


def scores_document(
    wanted: Sequence[PredictionSet],
    counts: dict[PredictionSet, np.ndarray],
    baseline: PredictionSet,
    rows: Sequence[Row],
    protocol: str,
    kinds: Iterable[str] = tuple(KINDS),
) -> dict[str, Any]:
    """The scores for JSON: of one set over all frames and each split, of several by row and
    split."""
    if len(wanted) > 1:
        by_row: dict[str, dict] = {}
        for row in rows:
            by_row.setdefault(row.name, {})[row.split] = row.scores
        return {"protocol": protocol, "rows": by_row}
    whole = summarise(counts[wanted[0]], counts.get(baseline), protocol, kinds)
    splits = {row.split: row.scores for row in rows}
    return {"protocol": protocol, "run": wanted[0].name, **whole, "splits": splits}
