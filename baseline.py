"""Depth of comics without translation: a depth model as it is, or with its BatchNorm statistics taken from comics."""

import zlib

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.data import image_tensor
from comics_depth.files import UserError, read_image, run_main, write_json
from comics_depth.inference import as_predictor, predict_frames
from comics_depth.layout import run_name
from comics_depth.options import chosen_actions, command_line, fill, model_source, prediction_options, run_actions
from comics_depth.scores import centre_is_nearer, chance, lower_is_nearer
from comics_depth.stages import frame_names, identity
from comics_depth.training import Run, default_device, file_hash, finished_run, save_checkpoint
from models.depth import DepthModel, batchnorm_layers, depth_model

# rules that need no network; the random one is drawn from the frame itself, so that it is the same on every machine
REFERENCES = {
    "lower_is_nearer": lambda image: lower_is_nearer(*image.shape[:2]),
    "centre_is_nearer": lambda image: centre_is_nearer(*image.shape[:2]),
    "chance": lambda image: chance(*image.shape[:2], np.random.default_rng(zlib.crc32(image))),
}

EXAMPLES = """\
  python baseline.py no_batchnorm_trick --generate_depth_images
  python baseline.py batchnorm_trick --train --generate_depth_images
  python baseline.py lower_is_nearer --generate_depth_images"""


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, "tag", "seed", "epochs", "momentum", "depth_model", "depth_weights",
                          "restart")  # fmt: skip
    parser.add_argument("variant", choices=("no_batchnorm_trick", "batchnorm_trick", *REFERENCES))
    prediction_options(parser)
    args = parser.parse_args()
    actions = {"train": estimate_statistics, "generate_depth_images": generate_depth_images}
    chosen = chosen_actions(parser, args, actions)
    if args.train and args.variant != "batchnorm_trick":
        parser.error(f"{args.variant} has nothing to train; only batchnorm_trick has")
    fill(args, "baseline")
    run = run_name("baseline", args.variant, args.tag)
    run_actions(args, chosen, actions, run)


def student(args) -> tuple[DepthModel, str]:
    source, weights = model_source(args, "depth_model")
    return depth_model(source, weights), identity(source, weights)


def estimate_statistics(args, run: str) -> None:
    """Passes over the training frames in training mode, one at a time, without loss or gradient, so that the running
    statistics of BatchNorm (Ioffe and Szegedy 2015) become those of comics. Validation and test frames stay unseen."""
    model, identifier = student(args)
    layers = batchnorm_layers(model)
    if not layers:
        raise UserError(f"--depth-model {args.depth_model} has no BatchNorm layers, so the trick does not apply to it")
    options = {"depth_model": identifier, "epochs": args.epochs, "momentum": args.momentum, "seed": args.seed,
               "restart": args.restart}  # fmt: skip
    record = Run(args.layout.run(run), options)
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
        for name in tqdm(order.permutation(names), desc=f"{run} {epoch + 1}/{args.epochs}", disable=None):
            with torch.no_grad():
                model(image_tensor(read_image(args.layout.frame(name)), device))
    steps = args.epochs * len(names)
    share = 1.0 if args.momentum is None else 1 - (1 - args.momentum) ** steps
    record.log({"epoch": args.epochs, "step": steps, "share_replaced": share, "finished": True})
    write_json(record.folder / "statistics.json", {"frames": len(names), "share_replaced": share})
    save_checkpoint(record.last, {"architecture": {"depth": model.architecture}, "epoch": args.epochs,
                                  "networks": {"depth": model.state_dict()}})  # fmt: skip
    print(f"{run}: {len(layers)} BatchNorm layers, {steps} frames, {share:.1%} of the statistics replaced")


def generate_depth_images(args, run: str) -> None:
    if args.variant in REFERENCES:
        predict_frames(args.layout, run, REFERENCES[args.variant], {"rule": args.variant}, args)
        return
    if args.variant == "batchnorm_trick":
        checkpoint = finished_run(args.layout.run(run), "python baseline.py batchnorm_trick --train")
        model, made_by = depth_model(str(checkpoint)), file_hash(checkpoint)
    else:
        model, made_by = student(args)
    predict_frames(args.layout, run, as_predictor(model, default_device()), {"depth_model": made_by}, args)


if __name__ == "__main__":
    run_main(main)
