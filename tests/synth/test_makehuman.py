"""Optional assets: what is sound is used, what is broken is told, nothing else happens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vto_utils.synth.body import Body, Shape, load_body
from vto_utils.synth.makehuman import MakeHumanAssets
from vto_utils.synth.people import Identity
from vto_utils.synth.standard import STANDARD


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def write_skin(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = folder / "skins" / name / f"{name}_diffuse.jpg"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (128, 128), colour).save(path)
    return path


def write_hair(folder: Path, body: Body, name: str, *, lost: bool = False, picture: bool = True) -> Path:
    """A little cap: scalp vertices pushed out by 0.1 dm, as a .mhclo and its .obj."""
    vertices = body.vertices(STANDARD)
    top = np.flatnonzero((vertices[:, 1] > 8.0) & np.isin(np.arange(body.count), body.faces))
    faces = np.searchsorted(top, body.faces[np.isin(body.faces, top).all(1)])
    home = folder / "hair" / name
    home.mkdir(parents=True)
    original = body.data["original"]
    lines = ["# made by a test", f"obj_file {name}.obj"]
    for axis in range(3):
        one, two = top[np.argsort(vertices[top, axis])[[0, -1]]]
        reference = abs(vertices[one, axis] - vertices[two, axis])
        lines.append(f"{'xyz'[axis]}_scale {original[one]} {original[two]} {reference:.4f}")
    lines.append("verts 0")
    for v in top:
        k = 19000 if lost else original[v]  # a helper vertex
        lines.append(f"{k} {k} {k} 0.5 0.25 0.25 0 0.1 0")
    (home / f"{name}.mhclo").write_text("\n".join(lines))
    shape = [f"v {x:.5f} {y + 0.1:.5f} {z:.5f}" for x, y, z in vertices[top]]
    shape += ["vt 0.5 0.5", "vt 0.6 0.5", "vt 0.5 0.6"]
    shape += [f"f {a + 1}/1 {b + 1}/2 {c + 1}/3" for a, b, c in faces]
    (home / f"{name}.obj").write_text("\n".join(shape))
    if picture:
        Image.new("RGBA", (32, 32), (120, 100, 80, 255)).save(home / f"{name}_diffuse.png")
    return home / f"{name}.mhclo"


def test_no_folder_is_a_note(tmp_path: Path, body: Body) -> None:
    assets = MakeHumanAssets(tmp_path / "nothing", body)
    assert not assets.skins and not assets.hairs
    assert len(assets.notes) == 1 and "nothing" in assets.notes[0]
    assert assets.skin_texture(Identity(), 128) is None
    assert assets.hair(Identity(), body.nodes(Shape())) is None


def test_an_empty_folder_needs_no_note(tmp_path: Path, body: Body) -> None:
    assets = MakeHumanAssets(tmp_path, body)
    assert assets.notes == () and assets.skins == () and assets.hairs == ()


def test_skins_are_matched_to_tone_and_sex(tmp_path: Path, body: Body) -> None:
    write_skin(tmp_path, "young_asian_female", (215, 170, 140))
    write_skin(tmp_path, "young_african_male", (80, 55, 40))
    assets = MakeHumanAssets(tmp_path, body)
    assert [skin.male for skin in assets.skins] == [True, False] and assets.notes == ()
    pale = assets.skin_texture(Identity(gender=0.0, tone=0.2), 128)
    dark = assets.skin_texture(Identity(gender=1.0, tone=0.9), 128)
    assert pale.shape == (128, 128, 3) and pale.dtype == np.float32 and pale.min() >= 0 and pale.max() <= 1
    assert pale[:, :84].mean() > dark[:, :84].mean() + 0.3


def test_hair_is_fitted(tmp_path: Path, body: Body) -> None:
    write_hair(tmp_path, body, "short01")
    assets = MakeHumanAssets(tmp_path, body)
    assert [proxy.name for proxy in assets.hairs] == ["short01"] and assets.notes == ()
    identity = Identity(hair="crop", hair_colour=(0.5, 0.3, 0.2))
    for shape in (STANDARD, Shape(height=0.8, gender=1.0)):
        nodes = body.nodes(shape)
        mesh = assets.hair(identity, nodes)
        top = nodes[: body.count, 1].max()
        assert mesh.vertices[:, 1].max() == pytest.approx(top + 0.1, abs=0.03)
        np.testing.assert_allclose(mesh.weights.sum(1), 1, atol=1e-5)
        assert mesh.faces.max() < len(mesh.vertices) == len(mesh.texture_points)
        np.testing.assert_allclose(mesh.texture[..., :3].mean((0, 1)), (0.5, 0.3, 0.2), atol=0.02)
    assert assets.hair(Identity(hair="long_straight"), nodes) is None  # no long hair in the folder


def test_hair_on_helper_vertices_is_placed_like_its_author_s_other_hair(tmp_path: Path, body: Body) -> None:
    write_hair(tmp_path, body, "short01")
    write_hair(tmp_path, body, "long01", lost=True)
    assets = MakeHumanAssets(tmp_path, body)
    assert [proxy.name for proxy in assets.hairs] == ["long01", "short01"] and assets.notes == ()
    nodes = body.nodes(STANDARD)
    one = assets.hair(Identity(hair="crop"), nodes).vertices
    two = assets.hair(Identity(hair="long_straight"), nodes).vertices
    np.testing.assert_allclose(np.sort(one, axis=0), np.sort(two, axis=0), atol=0.02)


def test_hair_on_helper_vertices_alone_is_a_note(tmp_path: Path, body: Body) -> None:
    write_hair(tmp_path, body, "long01", lost=True)
    assets = MakeHumanAssets(tmp_path, body)
    assert assets.hairs == () and len(assets.notes) == 1 and "long01" in assets.notes[0]


def test_broken_files_are_told_and_the_rest_is_used(tmp_path: Path, body: Body) -> None:
    write_skin(tmp_path, "young_asian_female", (215, 170, 140))
    broken = write_skin(tmp_path, "old_female", (200, 150, 120))
    broken.write_bytes(broken.read_bytes()[:100])
    write_hair(tmp_path, body, "short01")
    write_hair(tmp_path, body, "short02", picture=False)
    (write_hair(tmp_path, body, "short03").parent / "short03.obj").unlink()
    write_hair(tmp_path, body, "short04").write_text("obj_file short04.obj\nverts 0\n")
    no_faces = write_hair(tmp_path, body, "short05").with_suffix(".obj")
    no_faces.write_text("v 0 0 0\n")
    wrong = write_hair(tmp_path, body, "short06").with_suffix(".obj")
    wrong.write_text("v 0 0 0\nvt 0 0\nf 1/1 2/1 3/1\n")
    noise = tmp_path / "hair" / "short07" / "short07.mhclo"
    noise.parent.mkdir()
    noise.write_bytes(bytes(range(256)) * 20)
    assets = MakeHumanAssets(tmp_path, body)
    assert [skin.name for skin in assets.skins] == ["young_asian_female"]
    assert [proxy.name for proxy in assets.hairs] == ["short01"]
    told = "\n".join(assets.notes)
    assert len(assets.notes) == 7
    for name in ("old_female", "short02", "short03", "short04", "short05", "short06", "short07"):
        assert name in told
    assert all(note.endswith(".") for note in assets.notes)


def test_a_skin_that_breaks_later_is_a_note_too(tmp_path: Path, body: Body) -> None:
    path = write_skin(tmp_path, "young_asian_female", (215, 170, 140))
    assets = MakeHumanAssets(tmp_path, body)
    path.unlink()
    assert assets.skin_texture(Identity(), 128) is None
    assert len(assets.notes) == 1 and str(path) in assets.notes[0]
