from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from vto_utils.panels.environment import PACKAGES, changed_packages, restart_advice

ROOT = Path(__file__).resolve().parent.parent
NAME = "restart_probe_package"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package of one file as pip leaves it on disk; called again, it is replaced by another version."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, NAME, None)  # so that what a test imports is taken back after it
    monkeypatch.delitem(sys.modules, NAME)

    def install(version: str) -> None:
        for old in tmp_path.glob("*.dist-info"):
            (old / "METADATA").unlink()
            old.rmdir()
        folder = tmp_path / f"{NAME}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n")
        (tmp_path / f"{NAME}.py").write_text(f"__version__ = {version!r}\n")
        importlib.invalidate_caches()

    return install


def test_package_replaced_after_its_import(install):
    install("1.2.0")
    assert importlib.import_module(NAME).__version__ == "1.2.0"
    assert changed_packages({NAME: NAME}) == []
    assert restart_advice({NAME: NAME}).startswith("No restart needed")
    install("1.3.0")
    assert changed_packages({NAME: NAME}) == [(NAME, "1.2.0", "1.3.0")]
    advice = restart_advice({NAME: NAME})
    assert "1.2.0 is loaded but 1.3.0 installed" in advice and "Restart session" in advice and "\n" not in advice


def test_package_replaced_before_its_import_needs_no_restart(install):
    install("1.2.0")
    install("1.3.0")
    assert changed_packages({NAME: NAME}) == []
    importlib.import_module(NAME)
    assert changed_packages({NAME: NAME}) == []


@pytest.mark.parametrize(
    ("loaded", "on_disk", "changed"),
    [
        ("2.11.0+cu128", "2.11.0", False),
        ("2.11.0", "2.11.0+cu128", False),
        ("1.0", "1.0.0", False),
        ("1.0.0rc1", "1.0.0-rc1", False),
        ("2.1.3", "2.1.4", True),
        ("1.0.0rc1", "1.0.0", True),
        ("built by hand", "1.0.0", True),
    ],
)
def test_what_counts_as_another_version(install, monkeypatch, loaded, on_disk, changed):
    install(on_disk)
    module = ModuleType(NAME)
    module.__version__ = loaded
    monkeypatch.setitem(sys.modules, NAME, module)
    assert bool(changed_packages({NAME: NAME})) is changed


def test_nothing_is_known_against_what_states_no_version(install, monkeypatch):
    install("1.0.0")
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    assert changed_packages({NAME: NAME, "sys": "no-such-distribution-here"}) == []


def test_this_environment_asks_for_no_restart():
    """Each package of the list states, once imported, the version of its distribution; else it would ask for ever."""
    code = (
        "import contextlib, importlib\n"
        "from vto_utils.panels.environment import PACKAGES, changed_packages\n"
        "for name in PACKAGES:\n"
        "    with contextlib.suppress(ImportError):\n"
        "        importlib.import_module(name)\n"
        "print(changed_packages())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]" and "torch" in PACKAGES
