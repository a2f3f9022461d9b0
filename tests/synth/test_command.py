from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drawn import DrawnGenerator
from PIL import Image

from vto_utils import bench, labels
from vto_utils.__main__ import build_parser, main
from vto_utils.synth import benchmark, command, samples
from vto_utils.synth.records import read_dataset

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
SMALL = ("--size", "64x48", "--workers", "0")


class Remembering(DrawnGenerator):
    """Keeps what it was made with."""

    configs: list[samples.SynthConfig] = []

    def __init__(self, config: samples.SynthConfig) -> None:
        self.configs.append(config)
        super().__init__(config)


@pytest.fixture(autouse=True)
def drawn(monkeypatch) -> list[samples.SynthConfig]:
    """The command draws; gives the configurations it was called with."""
    monkeypatch.setattr(Remembering, "configs", [])
    monkeypatch.setattr(samples, "Generator", Remembering, raising=False)
    monkeypatch.delenv(command.ASSETS, raising=False)
    return Remembering.configs


def synth(*arguments: str | Path) -> int:
    return main(["synth", *map(str, arguments)])


def test_makes_a_data_set_and_says_so(tmp_path, capsys):
    out, sheet = tmp_path / "set", tmp_path / "sheet.png"
    assert synth("--count", 5, "--out", out, "--preview", sheet, *SMALL) == 0
    captured = capsys.readouterr()
    assert "5/5" in captured.err and "sample/s" in captured.err
    first, second, *rest = captured.out.splitlines()
    found = re.fullmatch(r"Samples: 5 made, 0 were there .*; the folder has (\d) for training and (\d) held .*", first)
    assert found and sum(map(int, found.groups())) == 5
    assert re.fullmatch(r"Time: [\d.]+ s, [\d.]+ samples/s once the work had begun\.", second)
    assert str(out) in rest[0] and "64x48" in rest[0] and "MB" in rest[0]
    assert str(sheet) in rest[1] and "SyntheticDataset" in rest[2]
    assert read_dataset(out)["count"] == 5 and Image.open(sheet).width > 1000
    assert synth("--count", 6, "--out", out, *SMALL) == 0
    assert "Samples: 1 made, 5 were there before" in capsys.readouterr().out
    assert synth("--count", 6, "--out", out, *SMALL) == 0
    assert "samples/s" not in capsys.readouterr().out


def test_options_reach_the_generator(tmp_path, drawn, monkeypatch):
    monkeypatch.setenv(command.ASSETS, "from/environment")
    assert synth("--count", 1, "--out", tmp_path / "a", *SMALL) == 0
    options = ("--seed", 7, "--category", "dresses", "--held-out", 0.5, "--assets", "from/option")
    assert synth("--count", 1, "--out", tmp_path / "b", *options, *SMALL) == 0
    assert drawn == [
        samples.SynthConfig((64, 48), 0, 0.1, "all", Path("from/environment")),
        samples.SynthConfig((64, 48), 7, 0.5, "dresses", Path("from/option")),
    ]


