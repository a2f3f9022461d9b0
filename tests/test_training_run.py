from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import training_items as drawn
from dataset_files import write_viton_hd

from vto_utils.__main__ import main
from vto_utils.checkpoints import load_checkpoint
from vto_utils.errors import InputError, OutputError
from vto_utils.training import callbacks, loop
from vto_utils.training.callbacks import Callback
from vto_utils.training.config import StageConfig
from vto_utils.training.loop import Trainer
from vto_utils.training.store import RunFolder

STAGES = (
    StageConfig("warp", 3, drawn.SIZE, 2),
    StageConfig("synth", 2, (32, 32), 1, 2),
    StageConfig("joint", 3, drawn.SIZE, 1, adversarial_from=0.4),
)
ADVERSARIAL = {"adversarial": 0.1}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Killed(Exception):
    pass


class At(Callback):
    """Does something after a step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def stepped(self, trainer, step):
        if step.step == self.step:
            self.action(trainer)


def trainer(folder, *watching, **more) -> Trainer:
    config = drawn.config(*STAGES, losses=ADVERSARIAL, **more)
    return Trainer(config, drawn.DrawnData(config), folder, watching)


def raising(error):
    def action(_):
        raise error

    return action


def weights(one: Trainer) -> torch.Tensor:
    modules = (one.learner.networks, one.learner.means, one.learner.adversary)
    return torch.cat([p.detach().flatten() for m in modules for p in m.state_dict().values()])


def losses_of(folder: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in RunFolder(folder).lines() if "loss" in line]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    one = trainer(folder, validation_samples=2, picture_samples=2, validate_every=2, picture_every=2)
    outcome = one.fit()
    assert outcome.finished and not outcome.interrupted and outcome.step == 8
    return folder, weights(one), losses_of(folder)


def test_run_leaves_everything_behind(whole):
    folder, _, losses = whole
    assert [step for step, _ in losses] == list(range(1, 9))
    lines = RunFolder(folder).lines()
    measured = [(line["step"], line["stage"]) for line in lines if "validation" in line]
    assert measured == [(2, 0), (3, 0), (5, 1), (7, 2), (8, 2)]
    assert [line["best"] for line in lines if "validation" in line][0::2] == [True, True, True]
    assert {path.name for path in (folder / "pictures").iterdir()} == {f"{n:08d}.png" for n in (2, 3, 5, 7, 8)}
    assert [path.name for path in RunFolder(folder).checkpoints()] == [f"{n:08d}.pt" for n in (5, 7, 8)]
    step = next(line for line in lines if line["step"] == 1)
    assert {"terms", "rate", "gradient", "seconds", "waiting", "time"} <= set(step)
    config, sources = RunFolder(folder).description()
    assert config.stages == STAGES and sources == ["drawn"]


def test_networks_to_use_are_whole_and_small(whole):
    folder = whole[0]
    for name, stages in (("last", 3), ("best", 3)):
        found = load_checkpoint(folder / name)
        assert len(found.meta["stages"]) == stages and found.meta["stages"][0] == "warp 64x48"
        assert found.gmm.config.person_channels == 45 and next(found.gmm.parameters()).dtype == torch.float32
    size = sum(p.numel() for p in load_checkpoint(folder / "last").gmm.parameters())
    assert (folder / "last" / "gmm.safetensors").stat().st_size < 2.3 * size  # 2 bytes a number, and their names
    assert load_checkpoint(folder / "best").meta["validation"]["garment_iou"] >= 0


@pytest.mark.parametrize("saved, killed", [(1, 2), (4, 4), (6, 8), (None, 2), (None, 5)])
def test_a_broken_run_goes_on_as_if_unbroken(whole, tmp_path, saved, killed):
    """Broken within each stage, at a stage's end, with and without a checkpoint of its own."""
    watching = [At(killed, raising(Killed()))]
    if saved is not None:
        watching.insert(0, At(saved, lambda one: one.save()))
    with pytest.raises(Killed):
        trainer(tmp_path, *watching).fit()
    torch.manual_seed(99)
    again = trainer(tmp_path)
    begun = {(1, 2): 1, (4, 4): 4, (6, 8): 6, (None, 2): None, (None, 5): 3}[saved, killed]
    assert again.resume() == (begun is not None) and again.step == (begun or 0)
    if begun is None:  # nothing to go on from: a new run in a new folder
        return
    assert again.fit().finished
    assert torch.equal(weights(again), whole[1])
    assert losses_of(tmp_path) == whole[2]


def test_watching_does_not_change_the_run(whole, tmp_path):
    one = trainer(tmp_path, callbacks.Progress(every=100))
    one.fit()
    assert torch.equal(weights(one), whole[1])


