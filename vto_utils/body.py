"""The body as the pipeline measures it: proportions from the key points, outlines from the label map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from . import labels
from .errors import NoPersonError
from .pose import Pose

ALONG = np.arange(-0.4, 3.2, 0.02)  # torso lengths below the neck at which the body's outline is known

# Half width of a body's torso in breadths, by torso lengths below the line of the shoulder joints: a mean
# of adult proportions (Drillis and Contini 1966), used to bound what the parsing says.
_MEAN_ALONG = np.array([0.0, 0.2, 0.35, 0.6, 0.8, 1.0, 1.2, 3.2])

_MEAN_HALF_WIDTH = np.array([0.52, 0.49, 0.46, 0.42, 0.45, 0.52, 0.56, 0.56])

# Height of the top of the shoulders above the line of the joints, in breadths, by breadths from the middle.
SHOULDER_ASIDE = np.array([0.0, 0.2, 0.35, 0.5, 0.58, 0.65])

_SHOULDER_RISE = np.array([0.30, 0.25, 0.16, 0.07, -0.02, -0.12])

ARM_RADIUS = (0.145, 0.115, 0.085)  # breadths, at shoulder, elbow, wrist

LEG_RADIUS = (0.30, 0.19, 0.12)  # breadths, at hip, knee, ankle


@dataclass(frozen=True)
class BodyFrame:
    """Places and sizes on the body that are derived from the key points, in pixels of one picture.

    Attributes:
        right_shoulder, left_shoulder, right_hip, left_hip: (2,) joints.
        neck: (2,) middle of the shoulders.
        pelvis: (2,) middle of the hips.
        down: (2,) unit vector from neck to pelvis.
        across: (2,) unit vector towards the person's left, at right angles to ``down``.
        shoulder_axis: (2,) unit vector from the right to the left shoulder.
        torso: distance neck - pelvis.
        breadth: size of the upper body: the wider of the shoulder distance and what the torso length
            implies, so that a person seen from the side keeps a sensible scale.
        eyes, mouth: (2,) middle of the eyes and of the mouth.
        face: distance eyes - mouth.
    """

    right_shoulder: np.ndarray
    left_shoulder: np.ndarray
    right_hip: np.ndarray
    left_hip: np.ndarray
    neck: np.ndarray
    pelvis: np.ndarray
    down: np.ndarray
    across: np.ndarray
    shoulder_axis: np.ndarray
    torso: float
    breadth: float
    eyes: np.ndarray
    mouth: np.ndarray
    face: float

    @classmethod
    def from_pose(cls, pose: Pose) -> BodyFrame:
        """Derive the frame.

        Raises:
            NoPersonError: shoulders are not visible, so there is no torso to dress.
        """
        if not pose.visible("right_shoulder", "left_shoulder", threshold=0.2):
            raise NoPersonError(
                "The person's shoulders are not visible, so there is no torso to dress. "
                "Use a photo that shows the person from the head to the hips."
            )
        right, left = pose.point("right_shoulder"), pose.point("left_shoulder")
        neck = (right + left) / 2
        shoulder_width = float(np.linalg.norm(left - right))
        hips_known = pose.confidence("right_hip") > 0 and pose.confidence("left_hip") > 0
        if pose.landmarks is not None:  # the landmarker also places hips that are just out of the picture
            right_hip, left_hip = (pose.landmarks[i, :2].astype(np.float64) for i in (24, 23))
        elif hips_known:
            right_hip, left_hip = pose.point("right_hip"), pose.point("left_hip")
        else:
            drop = np.array([0.0, 1.45 * shoulder_width])
            right_hip, left_hip = right + drop + (neck - right) * 0.35, left + drop + (neck - left) * 0.35
        pelvis = (right_hip + left_hip) / 2
        torso = float(np.linalg.norm(pelvis - neck))
        down = (pelvis - neck) / max(torso, 1e-6)
        across = np.array([down[1], -down[0]])
        if np.dot(left - right, across) < 0:
            across = -across
        breadth = max(shoulder_width, 0.5 * torso)
        # Seen from the side the line of the joints says little about the tilt of the shoulders.
        axis = (left - right) / max(shoulder_width, 1e-6)
        trust = np.clip((shoulder_width / breadth - 0.5) / 0.4, 0, 1) if axis @ across > 0.7 else 0.0
        axis = trust * axis + (1 - trust) * across
        axis = axis / np.linalg.norm(axis)
        eyes, mouth = _eyes_and_mouth(pose, neck, breadth)
        face = max(float(np.linalg.norm(mouth - eyes)), 0.12 * breadth)
        return cls(
            right, left, right_hip, left_hip, neck, pelvis, down, across, axis, torso, breadth, eyes, mouth, face
        )

    def place(self, along: float | np.ndarray, sideways: float | np.ndarray) -> np.ndarray:
        """Point ``along`` torso lengths below the neck and ``sideways`` breadths to the person's left.

        The sideways direction is the line of the shoulders above the chest and turns to the right angle to
        the spine at the waist. Arrays of one shape give points of that shape (..., 2).
        """
        along, sideways = np.asarray(along, float)[..., None], np.asarray(sideways, float)[..., None]
        turn = np.clip((along - 0.1) / 0.6, 0, 1)
        direction = (1 - turn) * self.shoulder_axis + turn * self.across
        return self.neck + self.down * along * self.torso + direction * sideways * self.breadth

    def coordinates(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of :meth:`place` for every pixel of a picture: ``along`` and ``sideways``, float32 HW."""
        ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
        x, y = xs - self.neck[0], ys - self.neck[1]
        along = (x * self.down[0] + y * self.down[1]) / self.torso
        for _ in range(12):  # the sideways direction depends on along, mildly: a fixed-point iteration settles
            turn = np.clip((along - 0.1) / 0.6, 0, 1)
            dx = (1 - turn) * self.shoulder_axis[0] + turn * self.across[0]
            dy = (1 - turn) * self.shoulder_axis[1] + turn * self.across[1]
            determinant = self.down[0] * dy - self.down[1] * dx
            along = (x * dy - y * dx) / determinant / self.torso
        sideways = (self.down[0] * y - self.down[1] * x) / determinant / self.breadth
        return along.astype(np.float32), sideways.astype(np.float32)


