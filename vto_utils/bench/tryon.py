"""Try-ons from files to file, stage by stage."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .fresh_process import in_fresh_process
from .sample_photos import SIZE, fetch_models, scaled_sample
from .stopwatch import Stopwatch

#: Stages of a try-on in the order in which they happen; "other" is what lies between them.
STAGES = (
    "import vto_utils", "import modules", "load models", "load", "segment", "pose", "parse", "garment",
    "agnostic", "warp", "paint", "save", "other",
)  # fmt: skip


def bench_tryon() -> dict[str, Any]:
    """One cold and one warm try-on from files to file, with new photos each time."""
    fetch_models()
    with tempfile.TemporaryDirectory(prefix="vto-bench-") as folder:
        pairs = [
            _sample_pair("person_1.jpg", "long_sleeve.jpg", Path(folder), "cold"),
            _sample_pair("person_2.jpg", "tshirt_print.jpg", Path(folder), "warm"),
        ]
        return in_fresh_process(measure_tryon, pairs)


def measure_tryon(import_seconds: float, pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What the fresh process does. Must be called before anything else of the package was used.

    Args:
        import_seconds: what ``import vto_utils`` took there.
        pairs: (person, cloth, out) file names; the first one is the cold try-on, the last one the warm one.
    """
    watch = Stopwatch()
    watch.record("import vto_utils", import_seconds)
    with watch.stage("import modules"):
        from .. import agnostic, dressing, fitting, geometry, images, layout_regions, painting, regions
        from .. import tryon as module
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
        (fitting.Fitter, "fit", "warp"),
        (dressing, "drape", "warp"),
        (regions, "decide", "paint"),
        (layout_regions, "read", "paint"),
        (layout_regions, "in_front", "paint"),
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


def _total(figures: Mapping[str, Mapping[str, float | None]]) -> dict[str, float | None]:
    peaks = [row["peak_mib"] for row in figures.values() if row["peak_mib"] is not None]
    return {
        "seconds": round(sum(row["seconds"] for row in figures.values()), 4),
        "peak_mib": max(peaks, default=None),
    }


def _sample_pair(person: str, cloth: str, folder: Path, name: str) -> tuple[str, str, str]:
    """Two sample images at ``SIZE`` in ``folder``, and where to write the result."""
    return (
        scaled_sample("person", person, folder / f"{name}-person.jpg"),
        scaled_sample("cloth", cloth, folder / f"{name}-cloth.jpg"),
        str(folder / f"{name}.png"),
    )
