"""Prediction sets of any depth models: their depth, their licences, and why some gave none."""

import functools
from pathlib import Path

import numpy as np

from comics_depth.evaluation.predicting import Predictor, as_predictor, predict_frames
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.paths import Layout
from comics_depth.training.devices import default_device
from comics_depth.training.run import checkpoint_of
from common.errors import UserError
from models.checkpoints import SHIPPED, model_fingerprint
from models.depth_model import AveragedDepth, depth_model
from models.licences import licence


def predict_with_models(
    layout: Layout,
    models: dict[str, str],
    names: list[str],
    *,
    averaged: bool,
    floats: bool,
    restart: bool,
) -> dict[str, str]:
    """Predicts the frames `names` with every model (row -> model) and rule into the sets
    `models_<row>`; returns row -> reason of the models that failed. Raises UserError if all did, or
    if frames have no image."""
    if missing := [name for name in names if not layout.frame(name).exists()]:
        raise UserError(
            f"{layout.frames}: no image of {len(missing)} of {len(names)} frames with an ordering"
            f" ({', '.join(missing[:10])}); expected <frame>.jpg"
        )
    options = {"names": names, "floats": floats, "restart": restart}
    failed = {}
    for row, model in models.items():
        try:
            source = str(SHIPPED.get(model) or checkpoint_of(model, layout.runs_root))
            made_by = {"depth_model": model_fingerprint(source)}
            made_by |= {"averaged": True} if averaged else {}
            predict_frames(layout, f"models_{row}", _lazily(source, averaged), made_by, **options)
        except Exception as error:  # code and files of other people fail in any way
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            failed[row] = f"{kind}{error}"
            print(f"left out: {row}: {failed[row]}")
    if len(failed) == len(models):
        raise UserError("none of the models gave a depth")
    for rule, predictor in REFERENCES.items():
        predict_frames(layout, f"models_{rule}", predictor, {"rule": rule}, **options)
    return failed


def _lazily(source: str, averaged: bool) -> Predictor:
    """A predictor that loads its model when the first frame comes."""

    @functools.cache
    def loaded() -> Predictor:
        network = depth_model(source)
        return as_predictor(AveragedDepth(network) if averaged else network, default_device())

    def predict(image: np.ndarray) -> np.ndarray:
        return loaded()(image)

    return predict


def about_model(model: str) -> dict[str, str]:
    """Name (of a file without its folder) and licence of a model or rule, for a record."""
    if model in REFERENCES:
        return {"model": "rule", "licence": "MIT"}
    name = Path(model).name if Path(model).is_file() else model
    return {"model": name, "licence": licence(model)}


def about_models(models: dict[str, str], failed: dict[str, str]) -> str:
    """What the caption says of the models' licences, and of the models that failed."""
    shown = {row: row if row == model else f"{row} ({model})" for row, model in models.items()}
    licences = [
        f"{shown[row]}: {licence(model)}" for row, model in models.items() if row not in failed
    ]
    text = f" Licences of the models: {'; '.join(licences)}."
    if failed:
        text += f" Left out, without a depth: {', '.join(shown[row] for row in failed)}."
    return text
