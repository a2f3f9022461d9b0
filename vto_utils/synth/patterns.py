"""Cut the shells into panels and lay the panels flat; done once, when the body file is baked."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from . import mesh
from .body import Body
from .curves import smoothstep
from .shells import CANONICAL, ROWS, STEP, Suit, arm_attributes, tube, tube_weights

LOOSE = (0.04, 0.3, 0.7)  # dm
SLEEVE_ANGLES = (-40.0, -20.0, 0.0, 15.0, 30.0, 44.0)  # degrees down from the rest pose's
LEG_ANGLES = (-5.0, 4.0)  # degrees outwards from the rest pose's
WAIST = 2.3  # dm, top of the trousers' shell


def _ring(rim: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``rim`` ordered round the vertical axis."""
    centre = points[rim][:, [0, 2]].mean(0)
    return rim[np.argsort(np.arctan2(points[rim, 0] - centre[0], points[rim, 2] - centre[1]))]


def _coo(prefix: str, matrix: sp.spmatrix) -> dict[str, np.ndarray]:
    coo = matrix.tocoo()
    keep = np.abs(coo.data) > 1e-6
    return {
        f"{prefix}_rows": coo.row[keep].astype(np.uint16),
        f"{prefix}_columns": coo.col[keep].astype(np.uint16),
        f"{prefix}_values": np.rint(coo.data[keep] * 65535).astype(np.uint16),
        f"{prefix}_shape": np.array(matrix.shape, np.int32),
    }


def _facing(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) how far the surface looks to the front, smoothed."""
    facing = mesh.vertex_normals(points, faces)[:, 2]
    smooth = mesh.neighbour_mean(len(points), faces)
    for _ in range(12):
        facing = 0.5 * facing + 0.5 * (smooth @ facing)
    return facing


def _panels(points: np.ndarray, faces: np.ndarray, facing: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """Cut where the surface turns from the front to the back."""
    # no islands: what is not connected to its panel goes to the other one
    for sign in (1, -1):
        inner = faces[(facing[faces] * sign >= 0).all(1)]
        main = np.unique(mesh.largest_piece(len(points), inner))
        stray = (facing * sign >= 0) & ~np.isin(np.arange(len(points)), main)
        touching = np.zeros(len(points), bool)
        touching[main] = True
        for _ in range(2):  # the rim of the panel itself is not stray
            reached = faces[touching[faces].any(1)]
            touching[np.unique(reached)] = True
        facing = np.where(stray & ~touching, -sign * 0.01, facing)
    return mesh.split(facing, faces)


def _aligned(points: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Points (N, 2) moved and turned, not bent, to lie as near to ``goal`` as they can (Procrustes)."""
    centre, middle = points.mean(0), goal.mean(0)
    a, b = points - centre, goal - middle
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return a @ turn.T + middle


def _flat_panels(
    points: np.ndarray, front: np.ndarray, back: np.ndarray, start: np.ndarray, pull: np.ndarray | None
) -> np.ndarray:
    """Both panels laid flat, back pinned to the front along the seams: (V, 2)."""
    flat = np.array(start, np.float64)
    used, faces = mesh.compact(front)
    flat[used] = mesh.flatten(points[used], faces, start[used], pull=None if pull is None else pull[used])
    if pull is None:  # nothing holds the panel: put it back where it started, upright
        flat[used] = _aligned(flat[used], start[used])
    others, back_faces = mesh.compact(back)
    shared = np.isin(others, used)
    guess = flat.copy()
    moved = flat[others[shared]] - start[others[shared]]
    # carry the seams' shift into the back panel's first guess
    from scipy.spatial import cKDTree

    distance, near = cKDTree(start[others[shared]]).query(start[others], k=8)
    weight = 1 / (distance + 0.05) ** 2
    guess[others] = start[others] + (moved[near] * weight[..., None]).sum(1) / weight.sum(1, keepdims=True)
    guess[others[shared]] = flat[others[shared]]
    flat[others] = mesh.flatten(points[others], back_faces, guess[others], pins=np.flatnonzero(shared))
    return flat


