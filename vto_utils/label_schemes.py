"""The id schemes of human parsing, and converters between them and the CIHP-20 ids used here.

==========  =====================================================================================================
``cihp``    CIHP-20 as in VITON-HD (:data:`vto_utils.labels.NAMES`); 10 is the skin of torso and neck
``lip``     LIP-20, as CP-VTON reads it: the ids of CIHP but for 10, which is jumpsuits; CP-VTON+ adds 20, the neck
``atr``     ATR-18, as SCHP writes it and DressCode's ``label_maps`` hold it (``dresscode`` is the same); 11 is the
            head, 16 a bag; there are no coat, socks, glove and torso skin
``acgpn``   the 14 ids of ACGPN and PF-AFN on VITON; 12 is the face, 2 and 3 are not used
==========  =====================================================================================================

Which file follows CIHP and which LIP cannot be told from its ids: only 10 differs, and both jumpsuits and bare
skin may cover a torso.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np

from .errors import InputError
from .labels import NAMES

_Joins = Mapping[int, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class Scheme:
    """One way to number the parts of a person.

    Attributes:
        title: its name in sentences.
        sign: what shows it to somebody who looks at a map.
        to_cihp: its ids, each with the CIHP id that comes nearest.
        from_cihp: the CIHP ids, each with the nearest of its own.
        joins: own ids without a counterpart, before ``to_cihp`` is applied: such a pixel takes the id of the
            nearest pixel of a group, the first group of which the map holds any; without one it is background.
        joins_back: the same for CIHP ids, before ``from_cihp``.
    """

    title: str
    sign: str
    to_cihp: Mapping[int, int]
    from_cihp: Mapping[int, int]
    joins: _Joins = field(default_factory=dict)
    joins_back: _Joins = field(default_factory=dict)


_SAME = {number: number for number in range(len(NAMES))}
_ARMS, _FEET = (14, 15), (18, 19, 16, 17)
_NO_GLOVES_NOR_SOCKS = {3: (_ARMS,), 8: (_FEET,)}
_ATR = Scheme(
    "ATR-18 (DressCode's ids)",
    "11 is the head",
    {0: 0, 1: 1, 2: 2, 3: 4, 4: 5, 5: 12, 6: 9, 7: 6, 9: 18, 10: 19, 11: 13, 12: 16, 13: 17, 14: 14, 15: 15, 16: 0,
     17: 11},
    {0: 0, 1: 1, 2: 2, 4: 3, 5: 4, 6: 7, 7: 4, 9: 6, 10: 11, 11: 17, 12: 5, 13: 11, 14: 14, 15: 15, 16: 12, 17: 13,
     18: 9, 19: 10},
    {8: ((5, 6, 7), (4,))},  # a belt belongs to what it holds
    _NO_GLOVES_NOR_SOCKS,
)  # fmt: skip
_ACGPN = Scheme(
    "ACGPN's 14 ids",
    "12 is the face",
    {0: 0, 1: 2, 4: 5, 5: 18, 6: 19, 7: 5, 8: 9, 9: 16, 10: 17, 11: 14, 12: 13, 13: 15},
    {0: 0, 1: 1, 2: 1, 4: 12, 5: 4, 6: 4, 7: 4, 9: 8, 10: 0, 11: 0, 12: 8, 13: 12, 14: 11, 15: 13, 16: 9, 17: 10,
     18: 5, 19: 6},
    joins_back=_NO_GLOVES_NOR_SOCKS,
)  # fmt: skip

#: Every scheme by name; ``dresscode`` is another name of ``atr``.
SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "cihp": Scheme("CIHP-20", "13 is the face", _SAME, _SAME),
        "lip": Scheme("LIP-20 with a neck", "20 is the neck", {**_SAME, 10: 6, 20: 10}, {**_SAME, 10: 20}),
        "atr": _ATR,
        "dresscode": _ATR,
        "acgpn": _ACGPN,
    }
)

# How far down each part of an upright person lies, by CIHP id. Parts less than 1 apart are not compared: a scarf
# may lie above the chin, and where sleeves are long the arms are hands beside the trousers.
_HEIGHT = {1: 0, 2: 0, 4: 0, 13: 0, 11: 0.6, 10: 0.6, 5: 1.5, 6: 1.5, 7: 1.5, 14: 2, 15: 2, 9: 2.5, 12: 2.5,
           16: 3.5, 17: 3.5, 8: 4, 18: 4.5, 19: 4.5}  # fmt: skip
_CLOTHES = (5, 6, 7, 9, 12)


def to_cihp(labels: np.ndarray, scheme: str) -> np.ndarray:
    """A label map of another scheme as CIHP-20 ids.

    What cannot be known stays unknown. ``atr`` has one label for head and neck, which becomes face, and none for
    the skin of the torso; its bag becomes background, its belt part of the skirt, trousers or dress it lies next
    to (of the top where there are none). ``lip``'s jumpsuits become dress, CP-VTON+'s neck torso skin.
    ``acgpn``'s noise becomes upper-clothes, as its own code has it; all its bottoms are pants, all its tops
    upper-clothes.

    Args:
        labels: (H, W), any integer type.
        scheme: a name in :data:`SCHEMES`.

    Returns:
        (H, W) uint8, new.

    Raises:
        InputError: unknown scheme, or an id the scheme does not have.
    """
    found = find_scheme(scheme)
    return _convert(labels, found.to_cihp, found.joins, found.title)


def from_cihp(labels: np.ndarray, scheme: str) -> np.ndarray:
    """A label map of CIHP-20 ids in another scheme, for programs that read that one.

    Several ids become one. ``atr``: coat becomes upper-clothes, torso skin and face become head. ``acgpn``: hat
    becomes hair, sunglasses face, dress and coat upper-clothes, skirt pants; torso skin and scarf become
    background, as VITON's own maps have the neck. In both, gloves become the nearer arm, socks the nearest
    shoe or leg. ``lip``: torso skin becomes CP-VTON+'s 20, for LIP itself has no id for it.

    Args:
        labels: (H, W) CIHP-20 ids, any integer type.
        scheme: a name in :data:`SCHEMES`.

    Returns:
        (H, W) uint8, new.

    Raises:
        InputError: unknown scheme, or an id above 19.
    """
    found = find_scheme(scheme)
    return _convert(labels, found.from_cihp, found.joins_back, SCHEMES["cihp"].title)


def find_scheme(name: str) -> Scheme:
    """The scheme of that name.

    Raises:
        InputError: there is none.
    """
    if name not in SCHEMES:
        raise InputError(f"The label scheme '{name}' is not known: use one of {', '.join(SCHEMES)}.")
    return SCHEMES[name]


def guess_scheme(labels: np.ndarray) -> str | None:
    """The scheme a label map most likely follows, from its ids and how high in the picture they lie.

    Only LIP as CP-VTON+ has it holds 20, and only CIHP and LIP hold 18 and 19. Else each scheme is asked how many
    pairs of parts would lie in the order of an upright person's (face above trousers above shoes ...).

    Args:
        labels: (H, W) uint8 ids.

    Returns:
        ``lip`` when a neck (20) is there, ``cihp`` (which may be LIP: they cannot be told apart), ``atr``,
        ``acgpn``, or None when it cannot be told: few parts, no head, a person lying down.
    """
    counts = np.bincount(labels.reshape(-1), minlength=256)
    if counts[20] and not counts[21:].any():
        return "lip"
    rows = np.arange(labels.shape[0])
    ids = [int(n) for n in np.flatnonzero(counts) if n and counts[n] >= 0.003 * counts[1:].sum()]
    place = {number: float((labels == number).sum(1) @ rows / counts[number]) for number in ids}
    held = set(np.flatnonzero(counts).tolist())
    scores = {}
    for name in ("cihp", "atr", "acgpn"):
        scheme = SCHEMES[name]
        if held <= {*scheme.to_cihp, *scheme.joins}:
            scores[name] = _order(place, scheme.to_cihp)
    if not scores:
        return None
    best = max(scores, key=lambda name: scores[name])
    others = [score for name, score in scores.items() if name != best]
    return best if scores[best] >= 0.85 and all(score <= scores[best] - 0.25 for score in others) else None


def _order(place: dict[int, float], to_cihp: Mapping[int, int]) -> float:
    """Share of the pairs of parts that lie in the order of an upright body, 0 where it says nothing.

    It says nothing with few pairs, without a face, and with a face below clothes.
    """
    parts = [(to_cihp.get(number, 0), row) for number, row in place.items()]
    faces = [row for part, row in parts if part == 13]
    if not faces or any(row <= max(faces) for part, row in parts if part in _CLOTHES):
        return 0.0
    parts = [(_HEIGHT[part], row) for part, row in parts if part in _HEIGHT]
    pairs = [a[1] < b[1] for a in parts for b in parts if b[0] - a[0] >= 1]
    return sum(pairs) / len(pairs) if len(pairs) >= 4 else 0.0


def _convert(labels: np.ndarray, table: Mapping[int, int], joins: _Joins, title: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        raise InputError(
            f"Expected a label map of whole numbers [H, W], got {labels.dtype} of shape {list(labels.shape)}: "
            "give one id per pixel."
        )
    held = [int(number) for number in np.unique(labels)]
    unknown = [number for number in held if number not in table and number not in joins]
    if unknown:
        numbers = ", ".join(map(str, unknown[:5]))
        raise InputError(f"The label map holds {numbers}, which {title} does not have: name the scheme it follows.")
    lookup = np.zeros(256, np.uint8)
    lookup[list(table)] = list(table.values())
    labels = labels.astype(np.uint8)
    joined = labels.copy()
    for number, groups in joins.items():
        if number in held:
            takers = next((present for group in groups if (present := [n for n in group if n in held])), [])
            where = labels == number
            joined[where] = _nearest(labels, takers)[where] if takers else 0
    return lookup[joined]


def _nearest(labels: np.ndarray, ids: list[int]) -> np.ndarray:
    """For every pixel the one of ``ids`` that is nearest to it; the first one where two are equally near."""
    far = [cv2.distanceTransform((labels != number).astype(np.uint8), cv2.DIST_L2, 3) for number in ids]
    return np.asarray(ids, np.uint8)[np.argmin(far, axis=0)]
