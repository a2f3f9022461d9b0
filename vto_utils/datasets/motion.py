"""Moving what an item shows: mirrored, shifted, turned, scaled, resized, and the flow moved along with it.

Positions are counted from the outer corner of the first pixel. A flow lives on the person's pixels and names
places in the garment picture: moving the person moves where a flow value stands, moving the garment changes
the value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..labels import ID, NAMES
from ..pose import KEYPOINT_NAMES
from .sample import Sample

_JUMP = 0.06  # of neighbouring flow values, half a picture being 1: beyond it two parts of the garment meet
_UNDERARM = 1.4  # below a top's upper end, in halves of its breadth
_LOWER_PART = (0.35, 0.95)  # of a top's height: where its trunk is told from its sleeves


def _other_side(name: str) -> str:
    return name.replace("left", "*").replace("right", "left").replace("*", "right")


_MIRRORED_LABELS = np.arange(256, dtype=np.uint8)
_MIRRORED_LABELS[: len(NAMES)] = [ID[_other_side(name)] for name in NAMES]
_MIRRORED_POINTS = [KEYPOINT_NAMES.index(_other_side(name)) for name in KEYPOINT_NAMES]
#: What lives on the person's pixels, and how it is read between them.
_PERSON_PICTURES = ("person", "target")
_PERSON_LABELS = ("parse", "target_parse", "target_garment", "agnostic_mask")


def flip_person(sample: Sample) -> Sample:
    """Mirror the person: pictures, labels, key points; left becomes right. The garment stays as it is.

    A flow keeps its values, which name places in the garment picture, and is read from the other side. Alone
    this shows a mirrored print on the person: for training, flip the garment too.
    """
    changed = {}
    for name in (*_PERSON_PICTURES, *_PERSON_LABELS, "flow", "flow_valid"):
        array = getattr(sample, name)
        if array is not None:
            array = np.ascontiguousarray(array[:, ::-1])
            changed[name] = _MIRRORED_LABELS[array] if name in ("parse", "target_parse") else array
    points = sample.keypoints[_MIRRORED_POINTS]
    known = (points[:, 2] > 0) | sample.places_known
    points[:, 0] = np.where(known, sample.size[1] - points[:, 0], points[:, 0])
    return replace(sample, keypoints=points, **changed)


def flip_garment(sample: Sample) -> Sample:
    """Mirror the garment picture; a flow's values are mirrored, its place on the person is not."""
    cloth, mask = (np.ascontiguousarray(array[:, ::-1]) for array in (sample.cloth, sample.cloth_mask))
    flow = None if sample.flow is None else sample.flow * np.float32([-1, 1])
    return replace(sample, cloth=cloth, cloth_mask=mask, flow=flow)


def affine(size: tuple[int, int], shift: tuple[float, float], scale: float, degrees: float) -> np.ndarray:
    """(2, 3) float64 matrix that turns and scales a picture about its middle, then shifts it.

    Args:
        size: (height, width) in pixels.
        shift: (x, y) in pixels.
        scale: above 1 magnifies.
        degrees: counter-clockwise to the viewer.
    """
    matrix = cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), degrees, scale)
    matrix[:, 2] += shift
    return matrix