def _turned(flat: np.ndarray, weight: np.ndarray, pivot: np.ndarray, degrees: float) -> np.ndarray:
    """Left and right limbs turned about ``pivot`` (x >= 0; mirrored for the other side) by degrees times weight."""
    out = flat.copy()
    for sign in (1, -1):
        side = flat[:, 0] * sign >= 0
        angle = -np.deg2rad(degrees) * weight[side] * sign
        centre = pivot * [sign, 1]
        offset = flat[side] - centre
        cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
        x, y = offset[:, :1], offset[:, 1:]
        out[side] = centre + np.concatenate([cosine * x - sine * y, sine * x + cosine * y], 1)
    return out


def _finish(
    name: str,
    arrays: dict[str, np.ndarray],
    front: np.ndarray,
    back: np.ndarray,
    points: np.ndarray,
    along: np.ndarray,
    arm: np.ndarray,
    dense: np.ndarray,
    panels: np.ndarray,
) -> dict[str, np.ndarray]:
    """All arrays of one pattern under their names in the file."""
    order = np.argsort(-dense, axis=1, kind="stable")[:, :6]
    top = np.take_along_axis(dense, order, 1)
    top /= top.sum(1, keepdims=True)
    return {
        **{f"{name}_{key}": value for key, value in arrays.items()},
        f"{name}_faces": np.concatenate([front, back]).astype(np.uint16),
        f"{name}_front": np.array(len(front), np.int32),
        f"{name}_points": points.astype(np.float32),
        f"{name}_along": along.astype(np.float16),
        f"{name}_arm": arm.astype(np.float16),
        f"{name}_weight_bones": order.astype(np.uint8),
        f"{name}_weights": np.rint(top * 65535).astype(np.uint16),
        f"{name}_panels": np.rint(panels / STEP).astype(np.int16),
    }


def bake_patterns(body: Body) -> dict[str, np.ndarray]:
    """The arrays that `shells.load_patterns` reads."""
    suit = Suit(body)
    nodes = body.nodes(CANONICAL)
    joint = {name: nodes[body.count + k] for name, k in body.bone.items()}
    base = suit.base(nodes[: body.count])
    along, arm = arm_attributes(body, nodes, suit, base)
    hip = float(joint["upperleg01.L"][1])
    return {
        **_robe(body, suit, base, along, arm, joint, hip),
        **_trousers(suit, base, along, arm, joint),
        "panel_loose": np.array(LOOSE),
        "robe_angles": np.array(SLEEVE_ANGLES),
        "trousers_angles": np.array(LEG_ANGLES),
    }


