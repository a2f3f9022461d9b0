from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from typing import Literal

import pytest

from vto_utils.errors import InputError
from vto_utils.widgets import config_panel


class Speed(enum.Enum):
    SLOW = "slow"
    FAST = "fast"


@dataclass(frozen=True)
class Config:
    steps: int = field(default=10, metadata={"min": 1, "max": 100, "help": "how long"})
    rate: float = field(default=1e-3, metadata={"min": 1e-5, "max": 1.0, "log": True})
    weight: float = 0.5
    seed: int = 0
    flip: bool = True
    name: str = "run"
    size: tuple[int, int] = (256, 192)
    betas: tuple[float, ...] = (0.9, 0.999)
    limit: int | None = None
    warp: Literal["tps", "flow"] = "tps"
    speed: Speed = Speed.SLOW
    device: str = field(default="auto", metadata={"choices": ["auto", "cpu"]})
    anything: object = None

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError("weight must not be negative.")
        if self.limit is not None and self.limit < self.steps:
            raise ValueError("limit must be at least steps.")


def test_untouched_panel_gives_the_config_back():
    assert config_panel(Config()).value == Config()
    assert config_panel(Config(steps=7, limit=9, rate=3e-4)).value == Config(steps=7, limit=9, rate=3e-4)


@pytest.mark.parametrize(
    ("name", "shown", "meant"),
    [
        ("steps", 42, 42),
        ("rate", 1e-2, 1e-2),
        ("weight", 0.75, 0.75),
        ("seed", -3, -3),
        ("flip", False, False),
        ("name", "night run", "night run"),
        ("size", "512, 384", (512, 384)),
        ("betas", "0.5, 0.6, 0.7", (0.5, 0.6, 0.7)),
        ("limit", "50", 50),
        ("warp", "flow", "flow"),
        ("speed", "fast", Speed.FAST),
        ("device", "cpu", "cpu"),
    ],
)
def test_setting_a_control_gives_a_new_config(name, shown, meant):
    given = Config()
    panel = config_panel(given)
    panel.controls[name].value = shown
    assert getattr(panel.value, name) == meant
    assert type(getattr(panel.value, name)) is type(meant)
    assert given == Config()
    assert panel.message == ""


def test_optional_number_can_be_emptied():
    panel = config_panel(Config(limit=50))
    panel.controls["limit"].value = " "
    assert panel.value.limit is None


def test_unknown_types_are_left_alone():
    marker = object()
    panel = config_panel(Config(anything=marker))
    assert "anything" not in panel.controls
    panel.controls["steps"].value = 3
    assert panel.value.anything is marker


def test_bounds_and_help_come_from_the_metadata():
    panel = config_panel(Config())
    assert (panel.controls["steps"].min, panel.controls["steps"].max) == (1, 100)
    panel.controls["steps"].value = 1000
    assert panel.value.steps == 100
    labels = [row.children[1].value for row in panel.widget.children if hasattr(row, "children")]
    assert labels == ["how long"]


def test_value_outside_the_bounds_is_not_moved():
    panel = config_panel(Config(steps=500, rate=1e-7))
    panel.controls["flip"].value = False
    assert (panel.value.steps, panel.value.rate) == (500, 1e-7)
    assert panel.controls["steps"].value == 500


def test_refused_setting_becomes_a_sentence_and_changes_nothing():
    panel = config_panel(Config())
    panel.controls["weight"].value = 0.25
    panel.controls["weight"].value = -1.0
    assert panel.value == Config(weight=0.25)
    assert "weight must not be negative" in panel.message
    assert "weight must not be negative" in panel.widget.children[-1].outputs[0]["text"]
    panel.controls["weight"].value = 0.1
    assert panel.value == Config(weight=0.1)
    assert panel.message == "" and panel.widget.children[-1].outputs == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("size", "256", "needs 2 values"),
        ("size", "256, wide", "whole number"),
        ("betas", "0.5, x", "a number"),
        ("limit", "many", "whole number"),
    ],
)
def test_text_that_cannot_be_read(name, text, words):
    panel = config_panel(Config())
    panel.controls[name].value = text
    assert words in panel.message and name in panel.message
    panel.controls["seed"].value = 5  # another control does not hide it
    assert words in panel.message
    assert panel.value == Config()


def test_two_settings_that_are_valid_only_together():
    panel = config_panel(Config(steps=10, limit=20))
    panel.controls["steps"].value = 50
    assert panel.value.steps == 10
    panel.controls["limit"].value = "60"
    assert panel.value == Config(steps=50, limit=60)


def test_settings_are_remembered(tmp_path):
    path = tmp_path / "run" / "settings.json"
    first = config_panel(Config(), path)
    assert not path.exists()
    first.controls["steps"].value = 42
    first.controls["size"].value = "512, 384"
    first.controls["speed"].value = "fast"
    second = config_panel(Config(), path)
    assert second.value == Config(steps=42, size=(512, 384), speed=Speed.FAST)
    assert second.controls["steps"].value == 42
    second.controls["speed"].value = "slow"
    assert set(json.loads(path.read_text())) == {"steps", "size"}


def test_edited_code_wins_over_an_old_click(tmp_path):
    path = tmp_path / "settings.json"
    panel = config_panel(Config(steps=10), path)
    panel.controls["steps"].value = 42
    panel.controls["seed"].value = 7
    assert config_panel(Config(steps=20), path).value == Config(steps=20, seed=7)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"steps": 3}', '{"weight": {"instead_of": 0.5, "value": -1}}', "\udcff"]
)
def test_damaged_settings_file(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    panel = config_panel(Config(), path)
    assert panel.value == Config()
    assert str(path) in panel.message
    panel.controls["steps"].value = 5
    assert config_panel(Config(), path).value.steps == 5


def test_settings_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    panel = config_panel(Config(), tmp_path / "file" / "settings.json")
    panel.controls["steps"].value = 5
    assert panel.value.steps == 5
    assert "Could not write" in panel.message


@pytest.mark.parametrize("config", [Config, {"steps": 1}, None])
def test_only_dataclass_instances(config):
    with pytest.raises(InputError, match="dataclass"):
        config_panel(config)
