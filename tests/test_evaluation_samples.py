"""Data sets through variants, what the try-on refuses, and means by category."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import samples
import torch
from dataset_files import OWN
from drawn_samples import a_sample

from vto_utils.body import Body
from vto_utils.dressing import dress_by_rules
from vto_utils.errors import InputError, NoPersonError
from vto_utils.evaluation import tables
from vto_utils.evaluation.measures import FIGURES, Meter
from vto_utils.evaluation.samples import evaluate
from vto_utils.evaluation.variants import Painted, garment_of, methods, wearer_of
from vto_utils.geometry import plan
from vto_utils.images import from_tensor

METER = Meter(None, None)


def tshirt() -> np.ndarray:
    """(128, 96) mask of a T-shirt."""
    large = np.round(255 * samples.coverage(samples.tshirt().outline)).astype(np.uint8)
    return cv2.resize(large, OWN[::-1], interpolation=cv2.INTER_AREA)


def dressable(**changes):
    """A sample that the try-on accepts."""
    mask = tshirt()
    cloth = np.where(mask[..., None] > 127, (30, 90, 200), 255).astype(np.uint8)
    return replace(a_sample(), **{"cloth": cloth, "cloth_mask": mask, "places_known": True} | changes)


class DrawnSet:
    """A data set of given samples."""

    def __init__(self, *found) -> None:
        self.found, self.read = found, []

    def __len__(self) -> int:
        return len(self.found)

    def __str__(self) -> str:
        return "drawn samples"

    def sample(self, number: int):
        self.read.append(number)
        return self.found[number]


def test_the_try_on_without_networks():
    sample = dressable()
    found = evaluate(DrawnSet(sample), [Painted("geometric", dress_by_rules)], METER, 5, shown=1)
    assert found.count == 1 and not found.notes() and found.layout == "drawn"
    figures = found.figures()["figures"]["geometric"]["all"]
    assert figures["garment_iou"] > 0.05 and figures["epe"] is None and figures["seconds"] > 0
    made = dress_by_rules(wearer_of(sample), garment_of(sample), np.random.default_rng(0))
    labels, pictures = zip(*found.pictures, strict=True)
    assert labels == ("p", "upper_body", "geometric", "truth") and found.sheet()[1] == 4
    for picture, expected in zip(pictures, (sample.person, sample.cloth, made.image, sample.target), strict=True):
        assert np.array_equal(np.asarray(picture), expected)
    assert (np.asarray(pictures[2]) != sample.person).any()


def test_refused_samples_count_as_the_photo_unchanged():
    def refuse(wearer, garment, rng):
        if wearer.photo[0, 0, 0] == 7:
            raise NoPersonError("Nobody is here.")
        return dress_by_rules(wearer, garment, rng)

    good = dressable(name="good")
    photo = good.person.copy()
    photo[0, 0] = 7
    bad = replace(good, name="bad", person=photo)
    dataset = DrawnSet(good, bad, replace(bad, name="worse"))
    found = evaluate(dataset, [Painted("rules", refuse), Painted("other", dress_by_rules)], METER, 3, shown=3)
    figures = found.figures()
    assert figures["refused"] == {"rules": ["bad", "worse"], "other": []}
    assert found.notes() == [
        "rules refused 2 of 3 samples, which count as the photo unchanged; the first: Nobody is here."
    ]
    of_rules = found.rows["rules"]
    assert of_rules[0]["garment_iou"] > 0 and of_rules[1]["garment_iou"] == of_rules[2]["garment_iou"] == 0
    assert figures["figures"]["rules"]["all"]["garment_iou"] == pytest.approx(of_rules[0]["garment_iou"] / 3)
    row = found.pictures[5:10]
    assert row[2][0] == "rules (refused)" and np.array_equal(np.asarray(row[2][1]), photo)
    text = tables.format_figures(figures)
    assert [line.split()[-1] for line in text.splitlines()[:3]] == ["refused", "2", "0"]


def test_what_the_try_on_is_given():
    sample = dressable()
    sample.keypoints[3] = (31, 50, 0)
    assert wearer_of(sample).pose.visible("right_elbow")
    guessed = wearer_of(replace(sample, places_known=False))
    assert not guessed.pose.visible("right_elbow") and guessed.pose.visible("left_elbow")
    assert set(np.unique(guessed.mask)) == {0, 255} and ((guessed.mask > 0) == (sample.parse > 0)).all()
    garment = garment_of(sample)
    assert garment.category == "upper_body" and garment.landmarks["left_neck"].shape == (2,)
    assert np.abs(garment.texture.astype(int) - (30, 90, 200)).max() <= 2  # continued, without a white rim
    assert len(plan(garment, Body.measure(wearer_of(sample).pose, sample.parse))) == 3


def test_what_the_try_on_would_refuse():
    points = dressable().keypoints.copy()
    points[[8, 11], 2] = 0
    hidden = dressable(keypoints=points, category="lower_body")
    wearer_of(hidden)  # the places are known
    with pytest.raises(NoPersonError, match="hips are not visible"):
        wearer_of(replace(hidden, places_known=False))
    with pytest.raises(InputError, match="The garment c has an empty mask"):
        garment_of(dressable(cloth_mask=np.zeros(OWN, np.uint8)))


def test_samples_are_evenly_spread_and_known_by_their_hash():
    drawn = [dressable(name=str(number)) for number in range(7)]
    drawn[3].person[5, 5] += 1
    dataset = DrawnSet(*drawn)
    found = evaluate(dataset, [], METER, 3)
    assert dataset.read == [0, 3, 6]
    assert found.digest == evaluate(DrawnSet(*drawn), [], METER, 3).digest and len(found.digest) == 64
    changed = [*drawn[:6], replace(drawn[6], category="dresses")]
    assert len({found.digest, evaluate(DrawnSet(*changed), [], METER, 3).digest}) == 2
    drawn[3].person[5, 5] -= 1
    assert evaluate(DrawnSet(*drawn), [], METER, 3).digest != found.digest


def test_without_the_result_nothing_can_be_measured():
    with pytest.raises(InputError, match="without photos of the result: drawn samples"):
        evaluate(DrawnSet(replace(a_sample(), target=None)), [], METER, 1)


def test_networks_are_asked_for_by_name(tmp_path):
    assert [method.names for method in methods(["geometric"])] == [("geometric",)]
    with pytest.raises(InputError, match="no networks to measure for flow, full: give --weights"):
        methods(["geometric", "flow", "full"])
    with pytest.raises(InputError, match="nowhere does not exist"):
        methods(["full"], tmp_path / "nowhere")


def figures(**values) -> dict[str, float | None]:
    return dict.fromkeys(FIGURES) | values


def test_means_by_category():
    rows = [figures(ssim=0.2, epe=1.0), figures(ssim=0.4), figures(ssim=0.9, epe=3.0)]
    found = tables.summary(["upper_body", "dresses", "upper_body"], {"full": rows}, {"full": ["x"]})
    assert found["counts"] == {"all": 3, "upper_body": 2, "dresses": 1}
    assert list(found["figures"]["full"]) == ["all", "upper_body", "dresses"]
    means = {group: (of["ssim"], of["epe"]) for group, of in found["figures"]["full"].items()}
    assert means["all"] == (pytest.approx(0.5), 2.0)
    assert means["upper_body"] == (pytest.approx(0.55), 2.0)
    assert means["dresses"] == (pytest.approx(0.4), None)
    text = tables.format_figures(found).splitlines()
    assert text[0].split("  ")[0] == "all, 3 samples" and text[0].endswith("refused")
    assert text[1].split() == ["full", "-", "2.00", "0.5000", "-", "-", "-", "-", "1"]
    assert text[7].split()[:4] == ["full", "-", "-", "0.4000"]
    assert text[0].index("SSIM ") == text[1].index("0.5000")  # aligned


def test_facts_of_weights(tmp_path):
    (tmp_path / "gmm.safetensors").write_bytes(b"one")
    (tmp_path / "config.json").write_text("{}")
    facts = tables.weights_facts(tmp_path)
    assert facts == {"name": tmp_path.name, "sha256": {"gmm.safetensors": hashlib.sha256(b"one").hexdigest()}}
    with pytest.raises(InputError, match="nothing could not be read"):
        tables.weights_facts(tmp_path / "nothing")
    assert {"python", "torch"} <= set(tables.versions())


def test_pictures_come_back_as_they_were():
    """What a refused sample shows is the photo to the last bit."""
    picture = np.random.default_rng(0).integers(0, 256, (*OWN, 3), np.uint8)
    tensor = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))[None] / 127.5 - 1
    assert np.array_equal(np.asarray(from_tensor(tensor)), picture)
