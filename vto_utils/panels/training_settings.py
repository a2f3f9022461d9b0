"""The controls of a whole training: one :class:`~vto_utils.widgets.ConfigPanel` for each part of a ``TrainConfig``.

Everything is read off the dataclasses: a nested one becomes a part of its own, a tuple of them one part for each, and
the fields marked ``free`` stand together, for only they may differ when a run goes on.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..training.config import StageConfig, TrainConfig
from ..widgets import ConfigPanel

_NAMES = {"warp": "the garment warper", "synth": "the synthesizer", "joint": "both networks together"}


def first_look(steps: int = 12, size: tuple[int, int] = (128, 96)) -> TrainConfig:
    """Every stage of a training in so few steps that it is over soon: it shows the loop and teaches next to nothing.

    Args:
        steps: of all stages together; half of them train the warper.
        size: (height, width) of the samples.
    """
    parts = [("warp", steps - steps // 4 - steps // 4, 1e-3), ("synth", steps // 4, 1e-3), ("joint", steps // 4, 2e-4)]
    stages = tuple(StageConfig(name, count, size, 2, learning_rate=rate) for name, count, rate in parts if count)
    often = max(1, steps // 3)
    return dataclasses.replace(
        TrainConfig.quick(), stages=stages, validate_every=often, picture_every=often, validation_samples=2,
        picture_samples=2, losses={"features": 0, "image_features": 0}, length=max(16, 2 * steps), average=0.5,
    )  # fmt: skip


def plans(config: TrainConfig) -> dict[str, TrainConfig]:
    """What a user may begin from: name -> configuration; the first is the one given."""
    return {"as set in the notebook": config, "a few minutes": TrainConfig.quick(), "in earnest": TrainConfig()}


class SettingsPanel:
    """Folded-up groups of controls for a :class:`.training.config.TrainConfig`.

    Args:
        config: what is shown first; it is never changed.
        begun: the settings are those of a run that is there: only what may differ when it goes on can be changed.

    Attributes:
        parts: name -> :class:`~vto_utils.widgets.ConfigPanel`: ``run``, ``stages.0`` and so on, ``losses``. Their
            ``controls`` are those of the fields.
        widget: an ipywidgets ``Accordion``.
    """

    def __init__(self, config: TrainConfig, begun: bool = False) -> None:
        import ipywidgets as widgets

        self._config = config
        self.parts: dict[str, ConfigPanel] = {"run": ConfigPanel(config)}
        groups: list[tuple[str, Any]] = []
        for item in dataclasses.fields(config):
            value = getattr(config, item.name)
            several = isinstance(value, tuple) and all(dataclasses.is_dataclass(one) for one in value)
            for number, one in enumerate(value if several else [value]):
                if not dataclasses.is_dataclass(one):
                    continue
                name = f"{item.name}.{number}" if several else item.name
                self.parts[name] = ConfigPanel(one)
                groups.append((_title(name, one), self.parts[name].widget))
        fixed, free = _halves(self.parts["run"])
        groups += [("Optimiser, data and seed", fixed), ("Machine, checkpoints and pictures", free)]
        self.widget = widgets.Accordion(children=[child for _, child in groups], selected_index=None)
        for number, (title, _) in enumerate(groups):
            self.widget.set_title(number, title)
        if begun:
            self.lock()

    @property
    def value(self) -> TrainConfig:
        """The configuration as the controls stand."""
        changes: dict[str, Any] = {}
        lists: dict[str, dict[int, Any]] = {}
        for name, panel in self.parts.items():
            field, _, number = name.partition(".")
            if number:
                lists.setdefault(field, {})[int(number)] = panel.value
            elif field != "run":
                changes[field] = panel.value
        changes |= {field: tuple(values[n] for n in sorted(values)) for field, values in lists.items()}
        return dataclasses.replace(self.parts["run"].value, **changes)

    @property
    def messages(self) -> list[str]:
        """The sentences about settings that were refused."""
        return [panel.message for panel in self.parts.values() if panel.message]

    def lock(self) -> None:
        """Leave only those controls alive whose fields may differ when the run goes on."""
        for name, panel in self.parts.items():
            kind = type(panel.value)
            free = {item.name for item in dataclasses.fields(kind) if item.metadata.get("free")}
            for field, control in panel.controls.items():
                control.disabled = field not in free or (name, field) == ("run", "stages")


def _title(name: str, part: Any) -> str:
    if not isinstance(part, StageConfig):
        return f"{name.capitalize()}: what each error counts"
    number = int(name.partition(".")[2]) + 1
    return f"Stage {number}: {_NAMES[part.trains]}, {part.size[0]}x{part.size[1]}, {part.steps} steps"


def _halves(panel: ConfigPanel) -> tuple[Any, Any]:
    """The rows of a panel's fixed and of its free fields; the place of its message is in the first."""
    import ipywidgets as widgets

    *rows, message = panel.widget.children
    free = {item.name for item in dataclasses.fields(panel.value) if item.metadata.get("free")}
    named = list(zip(panel.controls, rows, strict=True))
    return (
        widgets.VBox([*(row for name, row in named if name not in free), message]),
        widgets.VBox([row for name, row in named if name in free]),
    )
