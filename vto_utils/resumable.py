"""What the runs that train one network have in common: a folder that a killed run goes on from.

log.jsonl      one line a step
checkpoints/   the last three: weights, their running mean, optimiser, step
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from .errors import InputError
from .files import atomic_path
from .runtime import reuse_memory

_KEEP = 3  # checkpoints


class ResumableRun:
    """A training run of one network in a folder. A trainer sets the attributes, and says how to learn and to ship.

    Killed at any moment and started again it goes on from its last checkpoint. It sees the same pictures as an
    unbroken run if those of the stream follow from their numbers alone.

    Attributes:
        stream: gives pictures by number, 0 to ``config.steps * config.batch``.
        config: dataclass that JSON can hold, with ``batch`` and ``steps``.
        folder: of the run.
        net: what learns.
        average: the running mean of its weights.
        optimizer: of its weights.
        step: steps that are done.
    """

    stream: Any
    config: Any
    folder: Path
    net: torch.nn.Module
    average: torch.nn.Module
    optimizer: torch.optim.Optimizer
    step: int

    def learn(self, batch: Any) -> float:
        """Do one step on a batch of the stream's pictures, count it, and return the loss before it."""
        raise NotImplementedError

    def ship(self) -> None:
        """Write the weights that a user gets into the folder."""
        raise NotImplementedError

    def fit(
        self,
        minutes: float = math.inf,
        save_every: float = 3.0,
        workers: int = 0,
        callbacks: Iterable[Callable[[Any, float], None]] = (),
    ) -> list[float]:
        """Train until the last step, or for so many minutes; then, and in between, save.

        Args:
            minutes: after which to stop.
            save_every: minutes between checkpoints.
            workers: processes that make pictures; 0 makes them here.
            callbacks: told the trainer and the loss after every step.

        Returns:
            The losses of the steps done now.
        """
        reuse_memory()
        callbacks, losses = list(callbacks), []
        started = saved = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as log:
            for batch in self.batches(workers):
                losses.append(self.learn(batch))
                line = {"step": self.step, "loss": round(losses[-1], 5), "time": round(time.time(), 1)}
                log.write(json.dumps(line) + "\n")
                log.flush()
                for callback in callbacks:
                    callback(self, losses[-1])
                if time.monotonic() - saved > 60 * save_every:
                    self.save()
                    saved = time.monotonic()
                if time.monotonic() - started > 60 * minutes:
                    break
        self.save()
        return losses

    def batches(self, workers: int = 0) -> Iterator[Any]:
        """The batches from the present step to the last."""
        first, last = self.step * self.config.batch, self.config.steps * self.config.batch
        if first >= last:
            return iter(())
        loader = DataLoader(
            self.stream, self.config.batch, sampler=range(first, last), num_workers=workers,
            prefetch_factor=4 if workers else None, worker_init_fn=single_thread if workers else None,
        )  # fmt: skip
        return iter(loader)

    def save(self) -> Path:
        """Write a checkpoint and the weights to ship; all but the last three checkpoints go."""
        state = {
            "step": self.step,
            "config": json.dumps(dataclasses.asdict(self.config)),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        path = self.folder / "checkpoints" / f"{self.step:07d}.pt"
        with atomic_path(path) as temporary:
            torch.save(state, temporary)
        for old in self.checkpoints()[:-_KEEP]:
            old.unlink(missing_ok=True)
        self.ship()
        return path

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
