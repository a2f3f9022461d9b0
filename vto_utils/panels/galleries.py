"""Photos to choose from by a click on their thumbnails, or by name where nobody clicks.

A gallery's buttons are ipywidgets, its thumbnails are not: they are backgrounds given by a style sheet in the cell's
output. Widget state is saved inside a notebook without being seen; so it holds the names of photos and no picture, and
clearing the output removes every thumbnail.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import InputError, VTOError
from ..images import fit, load_image
from ..workspace import image_files

THUMBNAIL = (160, 120)  # (height, width) in pixels
_NAME = 20  # pixels below a thumbnail for its name
_PAPER = "#f0f0ed"
_CHOSEN = "vto-chosen"


class Gallery:
    """The photos of a folder as buttons with thumbnails.

    Args:
        folder: photos directly in it are offered, sorted by name.
        title: what is chosen here, as ``person``; shown above.
        chosen: name of the photo that is chosen at first; the first one when empty.
        limit: of photos that get a button. All others can still be chosen by name.

    Attributes:
        names: of all photos, in order.
        buttons: name -> button; ``click()`` on one does what the mouse does.
        widget: the buttons, to be part of something larger; :meth:`style` must be shown in the same cell.

    Raises:
        InputError: there is no photo, or none of the name ``chosen``.
    """

    def __init__(self, folder: str | os.PathLike, title: str, chosen: str = "", limit: int = 40) -> None:
        import ipywidgets as widgets

        self.folder, self.title = Path(folder), title
        self.names = [path.name for path in image_files(self.folder)]
        if not self.names:
            raise InputError(f"There is no photo in {self.folder}: put one there and run this cell again.")
        self._mark = f"vto-{uuid.uuid4().hex[:8]}"  # style sheets of several cells reach each other
        height, width = THUMBNAIL
        layout = {"width": f"{width + 8}px", "height": f"{height + _NAME + 8}px", "margin": "3px"}
        self.buttons: dict[str, Any] = {}
        for number, name in enumerate(self.names[: max(1, limit)]):
            button = widgets.Button(description=_short(Path(name).stem), tooltip=name, layout=layout)
            button.add_class(self._mark)
            button.add_class(f"{self._mark}-{number}")
            button.on_click(functools.partial(self._clicked, name))
            self.buttons[name] = button
        more = len(self.names) - len(self.buttons)
        text = title + (f" (the first {len(self.buttons)}; {more} more by name)" if more else "")
        box = widgets.Box(
            list(self.buttons.values()),
            layout={"flex_flow": "row wrap", "max_height": f"{2 * (height + _NAME + 24)}px", "overflow": "auto"},
        )
        self.widget = widgets.VBox([widgets.Label(text), box])
        self._value = self.names[0]
        self.value = chosen or self.names[0]

    @property
    def value(self) -> str:
        """The name of the chosen photo; set it to choose another."""
        return self._value

    @value.setter
    def value(self, name: str) -> None:
        if name not in self.names:
            raise InputError(f"There is no {name} in {self.folder}; choose one of {', '.join(self.names)}.")
        self._value = name
        for other, button in self.buttons.items():
            button.button_style = "info" if other == name else ""  # seen even where style sheets are kept out
            button.add_class(_CHOSEN) if other == name else button.remove_class(_CHOSEN)

    @property
    def file(self) -> Path:
        """The chosen photo."""
        return self.folder / self._value

    def style(self) -> str:
        """The style sheet with the thumbnails, as HTML. A photo that cannot be read has a button without one."""
        height = THUMBNAIL[0]
        rules = [
            f".{self._mark} {{padding:{height + 4}px 2px 0 !important;line-height:{_NAME}px !important;"
            f"font-size:11px !important;color:#262626 !important;background:{_PAPER} no-repeat center 4px !important}}",
            f".{self._mark}.{_CHOSEN} {{outline:3px solid #1976d2 !important;outline-offset:-3px;font-weight:bold}}",
        ]
        for number, picture in self._thumbnails():
            rules.append(f".{self._mark}-{number} {{background-image:url({_data(picture)}) !important}}")
        return "<style>" + "\n".join(rules) + "</style>"

    def _thumbnails(self) -> Iterator[tuple[int, Image.Image]]:
        for number, name in enumerate(self.buttons):
            try:
                yield number, thumbnail(self.folder / name)
            except VTOError:  # said in words when it is used
                continue

    def _clicked(self, name: str, _: Any = None) -> None:
        self.value = name

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(HTML(self.style()), self.widget)


def thumbnail(path: str | os.PathLike, size: tuple[int, int] = THUMBNAIL) -> Image.Image:
    """A photo fitted into (height, width) on light paper: PIL RGB, upright and without metadata.

    Raises:
        InputError: the photo cannot be read.
    """
    path = Path(path)
    photo = None
    if path.suffix.lower() in (".jpg", ".jpeg"):
        try:
            # A JPEG can be decoded at an eighth of its size: a folder from a camera opens in seconds.
            with Image.open(path, formats=("JPEG",)) as file:
                file.draft("RGB", (2 * size[1], 2 * size[0]))
                photo = load_image(file)
        except (OSError, ValueError, SyntaxError):  # the long way has the words for what is wrong
            photo = None
    return fit(load_image(path) if photo is None else photo, size, fill=240)


def _short(name: str, most: int = 17) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
