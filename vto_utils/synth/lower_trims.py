"""What is painted on trousers and skirts: waistbands, flies, pockets, creases, worn denim."""

from __future__ import annotations

import numpy as np

from .closures import lay_cord, lay_placket
from .cloth import FabricSpec
from .painted_panels import Panel, top_edge
from .trims import Details

_HIP = 2.6  # half the width of a pair of trousers laid flat, at the pockets
_LEG = 1.4  # |x| of the middle of a trouser leg


def lay_lower(panel: Panel, spec: FabricSpec, details: Details, front: bool) -> None:
    """Trousers and skirts."""
    maps = panel.maps
    thread = details.stitching
    band = details.waistband
    x, away, depth = maps.x, np.abs(maps.x), maps.neck
    below = panel.inside(depth - np.float32(band))
    if spec.fade > 0 and front and details.kind == "trousers":
        _faded(panel, spec.fade)
    if details.crease:
        crease = np.float32(0.6) * np.exp(-np.square((away - np.float32(_LEG)) / np.float32(0.05)))
        crease *= np.clip((np.float32(0.3) - maps.y) / np.float32(1.2), 0, 1)
        panel.lift(crease, 0.02 * details.crease)
        panel.shade(panel.line(away, _LEG + 0.02, 0.03) * (maps.y < 0), 1 - 0.12 * details.crease)
    if details.hem_rib:
        cover = panel.inside(np.float32(details.hem_rib) - maps.hem)
        panel.ribs(cover, x, 0.05)
        panel.seam(maps.hem, details.hem_rib)
    else:
        panel.stitch(maps.hem, 0.16 if thread is not None else 0.3, thread)
    if details.kind == "trousers":
        panel.seam(x, 0.0, below * panel.inside(maps.y + np.float32(1.2)), 0.8)
    if band > 0:
        cover = 1 - below
        panel.lift(cover, 0.008)
        panel.seam(depth, band)
        if details.elastic:
            panel.ribs(cover, x + np.float32(0.02) * np.sin(x * 31), 0.09, 0.1)
            panel.stitch(depth, band * 0.5, None)
        else:
            panel.stitch(depth, band - 0.035, thread)
            panel.stitch(depth, 0.035, thread)
    if front:
        _lower_front(panel, details, below)
    else:
        _lower_back(panel, details, below)
    if details.loops and not details.elastic:
        for at in (1.1, 2.2) if front else (0.0, 1.5):
            loop = np.minimum(np.float32(0.055) - np.abs(away - np.float32(at)), np.float32(band + 0.08) - depth)
            panel.shade(panel.inside(loop + np.float32(0.03)) * (1 - panel.inside(loop)), 0.82)
            panel.lift(panel.inside(loop), 0.012)
            panel.stitch(loop, 0.02, thread)
            panel.shade(panel.line(loop, 0.0, 0.012), 0.75)


def _lower_front(panel: Panel, details: Details, below: np.ndarray) -> None:
    maps = panel.maps
    thread = details.stitching
    x, away, depth = maps.x, np.abs(maps.x), maps.neck
    if details.fly:
        run = below * panel.inside(np.float32(1.75) - depth)
        panel.seam(x, 0.0, run)
        # the curved stitches of the fly, on the wearer's left
        bow = np.float32(0.36) * np.sqrt(
            np.clip(1 - np.square(np.maximum(depth - np.float32(1.0), 0) / np.float32(0.75)), 0, 1)
        )
        side = run * (x > -0.02)
        panel.stitch(x - bow, 0.0, thread, side)
        if thread is not None:
            panel.stitch(x - bow, -0.05, thread, side)
        panel.stitch(x, 0.04, None, run)
    if details.pockets == "jeans":
        # an arc from the waistband to the side
        arc = (
            np.hypot(
                (away - np.float32(_HIP)) / np.float32(1.25), (depth - np.float32(details.waistband)) / np.float32(0.85)
            )
            - 1
        )
        arc = arc * np.float32(0.95)
        panel.seam(arc, 0.0, below)
        panel.shade(np.clip(-arc / np.float32(0.12), 0, 1) * panel.inside(-arc) * below, 0.95)
        panel.stitch(arc, 0.04, thread, below)
        panel.stitch(arc, 0.1, thread, below)
    elif details.pockets in ("slant", "cargo"):
        slant = (np.float32(1.4) - away) * np.float32(0.9) + (depth - np.float32(details.waistband)) * np.float32(0.42)
        where = below * panel.inside(np.float32(details.waistband + 1.5) - depth)
        panel.seam(slant, 0.0, where)
        panel.stitch(slant, 0.06, thread, where)
    if details.pockets == "cargo":
        for at in (-1, 1):
            box = np.minimum(
                np.float32(0.6) - np.abs(x - np.float32(at * (_HIP - 0.7))),
                np.float32(0.75) - np.abs(maps.y + np.float32(3.0)),
            )
            panel.lift(panel.inside(box), 0.015)
            panel.seam(box)
            panel.stitch(box, 0.05, thread)
            panel.seam(maps.y, -2.65, panel.inside(box))
    if details.placket == "shirt":
        lay_placket(panel, details)
    elif details.fly and details.buttons:
        middle = float(maps.y[(away < 0.1) & (depth > 0) & (depth < 0.3)].max(initial=-99.0)) - details.waistband / 2
        if middle > -50:
            panel.button(0.07, middle, 0.085, details.button_colour)
    if details.drawstring is not None:
        top = top_edge(maps)
        for at, length in ((0.12, 1.3), (-0.13, 1.15)):
            lay_cord(panel, details.drawstring, at, top - details.waistband * 0.5, top - length)


