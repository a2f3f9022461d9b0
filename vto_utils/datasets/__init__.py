"""Data sets of try-on pairs, synthetic and real, behind one interface.

``open_dataset`` recognises what lies in a folder; every item is the dict that :mod:`.sample` describes, so that
training and measuring do not know which data set they see. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULE_OF = {
    "Augmentation": "augmentation",
    "AugmentationConfig": "augmentation",
    "BatchOrder": "order",
    "JoinedDataset": "dataset",
    "OpenOptions": "options",
    "Sample": "sample",
    "TryOnDataset": "dataset",
    "collate": "sample",
    "open_dataset": "opening",
    "recognise": "recognition",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vto_utils.datasets' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
