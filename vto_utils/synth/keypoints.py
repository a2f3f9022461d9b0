"""COCO-18 key points of the body, and which of them a picture shows."""

from __future__ import annotations

from functools import cache

import numpy as np

from .body import Body, Posed, Shape

#: The joint that each of the points 2..13 is; left and right are the person's own.
_JOINTS = (
    "upperarm01.R", "lowerarm01.R", "wrist.R", "upperarm01.L", "lowerarm01.L", "wrist.L",
    "upperleg01.R", "lowerleg01.R", "foot.R", "upperleg01.L", "lowerleg01.L", "foot.L",
)  # fmt: skip

#: Pose estimators put the shoulder nearer to its top than the joint's centre is: 0.06 of the torso's length (4.5 dm),
#: the median over 60 pictures with MediaPipe. Elbows, wrists and hips showed no such offset (at most 0.02).
_SHOULDER_RISE = 0.26  # dm along the chest
#: They mark the ear's opening, nearer to the middle of the head (a share of the rim's distance) and lower than the rim.
_EAR_OPENING, _EAR_DROP = 0.75, 0.1


@cache
def crown(body: Body) -> int:
    """The vertex on top of the head."""
    return int(body.vertices(Shape())[:, 1].argmax())


@cache
def _face(body: Body) -> tuple[np.ndarray, ...]:
    """Vertices whose means are the nose, right eye, left eye, right ear and left ear, found on the average head."""
    rest = body.vertices(Shape())
    strongest = body.weight_bones[np.arange(body.count), body.weights.argmax(1)]
    skin = np.unique(body.faces)
    head = skin[strongest[skin] == body.bone["head"]]
    tip = head[rest[head, 2].argmax()]  # nothing on the head is further to the front than the nose
    nose = head[np.linalg.norm(rest[head] - rest[tip], axis=1) < 0.06]
    balls = np.unique(body.eyes)
    eyes, ears = [], []
    for side in (-1, 1):
        ball = balls[rest[balls, 0] * side > 0]
        eyes.append(ball[rest[ball, 2] > rest[ball, 2].max() - 0.06])  # the front of it: the pupil
        rim = rest[head][(rest[head, 0] * side).argmax()]
        opening = rim * (_EAR_OPENING, 1, 1) - (0, _EAR_DROP, 0)
        ears.append(head[np.argsort(np.linalg.norm(rest[head] - opening, axis=1))[:8]])
    return nose, *eyes, *ears


def keypoints(body: Body, vertices: np.ndarray, posed: Posed) -> np.ndarray:
    """The 18 COCO points in OpenPose order, where a pose estimator sees them.

    Args:
        body: the mesh.
        vertices: (V, 3) in the pose.
        posed: of `Body.pose`.

    Returns:
        (18, 3) float32, dm. The neck is the middle of the shoulders.
    """
    points = np.empty((18, 3), np.float64)
    nose, *face = _face(body)
    points[0] = vertices[nose].mean(0)
    points[2:14] = posed.joints[[body.bone[name] for name in _JOINTS]]
    points[[2, 5]] += _SHOULDER_RISE * posed.rotation[body.bone["spine01"]][:, 1]
    points[1] = (points[2] + points[5]) / 2
    points[14:] = [vertices[part].mean(0) for part in face]
    return points.astype(np.float32)


#: How far below the surface the points 2..13 and the face's are when the suit does not tell, dm: elbows, wrists and
#: ankles lie within limbs that point forwards in the rest pose.
_RADII = (0.0, 0.55, 0.35, 0.0, 0.55, 0.35, 0.0, 0.0, 0.55, 0.0, 0.0, 0.55)
_FACE_RADIUS = 0.3


def radii(body: Body, nodes: np.ndarray) -> np.ndarray:
    """How far below the surface each key point lies: (18,) float32, dm, for `visibility`.

    Args:
        body, nodes: of `Body.nodes`.
    """
    suit = nodes[np.unique(body.cloth)]
    joints = nodes[[body.count + body.bone[name] for name in _JOINTS]]
    found = np.full(18, _FACE_RADIUS)
    for k, point in enumerate([(joints[0] + joints[3]) / 2, *joints]):
        fixed = _RADII[k - 1] if k else 0
        near = np.abs(suit[:, :2] - point[:2]).max(1) < 0.3
        found[k + 1] = fixed or suit[near, 2].max() - point[2]
    return found.astype(np.float32)


def visibility(points: np.ndarray, zbuffer: np.ndarray, radii: np.ndarray, margin: float = 0.25) -> np.ndarray:
    """Which key points a picture shows.

    Args:
        points: (N, 3), x and y in pixels and depth in dm, as `cameras.Camera.project` gives them.
        zbuffer: (H, W) float32, depth of what is seen in dm; 0 or infinity where nothing is.
        radii: (N,) dm between a point and the surface in front of it.
        margin: dm of clothes and chance.

    Returns:
        (N,) bool: inside the picture, and nothing but its own limb in front of it.
    """
    height, width = zbuffer.shape
    x, y = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    depth = zbuffer[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    empty = (depth <= 0) | ~np.isfinite(depth)
    return inside & (empty | (depth > points[:, 2] - radii - margin))