def test_defaults_are_those_of_the_configuration():
    options = build_parser().parse_args(["synth", "--count", "1", "--out", "x"])
    default = samples.SynthConfig()
    assert (options.size, options.seed, options.held_out) == (default.size, default.seed, default.held_out)
    assert (options.category, options.assets) == (default.category, None)
    assert set(command.CATEGORIES) == {"all", *labels.CATEGORIES}


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (["--count", "0"], "The count 0"),
        (["--count", "-1"], "The count -1"),
        (["--count", "many"], "'many' is no whole number"),
        (["--count", "1.5"], "'1.5' is no whole number"),
        (["--size", "0x0"], "The size 0x0"),
        (["--size", "512x512"], "The size 512x512"),
        (["--size", "384x512"], "the height must be 4/3 of the width"),
        (["--size", "512"], "'512' is no size"),
        (["--seed", "-2"], "The seed -2"),
        (["--seed", "x"], "'x' is no whole number"),
        (["--workers", "-2"], "workers -2"),
        (["--held-out", "2"], "held-out share 2"),
        (["--held-out", "half"], "'half' is no number"),
        (["--category", "hats"], "'hats' is not known: use one of all, upper_body"),
        (["--preview", "sheet.pdf"], "sheet.pdf cannot be written"),
    ],
)
def test_bad_options_are_one_sentence(arguments, mention, tmp_path, capsys):
    given = {"--count": "1", "--out": str(tmp_path / "set"), "--size": "64x48", "--workers": "0"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert synth(*(part for pair in given.items() for part in pair)) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1 and mention in captured.err
    assert list(tmp_path.iterdir()) == []


def test_other_data_in_the_folder(tmp_path, capsys):
    assert synth("--count", 1, "--out", tmp_path / "set", *SMALL) == 0
    capsys.readouterr()
    assert synth("--count", 2, "--out", tmp_path / "set", "--seed", 1, *SMALL) == 2
    assert "holds data made with seed 0, not 1" in capsys.readouterr().err


def test_help(capsys):
    assert synth("--help") == 0
    text = capsys.readouterr().out
    usage, _, rest = text.partition("\n\n")
    options = {f"--{option}" for option in vars(build_parser().parse_args(["synth", "--count", "1", "--out", "x"]))}
    options = {option.replace("_", "-") for option in options} - {"--command", "--run"}
    assert len(options) == 9
    for option in options:
        assert option in usage and re.search(rf"^  {option}\b", rest, re.MULTILINE)
    assert command.ASSETS in text and "height x width" in text and max(map(len, text.splitlines())) <= 110
    examples = re.findall(r"^  python -m vto_utils (synth .*)$", text, re.MULTILINE)
    assert len(examples) >= 2
    for example in examples:
        build_parser().parse_args(example.split())


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom vto_utils.__main__ import main\ncode = main(['synth', '--help'])\n"
        "heavy = {'numpy', 'PIL', 'cv2', 'torch', 'numba', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_is_told_in_a_word_and_keeps_what_is_finished(tmp_path):
    out = tmp_path / "set"
    code = (
        f"import sys\nsys.path[:0] = [{str(HERE)!r}, {str(ROOT)!r}]\nfrom drawn import SlowGenerator\n"
        "from vto_utils.synth import samples\nsamples.Generator = SlowGenerator\n"
        "from vto_utils.__main__ import main\n"
        f"sys.exit(main(['synth', '--count', '50', '--out', {str(out)!r}, '--size', '64x48', '--workers', '0']))"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(out.glob("*/params/*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and err.endswith("Stopped.\n") and "Traceback" not in err
    assert read_dataset(out)["count"] == len(list(out.glob("*/params/*.json"))) >= 1
    shutil.rmtree(out)


# bench ----------------------------------------------------------------------------------------------


def test_bench_synth(tmp_path, capsys, monkeypatch):
    sizes = ((64, 48), (128, 96))

    def measure(**options):
        return benchmark.measure(sizes=sizes, generator=DrawnGenerator, **options)

    monkeypatch.setattr(bench, "BENCHMARKS", {"tryon": lambda: pytest.fail("measured"), "synth": measure})
    path = tmp_path / "bench.json"
    assert main(["bench", "synth", "--workers", "1", "--count", "3", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())["benchmarks"]["synth"]
    assert figures["columns"] == ["64x48", "128x96"] and (figures["workers"], figures["count"]) == (1, 3)
    rows = {row["stage"]: row for row in figures["rows"]}
    for name in ("drawing", "encode", "write", "all stages, s", "samples/s", "one sample on disk, kB"):
        assert all(rows[name][column] > 0 for column in figures["columns"]), name
    for column in figures["columns"]:
        parts = sum(rows[name][column] for name in ("drawing", "encode", "write"))
        assert rows["all stages, s"][column] == pytest.approx(parts, abs=2e-3)
    printed = capsys.readouterr().out
    table = printed[printed.index("synth: ") : printed.index("Wrote")].splitlines()
    assert table[1].split() == ["stage", "64x48", "128x96"] and len({len(line) for line in table[1:]}) == 1
    assert all(name in printed for name in rows)


@pytest.mark.parametrize("options", [("--workers", "0"), ("--count", "0")])
def test_bench_synth_of_nothing(options, capsys):
    assert main(["bench", "synth", *options]) == 2
    assert "at least 1 worker and 1 sample" in capsys.readouterr().err


def test_bench_without_a_name_is_tryon(monkeypatch):
    called = []
    monkeypatch.setattr(bench, "BENCHMARKS", {"tryon": lambda: called.append("tryon") or {"what": "", "rows": []}})
    monkeypatch.setattr(bench, "format_report", lambda report: "table")
    assert main(["bench"]) == 0 and called == ["tryon"]
