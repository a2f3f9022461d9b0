"""Cutting a garment out of its photo: which pixels are garment, to the pixel.

Three sources are brought together. The background remover and the garment network know what a garment is, but
are coarse; the colours of the photo are exact, but know nothing. A plain background is subtracted; elsewhere
GrabCut moves the coarse edge to the one in the photo. The network then gives back what has the background's own
colour - a white stripe on white - and takes away what is no garment, such as a hanger.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import filters

_SURE = 0.75  # chance of the network that three quarters of a missing part must have, so that it is given back
_AGREED = 0.8  # overlap with the network's mask from which a subtracted background is believed
_ALIKE = 12  # of 255: colours that differ by less can be the same
_FAR = 0.02  # of the longer side: what lies further from what the network calls garment is none


def cut_out(photo: np.ndarray, coarse: np.ndarray, network: np.ndarray | None = None) -> np.ndarray:
    """Cut a garment out.

    Args:
        photo: uint8 HWC RGB.
        coarse: float32 HW in [0, 1], the background remover's.
        network: float32 HW in [0, 1], the garment network's; None: do without.

    Returns:
        float32 HW in [0, 1]: how much of each pixel is garment.
    """
    plain = _subtract_background(photo, coarse)
    if network is None:
        return _sharpen(photo, coarse) if plain is None else plain
    if plain is None or _overlap(plain > 0.5, network > 0.5) < _AGREED:
        coarse = _fuse(coarse, network)
        plain = _subtract_background(photo, coarse, _AGREED)
    if plain is None:
        return _without_strangers(_sharpen(photo, coarse), network)
    return _give_back(photo, _without_strangers(plain, network), network)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def _fuse(coarse: np.ndarray, network: np.ndarray) -> np.ndarray:
    """One coarse mask out of two: the remover's, which is finer, where the network does not contradict it."""
    ours, theirs = network > 0.5, coarse > 0.5
    if _overlap(ours, theirs) < 0.7:
        return network
    return np.where(np.abs(network - 0.5) > 0.4, 0.3 * coarse + 0.7 * network, 0.5 * (coarse + network))


def _without_strangers(alpha: np.ndarray, network: np.ndarray) -> np.ndarray:
    """Drop what lies apart from everything that the network calls garment: hooks of hangers, shadows, other things."""
    side = max(alpha.shape)
    near = filters.grow(network > 0.35, _FAR * side)
    kept = alpha * near
    if (kept > 0.5).sum() < 0.5 * (alpha > 0.5).sum():
        return alpha  # the network saw something else: do not trust it
    if np.array_equal(kept, alpha):
        return alpha
    pieces = _main_pieces(kept > 0.5)
    return kept * filters.grow(pieces, 2)


def _give_back(photo: np.ndarray, alpha: np.ndarray, network: np.ndarray) -> np.ndarray:
    """Add parts in the background's own colour that the network is sure of.

    Between two dark stripes the edge of a white one is where closing puts it, a straight line; the network, whose
    pixels are large, only says that there is cloth. Where nothing can be closed, as at a white hem, its own edge
    is the best there is. A rim that is thinner than its pixels says nothing.
    """
    side = max(alpha.shape)
    found = alpha > 0.5
    if not _has_colour_of_ground(photo, found, network):
        return alpha
    between = _closed(found, 0.06 * side) & (network > 0.5) & ~found
    thin = 0.008 * side
    beyond = filters.grow(filters.grow((network > 0.6) & ~found, -thin), 1.3 * thin) & (network > 0.55) & ~found
    lost = between | beyond
    if not lost.any():
        return alpha
    added = np.zeros_like(found)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(lost.astype(np.uint8), connectivity=4)
    least = 1e-3 * found.sum()  # less is the corner of an armpit
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] > least:
            inside = pieces == piece
            # In the gap between a sleeve and the body the network wavers; in a stripe only near its ends.
            if np.percentile(network[inside], 25) > _SURE:
                added |= inside
    if not added.any():
        return alpha
    joined = _closed(found | added, 2.0)
    soft = cv2.GaussianBlur(joined.astype(np.float32), (0, 0), max(0.8, side / 1100))
    patch = np.where(joined & ~found, 1.0, np.clip((soft - 0.5) * 2, 0, 1) * joined)
    return np.maximum(alpha, patch).astype(np.float32)


