"""A run for people: its loss curve and sample grid, drawn no more often than they may cost, and a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..training.background import RUNNING, BackgroundRun, RunWatcher
from ..training.store import RunFolder
from .run_curves import draw_curves

if TYPE_CHECKING:
    from PIL import Image

    from ..training.loop import Step, Trainer

_SHARE = 0.03  # of the time that may go into drawing
_WORDS = {
    "ready": "Nothing is training.", "running": "Training.", "pausing": "Pausing after this step ...",
    "paused": "Paused: a checkpoint is written, Resume goes on.", "stopping": "Stopping after this step ...",
    "stopped": "Stopped: a checkpoint is written, Resume goes on.", "finished": "Finished.", "failed": "Broken off.",
}  # fmt: skip


class RunPictures(RunWatcher):
    """Draws what a run does.

    Args:
        curve: takes the loss curve, a PIL image, whenever there is a new one.
        preview: takes the sample grid of the fixed validation samples, a PIL image.
        status: called at most once a second while steps are done, and whenever the run's state changes.
        every: least seconds between two curves.
        clock: where the time comes from, in seconds.
    """

    def __init__(
        self,
        curve: Callable[[Image.Image], None],
        preview: Callable[[Image.Image], None],
        status: Callable[[], None],
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lines: list[dict[str, Any]] = []
        self._curve, self._preview, self._status = curve, preview, status
        self._every, self._clock = every, clock
        self._draw_at = self._tell_at = clock()
        self._name = ""

    def catch_up(self, folder: RunFolder) -> None:
        """Take over what the run has logged so far."""
        kept = ("step", "stage", "loss", "validation")
        self.lines = [{name: line[name] for name in kept if name in line} for line in folder.lines()]
        self._name = folder.path.name

    def started(self, trainer: Trainer) -> None:
        self.catch_up(trainer.folder)

    def stepped(self, trainer: Trainer, step: Step) -> None:
        self.lines.append({"step": step.step, "stage": step.stage, "loss": step.loss})
        now = self._clock()
        if now >= self._tell_at:
            self._status()
            self._tell_at = now + 1.0
        if now >= self._draw_at:
            self.draw()

    def validated(self, trainer: Trainer, figures: dict[str, float], better: bool) -> None:
        self.lines.append({"step": trainer.step, "stage": trainer.learner.stage, "validation": figures})

    def drawn(self, trainer: Trainer, picture: Image.Image) -> None:
        self._preview(picture)

    def noted(self, trainer: Trainer, sentence: str) -> None:
        self._status()

    def paused(self, trainer: Trainer) -> None:
        self.draw()

    def ended(self, trainer: Trainer) -> None:
        self.draw()

    def changed(self, run: BackgroundRun) -> None:
        self._status()

    def draw(self) -> None:
        """Draw the curve now."""
        before = self._clock()
        if self.lines:
            self._curve(draw_curves({self._name: self.lines}))
        now = self._clock()
        self._draw_at = now + max(self._every, (now - before) / _SHARE)


def summary(run: BackgroundRun) -> str:
    """What a person wants to know of a run."""
    now = run.progress
    stage = run.config.stages[min(now.stage, len(run.config.stages) - 1)]
    parts = [f"step {now.step} of {now.steps}"]
    if run.under_way:
        parts.append(
            f"stage {now.stage + 1} of {len(run.config.stages)} ({stage.trains} {stage.size[0]}x{stage.size[1]})"
        )
    if now.loss is not None:
        parts.append(f"loss {now.loss:.4f}")
    if now.samples_a_second is not None:
        parts.append(f"{now.samples_a_second:.2g} samples a second")
    if run.state == RUNNING and now.seconds_left is not None:
        parts.append(f"about {_duration(now.seconds_left)} left")
    return "\n".join([f"{run.folder.name}: {run.problem or _WORDS[run.state]}", " · ".join(parts), *run.notes])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
