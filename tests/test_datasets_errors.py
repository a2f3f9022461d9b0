"""Every mistake has its sentence: what is wrong with how many files, the first names, what to do."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from dataset_files import (
    KEYPOINTS,
    OWN,
    SIZE,
    body,
    openpose,
    save,
    write,
    write_dresscode,
    write_synthetic,
    write_viton,
    write_viton_hd,
)
from PIL import Image

from vto_utils import labels
from vto_utils.datasets import open_dataset, recognise
from vto_utils.datasets.pairs import read_pairs
from vto_utils.errors import InputError
from vto_utils.label_schemes import from_cihp
from vto_utils.synth.samples import SynthConfig


def refused(source, split: str = "train", size: tuple[int, int] = SIZE, **options) -> str:
    with pytest.raises(InputError) as caught:
        open_dataset(source, split, size, **options)
    said = str(caught.value)
    assert said.endswith((".", ")")) and "\n" not in said
    return said


# Folders that are no data set -----------------------------------------------------------------------


def test_no_folder(tmp_path):
    assert "There is no folder" in refused(tmp_path / "nowhere")
    write(tmp_path / "set.zip", "PK")
    assert "is an archive: unpack it" in refused(tmp_path / "set.zip")
    write(tmp_path / "list.txt", "x")
    assert "is a file: give the folder" in refused(tmp_path / "list.txt")


def test_the_wrong_folder_of_a_data_set(tmp_path):
    root = write_viton_hd(tmp_path / "deep" / "hd")
    assert f"one split of a data set: give the folder above it, {root}." in refused(root / "train")
    assert f"is no data set, but {root} is (VITON-HD): give that folder." in refused(root.parent)
    assert "has no split 'test': it holds train; choose one" in refused(root, "test")
    root = write_dresscode(tmp_path / "dc")
    assert f"one category of a data set: give the folder above it, {root}." in refused(root / "dresses")


def test_other_things(tmp_path):
    (tmp_path / "old" / "train_img").mkdir(parents=True)
    (tmp_path / "old" / "train_color").mkdir()
    assert "as ACGPN and PF-AFN have it (train_color, train_img)" in refused(tmp_path / "old")
    for number in range(5):
        (tmp_path / "x" / f"folder_{number}").mkdir(parents=True)
    said = refused(tmp_path / "x")
    assert "it holds the folders folder_0, folder_1, folder_2, ..." in said and "upper_body/images" in said
    (tmp_path / "y").mkdir()
    assert "it holds no folders" in refused(tmp_path / "y")


def test_layouts_are_told_apart(tmp_path):
    assert recognise(write_viton_hd(tmp_path / "a")) == "VITON-HD"
    assert recognise(write_viton_hd(tmp_path / "b", demo=True)) == "VITON-HD"
    assert recognise(write_viton(tmp_path / "c")) == recognise(write_viton(tmp_path / "d", new=True)) == "VITON"
    assert recognise(write_dresscode(tmp_path / "e")) == "DressCode"
    assert recognise(write_synthetic(tmp_path / "f", 2)) == "synthetic"  # though it looks like VITON-HD too
    (tmp_path / "g" / "persons").mkdir(parents=True)
    (tmp_path / "g" / "cloths").mkdir()
    assert recognise(tmp_path / "g") == "two folders"


@pytest.mark.parametrize(
    ("options", "said"),
    [({"layout": "COCO"}, "no layout 'COCO': use auto, synthetic"), ({"pairing": "both"}, "paired or unpaired"),
     ({"agnostic": "no"}, "computed or files"), ({"incomplete": "x"}, "refuse or skip"), ({"swap": 2}, "0 to 1"),
     ({"categories": ["hats"]}, "no category 'hats'"), ({"size": (8, 6)}, "16 pixels or more")],
)  # fmt: skip
def test_options(options, said, tmp_path):
    assert said in refused(write_viton_hd(tmp_path), **options)


def test_what_is_made_on_the_fly_needs_a_length():
    assert "give length=" in refused(SynthConfig(), size=(64, 48))
    assert "set it there" in refused(SynthConfig(), size=(64, 48), length=2, categories=["dresses"])
    assert "no split 'val'" in refused(SynthConfig(), "val", size=(64, 48), length=2)


# Missing files --------------------------------------------------------------------------------------


def test_missing_label_maps(tmp_path):
    root = write_viton_hd(tmp_path, count=6)
    for number in (1, 2, 4, 5):
        (root / f"train/image-parse-v3/{number:05d}_00.png").unlink()
    said = refused(root)
    start = f"4 of 6 pairs of {root}/train_pairs.txt lack image-parse-v3 (the label map): "
    assert said.startswith(start + "00001_00.png, 00002_00.png, 00004_00.png, ...: make them with")
    command = f"`python -m vto_utils preprocess --persons {root}/train/image --cloths {root}/train/cloth"
    assert command in said and said.endswith("or remove the pairs.")


def test_missing_files_of_several_kinds(tmp_path):
    root = write_viton_hd(tmp_path)
    for path in (root / "train/openpose_json").iterdir():
        path.unlink()
    (root / "train/cloth-mask/00002_00.jpg").unlink()
    said = refused(root)
    assert "3 of 3 pairs" in said and "lack openpose_json (the key points)" in said
    assert "(also missing: 1 cloth-mask)" in said
    assert "3 of 3 pairs" in refused(root, incomplete="skip")  # nothing would be left


@pytest.mark.parametrize(
    ("file", "said"),
    [("image/00001_00.jpg", "lack image (the person's photo): 00001_00.jpg: copy them there"),
     ("cloth/00001_00.jpg", "lack cloth (the garment's photo): 00001_00.jpg: copy them there"),
     ("cloth-mask/00001_00.jpg", "lack cloth-mask (the garment's mask): 00001_00.jpg: make them")],
)  # fmt: skip
def test_one_missing_file(file, said, tmp_path):
    root = write_viton_hd(tmp_path)
    (root / "train" / file).unlink()
    assert f"1 of 3 pairs of {root}/train_pairs.txt {said}" in refused(root)


def test_missing_agnostic_masks_are_only_missed_when_wanted(tmp_path):
    root = write_viton(tmp_path)
    assert len(open_dataset(root, size=SIZE)) == 3
    assert "lack agnostic-mask (the agnostic mask)" in refused(root, agnostic="files")


def test_missing_key_points_of_viton(tmp_path):
    root = write_viton(tmp_path)
    for path in (root / "train/pose").iterdir():
        path.unlink()
    (root / "train/pose").rmdir()
    assert "3 of 3 pairs" in refused(root) and "lack pose (the key points): 000000_0_keypoints.json" in refused(root)


def test_missing_files_of_dresscode(tmp_path):
    root = write_dresscode(tmp_path)
    (root / "dresses/label_maps/002001_4.png").unlink()
    assert f"1 of 6 pairs of {root}/*/train_pairs.txt lack label_maps (the label map): 002001_4.png" in refused(root)
    assert len(open_dataset(root, size=SIZE, categories=["upper_body"])) == 2


def test_persons_without_their_own_garment(tmp_path):
    root = write_viton_hd(tmp_path, "test")
    (root / "test/cloth/00000_00.jpg").unlink()
    (root / "test/cloth-mask/00000_00.jpg").unlink()
    write(root / "test_pairs.txt", "00000_00.jpg 00001_00.jpg\n00001_00.jpg 00002_00.jpg\n")
    said = refused(root, "test")
    assert said.startswith("1 of 2 persons") and "(00000_00.jpg)" in said and "pairing='unpaired'" in said
    assert len(open_dataset(root, "test", SIZE, pairing="unpaired")) == 2
    assert len(open_dataset(root, "test", SIZE, incomplete="skip")) == 1


def test_pairs_that_are_not_worn(tmp_path):
    root = write_dresscode(tmp_path)
    for category in ("upper_body", "lower_body", "dresses"):
        (root / category / "test_pairs_paired.txt").unlink()
        (root / category / "test_pairs_unpaired.txt").rename(root / category / "test_pairs.txt")
    assert "which is not the garment that this person wears" in refused(root, "test")


# Pairs files ----------------------------------------------------------------------------------------


def test_pairs_files(tmp_path):
    path = tmp_path / "pairs.txt"
    with pytest.raises(InputError, match="There is no .*pairs.txt: write one with a line"):
        read_pairs(path)
    write(path, "\n# nothing\n")
    with pytest.raises(InputError, match="pairs.txt is empty"):
        read_pairs(path)
    write(path, "a.jpg b.jpg\nanna at home.jpg shirt.jpg\n")
    with pytest.raises(InputError, match="Line 2 of .* has 4 columns: write .* names without spaces"):
        read_pairs(path)
    write(path, "a.jpg b.jpg shoes\n")
    with pytest.raises(InputError, match="Line 1 of .* names the category 'shoes': use one of upper_body"):
        read_pairs(path)
    path.write_bytes(b"\xff\xfea\x00")
    with pytest.raises(InputError, match="save it as plain text, UTF-8"):
        read_pairs(path)
    path.write_bytes("\ufeffa.jpg\tb.jpg\r\nc.jpg d.jpg 2\n".encode())
    assert read_pairs(path) == [("a.jpg", "b.jpg", None), ("c.jpg", "d.jpg", "dresses")]


def test_no_pairs_file(tmp_path):
    root = write_viton_hd(tmp_path)
    (root / "train_pairs.txt").unlink()
    assert f"There is no {root}/train_pairs.txt" in refused(root)


# Files in a wrong form ------------------------------------------------------------------------------


def label_map(tmp_path: Path, image: Image.Image, name: str = "00000_00.png") -> Path:
    root = write_viton_hd(tmp_path)
    save(image, root / "train/image-parse-v3" / name)
    return root


def test_coloured_label_maps_are_decoded(tmp_path):
    """Pictures in the usual colours hold the ids after all."""
    root = label_map(tmp_path, labels.to_palette_image(body()).convert("RGB"))
    assert np.array_equal(open_dataset(root, size=OWN)[0]["parse"].numpy(), body())


def test_label_maps_of_another_kind(tmp_path):
    said = refused(label_map(tmp_path / "a", Image.fromarray(body() * 12)))
    assert "00000_00.png" in said and "times 12" in said
    said = refused(label_map(tmp_path / "b", Image.fromarray(from_cihp(body(), "atr"))))
    assert "00000_00.png" in said and "looks like ATR-18" in said
    root = write_viton_hd(tmp_path / "all")
    for path in (root / "train/image-parse-v3").iterdir():
        save(Image.fromarray(body() * 10), path)
    assert refused(root).startswith(
        f"In {root}/train/image-parse-v3, 3 of 3 label maps hold ids times 10 (00000_00.png"
    )
    said = refused(label_map(tmp_path / "c", Image.fromarray(np.where(body() > 0, 255, 0).astype(np.uint8))))
    assert "is a mask" in said
    noise = np.random.default_rng(0).integers(0, 256, (*OWN, 3)).astype(np.uint8)
    assert "00000_00.png" in refused(label_map(tmp_path / "d", Image.fromarray(noise)))


def test_label_maps_of_another_shape(tmp_path):
    root = label_map(tmp_path, Image.fromarray(body()[:96]))
    assert "is 96 high and 96 wide, but its photo 128 high and 96 wide" in refused(root)


def test_key_points_of_another_picture(tmp_path):
    root = write_viton_hd(tmp_path)
    write(root / "train/openpose_json/00000_00_keypoints.json", openpose(KEYPOINTS * np.float32([8, 8, 1])))
    said = refused(root)
    assert "00000_00_keypoints.json has key points up to x 528 and y 912, but its photo is 128 high" in said


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "nonsense"])
def test_no_openpose_file(content, tmp_path):
    root = write_viton_hd(tmp_path)
    write(root / "train/openpose_json/00000_00_keypoints.json", content)
    assert "00000_00_keypoints.json" in refused(root)


def test_no_key_points_of_dresscode(tmp_path):
    root = write_dresscode(tmp_path)
    write(root / "upper_body/keypoints/000000_2.json", openpose(KEYPOINTS))
    assert "000000_2.json is not a key point file of DressCode" in refused(root)


def test_damaged_pictures_are_named_when_they_are_read(tmp_path):
    """Only a few files are looked into at the beginning."""
    root = write_viton_hd(tmp_path, count=5)
    path = root / "train/cloth/00001_00.jpg"
    path.write_bytes(path.read_bytes()[:200])
    dataset = open_dataset(root, size=SIZE)
    with pytest.raises(InputError, match=re.escape(f"{path} cannot be read") + ".*copy it again"):
        dataset[1]
    dataset[2]
    path.unlink()
    with pytest.raises(InputError, match=re.escape(f"{path} is missing")):
        dataset[1]


def test_empty_masks(tmp_path):
    root = write_viton_hd(tmp_path)
    save(Image.fromarray(np.zeros(OWN, np.uint8)), root / "train/cloth-mask/00000_00.jpg")
    assert "cloth-mask/00000_00.jpg is empty: make the mask again" in refused(root)
    root = write_dresscode(tmp_path / "dc", masks=False)
    save(Image.fromarray(np.full((*OWN, 3), 255, np.uint8)), root / "upper_body/images/000000_1.jpg")
    assert "000000_1.jpg shows no garment" in refused(root)


def test_joined_sizes(tmp_path):
    from vto_utils.datasets import JoinedDataset

    root = write_viton_hd(tmp_path)
    sets = [open_dataset(root, size=size) for size in (SIZE, OWN)]
    with pytest.raises(InputError, match="64x48 and 128x96 cannot be joined"):
        JoinedDataset(sets)
    with pytest.raises(InputError, match="no data set to join"):
        JoinedDataset([])