def _has_colour_of_ground(photo: np.ndarray, found: np.ndarray, network: np.ndarray) -> bool:
    """Whether the garment, as far as it was found, shows the ground's own colour.

    A blue shirt has lost nothing on a white ground: what is white between its sleeve and its body is the ground.
    """
    ground = ~found & (network < 0.2)
    inside = filters.grow(found, -0.006 * max(found.shape))
    if not ground.any() or not inside.any():
        return False
    colour = np.median(photo[ground][:: max(1, int(ground.sum()) // 20000)].astype(np.float32), 0)
    cloth = photo[inside][:: max(1, int(inside.sum()) // 20000)].astype(np.float32)
    return bool((np.abs(cloth - colour).max(1) < _ALIKE).mean() > 0.02)


def _closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Morphological closing by a disc; large ones at a lower resolution."""
    factor = max(1, int(radius // 12))
    if factor == 1:
        padded = np.pad(mask, round(radius) + 1)
        inner = slice(round(radius) + 1, -round(radius) - 1)
        return filters.grow(filters.grow(padded, radius), -radius)[inner, inner]
    height, width = mask.shape
    size = (-(-width // factor), -(-height // factor))
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    small = _closed(small, radius / factor)
    return mask | (cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)


def _subtract_background(photo: np.ndarray, coarse: np.ndarray, agreement: float = 0.6) -> np.ndarray | None:
    """Cut-out from a plain background, or ``None`` when the background is not plain enough.

    Also ``None`` when the cut-out has less than ``agreement`` (intersection over union) with the coarse mask.
    """
    height, width = photo.shape[:2]
    margin = max(3, round(0.02 * min(height, width)))
    border = np.zeros((height, width), bool)
    border[:margin], border[-margin:], border[:, :margin], border[:, -margin:] = True, True, True, True
    # A garment may touch the border: the background is what most of the border looks like.
    ys, xs = np.nonzero(border)
    step = max(1, len(ys) // 6000)
    ys, xs = ys[::step], xs[::step]
    colours = photo[ys, xs].astype(np.float64)
    near = np.abs(colours - np.median(colours, 0)).max(1) < 28
    if near.mean() < 0.6:
        return None
    plane = np.stack([np.ones_like(xs), xs / width - 0.5, ys / height - 0.5], 1).astype(np.float64)
    fit, *_ = np.linalg.lstsq(plane[near], colours[near], rcond=None)
    noise = np.abs(colours[near] - plane[near] @ fit).max(1)
    if np.percentile(noise, 90) > 10:
        return None
    row, column = (np.arange(height) / height - 0.5)[:, None, None], (np.arange(width) / width - 0.5)[None, :, None]
    background = fit[0] + fit[1] * column + fit[2] * row
    difference = np.abs(photo - background).max(2).astype(np.float32)
    darker = (background - photo).mean(2).astype(np.float32)
    threshold = float(np.clip(3.0 * np.percentile(noise, 90) + 2, 5, 24))
    for level in (threshold, 0.5 * threshold):
        mask = _foreground(photo, difference, darker, coarse, level)
        if not mask.any() or mask.mean() > 0.97:
            continue
        # White on white leaks. What the background remover is sure of and is not quite the background's
        # colour must not be lost. (It is also sure of gaps between sleeve and body, which are.)
        sure = coarse > 0.9
        lost = sure & ~mask
        quite = float(np.percentile(noise, 90))
        leak = lost.sum() > 0.01 * sure.sum() and np.median(difference[lost]) > quite + 1
        if leak and level == threshold:
            continue
        if leak:
            reach = max(2.0, max(height, width) / 200)
            found = lost & (cv2.blur(difference, (5, 5)) > quite + 0.5)
            mask = filters.fill_holes(filters.grow(filters.grow(mask | found, reach), -reach))
        overlap = (mask & (coarse > 0.5)).sum() / max((mask | (coarse > 0.5)).sum(), 1)
        if not sure.any() or overlap > agreement:
            # Half a pixel inside: the outermost pixels are mixed with the background.
            alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.8, max(height, width) / 1100))
            return np.clip((alpha - 0.5) * 2.0, 0, 1)
    return None


def _foreground(
    photo: np.ndarray, difference: np.ndarray, darker: np.ndarray, coarse: np.ndarray, threshold: float
) -> np.ndarray:
    """Bool HW: what differs from the background by more than ``threshold``, closed, without its shadow."""
    height, width = difference.shape
    soft = cv2.GaussianBlur(difference, (0, 0), max(height, width) / 1400)
    candidate = soft > threshold
    reach = max(1.0, max(height, width) / 600)
    closed = filters.grow(filters.grow(candidate, reach), -reach)
    # A stripe in the background's own colour may run across a whole sleeve. Closing only upwards and downwards
    # joins what it parts and leaves the upright gap between a sleeve and the body open.
    upright = np.ones((max(3, round(0.035 * height)), 1), np.uint8)
    closed |= cv2.morphologyEx(closed.astype(np.uint8), cv2.MORPH_CLOSE, upright) > 0
    filled = filters.fill_holes(closed)
    holes = filled & ~closed
    # A hole is a real gap (between sleeve and body, inside a strap) if it is as plain as the background.
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=4)
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] > 2e-4 * filled.sum():
            inside = pieces == piece
            if np.median(difference[inside]) < 0.5 * threshold and coarse[inside].mean() < 0.6:
                filled &= ~inside
    # The shadow beside a garment differs from the background too, but fades into it: growing the sure parts
    # towards each other along the weakest edges (watershed) stops at the garment's own, strong edge.
    sure = filled & ((soft > max(4 * threshold, 36)) | filters.grow(coarse > 0.8, -0.004 * max(height, width)))
    markers = np.zeros((height, width), np.int32)
    markers[~filters.grow(filled, 1)] = 1
    markers[filters.grow(sure, -1)] = 2
    if (markers == 2).sum() > 0.2 * filled.sum():
        cv2.watershed(np.ascontiguousarray(photo[..., ::-1]), markers)
        inner = filters.fill_holes((markers == 2) | ((markers == -1) & filled)) & filled
        # A white stripe between dark ones is cloth; a shadow in a narrow gap is darker than the background.
        stripe = 0.015 * max(height, width)
        inner |= filters.grow(filters.grow(inner, stripe), -stripe) & filled & (darker < 10)
        filled = inner if inner.sum() > 0.6 * filled.sum() else filled
    return _main_pieces(filled)


def _main_pieces(mask: np.ndarray) -> np.ndarray:
    """The largest piece and others of a tenth of its size or more."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return np.zeros_like(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.isin(pieces, 1 + np.flatnonzero(areas >= 0.1 * areas.max()))


def _sharpen(photo: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Move the soft edge of the background remover to the edge in the photo: GrabCut, then a guided filter."""
    if (coarse > 0.5).sum() < 50:
        return np.zeros_like(coarse)
    height, width = coarse.shape
    scale = min(1.0, 448 / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    guess = cv2.resize(coarse, size, interpolation=cv2.INTER_AREA)
    trimap = np.where(guess > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    band = 0.02 * max(size)
    trimap[filters.grow(guess > 0.9, -band)] = cv2.GC_FGD
    trimap[~filters.grow(guess > 0.1, band)] = cv2.GC_BGD
    if (trimap == cv2.GC_BGD).any() and (trimap == cv2.GC_FGD).any():
        cv2.setRNGSeed(0)
        cv2.grabCut(small, trimap, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
        guess = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    guess = _main_pieces(guess > 0.5).astype(np.float32)
    large = cv2.resize(guess, (width, height), interpolation=cv2.INTER_LINEAR)
    follow = filters.GuidedFilter(photo.astype(np.float32) / 255, max(2, round(max(height, width) / 250)), 1e-4)
    return np.clip((follow(large) - 0.3) * 1.6, 0, 1).astype(np.float32)
