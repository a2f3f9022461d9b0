"""The command ``evaluate`` on data sets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
import training_items as drawn
from dataset_files import write_synthetic, write_viton_hd
from PIL import Image

from vto_utils import losses
from vto_utils.__main__ import build_parser, main
from vto_utils.checkpoints import save_checkpoint
from vto_utils.evaluation import command
from vto_utils.evaluation.variants import methods
from vto_utils.networks import GMM, LAYOUT, GMMConfig, SynthesizerConfig, TryOnSynthesizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of eight samples and networks that learned nothing."""
    root = tmp_path_factory.mktemp("evaluation")
    write_synthetic(root / "data", 8, "all")
    torch.manual_seed(0)
    gmm = GMM(replace(GMMConfig.product(), **drawn.GMM))
    tom = TryOnSynthesizer(SynthesizerConfig(1, len(LAYOUT), 18, darkest=-1, **drawn.TOM))
    save_checkpoint(root / "networks", gmm, tom, extra={"step": 3})
    save_checkpoint(root / "pair_of_photos", GMM(GMMConfig(**drawn.GMM)), TryOnSynthesizer())
    return root


def asked(root, *more: str) -> list[str]:
    options = ["evaluate", "--data", str(root / "data"), "--size", "64x64", "--perceptual", "none", "--device", "cpu"]
    return [*options, *more]


def test_all_variants(folder, tmp_path, capsys):
    out = [str(tmp_path / name) for name in ("f.json", "s.png")]
    options = ["--weights", str(folder / "networks"), "--split", "train", "--count", "3", "--rows", "2"]
    assert main(asked(folder, *options, "--json", out[0], "--sheet", out[1])) == 0
    text = capsys.readouterr().out
    assert "Measured: 3 of them at 64x64" in text and f"Networks: {folder / 'networks'}." in text
    table = [line.split() for line in text.splitlines()]
    for name in command.VARIANTS:
        assert sum(line[:1] == [name] for line in table) >= 2  # in total and by category
    with open(out[0], encoding="utf-8") as file:
        report = json.load(file)
    assert set(report["figures"]) == set(command.VARIANTS)
    assert report["settings"]["size"] == [64, 64] and report["settings"]["perceptual"] is None
    assert set(report["weights"]["sha256"]) == {"gmm.safetensors", "tom.safetensors"}
    assert report["data"]["layout"] == "synthetic" and len(report["data"]["sha256"]) == 64
    assert report["counts"]["all"] == 3 == sum(n for name, n in report["counts"].items() if name != "all")
    for name, figures in report["figures"].items():
        assert (figures["all"]["epe"] is None) == (name in ("geometric", "painted"))
        assert 0 <= figures["all"]["garment_iou"] <= 1 and figures["all"]["ssim"] <= 1
    # Networks that learned nothing read everything at its own place, and paint nothing.
    assert report["figures"]["spline"]["all"]["epe"] == pytest.approx(report["figures"]["flow"]["all"]["epe"])
    with Image.open(out[1]) as sheet:
        assert sheet.width > 8 * 192 and sheet.height > 2 * 256


def test_without_weights_only_what_needs_none_is_measured(folder, capsys):
    assert main(asked(folder, "--count", "1")) == 0
    text = capsys.readouterr().out
    assert "geometric" in text and "flow" not in text and "Networks" not in text


def test_photos_without_a_known_flow(tmp_path, folder, capsys):
    """Paired photos of a real data set: the person wears the garment already."""
    write_viton_hd(tmp_path, "test", 2)
    options = ["evaluate", "--data", str(tmp_path), "--size", "64x64", "--perceptual", "none", "--device", "cpu"]
    names = ["--variants", "flow", "geometric", "--weights", str(folder / "networks")]
    assert main([*options, *names]) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines() if line.startswith("flow")]
    assert rows and all(row[2] == "-" for row in rows), captured.err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "Give either --data, a data set, or --pairs"),
        (["--data", "{data}", "--pairs", "p.txt"], "Give either --data"),
        (["--data", "{data}", "--persons", "x"], "--persons belongs to --pairs: leave it out."),
        (["--pairs", "p.txt", "--count", "3"], "--count belongs to --data: leave it out."),
        (["--pairs", "p.txt", "--persons", "x"], "--pairs needs --persons and --garments"),
        (["--data", "{data}", "--variants", "spline"], "There are no networks to measure for spline: give --weights"),
        (["--data", "{data}", "--weights", "{root}/none"], "none does not exist"),
        (["--data", "{data}", "--weights", "{root}/pair_of_photos"], "is built for pairs of photos"),
        (["--data", "{root}/nowhere"], "nowhere"),
        (["--data", "{data}", "--sheet", "{root}/s.tiff"], "the ending '.tiff' is not known"),
        (["--data", "{data}", "--json", "{root}"], "is a folder"),
        (["--data", "{data}", "--count", "0"], "'0' is no number of samples: write 1 or more"),
        (["--data", "{data}", "--variants", "best"], "'best' is not known: use one of geometric, spline"),
        (["--data", "{data}", "--size", "64"], "'64' is no size"),
    ],
)
def test_errors_are_one_sentence(folder, more, sentence, capsys):
    names = {"data": folder / "data", "root": folder}
    given = [text.format(**names) for text in more]
    assert main(["evaluate", "--perceptual", "none", "--device", "cpu", *given]) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_names_are_those_of_the_modules(folder):
    assert {*losses.features.BACKBONES, "none"} == set(command.BACKBONES)
    found = methods(command.VARIANTS, folder / "networks")
    assert sorted(name for method in found for name in method.names) == sorted(command.VARIANTS)


def test_examples_parse():
    lines = [line.strip() for line in command.EXAMPLES.splitlines() if line.startswith("  python")]
    assert len(lines) == 3
    for line in lines:
        options = build_parser().parse_args(line.removeprefix("python -m vto_utils ").split())
        assert options.run is command.run
