"""Background removal: rembg with a named model that runs on this machine.

rembg's own default changed to weights with a non-commercial licence, and newer releases know models that
upload the photo. So the model is always named here, from a short list of local ones, and its file is handed
to rembg directly: rembg itself never downloads anything.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from . import assets
from .errors import AssetError, InputError
from .images import load_image

#: rembg's models that run locally under a free licence (U2-Net, Qin et al. 2020; IS-Net, Qin et al. 2022).
MODELS = ("u2netp", "u2net", "u2net_human_seg", "silueta", "isnet-general-use")

# The networks end in a sigmoid. u2netp's highest value was 1.00 in each of 22 photos with a subject, and at
# most 0.36 in pictures without one (plain, gradient, noise).
_PEAK_OF_A_SUBJECT = 0.5
_MAX_THREADS = 8  # more gain nothing at the models' 320 x 320
_CUT_OUT_SHARE = 0.01  # transparent share of the pixels from which a photo counts as cut out already


class BackgroundRemover:
    """Cuts the subject of a photo out of its background. Load once, call many times, from any thread.

    Args:
        model: one of ``MODELS``. ``u2netp`` (4.6 MB) is fetched where it is missing; the others are used
            where their file ``<model>.onnx`` lies in the cache folder or in rembg's own.

    Raises:
        InputError: unknown model, or rembg is not installed.
        AssetError: the model's file is missing or damaged.
    """

    def __init__(self, model: str = "u2netp") -> None:
        if model not in MODELS:
            allowed = ", ".join(MODELS)
            raise InputError(f"The background model {model!r} is not known: choose one of {allowed}.")
        self.model = model
        path = _model_file(model)
        self._rembg = _import_rembg()
        self._session = _open_session(self._rembg, model, path)
        self._lock = threading.Lock()  # the session remembers its last peak

    def alpha(self, image: Image.Image | np.ndarray) -> np.ndarray:
        """How much each pixel belongs to the subject.

        Args:
            image: whatever ``load_image`` takes; ``PIL.Image`` or uint8 array [H, W, 3] in RGB order. A
                camera's orientation tag is applied first. Of an image that is cut out already (1 % of it or
                more is transparent) its own transparency is taken.

        Returns:
            uint8 [H, W] of the upright image, 0 = background, 255 = subject. All 0 where nothing stands out.
        """
        return self._cut(image)[1]

    def remove(
        self, image: Image.Image | np.ndarray, background: tuple[int, int, int] = (255, 255, 255)
    ) -> Image.Image:
        """Lay the subject on one colour.

        Args:
            image: as for ``alpha``.
            background: (R, G, B), each 0..255.

        Returns:
            An RGB image of the upright photo's size.
        """
        colour = np.asarray(background)
        if colour.shape != (3,) or colour.dtype.kind not in "iu" or colour.min() < 0 or colour.max() > 255:
            raise InputError(f"The background colour {background!r} is unknown: give three numbers 0..255.")
        photo, alpha = self._cut(image)
        plain = Image.new("RGB", photo.size, tuple(colour.tolist()))
        return Image.composite(photo, plain, Image.fromarray(alpha))

    def _cut(self, image: Image.Image | np.ndarray) -> tuple[Image.Image, np.ndarray]:
        photo = load_image(image)
        own = _own_alpha(image)
        return photo, self._predict(photo) if own is None else own

    def _predict(self, photo: Image.Image) -> np.ndarray:
        with self._lock, np.errstate(invalid="ignore", divide="ignore"):
            mask = self._rembg.remove(photo, session=self._session, only_mask=True)
            peak = self._session.inner_session.peak
        # rembg stretches every answer to 0..255, which makes ghosts of an empty picture's rounding noise.
        if peak < _PEAK_OF_A_SUBJECT:
            return np.zeros((photo.height, photo.width), np.uint8)
        return np.array(mask.convert("L"))


def remove_background_rgb(img: Image.Image) -> Image.Image:
    """Lay the subject of ``img`` on white: RGB in, RGB of the same size out.

    The model is loaded by the first call and kept for the next ones.
    """
    return _default_remover().remove(img)


@functools.lru_cache(maxsize=1)
def _default_remover() -> BackgroundRemover:
    return BackgroundRemover()


def _own_alpha(image: Any) -> np.ndarray | None:
    """The upright transparency channel of an image that is cut out already, else None."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 4:
            return None
        alpha = image[..., 3].copy()
    elif isinstance(image, Image.Image) and image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        alpha = np.array(ImageOps.exif_transpose(image.convert("RGBA")).getchannel("A"))
    else:
        return None
    return alpha if (alpha < 128).mean() >= _CUT_OUT_SHARE else None


