from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from vto_utils.errors import InputError
from vto_utils.networks.parser import ParserConfig, ParserNet
from vto_utils.parser_training.trainer import ParserTrainConfig, ParserTrainer
from vto_utils.parsing.network import load_parser, save_parser

NETWORK = ParserConfig(width=16, depths=(0, 0, 0, 0), side_width=16)
CONFIG = ParserTrainConfig(size=(32, 32), batch=2, steps=6, seed=4, imagenet=False, network=NETWORK)


class Squares:
    """Random pictures whose labels follow from their colours; each from its position alone."""

    def __len__(self):
        return CONFIG.steps * CONFIG.batch

    def __getitem__(self, position):
        rng = np.random.default_rng(position)
        classes = np.kron(rng.integers(0, 18, (4, 4)), np.ones((8, 8), int)).astype(np.uint8)
        x = np.zeros((11, 32, 32), np.float32)
        x[:3] = classes / 9 - 1
        return x, classes


class Killed(Exception):
    pass


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_a_killed_run_goes_on_as_if_unbroken(tmp_path):
    whole = ParserTrainer(Squares(), CONFIG, tmp_path / "whole", "cpu")
    losses = whole.fit()
    assert len(losses) == 6

    def kill(trainer, loss):
        if trainer.step == 2:
            trainer.save()
        if trainer.step == 4:
            raise Killed

    with pytest.raises(Killed):
        ParserTrainer(Squares(), CONFIG, tmp_path / "broken", "cpu").fit(callbacks=[kill])
    (tmp_path / "broken" / "checkpoints" / ".0000004-x.pt").write_bytes(b"half")  # as kill -9 leaves it
    torch.manual_seed(99)
    again = ParserTrainer(Squares(), CONFIG, tmp_path / "broken", "cpu")
    assert again.resume() and again.step == 2
    assert again.fit() == losses[2:]
    assert torch.equal(weights(again.net), weights(whole.net))
    assert torch.equal(weights(again.average), weights(whole.average))
    logs = [[json.loads(line) for line in (tmp_path / n / "log.jsonl").open()] for n in ("whole", "broken")]
    assert [(x["step"], x["loss"]) for x in logs[0]] == [(x["step"], x["loss"]) for x in logs[1]]


def test_only_the_last_checkpoints_stay(tmp_path):
    trainer = ParserTrainer(Squares(), CONFIG, tmp_path, "cpu")
    trainer.fit(callbacks=[lambda t, _: t.save()])
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == [f"{n:07d}.pt" for n in (4, 5, 6)]


def test_other_settings_do_not_resume(tmp_path):
    ParserTrainer(Squares(), CONFIG, tmp_path, "cpu").save()
    other = ParserTrainConfig(size=(32, 32), batch=2, steps=7, seed=4, imagenet=False, network=NETWORK)
    with pytest.raises(InputError, match="other settings"):
        ParserTrainer(Squares(), other, tmp_path, "cpu").resume()
    assert not ParserTrainer(Squares(), CONFIG, tmp_path / "none", "cpu").resume()
    with pytest.raises(InputError, match="32"):
        ParserTrainConfig(size=(100, 64))


def test_rate_rises_and_falls(tmp_path):
    config = replace(CONFIG, steps=13, warm_up=0.25, learning_rate=0.002)
    trainer, rates = ParserTrainer(Squares(), config, tmp_path, "cpu"), []
    trainer.fit(callbacks=[lambda t, _: rates.append([group["lr"] for group in t.optimizer.param_groups])])
    rates = np.array(rates)
    assert rates[:, 2:] == pytest.approx(rates[:, :2] / config.encoder_rate)
    highest = rates[:, -1]
    assert highest.argmax() == 3 and highest[3] == 0.002  # a quarter of the steps
    assert highest[:4] == pytest.approx([0.0005, 0.001, 0.0015, 0.002])
    assert (np.diff(highest[3:]) < 0).all() and highest[-1] == 0


def test_a_run_begins_from_the_weights_of_another(tmp_path):
    torch.manual_seed(7)
    earlier = ParserNet(NETWORK)
    path = tmp_path / "earlier.safetensors"
    save_parser(path, earlier, (32, 32))
    settings = {"size": (64, 32), "batch": 2, "steps": 6, "imagenet": False, "start": str(path)}
    config = ParserTrainConfig(network=NETWORK, **settings)
    trainer = ParserTrainer(Squares(), config, tmp_path / "run", "cpu")
    assert torch.equal(weights(trainer.net), weights(load_parser(path)[0]))
    assert torch.equal(weights(trainer.average), weights(trainer.net))
    trainer.save()
    path.unlink()  # a run that is gone on with needs the file no more
    assert ParserTrainer(Squares(), config, tmp_path / "run", "cpu").resume()
    assert load_parser(tmp_path / "run" / "parser.safetensors")[1] == (64, 32)
    with pytest.raises(InputError, match="missing"):
        ParserTrainer(Squares(), config, tmp_path / "other", "cpu")
    save_parser(path, earlier, (32, 32))
    wider = ParserTrainConfig(network=ParserConfig(width=32, depths=(0, 0, 0, 0), side_width=16), **settings)
    with pytest.raises(InputError, match="another shape"):
        ParserTrainer(Squares(), wider, tmp_path / "other", "cpu")


def test_frozen_stages_keep_their_weights(tmp_path):
    settings = {"size": (64, 32), "batch": 2, "steps": 2, "imagenet": False, "frozen_stages": 2}
    run = ParserTrainer(Squares(), ParserTrainConfig(**settings, network=NETWORK), tmp_path / "frozen", "cpu")
    before = {name: value.clone() for name, value in run.net.state_dict().items()}
    run.fit()
    changed = {name for name, value in run.net.state_dict().items() if not torch.equal(value, before[name])}
    frozen = ("encoder.stem.", "encoder.stages.0.", "encoder.stages.1.")
    assert not [name for name in changed if name.startswith(frozen)]
    assert [name for name in changed if name.startswith("encoder.stages.2.")]
    assert [name for name in changed if name.startswith("side_encoder.")]
    with pytest.raises(InputError, match="frozen_stages"):
        ParserTrainConfig(frozen_stages=8)


def test_settings_of_earlier_runs_are_understood():
    old = {"size": [256, 192], "batch": 8, "network": {"width": 128, "depths": [1, 1, 2, 2]}}  # as JSON has them
    assert ParserTrainConfig(**old) == ParserTrainConfig()
    with pytest.raises(InputError, match="learning_rate"):
        ParserTrainConfig(learning_rate=0.0)
