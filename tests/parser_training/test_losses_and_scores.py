from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vto_utils.labels import ID
from vto_utils.parser_training.examples import UNKNOWN
from vto_utils.parser_training.losses import parser_loss, soft_dice_loss
from vto_utils.parser_training.scores import GROUPS, ParsingScore, format_figures


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


def test_figures_side_by_side():
    score, other = ParsingScore(), ParsingScore()
    truth = np.full((4, 4), ID["face"], np.uint8)
    truth[:2] = 0
    score.add(truth, truth)
    other.add(np.zeros_like(truth), truth)
    text = format_figures({"one": score.figures(), "two": other.figures()}, classes=True).splitlines()
    rows = {line.split("  ")[0]: line.split()[-2:] for line in text if line}
    assert rows["face"] == ["1.000", "0.000"] and rows["background"] == ["1.000", "0.500"]
    assert rows["mean"] == ["1.000", "0.250"] and rows["mean of classes"] == ["1.000", "0.250"]
    assert rows["dress"] == ["-", "-"]  # neither there nor said
