"""The stages of a reproduction: their commands, what each is made from and leaves, and the record
of those that are done."""

from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from comics_depth.cli import ModelSource, preset_values
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.paths import Layout, read_names
from common.files import file_hash, read_json, write_json

PREPARE = "datasets_preparation.py"
TEXT = "comics2textareas.py"
TRANSLATE = "cyclegan_natural2comics.py"
DEPTH = "depth_estimator.py"
EVALUATE = "evaluation.py"
HAND_CHECK = [TEXT, "--check_by_hand"]


class Stage(NamedTuple):
    """A command, and its whole `line` with the options that all stages share.

    inputs: files that it starts over for when their content has changed; left: files and folders
    that it leaves, and used: others, that it is run again for when they are gone or changed."""

    command: list[str]
    line: list[str]
    inputs: list[Path]
    left: list[Path]
    used: list[Path]

    @property
    def title(self) -> str:
        return " ".join(self.command)

    @property
    def alone(self) -> bool:
        """Whether nothing runs beside it: preparation uses all cores, evaluation needs all."""
        return self.command[0] in (PREPARE, EVALUATE) or self.command == HAND_CHECK

    def waits_for(self, unfinished: list["Stage"]) -> bool:
        """Whether it needs one of the stages before it that are not done yet."""
        made = {path for stage in unfinished for path in stage.left}
        alone = any(stage.alone for stage in unfinished)
        return alone or (self.alone and bool(unfinished)) or not made.isdisjoint(self.inputs)

    def key(self) -> str:
        """What stands for it in the log."""
        return " ".join(self.line)

    def input_hashes(self) -> dict[str, str | None]:
        """File -> SHA-256; None if it is missing."""
        return {str(path): file_hash(path) if path.exists() else None for path in self.inputs}

    def stamps(self) -> dict[str, list[int] | None]:
        """File or folder left or used -> [size, time of change]; None if it is missing."""
        watched = (*self.left, *self.used)
        found = {path: path.stat() if path.exists() else None for path in watched}
        return {
            str(path): stat and [stat.st_size, stat.st_mtime_ns] for path, stat in found.items()
        }


class Done(TypedDict):
    """A stage that is done; see Stage.input_hashes and Stage.stamps."""

    seconds: float
    inputs: dict[str, str | None]
    watched: dict[str, list[int] | None]


class StageLog:
    """A file that says which stages are done: {command: {seconds, inputs, watched}}."""

    def __init__(self, path: Path, *, empty: bool):
        self.path = path
        self.entries: dict[str, Done] = {}
        if path.exists() and not empty:
            self.entries = read_json(path, dict[str, Done])

    def state(self, stage: Stage) -> str:
        """`done`, `again` (to be run), or `anew` (with --restart)."""
        entry = self.entries.get(stage.key())
        if entry is None:
            return "again"
        if entry["inputs"] != stage.input_hashes():
            return "anew"
        return "done" if entry["watched"] == stage.stamps() else "again"

    def add(self, stage: Stage, inputs: dict[str, Any], seconds: float) -> None:
        """inputs: hashes from before the stage ran."""
        entry = {"seconds": seconds, "inputs": inputs, "watched": stage.stamps()}
        self.entries[stage.key()] = entry
        write_json(self.path, self.entries)


def model_files(source: ModelSource) -> list[Path]:
    """The file of a depth model; nothing for one that is downloaded."""
    from models.checkpoints import SHIPPED

    path = Path(source.weights or SHIPPED.get(source.name, source.name))
    return [path] if path.is_file() else []


def has_training_orderings(layout: Layout) -> bool:
    """Whether a frame of a training page has a depth ordering, before frames are cropped too."""
    listed = (layout.dcm_pages("train"), layout.frame_list("train"))
    pages = {name for path in listed if path.exists() for name in read_names(path)}
    found = (path.relative_to(layout.orderings) for path in layout.orderings.rglob("*.txt"))
    frames = [path.with_suffix("").as_posix() for path in found]
    return any(frame in pages or frame.rpartition("_")[0] in pages for frame in frames)


