"""Processes, device and precision of this command."""

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def processes() -> PartialState:
    """The processes that run this command together, also where they share CPUs (which accelerate
    has to be told)."""
    return PartialState(
        cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    )


def default_device() -> torch.device:
    return processes().device


def resolved_precision(precision: str) -> str:
    """`auto` is bf16 where the processor multiplies it in hardware (CUDA from Ampere on, CPUs with
    AMX), else `no`."""
    if precision != "auto":
        return precision
    if default_device().type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if getattr(torch.cpu, "get_capabilities", dict)().get("amx_bf16") else "no"
