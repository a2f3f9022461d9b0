from __future__ import annotations

import csv
import json
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from samples import PEOPLE, dress, photo, trousers, tshirt

from vto_utils.__main__ import main
from vto_utils.errors import InputError
from vto_utils.garment_training.clothing import Clothing, agreed_mask, held_out
from vto_utils.garment_training.evaluation import confusion, evaluate, format_figures, iou
from vto_utils.garment_training.grounds import boards, paper, sheet
from vto_utils.garment_training.sources import CCPPeople, Sources
from vto_utils.garment_training.stream import GarmentStream, place
from vto_utils.garment_training.trainer import GarmentTrainConfig, GarmentTrainer, garment_loss
from vto_utils.networks.garment import GarmentAnswer, GarmentConfig, load_garment_net

SIZE = (64, 64)
_DRAWN = ((tshirt, "T-Shirt"), (trousers, "Pants"), (dress, "Dress"))


@pytest.fixture(scope="module")
def clothing(tmp_path_factory: pytest.TempPathFactory) -> Clothing:
    """Nine small photos of drawn garments; their masks are written as the search would."""
    folder = tmp_path_factory.mktemp("clothing")
    (folder / "images").mkdir()
    rows = []
    for number in range(9):
        draw, label = _DRAWN[number % 3]
        shot = draw().photo((40 + 20 * number, 90, 150), background=(230, 225, 215))
        Image.fromarray(shot).resize((240, 320)).save(folder / "images" / f"g{number}.jpg", quality=95)
        rows.append((f"g{number}", label, "False"))
    rows.append(("missing", "Dress", "False"))
    rows.append(("g0x", "Not sure", "False"))
    with (folder / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label", "kids"), *rows])
    found = Clothing(folder, folder / "masks")
    (folder / "masks").mkdir()
    for name in found.train:
        mask = cv2.resize(_DRAWN[int(name[1:]) % 3][0]().alpha(), (240, 320), interpolation=cv2.INTER_AREA)
        Image.fromarray(np.where(mask > 0.5, 255, 0).astype(np.uint8)).save(folder / "masks" / f"{name}.png")
    return found


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> CCPPeople:
    folder = tmp_path_factory.mktemp("ccp")
    (folder / "photos").mkdir()
    (folder / "labels").mkdir()
    for number, name in enumerate(PEOPLE):
        image = np.asarray(photo(name, (256, 192)))
        Image.fromarray(image).save(folder / "photos" / f"{number:04d}.jpg")
        labels = np.zeros((256, 192), np.uint8)
        labels[20:240, 50:140] = 19
        Image.fromarray(labels).save(folder / "labels" / f"{number:04d}.png")
    return CCPPeople(folder)


@pytest.fixture(scope="module")
def sources(clothing: Clothing, people: CCPPeople) -> Sources:
    return Sources(clothing, None, people)


def config(**changes) -> GarmentTrainConfig:
    network = GarmentConfig(width=16, depths=(0, 0, 0, 0), hidden=16)
    return GarmentTrainConfig(**{"size": SIZE, "batch": 2, "steps": 4, "imagenet": False, "network": network} | changes)


# Photos ---------------------------------------------------------------------------------------------------


def test_a_fixed_tenth_is_held_out() -> None:
    names = [f"n{i}" for i in range(57)]
    chosen = held_out(names)
    assert len(chosen) == 5 and chosen == held_out(names[::-1]) == sorted(chosen)
    worst = max(sha256(name.encode()).hexdigest() for name in chosen)
    assert all(sha256(name.encode()).hexdigest() > worst for name in names if name not in chosen)


def test_clothing_reads_what_is_there(clothing: Clothing) -> None:
    assert len(clothing.labels) == 9 and "missing" not in clothing.labels and "g0x" not in clothing.labels
    assert len(clothing.test) == 1 and not set(clothing.test) & set(clothing.train)
    assert clothing.photo("g0").shape == (320, 240, 3) and clothing.photo("g0").dtype == np.uint8
    assert clothing.mask(clothing.test[0]) is None
    assert set(np.unique(clothing.mask(clothing.train[0]))) == {0, 255}


def test_no_clothing_photos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="images.csv"):
        Clothing(tmp_path, tmp_path / "masks")
    (tmp_path / "images.csv").write_text("image,label\na,Dress\n")
    with pytest.raises(InputError, match="holds no photo"):
        Clothing(tmp_path, tmp_path / "masks")


