"""A run in a thread of its own, to be started, paused, resumed and stopped from a notebook.

The thread only calls :meth:`.loop.Trainer.fit`: the steps of a run, and so its weights, are the same with and without
pauses. It is a daemon, so it never keeps Python from ending; what may then be lost is the work since the last
checkpoint, and an ordinary end of Python asks for one more.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, VTOError
from .callbacks import Callback, RunCopy, restore
from .config import TrainConfig
from .pace import Pace

if TYPE_CHECKING:
    from .data import TrainingData
    from .loop import Step, Trainer

READY, RUNNING, PAUSING, PAUSED = "ready", "running", "pausing", "paused"
STOPPING, STOPPED, FINISHED, FAILED = "stopping", "stopped", "finished", "failed"
UNDER_WAY = (RUNNING, PAUSING, PAUSED, STOPPING)
_AT_EXIT = 4.0  # seconds; Jupyter kills a kernel that takes longer than 5 to end


@dataclass(frozen=True)
class RunProgress:
    """Where a run stands. Figures that are not known yet are None."""

    state: str
    step: int  # steps done
    steps: int  # steps there will be
    stage: int = 0  # number of the stage, from 0
    loss: float | None = None  # of the last step
    samples_a_second: float | None = None  # mean of the last steps of this stage
    seconds_left: float | None = None  # to the last step, measuring and drawing not counted


class RunWatcher(Callback):
    """Is told what happens to a run, in the run's thread. What fails in it is noted and does not harm the run."""

    def changed(self, run: BackgroundRun) -> None:
        """The run's state is another one."""


class BackgroundRun:
    """A training run that does not occupy the one who started it.

    Args:
        config: how.
        data: what is learned from.
        folder: of the run; a run that is there is gone on with.
        watchers: told what happens.
        copy: folder that gets a copy of the run, and gives it back where ``folder`` holds none.
        copy_every: least seconds between two copies; at pauses and at the end there is one in any case.

    Attributes:
        notes: sentences a user should read.
        problem: the sentence about what ended the run, or "".
        details: the traceback of a failure that no sentence was written for, or "".
    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        folder: str | os.PathLike,
        watchers: Iterable[RunWatcher] = (),
        copy: str | os.PathLike | None = None,
        copy_every: float = 300.0,
    ) -> None:
        self.config, self.data, self.folder = config, data, Path(folder).expanduser()
        self.copy = None if copy is None else Path(copy).expanduser()
        self.copy_every = copy_every
        self.notes: list[str] = []
        self.problem = self.details = ""
        self._watchers = list(watchers)
        self._change = threading.Condition()  # of the state
        self._state = READY
        self._stop, self._hold = threading.Event(), threading.Event()
        self._thread: _RunThread | None = None
        self._progress = RunProgress(READY, 0, config.steps)
        self._pace = Pace(config)

    # What it does -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or go on from the last checkpoint in the folder or in its copy. Returns at once.

        What can be wrong with the settings is found before the thread begins, for the random numbers that the first
        weights are drawn with are everybody's.

        Raises:
            InputError: a run is under way, a setting cannot be used here, or the folder holds another run.
        """
        from .loop import Trainer

        busy = active_run()
        if busy is not None:
            raise InputError(f"The run in {busy.folder} is under way ({busy.state}): stop it first.")
        if self.copy is not None and restore(self.copy, self.folder):
            self._note(f"Took the run back from {self.copy}.")
        watching: list[Callback] = [_Teller(self)]
        if self.copy is not None:
            watching.append(RunCopy(self.copy, self.copy_every))
        trainer = Trainer(self.config, self.data, self.folder, watching)
        trainer.resume()
        for note in trainer.learner.notes:
            self._note(note)
        self.problem = self.details = ""
        self._stop.clear()
        self._hold.clear()
        self._pace = Pace(self.config)
        self._progress = RunProgress(RUNNING, trainer.step, self.config.steps, trainer.learner.stage)
        self._thread = _RunThread(self, lambda: self._work(trainer))
        atexit.register(self._leave)
        self._turn(RUNNING)
        self._thread.start()

    def pause(self) -> None:
        """Write a checkpoint after the step under way and wait there, with everything in memory."""
        with self._change:
            if self._state != RUNNING:
                return
            self._hold.set()
            self._state = PAUSING
        self._tell_change()

    def resume(self) -> None:
        """Go on after a pause; after a stop or a failure, from the last checkpoint.

        Raises:
            InputError: as :meth:`start`.
        """
        with self._change:
            if self._state in (PAUSING, PAUSED):
                self._hold.clear()
                self._state = RUNNING
                self._change.notify_all()
            elif self._state in (RUNNING, STOPPING):
                return
        if self._thread is not None and self._thread.is_alive() and self._state == RUNNING:
            self._tell_change()
        else:
            self.start()

    def stop(self) -> None:
        """Write a checkpoint and the networks after the step under way, and end the thread."""
        with self._change:
            if self._state not in (RUNNING, PAUSING, PAUSED):
                return
            self._stop.set()
            self._hold.clear()
            self._state = STOPPING
            self._change.notify_all()
        self._tell_change()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the thread's end; False if it has not come within so many seconds."""
        if self._thread is not None:
            self._thread.join(seconds)
            return not self._thread.is_alive()
        return True

    # What is known ------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """One of the states named at the top of the module."""
        return self._state

    @property
    def under_way(self) -> bool:
        """Whether the thread works or waits."""
        return self._state in UNDER_WAY

    @property
    def progress(self) -> RunProgress:
        """Where the run stands now."""
        last = self._progress
        return RunProgress(
            self._state, last.step, last.steps, last.stage, last.loss, last.samples_a_second, last.seconds_left
        )

    def watch(self, watcher: RunWatcher) -> None:
        """Tell one more, from now on."""
        self._watchers.append(watcher)

    # Inside -------------------------------------------------------------------------------------------

    def _work(self, trainer: Trainer) -> None:
        state = FAILED
        try:
            state = FINISHED if trainer.fit(stop=self._stop).finished else STOPPED
        except BaseException as error:  # in a thread, whatever is not told vanishes
            self.problem = _sentence(error)
            if not isinstance(error, VTOError):
                self.details = traceback.format_exc()
        finally:
            trainer.processes.close()
            atexit.unregister(self._leave)
            self._turn(state)

    def _leave(self) -> None:
        self.stop()
        self.wait(_AT_EXIT)

    def _turn(self, state: str) -> None:
        with self._change:
            self._state = state
            self._change.notify_all()
        self._tell_change()

    def _held(self, trainer: Trainer) -> None:
        """Wait, if somebody asked for it, until somebody asks to go on or to stop."""
        if not self._hold.is_set():
            return
        trainer.save()
        for callback in trainer.callbacks:
            callback.paused(trainer)
        with self._change:
            if self._state == PAUSING:
                self._state = PAUSED
                self._change.notify_all()
        self._tell_change()
        with self._change:
            self._change.wait_for(lambda: not self._hold.is_set())

    def _stepped(self, step: Step) -> None:
        rate, left = self._pace.after(step)
        self._progress = RunProgress(RUNNING, step.step, self.config.steps, step.stage, step.loss, rate, left)

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _tell(self, event: str, *facts: Any) -> None:
        for watcher in list(self._watchers):
            try:
                getattr(watcher, event)(*facts)
            except Exception as error:
                # A picture that cannot be drawn must not end hours of training; it is not asked for again.
                with contextlib.suppress(ValueError):
                    self._watchers.remove(watcher)
                self._note(f"The run goes on, but it is no longer shown ({type(error).__name__}: {error}).")
                self.details = traceback.format_exc()

    def _tell_change(self) -> None:
        self._tell("changed", self)


