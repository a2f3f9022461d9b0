"""What is painted on tops and on the bodice of dresses: edges, seams, pockets, closures."""

from __future__ import annotations

import numpy as np

from .closures import lay_cord, lay_placket
from .cloth import PanelMaps
from .painted_panels import Panel, bottom_edge, top_edge
from .trims import Details


def raglan_seam(maps: PanelMaps) -> np.ndarray:
    """Signed dm to the raglan seam, from the neck down to the armpit; positive towards the sleeve."""
    return (np.abs(maps.x) - np.float32(0.85) - (np.float32(5.6) - maps.y) * np.float32(0.62)) * np.float32(0.85)


def cuff_width(details: Details, maps: PanelMaps) -> float:
    """Width of the cuffs' ribs: narrow at an armhole, at most a quarter of a short sleeve."""
    sleeve = maps.sleeve > 0.5
    length = float(maps.cuff[sleeve].max()) if sleeve.any() else 0.5
    return min(details.cuff_rib, 0.25 * length)


def lay_upper(panel: Panel, details: Details, edges: dict[str, np.ndarray], front: bool) -> None:
    """Tops and dresses; ``edges`` is how much their ribs and bound edges cover."""
    maps = panel.maps
    thread = details.stitching
    if "neck" in edges:
        turn = np.arctan2(maps.x, maps.y - np.float32(6.4)) * np.float32(0.95)
        if details.neck_rib > 0.12:
            panel.ribs(edges["neck"], turn, 0.045)
        panel.shade(edges["neck"], 0.97)
        panel.lift(edges["neck"], 0.008)
        panel.seam(maps.neck, details.neck_rib, strength=0.9)
        panel.stitch(maps.neck, details.neck_rib + 0.06, thread)
    elif details.seams:
        panel.stitch(maps.neck, 0.1, thread)
    for name, distance in (("cuff", maps.cuff), ("hem", maps.hem)):
        width = cuff_width(details, maps) if name == "cuff" else details.hem_rib
        if name in edges:
            panel.ribs(edges[name], maps.across, 0.05)
            panel.seam(distance, width)
        elif details.seams:
            fold = 0.22 if name == "hem" else 0.18
            panel.stitch(distance, fold, thread)
            panel.stitch(distance, fold - 0.05, thread)
            panel.lift(panel.inside(np.float32(fold) - distance), 0.006)
    if details.seams:
        if details.raglan and maps.sleeve.any():
            body = 1 - maps.sleeve
            panel.seam(raglan_seam(maps), where=body * (maps.y > 3.0))
        elif maps.sleeve.any():
            panel.seam(maps.armhole)
            panel.stitch(maps.armhole, -0.05, thread) if thread is not None else None
    if details.yoke:
        body = 1 - maps.sleeve
        panel.seam(maps.y, details.yoke, body)
        panel.stitch(maps.y, details.yoke - 0.04, thread, body)
    if details.waist_seam:
        panel.seam(maps.y, details.waist_seam, 1 - maps.sleeve)
    if not front:
        _back_neck(panel, details)
        return
    if details.pocket in ("chest", "flap", "two"):
        _chest_pocket(panel, details, 1.05)
        if details.pocket == "two":
            _chest_pocket(panel, details, -1.05)
    elif details.pocket == "kangaroo":
        _kangaroo(panel, details)
    if details.placket != "none":
        lay_placket(panel, details)
    if details.drawstring is not None:
        top = top_edge(maps)
        for x, length in ((0.42, 1.7), (-0.45, 1.85)):
            lay_cord(panel, details.drawstring, x, top - 0.1, top - length)


def _back_neck(panel: Panel, details: Details) -> None:
    """The label under the collar of the back panel, as an open neck shows it."""
    if details.label is None:
        return
    maps = panel.maps
    top = top_edge(maps) - max(details.neck_rib, 0.08) - 0.05
    box = np.minimum(np.float32(0.26) - np.abs(maps.x), np.float32(0.13) - np.abs(maps.y - np.float32(top - 0.13)))
    panel.tint(panel.inside(box), details.label)
    panel.shade(panel.line(box, 0.0, 0.015), 0.8)


def _box(maps: PanelMaps, x: float, top: float, half: float, tall: float, point: float) -> np.ndarray:
    """Signed distance, positive inside, to a pocket with a pointed bottom."""
    away = np.abs(maps.x - np.float32(x))
    low = maps.y - np.float32(top - tall)
    return np.minimum(
        np.minimum(np.float32(half) - away, np.float32(top) - maps.y), low - np.float32(point / half) * away
    )


def _chest_pocket(panel: Panel, details: Details, x: float) -> None:
    maps = panel.maps
    box = _box(maps, x, 4.0, 0.52, 1.15, 0.14)
    cover = panel.inside(box)
    if details.pocket_colour is not None:
        panel.tint(cover, details.pocket_colour)
    panel.lift(cover, 0.007)
    panel.seam(box, strength=0.7)
    panel.stitch(box, 0.045, details.stitching)
    mouth = cover * panel.inside(np.float32(0.52) - np.abs(maps.x - np.float32(x)))
    if details.pocket == "flap":
        flap = _box(maps, x, 4.05, 0.54, 0.42, 0.12)
        panel.shade(panel.inside(flap + np.float32(0.03)) * (1 - panel.inside(flap)), 0.8)
        panel.lift(panel.inside(flap), 0.008)
        panel.seam(flap)
        panel.stitch(flap, 0.045, details.stitching)
        panel.button(x, 3.74, 0.055, details.button_colour)
    else:
        panel.stitch(maps.y, 4.0 - 0.2, details.stitching, mouth)
        panel.shade(panel.line(maps.y, 4.0, 0.03) * mouth, 0.75)


def _kangaroo(panel: Panel, details: Details) -> None:
    maps = panel.maps
    foot = bottom_edge(maps) + max(details.hem_rib, 0.1)
    away, up = np.abs(maps.x), maps.y - np.float32(foot)
    box = np.minimum(np.minimum(np.float32(1.55) - away, np.float32(1.75) - up), up)
    slope = (np.float32(2.35) - away - up * np.float32(0.8)) * np.float32(0.78)
    box = np.minimum(box, slope)
    panel.lift(panel.inside(box), 0.012)
    panel.seam(box)
    panel.stitch(box, 0.06, details.stitching)
    panel.shade(panel.line(slope, 0.0, 0.05) * panel.inside(box + np.float32(0.03)), 0.78)
