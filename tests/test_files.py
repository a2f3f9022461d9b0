from __future__ import annotations

import errno
import os

import pytest

from vto_utils.errors import OutputError
from vto_utils.files import atomic_path


def test_file_appears_whole_under_its_name(tmp_path):
    path = tmp_path / "new" / "folder" / "result.png"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".png" and temporary != path
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_path_may_be_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_path("result") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "result").read_text() == "whole"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_failure_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_full_disk_is_one_sentence(tmp_path):
    with (
        pytest.raises(OutputError, match=r"result\.txt.*No space left") as caught,
        atomic_path(tmp_path / "result.txt"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path, tmp_path / "file" / "result.txt"):
        with pytest.raises(OutputError), atomic_path(path):
            pytest.fail("the block must not run")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_no_permission(unprivileged):
    with pytest.raises(OutputError, match="Permission denied"), atomic_path(unprivileged / "result.txt"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_are_those_of_any_new_file(tmp_path):
    mask = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "result.txt"):
            pass
        (tmp_path / "plain.txt").touch()
    finally:
        os.umask(mask)
    assert (tmp_path / "result.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
