"""What the try-on's own two networks take: to use them, and to train them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InputError
from .fresh_process import in_fresh_process
from .stopwatch import peak_memory

NETWORK_SIZE = (256, 192)  # (height, width) at which the networks think
TRAINING_BATCH = 4
_COLUMNS = ("million parameters", "s", "samples/s", "peak MiB")


def bench_networks(runs: int = 7, trains: Sequence[str] = ("warp", "synth", "joint")) -> dict[str, Any]:
    """The GMM and the TryOnSynthesizer as they ship, with random weights, which take as long as trained ones.

    Forward passes are float32 with batch 1. Training steps are those of ``python -m vto_utils train`` with its usual
    losses, in the number format it picks here. Each row but the first three has a process of its own, and its memory
    is the largest that the process has held, from its start on.

    Args:
        runs: of each, after one to warm up; the median counts.
        trains: kinds of training steps.

    Raises:
        InputError: there are no runs.
        AssetError: the weights of the perceptual distance cannot be had.
    """
    if runs < 1:
        raise InputError(f"Take at least 1 run, not {runs}.")
    used = in_fresh_process(measure_forward, runs)
    learned = [in_fresh_process(measure_training, kind, runs) for kind in trains]
    formats = ", ".join(dict.fromkeys(row["format"] for row in learned))
    height, width = NETWORK_SIZE
    return {
        "what": f"at {height}x{width} (height x width), median of {runs} runs; to use them with batch 1 in float32, to "
        f"train them with batch {TRAINING_BATCH} in {formats}; on {used['device']}",
        "columns": _COLUMNS,
        "rows": [*used["rows"], *learned],
        "runs": runs,
    }


def measure_forward(_: float, runs: int) -> dict[str, Any]:
    """Forward passes of both networks."""
    import torch

    from ..networks import GMM, GMMConfig, SynthesizerConfig, TryOnSynthesizer
    from ..networks.inputs import garment_seen
    from ..runtime import pick_device

    torch.manual_seed(0)
    device = pick_device("auto").value
    gmm = GMM(GMMConfig.product()).eval().to(device)
    tom = TryOnSynthesizer(SynthesizerConfig.product()).eval().to(device)
    person = torch.rand(1, gmm.config.person_channels, *NETWORK_SIZE, device=device)
    garment = torch.rand(1, gmm.config.garment_channels, *NETWORK_SIZE, device=device)
    photo = torch.rand(1, 3, *NETWORK_SIZE, device=device)
    pose = torch.rand(1, tom.config.pose_channels, *NETWORK_SIZE, device=device)

    with torch.inference_mode():
        found = gmm.warp(person, garment)
        inputs = (photo, found.warped[:, :3], garment_seen(found), found.layout.softmax(1), pose)
        networks = {
            "GMM": ((gmm,), lambda: gmm.warp(person, garment)),
            "TryOnSynthesizer": ((tom,), lambda: tom.synthesize(*inputs)),
            "both": ((gmm, tom), lambda: (gmm.warp(person, garment), tom.synthesize(*inputs))),
        }
        rows = []
        for name, (modules, call) in networks.items():
            parameters = sum(p.numel() for module in modules for p in module.parameters())
            rows.append(_row(name, parameters, _median(call, runs, device), 1))
    return {"rows": rows, "device": device}


def measure_training(_: float, trains: str, runs: int) -> dict[str, Any]:
    """Training steps of one kind, on synthetic samples made on the spot."""
    from ..datasets import collate, open_dataset
    from ..synth.samples import SynthConfig
    from ..training.config import StageConfig, TrainConfig
    from ..training.learner import Learner
    from ..training.processes import Processes

    stage = StageConfig(trains, runs + 1, NETWORK_SIZE, TRAINING_BATCH)
    learner = Learner(TrainConfig(stages=(stage,)), Processes())
    samples = open_dataset(SynthConfig(size=NETWORK_SIZE, category="all"), "train", NETWORK_SIZE, length=TRAINING_BATCH)
    batch = collate([samples[n, 0] for n in range(TRAINING_BATCH)])
    parameters = sum(p.numel() for network in learner.trained.values() for p in network.parameters())
    seconds = _median(lambda: learner.learn([batch]), runs, learner.processes.kind)
    row = _row(f"train {trains}", parameters, seconds, TRAINING_BATCH)
    return {**row, "format": str(learner.precision.value).removeprefix("torch.")}


def _row(name: str, parameters: int, seconds: float, samples: int) -> dict[str, Any]:
    figures = (parameters / 1e6, seconds, samples / seconds, peak_memory())
    return {"stage": name, **dict(zip(_COLUMNS, figures, strict=True))}


def _median(call: Callable[[], Any], runs: int, device: str) -> float:
    """Seconds of a call, after one that is not counted."""
    import statistics

    import torch

    seconds = []
    for _ in range(1 + runs):
        start = time.perf_counter()
        call()
        if device in ("cuda", "mps"):  # which work on while Python goes ahead
            getattr(torch, device).synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])
