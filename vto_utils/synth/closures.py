"""Plackets, zips and drawstrings, painted on a panel."""

from __future__ import annotations

import numpy as np

from .colours import Colour, lightness
from .painted_panels import Panel, bottom_edge, top_edge
from .trims import Details


def lay_placket(panel: Panel, details: Details) -> None:
    """Buttons or a zip down the front."""
    maps = panel.maps
    x = np.abs(maps.x)
    waist = details.kind == "skirt"
    top, bottom = top_edge(maps), bottom_edge(maps) + 0.02
    if waist:
        top -= 0.05
    half = 0.15 if details.placket in ("polo", "henley") else 0.17
    if details.placket in ("polo", "henley", "half zip"):
        bottom = top - (0.45 * details.buttons + 0.3 if details.placket != "half zip" else 1.7)
    inside = panel.inside(np.minimum(maps.y - np.float32(bottom), np.float32(top) - maps.y)) * panel.inside(maps.neck)
    if "zip" in details.placket:
        panel.shade(panel.line(maps.x, 0.0, 0.3) * inside, 0.96)
        panel.lift(panel.line(maps.x, 0.0, 0.3) * inside, 0.006)
        panel.seam(x, 0.15, inside)
        panel.shade(panel.line(maps.x, 0.0, 0.09) * inside, 0.55)
        metal = panel.line(maps.x, 0.0, 0.045) * inside
        panel.tint(metal * np.float32(0.75), _tooth(details))
        panel.ribs(metal, maps.y, 0.03, 0.3)
        pull = np.minimum(np.float32(0.035) - x, np.float32(0.11) - np.abs(maps.y - np.float32(top - 0.2)))
        panel.tint(panel.inside(pull), _tooth(details))
        return
    strip = panel.line(maps.x, 0.0, 2 * half) * inside
    if details.trim is not None and details.placket in ("polo", "henley") and "neck" in details.trim_at:
        panel.tint(strip * np.float32(0.98), details.trim)
    panel.lift(strip, 0.008)
    panel.seam(maps.x, half, inside)
    panel.seam(maps.x, -half, inside, 0.5)
    panel.stitch(maps.x, half - 0.035, details.stitching, inside)
    panel.stitch(maps.x, -half + 0.035, details.stitching, inside)
    if details.placket in ("polo", "henley"):
        end = panel.line(maps.x, 0.0, 2 * half)
        panel.seam(maps.y, bottom, end, 0.7)
        panel.stitch(maps.y, bottom + 0.12, details.stitching, end)
    count = max(details.buttons, 1)
    first = top - (0.12 if details.placket == "shirt" else 0.22)
    last = bottom + (0.5 if details.placket == "shirt" else 0.2)
    for y in np.linspace(first, last, count) if count > 1 else (first,):
        panel.button(0.0, float(y), 0.058 if details.kind != "skirt" else 0.09, details.button_colour)


def _tooth(details: Details) -> Colour:
    return (0.72, 0.72, 0.72) if lightness(details.button_colour) > 40 else (0.2, 0.2, 0.21)


def lay_cord(panel: Panel, colour: Colour, x: float, top: float, bottom: float) -> None:
    """A drawstring that hangs at ``x`` from ``top`` to ``bottom``, in dm."""
    maps = panel.maps
    sway = np.float32(x) + np.float32(0.04) * np.sin(maps.y * np.float32(2.2) + np.float32(x * 9))
    inside = panel.inside(np.minimum(np.float32(top) - maps.y, maps.y - np.float32(bottom))) * (maps.neck > 0)
    panel.shade(panel.line(maps.x - sway, 0.025, 0.11) * inside, 0.75)
    rope = panel.line(maps.x - sway, 0.0, 0.07) * inside
    panel.tint(rope, colour)
    panel.lift(rope, 0.02)
    tip = np.minimum(np.float32(0.04) - np.abs(maps.x - sway), np.float32(0.1) - np.abs(maps.y - np.float32(bottom)))
    panel.tint(panel.inside(tip), tuple(0.8 * value for value in colour))
