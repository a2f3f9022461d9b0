"""The painted panel: the cloth, and on it everything that the details of a garment tell.

Lengths in dm, colours sRGB-encoded in [0, 1].
"""

from __future__ import annotations

import cv2
import numpy as np

from .cloth import FabricSpec, PanelMaps
from .cloth_patterns import pattern
from .colours import Colour
from .lower_trims import lay_lower
from .painted_panels import Panel, top_edge
from .print_pictures import BORDER, drawn_print
from .prints import Print, legible
from .tiles import sleeves
from .trims import Details
from .upper_trims import cuff_width, lay_upper, raglan_seam
from .yarns import yarns


def paint(spec: FabricSpec, details: Details, maps: PanelMaps) -> tuple[np.ndarray, np.ndarray]:
    """Paint one panel.

    Args:
        spec: the cloth.
        details: what is sewn and printed on it.
        maps: where the texels are; for trousers and skirts ``maps.neck`` is the distance to the waist edge.

    Returns:
        The albedo, (H, W, 3) float32 sRGB-encoded RGB in [0, 1], and the relief of yarns, ribs, seams and
        buttons, (H, W) float32 in dm.
    """
    panel = Panel(maps, pattern(spec, maps))
    ground = spec.colours[0]
    front = maps.side == "front"
    _pieces(panel, details, front)
    edges = _edges(panel, details)
    shade, relief = yarns(spec, maps)
    panel.albedo *= shade[..., None]
    panel.height += relief
    if details.print is not None and front:
        _lay_print(panel, details.print, ground)
    if details.kind in ("top", "dress"):
        lay_upper(panel, details, edges, front)
    else:
        lay_lower(panel, spec, details, front)
    if details.pleats:
        _pleats(panel, details)
    if details.belt:
        _belt(panel, details, front)
    return np.clip(panel.albedo, 0, 1), panel.height


def _pieces(panel: Panel, details: Details, front: bool) -> None:
    """Pieces cut from cloth of another colour."""
    maps = panel.maps
    if details.sleeve_colour is not None and maps.sleeve.any():
        sleeve = sleeves(maps)
        if details.raglan:
            sleeve = np.maximum(sleeve, panel.inside(raglan_seam(maps)))
        panel.tint(sleeve, details.sleeve_colour)
    if details.yoke and details.yoke_colour is not None:
        panel.tint(panel.inside(maps.y - np.float32(details.yoke)) * (1 - sleeves(maps)), details.yoke_colour)
    if details.chest_band[1] > 0:
        y, width = details.chest_band
        panel.tint(panel.line(maps.y, y, width) * (1 - sleeves(maps)), details.accent)
    if details.sleeve_band > 0:
        at = max(0.5, details.cuff_rib + 0.3) + details.sleeve_band / 2
        panel.tint(panel.line(maps.cuff, at, details.sleeve_band) * sleeves(maps), details.accent)


def _edges(panel: Panel, details: Details) -> dict[str, np.ndarray]:
    """Ribs and bound edges at neck, cuff and hem: how much they cover; trim colours laid."""
    maps = panel.maps
    found = {}
    for name, distance, width in (
        ("neck", maps.neck, details.neck_rib if details.kind in ("top", "dress") else 0.0),
        ("cuff", maps.cuff, cuff_width(details, maps)),
        ("hem", maps.hem, details.hem_rib),
    ):
        if width <= 0:
            continue
        cover = panel.inside(np.float32(width) - distance)
        found[name] = cover
        if details.trim is not None and name in details.trim_at:
            panel.tint(cover, details.trim)
        if details.tipping is not None:
            for at in (0.45, 0.7):
                panel.tint(panel.line(distance, width * at, width * 0.1), details.tipping)
    return found


def _pleats(panel: Panel, details: Details) -> None:
    """Sharp folds that hang from the waist."""
    maps = panel.maps
    start = details.waist_seam or (1.2 if details.kind == "dress" else float("nan"))
    hang = maps.neck - np.float32(details.waistband) if details.kind == "skirt" else np.float32(start) - maps.y
    where = np.clip(hang / np.float32(0.8), 0, 1) * (1 - maps.sleeve) * panel.inside(hang)
    turn = maps.across * np.float32(1 / details.pleats)
    turn = turn - np.floor(turn)
    ramp = panel.fade(details.pleats) * details.pleat_depth
    panel.height += (np.float32(0.02 * ramp) * turn * where).astype(np.float32)
    edge = np.clip(1 - turn * np.float32(details.pleats / 0.07), 0, 1) * where
    panel.shade(edge, 1 - 0.3 * ramp)
    panel.shade((1 - turn) * where, 1 - 0.1 * ramp)


def _belt(panel: Panel, details: Details, front: bool) -> None:
    maps = panel.maps
    if details.kind == "dress":
        at = maps.y - np.float32(details.waist_seam or 1.2)
    else:
        at = np.float32(details.waistband / 2) - maps.neck
    body = 1 - maps.sleeve
    panel.shade(panel.line(at, -0.03, details.belt + 0.06) * body, 0.7)
    strap = panel.line(at, 0.0, details.belt) * body
    panel.tint(strap, details.accent)
    panel.lift(strap, 0.015)
    panel.shade(panel.line(np.abs(at), details.belt / 2 - 0.03, 0.012) * body, 0.8)
    if front:
        wide = np.float32(details.belt * 0.62)
        ring = np.minimum(wide - np.abs(maps.x), wide * np.float32(0.95) - np.abs(at))
        metal = panel.inside(ring) * (1 - panel.inside(ring - np.float32(0.05)))
        panel.tint(metal, (0.76, 0.72, 0.62))
        panel.lift(metal, 0.01)


def _lay_print(panel: Panel, art: Print, ground: Colour) -> None:
    picture = drawn_print(legible(art, ground), panel.scale)
    tall, wide = picture.shape[:2]
    maps = panel.maps
    density = wide / (art.width * (1 + 2 * BORDER))
    x, y = art.centre
    if abs(x) < 0.3:  # a low neckline pushes what is in the middle down
        y = min(y, top_edge(maps) - 0.3 - tall / density / 2 + BORDER * art.width)
    across = (maps.x - np.float32(x)) * np.float32(density) + np.float32((wide - 1) / 2)
    down = (np.float32(y) - maps.y) * np.float32(density) + np.float32((tall - 1) / 2)
    near = (across > -1) & (across < wide) & (down > -1) & (down < tall) & (maps.sleeve < 0.5) & (maps.neck > 0)
    window = panel.window(near)
    if window is None:
        return
    ink = cv2.remap(
        picture, across[window], down[window], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    ink *= near[window][..., None]
    panel.albedo[window] *= 1 - ink[..., 3:]
    panel.albedo[window] += ink[..., :3]
    panel.height[window] += np.float32(0.002) * ink[..., 3]
