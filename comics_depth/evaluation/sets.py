"""Prediction sets: which folder of depth maps belongs to which row of the table."""

import re
from pathlib import Path
from typing import NamedTuple

from comics_depth.evaluation.rules import REFERENCES
from comics_depth.paths import LEADERBOARD, Layout, run_name
from common.errors import UserError

# approach -> the script that predicts, and the rows of the table in their order
ROWS = {
    "natural2comics": ("cyclegan_natural2comics.py", ("simple", "depth_aware")),
    "depth_estimator": (
        "depth_estimator.py",
        ("simple", "add_text", "add_text_ignoretext", "printed", "orderings"),
    ),
    "baseline": ("baseline.py", ("no_batchnorm_trick", "batchnorm_trick", *REFERENCES)),
}
OPTIONAL = ("depth_estimator", "orderings")  # most data has no orderings of training frames


class PredictionSet(NamedTuple):
    """A folder of depth maps, the name of its row, and what to do where some are missing."""

    name: str
    folder: Path
    remedy: str


def stage_sets(
    layout: Layout, approach: str, words: list[str], tag: str | None
) -> tuple[list[PredictionSet], PredictionSet]:
    """What the stages or anybody else predicted, in the order of the table, and the baseline.
    Raises UserError for words that the approach does not take."""
    words = ["add_text_ignoretext" if word == "add_text_ignoreloss" else word for word in words]
    # the same under every tag, or, the baseline, where none was made with this tag
    untagged = {*REFERENCES, "batchnorm_trick"}
    if (approach, *words) == ("baseline", "batchnorm_trick"):
        untagged.remove("batchnorm_trick")

    def stage_set(approach: str, variant: str) -> PredictionSet:
        name = run_name(approach, variant, tag)
        if variant in untagged and not layout.predictions(name).is_dir():
            name = run_name(approach, variant)
        train = "" if variant in (*REFERENCES, "no_batchnorm_trick") else "--train "
        command = f"`python {ROWS[approach][0]} {variant} {train}--generate_depth_images`"
        return PredictionSet(name, layout.predictions(name), f"Run first: {command}")

    baseline = stage_set("baseline", "batchnorm_trick")
    if approach == "all" and not words:
        sets = [stage_set(name, variant) for name in ROWS for variant in ROWS[name][1]]
        optional = run_name(*OPTIONAL, tag)
        return [one for one in sets if one.name != optional or one.folder.is_dir()], baseline
    if approach == "predictions" and len(words) == 1:
        folder = Path(words[0])
        remedy = "Write one map for each frame, of the frame's size"
        return [PredictionSet(folder.resolve().name, folder, remedy)], baseline
    if approach in ROWS and len(words) == 1 and words[0] in ROWS[approach][1]:
        return [stage_set(approach, words[0])], baseline
    needs = {"all": "no further word", "predictions": "the FOLDER of the depth maps"}
    expected = needs.get(approach) or f"one of: {', '.join(ROWS[approach][1])}"
    raise UserError(f"{approach} needs {expected} (found: {' '.join(words) or 'nothing'})")


def compared_sets(layout: Layout, words: list[str]) -> tuple[list[PredictionSet], PredictionSet]:
    """Two sets by folder, by name in the data root, or rows of the leaderboard; and the second, the
    baseline. Raises UserError unless there are two names."""
    if len(dict.fromkeys(words)) != 2:
        raise UserError(f"compare needs two rows or FOLDERs (found: {' '.join(words) or 'none'})")
    sets = []
    for word in words:
        places = (Path(word), layout.predictions(word))
        folder = next((place for place in places if place.is_dir()), LEADERBOARD)
        sets.append(PredictionSet(Path(word).name, folder, "Write one map for each frame"))
    return sets, sets[1]


def named_models(words: list[str]) -> dict[str, str]:
    """Row -> model, of `ROW=MODEL`; of a model alone, the row is called as its repository, file or
    run. Raises UserError for a name that is taken or no word."""
    models = {}
    for word in words:
        name, equals, model = word.partition("=")
        if not equals or Path(word).exists():
            model = word
            path = Path(word.removeprefix("hf:"))
            of_run = path.is_file() and path.stem in ("best", "last")
            name = path.resolve().parent.name if of_run else path.name
            name = Path(name).stem if path.is_file() and not of_run else name
        if name in models or name in REFERENCES or not re.fullmatch(r"\w[\w.-]*", name):
            raise UserError(f"{name!r} cannot name the row of {model}: give another, NAME={model}")
        models[name] = model
    if not models:
        raise UserError("models needs one or more depth models, such as default")
    return models


def model_sets(
    layout: Layout, models: dict[str, str], baseline: str | None
) -> tuple[list[PredictionSet], PredictionSet]:
    """What the models and the rules predict, and the baseline among it."""
    baseline = baseline or "lower_is_nearer"  # what a network has to beat, and at hand everywhere
    sets = {
        row: PredictionSet(row, layout.predictions(run_name("models", row)), "Give --restart")
        for row in (*models, *REFERENCES)
    }
    if baseline not in sets:
        raise UserError(f"--baseline {baseline}: expected one of {', '.join(sets)}")
    return list(sets.values()), sets[baseline]