@pytest.mark.parametrize("killed", [2, 5, 7])
def test_a_run_broken_while_it_is_measured_measures_again(whole, tmp_path, killed):
    """Before its line is written, and after; within a stage and at its end."""

    class Dies(Callback):
        def validated(self, one, figures, better):
            if one.step == killed:
                raise Killed

    watching = dict(validation_samples=2, picture_samples=2, validate_every=2, picture_every=2)
    with pytest.raises(Killed):
        trainer(tmp_path, Dies(), **watching).fit()
    assert RunFolder(tmp_path).checkpoints()[-1].name == f"{killed:08d}.pt"
    again = trainer(tmp_path, **watching)
    assert again.resume() and again.step == killed
    assert again.fit().finished and torch.equal(weights(again), whole[1])
    told = [[line.get("validation") for line in RunFolder(folder).lines()] for folder in (tmp_path, whole[0])]
    assert told[0] == told[1]


def test_workers_do_not_change_the_run(whole, tmp_path):
    one = trainer(tmp_path, workers=2)
    one.fit()
    assert torch.equal(weights(one), whole[1])


def test_interruption_saves_and_goes_on(whole, tmp_path):
    stopped = trainer(tmp_path, At(4, lambda _: os.kill(os.getpid(), signal.SIGINT))).fit()
    assert (stopped.step, stopped.finished, stopped.interrupted) == (4, False, True)
    again = trainer(tmp_path, At(6, raising(KeyboardInterrupt())))
    assert again.resume() and again.step == 4
    stopped = again.fit()
    assert (stopped.step, stopped.interrupted) == (6, True)
    again = trainer(tmp_path)
    assert again.resume() and again.step == 6
    assert again.fit().finished and torch.equal(weights(again), whole[1])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_time_limit_saves(tmp_path):
    outcome = trainer(tmp_path).fit(minutes=0)
    assert (outcome.step, outcome.finished, outcome.interrupted) == (1, False, False)
    assert RunFolder(tmp_path).checkpoints()[-1].name == "00000001.pt"
    assert load_checkpoint(tmp_path / "last").meta["step"] == 1


def test_checkpoints_come_in_time(tmp_path, monkeypatch):
    """One that would be due within the next step is written before it."""
    saved = []

    class Saved(Callback):
        def saved(self, trainer, path):
            saved.append(int(path.stem))

    ticks = itertools.count()  # four looks at the clock a step, of which two are the step itself
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(ticks), time=time.time))
    trainer(tmp_path, Saved(), save_every=9.5).fit(minutes=1)
    assert saved[0] == 2  # at 8; the next step would end at 11 or later
    saved.clear()
    ticks = itertools.count()
    trainer(tmp_path / "b", Saved(), save_every=3600.0).fit()
    assert saved[-3:] == [3, 5, 8]  # the stages' ends alone


def test_a_damaged_checkpoint_is_passed_over(whole, tmp_path):
    one = trainer(tmp_path, At(1, lambda t: t.save()), At(2, lambda t: t.save()), At(3, raising(Killed())))
    with pytest.raises(Killed):
        one.fit()
    newest = RunFolder(tmp_path).checkpoints()[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    again = trainer(tmp_path)
    assert again.resume() and again.step == 1
    for path in RunFolder(tmp_path).checkpoints():
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="No checkpoint in .* can be read"):
        trainer(tmp_path).resume()


def test_another_run_is_refused(tmp_path):
    trainer(tmp_path).fit(minutes=0)
    other = drawn.config(*STAGES, losses=ADVERSARIAL, seed=5, clip=2.0)
    with pytest.raises(InputError, match=r"begun with other settings \(clip, seed\)"):
        Trainer(other, drawn.DrawnData(other), tmp_path).resume()
    assert not Trainer(other, drawn.DrawnData(other), tmp_path / "new").resume()


def test_batch_can_be_traded_for_accumulation_on_the_way(tmp_path):
    trainer(tmp_path).fit(minutes=0)
    stages = (StageConfig("warp", 3, drawn.SIZE, 1, 2), *STAGES[1:])
    config = drawn.config(*stages, losses=ADVERSARIAL)
    again = Trainer(config, drawn.DrawnData(config), tmp_path)
    assert again.resume() and again.fit().finished


def test_other_data_are_noticed(tmp_path):
    told = []

    class Noted(Callback):
        def noted(self, trainer, sentence):
            told.append(sentence)

    trainer(tmp_path).fit(minutes=0)
    config = drawn.config(*STAGES, losses=ADVERSARIAL)
    again = Trainer(config, drawn.DrawnData(config, count=9), tmp_path, [Noted()])
    assert again.resume() and again.fit().finished
    assert told == ["There were 7 samples when the stage began: from here on it sees other ones."]


def test_run_begins_from_other_weights(whole, tmp_path):
    config = drawn.config(start_from=str(whole[0] / "last"))
    one = Trainer(config, drawn.DrawnData(config), tmp_path)
    begun = load_checkpoint(whole[0] / "last")
    for name, value in begun.gmm.state_dict().items():
        assert torch.equal(one.learner.networks.gmm.state_dict()[name], value)
    config = drawn.config(start_from=str(whole[0] / "last")).changed(["gmm.features=32"])
    with pytest.raises(InputError, match="gmm in .* is built otherwise"):
        Trainer(config, drawn.DrawnData(config), tmp_path)


