"""Google Drive as a folder on disk, named by ``FAKE_COLAB_DRIVE``.

``FAKE_COLAB_REFUSE=1`` stands for a user who closes the permission dialogue.
"""

import os
from pathlib import Path


class MessageError(Exception):
    pass


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    mountpoint = Path(mountpoint).expanduser()
    if (mountpoint / "My Drive").is_dir() and not force_remount:
        print(
            f"Drive already mounted at {mountpoint}; to attempt to forcibly remount, "
            f'call drive.mount("{mountpoint}", force_remount=True).'
        )
        return
    if " " in str(mountpoint):
        raise ValueError("Mountpoint must not contain a space.")
    if os.environ.get("FAKE_COLAB_REFUSE"):
        raise MessageError("Error: credential propagation was unsuccessful")
    if mountpoint.is_symlink():
        raise ValueError("Mountpoint must not be a symlink")
    if mountpoint.is_dir() and any(mountpoint.iterdir()):
        raise ValueError("Mountpoint must not already contain files")
    if mountpoint.exists() and not mountpoint.is_dir():
        raise ValueError("Mountpoint must either be a directory or not exist")
    if not mountpoint.parent.exists():
        raise ValueError("Mountpoint must be in a directory that exists")
    backing = Path(os.environ["FAKE_COLAB_DRIVE"])
    backing.mkdir(parents=True, exist_ok=True)
    mountpoint.mkdir(exist_ok=True)
    for name in ("My Drive", "MyDrive"):
        (mountpoint / name).symlink_to(backing, target_is_directory=True)
    print(f"Mounted at {mountpoint}")


def flush_and_unmount(timeout_ms=24 * 60 * 60 * 1000):
    mountpoint = Path(os.environ.get("VTO_DRIVE_MOUNT", "/content/drive"))
    if not (mountpoint / "My Drive").is_dir():
        print("Drive not mounted, so nothing to flush and unmount.")
        return
    for name in ("My Drive", "MyDrive"):
        (mountpoint / name).unlink()
