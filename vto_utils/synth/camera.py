"""The camera: how light becomes an 8-bit photo, with the faults photos have."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image


@dataclass(frozen=True)
class CameraSpec:
    """One camera with its settings; plain numbers, so that ``CameraSpec(**json)`` reads it back."""

    exposure: float = 0.0  # stops
    warmth: float = 0.0  # white balance, blue to yellow: relative gain of red against blue
    tint: float = 0.0  # white balance, magenta to green: relative gain of green
    contrast: float = 0.0  # strength of an S-curve; negative: flatter
    saturation: float = 1.0
    black: float = 0.0  # black level: haze lifts it
    noise: float = 0.004  # standard deviation of the brightness noise at mid grey
    speckle: float = 0.002  # of the colour noise, which is coarser
    blur: float = 0.0  # standard deviation in pixels at a height of 512
    sharpness: float = 0.0  # of unsharp masking
    quality: int = 92  # of the JPEG file
    subsampling: int = 2  # colour resolution of the JPEG file: 0 full, 2 half


def sample_camera(rng: np.random.Generator) -> CameraSpec:
    """Draw a camera: mostly a good one in a well-lit studio, now and then a telephone."""
    poor = rng.random() < 0.2
    soft = rng.random() < 0.5
    return CameraSpec(
        exposure=float(rng.normal(0, 0.2 if poor else 0.08)),
        warmth=float(rng.normal(0, 0.05 if poor else 0.015)),
        tint=float(rng.normal(0, 0.015 if poor else 0.006)),
        contrast=float(rng.normal(0.05, 0.15 if poor else 0.07)),
        saturation=float(np.clip(rng.normal(1, 0.12 if poor else 0.06), 0.6, 1.4)),
        black=float(max(0.0, rng.normal(0, 0.015))),
        noise=float(rng.uniform(0.006, 0.025) if poor else rng.uniform(0.0005, 0.0035)),
        speckle=float(rng.uniform(0.002, 0.015) if poor else rng.uniform(0.0, 0.002)),
        blur=float(rng.uniform(0.3, 1.1 if poor else 0.7)) if soft else 0.0,
        sharpness=0.0 if soft else float(rng.uniform(0.0, 0.5)),
        quality=int(rng.integers(75, 91) if poor else rng.integers(86, 99)),
        subsampling=2 if rng.random() < 0.7 else 0,
    )


def _curve(spec: CameraSpec) -> np.ndarray:
    """Exposure, white balance and contrast of each channel as a table of 1024 sRGB-encoded values: (1024, 3)."""
    encoded = np.linspace(0, 1, 1024, dtype=np.float64)[:, None]
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    gains = np.array((1 + spec.warmth, 1 + spec.tint, 1 - spec.warmth)) * 2.0**spec.exposure
    gains /= np.array((0.2126, 0.7152, 0.0722)) @ gains / 2.0**spec.exposure
    linear = np.clip(linear * gains, 0, None)
    linear = np.where(linear > 0.9, 1.0 - 0.1 * np.exp(-(linear - 0.9) / 0.1), linear)  # highlights roll off
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    value = np.where(value > 0, value / max(1.0, float(value.max())), value)
    value = value + spec.contrast * 0.5 * np.sin(2 * np.pi * (value - 0.5)) / np.pi
    return np.clip(spec.black + (1 - spec.black) * value, 0, 1).astype(np.float32)


def expose(spec: CameraSpec, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Take the photo.

    Args:
        spec: the camera.
        rng: random numbers of the noise.
        image: (H, W, 3) float32 sRGB-encoded RGB; values outside [0, 1] are clipped.

    Returns:
        (H, W, 3) uint8 RGB, after one trip through a JPEG file.
    """
    height, width = image.shape[:2]
    index = np.clip(image, 0, 1)
    if spec.blur > 0:
        sigma = spec.blur * height / 512
        if sigma > 0.15:
            index = cv2.GaussianBlur(index, (0, 0), sigma)
    elif spec.sharpness > 0:
        soft = cv2.GaussianBlur(index, (0, 0), 0.8)
        index = cv2.addWeighted(index, 1 + spec.sharpness, soft, -spec.sharpness, 0)
    table = _curve(spec)
    place = np.clip(index * np.float32(1023) + np.float32(0.5), 0, 1023).astype(np.int16)
    picture = np.empty(image.shape, np.float32)
    for channel in range(3):
        picture[..., channel] = table[:, channel][place[..., channel]]
    grey = cv2.transform(picture, np.float32([[0.299, 0.587, 0.114]]))
    grey = grey.reshape(height, width, 1)
    if spec.saturation != 1:
        picture = grey + (picture - grey) * np.float32(spec.saturation)
    # Shot noise grows with the root of the light; the encoding evens that out, so darks show a little more.
    strength = np.float32(spec.noise) * (np.float32(1.25) - np.float32(0.5) * grey)
    picture += strength * rng.standard_normal((height, width, 1), np.float32)
    if spec.speckle > 0:
        coarse = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), np.float32) * np.float32(spec.speckle)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    encoded = np.clip(picture * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(encoded).save(file, "JPEG", quality=spec.quality, subsampling=spec.subsampling)
    file.seek(0)
    with Image.open(file) as photo:
        return np.asarray(photo.convert("RGB")).copy()