def test_masks_that_agree() -> None:
    shot = cv2.resize(tshirt().photo(noise=4), (240, 320), interpolation=cv2.INTER_AREA)
    true = cv2.resize(tshirt().alpha(), (240, 320), interpolation=cv2.INTER_AREA)
    found = agreed_mask(shot, np.round(255 * true).astype(np.uint8))
    assert iou(found == 255, true > 0.5) > 0.97
    assert not ((found == 255) & (true < 0.1)).any()


def test_masks_that_do_not_agree() -> None:
    shot = cv2.resize(tshirt().photo(noise=4), (240, 320), interpolation=cv2.INTER_AREA)
    half = cv2.resize(tshirt().alpha(), (240, 320), interpolation=cv2.INTER_AREA)
    half[:, 120:] = 0  # the remover saw half of the shirt
    assert agreed_mask(shot, np.round(255 * half).astype(np.uint8)) is None
    assert agreed_mask(shot, np.full((320, 240), 120, np.uint8)) is None  # unsure everywhere
    assert agreed_mask(shot, np.zeros((320, 240), np.uint8)) is None


# Pictures -------------------------------------------------------------------------------------------------


def test_pictures_follow_from_seed_and_number(sources: Sources) -> None:
    one, same, other = (GarmentStream(sources, SIZE, seed, 50) for seed in (0, 0, 1))
    for number in (3, 0, 7):
        assert all(torch.equal(value, same[number][name]) for name, value in one[number].items())
    assert not torch.equal(one[3]["image"], other[3]["image"])


def test_pictures_are_what_they_say(sources: Sources) -> None:
    stream, kinds = GarmentStream(sources, SIZE, 0, 60), set()
    for number in range(60):
        made = stream[number]
        assert made["image"].shape == (3, *SIZE) and made["image"].abs().max() <= 1.01
        assert set(made["mask"].unique().tolist()) <= {-1, 0, 1}
        kind = int(made["kind"])
        kinds.add(kind)
        if kind == 0:
            assert made["category"] in (0, 1, 2) and made["label"] >= 0
        else:
            assert made["category"] == -1
        assert kind != 1 or (made["mask"] == -1).all()
        assert kind != 3 or (made["mask"] == 0).all()
    assert kinds == {0, 1, 2, 3}


def test_several_garments_are_all_in_the_mask(sources: Sources) -> None:
    stream = GarmentStream(sources, (128, 128), 0, 1)
    picture = stream._several(np.random.default_rng(4))
    count, _, stats, _ = cv2.connectedComponentsWithStats((picture.mask > 127).astype(np.uint8))
    assert (stats[1:, cv2.CC_STAT_AREA] > 200).sum() >= 2


def test_place_fills_the_picture(sources: Sources) -> None:
    cutout = sources.cutout(np.random.default_rng(0))
    placed = place(cutout, (200, 150), np.random.default_rng(1), 0.9)
    ys, xs = np.nonzero(placed.alpha > 0.5)
    assert placed.image.shape == (200, 150, 3)
    assert 0.75 < max(np.ptp(ys) / 200, np.ptp(xs) / 150) < 1.0


@pytest.mark.parametrize("ground", [paper, sheet, boards])
def test_grounds(ground) -> None:
    for seed in range(6):
        made = ground(np.random.default_rng(seed), (48, 64))
        assert made.shape == (48, 64, 3) and made.dtype == np.float32 and np.isfinite(made).all()
        assert np.array_equal(made, ground(np.random.default_rng(seed), (48, 64)))


def test_nothing_to_learn_from(people: CCPPeople) -> None:
    with pytest.raises(InputError, match="nothing to learn"):
        Sources(None, None, people)


# Training -------------------------------------------------------------------------------------------------


def test_loss_leaves_out_what_is_unknown() -> None:
    generator = torch.Generator().manual_seed(0)
    answer = GarmentAnswer(*(torch.randn(*shape, generator=generator) for shape in ((2, 1, 4, 4), (2, 14), (2, 4))))
    truth = {"mask": torch.full((2, 1, 16, 16), -1.0), "label": torch.tensor([-1, -1]),
             "category": torch.tensor([-1, -1]), "kind": torch.tensor([-1, -1])}  # fmt: skip
    assert garment_loss(answer, truth) == 0
    truth["kind"] = torch.tensor([2, -1])
    torch.testing.assert_close(
        garment_loss(answer, truth), torch.nn.functional.cross_entropy(answer.kind[:1], torch.tensor([2]))
    )


