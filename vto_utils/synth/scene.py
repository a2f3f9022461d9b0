"""A dressed person in front of the camera: parts with their labels, drawn, lit and labelled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import cv2
import numba
import numpy as np

from ..labels import ID
from . import raster, shading
from .body import Body, Posed, load_body, skin
from .cameras import Camera
from .eyes import eye_texture, eyes
from .flats import BACK, FRONT, Laid, sample
from .garments import Dresser, Garment
from .hair import hair
from .makehuman import MakeHumanAssets
from .mesh import vertex_normals
from .people import Identity
from .shading import LightSpec, Part
from .shells import CANONICAL, OFFSET, load_pattern, load_suit
from .shoes import ShoeMesh, shoes
from .skin import skin_texture
from .styles import Style

SAMPLES = 2  # per pixel and direction
HIDDEN = 0.08  # dm inside a garment's edge from which on the skin below is left out
COLLAR = 0.18  # the same at necklines, which one looks into
OUTER = 0.18  # dm, offset of a top that is worn over a bottom
WAISTBAND = 0.12  # dm, offset of a bottom that a top is tucked into
SAME_SPOT = 0.12  # dm between two points of a garment that count as one
SAME_LAYER = 0.3  # dm between points that lie within two samples of each other in a flat, in one layer; at least
LABELS = {"top": ID["upper-clothes"], "dress": ID["dress"], "trousers": ID["pants"], "skirt": ID["skirt"]}


def _corners(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Texture points (T, 2) with v up at every triangle's corners, v down: (F, 3, 2) float32."""
    return np.ascontiguousarray(points[faces] * np.float32([1, -1]) + np.float32([0, 1]), np.float32)


@cache
def body_labels(body: Body) -> np.ndarray:
    """CIHP id of every face of the skin, (F,) uint8."""

    def label(bone: str) -> int:
        left = bone.endswith("L")
        if bone.startswith(("shoulder", "upperarm", "lowerarm", "wrist", "finger")):
            return ID["left-arm"] if left else ID["right-arm"]
        if bone.startswith(("upperleg", "lowerleg", "foot")):
            return ID["left-leg"] if left else ID["right-leg"]
        if bone.startswith(("root", "spine", "clavicle", "neck")):
            return ID["torso-skin"]
        return ID["face"]

    of_bone = np.array([label(name) for name in body.bones], np.uint8)
    share = np.zeros((body.count, 20), np.float32)
    for k in range(body.weights.shape[1]):
        np.add.at(share, (np.arange(body.count), of_bone[body.weight_bones[:, k]]), body.weights[:, k])
    return share[body.faces].sum(1).argmax(1).astype(np.uint8)


@cache
def body_parts(body: Body) -> np.ndarray:
    """DensePose's part id of every face of the skin, (F,) uint8: 1 back and 2 front of the torso, 3 right and 4 left
    hand, 5 left and 6 right foot, 7/8 back and 9/10 front of the right/left thigh, 11/12 and 13/14 of the lower legs,
    15/16 and 17/18 inner and outer left/right upper arm, 19/20 and 21/22 forearm, 23/24 right and left of the head."""
    rest = body.vertices(CANONICAL)
    front = vertex_normals(rest, body.faces)[:, 2] >= 0

    def parts(bone: str) -> tuple[int, int]:
        """Of its back and of its front."""
        left = bone.endswith("L")
        if bone.startswith(("wrist", "finger")):
            return (4, 4) if left else (3, 3)
        if bone.startswith("foot"):
            return (5, 5) if left else (6, 6)
        if bone.startswith("upperleg"):
            return (8, 10) if left else (7, 9)
        if bone.startswith("lowerleg"):
            return (12, 14) if left else (11, 13)
        if bone.startswith(("shoulder", "upperarm")):
            return (17, 15) if left else (18, 16)
        if bone.startswith("lowerarm"):
            return (21, 19) if left else (22, 20)
        return (23, 24) if bone.startswith(("head", "neck")) else (1, 2)

    table = np.array([parts(name) for name in body.bones])
    side = np.where(np.isin(table[body.weight_bones[:, 0], 0], (23, 24)), rest[:, 0] >= 0, front).astype(int)
    share = np.zeros((body.count, 25), np.float32)
    for k in range(body.weights.shape[1]):
        np.add.at(share, (np.arange(body.count), table[body.weight_bones[:, k], side]), body.weights[:, k])
    return share[body.faces].sum(1).argmax(1).astype(np.uint8)


