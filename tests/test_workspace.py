from __future__ import annotations

import builtins
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from vto_utils.assets import cache_dir
from vto_utils.errors import InputError, OutputError
from vto_utils.workspace import image_files, in_colab, offer_samples, open_workspace

ROOT = Path(__file__).resolve().parent.parent
FAKES = Path(__file__).resolve().parent / "fakes"
COLAB_NAMES = ("COLAB_RELEASE_TAG", "FAKE_COLAB_REFUSE")
FOLDERS = ("persons", "cloths", "checkpoints", "results")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No setting of the surrounding shell, and a working folder of our own."""
    for name in ("VTO_WORKSPACE", "VTO_CACHE", "VTO_DRIVE_CACHE", "VTO_DRIVE_MOUNT", *COLAB_NAMES):
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


def only_sentence(capsys) -> str:
    """What was printed, which must be a single line; Colab's own words on mounting are left out."""
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(("Mounted", "Drive "))]
    assert len(lines) == 1
    return lines[0]


def refuse_writing(monkeypatch, below: Path, number: int) -> None:
    """Files below a folder fail to be made, as on a full or read-only mount, whoever asks for it."""
    real = tempfile.NamedTemporaryFile

    def failing(*args, **settings):
        if Path(settings["dir"]).resolve().is_relative_to(below.resolve()):
            raise OSError(number, os.strerror(number), str(settings["dir"]))
        return real(*args, **settings)

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", failing)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "read but not written"),
        (errno.EACCES, "read but not written"),
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
        (errno.ENOTCONN, "connection to it was lost"),
        (errno.EIO, "connection to it was lost"),
        (errno.ELOOP, os.strerror(errno.ELOOP)),
    ],
)
def test_drive_that_cannot_be_written(colab, monkeypatch, capsys, number, words):
    refuse_writing(monkeypatch, colab, number)
    workspace = open_workspace()
    said = only_sentence(capsys)
    assert words in said and str(workspace.root) in said and "run this cell again" in said
    assert (workspace.root, workspace.on_drive) == (Path.cwd() / "vto_workspace", False)
    assert "VTO_CACHE" not in os.environ and workspace.models == cache_dir()
    photo(workspace.persons / "me.jpg")
    assert contents(colab) == {}


def test_full_disk_is_noticed_by_the_bytes(tmp_path, monkeypatch):
    # An empty file can still be made on a full disk: the folder is one whose files take no byte.
    def full(*args, **settings):
        return builtins.open("/dev/full", "wb", buffering=0)

    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(OutputError, match=r"No space left.*Choose another one"):
        open_workspace(tmp_path / "chosen")


def test_chosen_folder_that_cannot_be_written(colab, tmp_path, monkeypatch):
    refuse_writing(monkeypatch, tmp_path, errno.EROFS)
    with pytest.raises(OutputError, match=r"chosen.*Choose another one"):
        open_workspace(tmp_path / "chosen")
    monkeypatch.setenv("VTO_WORKSPACE", str(tmp_path / "asked"))
    with pytest.raises(OutputError, match=r"asked.*Choose another one"):
        open_workspace()


def test_model_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("VTO_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"model files.*Set VTO_CACHE"):
        open_workspace(tmp_path / "chosen")


def test_nothing_is_left_by_the_probe(colab):
    assert open_workspace().on_drive
    assert contents(colab) == {}


def test_file_in_the_place_of_the_folder_on_drive(colab, capsys):
    colab.mkdir()
    (colab / "VTO3").write_text("mine")
    assert not open_workspace().on_drive
    assert "is a file there" in only_sentence(capsys)
    assert contents(colab) == {"VTO3": b"mine"}


def test_drive_that_already_has_files(colab):
    for name in ("persons/me.jpg", "cloths/shirt.png"):
        photo(colab / "VTO3" / name)
    for name in ("checkpoints/run/best.pth", "results/old.png", "models/u2netp.onnx", "notes.txt"):
        (colab / "VTO3" / name).parent.mkdir(parents=True, exist_ok=True)
        (colab / "VTO3" / name).write_text(name)
    before = contents(colab)
    for _ in range(2):
        workspace = open_workspace()
        assert workspace.on_drive and offer_samples(workspace) == 0
    assert contents(colab) == before


def test_drive_that_vanishes(colab, monkeypatch, tmp_path, capsys):
    on_drive = open_workspace()
    photo(on_drive.persons / "me.jpg")
    kept = contents(colab)
    import google.colab.drive as drive

    drive.flush_and_unmount()
    monkeypatch.setenv("FAKE_COLAB_REFUSE", "1")
    capsys.readouterr()
    local = open_workspace()
    assert "credential propagation" in only_sentence(capsys)
    assert (local.root, local.on_drive) == (Path.cwd() / "vto_workspace", False)
    assert "VTO_CACHE" not in os.environ and local.models == cache_dir() != on_drive.models
    # Nothing may be made below the mount point: Drive would then refuse to come back.
    assert list((tmp_path / "drive").iterdir()) == []
    monkeypatch.delenv("FAKE_COLAB_REFUSE")
    assert open_workspace() == on_drive
    assert contents(colab) == kept


def test_users_own_model_folder_stays_when_drive_vanishes(colab, monkeypatch, tmp_path):
    monkeypatch.setenv("VTO_CACHE", str(tmp_path / "own"))
    assert open_workspace().on_drive
    import google.colab.drive as drive

    drive.flush_and_unmount()
    monkeypatch.setenv("FAKE_COLAB_REFUSE", "1")
    assert open_workspace().models == tmp_path / "own"
    assert os.environ["VTO_CACHE"] == str(tmp_path / "own")


def test_chosen_folder_after_drive_vanished(colab, tmp_path):
    on_drive = open_workspace()
    import google.colab.drive as drive

    drive.flush_and_unmount()
    workspace = open_workspace(tmp_path / "chosen")
    assert workspace.models != on_drive.models and "VTO_CACHE" not in os.environ
    assert list((tmp_path / "drive").iterdir()) == []


def test_dead_mount_point(colab, monkeypatch, tmp_path, capsys):
    """A file system that died under its mount point answers every question about it with an error."""
    import google.colab.drive as drive

    def dead(path, *args, real=os.stat, **settings):
        if isinstance(path, (str, os.PathLike)) and str(path).startswith(str(tmp_path / "drive")):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))
        return real(path, *args, **settings)

    monkeypatch.setattr(os, "stat", dead)
    monkeypatch.setattr(drive, "mount", lambda *_: os.stat(tmp_path / "drive"))
    assert not open_workspace().on_drive
    assert "not connected" in only_sentence(capsys)


def test_what_a_program_wrote_below_the_mount_point_is_not_drive(colab, tmp_path, capsys):
    (tmp_path / "drive" / "MyDrive" / "VTO3" / "models").mkdir(parents=True)
    assert not open_workspace().on_drive
    assert "must not already contain files" in only_sentence(capsys)


@pytest.mark.parametrize("gone", [False, True])
def test_working_folder_on_an_unusable_drive(colab, monkeypatch, tmp_path, gone):
    work = open_workspace().root / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    if gone:
        shutil.rmtree(colab)
    else:
        refuse_writing(monkeypatch, colab, errno.EROFS)
        monkeypatch.setattr(Path, "cwd", lambda: work)  # as on a mount, where no link is followed
    assert open_workspace().root == tmp_path / "vto_workspace"


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
