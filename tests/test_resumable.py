from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vto_utils.errors import InputError
from vto_utils.resumable import ResumableRun, begin, reporter


@dataclass(frozen=True)
class Config:
    batch: int = 2
    steps: int = 7
    size: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))  # JSON gives lists


class Numbers:
    """Position n -> n and 2 n + 1. Remembers who was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        self.asked.append(position)
        x = torch.tensor([position / 10])
        return x, 2 * x + 1


class Line(ResumableRun):
    """Learns a straight line."""

    def __init__(self, folder: Path, config: Config = Config()) -> None:
        self.stream, self.config, self.folder, self.step = Numbers(), config, folder, 0
        self.net = nn.Linear(1, 1)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.fill_(0.5)
        self.average = AveragedModel(self.net)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=0.05)

    def learn(self, batch: tuple[Tensor, Tensor]) -> float:
        x, y = batch
        loss = (self.net(x) - y).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return loss.item()

    def ship(self) -> None:
        (self.folder / "line.txt").write_text(f"{self.step}", encoding="utf-8")


class Killed(Exception):
    pass


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_a_whole_run(tmp_path):
    run, told = Line(tmp_path / "new" / "run"), []
    losses = run.fit(callbacks=[lambda trainer, loss: told.append((trainer.step, loss))])
    assert len(losses) == 7 and told == list(enumerate(losses, 1))
    assert run.stream.asked == list(range(14))
    assert [(line["step"], line["loss"]) for line in log(run.folder)] == [(n, round(loss, 5)) for n, loss in told]
    assert names(run.folder) == ["0000007.pt"]
    assert (run.folder / "line.txt").read_text() == "7"
    assert run.fit() == [] and len(run.stream.asked) == 14  # there is no more to do


def test_a_killed_run_goes_on_as_if_unbroken(tmp_path):
    whole = Line(tmp_path / "whole")
    losses = whole.fit()

    def kill(trainer: Line, _: float) -> None:
        if trainer.step == 3:
            trainer.save()
        if trainer.step == 5:
            raise Killed

    with pytest.raises(Killed):
        Line(tmp_path / "broken").fit(callbacks=[kill])
    (tmp_path / "broken" / "checkpoints" / ".0000005-x.pt").write_bytes(b"half")  # as kill -9 leaves it
    with open(tmp_path / "broken" / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 6, "lo')
    again = Line(tmp_path / "broken")
    assert again.resume() and again.step == 3
    assert again.fit() == losses[3:] and again.stream.asked == list(range(6, 14))
    for one, other in ((whole.net, again.net), (whole.average, again.average)):
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert [(line["step"], line["loss"]) for line in log(again.folder)] == [
        (line["step"], line["loss"]) for line in log(whole.folder)
    ]


def test_time_is_up_after_a_step(tmp_path):
    run = Line(tmp_path)
    assert len(run.fit(minutes=0)) == 1 and names(tmp_path) == ["0000001.pt"]
    assert len(run.fit(minutes=0)) == 1 and run.step == 2


@pytest.mark.parametrize(("save_every", "kept"), [(0.0, ["0000006.pt", "0000007.pt"]), (1.0, ["0000007.pt"])])
def test_saves_in_between(tmp_path, save_every, kept):
    run = Line(tmp_path)
    run.fit(save_every=save_every)
    assert names(tmp_path)[-len(kept) :] == kept and len(names(tmp_path)) == (3 if save_every == 0 else 1)


def test_pictures_made_in_other_processes_are_the_same(tmp_path):
    config = Config(steps=3)
    assert Line(tmp_path / "other", config).fit(workers=1) == Line(tmp_path / "here", config).fit()


def test_what_cannot_go_on(tmp_path):
    run = Line(tmp_path)
    assert not run.resume()
    path = run.save()
    with pytest.raises(InputError, match="other settings"):
        Line(tmp_path, replace(run.config, steps=8)).resume()
    path.write_bytes(b"half a file")
    with pytest.raises(InputError, match="damaged"):
        run.resume()


def test_begin_and_report(tmp_path, capsys):
    run = Line(tmp_path, Config(steps=40))
    begin(run, resume=True)
    assert "no checkpoint yet" in capsys.readouterr().out
    assert json.loads((tmp_path / "config.json").read_text()) == {"batch": 2, "steps": 40, "size": [1, 1]}
    losses = run.fit(callbacks=[reporter(run)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 20/40", "step 40/40"]
    assert f"loss {sum(losses[20:]) / 20:.4f}" in lines[1]  # the mean of those since the last line
    with pytest.raises(InputError, match="--resume"):
        begin(Line(tmp_path, run.config), resume=False)
    begin(Line(tmp_path, run.config), resume=True)
    assert "Going on after step 40." in capsys.readouterr().out