def test_run_without_a_test_split_goes_on_unmeasured(tmp_path):
    told = []

    class Noted(Callback):
        def noted(self, trainer, sentence):
            told.append(sentence)

    class Blind(drawn.DrawnData):
        def validation(self, size):
            raise InputError("There is no split test.")

    config = drawn.config(validation_samples=2)
    assert Trainer(config, Blind(config), tmp_path, [Noted()]).fit().finished
    assert told == ["No validation: There is no split test."]


# Copies -------------------------------------------------------------------------------------------


def test_copy_brings_a_lost_run_back(whole, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    with pytest.raises(Killed):
        trainer(here, callbacks.RunCopy(there, every=0), At(4, lambda t: t.save()), At(5, raising(Killed()))).fit()
    assert [path.name for path in (there / "checkpoints").iterdir()] == ["00000004.pt"]
    new = tmp_path / "new"
    assert callbacks.restore(there, new) and not callbacks.restore(there, new)
    again = trainer(new)
    assert again.resume() and again.step == 4
    assert again.fit().finished and torch.equal(weights(again), whole[1])


def test_copy_that_fails_does_not_end_the_run(tmp_path, monkeypatch):
    told = []

    class Noted(Callback):
        def noted(self, trainer, sentence):
            told.append(sentence)

    def full(*_):
        raise OutputError("Could not write it: no space left on device.")

    monkeypatch.setattr(callbacks, "copy_run", full)
    config = drawn.config()
    assert (
        Trainer(config, drawn.DrawnData(config), tmp_path, [Noted(), callbacks.RunCopy(tmp_path / "x")]).fit().finished
    )
    assert told and told[0].startswith("The run was not copied: Could not write it")


# The command --------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path) -> list[str]:
    """Arguments for a tiny run on real files."""
    for split in ("train", "test"):
        write_viton_hd(tmp_path / "data", split)
    settings = drawn.config(StageConfig("warp", 20, drawn.SIZE, 1), StageConfig("synth", 3, drawn.SIZE, 1)).to_dict()
    (tmp_path / "config.json").write_text(json.dumps(settings))
    return ["--data", str(tmp_path / "data"), "--config", str(tmp_path / "config.json")]


def test_command_killed_for_good_goes_on_to_the_same_weights(files, tmp_path, capsys):
    """SIGKILL, as a crash or a lost machine: nothing can be tidied up."""
    command = [sys.executable, "-m", "vto_utils", "train", *files, "--out", str(tmp_path / "killed")]
    command += ["--set", "save_every=0.2"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    folder = RunFolder(tmp_path / "killed")
    try:
        until = time.monotonic() + 120
        while not (saved := folder.checkpoints()) or len(folder.lines()) < int(saved[-1].stem) + 2:
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    reached = len(folder.lines())
    assert 0 < int(folder.checkpoints()[-1].stem) < reached < 23
    assert main(["train", "--out", str(tmp_path / "killed"), "--resume"]) == 0
    assert "Going on after step" in capsys.readouterr().out
    assert main(["train", *files, "--out", str(tmp_path / "whole")]) == 0
    ended = [RunFolder(tmp_path / name).load() for name in ("killed", "whole")]
    for name, value in ended[0]["networks"].items():
        assert torch.equal(value, ended[1]["networks"][name]), name
    assert losses_of(tmp_path / "killed") == losses_of(tmp_path / "whole")
    hidden = [path.name for path in (tmp_path / "killed").rglob(".*")]
    assert not hidden


def test_command_says_what_is_wrong(files, tmp_path, capsys):
    out = str(tmp_path / "run")
    short = ["--set", "stages.0.steps=1", "--set", "stages.1.steps=1"]

    def said(*arguments: str) -> str:
        assert main(["train", *arguments]) == 2
        return capsys.readouterr().err

    assert "nothing to train on" in said("--out", out)
    assert "no setting 'speed'" in said(*files, "--out", out, "--set", "speed=3")
    assert "none.json cannot be read" in said(*files[:2], "--out", out, "--config", "none.json")
    assert str(tmp_path / "nowhere") in said("--data", str(tmp_path / "nowhere"), "--out", out)
    assert not Path(out).exists()
    assert main(["train", *files, *short, "--out", out]) == 0
    text = capsys.readouterr().out
    assert "Device: cpu (as asked)." in text and "Number format: float32" in text and "All 2 steps are done" in text
    assert "holds a run already: go on with --resume" in said(*files, *short, "--out", out)
    assert "other settings (seed)" in said("--out", out, "--resume", "--set", "seed=4")
    assert main(["train", "--out", out, "--resume"]) == 0


def test_command_shows_its_settings(tmp_path, capsys):
    assert main(["train", "--quick", "--set", "seed=9", "--show-config", "--out", str(tmp_path / "x")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["seed"] == 9 and shown["stages"][0]["steps"] == 60
    assert not (tmp_path / "x").exists()
