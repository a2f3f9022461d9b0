"""Measurements of this package on this machine: time and peak memory, stage by stage.

Each benchmark runs in a fresh Python process, so that what is called cold is cold. The product holds no
timing code: within that process the functions of the stages are wrapped by a stopwatch.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .errors import InputError
from .files import atomic_path

SIZE = (1024, 768)  # (height, width) of the photos: VITON-HD's
SAMPLES = Path(__file__).resolve().parent.parent / "sample_images"

#: Stages of a try-on in the order in which they happen; "other" is what lies between them.
STAGES = (
    "import vto_utils", "import modules", "load models", "load", "segment", "pose", "parse", "garment",
    "agnostic", "warp", "paint", "save", "other",
)  # fmt: skip

_PACKAGES = ("torch", "numpy", "pillow", "opencv-python", "onnxruntime", "rembg", "mediapipe")


# For everybody --------------------------------------------------------------------------------------


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


def format_report(report: Mapping[str, Any]) -> str:
    """What :func:`run` gave as tables for reading."""
    facts = report["machine"]
    lines = [
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB memory; {facts['system']}",
        f"Python {facts['python']}, " + ", ".join(f"{name} {version}" for name, version in facts["packages"].items()),
        "Threads: " + ", ".join(f"{name} {count}" for name, count in facts["threads"].items()),
    ]
    for name, figures in report["benchmarks"].items():
        lines += ["", f"{name}: {figures['what']}", *_table(figures)]
    return "\n".join(lines)


def write_json(report: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write what :func:`run` gave; the file appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


# Try-on ---------------------------------------------------------------------------------------------


def bench_tryon() -> dict[str, Any]:
    """One cold and one warm try-on from files to file, with new photos each time."""
    from . import assets

    for name, asset in assets.ASSETS.items():
        if asset.needed:
            assets.fetch(name)  # here, so that no download is measured
    with tempfile.TemporaryDirectory(prefix="vto-bench-") as folder:
        pairs = [
            _sample_pair("person_1.jpg", "long_sleeve.jpg", Path(folder), "cold"),
            _sample_pair("person_2.jpg", "tshirt_print.jpg", Path(folder), "warm"),
        ]
        return _in_fresh_process("measure_tryon", pairs)


def measure_tryon(import_seconds: float, pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What the fresh process does. Must be called before anything else of the package was used.

    Args:
        import_seconds: what ``import vto_utils`` took there.
        pairs: (person, cloth, out) file names; the first one is the cold try-on, the last one the warm one.
    """
    watch = Stopwatch()
    watch.record("import vto_utils", import_seconds)
    with watch.stage("import modules"):
        from . import agnostic, geometry, images, painting, regions
        from . import tryon as module
    with watch.stage("load models"):
        tryon = module.TryOn()
    for owner, name, stage in (
        (module, "load_image", "load"),
        (images, "save_image", "save"),
        (tryon.segmenter, "segment", "segment"),
        (tryon.poses, "estimate", "pose"),
        (tryon.parser, "parse", "parse"),
        (tryon.reader, "read", "garment"),
        (agnostic, "agnostic_mask", "agnostic"),
        (geometry, "plan", "warp"),
        (geometry, "render", "warp"),
        (geometry.Body, "measure", "warp"),
        (regions, "decide", "paint"),
        (painting, "undress", "paint"),
        (painting, "compose", "paint"),
    ):
        watch.wrap(owner, name, stage)

    runs = []
    with tryon:
        for person, cloth, out in pairs:
            with watch.stage("other"):
                images.save_image(tryon(person, cloth).image, out)
            runs.append(watch.read())
    cold, warm = runs[0], runs[-1]
    rows = [{"stage": stage, "cold": cold.get(stage), "warm": warm.get(stage)} for stage in STAGES]
    rows.append({"stage": "total", "cold": _total(cold), "warm": _total(warm)})
    return {
        "what": f"photos of {SIZE[0]}x{SIZE[1]} (height x width), from files to file, both new each time",
        "rows": rows,
    }


def bench_synth(**options: Any) -> dict[str, Any]:
    """Samples of the synthetic data set per second; the options are those of ``synth.benchmark.measure``."""
    from .synth import benchmark

    return benchmark.measure(**options)


#: name -> function that gives {"what": one line, "rows": [{"stage", "cold", "warm"}]}, where cold and warm are
#: {"seconds": float, "peak_mib": float | None} or None; with "columns" beside it, a row has "stage" and these,
#: which are numbers or None.
BENCHMARKS: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType({"tryon": bench_tryon, "synth": bench_synth})


# Measuring ------------------------------------------------------------------------------------------


