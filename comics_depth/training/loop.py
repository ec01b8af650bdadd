"""The training loop: epochs, devices, precision, processes, logging, checkpoints, resume."""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, gather_object, set_seed
from timm.layers import convert_sync_batchnorm
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from comics_depth.data.datasets import set_epoch
from comics_depth.images import write_image
from comics_depth.training.devices import processes, resolved_precision
from comics_depth.training.run import Run, read_metrics
from common.errors import UserError
from models.checkpoints import save_checkpoint


class Diverged(UserError):
    """The loss stopped being a finite number."""


def fit(
    objective: Any,
    train: Dataset,
    run: Run,
    *,
    epochs: int,
    batch_size: int,
    seed: int = 0,
    schedule: str = "constant",
    workers: int | None = None,
    precision: str = "no",
    validate: Callable[[torch.device], dict[str, float]] | None = None,
    monitor: str | None = None,
    larger_is_better: bool = False,
    pictures: Callable[[torch.device], np.ndarray] | None = None,
) -> list[dict]:
    """Trains `objective` (see models.objectives.Objective) and returns the records of
    metrics.jsonl.

    `train` gives dicts; see data.set_epoch. validate(device) -> {name: value}; the epoch with the
    best `monitor` of these is kept in best.pt. pictures(device) -> uint8 (H, W, 3), written to
    samples/ after every epoch. All randomness is a function of (seed, epoch, sample), and last.pt
    is written after every epoch, so a run that was interrupted and resumed gives the numbers of one
    that was not. batch_size counts over all processes."""
    with processes().main_process_first():  # or two of them would empty the folder at once
        checkpoint = run.open()
    accelerator = Accelerator(
        mixed_precision=resolved_precision(precision),
        dataloader_config=DataLoaderConfiguration(split_batches=True, even_batches=False),
    )
    if checkpoint:
        if checkpoint["epoch"] >= epochs:
            state = f"finished ({checkpoint['epoch']} epochs); nothing to do (--restart redoes it)"
            accelerator.print(f"{run.folder}: {state}")
            return read_metrics(run.folder)
        accelerator.print(f"{run.folder}: resuming after epoch {checkpoint['epoch']} of {epochs}")
    device = accelerator.device
    accelerator.print(
        f"{run.folder}: {len(train)} samples, {epochs} epochs, batch {batch_size}, on {device}"
    )
    if accelerator.num_processes > 1 and device.type == "cuda":
        for name, network in objective.networks.items():
            objective.networks[name] = convert_sync_batchnorm(network)  # knows timm's layers
    for networks in (objective.networks, objective.frozen):
        networks.to(device, memory_format=torch.channels_last)
    objective.frozen.eval().requires_grad_(False)
    if (
        checkpoint
    ):  # after the networks moved, so that the states of the optimisers go where they are
        _restore(objective, checkpoint, accelerator.process_index)
    optimizers = {
        name: accelerator.prepare_optimizer(opt) for name, opt in objective.optimizers.items()
    }
    rates = {name: opt.param_groups[0]["lr"] for name, opt in objective.optimizers.items()}
    done, best, rates = (
        (checkpoint[key] for key in ("epoch", "best", "rates")) if checkpoint else (0, None, rates)
    )
    if workers is None:
        workers = min(8, os.cpu_count() or 1) if device.type == "cuda" else 0
    batch_size = min(batch_size, len(train))

    for epoch in range(done + 1, epochs + 1):
        started = time.perf_counter()
        set_seed(int(np.random.default_rng((seed, epoch)).integers(2**31)))
        set_epoch(train, epoch)
        order = torch.Generator().manual_seed(seed * 100_003 + epoch)
        loader = DataLoader(
            train, batch_size, shuffle=True, num_workers=workers, drop_last=True, generator=order
        )
        loader = accelerator.prepare_data_loader(loader)
        objective.networks.train()
        totals: dict[str, torch.Tensor] = defaultdict(lambda: torch.zeros((), device=device))
        curve: list[torch.Tensor] = []
        hidden = (
            None if accelerator.is_main_process else True
        )  # None: hidden where there is no terminal
        name, count = f"{run.folder.name} {epoch}/{epochs}", len(train) // batch_size
        bar = tqdm(loader, desc=name, disable=hidden, total=count, leave=False)
        for step, batch in enumerate(bar):
            progress = (epoch - 1 + step / count) / epochs
            factor = min(1.0, 2 * (1 - progress)) if schedule == "linear" else 1.0
            reduced = {name: rate * factor for name, rate in rates.items()}
            for name, losses in _step(accelerator, objective, optimizers, batch, reduced):
                for term, value in losses.items():
                    totals[f"{name}/{term}"] += value
            curve.append(sum(totals.values()).clone())
        record = {"epoch": epoch, "step": epoch * count, "seconds": 0.0}
        for term, total in totals.items():
            record[term] = float(accelerator.reduce(total, "mean")) / count
        steps = torch.stack(curve).diff(prepend=torch.zeros(1, device=device)).cpu().numpy()
        if not np.isfinite(
            [record[term] for term in totals]
        ).all():  # of all processes, so that all of them stop
            raise Diverged(
                f"{run.folder}: the loss is no longer finite in epoch {epoch}; try a lower --lr"
            )
        _average_buffers(accelerator, objective.networks)
        objective.networks.eval()
        objective_states = gather_object([objective.state()])  # of every process, by its rank
        if accelerator.is_main_process:
            with torch.no_grad(), accelerator.autocast():
                record |= validate(device) if validate else {}
                picture = pictures(device) if pictures else None
            if picture is not None:
                write_image(run.folder / "samples" / f"epoch_{epoch:04d}.jpg", picture, quality=90)
            record |= {
                "seconds": round(time.perf_counter() - started, 2),
                "finished": epoch == epochs,
            }
            record["curve"] = [
                float(part.mean()) for part in np.array_split(steps, min(20, len(steps)))
            ]
            states = {name: network.state_dict() for name, network in objective.networks.items()}
            weights = {"architecture": objective.architecture, "epoch": epoch, "networks": states}
            if monitor and (
                best is None
                or (record[monitor] > best if larger_is_better else record[monitor] < best)
            ):
                best = record[monitor]
                save_checkpoint(run.best, {**weights, monitor: best})
            optimizer_states = {
                name: opt.state_dict() for name, opt in objective.optimizers.items()
            }
            extra = {
                "optimizers": optimizer_states,
                "rates": rates,
                "best": best,
                "state": objective_states,
            }
            run.log(
                record
            )  # before the checkpoint: an epoch that is done again writes its record again
            save_checkpoint(run.last, {**weights, **extra})
            shown = {
                k: f"{v:.4g}" if isinstance(v, float) else v
                for k, v in record.items()
                if k != "curve"
            }
            tqdm.write("  ".join(f"{name} {value}" for name, value in shown.items()))
        accelerator.wait_for_everyone()
    return read_metrics(run.folder)


