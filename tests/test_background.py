from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vto_utils import assets, background
from vto_utils.background import MODELS, BackgroundRemover, remove_background_rgb
from vto_utils.errors import AssetError, InputError


def drawn_figure(width: int = 240, height: int = 320) -> Image.Image:
    """A dark figure with a head on a light wall; it covers the middle and none of the corners."""
    image = Image.new("RGB", (width, height), (225, 228, 232))
    draw = ImageDraw.Draw(image)
    draw.ellipse((100, 40, 140, 90), fill=(200, 150, 120))
    draw.rounded_rectangle((75, 95, 165, 215), 20, fill=(160, 30, 40))
    draw.rectangle((85, 205, 115, 300), fill=(30, 40, 90))
    draw.rectangle((125, 205, 155, 300), fill=(30, 40, 90))
    return image


@pytest.fixture(scope="module")
def remover(model_files: dict[str, Path]) -> BackgroundRemover:
    return BackgroundRemover()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_alpha_separates_figure_and_wall(remover: BackgroundRemover) -> None:
    alpha = remover.alpha(drawn_figure())
    assert alpha.shape == (320, 240) and alpha.dtype == np.uint8
    assert alpha[130:200, 90:150].min() > 200
    assert max(alpha[:20, :20].max(), alpha[-20:, -20:].max(), alpha[100:200, :30].max()) < 20


def test_alpha_takes_arrays_in_rgb(remover: BackgroundRemover) -> None:
    image = drawn_figure()
    assert np.array_equal(remover.alpha(np.asarray(image)), remover.alpha(image))


def test_remove_lays_the_figure_on_the_colour(remover: BackgroundRemover) -> None:
    image = drawn_figure()
    white, green = remover.remove(image), remover.remove(image, background=(0, 255, 0))
    assert white.mode == green.mode == "RGB" and white.size == green.size == image.size
    assert white.getpixel((3, 3)) == (255, 255, 255) and green.getpixel((3, 3)) == (0, 255, 0)
    assert np.abs(np.subtract(white.getpixel((120, 150)), image.getpixel((120, 150)))).max() <= 8


def test_remove_is_the_alpha_blend(remover: BackgroundRemover) -> None:
    image = drawn_figure()
    share = remover.alpha(image)[..., None] / 255.0
    expected = share * np.asarray(image) + (1 - share) * np.array([10, 20, 30])
    assert np.abs(np.asarray(remover.remove(image, (10, 20, 30))) - expected).max() <= 1


@pytest.mark.parametrize("value", [0, 120, 255])
def test_plain_picture_has_no_subject(remover: BackgroundRemover, value: int) -> None:
    plain = np.full((120, 90, 3), value, np.uint8)
    assert not remover.alpha(plain).any()
    assert np.asarray(remover.remove(plain)).min() == 255


def test_orientation_tag_is_applied(remover: BackgroundRemover) -> None:
    upright = drawn_figure()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, to be turned a quarter clockwise
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    stored = Image.open(file)
    assert stored.size == (320, 240)
    assert np.array_equal(remover.alpha(stored), remover.alpha(upright))
    assert remover.remove(stored).size == upright.size


def test_image_cut_out_already_keeps_its_own_alpha(remover: BackgroundRemover) -> None:
    own = np.zeros((64, 48), np.uint8)
    own[10:50, 8:40] = 255
    own[10:50, 40] = 100
    rgba = Image.merge("RGBA", (*Image.new("RGB", (48, 64), (250, 250, 250)).split(), Image.fromarray(own)))
    assert np.array_equal(remover.alpha(rgba), own)
    assert np.array_equal(remover.alpha(np.asarray(rgba)), own)
    assert remover.remove(rgba, (0, 0, 0)).getpixel((2, 2)) == (0, 0, 0)
    assert remover.remove(rgba, (0, 0, 0)).getpixel((20, 30)) == (250, 250, 250)


def test_opaque_alpha_channel_is_not_a_cut_out(remover: BackgroundRemover) -> None:
    image = drawn_figure()
    assert np.array_equal(remover.alpha(image.convert("RGBA")), remover.alpha(image))


@pytest.mark.parametrize("colour", [(0, 0), (0, 0, 256), (0, 0, -1), (0.5, 0.5, 0.5), "white", None])
def test_unusable_background_colour(remover: BackgroundRemover, colour: object) -> None:
    with pytest.raises(InputError, match="three numbers"):
        remover.remove(drawn_figure(), colour)


