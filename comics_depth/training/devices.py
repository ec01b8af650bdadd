"""Processes, device and precision of this command; what they exchange; parts of a batch."""

import ctypes
import os
import sys
from collections.abc import Iterable
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import parse_flag_from_env
from torch import nn

from common.ranks import rank_and_count


def processes() -> PartialState:
    """The processes that run this command together, also where they share CPUs (which accelerate
    has to be told)."""
    keep_memory()
    return PartialState(
        cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    )


def default_device() -> torch.device:
    """Where this process computes: of several devices the one of its number on this machine. Unlike
    processes(), it waits for no other."""
    keep_memory()
    if parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available():
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK", rank_and_count()[0]))
    kind = torch.accelerator.current_accelerator().type
    return torch.device(kind, number % torch.accelerator.device_count())


def keep_memory() -> None:
    """Has glibc keep memory that was freed: large blocks go back to the system, which zeroes their
    pages anew for the next operation, a third of the time of some networks on a CPU."""
    glibc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(glibc, "mallopt"):
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD
        glibc.mallopt(mmap_threshold, 2**30)
        glibc.mallopt(trim_threshold, 2**31 - 1)


def resolved_precision(precision: str) -> str:
    """`auto` is bf16 where the processor multiplies it in hardware (CUDA from Ampere on, CPUs with
    AMX), else `no`."""
    if precision != "auto":
        return precision
    if default_device().type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if getattr(torch.cpu, "get_capabilities", dict)().get("amx_bf16") else "no"


def memory_format(networks: nn.Module, device: torch.device) -> torch.memory_format:
    """channels_last, but contiguous where a CPU has instance norm to compute, which would copy
    there and back."""
    normed = any(isinstance(module, nn.InstanceNorm2d) for module in networks.modules())
    on_cpu = device.type == "cpu"
    return torch.contiguous_format if normed and on_cpu else torch.channels_last


def average_gradients(accelerator: Accelerator, parameters: Iterable[nn.Parameter]) -> None:
    """Averages gradients over processes in one message. DistributedDataParallel expects one forward
    per backward and all parameters in it, and a GAN gives neither."""
    if accelerator.num_processes == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    mean = accelerator.reduce(together, "mean")
    parts = mean.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def average_buffers(accelerator: Accelerator, networks: nn.Module) -> None:
    """Running statistics differ between processes; the checkpoint holds their mean."""
    if accelerator.num_processes > 1:
        for buffer in networks.buffers():
            if buffer.is_floating_point():
                buffer.copy_(accelerator.reduce(buffer, "mean"))


def split_batch(batch: Any, count: int) -> list:
    """A batch, dicts of sequences, in `count` parts along the samples; the last ones may be
    smaller."""
    if isinstance(batch, dict):
        parts = {key: split_batch(value, count) for key, value in batch.items()}
        return [{key: part[n] for key, part in parts.items()} for n in range(count)]
    size = -(-len(batch) // count)
    return [batch[n * size : (n + 1) * size] for n in range(count)]


def samples_in(batch: Any) -> int:
    """Samples of a batch: of its first layer."""
    return samples_in(next(iter(batch.values()))) if isinstance(batch, dict) else len(batch)
