"""One garment: its cut, its printed cloth and its folds, ready to be worn and to be laid flat."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import mesh, raster
from .body import Body, Posed, skin
from .cloth import FabricSpec, PanelMaps
from .curves import smoothstep
from .folds import fold_heights, strain
from .noise import Field
from .shells import CANONICAL, OFFSET, Pattern, Suit, tube
from .styles import ARM_LENGTH, NONE, Edges, Style, edges, looseness
from .trim_painting import paint
from .trims import Details

MARGIN = 0.25  # dm of cloth beyond the garment's edge that the atlas still holds
CLOSE = 0.05  # dm between skin and cloth at the shoulders
ARMHOLE = 0.05  # position along the arm of the seam between body and sleeve


@dataclass(frozen=True)
class Garment:
    """A garment before anybody wears it."""

    style: Style
    fabric: FabricSpec
    details: Details
    pattern: Pattern
    edges: Edges
    edge: np.ndarray  # (V,) float32 dm, positive inside
    loose: np.ndarray  # (V,) float32 dm
    atlas: np.ndarray  # (V, 2) float32 dm, the canonical flat, x to the wearer's left, y up
    origin: tuple[float, float]  # x, y in dm of the texture's left upper corner
    scale: float  # texels per dm
    texture: np.ndarray  # (2 h, w, 5) float32: RGB albedo, slope to the right, slope upwards; front above back
    seed: int  # of the folds

    def corners(self) -> np.ndarray:
        """Texture coordinates of every triangle's corners: (F, 3, 2) float32 in [0, 1], v down."""
        height, width = self.texture.shape[0] // 2, self.texture.shape[1]
        u = (self.atlas[:, 0] - self.origin[0]) * self.scale / width
        v = (self.origin[1] - self.atlas[:, 1]) * self.scale / height
        corner = np.stack([u, np.clip(v, 0, 1) / 2], 1).astype(np.float32)[self.pattern.faces]
        corner[self.pattern.front :, :, 1] += 0.5
        # bilinear samples must not cross from one panel's picture to the other's
        half = 0.5 / height
        low = np.where(np.arange(len(corner)) < self.pattern.front, 0.0, 0.5)[:, None]
        corner[:, :, 1] = np.clip(corner[:, :, 1], low + half, low + 0.5 - half)
        return np.ascontiguousarray(corner)


