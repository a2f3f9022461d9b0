from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vto_utils.assets import cache_dir
from vto_utils.errors import InputError, OutputError
from vto_utils.workspace import image_files, in_colab, offer_samples, open_workspace

ROOT = Path(__file__).resolve().parent.parent
FAKES = Path(__file__).resolve().parent / "fakes"
FOLDERS = ("persons", "cloths", "checkpoints", "results")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No setting of the surrounding shell, and a working folder of our own."""
    for name in ("VTO_WORKSPACE", "VTO_CACHE", "VTO_DRIVE_MOUNT", "COLAB_RELEASE_TAG", "FAKE_COLAB_REFUSE"):
        monkeypatch.setenv(name, "")  # so that what a test sets is taken back after it
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("google.colab", "google.colab.drive"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def colab(monkeypatch, tmp_path):
    """The fake Colab: Drive's content lies in the returned folder."""
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_test")
    monkeypatch.setenv("FAKE_COLAB_DRIVE", str(tmp_path / "backing"))
    monkeypatch.setenv("VTO_DRIVE_MOUNT", str(tmp_path / "drive"))
    yield tmp_path / "backing"
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]
    if hasattr(sys.modules.get("google"), "colab"):
        del sys.modules["google"].colab


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 60), "red").save(path)


def test_local_folder_with_one_sentence(capsys):
    workspace = open_workspace()
    assert workspace.root == Path.cwd() / "vto_workspace"
    assert not workspace.on_drive
    assert all(getattr(workspace, name) == workspace.root / name for name in FOLDERS)
    assert all((workspace.root / name).is_dir() for name in FOLDERS)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and str(workspace.root) in said[0]


def test_opening_twice_keeps_the_files():
    first = open_workspace()
    photo(first.persons / "me.jpg")
    second = open_workspace()
    assert first == second
    assert [path.name for path in second.person_files()] == ["me.jpg"]


def test_given_root_and_environment(monkeypatch, tmp_path):
    assert open_workspace(tmp_path / "given").root == tmp_path / "given"
    monkeypatch.setenv("VTO_WORKSPACE", str(tmp_path / "asked"))
    assert open_workspace(tmp_path / "given").root == tmp_path / "asked"


def test_new_local_workspace_hides_itself_from_git(tmp_path):
    subprocess.run(["git", "init", "-q", "."], check=True)
    photo(open_workspace().persons / "private.jpg")
    status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert status.stdout == ""


def test_existing_folder_of_the_user_is_not_hidden(tmp_path):
    (tmp_path / "project").mkdir()
    assert not (open_workspace(tmp_path / "project").root / ".gitignore").exists()


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"file.*Choose another one"):
        open_workspace(tmp_path / "file")


def test_in_colab(monkeypatch):
    assert not in_colab()
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260825")
    assert in_colab()
    monkeypatch.delenv("COLAB_RELEASE_TAG")
    monkeypatch.setitem(sys.modules, "google.colab", None)  # what blocking an import leaves behind
    assert not in_colab()
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert in_colab()


def test_drive_is_mounted(colab, capsys):
    workspace = open_workspace()
    assert workspace.on_drive
    assert workspace.root.parts[-2:] == ("MyDrive", "VTO3")
    photo(workspace.persons / "me.jpg")
    assert (colab / "VTO3" / "persons" / "me.jpg").is_file()
    assert "on Google Drive" in capsys.readouterr().out.splitlines()[-1]
    assert not (workspace.root / ".gitignore").exists()


def test_model_files_are_kept_on_drive(colab, monkeypatch, tmp_path):
    workspace = open_workspace()
    assert workspace.models == cache_dir() == workspace.root / "models"
    assert open_workspace(tmp_path / "local").models == workspace.models  # chosen once per process
    monkeypatch.setenv("VTO_CACHE", str(tmp_path / "own"))
    assert open_workspace().models == tmp_path / "own"


def test_model_files_are_shared_by_local_workspaces(tmp_path):
    first, second = open_workspace(tmp_path / "a"), open_workspace(tmp_path / "b")
    assert first.models == second.models == cache_dir()
    assert first.models.is_dir() and "VTO_CACHE" not in os.environ


def test_drive_already_mounted_by_another_process(colab, monkeypatch):
    first = open_workspace()
    import google.colab.drive as drive

    monkeypatch.setattr(drive, "mount", lambda *_: pytest.fail("mounted a second time"))
    assert open_workspace() == first


def test_drive_remounted_after_unmounting(colab):
    photo(open_workspace().cloths / "shirt.png")
    import google.colab.drive as drive

    drive.flush_and_unmount()
    assert [path.name for path in open_workspace().cloth_files()] == ["shirt.png"]


def test_drive_refused(colab, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_COLAB_REFUSE", "1")
    workspace = open_workspace()
    assert workspace.root == Path.cwd() / "vto_workspace"
    assert not workspace.on_drive
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "credential propagation was unsuccessful" in said[0] and "Colab deletes it" in said[0]


def test_drive_cannot_be_mounted_over_files(colab, tmp_path, capsys):
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "something").write_text("x")
    assert not open_workspace().on_drive
    assert "must not already contain files" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "drive").iterdir()) == ["something"]


def test_colab_without_its_package(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_test")
    monkeypatch.setenv("VTO_DRIVE_MOUNT", str(tmp_path / "drive"))
    assert not open_workspace().on_drive
    assert "google" in capsys.readouterr().out


def test_image_files(tmp_path):
    for name in ("b.JPG", "A.png", ".hidden.png", "notes.txt", "c.webp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in image_files(tmp_path)] == ["A.png", "b.JPG", "c.webp"]


def test_choosing_a_photo_by_name(tmp_path):
    workspace = open_workspace()
    with pytest.raises(InputError, match="no photo in .*persons"):
        workspace.person_file()
    photo(workspace.persons / "b.jpg")
    photo(workspace.persons / "a.jpg")
    photo(workspace.cloths / "shirt.png")
    assert workspace.person_file().name == "a.jpg"
    assert workspace.person_file("b.jpg") == workspace.persons / "b.jpg"
    assert workspace.cloth_file().name == "shirt.png"
    with pytest.raises(InputError, match=r"c\.jpg.*choose one of a\.jpg, b\.jpg"):
        workspace.person_file("c.jpg")


def test_samples_fill_empty_folders_only(tmp_path):
    samples = tmp_path / "samples"
    photo(samples / "person" / "p1.jpg")
    photo(samples / "cloth" / "c1.png")
    photo(samples / "cloth" / "c2.png")
    workspace = open_workspace()
    photo(workspace.persons / "me.jpg")
    assert offer_samples(workspace, samples) == 2
    assert [path.name for path in workspace.person_files()] == ["me.jpg"]
    assert [path.name for path in workspace.cloth_files()] == ["c1.png", "c2.png"]
    assert (workspace.cloths / "c1.png").read_bytes() == (samples / "cloth" / "c1.png").read_bytes()
    assert offer_samples(workspace, samples) == 0


def test_sample_folder_missing(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        offer_samples(open_workspace(), tmp_path / "nowhere")


def test_the_projects_own_samples():
    workspace = open_workspace()
    assert offer_samples(workspace) == len(workspace.person_files()) + len(workspace.cloth_files())
    assert workspace.person_files() and workspace.cloth_files()
