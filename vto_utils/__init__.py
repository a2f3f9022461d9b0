"""VTO 3: virtual try-on from two photos, on any machine.

Names are loaded when they are first used, so ``import vto_utils`` costs next to nothing and works where
an optional package is missing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "3.0.0"

_MODULE_OF = {
    "VTOError": "errors",
    "InputError": "errors",
    "AssetError": "errors",
    "OutputError": "errors",
    "NoPersonError": "errors",
    "load_image": "images",
    "save_image": "images",
    "preprocess": "images",
    "BackgroundRemover": "background",
    "remove_background_rgb": "background",
    "PersonSegmenter": "segmentation",
    "Segmentation": "segmentation",
    "setup_segmentor": "segmentation",
    "segment_person": "segmentation",
    "Pose": "pose",
    "PoseEstimator": "pose",
    "PersonParser": "parsing",
    "Garment": "garment",
    "GarmentReader": "garment",
    "GMM": "networks",
    "GMMConfig": "networks",
    "TryOnSynthesizer": "networks",
    "SynthesizerConfig": "networks",
    "load_checkpoint": "checkpoints",
    "save_checkpoint": "checkpoints",
    "FitConfig": "training",
    "fit_pair": "training",
    "TryOn": "tryon",
    "TryOnResult": "tryon",
    "preprocess_folders": "preprocessing",
    "Workspace": "workspace",
    "open_workspace": "workspace",
}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vto_utils' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
