"""The controls of the pre-processing in a notebook: photos to choose, sliders for the steps, findings and pictures.

Made of what ipywidgets 7.7 (Colab) and 8 have in common. Everything also works where nobody clicks: ``.value`` holds
the settings and ``.run()`` does what the button does. Pictures are shown as outputs of the cell, never in widgets.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import InputError, VTOError
from ..images import save_image
from ..plots import labelled_sheet
from ..widgets import ConfigPanel
from ..workspace import Workspace
from .findings import FindingsTable, findings_table
from .galleries import Gallery
from .photo_upload import UploadButton
from .preprocessing_stages import STAGES, PersonStages, Stages, StageSettings, look_at_garment, look_at_person

_KEPT = 4  # photos of each kind that stay in memory with what was found in them


def preprocessing_panel(
    workspace: Workspace,
    person: str = "",
    garment: str = "",
    settings: StageSettings | None = None,
    backend: str = "auto",
    device: str = "auto",
    make: Callable[..., Any] | None = None,
) -> PreprocessingPanel:
    """Choose two photos and look at every step that is taken with them.

    Args:
        workspace: holds the photos.
        person, garment: names of the photos chosen at first; the first ones when empty.
        settings: of the steps, set at first.
        backend: of :class:`vto_utils.segmentation.PersonSegmenter`.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        make: called as :class:`vto_utils.tryon.TryOn`, which it is when not given.

    Nothing is raised for photos that are missing: the panel shows the sentence that says so, and ``run`` raises it.
    """
    return PreprocessingPanel(workspace, person, garment, settings or StageSettings(), backend, device, make)


class PreprocessingPanel:
    """Galleries, sliders, upload buttons and a button; see :func:`preprocessing_panel`.

    Attributes:
        person, garment: the galleries; None where there is nothing to choose.
        settings: the sliders (:class:`vto_utils.widgets.ConfigPanel` of
            :class:`.preprocessing_stages.StageSettings`).
        uploads: the two upload buttons.
        button: looks at the chosen photos and shows what was found below the panel.
        stages: what was found last, or None.
        message: the sentence about what is missing or failed last, or "".
    """

    def __init__(
        self,
        workspace: Workspace,
        person: str,
        garment: str,
        settings: StageSettings,
        backend: str,
        device: str,
        make: Callable[..., Any] | None,
    ) -> None:
        import ipywidgets as widgets

        self.workspace = workspace
        self._options = {"warp": "geometric", "segmentation": backend, "device": device}
        self._make = make or _make
        self.person: Gallery | None = None
        self.garment: Gallery | None = None
        self.stages: Stages | None = None
        self.message = ""
        self._lacking: VTOError | None = None
        self._shown: list[Any] = []
        self._look_at_person = functools.lru_cache(_KEPT)(self._read_person)
        self._look_at_garment = functools.lru_cache(_KEPT)(self._read_garment)
        self.uploads = (
            UploadButton(workspace.persons, "Add people ..."), UploadButton(workspace.cloths, "Add garments ...")
        )  # fmt: skip
        rows = [upload.widget for upload in self.uploads]
        try:
            self.person = Gallery(workspace.persons, "person", person)
            self.garment = Gallery(workspace.cloths, "garment", garment)
        except VTOError as error:
            self._lacking, self.message = error, str(error)
        self.settings = ConfigPanel(settings)
        for control in self.settings.controls.values():
            control.observe(self._moved, names="value")
        self.button = widgets.Button(description="Look at them", button_style="primary")
        self.button.on_click(self._clicked)
        self._status = widgets.HTML()
        if self._lacking is None:
            rows = [
                self.person.widget, self.garment.widget, *rows, self.settings.widget, self.button, self._status
            ]  # fmt: skip
        self.widget = widgets.VBox(rows)

    @property
    def value(self) -> StageSettings:
        """The settings as they stand."""
        return self.settings.value

    @functools.cached_property
    def models(self) -> Any:
        """The :class:`vto_utils.tryon.TryOn` whose models are used, loaded when first asked for.

        Raises:
            InputError: the backend or the device is not here.
            AssetError: a model file is missing.
        """
        return self._make(**self._options)

    def run(self) -> Stages:
        """Look at the chosen photos with the settings as they stand; a photo is looked at once for each setting.

        Raises:
            InputError: nothing to choose from, a photo cannot be read, or there is no such person in it.
            AssetError: a model file is missing.
        """
        if self._lacking is not None:
            raise self._lacking
        settings = self.value
        garment = self._look_at_garment(*_identity(self.garment.file), settings.category)
        person = self._look_at_person(*_identity(self.person.file), settings.person, settings.grow)
        self.stages, self.message = Stages(person, garment, settings), ""
        return self.stages

    def findings(self) -> tuple[FindingsTable, FindingsTable]:
        """What looks wrong with the two photos, person first. Errors as for :meth:`run`."""
        stages = self.run()
        return (
            findings_table(stages.person.findings, self.person.value),
            findings_table(stages.garment.findings, self.garment.value),
        )

    def save_cutout(self) -> Path:
        """Write the chosen person, cut out with a soft edge, as a PNG with transparency into the results.

        Raises:
            VTOError: nobody was found, or the file cannot be written.
        """
        stages = self.run()
        path = self.workspace.results / f"{self.person.file.stem}--cutout.png"
        save_image(stages.person.cutout(stages.settings.feather), path)
        return path

    def sheet(self) -> Image.Image:
        """The pictures of all steps that went well. Errors as for :meth:`run`."""
        stages = self.run()
        pictures: dict[str, Image.Image] = {}
        for stage in STAGES:
            try:
                pictures |= {f"{stage}: {title}": picture for title, picture in stages.pictures(stage).items()}
            except VTOError:  # among the findings
                continue
        return labelled_sheet([*pictures.values()], [*pictures], columns=6, cell=(300, 225))

    def _read_person(self, path: Path, stamp: Any, number: int, grow: int) -> PersonStages:
        return look_at_person(self.models, path, StageSettings(number, grow))

    def _read_garment(self, path: Path, stamp: Any, category: str) -> Any:
        return look_at_garment(self.models, path, category)

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        if self._lacking is not None:
            print(self.message)
            display(self.widget)
            return
        display(HTML(self.person.style() + self.garment.style()), self.widget)
        # A display can be updated from a button and is still the cell's own output: no picture enters a widget.
        self._shown = [handle for handle in (display(HTML(""), display_id=True) for _ in range(3)) if handle]

    def _clicked(self, _: Any) -> None:
        self.button.disabled = True
        self._say("Working ...")
        try:
            contents = [*self.findings(), self.sheet()]
        except VTOError as error:
            self._say(str(error))
        except Exception as error:
            self._say(f"{type(error).__name__}: {error}")
            raise
        else:
            self._say("")
            for handle, content in zip(self._shown, contents, strict=False):
                handle.update(content)
        finally:
            self.button.disabled = False

    def _moved(self, _: Any) -> None:
        if self.stages is not None and self._shown:  # only after the first click: before it nothing is shown
            self._clicked(None)

    def _say(self, text: str) -> None:
        self.message = "" if text.startswith("Working") else text
        self._status.value = html.escape(text)


def _identity(path: Path) -> tuple[Path, tuple[int, int]]:
    """A photo, and what changes when it does.

    Raises:
        InputError: it is gone.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): run this cell again.") from error
    return path, (facts.st_mtime_ns, facts.st_size)


def _make(**options: Any) -> Any:
    from ..tryon import TryOn

    return TryOn(**options)
