"""Notebook controls, made of what ipywidgets 7.7 (Colab) and 8 have in common.

Every control also works where nobody clicks: ``.value`` gives the answer for the settings as they stand. There is no
upload button on purpose: what is uploaded through one can end up, unseen, inside the saved notebook, and photos of
people must not.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import os
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, VTOError
from .files import atomic_path

_LABEL_STYLE = {"description_width": "150px"}
_ROOM = {"width": "430px"}
_MOST_PLACES = 1000  # of a slider


def config_panel(config: Any, path: str | os.PathLike | None = None) -> ConfigPanel:
    """A panel with one control per field of a dataclass instance.

    A field's ``metadata`` may hold ``min``, ``max``, ``step`` (numbers), ``log`` (a logarithmic slider),
    ``choices`` (a list) and ``help`` (a sentence shown beside the control). Without them the control follows
    the field's type: a check box, a number, a text, a list of the literals or enum members, or "1, 2" for a
    tuple of numbers; ``None`` is an empty text. A field of another type is left as it is and not shown.

    Args:
        config: an instance of a dataclass; it is never changed.
        path: a JSON file that remembers what was set. A remembered value is used only while the value given
            in ``config`` is the one it replaced, so editing the code wins over an old click.

    Raises:
        InputError: ``config`` is no dataclass instance.
    """
    return ConfigPanel(config, path)


class ConfigPanel:
    """Controls for the fields of one dataclass instance; see ``config_panel``.

    Attributes:
        controls: field name -> ipywidgets control; set ``.value`` on one to do what a click does.
        message: the sentence about the last setting that was refused, or "".
    """

    def __init__(self, config: Any, path: str | os.PathLike | None = None) -> None:
        import ipywidgets as widgets

        if not dataclasses.is_dataclass(config) or isinstance(config, type):
            raise InputError(f"config_panel needs an instance of a dataclass, not {type(config).__name__}.")
        self.message = ""
        self._given = config
        self._path = Path(path) if path is not None else None
        self._output = widgets.Output()
        hints = typing.get_type_hints(type(config))
        self._fields: dict[str, _Field] = {}
        for item in dataclasses.fields(config):
            field = _field(item, hints[item.name], getattr(config, item.name)) if item.init else None
            if field is not None:
                self._fields[item.name] = field
        self.controls = {name: field.control for name, field in self._fields.items()}
        self._touched: dict[str, Any] = {}  # only these may differ from what was given
        self._unreadable: dict[str, str] = {}
        self._config = self._remembered()
        for name, field in self._fields.items():
            field.control.value = field.show(getattr(self._config, name))
            field.control.observe(functools.partial(self._changed, name), names="value")
        rows = [
            widgets.HBox([field.control, widgets.Label(field.help)]) if field.help else field.control
            for field in self._fields.values()
        ]
        self.widget = widgets.VBox([*rows, self._output])

    @property
    def value(self) -> Any:
        """A new config with the settings as they stand; the last valid ones while a setting is refused."""
        return self._config

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    def _changed(self, name: str, change: Any) -> None:
        # A callback's exception would vanish in the front end's log, so every failure becomes a sentence.
        self._unreadable.pop(name, None)
        try:
            self._touched[name] = self._fields[name].read(change["new"])
        except ValueError as error:
            self._unreadable[name] = str(error)
        try:
            if self._unreadable:
                raise InputError(" ".join(self._unreadable.values()))
            self._config = dataclasses.replace(self._given, **self._touched)
        except (ValueError, TypeError) as error:
            self._say(f"{str(error).rstrip('.')}. The last valid settings stay in force.")
            return
        try:
            self._remember()
            self._say("")
        except VTOError as error:
            self._say(str(error))

    def _say(self, message: str) -> None:
        self.message = message
        stream = {"output_type": "stream", "name": "stdout", "text": message + "\n"}
        self._output.outputs = (stream,) if message else ()

    def _remember(self) -> None:
        if self._path is None:
            return
        changed = {
            name: {"instead_of": field.show(getattr(self._given, name)), "value": field.control.value}
            for name, field in self._fields.items()
            if getattr(self._config, name) != getattr(self._given, name)
        }
        with atomic_path(self._path) as temporary:
            temporary.write_text(json.dumps(changed, indent=2) + "\n", encoding="utf-8")

    def _remembered(self) -> Any:
        if self._path is None or not self._path.is_file():
            return self._given
        try:
            values = {
                name: self._fields[name].read(entry["value"])
                for name, entry in json.loads(self._path.read_text(encoding="utf-8")).items()
                if name in self._fields and entry["instead_of"] == self._fields[name].show(getattr(self._given, name))
            }
            config = dataclasses.replace(self._given, **values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            # Settings are a convenience: a damaged or outdated file must not stop the notebook.
            self._say(f"{self._path} does not hold settings that fit and was not used.")
            return self._given
        self._touched = values
        return config


@dataclasses.dataclass(frozen=True)
class _Field:
    """One control, and how its value is read and shown."""

    control: Any
    read: Callable[[Any], Any] = lambda value: value
    show: Callable[[Any], Any] = lambda value: value
    help: str = ""


def _field(item: dataclasses.Field, hint: Any, value: Any) -> _Field | None:
    """The control for one field of a dataclass; None when its type has none."""
    import ipywidgets as widgets

    rules = item.metadata
    about = str(rules.get("help", ""))
    label = item.name.replace("_", " ")
    common: dict[str, Any] = {"description": label, "style": _LABEL_STYLE, "layout": _ROOM}
    choices = rules.get("choices") or _choices(hint)
    kind, optional = _without_none(hint)
    if choices:
        choices = [*choices] if value in choices else [value, *choices]
        names = [str(choice.value if isinstance(choice, enum.Enum) else choice) for choice in choices]
        return _Field(
            widgets.Dropdown(options=names, **common),
            lambda name: choices[names.index(name)],
            lambda choice: names[choices.index(choice)],
            about,
        )
    if kind is bool and not optional:
        return _Field(widgets.Checkbox(value=value, **common, indent=True), help=about)
    if kind in (int, float) and not optional:
        return _Field(_number(kind, rules, value, common), kind, help=about)
    if kind in (int, float, str):
        return _text(kind, optional, item.name, common, about)
    if typing.get_origin(kind) is tuple:
        return _tuple(kind, item.name, common, about)
    return None


def _number(kind: type, rules: Any, value: float, common: dict[str, Any]) -> Any:
    import ipywidgets as widgets

    low, high = rules.get("min"), rules.get("max")
    if low is None and high is None:
        box = widgets.IntText if kind is int else widgets.FloatText
        return box(value=value, **common)
    low = None if low is None else min(low, value)  # a slider would silently move a value outside its ends
    high = None if high is None else max(high, value)
    step = rules.get("step")
    # A mouse cannot choose one of a million numbers, and a step of 0.1 would not reach 0.05.
    wide = kind is int and low is not None and high is not None and (high - low) / (step or 1) > _MOST_PLACES
    if step is None and kind is float and low is not None and high is not None and high > low:
        step = 10.0 ** np.floor(np.log10((high - low) / _MOST_PLACES))
    steps = {} if step is None else {"step": step}
    if low is not None and high is not None and kind is float and rules.get("log"):
        low, high = float(np.log10(low)), float(np.log10(high))
        return widgets.FloatLogSlider(value=value, min=low, max=high, readout_format=".2e", **common)
    if low is not None and high is not None and not wide:
        if kind is int:
            return widgets.IntSlider(value=value, min=low, max=high, **steps, **common)
        return widgets.FloatSlider(value=value, min=low, max=high, readout_format=".4g", **steps, **common)
    box = widgets.BoundedIntText if kind is int else widgets.BoundedFloatText
    limits = {"min": -1e9 if low is None else low, "max": 1e9 if high is None else high}
    return box(value=value, **{name: kind(limit) for name, limit in limits.items()}, **steps, **common)


def _text(kind: type, optional: bool, name: str, common: dict[str, Any], about: str) -> _Field:
    import ipywidgets as widgets

    def read(text: str) -> Any:
        text = text.strip()
        if optional and not text:
            return None
        try:
            return kind(text)
        except ValueError:
            raise InputError(f"{name} must be {_WORDS[kind]}, not {text!r}.") from None

    return _Field(widgets.Text(**common), read, lambda value: "" if value is None else str(value), about)


def _tuple(kind: Any, name: str, common: dict[str, Any], about: str) -> _Field | None:
    import ipywidgets as widgets

    parts = typing.get_args(kind)
    repeated = len(parts) == 2 and parts[1] is Ellipsis
    if not parts or any(part not in (int, float, str) for part in (parts[:1] if repeated else parts)):
        return None

    def read(text: str) -> tuple:
        words = [word.strip() for word in text.split(",") if word.strip()]
        wanted = [parts[0]] * len(words) if repeated else list(parts)
        if len(words) != len(wanted):
            raise InputError(f"{name} needs {len(wanted)} values with commas between them, not {text!r}.")
        try:
            return tuple(part(word) for part, word in zip(wanted, words, strict=True))
        except ValueError:
            raise InputError(f"{name} must hold {_WORDS[wanted[0]]} in each place, not {text!r}.") from None

    return _Field(widgets.Text(**common), read, lambda value: ", ".join(map(str, value)), about)


_WORDS = {int: "a whole number", float: "a number", str: "a text"}


def _choices(hint: Any) -> list[Any]:
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return list(hint)
    return []


def _without_none(hint: Any) -> tuple[Any, bool]:
    """(int, True) for ``int | None``; other types as they are."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(parts) == 1:
            return parts[0], True
    return hint, False
