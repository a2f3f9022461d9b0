"""Whether the running kernel still matches what is installed: a package replaced on disk needs a restart."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from types import MappingProxyType

# Import name -> distribution name. Only packages whose __version__ is the distribution's: OpenCV's, for one, is not.
PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "numpy": "numpy",
        "PIL": "pillow",
        "scipy": "scipy",
        "numba": "numba",
        "torch": "torch",
        "torchvision": "torchvision",
        "matplotlib": "matplotlib",
        "ipywidgets": "ipywidgets",
        "google.protobuf": "protobuf",
    }
)


def changed_packages(packages: Mapping[str, str] = PACKAGES) -> list[tuple[str, str, str]]:
    """The imported packages whose version on disk is no longer the imported one.

    Args:
        packages: import name -> distribution name.

    Returns:
        Triples (distribution name, imported version, version on disk). Packages that are not imported, state no
        version or are not installed as distributions are left out: nothing is known against them.
    """
    importlib.invalidate_caches()  # the listing of the folder may be older than the installation
    changed = []
    for module, distribution in packages.items():
        imported = getattr(sys.modules.get(module), "__version__", None)
        try:
            on_disk = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
        if imported and on_disk and _public(str(imported)) != _public(on_disk):
            changed.append((distribution, str(imported), on_disk))
    return changed


def restart_advice(packages: Mapping[str, str] = PACKAGES) -> str:
    """One sentence: whether the runtime must be restarted after an installation, and because of which packages."""
    changed = changed_packages(packages)
    if not changed:
        return "No restart needed: what is loaded is what is installed."
    names = ", ".join(f"{name} {loaded} is loaded but {on_disk} installed" for name, loaded, on_disk in changed)
    return f"Restart needed ({names}): choose Runtime > Restart session, then run all cells again."


def _public(version: str) -> str:
    """A version without a local part such as "+cu128", which either side may leave out; 1.0.0 and 1.0 are one."""
    return re.sub(r"(\.0)+$", "", version.split("+")[0].replace("-", ""))