@cache
def _under(shell: str) -> tuple[np.ndarray, np.ndarray]:
    """For every vertex of the body the nearest one of a shell, and how far away it is (dm); the head is far away."""
    from scipy.spatial import cKDTree

    body = load_body()
    distance, near = cKDTree(load_pattern(shell).points).query(body.vertices(CANONICAL))
    strongest = body.weight_bones[np.arange(body.count), body.weights.argmax(1)]
    return near, np.where(strongest == body.bone["head"], np.inf, distance)


@dataclass(frozen=True)
class Worn:
    """A garment in an outfit."""

    garment: Garment
    outer: bool = False  # worn over what it meets
    limit: np.ndarray | None = None  # (V,) dm, a further edge: what something else hides is cut away
    tuck: float | None = None  # dm, height on the canonical body at which it is tucked in
    under: float | None = None  # dm, height there from which on upwards it lies under something else

    @property
    def edge(self) -> np.ndarray:
        edge = self.garment.edge
        return edge if self.limit is None else np.minimum(edge, self.limit).astype(np.float32)


def dress(main: Garment, other: Garment | None, tucked: bool) -> list[Worn]:
    """How a pair's garment is worn with the other one, if there is one: tops over or tucked into bottoms."""
    if other is None:
        return [Worn(main)]
    top, bottom = (main, other) if main.style.kind == "top" else (other, main)
    height = bottom.pattern.points[:, 1]
    tucked = tucked and top.style.hem < bottom.style.waist - 0.3
    if tucked:
        over = top.pattern.points[:, 1] - (bottom.style.waist - 0.2)
        worn = [Worn(top, limit=over, tuck=bottom.style.waist), Worn(bottom, outer=True)]
    else:
        covered = top.style.hem + max(top.style.hem_curve, 0) + 0.45 - height
        worn = [Worn(top, outer=True), Worn(bottom, limit=covered, under=top.style.hem - 0.2)]
    return worn if top is main else worn[::-1]


