from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vto_utils.errors import InputError
from vto_utils.synth.cloth import KINDS, FabricSpec, PanelMaps
from vto_utils.synth.cloth_patterns import pattern
from vto_utils.synth.cloth_photos import find_cloth, load_photos
from vto_utils.synth.colours import companions, lightness, sample_colour
from vto_utils.synth.fabrics import FAMILIES, HELD_OUT_FAMILIES, sample_fabric
from vto_utils.synth.motifs import motif_repeat
from vto_utils.synth.yarns import yarns

MADE = [name for name in FAMILIES if name != "photo"]


def panel(scale: float, side: str = "front") -> PanelMaps:
    """A rectangle 4 dm wide and 4 dm tall round the chest; what is right of x = 1.5 is a sleeve."""
    count = round(4 * scale)
    step = (np.arange(count, dtype=np.float32) + 0.5) / np.float32(scale)
    x, y = np.meshgrid(step - 2, 5 - step)
    sleeve = (x > 1.5).astype(np.float32)
    return PanelMaps(
        x, y, np.where(sleeve > 0, x, y), np.where(sleeve > 0, y, x), sleeve, x - 1.5, 5 - y, y - 1, 2 - x, side, scale
    )


def example(family: str, kind: str = "top", seed: int = 0) -> FabricSpec:
    return sample_fabric(np.random.default_rng(seed), [family], kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_give_the_same_fabric_and_json_keeps_it(kind: str) -> None:
    for seed in range(60):
        spec = sample_fabric(np.random.default_rng(seed), FAMILIES, kind=kind)
        assert spec == sample_fabric(np.random.default_rng(seed), FAMILIES, kind=kind)
        assert FabricSpec.from_dict(json.loads(json.dumps(dataclasses.asdict(spec)))) == spec
        hash(spec)


def test_only_families_asked_for_are_drawn() -> None:
    rng = np.random.default_rng(0)
    train = set(FAMILIES) - HELD_OUT_FAMILIES
    assert len(HELD_OUT_FAMILIES) in (2, 3) and HELD_OUT_FAMILIES.issubset(FAMILIES)
    seen = {sample_fabric(rng, train, kind=kind).family for kind in KINDS for _ in range(400)}
    assert not seen & HELD_OUT_FAMILIES
    assert seen == train - {"photo"}
    drawn = {sample_fabric(rng, HELD_OUT_FAMILIES, kind="top").family for _ in range(60)}
    assert drawn == HELD_OUT_FAMILIES


def test_wardrobes_are_mostly_plain_and_trousers_mostly_denim_or_plain() -> None:
    rng = np.random.default_rng(1)
    tops = [sample_fabric(rng, FAMILIES, kind="top") for _ in range(600)]
    calm = np.mean([spec.family in ("plain", "heather", "knit", "rib knit") for spec in tops])
    assert 0.4 < calm < 0.62
    trousers = [sample_fabric(rng, FAMILIES, kind="trousers") for _ in range(600)]
    assert 0.3 < np.mean([spec.family == "denim" for spec in trousers]) < 0.5
    denim = [lightness(spec.colours[0]) for spec in trousers if spec.family == "denim"]
    assert min(denim) < 15 and max(denim) > 75
    widths = [width for spec in tops if spec.family == "stripe" for _, width in spec.sett]
    assert min(widths) > 0.03 and max(widths) < 1.2


def test_every_colour_can_be_drawn_pure_white_and_black_too() -> None:
    rng = np.random.default_rng(2)
    colours = np.array([sample_colour(rng, "top") for _ in range(4000)])
    assert colours.min() >= 0 and colours.max() <= 1
    assert (colours == 1).all(1).any() and (colours == 0).all(1).any()
    assert len({tuple(cell) for cell in np.minimum((colours * 4).astype(int), 3)}) > 40  # of 64
    assert 0.3 < (np.ptp(colours, axis=1) < 0.1).mean() < 0.7


def test_companions_stand_out() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        base = sample_colour(rng)
        first = companions(rng, base, 3, 30)[0]
        assert abs(lightness(first) - lightness(base)) > 20


@pytest.mark.parametrize("family", MADE)
def test_pattern_and_yarns_are_pictures(family: str) -> None:
    maps = panel(26)
    for seed in range(3):
        spec = example(family, seed=seed)
        colours, (shade, height) = pattern(spec, maps), yarns(spec, maps)
        assert colours.shape == (*maps.x.shape, 3) and shade.shape == height.shape == maps.x.shape
        assert {colours.dtype, shade.dtype, height.dtype} == {np.dtype(np.float32)}
        assert colours.min() >= 0 and colours.max() <= 1
        assert abs(shade.mean() - 1) < 0.1 and shade.min() >= 0.5 and shade.max() <= 1.4
        assert np.abs(height).max() <= 0.02


@pytest.mark.parametrize("family", MADE)
def test_a_fabric_looks_the_same_at_every_resolution(family: str) -> None:
    for seed in range(2):
        spec = example(family, seed=seed)
        coarse = pattern(spec, panel(25))
        fine = cv2.resize(pattern(spec, panel(75)), coarse.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(coarse - fine).mean() < 0.025
        blurred = [cv2.GaussianBlur(picture, (0, 0), 2) for picture in (coarse, fine)]
        assert np.abs(blurred[0] - blurred[1]).max() < 0.13  # nothing moved, nothing aliased


def test_stripes_have_their_widths_and_colours() -> None:
    spec = FabricSpec("stripe", colours=((1, 1, 1), (0, 0, 0)), sett=((0, 0.3), (1, 0.2)))
    maps = panel(40)
    picture = pattern(spec, maps)
    assert np.ptp(picture, axis=1)[:, 0].max() > 0.9  # they run across the body and turn with the sleeve
    column = picture[:, 10, 0]
    assert np.abs(column.mean() - 0.6) < 0.01  # 4 dm are eight repeats
    dark = np.mod(maps.y[:, 10], 0.5) > 0.3
    inside = np.minimum(np.mod(maps.y[:, 10] - 0.3, 0.5), np.mod(-maps.y[:, 10], 0.5)) > 0.03
    assert (column[dark & inside] < 0.01).all()
    assert np.allclose(column[:20], column[20:40], atol=0.02)


def test_fine_stripes_melt_into_their_mean() -> None:
    spec = FabricSpec("vertical stripe", colours=((1, 1, 1), (0, 0, 0)), sett=((0, 0.006), (1, 0.002)))
    assert np.abs(pattern(spec, panel(20)) - 0.75).max() < 0.06


def test_gingham_is_warp_and_weft() -> None:
    spec = FabricSpec("gingham", colours=((1, 1, 1), (0, 0, 1)), sett=((0, 0.25), (1, 0.25)))
    red = pattern(spec, panel(40))[..., 0]
    for tone, share in ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25)):
        assert abs((np.abs(red - tone) < 0.06).mean() - share) < 0.1


