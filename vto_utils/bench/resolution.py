"""What a whole try-on costs at growing sizes of the photo."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from .fresh_process import in_fresh_process
from .sample_photos import fetch_models, scaled_sample
from .stopwatch import peak_memory

SIZES = ((256, 192), (512, 384), (768, 576), (1024, 768), (1536, 1152))  # (height, width)


def bench_resolution(runs: int = 7, sizes: Sequence[tuple[int, int]] = SIZES) -> dict[str, Any]:
    """Whole try-ons from files to file with warm models, the photo and the result of one size.

    Sizes take turns, so that what else the machine does meanwhile meets all alike. The garment's photo is 1024x768
    always.

    Args:
        runs: of each size, after one to warm up; the median counts.
        sizes: (height, width) of the person photo.

    Raises:
        InputError: there are no runs, or the sample images are missing.
        AssetError: a model file is missing and could not be fetched.
    """
    if runs < 1:
        raise InputError(f"Take at least 1 run, not {runs}.")
    fetch_models()
    with tempfile.TemporaryDirectory(prefix="vto-bench-") as name:
        folder = Path(name)
        people = [scaled_sample("person", "person_2.jpg", folder / f"{size[0]}.png", size) for size in sizes]
        cloth = scaled_sample("cloth", "tshirt_print.jpg", folder / "cloth.png")
        found = in_fresh_process(measure_sizes, people, cloth, str(folder / "out.png"), runs)
    smallest = found["seconds"][0]
    rows = [
        {
            "stage": f"{height}x{width}",
            "pixels": height * width / (sizes[0][0] * sizes[0][1]),
            "s": seconds,
            "times the first": seconds / smallest,
            "peak MiB": peak,
        }
        for (height, width), seconds, peak in zip(sizes, found["seconds"], found["peaks"], strict=True)
    ]
    return {
        "what": f"photos of height x width, from files to file, warm, median of {runs} runs; the {found['warp']} warp",
        "columns": tuple(rows[0])[1:],
        "rows": rows,
        "runs": runs,
    }


def measure_sizes(_: float, people: Sequence[str], cloth: str, out: str, runs: int) -> dict[str, Any]:
    """Try-ons of one garment on photos of growing size, which take turns; the memory is the largest so far."""
    import statistics

    from ..images import save_image
    from ..tryon import TryOn

    seconds: list[list[float]] = [[] for _ in people]
    peaks: list[float | None] = []
    with TryOn() as tryon:
        for number in range(1 + runs):
            for person, times in zip(people, seconds, strict=True):
                start = time.perf_counter()
                save_image(tryon(person, cloth).image, out)
                times.append(time.perf_counter() - start)
                if number == 0:  # from the smallest on, so each peak is its own
                    peaks.append(peak_memory())
        warp = tryon.warp
    return {"seconds": [statistics.median(times[1:]) for times in seconds], "peaks": peaks, "warp": warp}