def _eyes_and_mouth(pose: Pose, neck: np.ndarray, breadth: float) -> tuple[np.ndarray, np.ndarray]:
    if pose.landmarks is not None:
        return pose.landmarks[[2, 5], :2].mean(0).astype(float), pose.landmarks[[9, 10], :2].mean(0).astype(float)
    nose = pose.point("nose") if pose.confidence("nose") > 0 else neck - np.array([0, 0.75 * breadth])
    known = [pose.point(n) for n in ("right_eye", "left_eye") if pose.confidence(n) > 0]
    eyes = np.mean(known, axis=0) if known else nose - np.array([0, 0.13 * breadth])
    return eyes, nose + 0.7 * (nose - eyes)


def arm_chain(pose: Pose, frame: BodyFrame, side: str) -> list[np.ndarray]:
    """Joints of one arm: shoulder, elbow, wrist, fingertips - as far as they are known."""
    index = {"left": (11, 13, 15, 19), "right": (12, 14, 16, 20)}[side]
    if pose.landmarks is not None:
        chain = [pose.landmarks[i, :2].astype(np.float64) for i in index]
        chain[3] = chain[2] + 1.9 * (chain[3] - chain[2])  # the landmark is the knuckle, fingers go on
        return chain
    chain = [pose.point(f"{side}_shoulder")]
    for joint in ("elbow", "wrist"):
        if pose.confidence(f"{side}_{joint}") <= 0:
            return chain
        chain.append(pose.point(f"{side}_{joint}"))
    chain.append(
        chain[2] + 0.45 * (chain[2] - chain[1]) * frame.breadth / max(np.linalg.norm(chain[2] - chain[1]), 1e-6)
    )
    return chain