@dataclass
class Figure:
    """A person in a pose, before dressing; what is costly is made once and shared between outfits."""

    identity: Identity
    body: Body
    nodes: np.ndarray
    posed: Posed
    texture_size: int = 512
    photo_skin: MakeHumanAssets | None = None  # where to take a photographed skin from
    photo_hair: MakeHumanAssets | None = None
    hair_choice: int = 0
    vertices: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.vertices = skin(self.nodes[: self.body.count], self.posed, self.body.weight_bones, self.body.weights)

    @cached_property
    def dresser(self) -> Dresser:
        return Dresser(self.body, load_suit(), self.nodes, self.posed)

    @cached_property
    def _skin(self) -> tuple[np.ndarray, np.ndarray]:
        texture = None
        if self.photo_skin is not None:
            texture = self.photo_skin.skin_texture(self.identity, self.texture_size)
        if texture is None:
            texture = skin_texture(self.identity, self.body, self.texture_size)
        texture = np.ascontiguousarray(texture, np.float32)
        return texture, _corners(self.body.texture, self.body.texture_faces)

    @cached_property
    def _normals(self) -> np.ndarray:
        return vertex_normals(self.vertices, self.body.faces)

    @cached_property
    def _shoes(self) -> ShoeMesh | None:
        return shoes(self.identity, self.body, self.nodes)

    @cached_property
    def extras(self) -> list[Part]:
        """Eyes, hair and shoes."""
        parts = []
        head = self.body.bone["head"]
        turn, shift = self.posed.rotation[head], self.posed.shift[head]
        balls = eyes(self.body, self.nodes)
        parts.append(
            Part(
                "eyes", balls.vertices @ turn.T + shift, balls.normals @ turn.T, balls.faces,
                _corners(balls.texture_points, balls.faces), eye_texture(self.identity),
                np.full(len(balls.faces), ID["face"], np.uint8), shading.EYE,
            )
        )  # fmt: skip
        locks = None
        if self.photo_hair is not None:
            locks = self.photo_hair.hair(self.identity, self.nodes, self.hair_choice)
        if locks is None:
            locks = hair(self.identity, self.body, self.nodes)
        if locks is not None:
            points = skin(locks.vertices, self.posed, locks.weight_bones, locks.weights)
            tips = skin(locks.vertices + 0.1 * locks.normals, self.posed, locks.weight_bones, locks.weights)
            normals = (tips - points) / np.maximum(np.linalg.norm(tips - points, axis=1, keepdims=True), 1e-6)
            parts.append(
                Part(
                    "hair", points, np.ascontiguousarray(normals, np.float32), locks.faces,
                    _corners(locks.texture_points, locks.faces),
                    np.ascontiguousarray(locks.texture[..., :3], np.float32),
                    np.full(len(locks.faces), ID["hair"], np.uint8), shading.HAIR,
                    alpha=np.ascontiguousarray(locks.texture[..., 3], np.float32), dither=0.5, bias=0.02,
                )
            )  # fmt: skip
        footwear = self._shoes
        if footwear is not None:
            points = skin(footwear.vertices, self.posed, footwear.weight_bones, footwear.weights)
            left = np.arange(len(footwear.faces)) < footwear.faces_left
            label = np.where(left, ID["left-shoe"], ID["right-shoe"]).astype(np.uint8)
            parts.append(
                Part(
                    "shoes", points, vertex_normals(points, footwear.faces), footwear.faces,
                    _corners(footwear.texture_points, footwear.faces),
                    np.ascontiguousarray(footwear.texture, np.float32), label, shading.SHOE, bias=0.03,
                )
            )  # fmt: skip
        return parts

    def parts(self, outfit: list[Worn]) -> tuple[list[Part], list[int]]:
        """The dressed person, and where in the list each garment of the outfit is."""
        body = self.body
        hidden = np.zeros(body.count, bool) if self._shoes is None else self._shoes.covered.copy()
        for worn in outfit:
            garment = worn.garment
            near, distance = _under(garment.style.shell)
            deep = np.minimum(worn.edge - HIDDEN, garment.edges.neck - COLLAR)
            hidden |= (deep[near] > 0) & (distance < 0.9)
            if garment.style.kind in ("skirt", "dress"):
                hidden |= _legs_under(body, garment.style)
        shown = ~hidden[body.faces].all(1)
        texture, corners = self._skin
        parts = [
            Part(
                "body", self.vertices, self._normals, np.ascontiguousarray(body.faces[shown]),
                np.ascontiguousarray(corners[shown]), texture, body_labels(body)[shown], shading.SKIN,
            )
        ]  # fmt: skip
        places = []
        for worn in outfit:
            garment = worn.garment
            offset = OFFSET if not worn.outer else OUTER if garment.style.kind == "top" else WAISTBAND
            cloth = self.dresser.wear(garment, offset, tuck=worn.tuck, under=worn.under)
            places.append(len(parts))
            parts.append(
                Part(
                    garment.style.kind, cloth.points, cloth.normals, garment.pattern.faces, garment.corners(),
                    garment.texture, np.full(len(garment.pattern.faces), LABELS[garment.style.kind], np.uint8),
                    shading.CLOTH, edge=worn.edge, bias=0.2 if worn.outer else 0.04,
                )
            )  # fmt: skip
        return parts + self.extras, places


@cache
def _leg_heights(body: Body) -> np.ndarray:
    """(V,) heights on the canonical body of what belongs to the legs, far above everything else."""
    legs = [k for k, name in enumerate(body.bones) if name.startswith(("upperleg", "lowerleg"))]
    strongest = body.weight_bones[np.arange(body.count), body.weights.argmax(1)]
    return np.where(np.isin(strongest, legs), body.vertices(CANONICAL)[:, 1], -99.0)


def _legs_under(body: Body, style: Style) -> np.ndarray:
    heights = _leg_heights(body)
    return (heights > style.hem + 0.5 + max(style.hem_curve, 0)) & (heights > -50)


