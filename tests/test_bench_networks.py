from __future__ import annotations

import sys

import pytest

from vto_utils.bench import (
    bench_networks,
    bench_resolution,
    format_report,
    machine,
    networks,
    resolution,
    sample_photos,
)
from vto_utils.errors import InputError
from vto_utils.networks import GMM, GMMConfig


def test_networks_in_fresh_processes():
    figures = bench_networks(1, ["warp"])
    rows = {row["stage"]: row for row in figures["rows"]}
    assert list(rows) == ["GMM", "TryOnSynthesizer", "both", "train warp"]
    own = sum(p.numel() for p in GMM(GMMConfig.product()).parameters()) / 1e6
    assert rows["GMM"]["million parameters"] == rows["train warp"]["million parameters"] == pytest.approx(own)
    parts = sum(rows[name]["million parameters"] for name in ("GMM", "TryOnSynthesizer"))
    assert rows["both"]["million parameters"] == pytest.approx(parts)
    for name, row in rows.items():
        samples = networks.TRAINING_BATCH if name.startswith("train") else 1
        assert row["s"] * row["samples/s"] == pytest.approx(samples)
        assert sys.platform == "win32" or row["peak MiB"] > 50
    printed = format_report({"machine": machine(), "benchmarks": {"networks": figures}})
    assert all(stage in printed for stage in rows) and "samples/s" in printed


def test_resolution_in_a_fresh_process(model_files):
    found = bench_resolution(1, ((128, 96), (256, 192)))
    small, large = found["rows"]
    assert (small["stage"], large["stage"]) == ("128x96", "256x192")
    assert (small["pixels"], large["pixels"]) == (1, 4)
    assert small["times the first"] == 1 and large["times the first"] == pytest.approx(large["s"] / small["s"])
    assert "geometric warp" in found["what"] or "learned warp" in found["what"]


def test_what_cannot_be_measured_is_told(monkeypatch, tmp_path, model_files):
    for bench in (bench_networks, bench_resolution):
        with pytest.raises(InputError, match="at least 1 run, not 0"):
            bench(0)
    monkeypatch.setattr(sample_photos, "SAMPLES", tmp_path)
    with pytest.raises(InputError, match=r"person_2\.jpg is missing"):
        resolution.bench_resolution(1)