class _RunThread(threading.Thread):
    """Knows its run, so that the one under way is found whoever holds it."""

    def __init__(self, run: BackgroundRun, work: Callable[[], None]) -> None:
        super().__init__(target=work, name=f"training in {run.folder}", daemon=True)
        self.run_of = run


def active_run() -> BackgroundRun | None:
    """The run of this Python whose thread works or waits, if there is one."""
    found = (thread.run_of for thread in threading.enumerate() if isinstance(thread, _RunThread))
    return next((run for run in found if run.under_way), None)


class _Teller(Callback):
    """Passes on what the trainer tells, and holds it between two steps."""

    def __init__(self, run: BackgroundRun) -> None:
        self._run = run

    def started(self, trainer: Trainer) -> None:
        self._run._tell("started", trainer)

    def stage_started(self, trainer: Trainer, dataset: Any) -> None:
        self._run._tell("stage_started", trainer, dataset)

    def stepped(self, trainer: Trainer, step: Step) -> None:
        self._run._stepped(step)
        self._run._tell("stepped", trainer, step)

    def validated(self, trainer: Trainer, figures: dict[str, float], better: bool) -> None:
        self._run._tell("validated", trainer, figures, better)

    def drawn(self, trainer: Trainer, picture: Any) -> None:
        self._run._tell("drawn", trainer, picture)

    def passed(self, trainer: Trainer) -> None:
        self._run._held(trainer)

    def paused(self, trainer: Trainer) -> None:
        self._run._tell("paused", trainer)

    def saved(self, trainer: Trainer, path: Path) -> None:
        self._run._tell("saved", trainer, path)

    def noted(self, trainer: Trainer, sentence: str) -> None:
        self._run._note(sentence)
        self._run._tell("noted", trainer, sentence)

    def ended(self, trainer: Trainer) -> None:
        self._run._tell("ended", trainer)


def _sentence(error: BaseException) -> str:
    if isinstance(error, VTOError):
        return str(error)
    if "OutOfMemory" in type(error).__name__:
        return (
            "The GPU's memory is full: halve the stage's batch and double its accumulate, which changes nothing of "
            "the run, and resume it."
        )
    text = str(error).strip().splitlines()
    reason = type(error).__name__ + (f": {text[0]}" if text else "")
    return f"The run broke off ({reason}): resume goes on from its last checkpoint."
