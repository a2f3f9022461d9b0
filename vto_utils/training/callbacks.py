"""Who watches a run: a progress bar, TensorBoard, a copy in another folder. A callback only looks and tells.

The log, the sample grids and the checkpoints are no callbacks: they are the run.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OutputError
from ..files import atomic_path
from .store import CHECKPOINTS, CONFIG, LOG

if TYPE_CHECKING:
    from PIL import Image

    from .loop import Step, Trainer


class Callback:
    """Is told what happens, in the main process only. Override what is of interest."""

    def started(self, trainer: Trainer) -> None:
        """Before the first step that is done now."""

    def stage_started(self, trainer: Trainer, dataset: Any) -> None:
        """Before the first step of a stage that is done now."""

    def stepped(self, trainer: Trainer, step: Step) -> None:
        """After every step."""

    def validated(self, trainer: Trainer, figures: dict[str, float], better: bool) -> None:
        """After a validation; ``better`` than all before in this stage."""

    def drawn(self, trainer: Trainer, picture: Image.Image) -> None:
        """After a sample grid was written."""

    def passed(self, trainer: Trainer) -> None:
        """After a step and all that is measured and drawn at it: a callback may hold the run here."""

    def paused(self, trainer: Trainer) -> None:
        """When the run is held, after a checkpoint of it was written."""

    def saved(self, trainer: Trainer, path: Path) -> None:
        """After a checkpoint was written."""

    def noted(self, trainer: Trainer, sentence: str) -> None:
        """Something a user should know."""

    def ended(self, trainer: Trainer) -> None:
        """At the end, however it came."""


class Progress(Callback):
    """A bar with the loss, and a line for each stage and validation.

    Args:
        every: least seconds between two looks of the bar; 10 where it is written into a file.
    """

    def __init__(self, every: float | None = None) -> None:
        self._every = every
        self._bar: Any = None
        self._smooth: float | None = None

    def started(self, trainer: Trainer) -> None:
        from tqdm.auto import tqdm

        every = self._every if self._every is not None else (0.5 if sys.stderr.isatty() else 10.0)
        self._bar = tqdm(
            total=trainer.config.steps, initial=trainer.step, unit="step", mininterval=every, dynamic_ncols=True
        )

    def stage_started(self, trainer: Trainer, dataset: Any) -> None:
        stage, number = trainer.stage, trainer.learner.stage
        name = f"{stage.trains} {stage.size[0]}x{stage.size[1]}"
        samples = stage.batch * stage.accumulate * trainer.processes.world
        self._smooth = None
        self._bar.set_description(name)
        self._say(f"Stage {number + 1} of {len(trainer.config.stages)}: {name}, {samples} samples a step.")
        self._say(str(dataset))

    def stepped(self, trainer: Trainer, step: Step) -> None:
        self._smooth = step.loss if self._smooth is None else 0.95 * self._smooth + 0.05 * step.loss
        self._bar.set_postfix_str(f"loss {self._smooth:.4f}", refresh=False)
        self._bar.update()

    def validated(self, trainer: Trainer, figures: dict[str, float], better: bool) -> None:
        names = ("loss", "garment_iou", "epe", "layout_accuracy", "l1_inside", "ssim")
        told = "  ".join(f"{name} {figures[name]:.4f}" for name in names if name in figures)
        self._say(f"step {trainer.step}  validation: {told}{'  (best)' if better else ''}")

    def noted(self, trainer: Trainer, sentence: str) -> None:
        self._say(sentence)

    def ended(self, trainer: Trainer) -> None:
        if self._bar is not None:
            self._bar.close()

    def _say(self, sentence: str) -> None:
        self._bar.write(sentence, file=sys.stdout)
        sys.stdout.flush()


class TensorBoard(Callback):
    """Scalars and sample grids for TensorBoard, in ``tensorboard/`` of the run's folder.

    Raises:
        InputError: it is not installed.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError("TensorBoard is not installed: run `pip install tensorboard`, or do without it.") from None
        self._make, self._writer = SummaryWriter, None

    def started(self, trainer: Trainer) -> None:
        # Steps after the checkpoint are done again; their old points are hidden.
        self._writer = self._make(str(trainer.folder.path / "tensorboard"), purge_step=trainer.step + 1)

    def stepped(self, trainer: Trainer, step: Step) -> None:
        scalars = {"loss": step.loss, "rate": step.rate, "gradient": step.gradient, "seconds": step.seconds}
        for name, value in (scalars | {f"terms/{name}": value for name, value in step.terms.items()}).items():
            self._writer.add_scalar(name, value, step.step)

    def validated(self, trainer: Trainer, figures: dict[str, float], better: bool) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"validation/{name}", value, trainer.step)

    def drawn(self, trainer: Trainer, picture: Image.Image) -> None:
        import numpy as np

        self._writer.add_image("samples", np.asarray(picture), trainer.step, dataformats="HWC")

    def ended(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()


class RunCopy(Callback):
    """Keeps a copy of the run in another folder, such as a mounted Google Drive; :func:`restore` brings it back.

    A copy that fails is told of, and tried again after the next checkpoint: the run goes on.

    Args:
        folder: of the copy.
        every: least seconds between two copies; at a pause and at the end the last state is copied in any case.
    """

    def __init__(self, folder: str | os.PathLike, every: float = 300.0) -> None:
        self.folder, self.every = Path(folder).expanduser(), every
        self._copied_at = 0.0

    def saved(self, trainer: Trainer, path: Path) -> None:
        if time.monotonic() - self._copied_at >= self.every:
            self._copy(trainer)

    def paused(self, trainer: Trainer) -> None:
        self._copy(trainer)

    def ended(self, trainer: Trainer) -> None:
        self._copy(trainer)

    def _copy(self, trainer: Trainer) -> None:
        try:
            copy_run(trainer.folder.path, self.folder)
        except (OutputError, OSError) as error:  # a Drive that is gone fails at any file
            for callback in trainer.callbacks:
                callback.noted(trainer, f"The run was not copied: {error}")
        self._copied_at = time.monotonic()


def copy_run(source: Path, target: Path) -> None:
    """Copy what a run needs to go on and to be used: description, log, newest checkpoint, networks.

    Raises:
        OutputError: the target cannot be written.
    """
    newest = sorted((source / CHECKPOINTS).glob("[0-9]*.pt"))[-1:]
    networks = sorted(path for name in ("best", "last") for path in (source / name).glob("*.*"))
    # The description of networks names their hashes: it comes last, or a copy that broke off would seem whole.
    networks.sort(key=lambda path: (path.parent.name, path.name == CONFIG))
    for path in [source / CONFIG, source / LOG, *networks, *newest]:
        if path.is_file():
            _copy_file(path, target / path.relative_to(source))
    if newest:
        for old in (target / CHECKPOINTS).glob("[0-9]*.pt"):
            if old.name != newest[0].name:
                old.unlink(missing_ok=True)


def restore(copy: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Bring a run back from its copy, if the folder holds none and the copy does."""
    copy, folder = Path(copy).expanduser(), Path(folder).expanduser()
    if any((folder / CHECKPOINTS).glob("[0-9]*.pt")) or not any((copy / CHECKPOINTS).glob("[0-9]*.pt")):
        return False
    copy_run(copy, folder)
    return True


def _copy_file(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
