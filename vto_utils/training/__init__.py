"""Training: both networks on a data set (:class:`Trainer`), or on one pair of photos (:func:`fit_pair`).

Names are loaded when they are first used, so that reading a configuration needs no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULE_OF = {
    "FitConfig": "fit",
    "FitResult": "fit",
    "FitState": "fit",
    "fit_pair": "fit",
    "LossWeights": "config",
    "StageConfig": "config",
    "TrainConfig": "config",
    "Callback": "callbacks",
    "TrainingData": "data",
    "Trainer": "loop",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vto_utils.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