class Stopwatch:
    """Adds up seconds and keeps the peak memory by stage.

    Of stages within stages each second counts once, for the innermost, except that a function wrapped with
    :meth:`wrap` keeps what other wrapped functions do within it: the garment's pose check counts as garment.
    """

    def __init__(self) -> None:
        self._figures: dict[str, dict[str, float | None]] = {}
        self._open: list[_Span] = []

    def stage(self, name: str) -> _Span:
        """A context manager that counts what happens within it for ``name``."""
        return _Span(self, name)

    def record(self, name: str, seconds: float) -> None:
        """Count seconds measured elsewhere."""
        self._add(name, seconds, peak_memory())

    def wrap(self, owner: Any, attribute: str, stage: str) -> None:
        """Replace ``owner.attribute`` by one that counts its calls for ``stage``."""
        function = getattr(owner, attribute)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if any(span.closed for span in self._open):  # within another wrapped function
                return function(*args, **kwargs)
            with _Span(self, stage, closed=True):
                return function(*args, **kwargs)

        setattr(owner, attribute, timed)

    def read(self) -> dict[str, dict[str, float | None]]:
        """Figures by stage since the last reading: {"seconds", "peak_mib"}."""
        figures, self._figures = self._figures, {}
        for row in figures.values():
            row["seconds"] = round(row["seconds"], 4)
            row["peak_mib"] = None if row["peak_mib"] is None else round(row["peak_mib"], 1)
        return figures

    def _add(self, name: str, seconds: float, peak: float | None) -> None:
        row = self._figures.setdefault(name, {"seconds": 0.0, "peak_mib": None})
        row["seconds"] += seconds
        if peak is not None:
            row["peak_mib"] = max(row["peak_mib"] or 0.0, peak)


class _Span:
    def __init__(self, watch: Stopwatch, name: str, closed: bool = False) -> None:
        self.watch, self.name, self.closed = watch, name, closed
        self.inner = 0.0  # seconds that stages within this one have counted
        self.peak: float | None = None

    def __enter__(self) -> None:
        if self.watch._open:
            self.watch._open[-1]._look()
        self.watch._open.append(self)
        reset_peak_memory()
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.start
        self._look()
        self.watch._open.pop()
        self.watch._add(self.name, seconds - self.inner, self.peak)
        if self.watch._open:
            self.watch._open[-1].inner += seconds
            reset_peak_memory()

    def _look(self) -> None:
        peak = peak_memory()
        if peak is not None:
            self.peak = max(self.peak or 0.0, peak)


def peak_memory() -> float | None:
    """Largest resident memory of this process in MiB since :func:`reset_peak_memory`, or since its start.

    Linux can forget the peak; elsewhere it is that of the whole process so far. None where nothing tells.
    """
    try:
        # Not getrusage: on Linux that one starts with the peak of the process that started this one.
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere


def reset_peak_memory() -> bool:
    """Let :func:`peak_memory` start anew; False where the system cannot."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _total(figures: Mapping[str, Mapping[str, float | None]]) -> dict[str, float | None]:
    peaks = [row["peak_mib"] for row in figures.values() if row["peak_mib"] is not None]
    return {
        "seconds": round(sum(row["seconds"] for row in figures.values()), 4),
        "peak_mib": max(peaks, default=None),
    }


def _in_fresh_process(function: str, *arguments: Any) -> dict[str, Any]:
    """Call ``function(import_seconds, *arguments)`` of this module in a new Python process."""
    code = (
        "import sys, time\n"
        "start = time.perf_counter()\n"
        "import vto_utils\n"
        "seconds = time.perf_counter() - start\n"
        "import json\n"
        "from vto_utils import bench\n"
        f"figures = bench.{function}(seconds, *json.loads(sys.argv[1]))\n"
        "print('\\n' + json.dumps(figures))\n"
    )
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise RuntimeError(f"the measuring process failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def _sample_pair(person: str, cloth: str, folder: Path, name: str) -> tuple[str, str, str]:
    """Two sample images at ``SIZE`` in ``folder``, and where to write the result."""
    from .images import load_image, save_image

    files = []
    for kind, sample in (("person", person), ("cloth", cloth)):
        source = SAMPLES / kind / sample
        if not source.is_file():
            raise InputError(f"{source} is missing: run the benchmark from a complete copy of the project.")
        path = folder / f"{name}-{kind}.jpg"
        save_image(load_image(source).resize(SIZE[::-1]), path)
        files.append(str(path))
    return files[0], files[1], str(folder / f"{name}.png")


# Printing -------------------------------------------------------------------------------------------


def _table(figures: Mapping[str, Any]) -> list[str]:
    if "columns" in figures:
        columns = figures["columns"]
        cells = [("stage", *columns)]
        for row in figures["rows"]:
            cells.append((row["stage"], *("-" if row[name] is None else f"{row[name]:.4g}" for name in columns)))
        return _aligned(cells)
    cells = [("stage", "cold s", "peak MiB", "warm s", "peak MiB")]
    for row in figures["rows"]:
        line = [row["stage"]]
        for kind in ("cold", "warm"):
            figure = row[kind] or {"seconds": None, "peak_mib": None}
            line.append("-" if figure["seconds"] is None else f"{figure['seconds']:.3f}")
            line.append("-" if figure["peak_mib"] is None else f"{figure['peak_mib']:.0f}")
        cells.append(tuple(line))
    text = _aligned(cells)
    return [*text[:-1], text[1], text[-1]]


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with a rule under its first one."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    text = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in cells]
    return [text[0], "-" * len(text[0]), *text[1:]]


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

    from .background import _threads as onnxruntime_threads

    return {
        "onnxruntime": onnxruntime_threads(),
        "opencv": cv2.getNumThreads(),
        "torch": torch.get_num_threads(),
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
