"""What the networks are fed: the only place where prepared pictures, labels and key points become their tensors.

Training and try-on call the same functions, on batches of one or of many, so that the networks never meet at work
what they did not see in training. Prepared data are those of :mod:`vto_utils.datasets.sample`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..labels import CATEGORIES, ID, LEGS
from .body_frames import BODY_FRAMES, body_frames
from .closeup import CloseUp
from .layers import check_channels, resize

if TYPE_CHECKING:
    from .gmm import GMMOutput

PARSE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "other": ("background", "glove"),  # a hand in a glove is kept as it is
    "hair": ("hair", "hat"),
    "face": ("face", "sunglasses"),
    "torso-skin": ("torso-skin", "scarf"),
    "left-arm": ("left-arm",),
    "right-arm": ("right-arm",),
    "upper": ("upper-clothes", "coat"),
    "dress": ("dress",),
    "lower": ("pants", "skirt"),
    "left-leg": ("left-leg",),
    "right-leg": ("right-leg",),
    "shoes": ("left-shoe", "right-shoe", "socks"),
}
"""CIHP-20 names by channel of :func:`parse_one_hot`: what synthetic people and parsed photos have in common."""

LAYOUT = ("other", "garment", "left-arm", "right-arm", "torso-skin", "legs", "lower-garment")
"""Classes of the target layout, in channel order. "garment" is the one tried on; "lower-garment" what is worn
below a top; "other" the background and all that a try-on keeps. Left and right are the person's own."""

KEYPOINTS = 18  # COCO-18
PERSON_CHANNELS = len(PARSE_GROUPS) + 2 + KEYPOINTS + len(BODY_FRAMES) + len(CATEGORIES)
GARMENT_CHANNELS = 4

_MASK = len(PARSE_GROUPS)  # the agnostic mask's channel in the person input
_LONGER = 0.2  # a new top may be longer than the agnostic mask, by this share of the mask's height
_CONFIDENT = 0.1  # key points below count as unknown
_HIDDEN_SHAPE = 16  # the body's outline is known to this many pixels only: clothes must not show in it
_MOSTLY = 0.25  # share of all clothes that makes a dress one
_UPPER, _LOWER = (tuple(CATEGORIES[name]) for name in ("upper_body", "lower_body"))
_DRESS = ID["dress"]
_OPEN = (ID["background"], ID["left-leg"], ID["right-leg"])
_BELOW = (ID["pants"], ID["skirt"])  # open as well once a hem is seen to end over them
_HEM = 0.08  # of the garment's height: so near to its lower end a flow reads the hem


# What goes into the GMM -----------------------------------------------------------------------------


def person_layout(parse: Tensor, agnostic_mask: Tensor, keypoints: Tensor, category: Tensor) -> Tensor:
    """The person without the garment, and what is wanted: the person input of the GMM.

    In channel order: the :data:`PARSE_GROUPS` outside the agnostic mask (12), that mask (1), the coarse shape of the
    body (1), heatmaps of the key points (18), places along torso and limbs (10), the category in constant planes (3).

    Args:
        parse: [B, H, W] CIHP-20 ids, any integer type.
        agnostic_mask: [B, 1, H, W] float, 1 = may be repainted.
        keypoints: [B, 18, 3] x, y in pixels of this size and confidence; the first pixel's middle is (0.5, 0.5).
        category: [B] int64, place in ``labels.CATEGORIES``: upper_body, lower_body, dresses.

    Returns:
        [B, 45, H, W] float32; the places along the body in [-1, 1], all else in [0, 1].

    Raises:
        ValueError: wrong shapes.
    """
    check_channels(agnostic_mask, 1, "person_layout", "agnostic_mask")
    batch, _, height, width = agnostic_mask.shape
    if list(parse.shape) != [batch, height, width] or parse.is_floating_point():
        raise ValueError(f"parse must hold integers, {[batch, height, width]}, got {parse.dtype} {list(parse.shape)}.")
    if list(category.shape) != [batch]:
        raise ValueError(f"category must be [{batch}], got {list(category.shape)}.")
    mask = agnostic_mask.float()
    wanted = F.one_hot(category.long(), len(CATEGORIES)).float()[:, :, None, None].expand(-1, -1, height, width)
    parts = parse_one_hot(parse) * (1 - mask)
    points, places = heatmaps(keypoints, (height, width)), body_frames(keypoints, (height, width))
    return torch.cat([parts, mask, body_shape(parse), points, places, wanted], dim=1)


