"""Seconds and peak memory by stage."""

from __future__ import annotations

import functools
import sys
import time
from typing import Any


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
