"""The controls of a training in a notebook: what to learn from, settings, start, pause, resume and stop, and what
becomes of it while it goes on.

The training runs in a thread (:mod:`vto_utils.training.background`), so that the buttons work and other cells run
meanwhile. Everything also works where nobody clicks: ``.run()`` trains in the foreground with the settings as they
stand. Pictures are the cell's own outputs and never kept in widgets, whose state notebooks save without showing it.
Made of what ipywidgets 7.7 (Colab) and 8 have in common.
"""

from __future__ import annotations

import functools
import html
import io
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import InputError, VTOError
from ..training.background import PAUSED, PAUSING, RUNNING, BackgroundRun, active_run
from ..training.config import TrainConfig
from ..training.data import MADE, TrainingData
from ..training.found_runs import FoundRun, find_runs, free_name
from ..training.store import RunFolder
from ..workspace import Workspace
from .run_curves import draw_curves, read_logs
from .training_pictures import RunPictures, summary
from .training_settings import SettingsPanel, first_look, plans
from .training_sources import SourceChoice

NEW = ""  # the choice of a run that is to be begun
LOCAL = "vto_runs"  # where a run is written whose copy is on Google Drive
_STYLE, _ROOM = {"description_width": "150px"}, {"width": "560px"}


def training_panel(
    workspace: Workspace,
    config: TrainConfig | None = None,
    name: str = "first-look",
    learn_from: str = MADE,
    folder: str = "",
    local: str | Path | None = None,
) -> TrainingPanel:
    """Choose data and settings, and train.

    Args:
        workspace: runs are kept in its ``checkpoints``.
        config: shown at first; :func:`vto_utils.panels.training_settings.first_look` if None.
        name: of the run, and of its folder.
        learn_from: ``made`` for samples made on the spot, ``pair`` or ``folder``.
        folder: of the data set, for ``folder``.
        local: where a run is written whose workspace is on Google Drive, which then gets copies; ``vto_runs`` in the
            working folder if None. Without Drive runs are written into the workspace at once.
    """
    return TrainingPanel(workspace, config or first_look(), name, learn_from, folder, local)