def _robe(body, suit, base, along, arm, joint, hip) -> dict[str, np.ndarray]:
    count = len(base)
    cloth = suit.inflate(base, LOOSE[1])
    cut, upper, _ = mesh.split(cloth[:, 1] - (hip - 0.35), suit.faces)
    points = cut @ cloth
    upper = mesh.largest_piece(len(points), upper)
    open_edge = mesh.border(upper)
    rim = _ring(open_edge[np.abs(points[open_edge, 1] - (hip - 0.35)) < 0.02], points)
    ring = cut.tocsr()[rim]
    legs = base[base[:, 1] < hip + 0.5]
    ankle = float(joint["foot.L"][1])
    used, upper = mesh.compact(upper)
    k = len(rim)
    position = {int(v): n for n, v in enumerate(used)}
    first = np.array([position[int(v)] for v in rim])
    grid = np.concatenate([first, len(used) + np.arange((ROWS - 1) * k)]).reshape(ROWS, k)
    a, b = grid[:-1], np.roll(grid, -1, 1)[:-1]
    c, d = grid[1:], np.roll(grid, -1, 1)[1:]
    lower = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    faces = np.concatenate([upper, lower]).astype(np.int32)
    total = len(used) + (ROWS - 1) * k
    from_suit = sp.vstack([cut.tocsr()[used], sp.csr_matrix(((ROWS - 1) * k, count))]).tocsr()
    columns = k + np.arange((ROWS - 1) * k)  # row 0 of the tube is the rim itself
    from_tube = sp.csr_matrix((np.ones(len(columns)), (np.arange(len(used), total), columns)), (total, ROWS * k))

    def shape(loose: float) -> np.ndarray:
        suit_cloth = suit.inflate(base, loose)
        rows = tube(ring @ suit_cloth, legs, ankle, loose, 0.02, 0.0)
        return from_suit @ suit_cloth + from_tube @ rows.reshape(-1, 3)

    along_all = np.concatenate([cut.tocsr()[used] @ along, np.zeros((ROWS - 1) * k)])
    arm_all = np.concatenate([cut.tocsr()[used] @ arm, np.zeros((ROWS - 1) * k)])
    points = shape(LOOSE[1])
    centre = points[first][:, [0, 2]].mean(0)
    side = (points[:, 2] - centre[1]) / np.hypot(points[:, 0] - centre[0], points[:, 2] - centre[1])
    # below the waist the seam runs straight down, as a skirt's does
    straight = smoothstep(hip + 2.0, hip + 0.2, points[:, 1]) * (arm_all < 0.05)
    facing = _facing(points, faces) * (1 - straight) + side * straight
    # in the armpit the seams of side and sleeve meet, in one plane
    pit = np.exp(-((np.hypot(np.abs(points[:, 0]) - 1.8, points[:, 1] - 3.8) / 0.7) ** 4))
    facing = facing * (1 - pit) + np.clip((points[:, 2] - 0.22) * 1.5, -1, 1) * pit
    seams, front, back = _panels(points, faces, facing)
    dense_suit = cut.tocsr()[used] @ suit.weights
    rim_weights = np.tile(dense_suit[first], (ROWS - 1, 1))
    tube_points = points[len(used) :]
    dense = np.concatenate([dense_suit, tube_weights(body, tube_points, rim_weights, hip)])
    final = seams @ points
    t, share = seams @ along_all, seams @ arm_all

    panels = np.zeros((len(LOOSE), len(SLEEVE_ANGLES), len(final), 2))
    start = final[:, :2].copy()
    weight = smoothstep(-0.02, 0.16, t) * smoothstep(0.2, 0.6, share)
    pull = np.where((t > 0.14) & (share > 0.5), 0.02, 0.0) + np.where(share < 0.02, 0.02, 0.0)
    for level, loose in enumerate(LOOSE):
        surface = seams @ shape(loose)
        middle = _flat_panels(surface, front, back, start, None)
        start = middle
        ridge = (np.abs(t) < 0.05) & (share > 0.3) & (middle[:, 0] > 0)
        high = middle[ridge]
        pivot = np.array([high[:, 0].mean(), np.percentile(high[:, 1], 80) - 0.35])
        for number, angle in enumerate(SLEEVE_ANGLES):
            if angle == 0:
                panels[level, number] = middle
            else:
                guess = _turned(middle, weight, pivot, angle)
                panels[level, number] = _flat_panels(surface, front, back, guess, pull)
    arrays = {
        **_coo("from_suit", seams @ from_suit),
        **_coo("from_tube", seams @ from_tube),
        **_coo("ring", ring),
    }
    return _finish("robe", arrays, front, back, final, t, share, seams @ dense, panels)


def _trousers(suit, base, along, arm, joint) -> dict[str, np.ndarray]:
    cloth = suit.inflate(base, LOOSE[1])
    inside = np.where(arm > 0.25, -1.0, WAIST - cloth[:, 1])
    cut, lower, _ = mesh.split(inside, suit.faces)
    lower = mesh.largest_piece(cut.shape[0], lower)
    used, faces = mesh.compact(lower)
    from_suit = cut.tocsr()[used]
    points = from_suit @ cloth
    seams, front, back = _panels(points, faces, _facing(points, faces))
    final = seams @ points
    hip = joint["upperleg01.L"]
    knee = float(joint["lowerleg01.L"][1])
    weight = smoothstep(hip[1] - 0.2, hip[1] - 1.8, final[:, 1])
    pull = np.where((final[:, 1] < knee + 1) | (final[:, 1] > hip[1] + 0.5), 0.02, 0.0)
    panels = np.zeros((len(LOOSE), len(LEG_ANGLES), len(final), 2))
    start = final[:, :2].copy()
    # wide trousers are laid like tight ones and then widened: inflated further, the thighs would run into each other
    surface = seams @ (from_suit @ suit.inflate(base, LOOSE[0]))
    middle = _flat_panels(surface, front, back, start, None)
    for level in range(len(LOOSE)):
        for number, angle in enumerate(LEG_ANGLES):
            guess = _turned(middle, weight, np.array([hip[0], hip[1]]), -angle)
            panels[level, number] = _flat_panels(surface, front, back, guess, pull)
    zero = np.zeros(len(final))
    dense = seams @ (from_suit @ suit.weights)
    return _finish("trousers", _coo("from_suit", seams @ from_suit), front, back, final, zero, zero, dense, panels)
