"""Mending a label map: one person, no holes, no specks, nothing beside the person mask.

Works on any map of CIHP-20 ids, a user's own too. With a pose it knows which person is meant and where hands,
feet and the head are: what lies there may be small and alone and is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .. import filters
from ..body import BodyFrame, arm_chain, leg_chain
from ..errors import NoPersonError
from ..labels import ID
from ..pose import Pose

# Smallest pieces that stay, as shares of the person's area.
_PIECE = 4e-3  # one of several pieces of a class
_ONLY = 1.5e-3  # the largest piece of a class
_SMALL = 2e-4  # of classes that are small by nature, and of what lies where the pose expects it
_HOLE = 1e-3  # holes up to this are closed where no mask tells what is person
_BAG = 4e-3  # unlabelled places of this size within the mask stay: a bag, which is no label
_FAR = 2e-2  # head parts away from the head, where some are at the head too

# Share of one piece of arm, leg or shoe below which it is not the other side's.
_OTHER = 0.2

_SMALL_CLASSES = tuple(ID[n] for n in ("hat", "glove", "sunglasses", "socks", "scarf", "left-shoe", "right-shoe"))
_AT_HANDS = tuple(ID[n] for n in ("glove", "left-arm", "right-arm"))
_AT_FEET = tuple(ID[n] for n in ("socks", "left-leg", "right-leg", "left-shoe", "right-shoe"))
_AT_HEAD = tuple(ID[n] for n in ("hat", "hair", "sunglasses", "face"))
_TOPS = (ID["upper-clothes"], ID["coat"])
_BOTTOMS = (ID["pants"], ID["skirt"])
# A dress above trousers is worn, half a dress is not: shares of both below which one is a part of the other.
_SOME_DRESS = 0.4
_SOME_TOP = 0.25  # share of a dress that a top above it must have at least
_BELOW = 0.9  # of a dress lies below as much of the top
_SOME_BOTTOM = 0.3

_PAIRS = tuple((ID[f"left-{name}"], ID[f"right-{name}"]) for name in ("arm", "leg", "shoe"))
_NEVER_LOST = (ID["hair"], ID["face"])  # their largest piece stays, however small


@dataclass(frozen=True)
class _Zones:
    """Where the pose expects hands, feet and the head; (H, W) bool each, nowhere without a pose."""

    hands: np.ndarray
    feet: np.ndarray
    head: np.ndarray

    @classmethod
    def of(cls, pose: Pose | None, size: tuple[int, int]) -> _Zones:
        hands, feet, head = (np.zeros(size, np.uint8) for _ in range(3))
        try:
            frame = None if pose is None else BodyFrame.from_pose(pose)
        except NoPersonError:
            frame = None
        if frame is not None:
            for side in ("left", "right"):
                arm, leg = arm_chain(pose, frame, side), leg_chain(pose, side)
                _stroke(hands, arm[2:], 0.16 * frame.breadth)
                _stroke(feet, leg[2:], 0.2 * frame.breadth)
            middle = (frame.eyes + frame.mouth) / 2
            _stroke(head, [middle, middle], 3.0 * frame.face)
        return cls(hands > 0, feet > 0, head > 0)


def clean_labels(parsing: np.ndarray, mask: np.ndarray | None = None, pose: Pose | None = None) -> np.ndarray:
    """Mend a label map.

    In this order: what lies outside the mask goes; of several people the pose's stays; a limb in one piece is of
    one side; a small part of a dress beside a skirt or trousers is theirs, or the top's, a larger one that begins below
    a top is theirs too, and a small part of these below a dress is the dress's; islands take the label they touch most;
    holes close, except one as large as a bag, which CIHP calls background.

    Args:
        parsing: (H, W) uint8 CIHP-20 ids.
        mask: (H, W) uint8 person mask, 255 = person. Without one, the labelled pixels are the person.
        pose: in pixels of the map. Without one every person stays, and small hands have no protection.

    Returns:
        (H, W) uint8, a new map.

    Raises:
        ValueError: map and mask differ in size.
    """
    if mask is not None and mask.shape != parsing.shape:
        raise ValueError(f"mask is {mask.shape}, label map is {parsing.shape}; they must have the same size")
    inside = parsing > 0 if mask is None else mask >= 128
    inside = own_person(inside, pose)
    result = np.where(inside, parsing, 0).astype(np.uint8)
    area = int(np.count_nonzero(result))
    if not area:
        return result
    zones = _Zones.of(pose, parsing.shape)
    result = _without_islands(_of_whole_garments(_of_one_side(result)), area, zones)
    return _without_holes(result, inside if mask is not None else None, area)


def own_person(inside: np.ndarray, pose: Pose | None) -> np.ndarray:
    """Of the pieces of a mask, those of the person whom the pose belongs to.

    The piece that holds most of the sure key points is the body; a smaller one that holds a key point too, as a
    foot beyond a bar does, belongs to it.

    Args:
        inside: (H, W) bool.
        pose: in pixels; without one, or where no piece holds a point, everything stays.
    """
    if pose is None:
        return inside
    points = pose.keypoints[pose.keypoints[:, 2] > 0.3, :2]
    points = np.round(points).astype(int)
    height, width = inside.shape
    points = points[((points >= 0) & (points < (width, height))).all(1)]
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    hits = np.bincount(pieces[points[:, 1], points[:, 0]], minlength=count)
    hits[0] = 0
    if count <= 2 or not hits.any():
        return inside
    body = int(hits.argmax())
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = (hits > 0) & (areas < 0.3 * areas[body])
    keep[body] = True
    return keep[pieces]


def _of_one_side(result: np.ndarray) -> np.ndarray:
    """Give a limb that hangs together to one side, where the other has but a little of it, as a fingertip."""
    for left, right in _PAIRS:
        both = (result == left) | (result == right)
        count, pieces = cv2.connectedComponents(both.astype(np.uint8), connectivity=4)
        sizes = np.bincount(pieces[both], minlength=count)
        share = np.bincount(pieces[result == left], minlength=count) / np.maximum(sizes, 1)
        if count > 1:
            result[both & ((share > 1 - _OTHER) & (share < 1))[pieces]] = left
            result[both & ((share < _OTHER) & (share > 0))[pieces]] = right
    return result


def _of_whole_garments(result: np.ndarray) -> np.ndarray:
    """Decide between a dress and a bottom where one of both is but a part of what the two cover."""
    areas = np.bincount(result.ravel(), minlength=len(ID))
    dress, bottoms = areas[ID["dress"]], areas[list(_BOTTOMS)]
    both = dress + bottoms.sum()
    if not dress or not bottoms.any():
        return result
    bottom = _BOTTOMS[int(bottoms.argmax())]
    if bottoms.sum() >= _SOME_BOTTOM * both and _begins_below_a_top(result):
        result[result == ID["dress"]] = bottom
    elif dress < _SOME_DRESS * both:
        count, pieces = cv2.connectedComponents((result == ID["dress"]).astype(np.uint8), connectivity=4)
        for piece in range(1, count):
            here = pieces == piece
            ring = (cv2.dilate(here.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & ~here
            around = np.bincount(result[ring], minlength=len(ID))
            top = max(_TOPS, key=lambda label: around[label])
            result[here] = bottom if around[list(_BOTTOMS)].sum() >= around[list(_TOPS)].sum() else top
    elif bottoms.sum() < _SOME_BOTTOM * both:
        result[np.isin(result, _BOTTOMS)] = ID["dress"]
    return result


def _begins_below_a_top(result: np.ndarray) -> bool:
    """Whether what is called a dress lies below a top, as no dress does."""
    top, dress = (np.nonzero(result == ID[name])[0] for name in ("upper-clothes", "dress"))
    if len(top) <= _SOME_TOP * len(dress):
        return False
    return bool((dress > np.quantile(top, _BELOW)).mean() > _BELOW)


def _without_islands(result: np.ndarray, area: int, zones: _Zones) -> np.ndarray:
    """Give islands to the neighbour they touch most; what touches nothing goes. Smallest first."""
    islands = []
    for label in np.unique(result[result > 0]):
        islands += _islands(result, int(label), area, zones)
    for _, label, x, y, piece in sorted(islands, key=lambda island: island[0]):
        # Grown by one pixel all around; pieces of the same class meanwhile given away do not matter.
        height, width = piece.shape
        top, left = max(y - 1, 0), max(x - 1, 0)
        window = result[top : y + height + 1, left : x + width + 1]
        own = np.zeros(window.shape, np.uint8)
        own[y - top : y - top + height, x - left : x - left + width] = piece
        ring = (cv2.dilate(own, np.ones((3, 3), np.uint8)) > own) & (window != label)
        around = np.bincount(window[ring], minlength=1)
        around[0] = 0  # only what touches no label becomes none
        window[own > 0] = around.argmax()
    return result


def _islands(result: np.ndarray, label: int, area: int, zones: _Zones) -> list[tuple[int, int, int, int, np.ndarray]]:
    """Pieces of a class that do not stay: (pixels, label, x, y, mask of the piece within its box)."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((result == label).astype(np.uint8), connectivity=4)
    if count == 2 and stats[1, cv2.CC_STAT_AREA] >= _PIECE * area:
        return []
    zone = None
    for labels, place in ((_AT_HANDS, zones.hands), (_AT_FEET, zones.feet), (_AT_HEAD, zones.head)):
        if label in labels:
            zone = place
            break
    at_place = np.zeros(count, bool)
    if zone is not None:
        at_place = np.bincount(pieces[zone], minlength=count) > 0
    at_place[0] = False
    sizes = stats[:, cv2.CC_STAT_AREA].copy()
    sizes[0] = 0
    largest = int((sizes + at_place * int(sizes.max())).argmax())  # one at its place before one elsewhere
    found = []
    for piece in range(1, count):
        least = _ONLY if piece == largest else _PIECE
        if at_place[piece] or (label in _SMALL_CLASSES and piece == largest):
            least = _SMALL
        elif label in _AT_HEAD and at_place.any():
            least = _FAR
        if piece == largest and label in _NEVER_LOST:
            continue
        if sizes[piece] < least * area:
            x, y, width, height = stats[piece, :4]
            box = pieces[y : y + height, x : x + width] == piece
            found.append((int(sizes[piece]), label, int(x), int(y), box))
    return found


