from __future__ import annotations

import dataclasses
import json
import shutil
import time

import ipywidgets
import pytest
import torch
import training_items as drawn
from PIL import Image

from vto_utils.datasets import recognise
from vto_utils.errors import InputError
from vto_utils.panels import training_panel as module
from vto_utils.panels.run_curves import draw_curves, read_logs, run_table
from vto_utils.panels.training_panel import training_panel
from vto_utils.panels.training_settings import SettingsPanel, first_look
from vto_utils.panels.training_sources import SourceChoice, found_data_sets, pair_folder
from vto_utils.training.background import active_run
from vto_utils.training.config import LossWeights, StageConfig, TrainConfig
from vto_utils.training.loop import Trainer
from vto_utils.training.store import RunFolder
from vto_utils.workspace import Workspace

STAGES = (StageConfig("warp", 2, drawn.SIZE, 2), StageConfig("synth", 2, (32, 32), 1))
WATCHED = dict(validation_samples=2, picture_samples=1, validate_every=2, picture_every=2)
CONFIG = drawn.config(*STAGES, **WATCHED)


class Data(drawn.DrawnData):
    """In place of what the sources name; a run can be held at the data, and data can be missing."""

    problem = ""

    def __init__(self, sources, config):
        super().__init__(config)
        self.sources = list(sources)

    def train(self, size):
        if self.problem:
            raise InputError(self.problem)
        return super().train(size)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(module, "TrainingData", Data)
    yield
    left = active_run()
    if left is not None:
        left.stop()
        assert left.wait(30)
    torch.set_num_threads(threads)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return place(tmp_path / "kept")


def place(root, on_drive=False) -> Workspace:
    folders = {name: root / name for name in ("persons", "cloths", "checkpoints", "results", "models")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for folder in ("persons", "cloths"):
        for name in ("a.png", "b.png"):
            Image.new("RGB", (48, 64), "white").save(folders[folder] / name)
    return Workspace(root, **folders, on_drive=on_drive)


def until(panel, state, seconds=60.0):
    """Wait until the run is in this state and the panel has been told."""
    end = time.monotonic() + seconds

    def told() -> bool:
        return "Paused" in said(panel) if state == "paused" else panel.training.wait(0)

    while panel.training.state != state or not told():
        assert time.monotonic() < end, f"{panel.training.state} and not {state}: {panel.training.problem}"
        time.sleep(0.005)


def said(panel) -> str:
    return panel._status.value


def alive(panel) -> list[str]:
    return [name for name in ("start", "pause", "resume", "stop") if not getattr(panel, name).disabled]


def weights(folder) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in RunFolder(folder).load()["networks"].values()])


# Settings -----------------------------------------------------------------------------------------


def test_every_part_of_the_configuration_has_its_controls():
    panel = SettingsPanel(TrainConfig())
    assert panel.value == TrainConfig() and panel.messages == []
    assert set(panel.parts) == {"run", "losses", *(f"stages.{n}" for n in range(4))}
    shown = {name: set(part.controls) for name, part in panel.parts.items()}
    assert shown["losses"] == {item.name for item in dataclasses.fields(LossWeights)}
    assert shown["stages.1"] == {item.name for item in dataclasses.fields(StageConfig)}
    # What is left out are nested parts, and tables of settings of other modules.
    left = {item.name for item in dataclasses.fields(TrainConfig)} - shown["run"]
    assert left == {"stages", "losses", "gmm", "tom", "discriminator", "augmentation"}
    titles = [panel.widget.get_title(number) for number in range(len(panel.widget.children))]
    assert titles[0] == "Stage 1: the garment warper, 128x96, 30000 steps" and len(set(titles)) == 7


def test_a_control_of_each_part_changes_its_value():
    panel = SettingsPanel(TrainConfig())
    panel.parts["run"].controls["seed"].value = 7
    panel.parts["losses"].controls["flow"].value = 0.25
    panel.parts["stages.2"].controls["steps"].value = 12_345
    panel.parts["stages.2"].controls["size"].value = "512, 384"
    value = panel.value
    assert (value.seed, value.losses.flow) == (7, 0.25)
    assert value.stages[2] == dataclasses.replace(TrainConfig().stages[2], steps=12_345, size=(512, 384))
    assert value.stages[:2] == TrainConfig().stages[:2]
    panel.parts["stages.2"].controls["size"].value = "500, 384"
    assert "multiples of 16" in panel.messages[0] and panel.value == value


