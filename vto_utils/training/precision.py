"""In which number format the forward passes run, and what float16 needs beside it."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from ..errors import InputError
from ..runtime import Choice, pick_dtype


def pick_precision(precision: str, device: str) -> Choice:
    """The number format of a training's forward passes.

    Args:
        precision: "auto", "float32", "bfloat16" or "float16".
        device: "cpu", "cuda" or "mps".

    Returns:
        Choice of a ``torch.dtype``; weights, losses and their sums are float32 whatever it is.

    Raises:
        InputError: the device has no such format.
    """
    if precision == "auto":
        return pick_dtype(device)
    if precision == "float16" and device != "cuda":
        raise InputError(f"Training in float16 needs a CUDA GPU, not {device}: choose 'auto', or 'float32'.")
    return Choice(getattr(torch, precision), "as asked")


def forward_format(dtype: torch.dtype, device: str) -> AbstractContextManager:
    """The context in which a forward pass runs."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=dtype)


def gradient_scaler(dtype: torch.dtype, device: str) -> torch.amp.GradScaler:
    """Keeps float16's small gradients above zero; does nothing for the other formats."""
    return torch.amp.GradScaler(device, enabled=dtype == torch.float16)
