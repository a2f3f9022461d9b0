"""The picture of a print: its words, emblem and printed picture, set below each other."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .colours import Colour
from .prints import Print
from .tiles import seamless_noise

_DENSITY = 128  # texels per dm a print is drawn with
BORDER = 0.06  # empty rim of a print's picture, as a part of the print's width


@functools.lru_cache(maxsize=8)
def drawn_print(art: Print, scale: float) -> np.ndarray:
    """The print, (h, w, 4) float32, RGB times coverage and coverage, with an empty border."""
    wide = round(art.width * (_DENSITY if scale <= 80 else 2 * _DENSITY))
    rng = np.random.default_rng([art.seed, 7])
    blocks: list[np.ndarray] = []
    if art.picture:
        blocks.append(_picture(art, rng, wide))
    if art.emblem:
        blocks.append(_emblem(art, round(wide * (0.5 if art.lines else 1.0))))
    for index, text in enumerate(art.lines):
        blocks.append(_words(text, art, index, wide))
    gap = max(2, wide // 24)
    tall = sum(block.shape[0] for block in blocks) + gap * (len(blocks) + 1)
    border = round(wide * BORDER)
    sheet = np.zeros((tall + 2 * border, wide + 2 * border, 4), np.float32)
    row = border + gap
    for block in blocks:
        left = (sheet.shape[1] - block.shape[1]) // 2
        sheet[row : row + block.shape[0], left : left + block.shape[1]] = block
        row += block.shape[0] + gap
    if art.worn > 0:
        grain = seamless_noise(rng, (60, 60), sheet.shape[:2]) + 0.8 * seamless_noise(rng, (9, 9), sheet.shape[:2])
        sheet *= np.clip((grain - np.float32(np.quantile(grain, art.worn))) * 3 + 0.5, 0, 1)[..., None]
    size = [max(3, round(side / wide * art.width * scale * 1.3)) for side in sheet.shape[:2]]
    return cv2.resize(sheet, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _inked(cover: np.ndarray, colour: Colour) -> np.ndarray:
    """Coverage (h, w) in [0, 1] and a colour as (h, w, 4), premultiplied."""
    return np.concatenate([cover[..., None] * np.float32(colour), cover[..., None]], -1).astype(np.float32)


def _words(text: str, art: Print, index: int, wide: int) -> np.ndarray:
    """One line of text as wide as its place in the print asks for."""
    style = art.style if index == 0 else "solid"
    target = wide if index == 0 else round(wide * min(0.92, 0.12 + 0.055 * len(text)))
    stroke = {"solid": 3, "outline": 3, "wide": 4, "condensed": 3}.get(style, 2) if index == 0 else 1
    font = ImageFont.load_default(96)
    left, top, right, bottom = font.getbbox(text, stroke_width=stroke)
    page = Image.new("L", (right - left + 8, bottom - top + 8))
    draw = ImageDraw.Draw(page)
    draw.text((4 - left, 4 - top), text, fill=255, font=font, stroke_width=stroke)
    cover = np.asarray(page, np.float32) / 255
    if style == "outline":
        inner = cv2.erode(cover, np.ones((7, 7), np.uint8))
        cover = cover - inner * np.float32(0.999)
    elif style == "italic":
        lean = round(cover.shape[0] * 0.22)
        matrix = np.array([[1, -0.22, lean], [0, 1, 0]], np.float32)
        cover = cv2.warpAffine(cover, matrix, (cover.shape[1] + lean, cover.shape[0]))
    stretch = {"wide": 0.6, "condensed": 1.9}.get(style, 1.0)
    tall = min(round(cover.shape[0] * target / cover.shape[1] * stretch), round(wide * 0.62))
    target = min(target, round(tall / stretch * cover.shape[1] / cover.shape[0]))
    cover = cv2.resize(cover, (max(4, target), max(4, tall)), interpolation=cv2.INTER_AREA)
    if style == "arc":
        rise = round(target * 0.16)
        rows, columns = np.mgrid[0 : tall + rise, 0:target].astype(np.float32)
        bend = rise * np.square((columns - target / 2) / np.float32(target / 2))
        cover = cv2.remap(cover, columns, rows - bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return _inked(
        np.clip(cover, 0, 1),
        art.colours[index % len(art.colours)] if len(art.lines) > 1 and art.seed % 3 == 0 else art.colours[0],
    )


def _ngon(count: int, inner: float = 1.0, radius: float = 1.0, turn: float = -math.pi / 2) -> np.ndarray:
    """A regular polygon or, with ``inner`` below 1, a star."""
    total = count * (2 if inner < 1 else 1)
    angle = turn + np.arange(total) * 2 * math.pi / total
    reach = radius * np.where(np.arange(total) % 2, inner, 1.0) if inner < 1 else np.full(total, radius)
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1)


def _emblem_shapes(name: str) -> list[tuple[np.ndarray, int]]:
    """Outlines in [-1, 1], y down, and the ink of each; -1 is bare cloth."""
    t = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    circle = np.stack([np.cos(t), np.sin(t)], 1)
    strip = np.linspace(-1, 1, 40)
    if name == "disc":
        return [(circle, 0), (circle * 0.45 + (0.2, -0.15), 1)]
    if name == "ring":
        return [(circle, 0), (circle * 0.72, -1), (_ngon(5, 0.42, 0.6), 1)]
    if name == "star":
        return [(_ngon(5, 0.42), 0)]
    if name == "mountains":
        return [
            (circle * 0.36 + (0.35, -0.4), 1),
            (np.array([(-1, 0.7), (-0.35, -0.5), (0.3, 0.7)]), 0),
            (np.array([(-0.2, 0.7), (0.4, -0.15), (1, 0.7)]), 2),
            (np.array([(-0.5, -0.22), (-0.35, -0.5), (-0.2, -0.22), (-0.35, -0.12)]), -1),
        ]
    if name == "waves":
        shapes = []
        for index, y in enumerate((-0.5, 0.0, 0.5)):
            wave = y + 0.12 * np.sin(strip * 7)
            shapes.append(
                (np.concatenate([np.stack([strip, wave], 1), np.stack([strip, wave + 0.2], 1)[::-1]]), index % 2)
            )
        return shapes
    if name == "shield":
        outline = np.array([(-0.8, -0.9), (0.8, -0.9), (0.8, 0.1), (0.5, 0.6), (0, 1), (-0.5, 0.6), (-0.8, 0.1)])
        return [
            (outline, 0),
            (outline * 0.82, 1),
            (np.array([(-0.66, -0.3), (0.66, -0.3), (0.66, 0.0), (-0.66, 0.0)]), 0),
        ]
    if name == "diamond":
        return [(_ngon(4), 0), (_ngon(4, radius=0.7), -1), (_ngon(4, radius=0.45), 1)]
    if name == "heart":
        return [
            (
                np.stack(
                    [np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16], 1
                ),
                0,
            )
        ]
    if name == "leaf":
        side = 0.5 * np.sin(np.linspace(0, math.pi, 30)) ** 0.9
        y = np.linspace(-1, 1, 30)
        return [
            (np.concatenate([np.stack([side, y], 1), np.stack([-side, y], 1)[::-1]]), 0),
            (np.array([(-0.02, -0.7), (0.02, -0.7), (0.03, 1), (-0.03, 1)]), -1),
        ]
    if name == "bolt":
        return [(np.array([(0.2, -1), (-0.55, 0.15), (-0.05, 0.15), (-0.25, 1), (0.55, -0.25), (0.05, -0.25)]), 0)]
    if name == "sunrise":
        shapes = [(circle[36:] * 0.98 + (0, 0.3), 1)]
        return shapes + [
            (np.array([(-1, y), (1, y), (1, y + 0.09), (-1, y + 0.09)]), -1 if y < 0.3 else 0)
            for y in (-0.05, 0.12, 0.38, 0.56)
        ]
    if name == "moon":
        return [(circle, 0), (circle * 0.85 + (0.4, -0.15), -1), (_ngon(5, 0.42, 0.25) + (0.45, -0.25), 1)]
    if name == "flower":
        reach = 0.6 + 0.4 * np.abs(np.cos(t * 3))
        return [(circle * reach[:, None], 0), (circle * 0.3, 1)]
    if name == "arrow":
        return [(np.array([(-1, -0.14), (0.3, -0.14), (0.3, -0.5), (1, 0), (0.3, 0.5), (0.3, 0.14), (-1, 0.14)]), 0)]
    if name == "bars":
        return [
            (np.array([(-1, y), (1, y), (1, y + 0.34), (-1, y + 0.34)]), index)
            for index, y in enumerate((-0.8, -0.35, 0.1, 0.55))
        ]
    return [
        (np.array([(-0.1, 0.5), (0.1, 0.5), (0.1, 1), (-0.1, 1)]), 1),
        (np.array([(0, -1), (0.45, -0.3), (-0.45, -0.3)]), 0),
        (np.array([(0, -0.6), (0.6, 0.15), (-0.6, 0.15)]), 0),
        (np.array([(0, -0.15), (0.75, 0.6), (-0.75, 0.6)]), 0),
    ]


def _emblem(art: Print, wide: int) -> np.ndarray:
    sheet = np.zeros((wide, wide, 4), np.float32)
    for outline, ink in _emblem_shapes(art.emblem):
        mask = np.zeros((wide, wide), np.uint8)
        corners = np.round((outline * 0.49 + 0.5) * wide * 16 - 8).astype(np.int32)
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
        cover = mask.astype(np.float32)[..., None] / 255
        layer = np.float32((0, 0, 0, 0) if ink < 0 else (*art.colours[ink % len(art.colours)], 1))
        sheet += (layer - sheet) * cover
    rows = np.flatnonzero(sheet[..., 3].any(1))
    return sheet[rows[0] : rows[-1] + 1]


def _picture(art: Print, rng: np.random.Generator, wide: int) -> np.ndarray:
    """A printed picture: hills under a sun, overlapping shapes, or a grainy duotone."""
    tall = round(wide * rng.uniform(0.75, 1.25))
    colours = np.array([*art.colours, *art.colours], np.float32)
    rows = np.linspace(0, 1, tall, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, wide, dtype=np.float32)[None]
    image = np.empty((tall, wide, 3), np.float32)
    if art.picture == "landscape":
        image[:] = colours[1] + (colours[2] - colours[1]) * rows[..., None]
        centre = rng.uniform((0.25, 0.2), (0.75, 0.45))
        sun = np.clip((0.13 - np.hypot(columns - centre[0], (rows - centre[1]) * tall / wide)) * wide + 0.5, 0, 1)
        image += (colours[3] - image) * sun[..., None]
        for index in range(4):
            ridge = 0.45 + 0.13 * index + 0.07 * seamless_noise(rng, (4, 5 + 3 * index), (1, wide))
            hill = np.clip((rows - ridge) * tall + 0.5, 0, 1)
            image += (colours[0] * (0.55 + 0.15 * index) + colours[2] * (0.3 - 0.1 * index) - image) * hill[..., None]
    elif art.picture == "shapes":
        image[:] = colours[1]
        for index in range(7):
            mask = np.zeros((tall, wide), np.uint8)
            blob = _ngon(int(rng.choice((3, 4, 40))), 1.0, rng.uniform(0.12, 0.35), rng.uniform(0, 6)) + rng.uniform(
                0.1, 0.9, 2
            )
            cv2.fillPoly(mask, [np.round(blob * (wide, tall) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            image += (colours[index % len(colours)] - image) * (mask.astype(np.float32)[..., None] / 255 * 0.9)
    else:
        field = seamless_noise(rng, (5, 5), (tall, wide)) + 0.6 * seamless_noise(rng, (13, 13), (tall, wide))
        field = np.clip(0.5 + 0.35 * field + 0.12 * seamless_noise(rng, (90, 90), (tall, wide)), 0, 1)
        image[:] = colours[0] + (colours[1] - colours[0]) * field[..., None]
    cover = np.ones((tall, wide), np.float32)
    if rng.random() < 0.25:
        cover = np.clip((0.5 - np.hypot(columns - 0.5, rows - 0.5)) * wide + 0.5, 0, 1).astype(np.float32)
    return np.concatenate([np.clip(image, 0, 1) * cover[..., None], cover[..., None]], -1)
