"""Nothing leaves the machine: not the photos, and not the reports that other packages like to send."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vto_utils import pose
from vto_utils.images import load_image
from vto_utils.pose import PoseEstimator

ROOT = Path(__file__).parent.parent
PERSON = ROOT / "sample_images" / "person" / "person_1.jpg"
CLOTH = ROOT / "sample_images" / "cloth" / "tank_top.jpg"


@pytest.fixture
def proxy() -> Iterator[tuple[dict[str, str], list[bytes]]]:
    """An environment that sends all traffic to a proxy here, and the requests that the proxy was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                with connection:
                    asked.append(connection.recv(1000))

        threading.Thread(target=listen, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        environment = {name: address for name in ("http_proxy", "https_proxy", "all_proxy")} | {"no_proxy": ""}
        environment |= {name.upper(): value for name, value in environment.items()}
        yield {**os.environ, **environment}, asked
        server.shutdown(socket.SHUT_RDWR)


def run(code: str, environment: dict[str, str], *arguments: object) -> None:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_proxy_sees_traffic(proxy):
    """Or the tests below could not fail."""
    environment, asked = proxy
    code = "import urllib.request as r\ntry: r.urlopen('https://example.org')\nexcept OSError: pass"
    run(code, environment)
    assert asked[0].startswith(b"CONNECT example.org:443")


def test_a_tryon_sends_nothing(proxy, tmp_path, model_files):
    environment, asked = proxy
    out = tmp_path / "result.png"
    code = "import sys\nfrom vto_utils.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    run(code, environment, "tryon", PERSON, CLOTH, "--out", out, "--sheet", tmp_path / "sheet.png", "--size", "512x384")
    assert out.exists() and asked == []


def test_models_left_open_send_nothing(proxy, model_files):
    """As in a notebook: nobody closes anything before Python ends."""
    environment, asked = proxy
    code = (
        "import sys\nfrom vto_utils import BackgroundRemover, PoseEstimator\n"
        "poses, remover = PoseEstimator(), BackgroundRemover()\n"
        "poses.estimate(sys.argv[1])\nremover.alpha(sys.argv[1])"
    )
    run(code, environment, PERSON)
    assert asked == []


def test_onnxruntime_is_told_before_it_is_imported():
    code = (
        "import os, sys\nfrom vto_utils import background\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime': print(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Watch())\nbackground._import_rembg()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["1"], done.stderr


def test_landmarkers_close_in_time_and_open_again(monkeypatch, model_files):
    assert pose._OPEN_AT_MOST < 60  # MediaPipe's first report of an open landmarker
    monkeypatch.setattr(pose, "_OPEN_AT_MOST", 0.2)
    photo = load_image(PERSON).resize((192, 256))
    with PoseEstimator() as estimator:
        first = estimator.estimate(photo)
        deadline = time.monotonic() + 30
        while estimator._landmarkers and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not estimator._landmarkers
        assert (estimator.estimate(photo).keypoints == first.keypoints).all()


def test_the_environment_is_itself_again(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("ALL_PROXY", raising=False)
    before = dict(os.environ)
    with pytest.raises(KeyError), pose._no_reports():
        assert os.environ["https_proxy"] == os.environ["ALL_PROXY"] == "http://127.0.0.1:9"
        assert os.environ["no_proxy"] == ""
        raise KeyError
    assert dict(os.environ) == before