def parse_one_hot(parse: Tensor) -> Tensor:
    """[B, H, W] CIHP-20 ids -> [B, 12, H, W] float32, the :data:`PARSE_GROUPS` one-hot; unknown ids are "other"."""
    table = torch.zeros(256, dtype=torch.long, device=parse.device)
    for number, names in enumerate(PARSE_GROUPS.values()):
        table[[ID[name] for name in names]] = number
    return F.one_hot(table[parse.long()], len(PARSE_GROUPS)).movedim(-1, 1).float()


def body_shape(parse: Tensor) -> Tensor:
    """[B, H, W] CIHP-20 ids -> [B, 1, H, W] float32: the person's outline, averaged over 16x16 pixels and enlarged.

    So blurred it tells the build but not the cut of what is worn (CP-VTON, Wang et al., ECCV 2018).
    """
    person = (parse > 0).float()[:, None]
    cells = [-(-n // _HIDDEN_SHAPE) for n in person.shape[-2:]]
    return resize(F.adaptive_avg_pool2d(person, cells), tuple(person.shape[-2:]))


def heatmaps(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """A Gaussian around each key point, its sigma a 48th of the height; all 0 for unknown points.

    Args:
        keypoints: [B, 18, 3] x, y in pixels, confidence; known above 0.1. May lie outside the picture.
        size: (height, width).

    Returns:
        [B, 18, height, width] float32 in [0, 1].

    Raises:
        ValueError: wrong shape.
    """
    if keypoints.ndim != 3 or list(keypoints.shape[1:]) != [KEYPOINTS, 3]:
        raise ValueError(f"keypoints must be [B, {KEYPOINTS}, 3], got {list(keypoints.shape)}.")
    height, width = size
    x, y, confidence = keypoints.float()[..., None].unbind(2)  # (B, 18, 1) each
    across = torch.arange(width, device=keypoints.device) + 0.5 - x  # (B, 18, W)
    down = torch.arange(height, device=keypoints.device) + 0.5 - y  # (B, 18, H)
    scale = -0.5 * (48 / height) ** 2
    rows, columns = torch.exp(scale * down.square()), torch.exp(scale * across.square())
    return rows[..., :, None] * columns[..., None, :] * (confidence > _CONFIDENT)[..., None]


def garment_input(cloth: Tensor, cloth_mask: Tensor) -> Tensor:
    """The garment input of the GMM: [B, 3, H, W] RGB in [-1, 1] on white, [B, 1, H, W] mask -> [B, 4, H, W].

    Raises:
        ValueError: wrong channels.
    """
    check_channels(cloth, 3, "garment_input", "cloth")
    check_channels(cloth_mask, 1, "garment_input", "cloth_mask")
    return torch.cat([cloth, cloth_mask.to(cloth.dtype)], dim=1)


def person_closeup(person: Tensor) -> CloseUp:
    """The window of :func:`person_layout`'s pictures in which something may change.

    It holds the agnostic mask, and under a top also what a longer top would cover.
    """
    mask = person[:, _MASK : _MASK + 1]
    top = person[:, -len(CATEGORIES), 0, 0]  # the first category's plane
    return CloseUp.around(mask, below=_LONGER * top)


# What goes into the TryOnSynthesizer ----------------------------------------------------------------


def agnostic_rgb(person: Tensor, agnostic_mask: Tensor) -> Tensor:
    """The photo [B, 3, H, W] in [-1, 1], grey (0) where the mask [B, 1, H, W] lets it be repainted."""
    return person * (1 - agnostic_mask.to(person.dtype))


def garment_seen(found: GMMOutput) -> Tensor:
    """Where the garment will be seen, [B, 1, H, W] float32 in [0, 1]: the warped mask times the layout's chance of it.

    The layout leaves out what lies in front of the garment, and it keeps the rest of the person uncovered.
    """
    return found.warped[:, 3:].float() * found.layout.float().softmax(1)[:, 1:2]


def synthesizer_inputs(person: Tensor, agnostic_mask: Tensor, keypoints: Tensor, found: GMMOutput) -> dict[str, Tensor]:
    """The arguments of ``TryOnSynthesizer.synthesize``, by name.

    Args:
        person: [B, 3, H, W] RGB in [-1, 1].
        agnostic_mask: [B, 1, H, W], 1 = may be repainted.
        keypoints: [B, 18, 3] x, y in pixels, confidence.
        found: what the GMM found at this size.
    """
    return {
        "person": agnostic_rgb(person, agnostic_mask),
        "warped": found.warped[:, :3],
        "mask": garment_seen(found).to(found.warped.dtype),
        "layout": found.layout.float().softmax(1).to(found.warped.dtype),
        "pose": heatmaps(keypoints, tuple(person.shape[-2:])),
    }


# What the layout is trained to be -------------------------------------------------------------------


def repaintable(agnostic_mask: Tensor, parse: Tensor, category: Tensor) -> Tensor:
    """Where anything is to be decided.

    The agnostic mask grown by a 64th of the height; and under a top also what is worn or bare below it: the agnostic
    mask ends at the trousers, but the new top may be longer than the old one. Trousers stay known to the networks, so
    that a tucked-in top can stay tucked in.

    Args:
        agnostic_mask: [B, 1, H, W], 1 = may be repainted.
        parse: [B, H, W] CIHP-20 ids of the photo, any integer type.
        category: [B] int64, place in ``labels.CATEGORIES``.

    Returns:
        [B, 1, H, W] float32, 0 or 1.
    """
    reach = round(agnostic_mask.shape[-2] / 64)
    near = F.max_pool2d(agnostic_mask.float(), 2 * reach + 1, stride=1, padding=reach) > 0.5
    below = _among(parse, _LOWER + LEGS) & (category == 0).view(-1, 1, 1)
    return (near | below[:, None]).float()


def layout_target(target_parse: Tensor, category: Tensor, where: Tensor) -> Tensor:
    """The layout to be learned from labels of the person wearing the garment.

    Outside of ``where`` all is "other": nothing is to be decided there, and saying so keeps the
    garment inside of what may be painted.

    Which labels are the garment follows ``datasets.sample.visible_garment``: a dress where a top is missing, a top and
    trousers where a dress is.

    Args:
        target_parse: [B, H, W] CIHP-20 ids, any integer type.
        category: [B] int64, place in ``labels.CATEGORIES``.
        where: [B, 1, H, W], what is :func:`repaintable`.

    Returns:
        [B, H, W] int64, numbers of :data:`LAYOUT`.
    """
    parse = target_parse.long()
    result = torch.zeros_like(parse)
    for number, name in enumerate(LAYOUT):
        if name in ("left-arm", "right-arm", "torso-skin"):
            result[parse == ID[name]] = number
    result[_among(parse, (ID["left-leg"], ID["right-leg"]))] = LAYOUT.index("legs")

    category = category.view(-1, 1, 1)
    upper, lower, dress = _among(parse, _UPPER), _among(parse, _LOWER), parse == _DRESS
    has_top = upper.flatten(1).any(1).view(-1, 1, 1)
    whole = upper | lower | dress
    is_dress = (dress.flatten(1).sum(1) > _MOSTLY * whole.flatten(1).sum(1)).view(-1, 1, 1)
    garments = (upper.where(has_top, dress), lower, dress.where(is_dress, whole))
    garment = sum(mask & (category == number) for number, mask in enumerate(garments)) > 0
    result[(lower | dress) & (category == 0)] = LAYOUT.index("lower-garment")
    result[garment] = LAYOUT.index("garment")

    return result.where(where[:, 0] > 0, 0)


def open_places(target_parse: Tensor, hangs: Tensor | None = None) -> Tensor:
    """[B, 1, H, W] float, 1 where a garment would be seen if it were there: on the background and on legs.

    An arm, hair or a waistband can lie before the garment, and the neck before its back; these cannot.

    Args:
        target_parse: [B, H, W] CIHP-20 ids of the person in the garment, any integer type.
        hangs: [B] bool, True where the garment is known to hang over what is worn below, which is open then too.
    """
    found = _among(target_parse.long(), _OPEN)
    if hangs is not None:
        found = found | (hangs[:, None, None] & _among(target_parse.long(), _BELOW))
    return found[:, None].float()


def hem_seen(flow: Tensor, flow_valid: Tensor, cloth_mask: Tensor) -> Tensor:
    """[B] bool, whether a true flow reads the garment to its lower end, so that nothing of it is tucked in.

    Args:
        flow: [B, 2, H, W] normalised (x, y), align_corners=False.
        flow_valid: [B, 1, H, W], 1 where it is known.
        cloth_mask: [B, 1, H', W'] the garment in its photo.
    """
    rows = (cloth_mask[:, 0] > 0.5).any(dim=2)  # (B, H')
    number = torch.arange(rows.shape[1], device=rows.device)
    top, bottom = torch.where(rows, number, len(number)).amin(1), torch.where(rows, number + 1, 0).amax(1)
    read = flow[:, 1].where(flow_valid[:, 0] > 0, -2).flatten(1).amax(1)  # (B,)
    reached = (read + 1) / 2 * rows.shape[1]
    return bottom - reached < _HEM * (bottom - top)


def _among(parse: Tensor, ids: tuple[int, ...]) -> Tensor:
    return torch.isin(parse, torch.tensor(ids, device=parse.device))
