"""What the labels of Clothing Co-Parsing become: CIHP-20 ids, its one skin split by the pose."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..body import BodyFrame, arm_chain, leg_chain
from ..errors import NoPersonError
from ..labels import ID
from ..parsing.sides import ARM_RADII, LEG_RADII, limb_distance
from ..pose import Pose
from .examples import BAG, UNKNOWN

_SKIN = 100  # split by the pose
_NEAREST = 101  # too small to be a class: takes the label of what lies around it
_VEST = 102  # a coat over another top, a top otherwise
_LEG = 103  # left or right, by the pose
_SHOE = 104
_SUIT = 105  # jacket and trousers, where the photo has no other trousers

#: What each of CCP's classes becomes.
CCP_TO_CIHP = {
    "null": ID["background"],
    "accessories": UNKNOWN,  # phones, papers, clutches, hair bands: no one thing
    "bag": BAG,
    "belt": _NEAREST,
    "blazer": ID["coat"],
    "blouse": ID["upper-clothes"],
    "bodysuit": ID["upper-clothes"],
    "boots": _SHOE,
    "bra": ID["upper-clothes"],
    "bracelet": _NEAREST,
    "cape": ID["coat"],
    "cardigan": ID["coat"],
    "clogs": _SHOE,
    "coat": ID["coat"],
    "dress": ID["dress"],
    "earrings": _NEAREST,
    "flats": _SHOE,
    "glasses": ID["sunglasses"],  # CIHP has one class for both
    "gloves": ID["glove"],
    "hair": ID["hair"],
    "hat": ID["hat"],
    "heels": _SHOE,
    "hoodie": ID["upper-clothes"],
    "intimate": UNKNOWN,  # no photo has it
    "jacket": ID["coat"],
    "jeans": ID["pants"],
    "jumper": ID["upper-clothes"],  # a pullover
    "leggings": ID["pants"],
    "loafers": _SHOE,
    "necklace": _NEAREST,
    "panties": ID["pants"],
    "pants": ID["pants"],
    "pumps": _SHOE,
    "purse": BAG,
    "ring": _NEAREST,
    "romper": ID["dress"],  # one piece from the chest to the legs, as a dress is
    "sandals": _SHOE,
    "scarf": ID["scarf"],
    "shirt": ID["upper-clothes"],
    "shoes": _SHOE,
    "shorts": ID["pants"],
    "skin": _SKIN,
    "skirt": ID["skirt"],
    "sneakers": _SHOE,
    "socks": ID["socks"],
    "stockings": _LEG,  # a leg to the eye where sheer, and no garment that is tried on
    "suit": _SUIT,  # of some photos the jacket, of others the trousers too
    "sunglasses": ID["sunglasses"],
    "sweater": ID["upper-clothes"],
    "sweatshirt": ID["upper-clothes"],
    "swimwear": UNKNOWN,  # no photo has it
    "t-shirt": ID["upper-clothes"],
    "tie": ID["upper-clothes"],
    "tights": _LEG,
    "top": ID["upper-clothes"],
    "vest": _VEST,
    "wallet": BAG,
    "watch": _NEAREST,
    "wedges": _SHOE,
}


def map_ccp(ids: np.ndarray, pose: Pose | None, classes: Sequence[str] = tuple(CCP_TO_CIHP)) -> np.ndarray:
    """CIHP-20 ids, BAG and UNKNOWN of CCP's ids.

    Args:
        ids: (H, W) uint8, indices into ``classes``.
        pose: in pixels; without one, or without shoulders, skin, stockings and shoes are UNKNOWN.
        classes: CCP's class names in the order of their ids.
    """
    table = np.full(256, UNKNOWN, np.uint8)
    table[: len(classes)] = [CCP_TO_CIHP[name] for name in classes]
    mapped = table[ids]
    tops = np.isin(mapped, (ID["upper-clothes"], ID["dress"])).sum()
    vest = mapped == _VEST
    mapped[vest] = ID["coat"] if tops > 0.1 * vest.sum() else ID["upper-clothes"]
    small = mapped == _NEAREST
    if small.any():
        sources = ((mapped == UNKNOWN) | small | (mapped == 0)).astype(np.uint8)
        if not sources.all():
            _, nearest = cv2.distanceTransformWithLabels(sources, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
            by_number = np.zeros(nearest.max() + 1, np.uint8)
            by_number[nearest[sources == 0]] = mapped[sources == 0]
            mapped[small] = by_number[nearest[small]]
        else:
            mapped[small] = UNKNOWN
    try:
        return _split(mapped, None if pose is None else BodyFrame.from_pose(pose), pose)
    except NoPersonError:
        return _split(mapped, None, None)


def _split(mapped: np.ndarray, frame: BodyFrame | None, pose: Pose | None) -> np.ndarray:
    """Skin by body part; legs and shoes by side."""
    suit = mapped == _SUIT
    mapped = np.where(suit, ID["coat"], mapped).astype(np.uint8)
    if frame is None or pose is None:
        return np.where(np.isin(mapped, (_SKIN, _LEG, _SHOE)), UNKNOWN, mapped).astype(np.uint8)
    size, unit = mapped.shape, frame.breadth
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    along, aside = frame.coordinates(size)
    up = (frame.eyes - frame.mouth) / frame.face
    above = ((xs - frame.eyes[0]) * up[0] + (ys - frame.eyes[1]) * up[1]) / frame.face  # eye-mouth distances
    beside = ((xs - frame.eyes[0]) * -up[1] + (ys - frame.eyes[1]) * up[0]) / frame.face

    forearm, arms, legs = np.float32(99), [], []
    arm_radii, leg_radii = [r * unit for r in ARM_RADII], [r * unit for r in LEG_RADII]
    for side in ("left", "right"):
        chain = arm_chain(pose, frame, side)
        lower = limb_distance(chain[1:], arm_radii[1:], size)
        forearm = np.minimum(forearm, lower)
        arms.append(np.minimum(lower, limb_distance(chain[:2], arm_radii, size)))
        legs.append(limb_distance(leg_chain(pose, side), leg_radii, size))
    arm, leg = np.minimum(*arms), np.minimum(*legs)

    head = np.hypot(beside / 1.5, (above + 0.3) / 1.7)
    is_face = (above > -1.6) & (head < 1.6) & ~((forearm < 1.0) & (head > 0.85))
    is_leg = ~is_face & (along > 0.95) & (leg < 2.0) & (leg < forearm)
    core = (along < 1.1) & (np.abs(aside) < np.where(along < 0.1, 0.42, 0.38)) & ~((forearm < 1.1) & (along > 0.25))
    is_torso = ~is_face & ~is_leg & core
    is_arm = ~is_face & ~is_leg & ~is_torso & (arm < 2.2)
    is_torso |= ~is_face & ~is_leg & ~is_arm & (np.abs(aside) < 0.55) & (along > -0.5) & (along < 1.1)

    result = mapped.copy()
    if np.isin(mapped, (ID["pants"], ID["skirt"], ID["dress"])).sum() < 0.1 * suit.sum():
        result[suit & (along > 1.2) & (forearm > 1.2)] = ID["pants"]
    skin = mapped == _SKIN
    result[skin] = UNKNOWN
    result[skin & is_face] = ID["face"]
    result[skin & is_torso] = ID["torso-skin"]
    left_arm, left_leg = arms[0] <= arms[1], legs[0] <= legs[1]
    result[skin & is_arm] = np.where(left_arm, ID["left-arm"], ID["right-arm"])[skin & is_arm]
    for here, name in (((skin & is_leg) | (mapped == _LEG), "leg"), (mapped == _SHOE, "shoe")):
        result[here] = np.where(left_leg, ID[f"left-{name}"], ID[f"right-{name}"])[here]
    return result
