"""The warp that needs no weights: places on the garment's outline go to places on the body.

The garment is cut into a body and two sleeves (or two trouser legs). Each part gets its own thin-plate
spline, so that a sleeve photographed hanging down can follow an arm that is held up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import filters
from .body import LEG_RADIUS, Body, along_chain, leg_chain, outward_normals
from .garment import Garment
from .silhouette import Sleeve

_SHOULDER_TIP = 0.56  # breadths from the middle to the end of the shoulder
_ARM_LENGTH = 1.42  # breadths, shoulder to wrist, when nothing is foreshortened


@dataclass(frozen=True)
class Part:
    """One piece of a garment and where it goes.

    Attributes:
        name: ``body``, ``right`` or ``left``.
        source: (N, 2) points in pixels of the garment picture.
        target: (N, 2) the same points in pixels of the photo.
        cut: uint8 HW mask of the piece in the garment picture.
        reach: (M, 2) polygon in the photo outside which the piece never is.
        margin: pixels by which ``reach`` may be exceeded.
        covers: for a sleeve or leg, the fraction of the limb (to the wrist or ankle) that it covers.
        opening: for the body of a top, half the width of its neck opening in breadths.
    """

    name: str
    source: np.ndarray
    target: np.ndarray
    cut: np.ndarray
    reach: np.ndarray
    margin: float
    covers: float = 0.0
    opening: float = 0.0


def plan(garment: Garment, body: Body) -> list[Part]:
    """Cut a garment into parts and say where each goes on the body.

    Returns:
        Parts in painting order: later ones lie on top.
    """
    return _lower_parts(garment, body) if garment.category == "lower_body" else _upper_parts(garment, body)


def _polygon_cut(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros(size, np.uint8)
    cv2.fillPoly(canvas, [np.round(polygon).astype(np.int32)], 255)
    return canvas


def _upper_parts(garment: Garment, body: Body) -> list[Part]:
    marks, frame = garment.landmarks, body.frame
    size = garment.mask.shape
    centre = (marks["right_underarm"][0] + marks["left_underarm"][0]) / 2
    chest = float(marks["left_underarm"][0] - marks["right_underarm"][0])
    sleeved = len(marks.sleeves) == 2
    shoulders = float(np.linalg.norm(marks["left_shoulder"] - marks["right_shoulder"]))
    necks = float(np.linalg.norm(marks["left_neck"] - marks["right_neck"]))
    bare_shoulders = sleeved and not marks.neckline.size and necks > 0.95 * chest
    body_chest = (body.half_width(0.3, "right") + body.half_width(0.3, "left")) * frame.breadth
    if sleeved and not bare_shoulders:
        scale = 2 * _SHOULDER_TIP * frame.breadth / max(shoulders, 1)
        # A garment with dropped shoulders or a wide body must not shrink below the body it covers.
        scale = float(np.clip(scale, 1.0 * body_chest / chest, 1.6 * body_chest / chest))
        length_scale = scale
    else:
        scale = 1.04 * body_chest / chest
        length_scale = 1.2 * scale  # flat, a fitted garment is wider than the body seen from the front
    in_torso, in_breadth = length_scale / frame.torso, scale / frame.breadth

    source: list[np.ndarray] = []
    target: list[np.ndarray] = []

    def pin(where: np.ndarray, to: np.ndarray) -> None:
        source.append(np.asarray(where, float))
        target.append(np.asarray(to, float))

    tops: dict[str, np.ndarray] = {}
    outline: dict[str, list[np.ndarray]] = {"right": [], "left": []}
    natural_hem = []
    unders = {}
    for side in ("right", "left"):
        neck, shoulder, under = (marks[f"{side}_{n}"] for n in ("neck", "shoulder", "underarm"))
        if bare_shoulders:
            tip, drop = 0.6, 0.1
            to_shoulder = body.at(drop, tip, side)
            to_neck = body.at(drop, 0.45, side)
            neck = shoulder + (np.array([centre, shoulder[1]]) - shoulder) * 0.25
            top_row = drop
        else:
            tip = _SHOULDER_TIP if sleeved else float(np.clip(abs(shoulder[0] - centre) * in_breadth, 0.12, 0.5))
            top_row = body.shoulder_top(tip)
            to_shoulder = body.at(top_row, tip, side)
            neck_aside = float(np.clip(0.88 * abs(neck[0] - centre) * in_breadth, 0.1, max(tip - 0.06, 0.1)))
            rise = body.shoulder_top(neck_aside) - top_row  # negative: up
            extra = max((shoulder[1] - neck[1]) * in_torso + rise - 0.05, 0.0)
            to_neck = body.at(body.shoulder_top(neck_aside) - min(extra, 0.1), neck_aside, side)
        pin(neck, to_neck)
        pin(shoulder, to_shoulder)
        drop = float(np.clip(top_row + (under[1] - shoulder[1]) * in_torso, 0.2, 0.36))
        to_under = body.at(drop, body.half_width(drop, side) + (0.0 if sleeved else 0.01), side)
        unders[side] = (drop, to_under)
        pin(under, to_under)
        for t in (1 / 3, 2 / 3):  # the line of the armhole, shared with the sleeve
            bend = _armhole(shoulder, under, t), _armhole(to_shoulder, to_under, t)
            if sleeved:
                pin(*bend)
        tops[side] = to_shoulder
        hem = marks[f"{side}_hem"]
        natural_hem.append(drop + (hem[1] - under[1]) * in_torso)
        outline[side] += [to_neck, to_shoulder, to_under]
    hem_row = float(np.mean(natural_hem))
    if body.waist is not None and garment.category == "upper_body" and body.waist - 0.28 < hem_row < body.waist + 0.04:
        hem_row = body.waist + 0.04  # a top that nearly reaches the waistband does reach it
    for side in ("right", "left"):
        drop, _ = unders[side]
        edge = marks.right_side if side == "right" else marks.left_side
        for k, where in enumerate(edge[1:], 1):
            t = k / (len(edge) - 1)
            row = drop + t * (hem_row - drop)
            natural = abs(where[0] - centre) * in_breadth
            close = body.half_width(row, side)
            loose = 1.5 if garment.category == "dresses" and row > 1 else 1.16
            point = body.at(row, float(np.clip(natural, close, loose * close)) + 0.01, side)
            pin(where, point)
            outline[side].append(point)
    if len(marks.neckline):
        middle = marks.neckline[len(marks.neckline) // 2]
        depth = middle[1] - (marks["right_neck"][1] + marks["left_neck"][1]) / 2
        pin(middle, (outline["right"][0] + outline["left"][0]) / 2 + frame.down * depth * in_torso * frame.torso)
    pin(marks.points["hem"], (outline["right"][-1] + outline["left"][-1]) / 2 + frame.down * 0.02 * frame.torso)

    whole = garment.mask
    body_cut = whole.copy()
    sleeves = []
    for side, sleeve in marks.sleeves.items():
        part, cut = _sleeve_part(garment, body, side, sleeve, tops[side], unders[side][1], scale)
        sleeves.append(part)
        # Keep a seam's breadth along the armhole; everywhere else the sleeve goes with its rim.
        seam = np.zeros(size, np.uint8)
        ends = [tuple(int(round(v)) for v in marks[f"{side}_{n}"]) for n in ("shoulder", "underarm")]
        cv2.line(seam, *ends, 1, max(5, size[0] // 70))
        body_cut[filters.grow(cut > 127, max(2.0, size[0] / 300)) & (seam == 0)] = 0
    body_cut = np.minimum(body_cut, garment.front)
    reach = np.stack([*outline["right"], *outline["left"][::-1]])
    opening = float(np.linalg.norm(outline["right"][0] - outline["left"][0])) / 2 / frame.breadth
    parts = [Part("body", np.stack(source), np.stack(target), body_cut, reach, 0.14 * frame.breadth, opening=opening)]
    return [*parts, *sleeves]


def _armhole(shoulder: np.ndarray, under: np.ndarray, t: float) -> np.ndarray:
    return shoulder + (under - shoulder) * t


def _sleeve_part(
    garment: Garment, body: Body, side: str, sleeve: Sleeve, to_shoulder: np.ndarray, to_under: np.ndarray, scale: float
) -> tuple[Part, np.ndarray]:
    frame, marks = body.frame, garment.landmarks
    chain, radii = body.arms[side]
    unit = frame.breadth
    if len(chain) < 2:
        chain, radii = [chain[0], chain[0] + frame.down * _ARM_LENGTH * unit], (radii[0], 0.6 * radii[0])
    seen = float(sum(np.linalg.norm(b - a) for a, b in zip(chain, chain[1:], strict=False)))
    # How far down the arm the cuff is, judged on the arm's true length, as the arm may be foreshortened. The
    # outer edge says one thing, from the shoulder, and the inner one another, from the armpit, because a flat
    # sleeve does not hang: on the body the cuff lies straight across the arm, between the two.
    path = np.stack(chain)
    whole = 1.0 if len(chain) == 3 else 1 / 0.55  # the arm in lengths of its known part: to the wrist or the elbow
    true_length = _ARM_LENGTH * unit / whole
    first = path[1] - path[0]
    armpit = float(np.clip((to_under - path[0]) @ first / max(first @ first, 1e-6), 0.1, 0.6))
    armpit *= float(np.linalg.norm(first)) / max(seen, 1e-6)
    outer_length, inner_length = (
        float(np.linalg.norm(np.diff(edge, axis=0), axis=1).sum()) * scale / true_length
        for edge in (sleeve.outer, sleeve.inner)
    )
    end = max(0.5 * outer_length + 0.5 * (armpit + inner_length), armpit + 0.03)
    end = 1.05 * whole if end > 0.85 * whole else end  # a long sleeve ends on the hand
    count = len(sleeve.outer)
    source, target = [sleeve.outer[0], sleeve.inner[0]], [to_shoulder, to_under]
    edges = []
    chest = float(marks["left_underarm"][0] - marks["right_underarm"][0])
    for edge, start, stop, outward in ((sleeve.outer, 0.0, end, 1), (sleeve.inner, armpit, end, -1)):
        fractions = start + np.linspace(0, 1, count) * (stop - start)
        points, directions = along_chain(chain, fractions)
        normals = outward_normals(directions, side) * outward
        flat_half = np.linalg.norm(sleeve.outer - sleeve.inner, axis=1) / 2
        radius = np.interp(fractions, np.linspace(0, 1, len(radii)), radii)
        half = np.clip(flat_half * scale * 0.8, radius * 1.08, radius * 1.25)
        where = points + normals * half[:, None]
        where[0] = to_shoulder if outward > 0 else to_under
        # Points that crowd on a short edge make the spline buckle.
        apart = float(np.linalg.norm(np.diff(edge, axis=0), axis=1).mean())
        step = int(np.clip(np.ceil(0.12 * chest / max(apart, 1e-6)), 1, count - 1))
        kept = np.arange(count - 1, 0, -step)
        source += list(edge[kept])
        target += list(where[kept])
        edges.append(where)
    for t in (1 / 3, 2 / 3):
        source.append(_armhole(marks[f"{side}_shoulder"], marks[f"{side}_underarm"], t))
        target.append(_armhole(to_shoulder, to_under, t))
    polygon = np.concatenate([sleeve.polygon, sleeve.polygon[:1]])
    cut = _polygon_cut(polygon, garment.mask.shape)
    piece = np.where(filters.grow(cut > 127, max(1.0, garment.mask.shape[0] / 140)), garment.mask, 0).astype(np.uint8)
    reach = np.concatenate([edges[0], edges[1][::-1]])
    return Part(side, np.stack(source), np.stack(target), piece, reach, 0.045 * unit, end), cut


def _lower_parts(garment: Garment, body: Body) -> list[Part]:
    marks, frame = garment.landmarks, body.frame
    unit = frame.breadth
    size = garment.mask.shape
    waist_width = float(marks["left_waist"][0] - marks["right_waist"][0])
    top = body.waist if body.waist is not None else 0.78
    top = float(np.clip(top, 0.55, 1.0))
    hips = body.half_width(top, "right") + body.half_width(top, "left")
    scale = hips * unit * 1.04 / max(waist_width, 1)
    corners = {s: body.at(top, body.half_width(top, s) + 0.02, s) for s in ("right", "left")}
    if not marks.sleeves:  # a skirt
        source, target = [], []
        length = (marks["right_hem"][1] - marks["right_waist"][1]) * scale * 1.15 / frame.torso
        centre = (marks["right_waist"][0] + marks["left_waist"][0]) / 2
        outline: dict[str, list[np.ndarray]] = {"right": [], "left": []}
        for side in ("right", "left"):
            edge = marks.right_side if side == "right" else marks.left_side
            for k, where in enumerate(edge):
                row = top + k / (len(edge) - 1) * length
                natural = abs(where[0] - centre) * scale / unit
                close = body.half_width(row, side)
                point = body.at(row, max(natural, close * 0.95) + 0.01, side)
                source.append(where)
                target.append(point)
                outline[side].append(point)
        reach = np.stack([*outline["right"], *outline["left"][::-1]])
        return [Part("body", np.stack(source), np.stack(target), garment.mask, reach, 0.12 * unit)]

    crotch = marks["crotch"]
    waist_middle = (marks["right_waist"] + marks["left_waist"]) / 2
    chains = {side: leg_chain(body.pose, side) for side in ("right", "left")}
    to_middle = (corners["right"] + corners["left"]) / 2
    to_crotch = frame.pelvis + frame.down * 0.24 * frame.torso
    parts = []
    for side in ("right", "left"):
        leg, chain = marks.sleeves[side], chains[side]
        if len(chain) < 2:
            chain = [frame.pelvis, frame.pelvis + frame.down * 1.6 * frame.torso]
        chain = chain[:3]
        true_length = 1.72 * frame.torso  # hip to ankle of an adult, when nothing is foreshortened
        inseam = float(np.linalg.norm(np.diff(leg.inner, axis=0), axis=1).sum()) * scale * 1.05
        end = min(inseam / true_length + 0.16, 1.06)
        end = 1.02 if end > 0.88 else end
        count = len(leg.outer)
        fractions = np.linspace(0, end, count)
        points, directions = along_chain(chain, fractions)
        normals = outward_normals(directions, side)
        radius = np.interp(fractions, [0, 0.5, 1.0], LEG_RADIUS) * unit
        source = [waist_middle, crotch, marks[f"{side}_waist"]]
        target = [to_middle, to_crotch, corners[side]]
        crotch_row = crotch[1]
        outer_line, inner_line = [corners[side]], [to_crotch]
        for k in range(1, count):
            flat_half = np.linalg.norm(leg.outer[k] - leg.inner[k]) / 2 * scale
            half = float(np.clip(flat_half * 0.9, radius[k] * 0.95, radius[k] * 1.6))
            outer = points[k] + normals[k] * half
            if leg.outer[k][1] <= crotch_row:  # still at the hips: follow the torso's outline
                row = float((points[k] - frame.neck) @ frame.down / frame.torso)
                outer = body.at(row, body.half_width(row, side) + 0.03, side)
            source.append(leg.outer[k])
            target.append(outer)
            outer_line.append(outer)
        inner_count = len(leg.inner)
        start = float((to_crotch - chain[0]) @ frame.down / max(true_length, 1e-6))
        inner_points, inner_directions = along_chain(chain, np.linspace(max(start, 0.05), end, inner_count))
        inner_normals = outward_normals(inner_directions, side)
        inner_radius = np.interp(np.linspace(max(start, 0.05), end, inner_count), [0, 0.5, 1.0], LEG_RADIUS) * unit
        for k in range(1, inner_count):
            t = k / (inner_count - 1)
            point = inner_points[k] - inner_normals[k] * inner_radius[k] * (1.0 - 0.1 * t)
            source.append(leg.inner[k])
            target.append(point)
            inner_line.append(point)
        half_picture = np.zeros(size, np.uint8)
        middle = round((crotch[0] + waist_middle[0]) / 2)
        overlap = max(1, size[1] // 300)
        if side == "right":
            half_picture[:, : middle + overlap] = 255
        else:
            half_picture[:, middle - overlap :] = 255
        reach = np.stack([to_middle, *outer_line, *inner_line[::-1]])
        cut = np.minimum(garment.mask, half_picture)
        parts.append(Part(side, np.stack(source), np.stack(target), cut, reach, 0.08 * unit, end))
    return parts


def render(part: Part, garment: Garment, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Warp one part onto a picture of ``size`` (height, width).

    Returns:
        RGB float32 HWC in [0, 255] and alpha float32 HW in [0, 1].
    """
    height, width = size
    low = np.floor(np.minimum(part.reach.min(0), part.target.min(0)) - part.margin - 4).astype(int)
    high = np.ceil(np.maximum(part.reach.max(0), part.target.max(0)) + part.margin + 4).astype(int)
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(high[0], width), min(high[1], height)
    colours, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return colours, alpha
    map_x, map_y = _backward_map(part, (x0, y0, x1, y1))
    texture = garment.texture
    # Shrinking needs a smaller picture to sample from, or fine patterns turn into moire.
    shrink = float(np.sqrt(np.abs(np.median(_area_ratio(map_x, map_y)))))
    if shrink > 1.3:
        factor = 1 / shrink
        texture = cv2.resize(texture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        cut = cv2.resize(part.cut, texture.shape[1::-1], interpolation=cv2.INTER_AREA)
        map_x, map_y = (map_x + 0.5) * factor - 0.5, (map_y + 0.5) * factor - 0.5
    else:
        cut = part.cut
    warped = cv2.remap(texture, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.remap(cut, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    reach = filters.polygon_mask(part.reach - [x0, y0], (y1 - y0, x1 - x0))
    reach = filters.feather(filters.grow(reach, part.margin), 2)
    colours[y0:y1, x0:x1] = warped
    alpha[y0:y1, x0:x1] = mask.astype(np.float32) / 255 * reach
    return colours, alpha


def _area_ratio(map_x: np.ndarray, map_y: np.ndarray) -> np.ndarray:
    dx = np.gradient(map_x[::8, ::8]), np.gradient(map_y[::8, ::8])
    return (dx[0][0] * dx[1][1] - dx[0][1] * dx[1][0]) / 64


def _backward_map(part: Part, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """For every pixel of the photo inside ``box`` the place in the garment picture it is taken from."""
    import torch

    from .tps import tps_parameters, tps_transform

    x0, y0, x1, y1 = box
    target = torch.as_tensor(part.target, dtype=torch.float32)[None]
    source = torch.as_tensor(part.source, dtype=torch.float32)[None]
    weights, affine = tps_parameters(target, source, regularization=3e-4)
    step = max(2, round(max(x1 - x0, y1 - y0) / 160))  # the spline is smooth: think small, paint big
    columns, rows = int(np.ceil((x1 - x0) / step)) + 1, int(np.ceil((y1 - y0) / step)) + 1
    ys, xs = torch.meshgrid(torch.arange(rows) * step + y0, torch.arange(columns) * step + x0, indexing="ij")
    points = torch.stack([xs, ys], -1).reshape(1, -1, 2).float()
    coarse = tps_transform(points, target, weights, affine).reshape(rows, columns, 2).numpy()
    at_x, at_y = np.meshgrid(np.arange(x1 - x0, dtype=np.float32) / step, np.arange(y1 - y0, dtype=np.float32) / step)
    fine = cv2.remap(coarse, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(fine[..., 0]), np.ascontiguousarray(fine[..., 1])
