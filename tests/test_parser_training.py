from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from vto_utils.__main__ import main
from vto_utils.errors import InputError
from vto_utils.labels import ID
from vto_utils.networks.parser import ParserConfig, ParserNet
from vto_utils.parser_data import UNKNOWN
from vto_utils.parser_training import (
    GROUPS,
    ParserTrainConfig,
    ParserTrainer,
    ParsingScore,
    load_parser,
    parser_loss,
    predict,
    save_parser,
    soft_dice_loss,
)

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
    config = ParserTrainConfig(steps=100, warm_up=0.1, learning_rate=2.0, imagenet=False, network=NETWORK)
    trainer = ParserTrainer(Squares(), config, tmp_path, "cpu")
    rates = [trainer.rate(n) for n in range(101)]
    assert np.argmax(rates) in (9, 10) and max(rates) == 2.0
    assert rates[0] == pytest.approx(0.2) and rates[55] == pytest.approx(1.0) and rates[100] == pytest.approx(0)


def test_loss_against_a_slow_formula():
    torch.manual_seed(0)
    logits = torch.randn(2, 18, 4, 4, dtype=torch.float64)
    classes = torch.randint(0, 5, (2, 4, 4))
    classes[0, 0] = UNKNOWN
    entropy, count, both, size = 0.0, 0, {}, {}
    for b in range(2):
        for y in range(4):
            for x in range(4):
                truth = int(classes[b, y, x])
                if truth == UNKNOWN:
                    continue
                values = [math.exp(v) for v in logits[b, :, y, x].float().tolist()]
                chances = [v / sum(values) for v in values]
                entropy, count = entropy - math.log(chances[truth]), count + 1
                both[truth] = both.get(truth, 0) + chances[truth]
                for c in range(18):
                    size[c] = size.get(c, 0) + chances[c] + (c == truth)
    dice = 1 - np.mean([2 * both[c] / max(size[c], 1) for c in both])
    assert float(soft_dice_loss(logits.float(), classes)) == pytest.approx(dice, rel=1e-4)
    assert float(parser_loss(logits, classes, 0.3)) == pytest.approx(entropy / count + 0.3 * dice, rel=1e-4)


def test_loss_of_nothing_known_is_zero():
    logits = torch.randn(1, 18, 4, 4, requires_grad=True)
    loss = parser_loss(logits, torch.full((1, 16, 16), UNKNOWN), 0.5)
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_score_against_a_slow_formula():
    rng = np.random.default_rng(1)
    score, pairs = ParsingScore(), []
    for _ in range(2):
        truth = rng.choice([*range(20), 20, UNKNOWN], (30, 20)).astype(np.uint8)
        said = np.where(rng.random((30, 20)) < 0.7, truth, rng.integers(0, 20, (30, 20))).astype(np.uint8)
        score.add(said, truth)
        pairs += [(int(t), int(s)) for t, s in zip(truth.flat, said.flat, strict=True) if t != UNKNOWN]
    pairs = [(t if t < 20 else 0, s if s < 20 else 0) for t, s in pairs]
    figures = score.figures()

    def iou(names):
        ids = {ID[n] for n in names}
        both = sum(t in ids and s in ids for t, s in pairs)
        return both / sum(t in ids or s in ids for t, s in pairs)

    for group, names in GROUPS.items():
        assert figures["groups"][group] == pytest.approx(iou(names))
    assert figures["mean_iou"] == pytest.approx(np.mean([iou(n) for n in GROUPS.values()]))
    assert figures["clothed_torso_iou"] == pytest.approx(iou(("upper-clothes", "coat", "dress")))
    assert figures["pixel_accuracy"] == pytest.approx(np.mean([t == s for t, s in pairs]))
    assert {name for names in GROUPS.values() for name in names} == set(ID)


def test_weights_come_back_from_half_precision(tmp_path):
    torch.manual_seed(0)
    net = ParserNet(NETWORK)
    save_parser(tmp_path / "p.safetensors", net)
    back = load_parser(tmp_path / "p.safetensors")
    assert back.config == NETWORK and not back.training
    assert torch.allclose(weights(back), weights(net), atol=1e-3)
    (tmp_path / "p.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no parser"):
        load_parser(tmp_path / "p.safetensors")


def test_prediction_lies_where_the_photo_has_it():
    """A network that answers with the colours themselves shows whether the frame is undone."""

    class Echo(ParserNet):
        def forward(self, x):
            logits = torch.zeros(1, 18, x.shape[-2] // 4, x.shape[-1] // 4)
            red = torch.nn.functional.avg_pool2d(x[:, :1], 4)[0]
            logits[0, 5:6] = red  # a top where it is red
            return logits

    image = np.zeros((300, 200, 3), np.uint8)
    image[100:180, 60:140, 0] = 255
    alpha = np.full((300, 200), 255, np.uint8)
    said = predict(Echo(NETWORK).eval(), image, alpha, None, (256, 192))
    truth = image[..., 0] > 0
    assert said.shape == (300, 200) and said.dtype == np.uint8
    assert ((said == 5) & truth).sum() / ((said == 5) | truth).sum() > 0.95


def test_command_tells_what_is_missing(tmp_path, capsys):
    assert main(["train-parser", "--ccp", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "labels.json" in capsys.readouterr().err
    assert main(["train-parser", "--out", str(tmp_path / "o")]) == 2
    assert "nothing to train on" in capsys.readouterr().err
