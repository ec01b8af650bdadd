"""The training loop: epochs, devices, precision, processes, logging, checkpoints, resume."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, set_seed
from torch.utils.data import Dataset
from tqdm import tqdm

from comics_depth.images import write_image
from comics_depth.training.cost import print_cost
from comics_depth.training.devices import (
    average_buffers,
    average_gradients,
    memory_format,
    processes,
    resolved_precision,
    samples_in,
    split_batch,
)
from comics_depth.training.loading import Arriving, AtEpoch, EpochOrder, data_loader
from comics_depth.training.run import Run, read_metrics, summary
from common.errors import UserError
from models.checkpoints import read_weights, save_checkpoint

LOG_SECONDS = 60  # between lines of progress where there is no terminal for a bar


class Diverged(UserError):
    """A loss, a weight or the validation stopped being a finite number."""


@dataclass(frozen=True)
class TrainingOptions:
    """How `fit` trains, see comics_depth.options; on a `dry_run` it only says what it would
    cost."""

    epochs: int
    batch_size: int
    seed: int = 0
    schedule: str = "constant"
    workers: int | None = None
    precision: str = "no"
    accumulate: int = 1
    dry_run: bool = False

    def rate_factor(self, progress: float) -> float:
        """What the rates are multiplied by when `progress` (0 to 1) of the run is done."""
        return min(1.0, 2 * (1 - progress)) if self.schedule == "linear" else 1.0


def fit(
    objective: Any,
    train: Dataset,
    run: Run,
    options: TrainingOptions,
    *,
    validate: Callable[[torch.device], dict[str, float]] | None = None,
    monitor: str | None = None,
    larger_is_better: bool = False,
    pictures: Callable[[torch.device], np.ndarray] | None = None,
) -> list[dict]:
    """Trains `objective` (see models.objectives.Objective) and returns the records of
    metrics.jsonl. Raises Diverged, or UserError if the run was made with other options.

    `train` gives dicts; see data.datasets.set_epoch. validate(device) -> {name: value}; the epoch
    with the best `monitor` of these is kept in best.pt. pictures(device) -> uint8 (H, W, 3),
    written to samples/ after every epoch. All randomness is a function of (seed, epoch, sample),
    and last.pt is written after every epoch: on a CPU a run that was interrupted and resumed gives
    the numbers of one that was not, on CUDA the same up to the order of its sums."""
    with processes().main_process_first():  # or two of them would empty the folder at once
        checkpoint = None if options.dry_run else run.open()
    loading = DataLoaderConfiguration(split_batches=True, even_batches=False, non_blocking=True)
    precision = resolved_precision(options.precision)
    accelerator = Accelerator(mixed_precision=precision, dataloader_config=loading)
    if options.dry_run:
        options = replace(options, workers=0)
        training = _Training(accelerator, objective, train, run, options)
        print_cost(training, keeps_best=monitor is not None)
        return []
    say = accelerator.print
    if checkpoint and checkpoint["epoch"] >= options.epochs:
        done = f"finished ({checkpoint['epoch']} epochs); nothing to do (--restart redoes it)"
        say(f"{run.folder}: {done}")
        return read_metrics(run.folder)
    if checkpoint:
        say(f"{run.folder}: resuming after epoch {checkpoint['epoch']} of {options.epochs}")
    say(
        f"{run.folder}: {len(train)} samples, {options.epochs} epochs, batch {options.batch_size}, "
        f"on {accelerator.device}"
    )
    training = _Training(accelerator, objective, train, run, options)
    best = training.restore(checkpoint) if checkpoint else None
    first = checkpoint["epoch"] + 1 if checkpoint else 1
    for epoch in range(first, options.epochs + 1):
        started = time.perf_counter()
        record = training.epoch(epoch)
        objective.networks.eval()
        # on every process, so that none has to wait for another
        with torch.no_grad(), accelerator.autocast():
            record |= validate(accelerator.device) if validate else {}
        training.check_finite(epoch, record)
        record["seconds"] = round(time.perf_counter() - started, 2)
        better = False
        if monitor:
            sign = 1 if larger_is_better else -1
            better = best is None or sign * record[monitor] > sign * best
            best = record[monitor] if better else best
        if accelerator.is_main_process:
            if pictures:
                with torch.no_grad(), accelerator.autocast():
                    picture = pictures(accelerator.device)
                path = run.folder / "samples" / f"epoch_{epoch:04d}.jpg"
                write_image(path, picture, quality=90)
            run.log(record)  # before the checkpoint: an epoch that is done again is logged again
        training.save(epoch, best, {monitor: best} if better else None)
        say(summary(record))
    return read_metrics(run.folder)


class _Training:
    """An objective on its device, with prepared optimisers and the rates that they start from."""

    def __init__(
        self,
        accelerator: Accelerator,
        objective: Any,
        train: Dataset,
        run: Run,
        options: TrainingOptions,
    ):
        self.accelerator = accelerator
        self.objective = objective
        self.train = train
        self.run = run
        self.options = options
        self.batch_size = min(options.batch_size, len(train))
        device = accelerator.device
        if accelerator.num_processes > 1 and device.type == "cuda":
            for name, network in objective.networks.items():
                synchronised = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
                objective.networks[name] = synchronised
        for networks in (objective.networks, objective.frozen):
            networks.to(device, memory_format=memory_format(networks, device))
        objective.frozen.eval().requires_grad_(False)
        optimizers = objective.optimizers
        self.optimizers = {k: accelerator.prepare_optimizer(v) for k, v in optimizers.items()}
        self.rates = {k: v.param_groups[0]["lr"] for k, v in optimizers.items()}
        self.order = EpochOrder(len(train), options.seed)
        loader = data_loader(
            AtEpoch(train),
            self.batch_size,
            options.workers,
            device,
            sampler=self.order,
            drop_last=True,
            collate_fn=getattr(train, "collate", None),  # samples of different sizes
        )
        self.loader = accelerator.prepare_data_loader(loader)

    def restore(self, checkpoint: dict) -> float | None:
        """Continues from a checkpoint; returns the best value so far. After the optimisers were
        prepared: accelerate would move Adam's step counts to the GPU, where reading them waits."""
        for name, network in self.objective.networks.items():
            network.load_state_dict(checkpoint["networks"][name])
        for name, optimizer in self.objective.optimizers.items():
            optimizer.load_state_dict(checkpoint["optimizers"][name])
        rank = self.accelerator.process_index
        own = self.run.state(rank, checkpoint["epoch"])
        # the number of processes may have changed
        state = read_weights(own) if rank and own.exists() else checkpoint["state"]
        self.objective.load_state(state)
        self.rates = checkpoint["rates"]
        if self.accelerator.scaler and "scaler" in checkpoint:
            self.accelerator.scaler.load_state_dict(checkpoint["scaler"])
        return checkpoint["best"]

    def epoch(self, epoch: int, most: int | None = None) -> dict:
        """One pass over the data, or over its first `most` batches; returns the record of means."""
        options, accelerator = self.options, self.accelerator
        set_seed(int(np.random.default_rng((options.seed, epoch)).integers(2**31)))
        self.order.epoch = epoch
        # while all batches have one size; frames of many sizes would be searched for every time
        torch.backends.cudnn.benchmark = not hasattr(self.train, "collate")
        self.objective.networks.train()
        zero = torch.zeros((), device=accelerator.device)
        totals: dict[str, torch.Tensor] = defaultdict(zero.clone)
        curve: list[torch.Tensor] = []
        count = len(self.train) // self.batch_size
        name = f"{self.run.folder.name} {epoch}/{options.epochs}"
        hidden = None if accelerator.is_main_process else True  # None: where there is no terminal
        logged = time.monotonic()
        started = time.perf_counter()
        batches = Arriving(self.loader)
        bar = tqdm(batches, desc=name, disable=hidden, total=count, leave=False)
        for step, batch in enumerate(islice(bar, most)):
            factor = options.rate_factor((epoch - 1 + step / count) / options.epochs)
            for group, losses in self.step(batch, factor):
                for term, value in losses.items():
                    totals[f"{group}/{term}"] += value
            curve.append(sum(totals.values()).clone())
            if not sys.stderr.isatty() and time.monotonic() - logged > LOG_SECONDS:
                accelerator.print(f"{name}: step {step + 1} of {count}", flush=True)
                logged = time.monotonic()
        waited = batches.waited / (time.perf_counter() - started)
        record = {"epoch": epoch, "step": epoch * count, "data_wait": round(waited, 4)}
        for term, total in totals.items():
            record[term] = float(accelerator.reduce(total, "mean")) / count
        steps = torch.stack(curve).diff(prepend=zero[None]).cpu().numpy()
        parts = np.array_split(steps, min(20, len(steps)))
        record["curve"] = [float(part.mean()) for part in parts]
        average_buffers(accelerator, self.objective.networks)
        torch.backends.cudnn.benchmark = False
        return record

    def step(self, batch: dict, factor: float) -> list[tuple[str, dict[str, torch.Tensor]]]:
        """Steps every optimiser that the objective asks for, each after the gradients of all parts
        of the batch; returns (name, detached terms)."""
        done = []
        parts = [p for p in split_batch(batch, self.options.accumulate) if samples_in(p)]
        shares = [samples_in(part) / samples_in(batch) for part in parts]
        requests = [self.objective.steps(part) for part in parts]
        while True:
            terms: dict[str, torch.Tensor] = {}
            for share, request in zip(shares, requests, strict=True):
                with self.accelerator.autocast():
                    asked = next(request, None)
                if asked is None:
                    return done
                name, losses = asked
                optimizer = self.optimizers[name]
                if not terms:
                    optimizer.zero_grad()
                self.accelerator.backward(share * sum(losses.values()))
                for term, value in losses.items():
                    terms[term] = terms.get(term, 0) + share * value.detach()
            groups = self.objective.optimizers[name].param_groups
            average_gradients(self.accelerator, (p for group in groups for p in group["params"]))
            for group in groups:
                group["lr"] = self.rates[name] * factor
            optimizer.step()
            self.objective.after_step(name)
            done.append((name, terms))

    def check_finite(self, epoch: int, record: dict) -> None:
        """Raises Diverged on all processes, before anything of the epoch is written."""
        numbers = [value for value in record.values() if isinstance(value, float)]
        state = self.objective.networks.state_dict().values()
        networks = all(bool(value.isfinite().all()) for value in state if value.is_floating_point())
        if not np.isfinite(numbers).all() or not networks:
            what = "the loss or validation" if networks else "a weight or statistic of a network"
            raise Diverged(
                f"{self.run.folder}: {what} is no longer finite in epoch {epoch}; try a lower --lr"
            )

    def save(self, epoch: int, best: float | None, monitored: dict[str, float] | None) -> None:
        """Writes last.pt, and best.pt if there is something `monitored`. What the other processes
        remember lies in files of their own and is there before last.pt that belongs to it."""
        rank, run, objective = self.accelerator.process_index, self.run, self.objective
        if rank:
            save_checkpoint(run.state(rank, epoch), objective.state())
        self.accelerator.wait_for_everyone()
        if not rank:
            weights = {
                "architecture": objective.architecture,
                "epoch": epoch,
                "networks": {k: v.state_dict() for k, v in objective.networks.items()},
            }
            if monitored:
                save_checkpoint(run.best, {**weights, **monitored})
            optimizers = {k: v.state_dict() for k, v in objective.optimizers.items()}
            memory = {"rates": self.rates, "best": best, "state": objective.state()}
            if self.accelerator.scaler:
                memory["scaler"] = self.accelerator.scaler.state_dict()
            memory |= {"optimizers": optimizers, "epochs": self.options.epochs}
            if run.last.exists():
                run.last.replace(run.previous)
            save_checkpoint(run.last, {**weights, **memory})
        self.accelerator.wait_for_everyone()
        if rank:
            kept = {run.state(rank, epoch), run.state(rank, epoch - 1)}
            for path in set(run.folder.glob(f"state_{rank}_*.pt")) - kept:
                path.unlink()