def leg_chain(pose: Pose, side: str) -> list[np.ndarray]:
    """Joints of one leg: hip, knee, ankle, toes - as far as they are known."""
    index = {"left": (23, 25, 27, 31), "right": (24, 26, 28, 32)}[side]
    if pose.landmarks is not None:
        return [pose.landmarks[i, :2].astype(np.float64) for i in index]
    chain = []
    for joint in ("hip", "knee", "ankle"):
        if pose.confidence(f"{side}_{joint}") <= 0:
            return chain
        chain.append(pose.point(f"{side}_{joint}"))
    return chain


def capsule(start: np.ndarray, end: np.ndarray, radius: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Distance of every pixel to a limb, as a share of the limb's radius there (1 = on its surface).

    Args:
        start, end: (2,) x, y of the joints.
        radius: at the start and at the end, in pixels.
        size: (height, width).
    """
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    axis = (end - start).astype(np.float32)
    length2 = max(float(axis @ axis), 1e-6)
    t = np.clip(((xs - start[0]) * axis[0] + (ys - start[1]) * axis[1]) / length2, 0, 1)
    distance = np.hypot(xs - start[0] - t * axis[0], ys - start[1] - t * axis[1])
    return distance / (radius[0] + (radius[1] - radius[0]) * t)


def limb_coordinates(
    chain: list[np.ndarray], radii: tuple[float, ...], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where every pixel lies along and across a limb.

    Args:
        chain: joints, (2,) each, in pixels.
        radii: the limb's radius at each joint, in pixels.
        size: (height, width).

    Returns:
        Distance to the limb's axis in radii (1 = on its surface) and fraction of its length from the first
        to the last joint, both float32 HW.
    """
    lengths = [float(np.linalg.norm(b - a)) for a, b in zip(chain, chain[1:], strict=False)]
    total = max(sum(lengths), 1e-6)
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    best, fraction = np.full(size, 99.0, np.float32), np.zeros(size, np.float32)
    done = 0.0
    for k, length in enumerate(lengths):
        axis = (chain[k + 1] - chain[k]).astype(np.float32)
        t = np.clip(((xs - chain[k][0]) * axis[0] + (ys - chain[k][1]) * axis[1]) / max(length**2, 1e-6), 0, 1)
        across = np.hypot(xs - chain[k][0] - t * axis[0], ys - chain[k][1] - t * axis[1])
        across /= radii[k] + (radii[k + 1] - radii[k]) * t
        nearer = across < best
        best[nearer] = across[nearer]
        fraction[nearer] = ((done + t * length) / total)[nearer]
        done += length
    return best, fraction


def along_chain(chain: list[np.ndarray], fractions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and unit directions at fractions of a polyline's length; past its end it goes straight on."""
    path = np.stack(chain)
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    total = steps[-1]

    def at(f: np.ndarray) -> np.ndarray:
        inside = np.stack([np.interp(f * total, steps, path[:, i]) for i in range(2)], 1)
        end = (path[-1] - path[-2]) / max(np.linalg.norm(path[-1] - path[-2]), 1e-6)
        return inside + np.maximum(f - 1, 0)[:, None] * total * end

    ahead = at(fractions + 0.09) - at(fractions - 0.09)
    return at(fractions), ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)


def outward_normals(direction: np.ndarray, side: str) -> np.ndarray:
    """Normal of a limb that points away from the body when the limb hangs down."""
    normal = np.stack([-direction[..., 1], direction[..., 0]], -1)
    return normal if side == "right" else -normal


def leg_radii(body: Body) -> tuple[float, float, float]:
    """Radius of a leg at hip, knee and ankle in pixels."""
    return tuple(r * body.frame.breadth for r in LEG_RADIUS)


@dataclass(frozen=True)
class Body:
    """What the geometric warp knows of a person, in pixels of one photo.

    Attributes:
        frame: joints and proportions.
        pose: key points.
        right_edge, left_edge: half widths of the torso towards either side, in breadths, at ``ALONG``.
        shoulder_rise: height of the shoulder line above the joints in breadths, at ``SHOULDER_ASIDE``.
        waist: torso lengths below the neck where the lower garment begins; ``None`` when it is not seen.
        arms: ``right`` and ``left`` -> joints (shoulder, elbow, wrist as far as known, (2,) each) and the
            arm's radius at each, as seen.
    """

    frame: BodyFrame
    pose: Pose
    right_edge: np.ndarray
    left_edge: np.ndarray
    shoulder_rise: np.ndarray
    waist: float | None
    arms: dict[str, tuple[list[np.ndarray], tuple[float, ...]]]

    @classmethod
    def measure(cls, pose: Pose, parsing: np.ndarray) -> Body:
        """Measure a person.

        Args:
            pose: key points in pixels of the label map.
            parsing: uint8 HW CIHP-20 ids.
        """
        frame = BodyFrame.from_pose(pose)
        # The label map as the body sees it: one row per step along the torso, one column per step aside.
        aside = np.arange(-1.0, 1.0, 0.01)
        xs, ys = np.moveaxis(frame.place(*np.meshgrid(ALONG, aside, indexing="ij")), -1, 0)
        straight = cv2.remap(
            parsing, xs.astype(np.float32), ys.astype(np.float32), cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
        )
        clothes = (*labels.CATEGORIES["dresses"], labels.ID["torso-skin"])
        torso = np.isin(straight, clothes)
        for side in ("left", "right"):
            # A sleeve has the label of the torso it lies against: take it off where no bare arm is seen.
            arm = _arm_distance(pose, frame, side, xs, ys)
            bare = ((straight == labels.ID[f"{side}-arm"]) & (arm < 1.3)).sum(1) > 4
            torso &= ~((arm < 0.95) & (np.abs(aside) > 0.3)[None] & ~bare[:, None])
        edges = [_edge(torso[:, order], np.abs(aside[order])) for order in (aside < 0, aside >= 0)]
        rise = _shoulder_line(straight, aside, frame)
        lower = np.isin(straight, (labels.ID["pants"], labels.ID["skirt"]))[:, np.abs(aside) < 0.3].mean(1) > 0.5
        rows = np.flatnonzero(lower & (ALONG > 0.35))
        waist = float(ALONG[rows[0]]) if rows.size > 3 else None
        arms = {side: _measure_arm(pose, frame, parsing, side) for side in ("right", "left")}
        return cls(frame, pose, edges[0], edges[1], rise, waist, arms)

    def scaled(self, factor: float) -> Body:
        """The same body in a photo that was resized by ``factor``."""
        pose = self.pose.scaled(factor)
        arms = {
            side: ([joint * factor for joint in chain], tuple(radius * factor for radius in radii))
            for side, (chain, radii) in self.arms.items()
        }
        return replace(self, pose=pose, frame=BodyFrame.from_pose(pose), arms=arms)

    def half_width(self, along: float, side: str) -> float:
        """Half width of the torso in breadths."""
        return float(np.interp(along, ALONG, self.right_edge if side == "right" else self.left_edge))

    def at(self, along: float, aside: float, side: str) -> np.ndarray:
        """Point ``along`` torso lengths below the neck and ``aside`` breadths to one side of the middle."""
        return self.frame.place(along, -aside if side == "right" else aside)

    def shoulder_top(self, aside: float) -> float:
        """Torso lengths below the neck (so negative) of the top of the shoulder at ``aside`` breadths."""
        rise = float(np.interp(aside, SHOULDER_ASIDE, self.shoulder_rise))
        return -rise * self.frame.breadth / self.frame.torso


def _arm_distance(pose: Pose, frame: BodyFrame, side: str, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    chain = arm_chain(pose, frame, side)[:3]
    result = np.full(xs.shape, 99.0, np.float32)
    for k in range(len(chain) - 1):
        axis = chain[k + 1] - chain[k]
        t = np.clip(((xs - chain[k][0]) * axis[0] + (ys - chain[k][1]) * axis[1]) / max(axis @ axis, 1e-6), 0, 1)
        radius = frame.breadth * (ARM_RADIUS[k] + (ARM_RADIUS[k + 1] - ARM_RADIUS[k]) * t)
        distance = np.hypot(xs - chain[k][0] - t * axis[0], ys - chain[k][1] - t * axis[1])
        result = np.minimum(result, (distance / radius).astype(np.float32))
    return result


def _measure_arm(
    pose: Pose, frame: BodyFrame, parsing: np.ndarray, side: str
) -> tuple[list[np.ndarray], tuple[float, ...]]:
    """Joints and radii of an arm, moved to the middle and the breadth of the bare arm where one is seen."""
    chain = arm_chain(pose, frame, side)[:3]
    usual = np.array(ARM_RADIUS) * frame.breadth
    if len(chain) < 3:
        return chain, tuple(0.9 * usual[: len(chain)])
    fractions = np.linspace(0.3, 0.95, 14)
    points, directions = along_chain(chain, fractions)
    normals = outward_normals(directions, side)
    expected = np.interp(fractions, [0, 0.55, 1.0], usual)
    reach = np.linspace(-2.2, 2.2, 89)
    middles, ratios = [], []
    for point, normal, radius in zip(points, normals, expected, strict=True):
        xs, ys = np.round(point[:, None] + normal[:, None] * reach * radius).astype(int)
        ok = (xs >= 0) & (ys >= 0) & (xs < parsing.shape[1]) & (ys < parsing.shape[0])
        hit = np.zeros(reach.shape, bool)
        hit[ok] = parsing[ys[ok], xs[ok]] == labels.ID[f"{side}-arm"]
        middles.append(reach[hit].mean() * radius if hit.mean() > 0.12 else np.nan)
        ratios.append(hit.sum() * (reach[1] - reach[0]) / 2 if hit.mean() > 0.12 else np.nan)
    middles, ratios = np.array(middles), np.array(ratios)
    if np.isfinite(middles).sum() < 3:
        return chain, tuple(0.9 * usual)
    moved = [chain[0]]
    for joint, at in ((1, 0.55), (2, 0.95)):
        weight = np.where(np.isfinite(middles), np.exp(-(((fractions - at) / 0.2) ** 2)), 0) + 1e-9
        shift = float((np.nan_to_num(middles) * weight).sum() / weight.sum())
        normal = normals[int(np.abs(fractions - at).argmin())]
        moved.append(chain[joint] + np.clip(shift, -0.2 * frame.breadth, 0.2 * frame.breadth) * normal)
    scale = float(np.clip(np.nanmedian(ratios), 0.7, 1.35))
    return moved, tuple(scale * usual)


def _edge(torso: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """Half width of one side of the torso in every row, kept near the mean of adults and smoothed."""
    mean = np.interp(ALONG, _MEAN_ALONG, _MEAN_HALF_WIDTH)
    reach = np.where(torso, aside[None], 0).max(1)
    seen = torso.any(1) & (ALONG > 0.12)
    reach = np.where(seen, np.clip(reach, 0.78 * mean, 1.22 * mean), mean)
    ratio = np.convolve(np.pad(reach / mean, 6, mode="edge"), np.hanning(15)[1:-1] / np.hanning(15).sum(), "valid")
    return ratio * mean


def _shoulder_line(straight: np.ndarray, aside: np.ndarray, frame: BodyFrame) -> np.ndarray:
    """Measured height of the shoulders where hair does not hide it, the mean of adults elsewhere."""
    body = np.isin(straight, (5, 6, 7, 10, 14, 15))
    rise = _SHOULDER_RISE.copy()
    for i, u in enumerate(SHOULDER_ASIDE):
        if not 0.25 < u < 0.6:
            continue
        heights = []
        for columns in (np.abs(aside - u) < 0.03, np.abs(aside + u) < 0.03):
            for column in np.flatnonzero(columns):
                rows = np.flatnonzero(body[:, column])
                # Hair above a shoulder hides its edge; background above it shows it.
                if rows.size and rows[0] > 0 and straight[rows[0] - 1, column] == 0:
                    heights.append(-ALONG[rows[0]] * frame.torso / frame.breadth)
        if heights:
            rise[i] = np.clip(np.median(heights), rise[i] - 0.1, rise[i] + 0.1)
    return np.minimum.accumulate(rise)
