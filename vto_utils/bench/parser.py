"""What it takes to read one photo: the person's mask, pose and parsing, and the garment."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from .fresh_process import in_fresh_process
from .sample_photos import SIZE, fetch_models, scaled_sample
from .stopwatch import peak_memory


def bench_parser(runs: int = 7) -> dict[str, Any]:
    """The human parser, and for scale its neighbours, each in a process that loads and does nothing else.

    Cold is the first photo after loading; warm is the median of so many runs after it. Memory is the largest
    that the process has held until then, from its start on. The parser is given its mask and pose.

    Args:
        runs: warm ones.

    Returns:
        Rows "segment" (u2netp by rembg), "pose", "parse", "network" (the part of "parse" that the network's
        forward passes take) and "garment"; "runs"; "format" and "device" of the network.

    Raises:
        InputError: there are no runs, or the sample images are missing.
        AssetError: a model file is missing and could not be fetched.
    """
    if runs < 1:
        raise InputError(f"Take at least 1 run, not {runs}.")
    fetch_models()
    with tempfile.TemporaryDirectory(prefix="vto-bench-") as name:
        folder = Path(name)
        person = scaled_sample("person", "person_1.jpg", folder / "person.png")
        cloth = scaled_sample("cloth", "long_sleeve.jpg", folder / "cloth.png")
        mask, pose = str(folder / "mask.png"), str(folder / "pose.json")
        segment = in_fresh_process(measure_segment, person, mask, runs)
        points = in_fresh_process(measure_pose, person, pose, runs)
        parsed = in_fresh_process(measure_parse, person, mask, pose, runs)
        rows = {"segment": segment, "pose": points, **parsed["rows"]}
        rows["garment"] = in_fresh_process(measure_garment, cloth, runs)
    return {
        "what": f"a photo of {SIZE[0]}x{SIZE[1]} (height x width), each step in a process of its own; warm: median of "
        f"{runs} runs; network: its part of parse, {parsed['format']} on {parsed['device']}",
        "rows": [{"stage": stage, **row} for stage, row in rows.items()],
        "runs": runs,
        "format": parsed["format"],
        "device": parsed["device"],
    }


# What the fresh processes do ------------------------------------------------------------------------


def measure_segment(_: float, photo: str, mask: str, runs: int) -> dict[str, Any]:
    """Find the person with rembg, and write the mask."""
    from PIL import Image

    from ..images import load_image
    from ..segmentation import PersonSegmenter

    image, segmenter = load_image(photo), PersonSegmenter("rembg")
    found, *figures = _repeat(lambda: segmenter.segment(image), runs)
    Image.fromarray(found.mask).save(mask)
    return _row(*figures)


def measure_pose(_: float, photo: str, pose: str, runs: int) -> dict[str, Any]:
    """Find the key points, and write them."""
    from ..images import load_image
    from ..pose import PoseEstimator

    image = load_image(photo)
    with PoseEstimator() as poses:
        found, *figures = _repeat(lambda: poses.estimate(image), runs)
    landmarks = None if found.landmarks is None else found.landmarks.tolist()
    points = {"keypoints": found.keypoints.tolist(), "landmarks": landmarks, "people": found.people}
    Path(pose).write_text(json.dumps(points), encoding="utf-8")
    return _row(*figures)


def measure_parse(_: float, photo: str, mask: str, pose: str, runs: int) -> dict[str, Any]:
    """Label the pixels, with mask and pose from files."""
    import numpy as np
    import torch
    from PIL import Image

    from ..images import load_image
    from ..networks.parser import ParserNet
    from ..parsing import PersonParser
    from ..pose import Pose

    image, person = load_image(photo), np.asarray(Image.open(mask).convert("L"))
    points = json.loads(Path(pose).read_text(encoding="utf-8"))
    landmarks = None if points["landmarks"] is None else np.float32(points["landmarks"])
    points = Pose(np.float32(points["keypoints"]), landmarks, points["people"])
    parser, forward = PersonParser(), ParserNet.forward
    network: list[float] = []  # seconds of each run
    facts: dict[str, str] = {}

    def timed_forward(net: ParserNet, x: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        answer = forward(net, x)
        if answer.is_cuda:  # which works on while Python goes ahead
            torch.cuda.synchronize()
        network[-1] += time.perf_counter() - start
        facts.update(format=str(answer.dtype).removeprefix("torch."), device=answer.device.type)
        return answer

    def parse() -> np.ndarray:
        network.append(0.0)
        return parser.parse(image, person, points)

    ParserNet.forward = timed_forward
    try:
        _, *figures = _repeat(parse, runs)
    finally:
        ParserNet.forward = forward
    return {"rows": {"parse": _row(*figures), "network": _row(network, [None] * len(network))}, **facts}


def measure_garment(_: float, photo: str, runs: int) -> dict[str, Any]:
    """Read a garment, as a try-on does."""
    from ..background import BackgroundRemover
    from ..garment import GarmentReader
    from ..images import load_image
    from ..pose import PoseEstimator

    image = load_image(photo)
    with PoseEstimator() as poses:
        reader = GarmentReader(BackgroundRemover(), poses)
        _, *figures = _repeat(lambda: reader.read(image), runs)
    return _row(*figures)


def _repeat(step: Callable[[], Any], runs: int) -> tuple[Any, list[float], list[float | None]]:
    """The answer of the last of 1 + ``runs`` runs, and of each run the seconds and the peak memory after it."""
    seconds, peaks = [], []
    for _ in range(1 + runs):
        start = time.perf_counter()
        answer = step()
        seconds.append(time.perf_counter() - start)
        peaks.append(peak_memory())
    return answer, seconds, peaks


def _row(seconds: Sequence[float], peaks: Sequence[float | None]) -> dict[str, dict[str, float | None]]:
    import statistics

    def figures(duration: float, peak: float | None) -> dict[str, float | None]:
        return {"seconds": round(duration, 4), "peak_mib": None if peak is None else round(peak, 1)}

    return {"cold": figures(seconds[0], peaks[0]), "warm": figures(statistics.median(seconds[1:]), peaks[-1])}
