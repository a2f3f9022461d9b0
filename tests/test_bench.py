from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vto_utils import bench
from vto_utils.__main__ import main
from vto_utils.bench import sample_photos, stopwatch, tryon
from vto_utils.bench.fresh_process import in_fresh_process
from vto_utils.errors import InputError, OutputError

ROOT = Path(__file__).parent.parent


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock)
    return clock


def seconds(watch: bench.Stopwatch) -> dict[str, float]:
    return {name: figures["seconds"] for name, figures in watch.read().items()}


def test_seconds_add_up_by_stage(clock):
    watch = bench.Stopwatch()
    for length in (1.0, 2.5):
        with watch.stage("load"):
            clock.pass_by(length)
        clock.pass_by(10)
    watch.record("import", 0.25)
    assert seconds(watch) == {"load": 3.5, "import": 0.25}
    assert seconds(watch) == {}  # each reading starts anew


def test_every_second_counts_once(clock):
    watch = bench.Stopwatch()
    with watch.stage("all"):
        clock.pass_by(1)
        with watch.stage("inner"):
            clock.pass_by(2)
            with watch.stage("innermost"):
                clock.pass_by(4)
        clock.pass_by(8)
    assert seconds(watch) == {"all": 9.0, "inner": 2.0, "innermost": 4.0}


def test_wrapped_functions(clock):
    class Model:
        def read(self, photo: str) -> str:
            clock.pass_by(1)
            return self.look(photo) + "!"

        def look(self, photo: str) -> str:
            clock.pass_by(2)
            return photo.upper()

    model, watch = Model(), bench.Stopwatch()
    watch.wrap(model, "read", "garment")
    watch.wrap(model, "look", "pose")
    with watch.stage("other"):
        assert model.read("photo") == "PHOTO!"  # the look within belongs to the garment
        assert model.look(photo="x") == "X"
        clock.pass_by(4)
    assert seconds(watch) == {"garment": 3.0, "pose": 2.0, "other": 4.0}


def test_a_failing_stage_is_counted_and_closed(clock):
    watch = bench.Stopwatch()
    with pytest.raises(KeyError), watch.stage("all"), watch.stage("inner"):
        clock.pass_by(1)
        raise KeyError
    with watch.stage("next"):
        clock.pass_by(2)
    assert seconds(watch) == {"inner": 1.0, "all": 0.0, "next": 2.0}


