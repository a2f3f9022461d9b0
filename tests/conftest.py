"""Shared by all tests: real model files, and a user without privileges."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib
# Before anything imports torch: on small data several threads wait for each other more than they work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from vto_utils import assets


@pytest.fixture(scope="session")
def model_files() -> dict[str, Path]:
    """The model files of an ordinary try-on, fetched once into the user's cache: name -> path."""
    return {name: assets.fetch(name, progress=False) for name, asset in assets.ASSETS.items() if asset.needed}


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """An empty folder owned by another user, visible but not writable; the test is not root meanwhile."""
    if not hasattr(os, "geteuid"):
        pytest.skip("file permissions work differently on this system")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = os.geteuid() == 0
        folder.chmod(0o755 if root else 0o555)
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)
