"""Where the parts of a flat garment are, read from its outline.

Names follow the wearer: in a front view the wearer's right side is on the left of the picture. Points are
(x, y) float64 in pixels of the garment picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from . import filters
from .errors import InputError


@dataclass(frozen=True)
class Sleeve:
    """Outline of one sleeve (or trouser leg below the crotch), cut off at the armhole.

    Attributes:
        outer: (k, 2) points along the outer edge, from the shoulder to the cuff.
        inner: (k, 2) points along the inner edge, from the underarm to the cuff.
        polygon: (n, 2) outline of the whole part.
    """

    outer: np.ndarray
    inner: np.ndarray
    polygon: np.ndarray

    @property
    def length(self) -> float:
        """Length of the centre line in pixels."""
        centre = (self.outer + self.inner) / 2
        return float(np.linalg.norm(np.diff(centre, axis=0), axis=1).sum())


@dataclass(frozen=True)
class Landmarks:
    """Named places of a garment's outline.

    Attributes:
        points: name -> (2,) position. Tops and dresses have ``right_neck left_neck right_shoulder
            left_shoulder right_underarm left_underarm right_hem left_hem``; trousers and skirts have
            ``right_waist left_waist right_hem left_hem`` and trousers a ``crotch``.
        right_side, left_side: (k, 2) edge of the body of the garment from the underarm (or waist) to the hem.
        sleeves: ``right`` and ``left`` sleeve where there is one; for trousers the two legs.
        neckline: (k, 2) front edge of the neck opening, from the wearer's right to left; empty when the
            picture shows no inside of the garment above it.
    """

    points: dict[str, np.ndarray]
    right_side: np.ndarray
    left_side: np.ndarray
    sleeves: dict[str, Sleeve] = field(default_factory=dict)
    neckline: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.points[name]


_SIDE_POINTS = 6  # points along a side seam or a sleeve edge


def _central_run(mask: np.ndarray, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Left and right end of the body of the garment in every row; NaN where there is none.

    Where the middle is open (above a neckline) the two pieces next to the middle count together.
    """
    height = mask.shape[0]
    left, right = np.full(height, np.nan), np.full(height, np.nan)
    for y in range(height):
        row = np.flatnonzero(np.diff(np.concatenate([[0], mask[y].astype(np.int8), [0]])))
        starts, ends = row[::2], row[1::2] - 1
        before, after = starts <= centre, ends >= centre
        if before.any() and after.any():
            left[y], right[y] = starts[before][-1], ends[after][0]
    return left, right


def _contour(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(contours, key=cv2.contourArea).reshape(-1, 2).astype(np.float64)


def _resample(path: np.ndarray, count: int) -> np.ndarray:
    """``count`` points at equal distances along a polyline."""
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, steps[-1], count)
    return np.stack([np.interp(at, steps, path[:, i]) for i in range(2)], 1)


def _between(contour: np.ndarray, start: np.ndarray, end: np.ndarray, outward: int) -> np.ndarray:
    """The stretch of a closed contour from ``start`` to ``end`` that goes furthest to one side.

    Args:
        outward: -1 for the stretch further left in the picture, +1 further right.
    """
    i = int(np.linalg.norm(contour - start, axis=1).argmin())
    j = int(np.linalg.norm(contour - end, axis=1).argmin())
    n = len(contour)
    one = contour[np.arange(i, i + (j - i) % n + 1) % n]
    two = contour[np.arange(i, i - (i - j) % n - 1, -1) % n]
    return one if outward * one[:, 0].mean() > outward * two[:, 0].mean() else two