# rembg --------------------------------------------------------------------------------------------


def _model_file(model: str) -> Path:
    """Where the model's file is. Only models in the table of assets are ever fetched."""
    if model in assets.ASSETS:
        return assets.fetch(model)
    data = os.environ.get("XDG_DATA_HOME") or "~"
    folders = [
        assets.cache_dir(),
        Path(os.environ.get("U2NET_HOME") or os.path.join(data, ".u2net")).expanduser(),
        Path(os.environ.get("REMBG_HOME") or "~/.rembg").expanduser() / "models" / model,
    ]
    for folder in folders:
        if (path := folder / f"{model}.onnx").is_file():
            return path
    raise AssetError(
        f"The background model {model} is not on this machine: copy {model}.onnx from rembg's release page "
        f"into {folders[0]}, or use u2netp, which is fetched by itself."
    )


def _import_rembg() -> Any:
    """Import rembg without pymatting, which it needs for alpha matting only (never used here).

    pymatting compiles itself with numba the first time it is imported after its installation: 44 s on two
    cores, against half a second for the rest.

    rembg imports ONNX Runtime, which from 1.29 on reports its use to Microsoft unless this variable is set
    before.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        with _deferred("pymatting"):
            return importlib.import_module("rembg")
    except (ImportError, SystemExit) as error:  # some releases exit where onnxruntime is missing
        reason = str(error) if isinstance(error, ImportError) else "onnxruntime is missing"
        message = f"Background removal needs rembg ({reason}): run `pip install 'rembg[cpu]>=2.0.67'`."
        raise InputError(message) from error


def _open_session(rembg: Any, model: str, path: Path) -> Any:
    """rembg's session for this model, reading this very file, on the CPU."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for a program that had imported it before us
    known = importlib.import_module("rembg.sessions").sessions_class
    base = next((kind for kind in known if kind.name() == model), None)
    if base is None:
        raise InputError(f"The installed rembg does not know the model {model}: use u2netp.")

    class LocalSession(base):
        @classmethod
        def download_models(cls, *args: Any, **kwargs: Any) -> str:
            return str(path)  # instead of asking the network for it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    try:
        session = LocalSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen error classes of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssetError(f"{path} cannot be used ({reason}): delete it and get it again.") from error
    session.inner_session = _PeakRecorder(session.inner_session)
    return session


def _threads() -> int:
    """Threads for the network: what OMP_NUM_THREADS says, else the cores this process may use."""
    with contextlib.suppress(ValueError):
        if (wanted := int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0])) > 0:
            return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MAX_THREADS)


class _PeakRecorder:
    """An inference session that remembers the highest value of its last answer, before rembg stretches it."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.peak = 0.0

    def run(self, *args: Any, **kwargs: Any) -> Any:
        outputs = self._session.run(*args, **kwargs)
        self.peak = float(outputs[0][:, 0].max())
        return outputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class _DeferredPackage(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers ``from package.module import function`` with one that imports the real one when called."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname == self.package or fullname.startswith(f"{self.package}."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        def __getattr__(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)

            def call(*args: Any, **kwargs: Any) -> Any:
                return getattr(importlib.import_module(module.__name__), name)(*args, **kwargs)

            return call

        module.__getattr__ = __getattr__


@contextlib.contextmanager
def _deferred(package: str) -> Iterator[None]:
    """Within the block, imports of ``package`` cost nothing; afterwards it can be imported as ever."""
    if package in sys.modules:
        yield
        return
    finder = _DeferredPackage(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