def test_controls_fit_their_ranges():
    """A slider of a million places cannot be used, and one in steps of 0.1 never shows 0.05."""
    parts = SettingsPanel(TrainConfig()).parts
    seed, coarse = parts["run"].controls["seed"], parts["losses"].controls["coarse_flow"]
    assert isinstance(seed, ipywidgets.BoundedIntText) and seed.max == 2**32 - 1
    assert isinstance(coarse, ipywidgets.FloatSlider) and coarse.step == pytest.approx(0.01)
    assert isinstance(parts["stages.0"].controls["learning_rate"], ipywidgets.FloatLogSlider)


def test_settings_of_a_run_that_is_there_are_fixed():
    parts = SettingsPanel(CONFIG, begun=True).parts
    assert parts["run"].controls["seed"].disabled and parts["losses"].controls["flow"].disabled
    assert not parts["run"].controls["save_every"].disabled and not parts["stages.0"].controls["batch"].disabled


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 12, 500])
def test_first_look_has_just_these_steps(steps):
    config = first_look(steps)
    assert config.steps == steps and config.stages[0].trains == "warp"
    assert {stage.trains for stage in config.stages} == ({"warp", "synth", "joint"} if steps >= 4 else {"warp"})


# What is learned from -----------------------------------------------------------------------------


def test_sources(workspace, tmp_path):
    choice = SourceChoice(workspace)
    assert choice.sources == ["made"]
    assert [control.layout.display for control in (choice.person, choice.folder)] == ["none", "none"]
    choice.kind.value = "pair"
    assert [control.layout.display for control in (choice.person, choice.folder)] == [None, "none"]
    choice.cloth.value = "b.png"
    (folder,) = choice.sources
    assert recognise(folder) == "two folders" and folder.endswith("a--b")
    assert [str(path) for path in found_data_sets(workspace)] == [folder]
    assert SourceChoice(workspace, "folder").sources == [folder]
    choice.kind.value = "folder"
    with pytest.raises(InputError, match="Write the folder"):
        _ = choice.sources
    choice.folder.value = str(tmp_path / "nowhere")
    with pytest.raises(InputError, match="nowhere"):
        _ = choice.sources
    with pytest.raises(InputError, match="no kind of data 'cats'"):
        SourceChoice(workspace, "cats")
    with pytest.raises(InputError, match="no photo"):
        pair_folder(tmp_path / "none.jpg", workspace.cloth_file(), tmp_path)


# The panel ----------------------------------------------------------------------------------------


def test_headless_run_trains_once(workspace, capsys):
    panel = training_panel(workspace, CONFIG, "one")
    assert panel.value == CONFIG and alive(panel) == ["start"]
    run = panel.run()
    assert run.state == "finished" and "one: Finished." in capsys.readouterr().out
    assert panel.curve.size == (860, 340) and panel.preview.width > 200
    assert panel.bar.value == 1 and panel.choice.value == "one" and alive(panel) == []
    log = workspace.checkpoints / "one" / "log.jsonl"
    before = log.read_text()
    again = training_panel(workspace, CONFIG, "one")  # the notebook is run a second time
    assert again.choice.value == "" and again.run().state == "finished"
    assert log.read_text() == before and again.curve.size == (860, 340) and again.preview == panel.preview
    other = training_panel(workspace, drawn.config(*STAGES, seed=4, **WATCHED), "one")
    other.run()
    assert set(read_logs(workspace.checkpoints)) == {"one", "one-2"}


def test_start_pause_resume_stop_by_clicks(workspace, tmp_path):
    panel = training_panel(workspace, CONFIG, "one")
    panel.start.click()
    panel.pause.click()
    until(panel, "paused")
    assert alive(panel) == ["resume", "stop"] and "Paused" in said(panel) and panel.choice.disabled
    step = panel.training.progress.step
    panel.resume.click()
    until(panel, "finished")
    assert alive(panel) == [] and "Finished" in said(panel) and 1 <= step <= 4
    assert Trainer(CONFIG, drawn.DrawnData(CONFIG), tmp_path / "whole").fit().finished
    assert torch.equal(weights(workspace.checkpoints / "one"), weights(tmp_path / "whole"))


def test_stopped_run_is_offered_to_a_new_kernel(workspace, tmp_path):
    panel = training_panel(workspace, CONFIG, "one")
    panel.start.click()
    panel.stop.click()
    until(panel, "stopped")
    assert alive(panel) == ["resume"] and panel.choice.value == "one"
    new = training_panel(workspace, CONFIG, "another")
    assert new.choice.value == "one" and alive(new) == ["resume"]
    assert "Found one: step" in said(new) and "Resume goes on with it." in said(new)
    assert new.curve is not None and new.settings.parts["run"].controls["seed"].disabled
    new.resume.click()
    until(new, "finished")
    assert Trainer(CONFIG, drawn.DrawnData(CONFIG), tmp_path / "whole").fit().finished
    assert torch.equal(weights(workspace.checkpoints / "one"), weights(tmp_path / "whole"))
    new.choice.value = ""
    assert alive(new) == ["start"] and new.value == CONFIG and not new.settings.parts["run"].controls["seed"].disabled
    new.name.value = "one"
    new.start.click()
    assert "There is a run 'one' already" in new.message and "There is a run" in said(new)


