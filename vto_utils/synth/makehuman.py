"""Optional assets: MakeHuman's CC0 skins and hair out of a folder. Without it, `skin` and `hair` make everything.

The folder looks as MakeHuman's own: ``skins/<name>/*.jpg`` and ``hair/<name>/<name>.mhclo`` with the ``.obj`` and a
``.png`` beside it. Whatever is missing or broken is left out and told in `MakeHumanAssets.notes`.

Hair is fitted as a ``.mhclo`` file says: each vertex is a mix of three vertices of hm08 plus an offset. Some hair is
anchored on helper vertices that the baked body does not keep. It is placed as other hair by the same author is placed,
and then follows the nearest skin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from .body import Body
from .curves import smoothstep
from .hair import HairMesh, hair_weights
from .mesh import vertex_normals
from .people import LONG_HAIR, Identity
from .skin import base_tone, paint_photo
from .standard import STANDARD

TEXTURE_SIDE = 512  # of hair


@dataclass(frozen=True)
class SkinPhoto:
    """A skin on hm08's texture layout."""

    name: str
    path: Path
    male: bool
    colour: tuple[float, float, float]  # mean of the covered texels, sRGB


@dataclass(frozen=True)
class Proxy:
    """A fitted mesh, as a ``.mhclo`` file describes it. N vertices, one texture point each."""

    name: str
    anchors: np.ndarray  # (N, 3) int32 into the baked body, -1 where not kept
    shares: np.ndarray  # (N, 3) float32
    offsets: np.ndarray  # (N, 3) float32, in units of scale
    scale: tuple[tuple[int, int, float], ...]  # for x, y, z: two vertices and their reference distance
    drawn: np.ndarray  # (N, 3) float32, as the author drew it
    faces: np.ndarray  # (M, 3) int32
    texture_points: np.ndarray  # (N, 2) float32
    texture: np.ndarray  # (S, S, 4) float32


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, texture points, triangles, texture triangles of an ``.obj``."""
    vertices, texture, faces, corners = [], [], [], []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        head, _, rest = line.partition(" ")
        if head == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif head == "vt":
            texture.append([float(x) for x in rest.split()[:2]])
        elif head == "f":
            pairs = [part.split("/") for part in rest.split()]
            v, t = [int(p[0]) - 1 for p in pairs], [int(p[1]) - 1 for p in pairs]
            for k in range(1, len(v) - 1):
                faces.append((v[0], v[k], v[k + 1]))
                corners.append((t[0], t[k], t[k + 1]))
    if not faces:
        raise ValueError("it has no faces")
    found = np.array(vertices), np.array(texture), np.array(faces), np.array(corners)
    if found[2].max() >= len(found[0]) or found[3].max() >= len(found[1]) or min(found[2].min(), found[3].min()) < 0:
        raise ValueError("a face names a vertex that is not there")
    return found


def _read_fit(path: Path) -> tuple[str, dict[int, tuple[int, int, float]], np.ndarray]:
    """Name of the mesh file, the scales and the rows (N, 9) of a ``.mhclo``: anchors, shares, offsets."""
    mesh, scale, rows, listing = "", {}, [], False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "obj_file":
            mesh = words[1]
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            scale["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
        elif words[0] == "verts":
            listing = True
        elif listing and words[0].isdigit():
            if len(words) == 1:
                rows.append([int(words[0])] * 3 + [1, 0, 0, 0, 0, 0])
            elif len(words) >= 9:
                rows.append([float(x) for x in words[:9]])
        elif listing and words[0] == "delete_verts":
            break
    if not mesh or len(scale) != 3 or not rows:
        raise ValueError("it does not tell a mesh, three scales and the vertices' anchors")
    return mesh, scale, np.array(rows)


class MakeHumanAssets:
    """What is usable in a folder of assets.

    Attributes:
        skins, hairs: what can be used.
        notes: one sentence for each file that could not be, naming it.
    """

    def __init__(self, folder: Path | str, body: Body) -> None:
        self.folder = Path(folder)
        self.body = body
        self._kept = np.full(int(body.data["original"].max()) + 1, -1)
        self._kept[body.data["original"]] = np.arange(body.count)
        self._notes: list[str] = []
        self._photos: dict[tuple[str, int], np.ndarray] = {}
        if not self.folder.is_dir():
            self._notes.append(f"{self.folder}: there is no such folder, so no assets are used.")
        self.skins = self._find_skins()
        self.hairs = self._place(self._find_hair())

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def _find_skins(self) -> tuple[SkinPhoto, ...]:
        found = []
        for path in sorted(self.folder.glob("skins/*/*.jpg")) + sorted(self.folder.glob("skins/*/*.png")):
            try:
                with Image.open(path) as image:
                    small = np.asarray(image.convert("RGB").resize((64, 64)), np.float32) / 255
            except (OSError, ValueError, SyntaxError) as error:
                self._notes.append(f"{path}: this skin cannot be read and is left out ({error}).")
                continue
            cheek = small[27:34, 53:55].reshape(-1, 3).mean(0)
            name = path.parent.name
            male = "female" not in name
            found.append(SkinPhoto(name, path, male, tuple(float(x) for x in cheek)))
        return tuple(found)

    def _find_hair(self) -> list[Proxy]:
        found = []
        for path in sorted(self.folder.glob("hair/*/*.mhclo")):
            try:
                mesh, scale, rows = _read_fit(path)
                found.append(self._read_proxy(path, mesh, scale, rows))
            except (OSError, ValueError, IndexError, SyntaxError) as error:
                self._notes.append(f"{path}: this hair cannot be used and is left out ({error}).")
        return found

    def _read_proxy(self, path: Path, mesh: str, scale: dict, rows: np.ndarray) -> Proxy:
        vertices, texture, faces, corners = _read_mesh(path.parent / mesh)
        if len(rows) < len(vertices):
            raise ValueError(f"{mesh} has {len(vertices)} vertices, but only {len(rows)} are anchored")
        pictures = sorted(path.parent.glob("*diffuse*.png")) or sorted(path.parent.glob("*.png"))
        if not pictures:
            raise ValueError("there is no .png with its colours beside it")
        with Image.open(pictures[0]) as image:
            image = image.convert("RGBA").resize((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.BOX)
            picture = np.asarray(image, np.float32) / 255
        # one vertex for each pair of vertex and texture point
        pairs, index = np.unique(faces.ravel() * (len(texture) + 1) + corners.ravel(), return_inverse=True)
        which, point = np.divmod(pairs, len(texture) + 1)
        original = rows[which, :3].astype(int)
        known = (original >= 0) & (original < len(self._kept))
        anchors = np.where(known, self._kept[np.where(known, original, 0)], -1)
        return Proxy(
            name=path.stem,
            anchors=anchors.astype(np.int32),
            shares=rows[which, 3:6].astype(np.float32),
            offsets=rows[which, 6:9].astype(np.float32),
            scale=tuple(scale[k] for k in range(3)),
            drawn=vertices[which].astype(np.float32),
            faces=index.reshape(-1, 3).astype(np.int32),
            texture_points=texture[point].astype(np.float32),
            texture=picture,
        )

    def _scale(self, proxy: Proxy, vertices: np.ndarray) -> np.ndarray | None:
        """(3,) how much larger this body is than the author's; None where its vertices are not kept."""
        size = np.empty(3)
        for axis, (one, two, reference) in enumerate(proxy.scale):
            if max(one, two) >= len(self._kept) or min(self._kept[one], self._kept[two]) < 0 or reference <= 0:
                return None
            size[axis] = abs(vertices[self._kept[one], axis] - vertices[self._kept[two], axis]) / reference
        return size

    def _fit(self, proxy: Proxy, vertices: np.ndarray) -> np.ndarray:
        """(N, 3) positions; NaN where an anchor is not kept."""
        size = self._scale(proxy, vertices)
        out = np.einsum("nkc,nk->nc", vertices[np.maximum(proxy.anchors, 0)], proxy.shares) + proxy.offsets * size
        out[(proxy.anchors < 0).any(1)] = np.nan
        return out

    def _place(self, proxies: list[Proxy]) -> tuple[Proxy, ...]:
        """Give hair without kept anchors new ones: the nearest skin, once it is known where the author's head was."""
        vertices = self.body.vertices(STANDARD).astype(np.float64)
        usable, lost, heads = [], [], {}
        for proxy in proxies:
            if self._scale(proxy, vertices) is None:
                self._notes.append(f"{proxy.name}: this hair is measured on vertices that are not kept; left out.")
                continue
            good = (proxy.anchors >= 0).all(1)
            key = tuple(round(reference, 2) for _, _, reference in proxy.scale)
            if good.sum() > 50:
                fitted = self._fit(proxy, vertices)
                base = np.c_[proxy.drawn[good], np.ones(good.sum())]
                heads.setdefault(key, np.linalg.lstsq(base, fitted[good], rcond=None)[0])
            (usable if good.all() else lost).append(proxy)
        skin = np.unique(self.body.faces)
        skin = skin[vertices[skin, 1] > 2.0]
        for proxy in lost:
            key = tuple(round(reference, 2) for _, _, reference in proxy.scale)
            if key not in heads:
                self._notes.append(f"{proxy.name}: this hair hangs on vertices that are not kept; it is left out.")
                continue
            placed = np.c_[proxy.drawn, np.ones(len(proxy.drawn))] @ heads[key]
            good = (proxy.anchors >= 0).all(1)
            if good.any():
                placed[good] = self._fit(proxy, vertices)[good]
            usable.append(self._bind(proxy, placed, vertices, skin))
        found = []
        for proxy in sorted(usable, key=lambda proxy: proxy.name):
            if self._hides_an_eye(proxy, vertices):
                self._notes.append(f"{proxy.name}: this hair hides an eye and is left out.")
            else:
                found.append(proxy)
        return tuple(found)

    def _hides_an_eye(self, proxy: Proxy, vertices: np.ndarray) -> bool:
        points = self._fit(proxy, vertices)[proxy.faces]  # (M, 3, 3)
        for sign in (1, -1):
            eye = vertices[np.unique(self.body.eyes)]
            eye = eye[eye[:, 0] * sign > 0].mean(0)
            a, b, c = (points[:, k, :2] - eye[:2] for k in range(3))
            turns = [p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((a, b), (b, c), (c, a))]
            around = ((turns[0] > 0) == (turns[1] > 0)) & ((turns[1] > 0) == (turns[2] > 0))
            if (around & (points[:, :, 2].min(1) > eye[2])).any():
                return True
        return False

    def _bind(self, proxy: Proxy, placed: np.ndarray, vertices: np.ndarray, skin: np.ndarray) -> Proxy:
        tree = cKDTree(vertices[skin[::7]])  # sparse, so that neighbours hold on to much the same skin
        distance, k = tree.query(placed, k=3, workers=1)
        weight = 1 / (distance + 0.05)
        weight /= weight.sum(1, keepdims=True)
        anchors = skin[::7][k]
        offsets = placed - np.einsum("nkc,nk->nc", vertices[anchors], weight)
        size = self._scale(proxy, vertices)
        return replace(
            proxy,
            anchors=anchors.astype(np.int32),
            shares=weight.astype(np.float32),
            offsets=(offsets / size).astype(np.float32),
        )

    def skin_texture(self, identity: Identity, size: int = 1024) -> np.ndarray | None:
        """A photographed skin near the person's tone, recoloured to it, with painted brows, lashes and scalp.

        Returns:
            (size, size, 3) float32 sRGB as `skin.skin_texture`; None without any skin.
        """
        male = identity.gender > 0.5
        wanted = base_tone(identity.tone, identity.undertone)

        def unlike(skin: SkinPhoto) -> float:
            return float(np.abs(np.array(skin.colour) - wanted).sum()) + 0.3 * (skin.male != male)

        for skin in sorted(self.skins, key=unlike):
            try:
                photo = self._photo(skin, size)
            except (OSError, ValueError, SyntaxError) as error:
                self._notes.append(f"{skin.path}: this skin cannot be read and is left out ({error}).")
                self.skins = tuple(other for other in self.skins if other is not skin)
                continue
            gain = np.clip(wanted / np.maximum(np.array(skin.colour), 0.05), 0.55, 1.7).astype(np.float32)
            return paint_photo(identity, self.body, np.clip(photo * (gain / 255), 0, 1))
        return None

    def _photo(self, skin: SkinPhoto, size: int) -> np.ndarray:
        """(size, size, 3) uint8, kept once read."""
        key = (skin.name, size)
        if key not in self._photos:
            with Image.open(skin.path) as image:
                photo = np.asarray(image.convert("RGB"))
            way = cv2.INTER_AREA if size <= len(photo) else cv2.INTER_LINEAR
            self._photos[key] = cv2.resize(photo, (size, size), interpolation=way)
        return self._photos[key]

    def hair(self, identity: Identity, nodes: np.ndarray, choice: int = 0) -> HairMesh | None:
        """Modelled hair in the person's colour.

        Args:
            identity: the person; hair shapes without a mesh stay without.
            nodes: of `Body.nodes`.
            choice: which of those that suit; any integer.

        Returns:
            The mesh, or None without suitable hair.
        """
        long = ("long", "braid", "ponytail", "bob")

        def suits(name: str) -> bool:
            wants_long = identity.hair in LONG_HAIR or identity.hair in ("bob", "lob", "ponytail", "bun")
            curly = identity.hair in ("afro", "curls")
            return name.startswith(long) == wants_long and name.startswith("afro") == curly

        proxies = [proxy for proxy in self.hairs if suits(proxy.name)]
        if not proxies:
            return None
        proxy = proxies[choice % len(proxies)]
        vertices = nodes[: self.body.count].astype(np.float64)
        points = self._fit(proxy, vertices)
        standard = self._fit(proxy, self.body.vertices(STANDARD).astype(np.float64))
        bones, weights = hair_weights(self.body, standard)
        normals = vertex_normals(points, proxy.faces)
        outward = points - np.array([0, points[:, 1].max() - 1.0, points[:, 2].mean()])
        normals = np.where((normals * outward).sum(1, keepdims=True) < 0, -normals, normals)
        outward[:, 1] *= smoothstep(-2.0, 0.5, outward[:, 1])
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
        normals = normals * 0.5 + outward * 0.5
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        texture = proxy.texture.copy()
        light = texture[..., :3].mean(2)
        seen = texture[..., 3] > 0.5
        middle = float(light[seen].mean()) if seen.any() else 0.5
        contrast = np.clip((light - middle) * 0.9 / max(middle, 0.12), -0.45, 0.6)
        texture[..., :3] = np.clip(np.array(identity.hair_colour) * (1 + contrast[..., None]), 0.01, 0.97)
        return HairMesh(
            vertices=points.astype(np.float32),
            faces=proxy.faces,
            texture_points=proxy.texture_points,
            texture=texture,
            normals=normals.astype(np.float32),
            weight_bones=bones,
            weights=weights,
        )