def _step(
    accelerator: Accelerator, objective: Any, optimizers: dict, batch: dict, rates: dict
) -> list:
    """One batch: steps every optimiser that the objective asks for; returns (name, detached terms)
    of each."""
    done = []
    requests = objective.steps(batch)
    while True:
        with accelerator.autocast():
            request = next(requests, None)
        if request is None:
            return done
        name, losses = request
        optimizer = optimizers[name]
        optimizer.zero_grad()
        accelerator.backward(sum(losses.values()))
        _average_gradients(accelerator, objective.optimizers[name])
        for group in objective.optimizers[name].param_groups:
            group["lr"] = rates[name]
        optimizer.step()
        done.append((name, {term: value.detach() for term, value in losses.items()}))


def _average_gradients(accelerator: Accelerator, optimizer: torch.optim.Optimizer) -> None:
    """Averages gradients over processes in one message. DistributedDataParallel would do it during
    the backward pass, but expects one forward per backward and all parameters in it, and a GAN
    gives neither."""
    if accelerator.num_processes == 1:
        return
    gradients = [
        p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
    ]
    mean = accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
    for gradient, part in zip(
        gradients, mean.split([gradient.numel() for gradient in gradients]), strict=True
    ):
        gradient.copy_(part.view_as(gradient))


def _average_buffers(accelerator: Accelerator, networks: nn.Module) -> None:
    """Running statistics differ between processes; the checkpoint holds their mean."""
    if accelerator.num_processes > 1:
        for buffer in networks.buffers():
            if buffer.is_floating_point():
                buffer.copy_(accelerator.reduce(buffer, "mean"))


def _restore(objective: Any, checkpoint: dict, rank: int) -> None:
    for name, network in objective.networks.items():
        network.load_state_dict(checkpoint["networks"][name])
    for name, optimizer in objective.optimizers.items():
        optimizer.load_state_dict(checkpoint["optimizers"][name])
    objective.load_state(
        checkpoint["state"][rank % len(checkpoint["state"])]
    )  # the number of processes may change