def test_panel_made_again_takes_over_the_run_under_way(workspace):
    panel = training_panel(workspace, CONFIG, "one")
    panel.start.click()
    panel.pause.click()
    until(panel, "paused")
    again = training_panel(workspace, CONFIG, "one")
    assert again.training is panel.training and alive(again) == ["resume", "stop"]
    with pytest.raises(InputError, match="A run is under way"):
        again.run()
    again.resume.click()
    until(again, "finished")
    assert again.preview is not None and "Finished" in said(again)


def test_what_fails_is_said(workspace, monkeypatch):
    panel = training_panel(workspace, CONFIG, "one")
    monkeypatch.setattr(Data, "problem", "The photo 7.jpg is damaged: remove it.")
    panel.start.click()
    until(panel, "failed")
    assert "The photo 7.jpg is damaged: remove it." in said(panel)
    with pytest.raises(InputError, match="7.jpg is damaged"):
        training_panel(workspace, CONFIG, "two").run()
    panel = training_panel(workspace, CONFIG, "three")
    panel.name.value = "../three"
    panel.start.click()
    assert "cannot be a folder's" in panel.message and "cannot be a folder&#x27;s" in said(panel)
    monkeypatch.setattr(module.BackgroundRun, "start", lambda self: 1 / 0)
    panel.name.value = "three"
    panel.start.click()
    assert panel.message == "ZeroDivisionError: division by zero" and panel.message in said(panel)
    assert alive(panel) == ["start"]


def test_drive_gets_a_copy_and_gives_it_back(tmp_path):
    drive, local = place(tmp_path / "drive", on_drive=True), tmp_path / "machine"
    panel = training_panel(drive, CONFIG, "one", local=local)
    panel.start.click()
    panel.stop.click()
    until(panel, "stopped")
    assert (local / "one" / "log.jsonl").is_file()
    assert len(list((drive.checkpoints / "one" / "checkpoints").glob("*.pt"))) == 1
    shutil.rmtree(local)  # the machine is another one
    new = training_panel(drive, CONFIG, "one", local=local)
    assert alive(new) == ["resume"]
    assert new.run().state == "finished"
    assert RunFolder(drive.checkpoints / "one").load()["step"] == 4


def test_no_picture_is_kept_in_a_widget(workspace):
    panel = training_panel(workspace, CONFIG, "one")
    panel.run()

    def all_of(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from all_of(child)

    for widget in all_of(panel.widget):
        assert not isinstance(widget, ipywidgets.Image)
        state = widget.get_state()
        assert len(json.dumps(state, default=str)) < 5_000 and "data:image" not in str(state)
        assert not state.get("outputs")


# Comparing ----------------------------------------------------------------------------------------


def lines(first=1.0, count=1000):
    for step in range(1, count + 1):
        yield {"step": step, "stage": step > count // 2, "loss": first / step, "seconds": 0.6}
    yield {"step": count, "stage": 1, "validation": {"loss": 0.5, "garment_iou": 0.8}, "best": True}


def test_logs_are_read_and_compared(tmp_path):
    for name, first in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        text = "".join(json.dumps(line) + "\n" for line in lines(first))
        (tmp_path / name / "log.jsonl").write_text(text + '{"step": 10')
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "log.jsonl").write_text("")
    runs = read_logs(tmp_path)
    assert set(runs) == {"a", "b"} and len(runs["a"]) == 1001
    assert read_logs([tmp_path / "b"]) == {"b": runs["b"]}
    table = run_table(runs).splitlines()
    assert len(table) == 3 and table[0].startswith("run") and "1000" in table[1] and "10.0" in table[1]
    assert "garment_iou 0.800" in table[2]
    picture = draw_curves(runs, "two runs")
    assert picture.size == (860, 340) and picture != draw_curves({"a": runs["a"]}, "two runs")


def test_curves_of_little_and_of_nonsense():
    with pytest.raises(InputError, match="no log"):
        draw_curves({"a": []})
    one = [{"step": 1, "stage": 0, "loss": 1.0}]
    assert draw_curves({"a": one}) != draw_curves({"a": [{"step": 1, "stage": 0, "loss": float("nan")}]})
    only = [{"step": 1, "stage": 0, "validation": {"loss": 1.0}}]
    assert draw_curves({"a": only}).size == (860, 340) and "1.0000" in run_table({"a": only})
