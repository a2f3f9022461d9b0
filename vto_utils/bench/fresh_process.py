"""Measuring in a Python process of its own, where nothing is loaded yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_CODE = """\
import sys, time
start = time.perf_counter()
import vto_utils
seconds = time.perf_counter() - start
import importlib, json
function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
figures = function(seconds, *json.loads(sys.argv[3]))
print("\\n" + json.dumps(figures))
"""


def in_fresh_process(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call ``function(import_seconds, *arguments)`` in a new Python process.

    Args:
        function: of a module of this package, which should import what it measures in the function only.
        arguments: what JSON knows. ``import_seconds`` before them is what ``import vto_utils`` took there.

    Returns:
        What the function gives, through JSON.

    Raises:
        RuntimeError: the process failed.
    """
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", _CODE, function.__module__, function.__name__, json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise RuntimeError(f"the measuring process failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])