@dataclass(frozen=True)
class Shot:
    """One lit picture of one outfit with its labels, at the picture's own size."""

    colour: np.ndarray  # (H, W, 3) float32 sRGB, of the person where there is any
    cover: np.ndarray  # (H, W) float32, share of the pixel that the person covers
    parse: np.ndarray  # (H, W) uint8
    depth: np.ndarray  # (H, W) float32, dm, 0 background
    normal: np.ndarray  # (H, W, 3) float32
    flow: np.ndarray  # (H, W, 2) float32, 0 where not valid
    valid: np.ndarray  # (H, W) bool
    side: np.ndarray  # (H, W) uint8
    mask: np.ndarray  # (H, W) bool, the pair's garment
    albedo: np.ndarray  # (H, W, 3) float32 sRGB of the pair's garment


@numba.njit(cache=True)
def _labels(triangle, labels, samples, out):
    """The commonest label of each pixel's samples."""
    height, width = out.shape
    count = np.zeros(20, np.int32)
    for row in range(height):
        for column in range(width):
            count[:] = 0
            for i in range(samples):
                for j in range(samples):
                    k = triangle[row * samples + i, column * samples + j]
                    count[0 if k < 0 else labels[k]] += 1
            best = 0
            for label in range(20):  # on a tie the person wins over the background
                if count[label] > count[best] or (best == 0 and count[label] == count[0] and count[label] > 0):
                    best = label
            out[row, column] = best


@numba.njit(cache=True, fastmath=True)
def _flow(
    triangle, weights, base, faces, front, place, atlas, spot, spot_side, near, layer, samples, flow, point, side,
    valid, count,
):  # fmt: skip
    """Average where a pixel's samples lie in the flat; valid only if all of them do, and the flat shows them."""
    height, width = side.shape
    tall, wide = spot_side.shape
    for row in range(height):
        for column in range(width):
            seen, fronts = 0, 0
            x = y = u = v = 0.0
            for i in range(samples):
                for j in range(samples):
                    r, c = row * samples + i, column * samples + j
                    k = triangle[r, c] - base
                    if k < 0 or k >= faces.shape[0]:
                        continue
                    b0, b1 = weights[r, c, 0], weights[r, c, 1]
                    b2 = 1 - b0 - b1
                    p, q, s = faces[k, 0], faces[k, 1], faces[k, 2]
                    seen += 1
                    fronts += k < front
                    x += b0 * place[p, 0] + b1 * place[q, 0] + b2 * place[s, 0]
                    y += b0 * place[p, 1] + b1 * place[q, 1] + b2 * place[s, 1]
                    u += b0 * atlas[p, 0] + b1 * atlas[q, 0] + b2 * atlas[s, 0]
                    v += b0 * atlas[p, 1] + b1 * atlas[q, 1] + b2 * atlas[s, 1]
            count[row, column] = seen
            if seen == 0:
                continue
            x, y, u, v = x / seen, y / seen, u / seen, v / seen
            point[row, column, 0], point[row, column, 1] = u, v
            side[row, column] = FRONT if 2 * fronts >= seen else BACK
            if seen < samples * samples or 0 < fronts < seen:
                continue
            tr, tc = int((y + 1) / 2 * tall), int((x + 1) / 2 * wide)
            if tr < 2 or tc < 2 or tr >= tall - 2 or tc >= wide - 2:
                continue
            shown = True  # the spot and its neighbours, which a bilinear sample reads too: of one layer
            for i in range(-2, 3, 2):
                for j in range(-2, 3, 2):
                    du, dv = spot[tr + i, tc + j, 0] - u, spot[tr + i, tc + j, 1] - v
                    if spot_side[tr + i, tc + j] != side[row, column] or du * du + dv * dv > layer * layer:
                        shown = False
            du, dv = spot[tr, tc, 0] - u, spot[tr, tc, 1] - v
            if shown and du * du + dv * dv < near * near:
                valid[row, column] = True
                flow[row, column, 0], flow[row, column, 1] = x, y