def move_person(sample: Sample, matrix: np.ndarray) -> Sample:
    """Move the person within the picture; what comes in from outside repeats the picture's edge.

    Args:
        matrix: (2, 3) from old to new positions, in pixels.
    """
    target = sample.size[::-1]
    inner = _for_indices(matrix)

    def warp(array: np.ndarray, flags: int, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
        return cv2.warpAffine(array, inner, target, flags=flags, borderMode=border)

    changed = {}
    for name in _PERSON_PICTURES:
        if getattr(sample, name) is not None:
            changed[name] = warp(getattr(sample, name), cv2.INTER_LINEAR)
    for name in _PERSON_LABELS:
        array = getattr(sample, name)
        if array is not None:
            changed[name] = warp(array.astype(np.uint8), cv2.INTER_NEAREST).astype(array.dtype)
    points = sample.keypoints.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    outside = (points[:, :2] < 0).any(1) | (points[:, 0] >= target[0]) | (points[:, 1] >= target[1])
    # Hips just out of the picture are given a low confidence by some files; loaders build on them.
    points[outside, 2] = np.where(sample.keypoints[outside, 2] > 0.1, 0, sample.keypoints[outside, 2])
    if sample.flow is not None:
        changed["flow"], changed["flow_valid"] = move_flow(
            sample.flow, sample.flow_valid, lambda array, flags: warp(array, flags, cv2.BORDER_CONSTANT)
        )
    return replace(sample, keypoints=points, **changed)


def move_garment(sample: Sample, matrix: np.ndarray) -> Sample:
    """Move the garment within its picture, on white; a flow's values go with it.

    Args:
        matrix: (2, 3) from old to new positions, in pixels.
    """
    size, inner = sample.size, _for_indices(matrix)
    cloth = cv2.warpAffine(sample.cloth, inner, size[::-1], flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    mask = cv2.warpAffine(sample.cloth_mask, inner, size[::-1], flags=cv2.INTER_LINEAR)
    changed = {"cloth": cloth, "cloth_mask": mask}
    if sample.flow is not None:
        flow = place_flow(sample.flow, matrix, size, size)
        valid = sample.flow_valid & (np.abs(flow) <= 1).all(-1)
        changed |= {"flow": np.where(valid[..., None], flow, 0).astype(np.float32), "flow_valid": valid}
    return replace(sample, **changed)


def round_garment(
    sample: Sample, angle: float, breadth: float = 1.0, sleeves: float = 1.0, yoke: float = 1.0
) -> Sample:
    """Show the garment as if it were on a doll: its sides turn away, and more of them the slimmer the doll.

    A flat lay shows half of a garment's girth, a doll of the same girth shows only its breadth: what lies at an
    angle t from the middle of a cylinder is seen at sin(t). Of a doll that is slimmer than the garment, to which it
    is pinned at the back, less than half of the girth is seen. Prints in the middle keep their breadth.

    Args:
        angle: in radians, how far round the doll the edges of the flat garment go, above 0; what is farther than
            pi / 2 is hidden.
        breadth: of the garment, times this before.
        sleeves: of what is beside the trunk, times this.
        yoke: height of what is above the underarms, times this: hanging sleeves move the place where they part from
            the trunk, and armholes are cut high or low.
    """
    size, (height, width) = sample.size, sample.cloth_mask.shape
    trunk = _trunk(sample.cloth_mask > 127)
    if trunk is None:
        return sample
    top, centre, half = trunk
    depth = _UNDERARM * half
    radius = breadth * half / angle
    seen, edge = min(1.0, np.pi / 2 / angle) * half, radius * np.sin(min(angle, np.pi / 2))

    def rounded(x: np.ndarray) -> np.ndarray:
        inside = np.clip(x - centre, -seen, seen)
        beyond = (x - centre) - np.clip(x - centre, -half, half)
        return centre + radius * np.sin(inside * breadth / radius) + beyond * sleeves

    def lifted(y: np.ndarray) -> np.ndarray:
        return top + np.minimum(y - top, depth) * yoke + np.maximum(y - top - depth, 0)

    place = np.arange(width) + 0.5 - centre
    inside = np.clip(place, -edge, edge)
    side = np.where(np.abs(place) > edge, np.sign(place) * (half - seen), 0)
    source = centre + np.arcsin(inside / radius) * radius / breadth + side + (place - inside) / sleeves
    below = np.arange(height) + 0.5 - top
    row = top + np.minimum(below / yoke, depth) + np.maximum(below - depth * yoke, 0)
    map_x = np.repeat((source - 0.5)[None].astype(np.float32), height, axis=0)
    map_y = np.repeat((row - 0.5)[:, None].astype(np.float32), width, axis=1)
    cloth = cv2.remap(sample.cloth, map_x, map_y, cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    changed = {"cloth": cloth, "cloth_mask": cv2.remap(sample.cloth_mask, map_x, map_y, cv2.INTER_LINEAR)}
    if sample.flow is not None:
        x, y = ((sample.flow[..., n] + 1) * size[1 - n] / 2 for n in range(2))
        hidden = (np.abs(x - centre) > seen) & (np.abs(x - centre) < half)
        valid = sample.flow_valid & ~hidden
        flow = np.stack([rounded(x) * 2 / size[1] - 1, lifted(y) * 2 / size[0] - 1], -1)
        changed |= {"flow": np.where(valid[..., None], flow, 0).astype(np.float32), "flow_valid": valid}
    return replace(sample, **changed)


def _trunk(mask: np.ndarray) -> tuple[int, float, float] | None:
    """First row, middle and half-breadth of a top or dress without its sleeves, in pixels; None where there is none."""
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return None
    low, high = (int(rows[0] + share * (len(rows) - 1)) for share in _LOWER_PART)
    columns = np.flatnonzero(mask[low : high + 1].any(0))
    middle = int((columns[0] + columns[-1]) / 2) if len(columns) else 0
    runs = []
    for row in mask[low : high + 1]:
        if row[middle]:  # sleeves hang beside it, with a gap in some rows at least
            left, right = np.flatnonzero(~row[:middle]), np.flatnonzero(~row[middle:])
            runs.append((left[-1] + 1 if len(left) else 0, middle + right[0] if len(right) else len(row)))
    if not runs:
        return None
    runs.sort(key=lambda run: run[1] - run[0])
    start, end = runs[len(runs) // 10]
    return int(rows[0]), (start + end) / 2, max(1.0, (end - start) / 2)


def place_flow(flow: np.ndarray, matrix: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """Flow values (H, W, 2) for a garment picture that was moved by ``matrix`` from size ``old`` to ``new``."""
    to_pixels, to_units = np.eye(3), np.eye(3)
    to_pixels[[0, 1], [0, 1]] = to_pixels[:2, 2] = np.divide(old[::-1], 2)
    to_units[[0, 1], [0, 1]], to_units[:2, 2] = np.divide(2, new[::-1]), -1
    whole = to_units @ np.vstack([matrix, [0, 0, 1]]) @ to_pixels
    return cv2.transform(np.ascontiguousarray(flow), whole[:2])


def move_flow(flow: np.ndarray, valid: np.ndarray, warp) -> tuple[np.ndarray, np.ndarray]:
    """Read a flow between its pixels.

    Only valid values are mixed, and none across the line where two parts of the garment meet: there and where
    the nearest value is not valid, the result is not valid either.

    Args:
        flow: (H, W, 2) float32, 0 where not valid.
        valid: (H, W) bool.
        warp: brings an array to its new place, given OpenCV's way of interpolation.

    Returns:
        flow (H', W', 2) float32 and valid (H', W') bool.
    """
    weight = warp(valid.astype(np.float32), cv2.INTER_LINEAR)
    sound = (warp(valid.astype(np.uint8), cv2.INTER_NEAREST) > 0) & (weight > 0.24)
    planes = []
    for plane in (flow[..., 0], flow[..., 1]):  # files hold x and y apart: then this copies nothing
        plane = np.ascontiguousarray(plane)
        mixed = warp(plane, cv2.INTER_LINEAR) / np.maximum(weight, 1e-6)
        sound &= np.abs(mixed - warp(plane, cv2.INTER_NEAREST)) < _JUMP
        planes.append(mixed)
    return np.where(sound[..., None], np.stack(planes, -1), 0).astype(np.float32), sound


def _for_indices(matrix: np.ndarray) -> np.ndarray:
    """The matrix for OpenCV, where the middle of the first pixel is (0, 0)."""
    inner = np.array(matrix, np.float64)
    inner[:, 2] += inner[:, :2] @ [0.5, 0.5] - 0.5
    return inner


@dataclass(frozen=True)
class Fit:
    """How a picture of one size is brought to another: undistorted, centred, with bars where the shape differs.

    Shapes that differ by up to 2 % count as one shape.

    Attributes:
        old, new: (height, width) in pixels.
    """

    old: tuple[int, int]
    new: tuple[int, int]

    @property
    def inner(self) -> tuple[int, int]:
        """(height, width) of the picture between the bars."""
        y, x = self.new[0] / self.old[0], self.new[1] / self.old[1]
        if abs(y / x - 1) < 0.02:
            return self.new
        factor = min(y, x)
        return max(1, round(self.old[0] * factor)), max(1, round(self.old[1] * factor))

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column at which the picture begins."""
        return (self.new[0] - self.inner[0]) // 2, (self.new[1] - self.inner[1]) // 2

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) from old to new positions, in pixels."""
        (height, width), (top, left) = self.inner, self.corner
        return np.array([[width / self.old[1], 0, left], [0, height / self.old[0], top]])

    def picture(self, array: np.ndarray, fill: int = 255) -> np.ndarray:
        """(H, W, 3) or (H, W) uint8; ``array`` may also be a smaller edition of the whole picture."""
        shrinks = array.shape[0] > self.inner[0]
        return self._framed(self._resized(array, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), fill)

    def labels(self, array: np.ndarray) -> np.ndarray:
        """(H, W) uint8 ids or bool, from the nearest pixel; 0 in the bars."""
        values = self._resized(array.astype(np.uint8), cv2.INTER_NEAREST_EXACT)
        return self._framed(values, 0).astype(array.dtype)

    def points(self, keypoints: np.ndarray) -> np.ndarray:
        """(18, 3) float32 key points."""
        matrix, points = self.matrix, keypoints.astype(np.float32)
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return points

    def flow(self, flow: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 2) float32 and (H, W) bool, of a person and a garment that are both fitted this way."""
        if self.old == self.new:
            return flow, valid

        def warp(array: np.ndarray, flags: int) -> np.ndarray:
            exact = cv2.INTER_NEAREST_EXACT if flags == cv2.INTER_NEAREST else flags
            return self._framed(self._resized(array, exact), 0)

        flow, valid = move_flow(flow, valid, warp)
        if self.inner != self.new:
            flow = place_flow(flow, self.matrix, self.old, self.new) * valid[..., None]
        return flow, valid

    def _resized(self, array: np.ndarray, interpolation: int) -> np.ndarray:
        if array.shape[:2] == self.inner:
            return array
        return cv2.resize(array, self.inner[::-1], interpolation=interpolation)

    def _framed(self, array: np.ndarray, fill: int) -> np.ndarray:
        if self.inner == self.new:
            return array
        framed = np.full((*self.new, *array.shape[2:]), fill, array.dtype)
        (top, left), (height, width) = self.corner, self.inner
        framed[top : top + height, left : left + width] = array
        return framed
