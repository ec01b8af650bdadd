"""The only place that spells a path: dataset folders as the method defines them, runs, predictions, results."""

from dataclasses import dataclass
from pathlib import Path

from comics_depth.files import UserError, find_image, read_json

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

    def import_note(self, domain: str) -> Path:
        """JSON {folder}: where an imported domain (comics or natural) came from."""
        return self.data_root / f"import_{domain}.json"

    @property
    def ebdtheque_pages(self) -> Path:
        return self.ebdtheque / "Pages"

    @property
    def ebdtheque_svg(self) -> Path:
        return self.ebdtheque / "GT"

    @property
    def photographs(self) -> Path:
        return self.data_root / "coco_val2017"

    def photograph(self, name: str) -> Path:
        """Raises UserError if no image of that name is there."""
        path = find_image(self.photographs, name)
        if path is None:
            raise UserError(f"{self.photographs}: no photograph named {name}, which a list of photographs names")
        return path

    # Prepared data ----------------------------------------------------------------------------------------------
    @property
    def photograph_depth(self) -> Path:
        """Teacher's inverse depth, `<photo stem>.png` in the format of predictions.py."""
        return self.data_root / "coco_val2017_depth"

    @property
    def photograph_teacher(self) -> Path:
        """JSON {name, sha256}: the teacher whose depth lies here."""
        return self.photograph_depth / "teacher.json"

    def photograph_depth_map(self, name: str) -> Path:
        return self.photograph_depth / f"{name}.png"

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
    def text_choice(self) -> Path:
        """JSON beside the text maps: hash of the network that made them, its epoch and threshold."""
        return self.cropped / "text_areas" / "network.json"

    @property
    def text_frames(self) -> Path:
        """Frames with text masks: `images/<id>.jpg`, `masks/<id>.png`, `train.txt`, `validation.txt`, manifest.json."""
        return self.data_root / "eBDtheque_cropped"

    def text_frame(self, frame_id: str) -> Path:
        return self.text_frames / "images" / f"{frame_id}.jpg"

    def text_mask(self, frame_id: str) -> Path:
        """8-bit grey, 0 or 255 = text, the size of the frame."""
        return self.text_frames / "masks" / f"{frame_id}.png"

    def text_list(self, split: str) -> Path:
        return self.text_frames / f"{split}.txt"

    @property
    def text_manifest(self) -> Path:
        """JSON: {frame id: {page, box, split, classes}}."""
        return self.text_frames / "manifest.json"

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

    def tagged_run(self, approach: str, variant: str, tag: str | None) -> Path:
        """The run with this tag, or without one if there is none: a tag may mark a later stage only."""
        tagged = self.run(run_name(approach, variant, tag))
        return tagged if tagged.exists() else self.run(run_name(approach, variant))

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
