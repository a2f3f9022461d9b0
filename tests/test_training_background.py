from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
import training_items as drawn

from vto_utils.errors import InputError
from vto_utils.training.background import BackgroundRun, RunWatcher, active_run
from vto_utils.training.callbacks import copy_run
from vto_utils.training.config import StageConfig
from vto_utils.training.found_runs import find_runs
from vto_utils.training.loop import Step, Trainer
from vto_utils.training.pace import Pace
from vto_utils.training.store import RunFolder

STAGES = (StageConfig("warp", 3, drawn.SIZE, 2), StageConfig("synth", 3, (32, 32), 1, 2))
CONFIG = drawn.config(*STAGES)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    left = active_run()
    if left is not None:
        left.stop()
        assert left.wait(30)


class At(RunWatcher):
    """Does something after a step, and remembers the states."""

    def __init__(self, **actions):
        self.actions = {int(name[1:]): action for name, action in actions.items()}
        self.states: list[str] = []

    def stepped(self, trainer, step):
        self.actions.get(step.step, lambda: None)()

    def changed(self, run):
        self.states.append(run.state)


def run_in(folder, *watchers, config=CONFIG, **more) -> BackgroundRun:
    return BackgroundRun(config, drawn.DrawnData(config), folder, watchers, **more)


def until(state, run, seconds=30.0):
    end = time.monotonic() + seconds
    while run.state != state:
        assert time.monotonic() < end, f"{run.state} and not {state}: {run.problem}"
        time.sleep(0.005)


