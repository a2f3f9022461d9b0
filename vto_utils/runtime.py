"""Where and how to compute: the device, the number format and the seed, each choice with its reason."""

from __future__ import annotations

import os
import platform
import random
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
_GPU_ADVICE = "choose device 'auto' or 'cpu', or switch to a machine with one"

# Shown by environment_table: distribution names as pip spells them.
_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "pillow",
    "opencv-python",
    "rembg",
    "onnxruntime",
    "mediapipe",
    "detectron2",
    "matplotlib",
    "ipywidgets",
    "safetensors",
)


# Parameters of glibc's mallopt: no blocks beside the heap, the heap never shrinks and grows by 64 MiB.
_KEEP_MEMORY = ((-4, 0), (-1, -1), (-2, 64 << 20))


@dataclass(frozen=True)
class Choice:
    """A decision and why it was taken."""

    value: Any
    reason: str

    def __str__(self) -> str:
        return f"{self.value} ({self.reason})"


def pick_device(device: str = "auto") -> Choice:
    """Choose where to compute.

    Args:
        device: "auto" (a CUDA GPU, else Apple's, else the CPU), "cpu", "cuda" or "mps".

    Returns:
        Choice of "cpu", "cuda" or "mps" (a string that ``tensor.to`` takes).

    Raises:
        InputError: the name is unknown, or that device is not here.
    """
    import torch

    device = str(device)
    if device not in DEVICES:
        raise InputError(f"Unknown device {device!r}: choose one of {', '.join(DEVICES)}.")
    if device == "cpu":
        return Choice("cpu", "as asked")
    if device in ("auto", "cuda") and torch.cuda.is_available():
        return Choice("cuda", f"{'as asked, ' if device == 'cuda' else ''}{torch.cuda.get_device_name()}")
    if device in ("auto", "mps") and torch.backends.mps.is_available():
        return Choice("mps", "as asked" if device == "mps" else "Apple GPU")
    if device == "auto":
        return Choice("cpu", f"no GPU found, {os.cpu_count()} processor cores")
    label = "CUDA" if device == "cuda" else "Apple"
    raise InputError(f"No {label} GPU is usable here: {_GPU_ADVICE}.")


def pick_dtype(device: str | Choice) -> Choice:
    """Choose the number format for automatic mixed precision on this device.

    Args:
        device: what ``pick_device`` gave, or its value.

    Returns:
        Choice of ``torch.bfloat16`` (GPUs from Ampere on: A100, L4, H100), ``torch.float16`` (older GPUs such
        as Colab's T4; scale the gradients when training) or ``torch.float32`` (everywhere else).

    Raises:
        InputError: a CUDA device is named and there is none.
    """
    import torch

    device = str(device.value if isinstance(device, Choice) else device)
    if not device.startswith("cuda"):
        where = "CPU" if device == "cpu" else device.upper()
        return Choice(torch.float32, f"lower precision brings little on {where}")
    if not torch.cuda.is_available():
        raise InputError(f"No CUDA GPU is usable here: {_GPU_ADVICE}.")
    # is_bf16_supported() also says yes where bfloat16 is only emulated, which is slower than float16.
    major, minor = torch.cuda.get_device_capability(device)
    name = torch.cuda.get_device_name(device)
    if major >= 8:
        return Choice(torch.bfloat16, f"{name} has native bfloat16 (compute capability {major}.{minor})")
    return Choice(torch.float16, f"{name} has no native bfloat16 (compute capability {major}.{minor})")


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python's, NumPy's and torch's random numbers (all devices); return a CPU generator seeded alike.

    Args:
        seed: 0 .. 2**32 - 1.

    Raises:
        InputError: not such a number.
    """
    import torch

    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        raise InputError(f"The seed must be a whole number from 0 to {2**32 - 1}, not {seed!r}.")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # seeds every CUDA and MPS device too
    return torch.Generator().manual_seed(seed)


def reuse_memory() -> bool:
    """Let this process keep the memory it frees, for its next large arrays. For long work on a CPU.

    By default glibc gives every large block back to the system at once and asks for it anew, and the system clears
    it page by page each time. Training allocates the same blocks at every step: kept, a step takes up to a third
    less time. The process stays as large as it ever was (mallopt(3): M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD).

    Returns:
        Whether it could be arranged: only with the GNU C library, which Linux mostly has. Elsewhere nothing changes.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(parameter, value) for parameter, value in _KEEP_MEMORY)


def environment_table() -> str:
    """What this machine has, for reading: Python, device, GPU memory, number format, package versions."""
    rows = [("Python", f"{platform.python_version()} ({sys.platform}, {platform.machine()})")]
    try:
        import torch
    except Exception as error:  # a broken installation fails in many ways, and this table is there to show it
        rows.append(("device", f"unknown: torch cannot be imported ({type(error).__name__})"))
    else:
        device = pick_device("auto")
        rows.append(("device", str(device)))
        if device.value == "cuda":
            free, total = torch.cuda.mem_get_info()
            rows.append(("GPU memory", f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f} GiB"))
        dtype = pick_dtype(device)
        rows.append(("number format", f"{str(dtype.value).removeprefix('torch.')} ({dtype.reason})"))
    rows += [(name, _version(name)) for name in _PACKAGES]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