@pytest.mark.parametrize("model", ["bria-rmbg", "withoutbg", "atlascloud", "u2net_custom", "../u2netp", ""])
def test_only_listed_models_are_taken(model: str) -> None:
    with pytest.raises(InputError) as caught:
        BackgroundRemover(model)
    assert repr(model) in str(caught.value) and all(name in str(caught.value) for name in MODELS)


def test_listed_model_without_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_network: None) -> None:
    for variable in ("VTO_CACHE", "U2NET_HOME", "REMBG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(AssetError, match=r"silueta\.onnx") as caught:
        BackgroundRemover("silueta")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("variable", ["VTO_CACHE", "U2NET_HOME"])
def test_other_model_is_read_from_either_folder(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model_files: dict[str, Path],
    no_network: None,
    variable: str,
) -> None:
    # silueta takes what u2netp takes, so its file can stand in; by its hash rembg would download another.
    for each in ("VTO_CACHE", "U2NET_HOME", "REMBG_HOME"):
        monkeypatch.setenv(each, str(tmp_path / each))
    (tmp_path / variable).mkdir()
    shutil.copy(model_files["u2netp"], tmp_path / variable / "silueta.onnx")
    assert BackgroundRemover("silueta").alpha(drawn_figure())[150, 120] > 200


def test_damaged_model_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_network: None) -> None:
    monkeypatch.setenv("VTO_CACHE", str(tmp_path))
    (tmp_path / "u2net.onnx").write_bytes(b"not a network")
    with pytest.raises(AssetError, match=r"u2net\.onnx cannot be used .*delete it"):
        BackgroundRemover("u2net")


def test_no_connection_and_no_trace_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, model_files: dict[str, Path], no_network: None
) -> None:
    monkeypatch.delenv("U2NET_HOME", raising=False)
    monkeypatch.delenv("MODEL_CHECKSUM_DISABLED", raising=False)
    before = dict(os.environ)
    assert BackgroundRemover().alpha(drawn_figure()).max() == 255
    assert dict(os.environ) == before


def test_missing_rembg_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, model_files: dict[str, Path]) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(InputError, match="pip install"):
        BackgroundRemover()


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("2,1", 2)])
def test_threads_follow_omp(monkeypatch: pytest.MonkeyPatch, value: str, threads: int) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert background._threads() == threads


@pytest.mark.parametrize("value", ["", "many", "0"])
def test_threads_without_a_usable_number(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert 1 <= background._threads() <= 8


def test_seed_function_loads_once(monkeypatch: pytest.MonkeyPatch, remover: BackgroundRemover) -> None:
    made = []

    class Counted(BackgroundRemover):
        def __init__(self) -> None:
            made.append(self)
            self.__dict__.update(vars(remover))

    monkeypatch.setattr(background, "BackgroundRemover", Counted)
    background._default_remover.cache_clear()
    try:
        first, second = remove_background_rgb(drawn_figure()), remove_background_rgb(drawn_figure())
    finally:
        background._default_remover.cache_clear()
    assert len(made) == 1
    assert first.mode == "RGB" and first.getpixel((3, 3)) == (255, 255, 255)
    assert first.tobytes() == second.tobytes()


def test_import_costs_neither_rembg_nor_numba(model_files: dict[str, Path]) -> None:
    assert assets.find("u2netp") is not None
    code = """
import sys
import numpy as np
from vto_utils.background import BackgroundRemover
assert not {"rembg", "onnxruntime", "torch"} & set(sys.modules), "imported too early"
BackgroundRemover().alpha(np.zeros((64, 48, 3), np.uint8))
assert "rembg" in sys.modules
assert not {"numba", "pymatting", "torch"} & set(sys.modules), "compiles for a minute on a new machine"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_deferred_package_works_when_called() -> None:
    # colorsys stands for any package that is not loaded yet.
    sys.modules.pop("colorsys", None)
    with background._deferred("colorsys"):
        from colorsys import rgb_to_hsv

        assert not hasattr(sys.modules["colorsys"], "__file__")
    assert "colorsys" not in sys.modules
    assert rgb_to_hsv(1.0, 0.0, 0.0) == (0.0, 1.0, 1.0)
    assert sys.modules["colorsys"].__file__


def test_deferred_leaves_a_loaded_package_alone() -> None:
    import colorsys

    with background._deferred("colorsys"):
        import colorsys as again
    assert again is colorsys and sys.modules["colorsys"] is colorsys