class TrainingPanel:
    """Controls, progress and two pictures; see :func:`training_panel`.

    Attributes:
        choice: list of a new run and those that are there; ``name``, ``plan``: of a new run.
        source: what is learned from (:class:`vto_utils.panels.training_sources.SourceChoice`).
        settings: (:class:`vto_utils.panels.training_settings.SettingsPanel`).
        start, pause, resume, stop: the buttons; ``.click()`` does what a click does.
        training: the run (:class:`vto_utils.training.background.BackgroundRun`) or None.
        message: the sentence shown last about something that failed, or "".
        curve, preview: the pictures shown last, PIL RGB, or None.
    """

    def __init__(
        self, workspace: Workspace, config: TrainConfig, name: str, learn_from: str, folder: str, local: Any
    ) -> None:
        import ipywidgets as widgets

        self.workspace, self.message = workspace, ""
        self._given = config, _checked(name)
        self._kept = workspace.checkpoints
        self._written = Path(local or LOCAL).absolute() if workspace.on_drive else self._kept
        self.training: BackgroundRun | None = None
        self.curve: Image.Image | None = None
        self.preview: Image.Image | None = None
        self._handles: dict[str, Any] = {}
        self._quiet = False  # the panel itself changes a control
        self._one = threading.RLock()  # the run's thread and the buttons' both change controls
        common: dict[str, Any] = {"style": _STYLE, "layout": _ROOM}
        self._plans = plans(config)
        self.choice = widgets.Dropdown(options=[("a new run", NEW)], value=NEW, description="run", **common)
        self.name = widgets.Text(value=name, description="name of the new run", **common)
        self.plan = widgets.Dropdown(options=list(self._plans), description="plan", **common)
        self.source = SourceChoice(workspace, learn_from, folder)
        self._settings_box = widgets.VBox()
        self.start, self.pause, self.resume, self.stop = (
            self._button(text, action, style)
            for text, action, style in (
                ("Start", self._start, "success"), ("Pause", self._pause, "warning"),
                ("Resume", self._resume, "success"), ("Stop", self._stop, "danger"),
            )
        )  # fmt: skip
        self.bar = widgets.FloatProgress(value=0.0, min=0.0, max=1.0, layout=_ROOM)
        self._status = widgets.HTML()
        buttons = widgets.HBox([self.start, self.pause, self.resume, self.stop])
        self.widget = widgets.VBox(
            [
                self.choice, self.name, self.source.widget, self.plan, self._settings_box, buttons, self.bar,
                self._status,
            ]
        )  # fmt: skip
        self.choice.observe(self._safely(lambda _: self._chosen()), names="value")
        self.plan.observe(self._safely(lambda _: self._chosen()), names="value")
        self._find()

    @property
    def value(self) -> TrainConfig:
        """The settings as they stand."""
        return self.settings.value

    def run(self) -> BackgroundRun:
        """Train in the foreground, to the end or until the cell is interrupted: what a notebook does without clicks.

        A run of this name with these settings is gone on with, or only shown where it is finished; one with other
        settings stays as it is, and the new one is numbered. While an unfinished run is chosen in the list, the
        settings are those that the panel was made with.

        Raises:
            InputError: a run is under way, a setting or the data cannot be used, or the training broke off.
        """
        busy = active_run()
        if busy is not None:
            raise InputError(f"A run is under way ({busy.state}): press Stop in the panel first, or let it finish.")
        new = self.choice.value == NEW
        config, name = (self.value, _checked(self.name.value)) if new else self._given
        sources, runs = self.source.sources, self._runs()
        name = free_name(name, config, sources, runs)
        self._show_found(next((run for run in runs if run.name == name), None))
        self._begin(name, config, sources)
        try:
            while not self.training.wait(0.2):
                pass
        except KeyboardInterrupt:
            self.training.stop()
            self.training.wait()
        if self.training.problem:
            raise InputError(self.training.problem)
        print(summary(self.training), f"Kept in {self._kept / name}", sep="\n")
        return self.training

    # What the buttons do ------------------------------------------------------------------------------

    def _start(self) -> None:
        name = _checked(self.name.value)
        if any(run.name == name for run in self._runs()):
            raise InputError(
                f"There is a run '{name}' already: choose it in the list and resume it, or give another name."
            )
        self._begin(name, self.value, self.source.sources)

    def _pause(self) -> None:
        if self.training is not None:
            self.training.pause()

    def _resume(self) -> None:
        if self.training is not None and self.training.state in (PAUSING, PAUSED):
            self.training.resume()
            return
        run = self._selected()
        if run is None:
            raise InputError("Choose the run in the list first.")
        self._begin(run.name, self.value, run.sources)

    def _stop(self) -> None:
        if self.training is not None:
            self.training.stop()

    def _begin(self, name: str, config: TrainConfig, sources: Any) -> None:
        copy = self._kept / name if self._written != self._kept else None
        run = BackgroundRun(config, TrainingData(sources, config), self._written / name, [self._watcher()], copy)
        before, self.training, self.message = self.training, run, ""
        self._say("Getting ready ...")
        try:
            run.start()
        except Exception:
            self.training = before
            raise

    def _watcher(self) -> RunPictures:
        show = functools.partial
        return RunPictures(show(self._show, "curve"), show(self._show, "preview"), self._refresh)

    # What is there ------------------------------------------------------------------------------------

    def _runs(self) -> list[FoundRun]:
        return find_runs(dict.fromkeys([self._written, self._kept]))

    def _selected(self) -> FoundRun | None:
        return next((run for run in self._runs() if run.name == self.choice.value), None)

    def _find(self) -> None:
        """Offer what is there: a run under way, or the latest one that is not finished."""
        busy = active_run()
        runs = self._list_runs()
        if busy is not None:
            self.training = busy
            watcher = self._watcher()
            watcher.catch_up(RunFolder(busy.folder))
            busy.watch(watcher)
        wanted = busy.folder.name if busy is not None else next((run.name for run in runs if not run.finished), NEW)
        self._quiet = True
        self.choice.value = wanted if wanted in {run.name for run in runs} else NEW
        self._quiet = False
        self._safely(lambda _: self._chosen())(None)

    def _list_runs(self) -> list[FoundRun]:
        """Put the runs that are there into the list, and keep what is chosen there."""
        runs, chosen = self._runs(), self.choice.value
        self._quiet = True
        self.choice.options = [("a new run", NEW), *((run.label, run.name) for run in runs)]
        self.choice.value = chosen if chosen in {run.name for run in runs} else NEW
        self._quiet = False
        return runs

    def _chosen(self) -> None:
        """Show the settings and the pictures of what is chosen."""
        if self._quiet:
            return
        run = self._selected()
        self.settings = SettingsPanel(run.config if run else self._plans[self.plan.value], begun=run is not None)
        self._settings_box.children = (self.settings.widget,)
        self._fix(run is not None)
        if self.training is not None and not self.training.under_way:
            self.training = None
        self._show_found(run)
        self._refresh()

    def _show_found(self, run: FoundRun | None) -> None:
        if run is None:
            return
        for name, lines in read_logs([run.folder]).items():
            self._show("curve", draw_curves({name: lines}))
        picture = run.picture()
        if picture is not None:
            with Image.open(picture) as opened:
                self._show("preview", opened.convert("RGB"))

    def _fix(self, fixed: bool) -> None:
        self.name.disabled = self.plan.disabled = fixed
        self.source.set_disabled(fixed)

    # What is shown ------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(self.widget)
        for name, text in (("curve", "The loss curve will be here."), ("preview", "The try-ons will be here.")):
            handle = display(HTML(f"<i>{text}</i>"), display_id=True)
            if handle is not None:
                self._handles[name] = handle
            if getattr(self, name) is not None:
                self._show(name, getattr(self, name))

    def _show(self, name: str, picture: Image.Image) -> None:
        from IPython.display import Image as Picture
        from IPython.display import display

        setattr(self, name, picture)
        if name in self._handles:
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            shown = Picture(data=buffer.getvalue(), format="png")
            display(shown, display_id=self._handles[name].display_id, update=True)

    def _refresh(self) -> None:
        """Bring buttons, bar and sentence up to date; the run's thread calls it too."""
        with self._one:
            self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        run, chosen = self.training, self.choice.value
        if run is not None and run.state == RUNNING and run.progress.loss is None:
            self._took_over(run)
        elif run is not None and not run.under_way and chosen == run.folder.name:
            self._list_runs()
        state = run.state if run is not None else "ready"
        busy = run is not None and run.under_way
        found = None if busy else self._selected()
        self.start.disabled = busy or chosen != NEW
        self.pause.disabled = state != RUNNING
        self.resume.disabled = state not in (PAUSING, PAUSED) and (found is None or found.finished)
        self.stop.disabled = not busy
        self.choice.disabled = busy
        if run is not None:
            self.bar.value = run.progress.step / max(1, run.progress.steps)
            self._say(summary(run))
        elif found is not None:
            self.bar.value = found.step / max(1, found.config.steps)
            hint = "Choose “a new run” to begin another." if found.finished else "Resume goes on with it."
            self._say(f"Found {found.label}. {hint}")
        else:
            self.bar.value = 0.0
            self._say("Nothing is training.")

    def _took_over(self, run: BackgroundRun) -> None:
        """A run has begun: it is what is chosen now, and its settings stand."""
        name = run.folder.name
        self._quiet = True
        if name not in {value for _, value in self.choice.options}:
            self.choice.options = [*self.choice.options, (name, name)]
        self.choice.value = name
        self._quiet = False
        self.settings.lock()
        self._fix(True)

    def _say(self, text: str) -> None:
        text = f"{text}\n{self.message}" if self.message else text
        self._status.value = html.escape(text).replace("\n", "<br>")

    def _button(self, text: str, action: Callable[[], None], style: str) -> Any:
        import ipywidgets as widgets

        button = widgets.Button(description=text, button_style=style)
        button.on_click(self._safely(lambda _: action()))
        return button

    def _safely(self, action: Callable[[Any], None]) -> Callable[[Any], None]:
        """A callback's exception would vanish in the front end's log: show its sentence."""

        def done(event: Any) -> None:
            self.message = ""
            try:
                action(event)
                return
            except VTOError as error:
                self.message = str(error)
            except Exception as error:
                self.message = f"{type(error).__name__}: {error}"
            self._refresh()

        return done


def _checked(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name.strip()):
        raise InputError(f"The name '{name}' cannot be a folder's: use letters, digits, '-' and '_'.")
    return name.strip()
