"""The sample photos at the size at which everything is measured."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

SIZE = (1024, 768)  # (height, width) of the photos: VITON-HD's
SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"


def scaled_sample(kind: str, name: str, out: Path, size: tuple[int, int] = SIZE) -> str:
    """Write a sample photo at another size.

    Args:
        kind: "person" or "cloth".
        name: of the file.
        out: what to write.
        size: (height, width).

    Returns:
        ``out``, for JSON.

    Raises:
        InputError: the sample is missing.
    """
    from ..images import load_image, save_image

    source = SAMPLES / kind / name
    if not source.is_file():
        raise InputError(f"{source} is missing: run the benchmark from a complete copy of the project.")
    save_image(load_image(source).resize(size[::-1]), out)
    return str(out)


def fetch_models() -> None:
    """Get what a try-on needs now, so that no download is measured.

    Raises:
        AssetError: a model file is missing and could not be fetched.
    """
    from .. import assets

    for name, asset in assets.ASSETS.items():
        if asset.needed:
            assets.fetch(name)
