"""The run: stages one after another, killed at any moment and gone on with as if nothing had been.

On a CPU a run that was killed and went on ends with the very weights of an unbroken one: see :mod:`.learner`.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import InputError
from ..images import save_image
from ..runtime import reuse_memory
from .callbacks import Callback
from .config import StageConfig, TrainConfig
from .data import Batch, TrainingData, batches, fixed_batches
from .learner import Learned, Learner
from .pictures import sample_grid
from .processes import Processes, shared_cores
from .stages import Networks
from .stopping import stop_requests
from .store import RunFolder
from .validation import installed_ssim, validate

BEST, LAST = "best", "last"


@dataclass(frozen=True)
class Step:
    """What callbacks are told after a step."""

    step: int  # steps done in the run, 1 after the first
    stage: int  # number of the stage, from 0
    loss: float  # before the step's update
    terms: dict[str, float]  # its parts, unweighted
    rate: float  # learning rate
    gradient: float  # norm before it was clipped
    seconds: float  # the step took, the wait for its samples included
    waiting: float  # seconds of these that went by before the samples were there


@dataclass(frozen=True)
class Outcome:
    """How :meth:`Trainer.fit` ended."""

    step: int  # steps done in the run
    finished: bool
    interrupted: bool  # by Ctrl-C or a request to end


class Trainer:
    """A training run in a folder.

    Args:
        config: how.
        data: what is learned from.
        folder: of the run.
        callbacks: told what happens; see :mod:`.callbacks`.
        processes: this process among all; made for ``config.device`` if None.

    Raises:
        InputError: a setting cannot be used here, or ``start_from`` holds other networks.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        folder: str | os.PathLike,
        callbacks: Sequence[Callback] = (),
        processes: Processes | None = None,
    ) -> None:
        self.config, self.data, self.folder = config, data, RunFolder(folder)
        self.processes = processes or Processes(config.device)
        self.learner = Learner(config, self.processes)
        self.callbacks = list(callbacks) if self.processes.main else []
        self.best: float | None = None  # lowest validation loss of this stage
        self._samples: int | None = None  # in the data set of this stage
        self._unwatched = False  # the checkpoint was written before its step was measured and drawn
        self._ssim = installed_ssim()
        self._saved_at, self._deadline = 0.0, math.inf

    @property
    def step(self) -> int:
        """Steps done in the run."""
        return self.learner.step

    @property
    def stage(self) -> StageConfig:
        """The present stage."""
        return self.learner.now

    def fit(self, minutes: float = math.inf, stop: threading.Event | None = None) -> Outcome:
        """Train until the last step, for so many minutes, or until Ctrl-C; a checkpoint is then there.

        Args:
            minutes: of training, at most.
            stop: ends the run after the step under way when somebody sets it, from any thread.

        Raises:
            InputError: the loss is not a number, or samples cannot be read. The last checkpoint stays.
        """
        reuse_memory()
        self._saved_at = time.monotonic()
        self._deadline = self._saved_at + 60 * minutes
        self.data.train(self.stage.size)  # what cannot be used is told before anything is written
        if self.processes.main:
            self.folder.describe(self.config, self.data.sources)
        with stop_requests(stop) as stop, shared_cores(self.processes.kind, self.config.workers):
            self._tell("started")
            try:
                left = False
                while not (left or self.learner.finished):
                    left = self._run_stage(stop)
            except KeyboardInterrupt:  # from a callback, or where signals cannot be caught
                stop.set()
                if not self.learner.halfway:
                    self.save()
            finally:
                self._tell("ended")
        return Outcome(self.step, self.learner.finished, stop.is_set())

    def _run_stage(self, stop: threading.Event) -> bool:
        """Run the stage to its end; True if the run is to be left."""
        stage, learner, processes = self.stage, self.learner, self.processes
        dataset, watched = self.data.train(stage.size), self._watched(stage)
        self._tell("stage_started", dataset)
        if learner.stage_step and self._samples not in (None, len(dataset)):
            note = f"There were {self._samples} samples when the stage began: from here on it sees other ones."
            self._tell("noted", note)
        self._samples = len(dataset)
        if self._unwatched:
            self._watch(watched, learner.stage_step == stage.steps)
        steps = batches(
            dataset, stage, self.config.seed + learner.stage, learner.stage_step, processes.rank, processes.world,
            self.config.workers, pinned=processes.kind == "cuda",
        )  # fmt: skip
        left, before = False, time.monotonic()
        for group in steps:
            arrived = time.monotonic()
            learned = learner.learn(group)
            now = time.monotonic()
            self._record(learned, now - before, arrived - before)
            last = learner.stage_step == stage.steps
            self._watch(watched, last)
            self._tell("passed")
            # What would be due during the next step is written before it: never more than save_every is lost.
            due = time.monotonic() + (now - before) > self._saved_at + self.config.save_every
            left, due = self._agreed(stop.is_set() or now > self._deadline, due)
            if last:
                break
            if left or due:
                self.save()
            if left:
                self._ship(LAST, learner.averaged())
                return True
            before = time.monotonic()
        learner.end_stage()
        self.best = None
        self._ship(LAST, learner.averaged())  # first: a run that is killed now does all of this again
        self.save()
        return left

    def _agreed(self, *mine: bool) -> list[bool]:
        """For each question, whether any process says yes: clocks differ, and all must do the same."""
        if self.processes.world == 1:
            return list(mine)
        answers = torch.tensor(mine, dtype=torch.float32, device=self.processes.device)
        return [answer > 0 for answer in self.processes.mean(answers).tolist()]

    def _record(self, learned: Learned, seconds: float, waiting: float) -> None:
        if not self.processes.main:
            return
        line: dict[str, Any] = {"step": self.step, "stage": self.learner.stage, "loss": _short(learned.loss)}
        line |= {"terms": _shortened(learned.terms), "rate": _short(learned.rate)}
        line |= {"gradient": _short(learned.gradient), "seconds": round(seconds, 3), "waiting": round(waiting, 3)}
        self.folder.log(line | {"time": round(time.time(), 1)})
        told = (learned.loss, learned.terms, learned.rate, learned.gradient)
        self._tell("stepped", Step(self.step, self.learner.stage, *told, seconds, waiting))

    def _tell(self, event: str, *facts: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *facts)

    # Watching -----------------------------------------------------------------------------------------

    def _watched(self, stage: StageConfig) -> list[Batch]:
        """The fixed samples to measure; none where there is no split for it."""
        count = max(self.config.validation_samples, self.config.picture_samples)
        if not count or not self.processes.main:
            return []
        try:
            dataset = self.data.validation(stage.size)
        except InputError as error:
            self._tell("noted", f"No validation: {error}")
            return []
        return list(fixed_batches(dataset, count, stage.batch))

    def _watch(self, watched: Sequence[Batch], last: bool) -> None:
        config, step = self.config, self.learner.stage_step
        measure = config.validation_samples > 0 and (last or step % config.validate_every == 0)
        draw = config.picture_samples > 0 and (last or step % config.picture_every == 0)
        if not (measure or draw):
            return
        if not self._unwatched:  # it can take long, and the steps before it must not be lost with it
            self._unwatched = True
            self.save()
        if watched and measure:
            self._validate(_first(watched, config.validation_samples))
        if watched and draw:
            self._draw(_first(watched, config.picture_samples))
        self._unwatched = False
        self.processes.wait()

    def _validate(self, watched: Iterator[Batch]) -> None:
        learner, networks = self.learner, self.learner.averaged()
        figures = validate(
            (learner.moved(batch) for batch in watched), lambda batch: learner.compute(batch, networks), self._ssim
        )
        better = self.best is None or figures["loss"] < self.best
        if better:
            self.best = figures["loss"]
            self._ship(BEST, networks, figures)
        line = {"step": self.step, "stage": learner.stage, "validation": _shortened(figures), "best": better}
        self.folder.log(line)
        self._tell("validated", figures, better)

    def _draw(self, watched: Iterator[Batch]) -> None:
        learner, networks = self.learner, self.learner.averaged()
        with torch.no_grad():
            moved = [learner.moved(batch) for batch in watched]
            results = [(batch, learner.compute(batch, networks)) for batch in moved]
            picture = sample_grid(results, f"step {self.step}, {_named(self.stage)}")
        save_image(picture, self.folder.picture(self.step))
        self._tell("drawn", picture)

    # Keeping ------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint."""
        if self.processes.main:
            own = {"best": self.best, "samples": self._samples, "unwatched": self._unwatched}
            path = self.folder.save(self.learner.state() | own, self.step, self.config.keep)
            self._tell("saved", path)
        self._saved_at = time.monotonic()
        self.processes.wait()

    def resume(self) -> bool:
        """Go on from the last checkpoint of the folder; False where there is none.

        Raises:
            InputError: it is of another run, or damaged.
        """
        found = self.folder.load()
        if found is None:
            if self.processes.main and self.folder.lines():  # killed before its first checkpoint, it had logged steps
                self.folder.cut_log(0, measured=False)
            self.processes.wait()
            return False
        self.learner.load_state(found)
        self.best, self._samples, self._unwatched = found["best"], found["samples"], found["unwatched"]
        if self.processes.main:
            self.folder.cut_log(self.step, measured=not self._unwatched)
        self.processes.wait()
        return True

    def _ship(self, name: str, networks: Networks, figures: dict[str, float] | None = None) -> None:
        if not self.processes.main:
            return
        done = self.config.stages[: self.learner.stage + (self.learner.stage_step > 0)]
        facts: dict[str, Any] = {"step": self.step, "stages": [_named(stage) for stage in done]}
        facts |= {"seed": self.config.seed, "data": self.data.sources}
        if figures is not None:
            facts["validation"] = _shortened(figures)
        self.folder.ship(name, networks, facts)


def _first(batches: Sequence[Batch], count: int) -> Iterator[Batch]:
    """The first ``count`` samples of the batches."""
    for batch in batches:
        size = min(len(batch["person"]), count)
        if size <= 0:
            return
        yield {key: value[:size] for key, value in batch.items()}
        count -= size


def _named(stage: StageConfig) -> str:
    return f"{stage.trains} {stage.size[0]}x{stage.size[1]}"


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _shortened(values: dict[str, float]) -> dict[str, float]:
    return {name: _short(value) for name, value in values.items()}