def _lower_back(panel: Panel, details: Details, below: np.ndarray) -> None:
    maps = panel.maps
    thread = details.stitching
    x, away, depth = maps.x, np.abs(maps.x), maps.neck
    if details.pockets in ("jeans", "cargo"):
        yoke = depth - np.float32(details.waistband + 0.65) + away * np.float32(0.18)
        panel.seam(yoke, 0.0, below)
        panel.stitch(yoke, 0.045, thread, below)
        for at in (-1.1, 1.1):
            top = float(np.float32(details.waistband + 0.75))
            down = depth - np.float32(top)
            side = np.float32(0.62) - np.abs(x - np.float32(at)) - np.maximum(down, 0) * np.float32(0.06)
            foot = np.float32(1.45) - down - np.abs(x - np.float32(at)) * np.float32(0.35)
            box = np.minimum(np.minimum(side, down), foot)
            panel.lift(panel.inside(box), 0.01)
            panel.seam(box)
            panel.stitch(box, 0.045, thread)
            panel.stitch(down, 0.18, thread, panel.inside(box))
    elif details.pockets == "slant":
        for at in (-1.1, 1.1):
            welt = np.minimum(
                np.float32(0.6) - np.abs(x - np.float32(at)),
                np.float32(0.05) - np.abs(depth - np.float32(details.waistband + 0.9)),
            )
            panel.seam(welt, strength=0.8)
    if details.label is not None and details.waistband > 0.3 and details.pockets in ("jeans", "cargo"):
        patch = np.minimum(
            np.float32(0.3) - np.abs(x - np.float32(0.75)),
            np.float32(0.13) - np.abs(depth - np.float32(details.waistband / 2)),
        )
        leather = (0.5, 0.34, 0.2) if details.stitching is not None else details.label
        panel.tint(panel.inside(patch), leather)
        panel.shade(panel.line(patch, 0.0, 0.015), 0.75)


def _faded(panel: Panel, amount: float) -> None:
    """Worn denim: paler at the thighs and knees, with whiskers at the hips."""
    maps = panel.maps
    away = np.abs(maps.x) - np.float32(_LEG)
    across = np.exp(-np.square(away / np.float32(0.62)))
    down = np.exp(-np.square((maps.y + np.float32(2.2)) / np.float32(1.7))) + 0.5 * np.exp(
        -np.square((maps.y + np.float32(4.3)) / np.float32(0.7))
    )
    light = across * down
    fan = np.arctan2(np.abs(maps.x), np.float32(0.4) - maps.y)
    near = np.exp(-np.square((np.hypot(maps.x, maps.y + np.float32(0.5)) - np.float32(1.2)) / np.float32(0.5)))
    light += 0.3 * near * np.clip(np.sin(fan * np.float32(22)), 0, 1)
    tone = panel.albedo
    pale = tone + (np.float32((0.8, 0.85, 0.9)) - tone) * np.float32(0.75)
    panel.tint(np.clip(light * np.float32(amount), 0, 0.8), pale)
