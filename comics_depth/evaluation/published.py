"""Published rows: the record behind each, whether its predictions still give it, and the
leaderboard."""

import csv
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np

from comics_depth.evaluation.metrics import summarise
from comics_depth.evaluation.scoring import OrderedFrame, count_set
from comics_depth.evaluation.sets import PredictionSet
from comics_depth.evaluation.table import CAPTION, Row, markdown, per_image_csv
from comics_depth.paths import LEADERBOARD, Layout
from common.errors import UserError
from common.files import file_hash, read_json, write_json, write_text

# rows that wait for a machine with network: row -> depth model
OPEN = {
    "midas": "MiDaS",
    "midas-small": "MiDaS_small",
    "depth-anything-v2-small": "hf:depth-anything/Depth-Anything-V2-Small-hf",
    "depth-anything-v2-base": "hf:depth-anything/Depth-Anything-V2-Base-hf",
    "depth-anything-v2-large": "hf:depth-anything/Depth-Anything-V2-Large-hf",
}


class Published(NamedTuple):
    """A folder of results: `rows` with the counts of every frame; `records`: {protocol, baseline,
    orderings (hash), rows: {row: record}}."""

    rows: list[Row]
    records: dict[str, Any]


def read_published(folder: Path) -> Published:
    """What records.json and per_image.csv of a folder hold. Raises UserError if they are
    damaged."""
    counts: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    rows = []
    try:
        records = read_json(folder / "records.json")
        with open(folder / "per_image.csv", encoding="utf-8", newline="") as file:
            for row, split, _, frame, *numbers in list(csv.reader(file))[1:]:
                own = np.reshape([int(number) for number in numbers], (-1, 3))
                counts.setdefault((row, split), {})[frame] = own
        for (name, split), own in counts.items():
            known = counts.get((records["baseline"], split), {})
            baseline = np.array([known[frame] for frame in own]) if {*own} <= {*known} else None
            found = np.array(list(own.values()))
            scores = summarise(found, baseline, records["protocol"])
            rows.append(Row(name, split, scores, found, list(own)))
    except (LookupError, TypeError, ValueError, AttributeError, OSError, csv.Error) as error:
        raise UserError(f"{folder}: missing, damaged, or not written by this program") from error
    return Published(rows, records)


def record(
    layout: Layout, predictions: PredictionSet, maps: Sequence[Path], options: dict[str, Any]
) -> dict[str, Any]:
    """What made a row: revision of the code, options of the scoring, hashes of network, frames and
    predictions, and the config of the run where it was trained here."""
    note = predictions.folder / "made_by.json"
    made_by = read_json(note) if note.exists() else None
    run = layout.run(predictions.folder.name)
    checkpoints = [path for path in (run / "best.pt", run / "last.pt") if path.exists()]
    # a run of this name may have been trained anew since it predicted
    own = made_by and any(file_hash(path) in made_by.values() for path in checkpoints)
    return {
        "predictions": predictions.folder.name,
        "sha256": hashlib.sha256("".join(map(file_hash, maps)).encode()).hexdigest(),
        "code": code_revision(),
        "options": options,
        "made_by": made_by,
        "run": read_json(run / "config.json") if own else None,
    }


def orderings_hash(frames: Sequence[OrderedFrame]) -> str:
    """SHA-256 of names, splits and points of the frames."""
    shown = [(f.name, f.split, [[*map(tuple, o)] for o in f.orderings]) for f in frames]
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def code_revision() -> str | None:
    """The commit of this checkout, with `+` where files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        said = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:  # no git
        return None
    return said.stdout.strip() or None


def publish(board: Path, new: Published) -> Path:
    """Adds rows to the leaderboard `board`, in place of those of the same names; returns its
    `<board>.md`. Raises UserError where its other rows were scored on other frames or orderings."""
    rows = list(new.rows)
    records = new.records
    if (board / "records.json").exists():
        old = read_published(board)
        kept = [row for row in old.rows if row.name not in records["rows"]]
        same = ("orderings", "protocol", "baseline")
        if kept and any(old.records[key] != records[key] for key in same):
            raise UserError(
                f"{board}: its rows {', '.join(sorted({row.name for row in kept}))} were scored on"
                " other orderings or frames; import the pages of data/peppercarrot, or remove it"
            )
        rows += kept
        records = {**records, "rows": old.records["rows"] | records["rows"]}
    rows.sort(key=lambda row: -(row.scores["inter_objects"]["mean"] or 0))
    rows.sort(key=lambda row: ("validation", "test").index(row.split))
    write_text(board / "per_image.csv", per_image_csv(rows, records["protocol"]))
    write_json(board / "records.json", records)
    path = board.with_suffix(".md")
    write_text(path, leaderboard_text(rows, records))
    return path


def leaderboard_text(rows: list[Row], records: dict[str, Any]) -> str:
    caption = CAPTION.format(baseline=records["baseline"], protocol=records["protocol"])
    template = jinja2.Template(
        Path(__file__).with_name("leaderboard.md").read_text(encoding="utf-8"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return template.render(
        table=markdown(rows, caption),
        open_rows={row: OPEN[row] for row in OPEN if row not in records["rows"]},
        records=records["rows"],
    )


def counts_of(published: Published, name: str) -> dict[str, np.ndarray]:
    """Frame -> counts (kinds, 3) of a published row. Raises UserError if there is no such row."""
    found = [row for row in published.rows if row.name == name]
    if not found:
        names = ", ".join(published.records["rows"])
        raise UserError(f"{name} is neither a folder nor a published row; there are: {names}")
    return {frame: own for row in found for frame, own in zip(row.frames, row.counts, strict=True)}


def board_frames(row: str, splits: Sequence[str]) -> list[OrderedFrame]:
    """The frames of a row of the leaderboard, without their points."""
    rows = read_published(LEADERBOARD).rows
    chosen = [one for one in rows if one.name == row and one.split in splits]
    return [OrderedFrame(name, one.split, [], None) for one in chosen for name in one.frames]


def board_counts(row: str, frames: Sequence[OrderedFrame]) -> np.ndarray:
    """Counts of a row of the leaderboard, (frames, kinds, 3). Raises UserError if there is none, or
    it was scored on other orderings."""
    published = read_published(LEADERBOARD)
    counts = counts_of(published, row)
    given = any(frame.orderings for frame in frames)
    other = given and orderings_hash(frames) != published.records["orderings"]
    if other or any(frame.name not in counts for frame in frames):
        raise UserError(
            f"{row}: its row of the leaderboard was scored on all validation and test orderings of"
            " data/peppercarrot, which are not those of --data-root and --split"
        )
    return np.array([counts[frame.name] for frame in frames])


def verify(
    published: Published, name: str, frames: Sequence[OrderedFrame], maps: Sequence[Path]
) -> list[str]:
    """Why the depth maps of the frames do not give the published row `name`; empty if they do."""
    known = counts_of(published, name)
    faults = []
    if orderings_hash(frames) != published.records["orderings"]:
        faults.append("the orderings are others than those it was scored on")
    predictions = PredictionSet(name, Path(), "")
    own = count_set(predictions, frames, maps, published.records["protocol"])
    found = dict(zip((frame.name for frame in frames), own, strict=True))
    both = {**known, **found}
    if other := [one for one in both if not np.array_equal(known.get(one), found.get(one))]:
        shown = ", ".join(other[:10]) + ", ..." * (len(other) > 10)
        faults.append(f"{len(other)} of {len(known)} frames have other counts ({shown})")
    return faults
