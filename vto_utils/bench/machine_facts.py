"""What the figures depend on."""

from __future__ import annotations

import os
import platform
from typing import Any

_PACKAGES = ("torch", "numpy", "pillow", "opencv-python", "onnxruntime", "rembg", "mediapipe")


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, memory, versions, threads."""
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": memory,
        "python": platform.python_version(),
        "threads": _threads(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.lower().startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> dict[str, int]:
    """Threads that each library takes."""
    import cv2
    import torch

    from ..background import _threads as onnxruntime_threads

    return {
        "onnxruntime": onnxruntime_threads(),
        "opencv": cv2.getNumThreads(),
        "torch": torch.get_num_threads(),
    }


def _version(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
