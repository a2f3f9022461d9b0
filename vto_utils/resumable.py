"""What the runs that train one network have in common: a folder that a killed run goes on from."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import torch

from .errors import InputError
from .files import atomic_path
from .runtime import reuse_memory


class ResumableRun:
    """The part of a trainer that finds its way back. A trainer has ``config`` (a dataclass), ``folder``, ``net``,
    ``average``, ``optimizer`` and ``step``, and saves them as ``checkpoints/NUMBER.pt``.
    """

    config: Any
    folder: Path
    net: torch.nn.Module
    average: torch.nn.Module
    optimizer: torch.optim.Optimizer
    step: int

    def resume(self) -> bool:
        """Go on from the last checkpoint of the folder; False where there is none.

        Raises:
            InputError: the checkpoint is of another configuration, or damaged.
        """
        found = self.checkpoints()
        if not found:
            self._cut_log()  # killed before its first checkpoint, it had logged steps
            return False
        try:
            state = torch.load(found[-1], map_location="cpu", weights_only=True)
            config = type(self.config)(**json.loads(state["config"]))
        except Exception as error:  # a damaged file can fail in any layer
            raise InputError(f"{found[-1]} is damaged: remove it, the one before it is used then.") from error
        if config != self.config:
            raise InputError(f"{self.folder} was begun with other settings: use the same ones, or another folder.")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
        self._cut_log()
        return True

    def checkpoints(self) -> list[Path]:
        """Oldest first. What a killed process was writing has a name that begins with a dot."""
        return sorted((self.folder / "checkpoints").glob("[0-9]*.pt"))

    def _cut_log(self) -> None:
        """Drop the lines of steps after the checkpoint: they are done again."""
        path = self.folder / "log.jsonl"
        if not path.is_file():
            return
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= self.step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                continue  # the line that was being written when the run was killed
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")


def begin(trainer: ResumableRun, resume: bool) -> None:
    """Go on with the run of the trainer's folder or start one there, and write down its settings.

    Raises:
        InputError: a new run is asked for in a folder that holds one.
    """
    if resume:
        if trainer.resume():
            print(f"Going on after step {trainer.step}.", flush=True)
        else:
            print("There is no checkpoint yet: starting from the beginning.", flush=True)
    elif trainer.checkpoints():
        raise InputError(f"{trainer.folder} holds a run already: go on with --resume, or choose another folder.")
    with atomic_path(trainer.folder / "config.json") as path:
        path.write_text(json.dumps(dataclasses.asdict(trainer.config), indent=2) + "\n", encoding="utf-8")


def reporter(trainer: ResumableRun) -> Callable[[ResumableRun, float], None]:
    """A callback that prints step, mean loss and speed every 20 steps."""
    started, first, recent = time.monotonic(), trainer.step, []

    def report(trainer: ResumableRun, loss: float) -> None:
        recent.append(loss)
        if trainer.step % 20 == 0:
            speed = (time.monotonic() - started) / (trainer.step - first)
            mean = sum(recent) / len(recent)
            print(f"step {trainer.step}/{trainer.config.steps}  loss {mean:.4f}  {speed:.2f} s/step", flush=True)
            recent.clear()

    return report


def single_thread(_: int) -> None:
    """Settle a loader's worker: one thread, and memory kept from picture to picture."""
    reuse_memory()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
