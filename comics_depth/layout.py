"""The only place that spells a path: dataset folders as the method defines them, runs, predictions, results."""

from dataclasses import dataclass
from pathlib import Path

from comics_depth.files import UserError, read_json

SPLITS = ("train", "validation", "test")
APPROACHES = ("natural2comics", "depth_estimator", "baseline", "comics2textareas")


def run_name(approach: str, variant: str, tag: str | None = None) -> str:
    """`<approach>_<variant>[-tag]`, the name of a run folder and of its folder of predictions."""
    if tag and ("/" in tag or tag.startswith(".")):
        raise UserError(f"--tag {tag!r}: a tag is one word without slashes")
    return f"{approach}_{variant}" + (f"-{tag}" if tag else "")


@dataclass(frozen=True)
class Layout:
    """Paths under a data root (datasets and predictions) and a runs root (trained networks and tables)."""

    data_root: Path
    runs_root: Path

    # Datasets as downloaded -------------------------------------------------------------------------------------
    @property
    def dcm(self) -> Path:
        return self.data_root / "dcm_dataset.git"

    @property
    def dcm_images(self) -> Path:
        return self.dcm / "images"

    @property
    def dcm_boxes(self) -> Path:
        return self.dcm / "groundtruth"

    def dcm_pages(self, split: str) -> Path:
        """List of page names; DCM calls the validation list val.txt."""
        return self.dcm / f"{'val' if split == 'validation' else split}.txt"

    @property
    def ebdtheque(self) -> Path:
        return self.data_root / "eBDtheque_database_v3"

    @property
    def photographs(self) -> Path:
        return self.data_root / "coco_val2017"

    # Prepared data ----------------------------------------------------------------------------------------------
    @property
    def photograph_depth(self) -> Path:
        """Teacher's inverse depth, `<photo stem>.png` in the format of predictions.py."""
        return self.data_root / "coco_val2017_depth"

    def photograph_list(self, split: str) -> Path:
        """Stems of the photographs of a split (train, validation), one a line."""
        return self.data_root / f"coco_val2017_{split}.txt"

    @property
    def cropped(self) -> Path:
        return self.data_root / "dcm_cropped"

    @property
    def frames(self) -> Path:
        return self.cropped / "images"

    def frame(self, frame_id: str) -> Path:
        return self.frames / f"{frame_id}.jpg"

    def frame_list(self, split: str) -> Path:
        return self.cropped / f"{split}.txt"

    @property
    def manifest(self) -> Path:
        """JSON: {frame id: {page, box: [x1, y1, x2, y2], split, legacy, image}}."""
        return self.cropped / "manifest.json"

    @property
    def orderings(self) -> Path:
        return self.cropped / "depth"

    def ordering(self, frame_id: str) -> Path:
        return self.orderings / f"{frame_id}.txt"

    def text_map(self, frame_id: str) -> Path:
        """The text-area U-Net's soft prediction of a whole frame, 8-bit grey, 255 = text."""
        return self.cropped / "text_areas" / f"{frame_id}.png"

    @property
    def text_frames(self) -> Path:
        """Frames with text masks: `images/<id>.jpg`, `masks/<id>.png`, `train.txt`, `validation.txt`, manifest.json."""
        return self.data_root / "eBDtheque_cropped"

    @property
    def no_text(self) -> Path:
        return self.data_root / "dcm_cropped_noballoons"

    @property
    def no_text_checked(self) -> Path:
        return self.data_root / "dcm_cropped_noballoons_human"

    def predictions(self, run: str) -> Path:
        return self.cropped / "predictions" / run

    # Exact inverse depth, which only the synthetic world has (format of predictions.py) --------------------------
    @property
    def photograph_truth(self) -> Path:
        return self.data_root / "synthetic_truth" / "photographs"

    @property
    def frame_truth(self) -> Path:
        """`<frame id>.png`, inverse depth of each comics frame."""
        return self.data_root / "synthetic_truth" / "frames"

    # Runs -------------------------------------------------------------------------------------------------------
    def run(self, name: str) -> Path:
        return self.runs_root / name

    @property
    def results(self) -> Path:
        return self.runs_root / "evaluation"


def read_names(path: Path, command: str) -> list[str]:
    """Names of a list file, one a line; blank lines and a missing final newline do no harm. Raises UserError naming
    `command`, which writes the file, if it is missing."""
    if not path.exists():
        raise UserError(f"{path} is missing; run first: {command}")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_manifest(layout: Layout) -> dict[str, dict]:
    """Frame id -> {page, box, split, legacy, image}; empty if the frames were never cropped."""
    return read_json(layout.manifest) if layout.manifest.exists() else {}


def legacy_name(frame_id: str) -> str:
    """The 2020 name of a frame, page and counter without separator: `p1_11` -> `p111`."""
    page, _, counter = frame_id.rpartition("_")
    return page + counter


def find_named(folder: Path, frame_id: str, suffixes: tuple[str, ...]) -> Path | None:
    """The file of a frame in `folder`, under its id or, failing that, its 2020 name; None if neither is there."""
    for name in (frame_id, legacy_name(frame_id)):
        for suffix in suffixes:
            if (folder / f"{name}{suffix}").exists():
                return folder / f"{name}{suffix}"
    return None
