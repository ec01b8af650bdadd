"""Depth of comics without translation: a depth model as it is, or with its BatchNorm statistics
taken from comics, or a rule without a network."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from comics_depth import cli
from comics_depth.data.prepared import data_files, frame_names
from comics_depth.data.tensors import image_tensor
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.images import read_image
from comics_depth.paths import Layout, run_name
from comics_depth.training.devices import default_device
from comics_depth.training.run import Run, finished_run
from common.errors import UserError
from common.files import file_hash, write_json
from models.checkpoints import model_fingerprint, save_checkpoint
from models.depth_model import batchnorm_layers, depth_model
from models.external import downloads

EXAMPLES = """\
  python baseline.py no_batchnorm_trick --generate_depth_images
  python baseline.py batchnorm_trick --train --generate_depth_images
  python baseline.py lower_is_nearer --generate_depth_images"""
ACTIONS = {
    "train": "take the statistics of BatchNorm from the training frames",
    "generate_depth_images": "depth of every validation and test frame, shared by processes",
}
VARIANTS = ("no_batchnorm_trick", "batchnorm_trick", *REFERENCES)


def main() -> None:
    options = ("tag", "seed", "epochs", "momentum", "restart", "floats")
    models = ("depth_model", "depth_weights")
    parser = cli.command_line(__doc__, EXAMPLES, *options, *models, actions=ACTIONS)
    parser.add_argument("variant", choices=VARIANTS)
    args = cli.apply_preset(parser.parse_args(), "baseline")
    variant = args.variant
    if args.train and variant != "batchnorm_trick":
        parser.error(f"{variant} has nothing to train; only batchnorm_trick has")
    layout = args.layout
    name = run_name("baseline", variant, args.tag)
    folder = layout.run(name)

    def estimate() -> None:
        source = cli.model_source(args, "depth_model")
        statistics = cli.values(args, "seed", "epochs", "momentum")
        recorded = statistics | {"depth_model": model_fingerprint(*source)}
        run = Run(folder, recorded, data_files(layout), args.restart)
        estimate_statistics(layout, run, depth_model(*source), **statistics)

    def predict() -> None:
        if variant in REFERENCES:
            predictor, made_by = REFERENCES[variant], {"rule": variant}
        elif variant == "batchnorm_trick":
            checkpoint = finished_run(folder, "`python baseline.py batchnorm_trick --train`")
            predictor = as_predictor(depth_model(str(checkpoint)), default_device())
            made_by = {"depth_model": file_hash(checkpoint)}
        else:
            source = cli.model_source(args, "depth_model")
            predictor = as_predictor(depth_model(*source), default_device())
            made_by = {"depth_model": model_fingerprint(*source)}
        predict_frames(layout, name, predictor, made_by, **cli.values(args, "floats", "restart"))

    fetched = [] if variant in REFERENCES else downloads(args.depth_model, args.depth_weights)
    reads = [layout.frames]
    steps = {
        "train": cli.Step(estimate, reads, [folder], fetched),
        "generate_depth_images": cli.Step(predict, reads, [layout.predictions(name)], fetched),
    }
    cli.run_steps(parser, args, steps)


def estimate_statistics(
    layout: Layout,
    run: Run,
    model: nn.Module,
    *,
    seed: int,
    epochs: int,
    momentum: float | None,
) -> None:
    """Passes over the training frames in training mode, one at a time, without loss or gradient, so
    that the running statistics of BatchNorm (Ioffe and Szegedy 2015) become those of comics.
    Validation and test frames stay unseen. momentum None: the cumulative average of all frames."""
    layers = batchnorm_layers(model)
    if not layers:
        raise UserError(f"{model.name} has no BatchNorm layers, so the trick does not apply to it")
    if run.open() is not None:
        print(f"{run.folder}: finished; nothing to do (--restart redoes it)")
        return
    device = default_device()
    model.to(device).eval()
    for layer in layers:
        layer.momentum = momentum
        layer.train()
        if momentum is None:
            layer.reset_running_stats()
    names = frame_names(layout, "train")
    order = np.random.default_rng(seed)
    for epoch in range(epochs):
        title = f"{run.folder.name} {epoch + 1}/{epochs}"
        for name in tqdm(order.permutation(names), desc=title, disable=None):
            with torch.no_grad():
                model(image_tensor(read_image(layout.frame(name)), device))
    steps = epochs * len(names)
    share = 1.0 if momentum is None else 1 - (1 - momentum) ** steps
    run.log({"epoch": epochs, "step": steps, "share_replaced": share})
    write_json(run.folder / "statistics.json", {"frames": len(names), "share_replaced": share})
    checkpoint = {
        "architecture": {"depth": model.architecture},
        "epoch": epochs,
        "epochs": epochs,
        "networks": {"depth": model.state_dict()},
    }
    save_checkpoint(run.last, checkpoint)
    print(
        f"{run.folder.name}: {len(layers)} BatchNorm layers, {steps} frames, "
        f"{share:.1%} of the statistics replaced"
    )


if __name__ == "__main__":
    cli.run_main(main)
