"""Every option of the commands, described once, with its limits, and the presets' values."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

# preset -> stage -> option -> value
PRESETS: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("presets.toml").read_text(encoding="utf-8")
)
OPTIONS: dict[str, dict[str, Any]] = {
    "tag": {
        "help": "keeps runs apart that differ in seed or depth model: <approach>_<variant>-TAG"
    },
    "seed": {"type": int, "default": 0, "help": "of every random choice (default 0)"},
    "epochs": {"type": int, "help": "passes over the training data"},
    "batch_size": {"type": int, "help": "images a step, over all processes together"},
    "accumulate": {
        "type": int,
        "default": 1,
        "help": "parts that a batch is computed in, for the same steps in less memory (default 1)",
    },
    "image_size": {"type": int, "help": "side of the square training crops, pixels"},
    "lr": {"type": float, "help": "learning rate of Adam"},
    "beta1": {"type": float, "help": "first beta of Adam"},
    "schedule": {
        "choices": ("constant", "linear"),
        "help": "linear: the rate falls to zero over the second half",
    },
    "features": {"type": int, "help": "channels of the networks' first layer"},
    "blocks": {"type": int, "help": "residual blocks of the generators"},
    "residual": {
        "action": argparse.BooleanOptionalAction,
        "help": (
            "generators add to their input instead of drawing it anew, which short trainings need"
        ),
    },
    "skips": {
        "action": argparse.BooleanOptionalAction,
        "help": "generators add features on the way down to those of the same size on the way up",
    },
    "discriminator_features": {"type": int, "help": "channels of the discriminators' first layer"},
    "patch": {
        "type": int,
        "choices": (16, 34, 70),
        "help": "side of the patches that discriminators judge, pixels",
    },
    "spectral": {
        "action": argparse.BooleanOptionalAction,
        "help": "spectral normalisation instead of instance norm in the discriminators",
    },
    "average": {
        "type": float,
        "help": "decay of the moving average of the generators' weights, which is used instead of "
        "them (0: none)",
    },
    "cycle": {"type": float, "help": "weight of the cycle loss"},
    "identity": {"type": float, "help": "weight of the identity loss"},
    "smooth": {
        "type": float,
        "help": "weight of edge-aware smoothness: against texture where the input has none",
    },
    "discriminator_rate": {
        "type": float,
        "help": "learning rate of the discriminators, relative to --lr",
    },
    "scale": {"type": float, "help": "frames are read at this scale (1 = as they are)"},
    "text_limit": {
        "type": float,
        "help": "most text (0 to 1, of the soft map) that a text-free crop may show",
    },
    "loss": {
        "choices": ("l1", "ssi"),
        "help": "l1: in the teacher's units; ssi: scale-and-shift-invariant with gradient matching",
    },
    "regulariser": {
        "type": float,
        "help": "weight of the loss that keeps the depth from before the orderings",
    },
    "print_style": {
        "type": float,
        "metavar": "SHARE",
        "help": "share of the training images that are drawn as printed comics (0 to 1)",
    },
    "translated": {
        "type": float,
        "metavar": "SHARE",
        "help": "orderings: share of the frames that have a translated photograph, with the "
        "teacher's depth, beside them (0 to 1, default 0)",
    },
    "interpolate": {
        "type": float,
        "metavar": "SHARE",
        "help": "share of the fitted weights in the network that is kept, the rest being those "
        "from before, which short trainings need (0 to 1; 1: fitted weights alone)",
    },
    "rates": {"type": float, "nargs": "+", "help": "learning rates of the sweep"},
    "momentum": {
        "type": float,
        "help": "of the BatchNorm statistics (left out: cumulative average)",
    },
    "pages": {"type": int, "help": "comics pages to draw"},
    "photographs": {"type": int, "help": "photographs to draw"},
    "teacher": {
        "help": (
            "depth model that gives pseudo-depth and never learns: default, MiDaS, MiDaS_small, "
            "DPT_Hybrid, DPT_Large, hf:<repo id>, or a checkpoint or TorchScript file"
        )
    },
    "averaged": {
        "action": argparse.BooleanOptionalAction,
        "help": (
            "depth is the mean over three sizes and mirror images of each picture, standardised"
        ),
    },
    "depth_model": {
        "help": "depth model that is adapted and fine-tuned (the same names, no TorchScript)"
    },
    "depth_weights": {
        "type": Path,
        "help": "weights file of the named depth model, for machines without network",
    },
    "trust_code": {
        "action": "store_true",
        "help": "run the code that a TorchScript file or torch.hub brings (see SECURITY.md)",
    },
    "licence_policy": {
        "choices": ("any", "open", "commercial"),
        "default": "any",
        "help": "refuse depth models whose licence does not allow this use (docs/licences.md;"
        " default: any)",
    },
    "workers": {
        "type": int,
        "help": "processes that read data (default: 0 in training, all cores in preparation)",
    },
    "precision": {
        "choices": ("no", "bf16", "fp16", "auto"),
        "help": "mixed precision; auto: bf16 where the processor has it in hardware, else no",
    },
    "floats": {"action": "store_true", "help": "write exact floats (.npy) beside each prediction"},
    "host": {"default": "127.0.0.1", "help": "address of the web page (default 127.0.0.1)"},
    "port": {"type": int, "default": 8000, "help": "port of the web page (default 8000)"},
    "restart": {
        "action": "store_true",
        "help": "throw away what this command wrote before and start over",
    },
}
# option -> smallest and largest value
LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "workers": (0, 256),
    "jobs": (1, 256),
    "port": (0, 65535),
    "image_size": (32, 8192),
    "scale": (0.01, 10),
    **dict.fromkeys(("epochs", "batch_size", "accumulate", "pages", "photographs"), (1, 10**7)),
    **dict.fromkeys(("features", "discriminator_features", "blocks"), (1, 4096)),
    **dict.fromkeys(("lr", "rates", "discriminator_rate"), (1e-12, 1e9)),
    **dict.fromkeys(("cycle", "identity", "smooth", "regulariser"), (0, 1e6)),
    **dict.fromkeys(("beta1", "average"), (0, 0.99999)),
    **dict.fromkeys(("text_limit", "print_style", "translated", "interpolate", "momentum"), (0, 1)),
}
TRAINING = (
    "seed",
    "epochs",
    "batch_size",
    "accumulate",
    "image_size",
    "lr",
    "schedule",
    "workers",
    "precision",
    "restart",
)
FITTING = (
    "seed",
    "epochs",
    "batch_size",
    "accumulate",
    "schedule",
    "workers",
    "precision",
)  # of these, what training.fit takes
MODELS = ("teacher", "depth_model", "depth_weights")