def _corners(path: np.ndarray) -> tuple[int, int]:
    """Indices i < j of a path which, with its two ends, span the quadrilateral of the largest area."""
    step = max(1, len(path) // 160)
    p = path[::step]
    a, d = p[0], p[-1]
    x, y = p[:, 0], p[:, 1]
    # Shoelace formula of a, p_i, p_j, d for all i, j at once.
    area = (
        (a[0] * y - x * a[1])[:, None]
        + x[:, None] * y[None] - x[None] * y[:, None]
        + (x * d[1] - d[0] * y)[None]
        + (d[0] * a[1] - a[0] * d[1])
    )  # fmt: skip
    area = np.triu(np.abs(area), 1)
    i, j = np.unravel_index(int(area.argmax()), area.shape)
    return int(i) * step, int(j) * step


def _tube(path: np.ndarray) -> Sleeve:
    """Split the outline of a sleeve or leg, from its outer to its inner end of the cut, at the cuff corners.

    The corners are the outermost points of the outline looking along the sleeve and slanting to either side.
    """
    armhole, opening = (path[0] + path[-1]) / 2, np.linalg.norm(path[0] - path[-1])
    offsets = path - armhole
    line = path[-1] - path[0]
    t = np.clip((path - path[0]) @ line / max(line @ line, 1e-6), 0, 1)
    farthest = int(np.linalg.norm(path - path[0] - t[:, None] * line, axis=1).argmax())
    tip = path[farthest]
    for _ in range(3):
        axis = (tip - armhole) / max(np.linalg.norm(tip - armhole), 1e-6)
        normal = np.array([-axis[1], axis[0]])
        if offsets[0] @ normal < 0:
            normal = -normal
        i = int((offsets @ (axis + 0.6 * normal)).argmax())
        j = int((offsets @ (axis - 0.6 * normal)).argmax())
        tip = (path[i] + path[j]) / 2
    if i >= j or np.linalg.norm(path[i] - path[j]) < 0.4 * opening:
        # A short, flared sleeve shows only its outer corner that way: the other is the sharpest bend after it.
        i = farthest
        rest = path[i:]
        chord = (rest[-1] - rest[0]) / max(np.linalg.norm(rest[-1] - rest[0]), 1e-6)
        away = np.abs((rest - rest[0]) @ np.array([-chord[1], chord[0]]))
        sharp = away.max() > 0.08 * np.linalg.norm(rest[-1] - rest[0])
        j = i + int(away.argmax()) if sharp else len(path) - 3  # or the cuff ends right at the underarm
    i = min(max(i, 2), len(path) - 6)
    j = min(max(j, i + 2), len(path) - 3)
    return Sleeve(_resample(path[: i + 1], _SIDE_POINTS), _resample(path[j:][::-1], _SIDE_POINTS), path)


def upper_landmarks(mask: np.ndarray, image: np.ndarray) -> Landmarks:
    """Landmarks of a top or a dress in front view.

    Args:
        mask: bool HW, the garment.
        image: uint8 HWC RGB of the same size; its edges tell the front neckline.

    Raises:
        InputError: the outline is not that of such a garment.
    """
    try:
        return _upper_landmarks(mask, image)
    except (ValueError, IndexError) as error:  # no body, no shoulders: a scarf, a shoe, a heap
        raise InputError(
            "This outline is not that of a garment in front view: use a photo of one garment, spread out and upright."
        ) from error


def _upper_landmarks(mask: np.ndarray, image: np.ndarray) -> Landmarks:
    mask = filters.largest_component(mask)
    height = mask.shape[0]
    ys, xs = np.nonzero(mask)
    top, bottom = int(ys.min()), int(ys.max())
    tall = bottom - top + 1
    span = int(np.ptp(xs)) + 1
    lower_half = mask[top + int(0.55 * tall) : bottom + 1]
    centre = float((xs.min() + xs.max()) / 2)
    columns = np.flatnonzero(lower_half[:, max(int(centre - 0.3 * span), 0) : int(centre + 0.3 * span)].any(0))
    if columns.size:
        middle = lower_half.sum(0).astype(float)
        window = np.abs(np.arange(mask.shape[1]) - centre) < 0.36 * span
        centre = float((middle * window * np.arange(mask.shape[1])).sum() / max((middle * window).sum(), 1))
    # Hanging sleeves may reach below the hem: the body ends where its middle does.
    bottom = int(np.flatnonzero(mask[:, int(centre)]).max()) if mask[:, int(centre)].any() else bottom
    tall = bottom - top + 1
    left, right = _central_run(mask[: bottom + 1], centre)
    contour = _contour(mask)

    underarm = {
        s: _underarm(edge, outward, top, bottom, span, mask)
        for s, edge, outward in (("right", left, -1), ("left", right, 1))
    }
    points: dict[str, np.ndarray] = {}
    sleeves: dict[str, Sleeve] = {}
    # A sleeve on one side only is a misreading of a fold; take both or none, at about the same height.
    rows = [underarm[s] for s in ("right", "left")]
    sleeved = all(row is not None for row in rows) and abs(rows[0] - rows[1]) < 0.15 * tall
    for side, edge, outward in (("right", left, -1), ("left", right, 1)):
        if sleeved:
            row = underarm[side]
            points[f"{side}_underarm"] = np.array([edge[min(row + 2, bottom)], row], float)
        else:
            points[f"{side}_underarm"] = _armhole_corner(edge, outward, top, bottom, span)
            points[f"{side}_underarm"][1] = max(points[f"{side}_underarm"][1], top + 0.12 * tall)
    width = float(points["left_underarm"][0] - points["right_underarm"][0])
    upper_edge = np.where(mask.any(0), mask.argmax(0), height).astype(float)
    for side, outward in (("right", -1), ("left", 1)):
        under = points[f"{side}_underarm"]
        peak = _peak(upper_edge, centre, outward, span, width, sleeved)
        if sleeved:
            # Flat, the seam of the armhole leans outwards: it ends above the underarm and further out.
            x = int(np.clip(under[0] + outward * 0.06 * width, 0, mask.shape[1] - 1))
            # The shoulder lies outside the neck, also on a garment with a wide neck and a narrow body.
            x = int(max(x, peak[0] + 0.06 * width) if outward > 0 else min(x, peak[0] - 0.06 * width))
            columns = np.arange(int(peak[0]), x + outward, outward)
            x = int(columns[(outward * columns - upper_edge[columns]).argmax()])
            points[f"{side}_shoulder"] = np.array([x, upper_edge[x]])
        else:
            end = _strap_end(upper_edge, peak, outward, under)
            points[f"{side}_shoulder"] = end
            if under[1] < end[1] + 0.15 * width:  # a straight armhole has no corner
                row = min(int(end[1] + 0.3 * width), bottom - 1)
                points[f"{side}_underarm"] = np.array([(left if side == "right" else right)[row], row], float)
        points[f"{side}_neck"] = peak
    for side, outward in (("right", -1), ("left", 1)):
        if sleeved:
            path = _between(contour, points[f"{side}_shoulder"], points[f"{side}_underarm"], outward)
            if len(path) > 12:
                sleeves[side] = _tube(path)
    hem = _between_bottom(contour, points["right_underarm"], points["left_underarm"])
    i, j = _corners(hem)
    right_side, left_side = _resample(hem[: i + 1], _SIDE_POINTS), _resample(hem[j:][::-1], _SIDE_POINTS)
    points["right_hem"], points["left_hem"] = right_side[-1], left_side[-1]
    points["hem"] = np.array([centre, float(np.interp(centre, *_sorted_bottom(mask)))])
    neckline = _front_neckline(image, mask, points, upper_edge, len(sleeves) == 2)
    return Landmarks(points, right_side, left_side, sleeves if len(sleeves) == 2 else {}, neckline)


def _sorted_bottom(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    columns = np.flatnonzero(mask.any(0))
    return columns.astype(float), (mask.shape[0] - 1 - mask[::-1].argmax(0))[columns].astype(float)


def _underarm(edge: np.ndarray, outward: int, top: int, bottom: int, span: int, mask: np.ndarray) -> int | None:
    """Row at which, going up from the hem, the body of the garment is joined by a sleeve; None without one."""
    tall = bottom - top
    start = bottom - int(0.03 * tall)
    window = max(3, int(0.025 * tall))
    for y in range(start, top + int(0.04 * tall), -1):
        above, here = edge[max(y - window, top)], edge[y]
        if np.isnan(above) or np.isnan(here):
            continue
        if outward * (above - here) > 1.15 * window:
            # Walk to the exact row of the jump.
            rows = np.arange(max(y - window, top), y + 1)
            steps = outward * -np.diff(edge[rows])
            row = int(rows[int(np.nanargmax(steps)) + 1]) if np.isfinite(steps).any() else y
            outside = edge[row + 1] if row + 1 < len(edge) and not np.isnan(edge[row + 1]) else here
            columns = np.arange(mask.shape[1])
            beyond = outward * (columns - outside) > 0
            if mask[top : bottom + 1, beyond].sum() > 0.012 * mask.sum() and row < bottom - 0.12 * tall:
                return row
    return None


def _armhole_corner(edge: np.ndarray, outward: int, top: int, bottom: int, span: int) -> np.ndarray:
    """Lower end of the armhole of a sleeveless garment: the corner of its side edge in the upper part."""
    tall = bottom - top
    rows = np.arange(top, top + int(0.62 * tall))
    rows = rows[np.isfinite(edge[rows])]
    # The corner is the point of the edge that is furthest out when looking 45 degrees up and outwards.
    chord = np.interp(rows, rows[[0, -1]], edge[rows[[0, -1]]])
    score = outward * (edge[rows] - chord)
    row = int(rows[int(score.argmax())])
    row = max(row, top + int(0.08 * tall))
    return np.array([edge[row], row], float)


def _peak(upper_edge: np.ndarray, centre: float, outward: int, span: int, width: float, sleeved: bool) -> np.ndarray:
    """Highest point of the outline on one side of the middle: where the shoulder meets the neck."""
    columns = np.arange(len(upper_edge))
    away = outward * (columns - centre)
    inside = (away > 0.07 * width) & (away < 0.75 * width)
    candidates = columns[inside]
    heights = upper_edge[candidates]
    # The back of the neck hangs level between the two neck points, so the outermost of the nearly equal
    # heights is the neck; the top of a strap is level too, and there the innermost one is.
    near = candidates[heights <= heights.min() + 0.012 * span]
    distance = np.abs(near - centre)
    x = int(near[distance.argmax() if sleeved else distance.argmin()])
    return np.array([x, upper_edge[x]], float)


def _strap_end(upper_edge: np.ndarray, peak: np.ndarray, outward: int, under: np.ndarray) -> np.ndarray:
    """Outer top corner of a strap or of a sleeveless shoulder: the outermost point looking 45 degrees up."""
    columns = np.arange(int(peak[0]), int(under[0]) + outward, outward)
    columns = columns[(columns >= 0) & (columns < len(upper_edge))]
    columns = columns[upper_edge[columns] < len(upper_edge)]
    if columns.size == 0:
        return peak
    x = int(columns[(outward * columns - 0.9 * upper_edge[columns]).argmax()])
    return np.array([x, upper_edge[x]], float)


def _between_bottom(contour: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The stretch of a contour from ``start`` to ``end`` that runs along the bottom."""
    i = int(np.linalg.norm(contour - start, axis=1).argmin())
    j = int(np.linalg.norm(contour - end, axis=1).argmin())
    n = len(contour)
    one = contour[np.arange(i, i + (j - i) % n + 1) % n]
    two = contour[np.arange(i, i - (i - j) % n - 1, -1) % n]
    return one if one[:, 1].mean() > two[:, 1].mean() else two


def _front_neckline(
    image: np.ndarray, mask: np.ndarray, points: dict[str, np.ndarray], upper_edge: np.ndarray, sleeved: bool
) -> np.ndarray:
    """Front edge of the neck opening where the picture also shows the inside of the back above it.

    Curves y = y0 + depth (1 - |u|^p) between the two neck points are compared by the contrast across them;
    p = 1 is a V, 2 a scoop, 3 a crew neck.
    """
    start, end = points["right_neck"], points["left_neck"]
    width = float(np.linalg.norm(end - start))
    if width < 8:
        return np.zeros((0, 2))
    chest = float(points["left_underarm"][0] - points["right_underarm"][0])
    beside = [int(np.clip(p[0] + o * 0.14 * chest, 0, mask.shape[1] - 1)) for p, o in ((start, -1), (end, 1))]
    drop = float(np.mean([upper_edge[x] for x in beside]) - (start[1] + end[1]) / 2)
    # A turtleneck stands up beside the shoulder. Off the shoulder, the sleeves start level with the neckline,
    # while a boat neck still slopes down to them.
    collar = drop / width
    level = width > 0.9 * chest and drop < 0.05 * chest
    if (sleeved and collar > 0.3) or width < 0.3 * chest or level:  # turtleneck, collar, halter; off the shoulder
        return np.zeros((0, 2))
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 1.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    u = np.linspace(-0.86, 0.86, 33)
    reach = max(2.0, 0.02 * width)
    chord = start + (end - start) * ((u + 1) / 2)[:, None]
    columns = np.clip(np.round(chord[:, 0]).astype(int), 0, mask.shape[1] - 1)
    dip = float((upper_edge[columns] - chord[:, 1])[8:-8].max()) / width
    best, found = [], []
    for power in (1.0, 1.5, 2.0, 3.0):
        for depth in np.arange(0.06, 1.15, 0.02):
            if depth < dip + 0.16:  # shallower ones are the back of the neck or a label
                continue
            curve = chord.copy()
            curve[:, 1] += depth * width * (1 - np.abs(u) ** power)
            above, below = curve - [0, reach], curve + [0, reach]
            ok = [_inside(mask, side) for side in (above, below)]
            both = ok[0] & ok[1]
            if both.mean() < 0.5:
                continue
            difference = np.linalg.norm(_look_up(lab, above) - _look_up(lab, below), axis=1)
            difference = np.where(both, difference, np.nan)
            score = float(np.nanpercentile(difference, 30))
            best.append(score)
            found.append((depth, power))
    if best:
        strongest = max(best)
        if strongest > 9:
            # The rib of a collar gives a second, often stronger edge below the first: take the highest clear one.
            enough = max(6.0, 0.4 * strongest)
            good = [(depth, -score, power) for score, (depth, power) in zip(best, found, strict=True) if score > enough]
            depth, _, power = min(good)
            return _neck_curve(start, end, depth, power)
    if sleeved and dip < 0.12:
        return _neck_curve(start, end, 0.3, 2.0)  # dark garments hide the edge: a crew neck is the likeliest
    return np.zeros((0, 2))


def _neck_curve(start: np.ndarray, end: np.ndarray, depth: float, power: float) -> np.ndarray:
    u = np.linspace(-1, 1, 41)
    curve = start + (end - start) * ((u + 1) / 2)[:, None]
    curve[:, 1] += depth * np.linalg.norm(end - start) * (1 - np.abs(u) ** power)
    return curve


def _inside(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y = np.round(points).astype(int).T
    ok = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    result = np.zeros(len(points), bool)
    result[ok] = mask[y[ok], x[ok]]
    return result


def _look_up(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    x = np.clip(np.round(points[:, 0]).astype(int), 0, picture.shape[1] - 1)
    y = np.clip(np.round(points[:, 1]).astype(int), 0, picture.shape[0] - 1)
    return picture[y, x]


def lower_landmarks(mask: np.ndarray) -> Landmarks:
    """Landmarks of trousers, shorts or a skirt in front view."""
    mask = filters.largest_component(mask)
    ys, xs = np.nonzero(mask)
    top, bottom = int(ys.min()), int(ys.max())
    tall = bottom - top + 1
    contour = _contour(mask)
    band = mask[top + int(0.02 * tall) : top + max(int(0.06 * tall), 3)].any(0)
    waist = np.flatnonzero(band)
    row = top + int(0.02 * tall)
    points = {
        "right_waist": np.array([waist.min(), row], float),
        "left_waist": np.array([waist.max(), row], float),
    }
    crotch = crotch_point(mask)
    if crotch is None:
        hem = _between_bottom(contour, points["right_waist"], points["left_waist"])
        i, j = _corners(hem)
        right_side, left_side = _resample(hem[: i + 1], _SIDE_POINTS), _resample(hem[j:][::-1], _SIDE_POINTS)
        points["right_hem"], points["left_hem"] = right_side[-1], left_side[-1]
        return Landmarks(points, right_side, left_side)
    points["crotch"] = crotch
    legs = {}
    for side, outward in (("right", -1), ("left", 1)):
        path = _between(contour, points[f"{side}_waist"], crotch, outward)
        legs[side] = _tube(path)
        points[f"{side}_hem"] = legs[side].outer[-1]
    return Landmarks(points, legs["right"].outer, legs["left"].outer, legs)


def crotch_point(mask: np.ndarray) -> np.ndarray | None:
    """Top of the gap between two trouser legs; ``None`` when the garment has no such gap."""
    ys, xs = np.nonzero(mask)
    top, bottom = int(ys.min()), int(ys.max())
    tall, span = bottom - top + 1, int(np.ptp(xs)) + 1
    bottom_edge = mask.shape[0] - 1 - mask[::-1].argmax(0)
    columns = np.arange(int(xs.min() + 0.25 * span), int(xs.min() + 0.75 * span) + 1)
    columns = columns[mask[:, columns].any(0)]
    if columns.size == 0:
        return None
    x = int(columns[bottom_edge[columns].argmin()])
    y = int(bottom_edge[x])
    left, right = bottom_edge[xs.min() : x], bottom_edge[x + 1 : xs.max() + 1]
    if left.size == 0 or right.size == 0:
        return None
    depth = min(left.max(), right.max()) - y
    near = np.abs(np.arange(mask.shape[1]) - x) < 0.22 * span
    wide = (bottom_edge[near] < y + 0.6 * depth).mean()  # a rounded hem is a wide, shallow dip
    return np.array([x, y], float) if depth > 0.1 * tall and wide < 0.75 else None
