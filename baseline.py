"""Depth of comics without translation: a depth model as it is, or with its BatchNorm statistics
taken from comics."""

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.cli import apply_preset, command_line, model_source, run_actions, run_main, values
from comics_depth.data.prepared import data_files, frame_names
from comics_depth.data.tensors import image_tensor
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.images import read_image
from comics_depth.paths import run_name
from comics_depth.training.devices import default_device
from comics_depth.training.run import Run, finished_run
from common.errors import UserError
from common.files import file_hash, write_json
from models.checkpoints import model_fingerprint, save_checkpoint
from models.depth_model import batchnorm_layers, depth_model

RECORDED = ("seed", "epochs", "momentum", "restart")
EXAMPLES = """\
  python baseline.py no_batchnorm_trick --generate_depth_images
  python baseline.py batchnorm_trick --train --generate_depth_images
  python baseline.py lower_is_nearer --generate_depth_images"""


def main() -> None:
    actions = {
        "train": (estimate_statistics, "take the statistics of BatchNorm from the training frames"),
        "generate_depth_images": (
            generate_depth_images,
            "depth of every validation and test frame",
        ),
    }
    options = ("tag", *RECORDED, "depth_model", "depth_weights", "floats")
    parser = command_line(__doc__, EXAMPLES, *options, actions=actions)
    parser.add_argument("variant", choices=("no_batchnorm_trick", "batchnorm_trick", *REFERENCES))
    args = apply_preset(parser.parse_args(), "baseline")
    if args.train and args.variant != "batchnorm_trick":
        parser.error(f"{args.variant} has nothing to train; only batchnorm_trick has")
    args.run = run_name("baseline", args.variant, args.tag)
    run_actions(parser, args, actions)


def estimate_statistics(args) -> None:
    """Passes over the training frames in training mode, one at a time, without loss or gradient, so
    that the running statistics of BatchNorm (Ioffe and Szegedy 2015) become those of comics.
    Validation and test frames stay unseen."""
    source = model_source(args, "depth_model")
    model = depth_model(*source)
    layers = batchnorm_layers(model)
    if not layers:
        raise UserError(
            f"--depth-model {args.depth_model} has no BatchNorm layers, so the trick does not apply"
            " to it"
        )
    options = values(args, *RECORDED) | {"depth_model": model_fingerprint(*source)}
    record = Run(args.layout.run(args.run), options, data_files(args.layout))
    if record.open() is not None:
        print(f"{record.folder}: finished; nothing to do (--restart redoes it)")
        return
    device = default_device()
    model.to(device).eval()
    for layer in layers:
        layer.momentum = args.momentum  # None: cumulative average of all frames
        layer.train()
        if args.momentum is None:
            layer.reset_running_stats()
    names = frame_names(args.layout, "train")
    order = np.random.default_rng(args.seed)
    for epoch in range(args.epochs):
        for name in tqdm(
            order.permutation(names), desc=f"{args.run} {epoch + 1}/{args.epochs}", disable=None
        ):
            with torch.no_grad():
                model(image_tensor(read_image(args.layout.frame(name)), device))
    steps = args.epochs * len(names)
    share = 1.0 if args.momentum is None else 1 - (1 - args.momentum) ** steps
    record.log({"epoch": args.epochs, "step": steps, "share_replaced": share, "finished": True})
    write_json(record.folder / "statistics.json", {"frames": len(names), "share_replaced": share})
    save_checkpoint(
        record.last,
        {
            "architecture": {"depth": model.architecture},
            "epoch": args.epochs,
            "networks": {"depth": model.state_dict()},
        },
    )
    print(
        f"{args.run}: {len(layers)} BatchNorm layers, {steps} frames, {share:.1%} of the statistics"
        " replaced"
    )


def generate_depth_images(args) -> None:
    if args.variant in REFERENCES:
        predict_frames(args, REFERENCES[args.variant], {"rule": args.variant})
        return
    if args.variant == "batchnorm_trick":
        command = args.layout.command("baseline.py batchnorm_trick --train")
        source = (str(finished_run(args.layout.run(args.run), command)), None)
        made_by = file_hash(source[0])
    else:
        source = model_source(args, "depth_model")
        made_by = model_fingerprint(*source)
    predict_frames(
        args, as_predictor(depth_model(*source), default_device()), {"depth_model": made_by}
    )


if __name__ == "__main__":
    run_main(main)