def shoot(
    figure: Figure, outfit: list[Worn], main: int, laid: Laid, camera: Camera, light: LightSpec, size: tuple[int, int]
) -> Shot:
    """Take the picture of one outfit.

    Args:
        figure: who.
        outfit: of `dress`.
        main: which garment of the outfit is the pair's.
        laid: that garment laid flat.
        camera: for pictures of ``size``.
        light: the light.
        size: height and width in pixels.
    """
    parts, places = figure.parts(outfit)
    fine = _enlarged(camera, SAMPLES)
    height, width = size[0] * SAMPLES, size[1] * SAMPLES
    buffer, bases = shading.draw(parts, fine, height, width)
    pixels_per_dm = _pixels_per_dm(buffer, fine)
    linear, normal = shading.shade(buffer, parts, bases, light, pixels_per_dm)
    present = (buffer.triangle >= 0).astype(np.float32)
    cover = cv2.resize(present, size[::-1], interpolation=cv2.INTER_AREA)
    inverse = 1 / np.maximum(cover, 1e-3)[..., None]
    mean = cv2.resize(linear, size[::-1], interpolation=cv2.INTER_AREA) * inverse
    facing = cv2.resize(normal, size[::-1], interpolation=cv2.INTER_AREA)
    facing /= np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-6)
    distance = np.where(present > 0, buffer.depth, 0)
    depth = cv2.resize(distance, size[::-1], interpolation=cv2.INTER_AREA) * inverse[..., 0]
    half = cover >= 0.5
    parse = np.zeros(size, np.uint8)
    _labels(buffer.triangle, np.concatenate([part.labels for part in parts]), SAMPLES, parse)
    garment = outfit[main].garment
    flow, point = np.zeros((*size, 2), np.float32), np.zeros((*size, 2), np.float32)
    side, valid, count = np.zeros(size, np.uint8), np.zeros(size, bool), np.zeros(size, np.uint8)
    _flow(
        buffer.triangle, buffer.weights, bases[places[main]], garment.pattern.faces, garment.pattern.front, laid.place,
        garment.atlas, laid.spot, laid.side, SAME_SPOT, max(SAME_LAYER, 5.7 * laid.step), SAMPLES,
        flow, point, side, valid, count,
    )  # fmt: skip
    mask = (parse == LABELS[garment.style.kind]) & (count * 2 >= SAMPLES * SAMPLES)
    side = np.where(mask, side, 0).astype(np.uint8)
    valid &= mask
    flow *= valid[..., None]
    albedo = np.clip(sample(garment, point, side)[..., :3], 0, 1)
    return Shot(
        shading.develop(mean), cover, parse, depth * half, facing * half[..., None], flow, valid, side, mask, albedo
    )


def _enlarged(camera: Camera, times: int) -> Camera:
    x, y = camera.principal
    height, width = camera.size
    return replace(
        camera, focal=camera.focal * times, principal=(x * times, y * times), size=(height * times, width * times)
    )


def _pixels_per_dm(buffer: raster.Buffer, camera: Camera) -> float:
    seen = buffer.depth[::8, ::8]
    near = seen[seen < raster.FAR / 2]
    return camera.focal / float(np.median(near)) if near.size else 1.0


def surface(figure: Figure, camera: Camera, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The body under the clothes: (H, W) uint8 DensePose part ids, (H, W, 2) float32 texture coordinates and
    (H, W) float32 depth in dm, 0 in the background."""
    body = figure.body
    buffer = raster.Buffer.empty(*size)
    raster.fill(buffer, camera.project(figure.vertices), body.faces)
    seen = buffer.triangle >= 0
    parts = np.where(seen, body_parts(body)[np.maximum(buffer.triangle, 0)], 0).astype(np.uint8)
    corner = body.texture[body.texture_faces[buffer.triangle[seen]]]  # (P, 3, 2)
    b = buffer.weights[seen]
    weight = np.concatenate([b, 1 - b.sum(1, keepdims=True)], 1)[..., None]
    place = np.zeros((*size, 2), np.float32)
    place[seen] = (corner * weight).sum(1)
    return parts, np.clip(place, 0, 1), np.where(seen, buffer.depth, 0)
