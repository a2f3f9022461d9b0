from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils.__main__ import main
from vto_utils.bench import bench_parser, parser, sample_photos
from vto_utils.errors import InputError
from vto_utils.networks.parser import ParserNet

ROOT = Path(__file__).parent.parent


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A small photo, a mask and a pose of somebody in it."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (96, 72, 3), np.uint8)).save(tmp_path / "photo.png")
    mask = np.zeros((96, 72), np.uint8)
    mask[8:90, 20:52] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    keypoints = [[36.0, 10.0 + 4 * n, 1.0] for n in range(18)]
    (tmp_path / "pose.json").write_text(json.dumps({"keypoints": keypoints, "landmarks": None, "people": 1}))
    return [str(tmp_path / name) for name in ("photo.png", "mask.png", "pose.json")]


def test_first_run_is_cold_and_the_median_of_the_others_warm(monkeypatch):
    now, lengths, peaks = [0.0], iter([9.0, 4.0, 1.0, 2.0]), iter([5.0, 6.0, 6.0, 8.0])
    monkeypatch.setattr(parser.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(parser, "peak_memory", lambda: next(peaks))

    def step() -> float:
        now[0] += next(lengths)
        return now[0]

    answer, *figures = parser._repeat(step, 3)
    assert answer == 16.0 and figures == [[9.0, 4.0, 1.0, 2.0], [5.0, 6.0, 6.0, 8.0]]
    assert parser._row(*figures) == {
        "cold": {"seconds": 9.0, "peak_mib": 5.0},
        "warm": {"seconds": 2.0, "peak_mib": 8.0},
    }


def test_network_is_part_of_the_parse(files):
    forward = ParserNet.forward
    measured = parser.measure_parse(0.0, *files, 2)
    assert ParserNet.forward is forward
    assert (measured["format"], measured["device"]) == ("float32", parser_device())
    rows = measured["rows"]
    for kind in ("cold", "warm"):
        assert 0 < rows["network"][kind]["seconds"] < rows["parse"][kind]["seconds"]
        assert rows["network"][kind]["peak_mib"] is None
    assert json.loads(json.dumps(measured)) == measured


def parser_device() -> str:
    from vto_utils.runtime import pick_device

    return pick_device("auto").value


def test_parsing_loads_only_what_it_needs(files):
    code = (
        "import sys\nfrom vto_utils.bench.parser import measure_parse\nmeasure_parse(0.0, *sys.argv[1:], 1)\n"
        "other = {'rembg', 'onnxruntime', 'mediapipe', 'torchvision'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {other}' if other else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_runs_measure_nothing(capsys):
    assert main(["bench", "parser", "--runs", "0"]) == 2
    assert capsys.readouterr().err == "Take at least 1 run, not 0.\n"


def test_missing_samples_are_told(monkeypatch, tmp_path, model_files):
    monkeypatch.setattr(sample_photos, "SAMPLES", tmp_path)
    with pytest.raises(InputError, match=r"person_1\.jpg is missing"):
        bench_parser()


def test_parser_in_fresh_processes(tmp_path, capsys, model_files):
    path = tmp_path / "bench.json"
    assert main(["bench", "parser", "--runs", "1", "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    figures = report["benchmarks"]["parser"]
    rows = {row["stage"]: row for row in figures["rows"]}
    assert list(rows) == ["segment", "pose", "parse", "network", "garment"]
    assert figures["runs"] == 1 and figures["format"] == "float32" and report["machine"]["threads"]["torch"] >= 1
    for stage, row in rows.items():
        for kind in ("cold", "warm"):
            assert row[kind]["seconds"] > 0
            assert (row[kind]["peak_mib"] is None) == (stage == "network" or sys.platform == "win32")
    assert all(rows["network"][kind]["seconds"] < rows["parse"][kind]["seconds"] for kind in ("cold", "warm"))
    printed = capsys.readouterr().out
    assert all(stage in printed for stage in rows) and "1024x768" in printed and "Threads: " in printed
