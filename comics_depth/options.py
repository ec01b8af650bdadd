"""Every option of the commands, described once, with its limits, and the presets' values."""

import argparse
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# preset -> stage -> option -> value
PRESETS: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("presets.toml").read_text(encoding="utf-8")
)


def number(kind: Callable[[str], float], low: float, high: float) -> Callable[[str], float]:
    """What argparse takes as the type of an option: a number from `low` to `high`."""

    def parsed(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:  # NaN is not
            raise argparse.ArgumentTypeError(f"expected {low:g} to {high:g}, found {text}")
        return value

    parsed.__name__ = kind.__name__  # which argparse names where `text` is no number
    return parsed


SWITCH = argparse.BooleanOptionalAction
FLAG = "store_true"
COUNT = number(int, 1, 10**7)
CHANNELS = number(int, 1, 4096)
SEED = number(int, 0, 2**31 - 1)
SIZE = number(int, 32, 8192)
PROCESSES = number(int, 0, 256)
PORT = number(int, 0, 65535)
SHARE = number(float, 0, 1)
DECAY = number(float, 0, 0.99999)
RATE = number(float, 1e-12, 1e9)
WEIGHT = number(float, 0, 1e6)
SCALE = number(float, 0.01, 10)
OPTIONS: dict[str, dict[str, Any]] = {
    "tag": {"help": "keeps runs of other seeds or depth models apart: <approach>_<variant>-TAG"},
    "seed": {"type": SEED, "default": 0, "help": "of every random choice (default 0)"},
    "epochs": {"type": COUNT, "help": "passes over the training data"},
    "batch_size": {"type": COUNT, "help": "images a step, over all processes together"},
    "accumulate": {
        "type": COUNT,
        "default": 1,
        "help": "parts that a batch is computed in, for the same steps in less memory (default 1)",
    },
    "image_size": {"type": SIZE, "help": "side of the square training crops, pixels"},
    "lr": {"type": RATE, "help": "learning rate of Adam"},
    "beta1": {"type": DECAY, "help": "first beta of Adam"},
    "schedule": {
        "choices": ("constant", "linear"),
        "help": "linear: the rate falls to zero over the second half",
    },
    "features": {"type": CHANNELS, "help": "channels of the networks' first layer"},
    "blocks": {"type": CHANNELS, "help": "residual blocks of the generators"},
    "residual": {"action": SWITCH, "help": "generators add to their input: for short trainings"},
    "skips": {"action": SWITCH, "help": "generators add features of the way down on the way up"},
    "discriminator_features": {"type": CHANNELS, "help": "features of the discriminators"},
    "patch": {
        "type": int,
        "choices": (16, 34, 70),
        "help": "side of the patches that discriminators judge, pixels",
    },
    "spectral": {
        "action": SWITCH,
        "help": "spectral normalisation instead of instance norm in the discriminators",
    },
    "average": {
        "type": DECAY,
        "help": "decay of the moving average that is used of the generators' weights (0: none)",
    },
    "cycle": {"type": WEIGHT, "help": "weight of the cycle loss"},
    "identity": {"type": WEIGHT, "help": "weight of the identity loss"},
    "smooth": {"type": WEIGHT, "help": "weight against texture where the input has none"},
    "discriminator_rate": {"type": RATE, "help": "learning rate of discriminators, times --lr"},
    "scale": {"type": SCALE, "help": "frames are read at this scale (1 = as they are)"},
    "text_limit": {"type": SHARE, "help": "most text (of the soft map) in a text-free crop"},
    "loss": {
        "choices": ("l1", "ssi"),
        "help": "l1: in the teacher's units; ssi: scale-and-shift-invariant with gradient matching",
    },
    "regulariser": {"type": WEIGHT, "help": "weight of the depth from before the orderings"},
    "print_style": {
        "type": SHARE,
        "metavar": "SHARE",
        "help": "share of the training images that are drawn as printed comics (0 to 1)",
    },
    "translated": {
        "type": SHARE,
        "metavar": "SHARE",
        "help": "orderings: share of the frames that have a translated photograph, with the "
        "teacher's depth, beside them (0 to 1, default 0)",
    },
    "interpolate": {
        "type": SHARE,
        "metavar": "SHARE",
        "help": "share of the fitted weights in the network that is kept, the rest being those "
        "from before, which short trainings need (0 to 1; 1: fitted weights alone)",
    },
    "rates": {"type": RATE, "nargs": "+", "help": "learning rates of the sweep"},
    "momentum": {"type": SHARE, "help": "of the statistics (left out: cumulative average)"},
    "pages": {"type": COUNT, "help": "comics pages to draw"},
    "photographs": {"type": COUNT, "help": "photographs to draw"},
    "teacher": {
        "help": "depth model that gives pseudo-depth and never learns: default, MiDaS, "
        "MiDaS_small, DPT_Hybrid, DPT_Large, hf:<repo id>, or a checkpoint or TorchScript file"
    },
    "averaged": {"action": SWITCH, "help": "mean depth over three sizes and mirror images"},
    "depth_model": {"help": "depth model that is adapted (the same names, no TorchScript)"},
    "depth_weights": {
        "type": Path,
        "help": "weights file of the named depth model, for machines without network",
    },
    "trust_code": {"action": FLAG, "help": "run code that a model brings (see SECURITY.md)"},
    "licence_policy": {
        "choices": ("any", "open", "commercial"),
        "default": "any",
        "help": "refuse depth models that do not allow this use (docs/licences.md; default: any)",
    },
    "workers": {
        "type": PROCESSES,
        "help": "processes that read data (default: 0 in training, all cores in preparation)",
    },
    "precision": {
        "choices": ("no", "bf16", "fp16", "auto"),
        "help": "mixed precision; auto: bf16 where the processor has it in hardware, else no",
    },
    "floats": {"action": FLAG, "help": "write exact floats (.npy) beside each prediction"},
    "host": {"default": "127.0.0.1", "help": "address of the web page (default 127.0.0.1)"},
    "port": {"type": PORT, "default": 8000, "help": "port of the web page (default 8000)"},
    "restart": {"action": FLAG, "help": "throw away what was written before and start over"},
}
# what training.loop.TrainingOptions takes
FITTING = (
    "seed",
    "epochs",
    "batch_size",
    "accumulate",
    "schedule",
    "workers",
    "precision",
    "dry_run",
)
# of a training, what its command takes and its run records
TRAINING = (*FITTING[:-1], "image_size", "lr", "restart")
MODELS = ("teacher", "depth_model", "depth_weights")
