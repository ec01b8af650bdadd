"""What a training will cost, from two steps of it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from accelerate import Accelerator
from torch.utils.data import Dataset, Subset
from torch.utils.flop_counter import FlopCounterMode

from comics_depth.training.devices import resolved_precision
from comics_depth.training.loop import TrainingOptions, _Training
from comics_depth.training.run import Run


def print_cost(
    objective: Any,
    train: Dataset,
    run: Run,
    options: TrainingOptions,
    *,
    validate: Callable | None = None,
    **_: Any,
) -> None:
    """Prints steps, operations, time and disk of `fit` with these arguments, and writes nothing:
    from two steps on the first batch, reading included, validation not."""
    accelerator = Accelerator(mixed_precision=resolved_precision(options.precision))
    batch_size = min(options.batch_size, len(train))
    first = Subset(train, range(batch_size))
    if hasattr(train, "collate"):
        first.collate = train.collate
    training = _Training(accelerator, objective, first, run, replace(options, workers=0))
    step = training.step
    counter = FlopCounterMode(display=False)

    def counted(*batch: Any) -> Any:
        with counter:
            return step(*batch)

    training.step = counted
    training.epoch(1)  # the first is slower, and counting costs time
    training.step = step
    started = time.perf_counter()
    training.epoch(2)
    seconds = time.perf_counter() - started
    steps = len(train) // batch_size
    weights = sum(value.nbytes for value in objective.networks.state_dict().values())
    adam = sum(2 * p.nbytes for o in training.optimizers.values() for p in parameters_of(o))
    kept = 2 * (weights + adam) + (weights if validate else 0)  # last, previous, best
    hours = options.epochs * steps * seconds / 3600
    operations = counter.get_total_flops() / 1e12
    print(f"  would take   {options.epochs} epochs of {steps} steps, {operations:.3g} TFLOP a step")
    print(f"  would last   {hours:.2g} h at {seconds:.3g} s a step ({accelerator.device})")
    print(f"  would keep   {kept / 1e9:.2g} GB of checkpoints")


def parameters_of(optimizer: Any) -> list:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