def result(folder) -> tuple[torch.Tensor, list[tuple[int, float]]]:
    """All that the next step would depend on, and the losses."""
    folder = RunFolder(folder)
    state = folder.load()
    weights = [value.flatten().float() for name in ("networks", "means") for value in state[name].values()]
    return torch.cat(weights), [(line["step"], line["loss"]) for line in folder.lines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run in the foreground that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert Trainer(CONFIG, drawn.DrawnData(CONFIG), folder).fit().finished
    return result(folder)


def same(folder, whole) -> bool:
    weights, losses = result(folder)
    return torch.equal(weights, whole[0]) and losses == whole[1]


def test_an_undisturbed_run_is_the_run_of_the_foreground(whole, tmp_path):
    watcher = At()
    run = run_in(tmp_path, watcher)
    assert run.state == "ready" and not run.under_way and run.wait(0)
    run.start()
    assert run.wait(60) and run.state == "finished" and run.problem == ""
    assert watcher.states == ["running", "finished"]
    assert same(tmp_path, whole)
    progress = run.progress
    assert (progress.step, progress.steps, progress.stage, progress.state) == (6, 6, 1, "finished")
    assert progress.samples_a_second > 0 and progress.seconds_left == 0


@pytest.mark.parametrize("paused", [1, 3])
def test_paused_and_resumed_is_as_if_unbroken(whole, tmp_path, paused):
    """Within a stage, and at its last step."""
    run = run_in(tmp_path)
    run.watch(watcher := At(**{f"_{paused}": lambda: run.pause()}))
    run.start()
    until("paused", run)
    assert RunFolder(tmp_path).checkpoints()[-1].name == f"{paused:08d}.pt"
    time.sleep(0.1)
    assert run.progress.step == paused and active_run() is run
    run.resume()
    assert run.wait(60) and run.state == "finished"
    assert watcher.states == ["running", "pausing", "paused", "running", "finished"]
    assert same(tmp_path, whole)


@pytest.mark.parametrize("stopped", [2, 3])
def test_stopped_and_resumed_is_as_if_unbroken(whole, tmp_path, stopped):
    run = run_in(tmp_path)
    run.watch(At(**{f"_{stopped}": lambda: run.stop()}))
    run.start()
    assert run.wait(60) and run.state == "stopped" and active_run() is None
    assert RunFolder(tmp_path).checkpoints()[-1].name == f"{stopped:08d}.pt"
    assert (tmp_path / "last" / "gmm.safetensors").is_file()
    run.resume()  # the same one ...
    assert run.wait(60) and run.state == "finished" and same(tmp_path, whole)


def test_another_python_goes_on_where_a_pause_was_left(whole, tmp_path):
    """The kernel is killed in the pause: what it would leave behind is a run like any other."""
    run = run_in(tmp_path / "a")
    run.watch(At(_2=lambda: run.pause()))
    run.start()
    until("paused", run)
    copy_run(tmp_path / "a", tmp_path / "b")
    run.stop()
    assert run.wait(60) and run.state == "stopped"
    again = run_in(tmp_path / "b")
    again.start()
    assert again.wait(60) and again.state == "finished" and same(tmp_path / "b", whole)


def test_stop_wakes_a_paused_run(tmp_path):
    run = run_in(tmp_path)
    run.watch(At(_1=lambda: run.pause()))
    run.start()
    until("paused", run)
    run.pause()
    run.stop()
    assert run.wait(30) and run.state == "stopped" and run.progress.step == 1


def test_pause_taken_back_before_it_came(whole, tmp_path):
    def hesitate():
        run.pause()
        run.resume()

    run = run_in(tmp_path)
    run.watch(At(_2=hesitate))
    run.start()
    assert run.wait(60) and run.state == "finished" and same(tmp_path, whole)


def test_buttons_out_of_turn_do_nothing(tmp_path):
    run = run_in(tmp_path)
    run.pause()
    run.stop()
    assert run.state == "ready" and not any(tmp_path.iterdir())


def test_one_run_at_a_time(tmp_path):
    run = run_in(tmp_path / "a")
    run.watch(At(_1=lambda: run.pause()))
    run.start()
    until("paused", run)
    with pytest.raises(InputError, match="is under way .* stop it first"):
        run_in(tmp_path / "b").start()
    with pytest.raises(InputError, match="is under way"):
        run.start()
    assert active_run() is run


def test_workers_in_a_thread(whole, tmp_path):
    run = run_in(tmp_path, config=drawn.config(*STAGES, workers=1))
    run.start()
    assert run.wait(120) and run.state == "finished", run.problem
    assert same(tmp_path, whole)


class Broken(drawn.DrawnData):
    error: Exception = InputError("The photo 7.jpg is damaged: remove it.")

    def train(self, size):
        if self.error:
            raise self.error
        return super().train(size)


@pytest.mark.parametrize(
    "error, sentence, details",
    [
        (InputError("The photo 7.jpg is damaged: remove it."), "The photo 7.jpg is damaged: remove it.", False),
        (RuntimeError("cable\nloose"), "The run broke off (RuntimeError: cable): resume goes on from its last", True),
        (torch.cuda.OutOfMemoryError("2 GiB"), "The GPU's memory is full: halve the stage's batch", True),
    ],
)
def test_failing_run_says_why_and_goes_on(whole, tmp_path, error, sentence, details):
    data = Broken(CONFIG)
    data.error = error
    run = BackgroundRun(CONFIG, data, tmp_path)
    run.start()
    assert run.wait(30) and run.state == "failed"
    assert run.problem.startswith(sentence) and bool(run.details) == details
    data.error = None
    run.resume()
    assert run.wait(60) and run.state == "finished" and run.problem == "" and same(tmp_path, whole)


def test_settings_that_cannot_be_used_are_told_before_the_thread(tmp_path):
    other = drawn.config(*STAGES, seed=5)
    run = run_in(tmp_path)
    run.watch(At(_1=lambda: run.stop()))
    run.start()
    assert run.wait(30)
    wrong = run_in(tmp_path, config=other)
    with pytest.raises(InputError, match="begun with other settings .seed"):
        wrong.start()
    assert wrong.state == "ready" and active_run() is None


def test_a_picture_that_fails_does_not_end_the_run(whole, tmp_path):
    class Bad(RunWatcher):
        def stepped(self, trainer, step):
            raise ValueError("no ink")

    good = At()
    run = run_in(tmp_path, Bad(), good)
    run.start()
    assert run.wait(60) and run.state == "finished" and same(tmp_path, whole)
    assert run.notes == ["The run goes on, but it is no longer shown (ValueError: no ink)."]
    assert good.states == ["running", "finished"]


def test_copy_is_made_at_the_pause_and_brings_the_run_back(whole, tmp_path):
    here, there = tmp_path / "here" / "one", tmp_path / "there" / "one"
    run = run_in(here, copy=there)
    run.watch(At(_2=lambda: run.pause()))
    run.start()
    until("paused", run)
    assert [path.name for path in (there / "checkpoints").iterdir()] == ["00000002.pt"]
    run.stop()
    assert run.wait(30)
    elsewhere = tmp_path / "new" / "one"
    again = run_in(elsewhere, copy=there)
    again.start()
    assert again.wait(60) and again.state == "finished" and same(elsewhere, whole)
    assert again.notes[0] == f"Took the run back from {there}."
    assert find_runs([tmp_path / "here", tmp_path / "there"])[0].finished


def test_found_runs(tmp_path):
    run = run_in(tmp_path / "first")
    run.watch(At(_2=lambda: run.stop()))
    run.start()
    assert run.wait(30)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.json").write_text("{")
    (tmp_path / "bad" / "log.jsonl").write_text("")
    found = find_runs([tmp_path, tmp_path / "nowhere"])
    assert [one.name for one in found] == ["first"]
    assert (found[0].step, found[0].finished, list(found[0].sources)) == (2, False, ["drawn"])
    assert found[0].config.identity() == CONFIG.identity()
    assert found[0].label == "first: step 2 of 6, just now"


def test_pace_counts_the_stages_to_come():
    """One second a step of 2 samples at 64x48 is 0.5 s a sample; 32x32 has a third of the pixels."""
    pace = Pace(CONFIG)
    facts = dict(loss=1.0, terms={}, rate=0.1, gradient=1.0, waiting=0.0)
    pace.after(Step(1, 0, seconds=50.0, **facts))  # the first step of a stage does not count
    rate, left = pace.after(Step(2, 0, seconds=1.0, **facts))
    assert rate == pytest.approx(2.0)
    assert left == pytest.approx(1.0 + 3 * 1.0 * 2 * 32 * 32 / (2 * 64 * 48))
    assert pace.after(Step(6, 1, seconds=1.0, **facts))[1] == 0


def test_python_ends_in_mid_training_and_leaves_a_checkpoint(tmp_path):
    """Nobody stops the run: the end of Python must neither wait for it nor lose it."""
    script = f"""
        import sys, time
        sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parent.parent)!r}]
        import training_items as drawn
        from vto_utils.training.background import BackgroundRun
        from vto_utils.training.config import StageConfig
        config = drawn.config(StageConfig("warp", 1000000, drawn.SIZE, 2))
        run = BackgroundRun(config, drawn.DrawnData(config), {str(tmp_path)!r})
        run.start()
        while run.progress.step < 2:
            assert run.state == "running", run.problem
            time.sleep(0.01)
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = find_runs([tmp_path.parent])
    assert found and found[0].step >= 2
    assert len(RunFolder(tmp_path).lines()) == found[0].step