@pytest.mark.parametrize("family", ["dots", "floral", "camouflage", "animal"])
def test_motifs_repeat_without_a_seam(family: str) -> None:
    spec = example(family)
    side, _ = motif_repeat(spec)
    maps = panel(30)
    shifted = dataclasses.replace(maps, along=maps.along + np.float32(side), across=maps.across - np.float32(side))
    assert np.abs(pattern(spec, maps) - pattern(spec, shifted)).mean() < 0.004


def test_colour_blocks_keep_the_sleeves_with_the_shoulders() -> None:
    spec = FabricSpec("colour block", colours=((1, 0, 0), (0, 1, 0)), sett=((0, 3.0), (1, -99.0)), layout="across")
    maps = panel(20)
    picture = pattern(spec, maps)
    assert (picture[(maps.y > 3.1) & (maps.x < 1.4)] == (1, 0, 0)).all()
    assert (picture[(maps.y < 2.9) & (maps.x < 1.4)] == (0, 1, 0)).all()
    assert (picture[maps.x > 1.6] == (1, 0, 0)).all()


@pytest.mark.parametrize(("kind", "families"), [("hat", ["plain"]), ("top", ["plaid"]), ("top", [])])
def test_what_does_not_exist_is_refused(kind: str, families: list[str]) -> None:
    with pytest.raises(InputError):
        sample_fabric(np.random.default_rng(0), families, kind=kind)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos of a striped garment on a floor, one broken, one of shoes, one named but missing."""
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for index in range(4):
        picture = np.full((300, 240, 3), (70, 130, 90), np.uint8)
        picture[50:250, 50:190] = (40, 40, 190)  # red, as OpenCV writes it
        picture[50:250:12, 50:190] = (60, 60, 220)
        picture = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(images / f"shirt{index}.jpg"), picture)
    cv2.imwrite(str(images / "shoes.jpg"), picture)
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    rows = [f"shirt{index},T-Shirt,False" for index in range(4)] + ["shoes,Shoes,False", "broken,Pants,False"]
    (tmp_path / "images.csv").write_text("\n".join(["image,label,kids", *rows, "lost,Pants,False"]))
    return tmp_path


def test_photos_give_patches_of_bare_cloth(photos: Path) -> None:
    library = load_photos(photos)
    assert len(library) == 5 and "lost" in library.notes[0] and len(library.notes) == 1
    patches = [library[index] for index in range(len(library))]
    assert sum(patch is None for patch in patches) == 1
    assert len(library.notes) == 2 and "broken.jpg" in library.notes[1]
    assert patches[-1] == library[-1] and library[1:3] == tuple(patches[1:3])
    for patch in filter(None, patches):
        left, top, width, height = patch.box
        assert left >= 50 and top >= 50 and left + width <= 190 and top + height <= 250 and width > 30
    spec = sample_fabric(np.random.default_rng(0), ["photo"], kind="trousers", photos=library)
    assert spec.family == "photo" and spec.photo in patches
    assert FabricSpec.from_dict(json.loads(json.dumps(dataclasses.asdict(spec)))) == spec
    assert sample_fabric(np.random.default_rng(0), ["photo"], kind="top", photos=tuple(patches)).photo in patches
    colour = pattern(spec, panel(26)).mean((0, 1))
    assert np.abs(colour - np.array((194, 42, 42)) / 255).max() < 0.06


def test_without_usable_photos_there_are_other_fabrics(photos: Path) -> None:
    rng = np.random.default_rng(0)
    assert all(sample_fabric(rng, FAMILIES, kind="top").family != "photo" for _ in range(200))
    assert sample_fabric(rng, ["photo"], kind="top").family == "plain"
    for path in (photos / "images").glob("shirt*"):
        path.write_bytes(b"")
    library = load_photos(photos)
    assert sample_fabric(rng, ["photo"], kind="top", photos=library).family == "plain"
    assert len(library.notes) == 6


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load_photos(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no photo"):
        load_photos(tmp_path)


def test_a_broken_list_is_done_without(photos: Path) -> None:
    (photos / "images.csv").write_text("name;what\n1;2\n")
    library = load_photos(photos)
    assert len(library) == 6 and "images.csv" in library.notes[0]


def test_a_photo_that_is_all_floor_has_no_cloth() -> None:
    assert find_cloth(np.full((200, 150, 3), 128, np.uint8)) is None