def test_wrapping_what_is_not_there():
    with pytest.raises(AttributeError):
        bench.Stopwatch().wrap(np, "no_such_function", "load")


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_peak_memory_is_that_of_the_stage():
    if not bench.reset_peak_memory():
        pytest.skip("this system cannot forget a peak")
    # In a process of its own: here an earlier test may have left freed memory, which the next array takes unseen.
    code = (
        "import json, numpy as np\n"
        "from vto_utils import bench\n"
        "watch = bench.Stopwatch()\n"
        "with watch.stage('all'):\n"
        "    with watch.stage('little'):\n"
        "        pass\n"
        "    with watch.stage('much'):\n"
        "        np.ones(200 * 2**20, np.uint8)\n"  # freed at once: only a peak shows it
        "print(json.dumps(watch.read()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    little, much = figures["little"]["peak_mib"], figures["much"]["peak_mib"]
    assert 195 < much - little < 260
    assert figures["all"]["peak_mib"] < much  # its own peak, not that of what is within


def test_total_is_the_sum_and_the_highest():
    figures = {"a": {"seconds": 1.0, "peak_mib": 30.0}, "b": {"seconds": 0.5, "peak_mib": 20.0}}
    assert tryon._total(figures) == {"seconds": 1.5, "peak_mib": 30.0}
    assert tryon._total({"a": {"seconds": 1.0, "peak_mib": None}}) == {"seconds": 1.0, "peak_mib": None}


def test_machine_can_be_written_as_json():
    facts = bench.machine()
    assert facts["cores"] >= 1 and facts["python"] == sys.version.split()[0].rstrip("+")
    assert all(count >= 1 for count in facts["threads"].values())
    assert set(facts["packages"]) >= {"torch", "onnxruntime", "mediapipe"}
    assert json.loads(json.dumps(facts)) == facts


def test_report_as_a_table():
    row = {"seconds": 1.25, "peak_mib": 300.4}
    rows = [
        {"stage": "load models", "cold": row, "warm": None},
        {"stage": "pose", "cold": row, "warm": {"seconds": 0.5, "peak_mib": None}},
        {"stage": "total", "cold": {"seconds": 2.5, "peak_mib": 300.4}, "warm": row},
    ]
    text = bench.format_report({"machine": bench.machine(), "benchmarks": {"x": {"what": "a test", "rows": rows}}})
    table = text[text.index("x: a test") :].splitlines()
    cells = [line.split() for line in table]
    assert cells[1] == ["stage", "cold", "s", "peak", "MiB", "warm", "s", "peak", "MiB"]
    assert cells[3] == ["load", "models", "1.250", "300", "-", "-"]
    assert cells[4] == ["pose", "1.250", "300", "0.500", "-"]
    assert cells[6] == ["total", "2.500", "300", "1.250", "300"]
    assert len({len(line) for line in table[1:]}) == 1  # columns line up


def test_a_table_has_a_second_rule_only_before_a_total():
    row = {"seconds": 1.0, "peak_mib": None}
    for last, rules in (("total", 2), ("parse", 1)):
        rows = [{"stage": stage, "cold": row, "warm": row} for stage in ("pose", last)]
        report = {"machine": bench.machine(), "benchmarks": {"x": {"what": "a test", "rows": rows}}}
        assert sum(set(line) == {"-"} for line in bench.format_report(report).splitlines()) == rules


def test_json_appears_whole(tmp_path):
    bench.write_json({"machine": {"cores": 2}}, tmp_path / "new" / "bench.json")
    assert json.loads((tmp_path / "new" / "bench.json").read_text()) == {"machine": {"cores": 2}}
    with pytest.raises(OutputError):
        bench.write_json({}, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bench.json", "new"]


def test_unknown_name_measures_nothing(monkeypatch):
    monkeypatch.setattr(bench, "BENCHMARKS", {"tryon": lambda: pytest.fail("measured")})
    with pytest.raises(InputError, match="'speed': choose one of tryon"):
        bench.run(["tryon", "speed"])


def test_missing_samples_are_told(monkeypatch, tmp_path, model_files):
    monkeypatch.setattr(sample_photos, "SAMPLES", tmp_path)
    with pytest.raises(InputError, match=r"person_1\.jpg is missing"):
        bench.bench_tryon()


def test_a_process_that_fails_shows_why():
    with pytest.raises(RuntimeError, match="there_is_no_such_photo"):
        in_fresh_process(tryon.measure_tryon, [("there_is_no_such_photo.jpg", "b.jpg", "c.png")])


def test_a_measuring_process_begins_with_nothing_heavy():
    code = (
        "import sys, vto_utils.bench\n"
        "heavy = {'numpy', 'PIL', 'cv2', 'torch', 'rembg', 'onnxruntime', 'mediapipe'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tryon_in_a_fresh_process(tmp_path: Path, capsys, model_files):
    path = tmp_path / "bench.json"
    assert main(["bench", "tryon", "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    rows = {row["stage"]: row for row in report["benchmarks"]["tryon"]["rows"]}
    assert tuple(rows) == (*bench.STAGES, "total")
    once = {"import vto_utils", "import modules", "load models"}
    for stage, row in rows.items():
        assert row["cold"]["seconds"] > 0
        assert (row["warm"] is None) == (stage in once)
        assert stage in once or row["warm"]["seconds"] > 0
    for kind in ("cold", "warm"):
        parts = [row[kind]["seconds"] for stage, row in rows.items() if stage != "total" and row[kind]]
        assert rows["total"][kind]["seconds"] == pytest.approx(sum(parts), abs=1e-3)
    printed = capsys.readouterr().out
    assert all(stage in printed for stage in rows) and "1024x768" in printed