def list_stages(
    preset: str,
    layout: Layout,
    seed: int,
    teacher_source: ModelSource,
    student_source: ModelSource,
    *,
    teacher: str | None,
    depth_model: str | None,
    depth_weights: Path | None,
    epoch_scale: float,
) -> list[Stage]:
    """Stages in running order. The sources are the models that are used; teacher, depth_model and
    depth_weights, None if left out, are passed on."""
    shared = ["--preset", preset]
    shared += ["--data-root", str(layout.data_root), "--runs-root", str(layout.runs_root)]
    paper = preset == "paper"
    # a plain folder of images has no text masks to learn text areas from
    imported = layout.import_note("comics").exists()
    teaching = ["--teacher", teacher] if teacher else []
    weights = ["--depth-weights", str(depth_weights)] if depth_weights else []
    predicted = ["--generate_depth_images"]
    predicted += ["--depth-model", depth_model] if depth_model else []
    predicted += weights
    teacher_files = model_files(teacher_source)
    student_files = model_files(student_source)
    data = [layout.manifest, layout.photograph_list("train")]
    stages = []

    def train(stage: str) -> list[str]:
        if epoch_scale == 1:
            return ["--train"]
        epochs = round(preset_values(preset, stage)["epochs"] * epoch_scale)
        return ["--train", "--epochs", str(max(1, epochs))]

    def checkpoint(name: str) -> Path:
        return layout.run(name) / "last.pt"

    def add(script: str, *options: str, inputs=(), left: list[Path], used=()) -> None:
        seeded = [] if script == EVALUATE else ["--seed", str(seed)]
        line = [script, *shared, *options, *seeded]
        stages.append(Stage([script, *options], line, list(inputs), left, list(used)))

    def add_run(script: str, variant: str, *options: str, inputs=(), left=(), used=()) -> None:
        approach = script.removesuffix(".py").removeprefix("cyclegan_")
        name = f"{approach}_{variant}"
        left = [*left, *([checkpoint(name)] if "--train" in options else [])]
        left += [layout.predictions(name)] if predicted[0] in options else []
        add(script, variant, *options, inputs=inputs, left=left, used=used)

    if preset == "demo":
        add(PREPARE, "--synthesize", left=[layout.photograph_truth.parent / "world.json"])
    if not imported:
        cropped = [layout.manifest, layout.text_manifest]
        add(PREPARE, "--crop_frames", "--generate_text_masks", left=cropped)
    own_weights = weights if teacher_source == student_source else []
    depths = [layout.photograph_teacher]
    add(PREPARE, "--coco17_depth", *teaching, *own_weights, inputs=teacher_files, left=depths)
    if not imported:
        text = [*train("comics2textareas"), "--select_epoch", "--optimize_threshold"]
        text += ["--visualize_ebdtheque_val", "--generate_dcm_without_text_areas"]
        left = [checkpoint("comics2textareas_unet"), layout.text_choice, layout.crop_manifest]
        if not paper:
            text.append("--accept_all")
            left.append(layout.checked_manifest)
        add(TEXT, *text, inputs=[layout.text_manifest, layout.manifest], left=left)
        if paper:  # a person checks the text-free crops
            add(*HAND_CHECK, left=[layout.checked_manifest, layout.crop_manifest])
    gan = train("natural2comics")
    simple = checkpoint("natural2comics_simple")
    without_text = checkpoint("natural2comics_without_text")
    add_text = checkpoint("natural2comics_add_text")
    add_run(TRANSLATE, "simple", *gan, *predicted, inputs=data, used=student_files)
    taught = [*data, *teacher_files]
    aware = ["depth_aware", *gan, *teaching, *predicted]
    add_run(TRANSLATE, *aware, inputs=taught, used=student_files)
    if not imported:
        add_run(TRANSLATE, "without_text", *gan, inputs=[*data, layout.checked_manifest])
        made_from = [*data, layout.text_choice, without_text]
        add_run(TRANSLATE, "add_text", *train("add_text"), inputs=made_from)
    fitted = [*train("depth_estimator"), *predicted]
    pairs = [*data, *student_files, layout.photograph_teacher]
    add_run(DEPTH, "simple", "--optimize_lr", *fitted, inputs=[*pairs, simple])
    if not imported:
        seen = [*pairs, layout.text_choice, without_text, add_text]
        chosen = layout.choice("depth_estimator_add_text_lr")
        add_run(DEPTH, "add_text", "--optimize_lr", *fitted, inputs=seen, left=[chosen])
        add_run(DEPTH, "add_text_ignoretext", *fitted, inputs=[*seen, chosen])
    add_run(DEPTH, "printed", "--optimize_lr", *fitted, inputs=pairs)
    frames = [layout.manifest, *student_files]
    if preset == "demo" or has_training_orderings(layout):
        rates = preset_values(preset, "orderings")["rates"]
        rate = ["--optimize_lr"] if len(rates) > 1 else ["--lr", f"{rates[0]:g}"]
        text = [] if imported else [layout.text_choice]
        learnt = [*rate, *train("orderings"), *predicted]
        add_run(DEPTH, "orderings", *learnt, inputs=[*frames, *text])
    add_run("baseline.py", "no_batchnorm_trick", *predicted, inputs=frames)
    add_run("baseline.py", "batchnorm_trick", "--train", *predicted, inputs=frames)
    for rule in REFERENCES:
        add_run("baseline.py", rule, predicted[0], inputs=[layout.manifest])
    orderings = sorted(layout.orderings.rglob("*.txt"))
    missing = ["--allow-missing"] if imported else []
    add(EVALUATE, "all", *missing, left=[layout.results / "table.md"], used=orderings)
    return stages
