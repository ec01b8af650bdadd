"""What a training will cost, from two steps of it."""

import time
from typing import Any

from torch.utils.flop_counter import FlopCounterMode


def print_cost(training: Any, *, keeps_best: bool) -> None:
    """Prints steps, operations, time and disk of a training of the loop, and writes nothing: from
    two steps, reading included, validation not."""
    with FlopCounterMode(display=False) as counter:
        training.epoch(1, most=1)  # the first is slower, and counting costs time
    started = time.perf_counter()
    training.epoch(2, most=1)
    seconds = time.perf_counter() - started
    steps = len(training.train) // training.batch_size
    weights = size_of(training.objective.networks.state_dict())
    adam = sum(size_of(o.state_dict()["state"]) for o in training.objective.optimizers.values())
    kept = 2 * (weights + adam) + weights * keeps_best  # last, previous, best
    epochs = training.options.epochs
    hours = epochs * steps * seconds / 3600
    operations = counter.get_total_flops() / 1e12
    device = training.accelerator.device
    print(f"  would take   {epochs} epochs of {steps} steps, {operations:.3g} TFLOP a step")
    print(f"  would last   {hours:.2g} h at {seconds:.3g} s a step ({device})")
    print(f"  would keep   {kept / 1e9:.2g} GB of checkpoints")


def size_of(state: dict) -> int:
    """Bytes of the tensors in a dict of dicts."""
    parts = state.values()
    return sum(
        size_of(part) if isinstance(part, dict) else getattr(part, "nbytes", 0) for part in parts
    )
