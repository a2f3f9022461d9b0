"""Measurements of this package on this machine: time and peak memory, stage by stage.

Each benchmark runs in fresh Python processes, so that what is called cold is cold. The product holds no
timing code: within those processes the functions of the stages are timed from outside.

Imports nothing heavy: what it loaded would be missing from the time of "import modules".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..errors import InputError
from .machine_facts import machine
from .networks import bench_networks
from .parser import bench_parser
from .report import format_report, write_json
from .resolution import bench_resolution
from .sample_photos import SAMPLES, SIZE
from .stopwatch import Stopwatch, peak_memory, reset_peak_memory
from .tryon import STAGES, bench_tryon

__all__ = [
    "BENCHMARKS", "SAMPLES", "SIZE", "STAGES", "Stopwatch", "bench_networks", "bench_parser", "bench_resolution",
    "bench_synth", "bench_tryon", "format_report", "machine", "peak_memory", "reset_peak_memory", "run", "write_json",
]  # fmt: skip


def run(
    names: Sequence[str] = ("tryon",), options: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, Any]:
    """Run benchmarks one after the other.

    Args:
        names: keys of :data:`BENCHMARKS`.
        options: what to call a benchmark with, by its name.

    Returns:
        {"machine": {...}, "benchmarks": {name: figures}}; seconds are floats, memory is in MiB or None where
        the system does not tell. It can be written as JSON.

    Raises:
        InputError: there is no such benchmark, or the sample images are missing.
        AssetError: a model file is missing and could not be fetched.
    """
    for name in names:
        if name not in BENCHMARKS:
            raise InputError(f"There is no benchmark called {name!r}: choose one of {', '.join(BENCHMARKS)}.")
    figures = {name: BENCHMARKS[name](**options.get(name, {})) for name in names}
    return {"machine": machine(), "benchmarks": figures}


def bench_synth(**options: Any) -> dict[str, Any]:
    """Samples of the synthetic data set per second; the options are those of ``synth.benchmark.measure``."""
    from ..synth import benchmark

    return benchmark.measure(**options)


#: name -> function that gives {"what": one line, "rows": [{"stage", "cold", "warm"}]}, where cold and warm are
#: {"seconds": float, "peak_mib": float | None} or None; with "columns" beside it, a row has "stage" and these,
#: which are numbers or None.
BENCHMARKS: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType(
    {
        "tryon": bench_tryon,
        "resolution": bench_resolution,
        "networks": bench_networks,
        "parser": bench_parser,
        "synth": bench_synth,
    }
)