def _without_holes(result: np.ndarray, inside: np.ndarray | None, area: int) -> np.ndarray:
    """Label unlabelled places of the person as their nearest neighbours are."""
    if inside is None:
        empty = filters.fill_holes(result > 0) & (result == 0)
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(empty.astype(np.uint8), connectivity=4)
        empty &= (stats[:, cv2.CC_STAT_AREA] < _HOLE * area)[pieces]
    else:
        empty = inside & (result == 0)
        empty &= ~_large(empty, area)
    return nearest_labels(result, empty)


def _large(empty: np.ndarray, area: int) -> np.ndarray:
    """What is left of a mask when rims and small pieces are taken off."""
    radius = max(1.0, 0.012 * np.sqrt(area))
    core = filters.grow(empty, -radius)
    if not core.any():
        return core
    core = filters.grow(core, radius + 1) & empty
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(core.astype(np.uint8), connectivity=4)
    return core & (stats[:, cv2.CC_STAT_AREA] >= _BAG * area)[pieces]


def nearest_labels(parsing: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """A new map in which the pixels of a bool mask ``empty`` have the label of the nearest labelled one."""
    if not empty.any() or not parsing.any():
        return parsing.copy()
    _, places = cv2.distanceTransformWithLabels(
        (parsing == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(int(places.max()) + 1, np.uint8)
    label_of[places[parsing > 0]] = parsing[parsing > 0]
    return np.where(empty, label_of[places], parsing)


def _stroke(canvas: np.ndarray, points: list[np.ndarray], radius: float) -> None:
    """Draw a line with round ends along joints."""
    for start, end in zip(points[:-1], points[1:], strict=True):
        ends = [tuple(int(v) for v in np.round(point)) for point in (start, end)]
        cv2.line(canvas, *ends, 1, max(1, round(2 * radius)))
        for end in ends:
            cv2.circle(canvas, end, max(1, round(radius)), 1, -1)