def _extend(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill what is not known from the nearest known texel."""
    _, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    index = np.zeros(label.max() + 1, np.int64)
    index[label[known]] = np.flatnonzero(known)
    return values.reshape(-1, values.shape[2])[index[label]]


def tailor(style: Style, fabric: FabricSpec, details: Details, pattern: Pattern, scale: float, seed: int) -> Garment:
    """Cut and print a garment.

    Args:
        style, fabric, details: what it is.
        pattern: of the style's shell.
        scale: texels per dm of its picture.
        seed: of the fine creases and the folds.
    """
    cut = edges(style, pattern)
    edge = cut.inside
    atlas = pattern.panels[1, pattern.angles.index(0.0) if 0.0 in pattern.angles else 0]
    worn = atlas[edge > -MARGIN]
    low, high = worn.min(0) - 0.1, worn.max(0) + 0.1
    width, height = (int(n) for n in np.ceil((high - low) * scale))
    origin = float(low[0]), float(high[1])
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = origin[0] + (columns + 0.5) / scale, origin[1] - (rows + 0.5) / scale
    sleeve = np.minimum((pattern.along - ARMHOLE) * ARM_LENGTH, (pattern.arm - 0.3) * 2)
    if style.sleeve in ("tank", "strap") or style.kind in ("skirt", "trousers"):
        sleeve = np.full_like(sleeve, -NONE)
    upper = np.minimum(cut.neck, cut.waist)  # the upper edge of skirts and trousers is their waist
    values = np.stack([upper, cut.hem, cut.cuff, sleeve], 1)
    screen = np.stack([(atlas[:, 0] - low[0]) * scale, (high[1] - atlas[:, 1]) * scale, np.ones(len(atlas))], 1)
    rng = np.random.default_rng(seed)
    crease = _creases(rng, x, y)
    pictures = []
    for side, part in (("front", slice(0, pattern.front)), ("back", slice(pattern.front, None))):
        buffer = raster.Buffer.empty(height, width)
        faces = pattern.faces[part]
        raster.fill(buffer, screen.astype(np.float32), faces)
        maps = raster.interpolate(buffer, faces, values)
        maps = _extend(maps, buffer.triangle >= 0)
        on_sleeve = maps[..., 3] > 0
        # fabric runs along the sleeve: its axis lies 45 degrees down in the atlas
        slope = np.float32(np.sqrt(0.5))
        along = np.where(on_sleeve, (np.abs(x) - y) * slope, y)
        across = np.where(on_sleeve, (np.abs(x) + y) * slope, x)
        albedo, relief = paint(
            fabric,
            details,
            PanelMaps(
                x=x,
                y=y,
                along=along.astype(np.float32),
                across=across.astype(np.float32),
                sleeve=on_sleeve.astype(np.float32),
                armhole=maps[..., 3],
                neck=maps[..., 0],
                hem=maps[..., 1],
                cuff=maps[..., 2],
                side=side,
                scale=scale,
            ),
        )
        relief = relief + crease
        right = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3) * (scale / 8)
        up = -cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3) * (scale / 8)
        slopes = np.clip(np.stack([right, up], -1), -0.6, 0.6)
        pictures.append(np.concatenate([np.clip(albedo, 0.004, 1), slopes], 2))
    texture = np.ascontiguousarray(np.concatenate(pictures), np.float32)
    return Garment(
        style, fabric, details, pattern, cut, edge, looseness(style, pattern), atlas, origin, scale, texture, seed
    )


def _creases(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fine unevenness of any worn cloth, (H, W) float32 dm."""
    field = Field(rng)
    return 0.012 * field(x * 1.1 + 0.35 * y, y * 1.7) + 0.004 * field(x * 3.1, y * 3.7 + x)


@dataclass(frozen=True)
class Worn:
    """A garment's mesh on one posed body."""

    points: np.ndarray  # (V, 3) float32 dm
    normals: np.ndarray  # (V, 3) float32


class Dresser:
    """Puts garments on one body in one pose.

    Args:
        body: the mesh.
        suit: its tight suit.
        nodes: of `Body.nodes`, this person in the rest pose.
        posed: of `Body.pose`.
    """

    def __init__(self, body: Body, suit: Suit, nodes: np.ndarray, posed: Posed) -> None:
        self.body, self.suit, self.posed = body, suit, posed
        self.base = suit.base(nodes[: body.count])
        joint = nodes[body.count :]
        self.ankle = float(joint[body.bone["foot.L"], 1])
        hip = float(joint[body.bone["upperleg01.L"], 1])
        self.legs = self.base[self.base[:, 1] < hip + 0.5]
        self._height = suit.base(body.vertices(CANONICAL))[:, 1]
        self._cones = {side: self._leg_cones(nodes, side) for side in "LR"}
        arms = [k for name, k in body.bone.items() if name.startswith(("upperarm", "lowerarm", "shoulder", "wrist"))]
        height = self.base[:, 1]
        chest = float(joint[body.bone["upperarm01.L"], 1]) - 0.7
        self._trunk = (suit.weights[:, arms].sum(1) < 0.05) & (height < chest) & (height > hip - 0.8)

    def _leg_cones(self, nodes: np.ndarray, side: str) -> list[tuple[str, str, np.ndarray]]:
        """Bones of a leg, each with the leg's radius at eight places along it, in dm."""
        cones = []
        for upper, lower in (("upperleg01", "lowerleg01"), ("lowerleg01", "foot")):
            start, end = (nodes[self.body.count + self.body.bone[f"{bone}.{side}"]] for bone in (upper, lower))
            along = (end - start) / np.linalg.norm(end - start)
            place = (self.base - start) @ along / np.linalg.norm(end - start)
            distance = np.linalg.norm(self.base - start - ((self.base - start) @ along)[:, None] * along, axis=1)
            own = self.base[:, 0] * (1 if side == "L" else -1) > 0
            stations = np.linspace(0, 1, 8)
            radii = []
            for station in stations:
                near = own & (np.abs(place - station) < 0.08) & (distance < 1.4)
                radii.append(float(np.percentile(distance[near], 80)) if near.any() else 0.5)
            cones.append((f"{upper}.{side}", f"{lower}.{side}", np.array(radii)))
        return cones

    def rest(self, garment: Garment, offset: float, tuck: float | None, under: float | None) -> np.ndarray:
        """The cloth in the rest pose, (V, 3); see `wear`."""
        pattern, style = garment.pattern, garment.style
        spread = pattern.to_suit(garment.loose)
        near: np.ndarray | float = offset
        if style.kind in ("top", "dress"):  # shoulders carry the cloth: there it lies on the skin
            near = CLOSE + (offset - CLOSE) * smoothstep(3.6, 1.8, self._height)
        cloth = self.suit.inflate(self.base, spread, near, rounds=16)
        if style.kind in ("top", "dress"):
            cloth = self._hang(cloth, style.loose * (1 - 0.8 * style.cinch))
        if tuck is not None or under is not None:
            snug = self.suit.inflate(self.base, 0.0, near, rounds=4)
            if under is None:
                free = smoothstep(tuck + 0.05, tuck + 1.5, self._height)[:, None]
            else:
                free = smoothstep(under, under - 0.8, self._height)[:, None]
            cloth = (snug + (cloth - snug) * free).astype(np.float32)
        points = pattern.from_suit @ cloth
        if pattern.from_tube is not None:
            rim = pattern.ring @ cloth
            taper = 0.10 if style.kind == "top" else max(0.0, 0.22 - 2 * style.flare)
            rows = tube(rim, self.legs, self.ankle, 0.3 * style.loose, style.flare, taper, offset)
            if style.flare > 0.05:
                _ripple(rows, style.flare, garment.seed)
            points = points + pattern.from_tube @ rows.reshape(-1, 3)
        return np.asarray(points, np.float32)

    def _hang(self, cloth: np.ndarray, loose: float) -> np.ndarray:
        """Loose cloth hangs straight from the bust to the hips instead of following the waist: where the trunk's
        outline, seen from the side, is hollow, it is filled in proportion to the looseness."""
        amount = float(np.clip((loose - 0.05) / 0.3, 0, 1))
        trunk = self._trunk
        if amount == 0:
            return cloth
        points = cloth[trunk]
        centre = points[:, [0, 2]].mean(0)
        azimuth = np.arctan2(points[:, 0] - centre[0], points[:, 2] - centre[1])
        radius = np.hypot(points[:, 0] - centre[0], points[:, 2] - centre[1])
        low, high = points[:, 1].min(), points[:, 1].max()
        columns, rows = 32, 24
        place = (azimuth + np.pi) / (2 * np.pi) * columns
        level = (points[:, 1] - low) / (high - low) * (rows - 1)
        grid, weight = np.zeros((rows, columns)), np.full((rows, columns), 1e-9)
        np.add.at(grid, (np.rint(level).astype(int), place.astype(int) % columns), radius)
        np.add.at(weight, (np.rint(level).astype(int), place.astype(int) % columns), 1)
        grid /= weight
        for column in range(columns):
            known = np.flatnonzero(weight[:, column] > 0.5)
            if len(known) > 2:
                grid[:, column] = _taut(known, grid[known, column], rows)
        grid = cv2.GaussianBlur(np.concatenate([grid] * 3, 1).astype(np.float32), (0, 0), 0.8)[:, columns : 2 * columns]
        i, j = np.clip(level, 0, rows - 1.001), place - 0.5
        a, b = i.astype(int), np.floor(j).astype(int)
        u, v = i - a, j - b
        taut = (grid[a, b % columns] * (1 - v) + grid[a, (b + 1) % columns] * v) * (1 - u)
        taut += (grid[a + 1, b % columns] * (1 - v) + grid[a + 1, (b + 1) % columns] * v) * u
        fade = np.clip((high - points[:, 1]) / 0.8, 0, 1)
        more = np.maximum(taut - radius, 0) * amount * fade / np.maximum(radius, 0.3)
        out = cloth.copy()
        out[trunk, 0] += (points[:, 0] - centre[0]) * more
        out[trunk, 2] += (points[:, 2] - centre[1]) * more
        for _ in range(3):
            out[trunk] = 0.5 * out[trunk] + 0.5 * (self.suit.mean @ out)[trunk]
        return out

    def _clear_legs(self, points: np.ndarray, pattern: Pattern, offset: float) -> np.ndarray:
        """Push a skirt out of the posed legs: out of the cones round thighs and shins."""
        below = np.flatnonzero((pattern.points[:, 1] < 0.6) & (pattern.arm < 0.05))
        cloth = points[below].astype(np.float64)
        for side in "LR":
            for upper, lower, radii in self._cones[side]:
                start = self.posed.joints[self.body.bone[upper]].astype(np.float64)
                along = self.posed.joints[self.body.bone[lower]] - start
                length = np.linalg.norm(along)
                along = along / length
                place = (cloth - start) @ along
                away = cloth - start - np.clip(place, 0, length)[:, None] * along
                distance = np.linalg.norm(away, axis=1)
                wanted = np.interp(place / length, np.linspace(0, 1, len(radii)), radii) + offset
                if upper.startswith("upper"):  # at the hip the cloth already fits
                    wanted = wanted * smoothstep(0.05, 0.35, place / length)
                push = (distance < wanted) & (place > 0) & (place < length)
                cloth[push] += away[push] * (wanted[push] / np.maximum(distance[push], 0.05) - 1)[:, None]
        out = points.copy()
        out[below] = cloth
        for _ in range(3):
            out[below] = 0.5 * out[below] + 0.5 * (pattern.smooth @ out)[below]
        return out

    def wear(
        self, garment: Garment, offset: float = OFFSET, *, tuck: float | None = None, under: float | None = None
    ) -> Worn:
        """Dress.

        Args:
            garment: what.
            offset: dm, the least distance to the skin; more for what is worn over something else.
            tuck: height on the canonical body at which the garment is tucked into another one and lies close.
            under: height on the canonical body from which on upwards the garment lies close, under another one.
        """
        pattern = garment.pattern
        rest = self.rest(garment, offset, tuck, under)
        points = skin(rest, self.posed, pattern.weight_bones, pattern.weights)
        smooth = pattern.smooth
        across, height, _ = pattern.points.T
        arm_pit = np.exp(-(((np.abs(across) - 1.75) / 0.75) ** 2 + ((height - 3.75) / 0.75) ** 2))
        for _ in range(4):  # cloth does not keep the creases that skinning makes
            points = points + (0.35 + 0.6 * arm_pit)[:, None].astype(np.float32) * (smooth @ points - points)
        if pattern.from_tube is not None:
            points = self._clear_legs(points, pattern, offset)
        normals = mesh.vertex_normals(points, pattern.faces)
        squeeze = strain(rest, points, pattern)
        heights = fold_heights(garment.style, garment.edges, pattern, squeeze, garment.seed)
        if under is not None:
            heights *= smoothstep(under, under - 0.6, pattern.points[:, 1])
        points = (points + normals * heights[:, None]).astype(np.float32)
        return Worn(points, mesh.vertex_normals(points, pattern.faces))


def _taut(known: np.ndarray, values: np.ndarray, rows: int) -> np.ndarray:
    """The least concave curve over a profile: a string pulled tight round it."""
    hull: list[int] = []
    for k in range(len(known)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            rise = (values[b] - values[a]) * (known[k] - known[a]) - (values[k] - values[a]) * (known[b] - known[a])
            if rise > 0:
                break
            hull.pop()
        hull.append(k)
    return np.interp(np.arange(rows), known[hull], values[hull])


def _ripple(rows: np.ndarray, flare: float, seed: int) -> None:
    """Hanging folds of a flared skirt, deeper towards the hem; changes the tube in place."""
    rng = np.random.default_rng([seed, 5])
    count = rows.shape[1]
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    wave = np.zeros(count)
    for number in rng.choice(np.arange(5, 12), 3, replace=False):
        wave += np.cos(number * angle + rng.uniform(0, 6.28)) / 3
    centre = rows[:1, :, [0, 2]].mean(1, keepdims=True)
    depth = (rows[:1, :, 1] - rows[:, :, 1]).mean(1, keepdims=True)
    swing = 1 + np.clip(flare, 0, 0.35) * 0.16 * depth * wave[None]
    rows[:, :, [0, 2]] = centre + (rows[:, :, [0, 2]] - centre) * swing[..., None]