def test_loss_of_a_right_answer_is_small() -> None:
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    label, kind = torch.zeros(1, 14), torch.zeros(1, 4)
    label[0, 10], kind[0, 0] = 30, 30
    sharp = torch.nn.functional.avg_pool2d(mask, 4) * 60 - 30
    truth = {"mask": mask, "label": torch.tensor([10]), "category": torch.tensor([1]), "kind": torch.tensor([0])}
    wrong = truth | {"category": torch.tensor([0])}
    right = garment_loss(GarmentAnswer(sharp, label, kind), truth)
    assert right < 0.6 * garment_loss(GarmentAnswer(-sharp, label, kind), truth)
    assert garment_loss(GarmentAnswer(sharp, label, kind), wrong) > right + 20


def test_a_resumed_run_equals_an_unbroken_one(sources: Sources, tmp_path: Path) -> None:
    stream = GarmentStream(sources, SIZE, 0, 8)
    whole = GarmentTrainer(stream, config(), tmp_path / "whole", "cpu")
    losses = whole.fit()
    part = GarmentTrainer(stream, config(), tmp_path / "part", "cpu")
    first = part.fit(minutes=0)  # one step
    again = GarmentTrainer(stream, config(), tmp_path / "part", "cpu")
    assert again.resume() and again.step == 1
    assert first + again.fit() == losses
    for name, tensor in whole.net.state_dict().items():
        assert torch.equal(tensor, again.net.state_dict()[name]), name
    lines = [json.loads(line) for line in (tmp_path / "part" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert load_garment_net(tmp_path / "part" / "garment.safetensors").config == config().network


def test_frozen_stages_stay(sources: Sources, tmp_path: Path) -> None:
    trainer = GarmentTrainer(GarmentStream(sources, SIZE, 0, 8), config(frozen=2), tmp_path, "cpu")
    before = {name: tensor.clone() for name, tensor in trainer.net.state_dict().items()}
    trainer.fit(minutes=0)
    moved = {name for name, tensor in trainer.net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith(("encoder.stem", "encoder.stages.0", "encoder.stages.1.")) for name in moved)
    assert any(name.startswith("encoder.stages.2") for name in moved) and "mask.weight" in moved


def test_runs_that_cannot_go_on(sources: Sources, tmp_path: Path) -> None:
    stream = GarmentStream(sources, SIZE, 0, 8)
    trainer = GarmentTrainer(stream, config(), tmp_path, "cpu")
    assert not trainer.resume()
    saved = trainer.save()
    with pytest.raises(InputError, match="other settings"):
        GarmentTrainer(stream, config(seed=1), tmp_path, "cpu").resume()
    saved.write_bytes(b"half a file")
    with pytest.raises(InputError, match="damaged"):
        trainer.resume()


@pytest.mark.parametrize("wrong", [{"size": (60, 64)}, {"batch": 0}, {"steps": 0}, {"learning_rate": 0.0}])
def test_settings_that_cannot_be_used(wrong: dict) -> None:
    with pytest.raises(InputError):
        config(**wrong)


# Measuring ------------------------------------------------------------------------------------------------


def test_known_figures() -> None:
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    one[:2], other[1:3] = True, True
    assert iou(one, other) == pytest.approx(1 / 3) and iou(~one & one, one & ~one) == 1
    assert confusion([0, 0, 1], [0, 1, 1], 2).tolist() == [[1, 1], [0, 1]]


def test_figures_of_a_network(sources: Sources, tmp_path: Path) -> None:
    trainer = GarmentTrainer(GarmentStream(sources, SIZE, 0, 8), config(), tmp_path, "cpu")
    figures = evaluate(trainer.net, sources, SIZE)
    assert figures["clothing"]["photos"] == 1 and sum(figures["clothing"]["taken_for"].values()) == 1
    assert np.sum(figures["clothing"]["category_confusion"]) == 1
    assert figures["people"]["photos"] == len(sources.people.test)
    assert "1 clothing photos" in format_figures(figures)


def test_command_without_data(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["train-garment", "--out", str(tmp_path / "run")]) == 2
    assert "nothing to learn garments from" in capsys.readouterr().err
