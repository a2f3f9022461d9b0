"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import OutputError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block succeeds.

    The temporary name keeps the suffix, so writers that choose a format by suffix work unchanged. When the
    block fails the temporary file is removed and whatever stood at ``path`` before is untouched.

    Raises:
        OutputError: the folder cannot be written, ``path`` is a folder, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file to write.")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes private files; a result should have the permissions any other new file gets.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"Could not write {path}: {reason}; choose another place or make room.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
