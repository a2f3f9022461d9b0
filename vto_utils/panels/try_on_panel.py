"""The controls of a try-on in a notebook: galleries to choose from, settings, a button, and the result below.

Made of what ipywidgets 7.7 (Colab) and 8 have in common. Everything also works where nobody clicks: ``.value`` holds
the settings and ``.run()`` does what the button does. Pictures are shown as outputs of the cell and never kept in
widgets, whose state is saved inside a notebook without being seen. There is no upload button for the same reason.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import VTOError
from ..plots import labelled_sheet
from .before_after import BeforeAfter
from .fitting_room import AS_PHOTO, KINDS, FittingRoom, TryOnSettings
from .galleries import Gallery
from .network_choice import OWN
from .result_files import record, save_result

RESOLUTIONS = (AS_PHOTO, "512x384", "768x576", "1024x768")
MOST_STEPS = 100  # of the slider; the settings given may hold more
_LABEL_STYLE = {"description_width": "150px"}
_ROOM = {"width": "560px"}


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Print the sentence of an error that a user can put right, in place of the error.

    So a notebook that lacks something says what, and its next cells still run.
    """
    try:
        yield
    except VTOError as error:
        print(error)


def try_on_panel(
    room: FittingRoom,
    person: str = "",
    garment: str = "",
    category: str = "auto",
    networks: str = OWN,
    refine: int = 0,
    resolution: str = AS_PHOTO,
) -> TryOnPanel:
    """Choose a person, a garment and settings, and try it on.

    Args:
        room: where; its workspace holds the photos and gets the results.
        person, garment: names of the photos chosen at first; the first ones when empty.
        category, networks, refine, resolution: set at first, as in :class:`.fitting_room.TryOnSettings`.

    Nothing is raised for what is missing or unknown: the panel shows the sentence that says so, and its ``run`` and
    ``outfit`` raise it.
    """
    return TryOnPanel(room, person, garment, category, networks, refine, resolution)


class TryOnPanel:
    """Galleries, settings and a button; see :func:`try_on_panel`.

    Attributes:
        person, garment: the galleries (:class:`.galleries.Gallery`); None where there is nothing to choose.
        category, networks, resolution: lists (ipywidgets ``Dropdown``); ``refine``: a slider; ``stages``: a check box.
        button: does what ``run`` does and shows the result below the panel.
        result: the last result, or None.
        saved: the file of the last result, or None.
        message: the sentence about what is missing or failed last, or "".
    """

    def __init__(self, room: FittingRoom, person: str, garment: str, *settings: Any) -> None:
        import ipywidgets as widgets

        self.room = room
        self.person: Gallery | None = None
        self.garment: Gallery | None = None
        self.result: Any = None
        self.saved: Path | None = None
        self.message = ""
        self._lacking: VTOError | None = None
        self._shown: list[Any] = []
        try:
            start = TryOnSettings(*settings)
            chosen = room.choice(start)
            self.person = Gallery(room.workspace.persons, "person", person)
            self.garment = Gallery(room.workspace.cloths, "garment", garment)
        except VTOError as error:
            self._lacking, self.message = error, str(error)
            return
        common: dict[str, Any] = {"style": _LABEL_STYLE, "layout": _ROOM}
        self.category = widgets.Dropdown(
            options=list(KINDS), value=start.category, description="kind of garment", **common
        )
        choices = [*room.networks.choices]
        choices += [] if chosen in choices else [chosen]
        self.networks = widgets.Dropdown(
            options=[(choice.label, choice.name) for choice in choices],
            value=chosen.name, description="networks", **common,
        )  # fmt: skip
        self.refine = widgets.IntSlider(
            value=start.refine, min=0, max=max(MOST_STEPS, start.refine), step=1,
            description="refine, steps", **common,
        )  # fmt: skip
        sizes = list(dict.fromkeys([*RESOLUTIONS, start.resolution]))
        self.resolution = widgets.Dropdown(
            options=sizes, value=start.resolution, description="height x width", **common
        )
        self.stages = widgets.Checkbox(value=False, description="show every step", **common)
        self.button = widgets.Button(description="Try it on", button_style="primary")
        self.button.on_click(self._clicked)
        self._status = widgets.HTML()
        self.widget = widgets.VBox(
            [
                self.person.widget, self.garment.widget, self.category, self.networks, self.refine, self.resolution,
                self.stages, self.button, self._status,
            ]
        )  # fmt: skip

    @property
    def value(self) -> TryOnSettings:
        """The settings as they stand.

        Raises:
            InputError: there is nothing to choose from.
        """
        self._check()
        return TryOnSettings(self.category.value, self.networks.value, int(self.refine.value), self.resolution.value)

    def run(self, stages: bool = False) -> Any:
        """Try the chosen garment on the chosen person, save the picture and return the result.

        The picture is written as PNG into the workspace's results, with the settings in it
        (:mod:`vto_utils.panels.result_files`).

        Args:
            stages: also make the pictures of all steps.

        Raises:
            VTOError: nothing to choose from, a photo cannot be used, or the result cannot be saved.
        """
        settings = self.value
        person, garment = self.person.file, self.garment.file
        result = self.room.dress(person, garment, settings, stages)
        name = f"{person.stem}--{garment.stem}"
        facts = record(self.room, settings, [result])
        self.saved = save_result(result.image, self.room.workspace.results, name, facts)
        self.result, self.message = result, ""
        return result

    def outfit(self) -> list[Any]:
        """Put the chosen garment on the chosen person, with the first photo of what goes with it, and save the end.

        Returns:
            Two results in the order of dressing; the last one wears both.

        Raises:
            VTOError: as ``run``, or nothing goes with the garment.
        """
        settings, workspace = self.value, self.room.workspace
        results = self.room.outfit(self.person.file, self.garment.file, workspace.cloth_files(), settings)
        facts = record(self.room, settings, results)
        name = f"{self.person.file.stem}--{self.garment.file.stem}-outfit"
        self.saved = save_result(results[-1].image, workspace.results, name, facts)
        return results

    def _check(self) -> None:
        if self._lacking is not None:
            raise self._lacking

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        if self._lacking is not None:
            print(self.message)
            return
        print(f"Networks: {self.room.choice(self.value).label}.", *self.room.networks.notes, sep="\n")
        display(HTML(self.person.style() + self.garment.style()), self.widget)
        # A display can be updated from a button and is still the cell's own output: no picture enters a widget.
        self._shown = [handle for handle in (display(HTML(""), display_id=True) for _ in range(2)) if handle]

    def _say(self, text: str) -> None:
        self._status.value = html.escape(text).replace("\n", "<br>")

    def _clicked(self, _: Any) -> None:
        self.button.disabled = True
        self._say("Working ...")
        try:
            result = self.run(self.stages.value)
        except VTOError as error:
            self.message = str(error)
            self._say(self.message)
        except Exception as error:
            self.message = f"{type(error).__name__}: {error}"
            self._say(self.message)
            raise
        else:
            self._say("\n".join([*result.notes, f"Saved as {self.saved}"]))
            self._show(result)
        finally:
            self.button.disabled = False

    def _show(self, result: Any) -> None:
        from IPython.display import HTML

        steps = labelled_sheet([*result.stages.values()], [*result.stages], columns=5) if result.stages else HTML("")
        for handle, picture in zip(self._shown, (BeforeAfter(result.person.image, result.image), steps), strict=False):
            handle.update(picture)
