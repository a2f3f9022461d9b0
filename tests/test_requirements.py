"""requirements.txt must hold at both ends: today's Google Colab and the newest releases."""

from __future__ import annotations

import ast
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent

# What Colab has loaded before anything is installed (its runtime of August 2026).
COLAB = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.1.3",
    "pillow": "11.3.0",
    "opencv-python": "5.0.0.93",
    "matplotlib": "3.10.0",
    "ipywidgets": "7.7.1",
    "safetensors": "0.8.0",
}
NEWEST = {
    "torch": "2.15.0",
    "torchvision": "0.29.2",
    "numpy": "2.5.5",
    "pillow": "13.0.0",
    "opencv-python": "5.0.0.93",
    "matplotlib": "3.11.2",
    "ipywidgets": "8.1.9",
    "safetensors": "0.8.0",
    "mediapipe": "1.2.2",
    "tqdm": "4.70.1",
    "flatbuffers": "25.12.19",
}
# Import names that differ from the name on PyPI.
DISTRIBUTIONS = {"cv2": "opencv-python", "PIL": "pillow"}
# Come with one of ours, in the variant that one needs: naming them again could install a second variant.
BROUGHT_BY = {"onnxruntime": "rembg", "IPython": "ipywidgets"}
# Not on PyPI in usable form; requirements.txt says in comments where they come from.
PROVIDED_ELSEWHERE = {"detectron2", "google"}
# Used where they are installed: several processes, and SSIM in the validation of a training run.
OPTIONAL = {"accelerate", "torchmetrics"}


def read(path: Path) -> dict[str, Requirement]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


REQUIREMENTS = read(ROOT / "requirements.txt")


@pytest.mark.parametrize("versions", [COLAB, NEWEST], ids=["colab", "newest"])
def test_ranges_hold_at_both_ends(versions):
    for name, version in versions.items():
        assert version in REQUIREMENTS[name].specifier, f"{REQUIREMENTS[name]} refuses {version}"


def test_rembg_stays_in_the_window_that_leaves_colab_alone():
    rembg = REQUIREMENTS["rembg"]
    assert rembg.extras == {"cpu"}  # without the extra, onnxruntime is missing
    tried = ("2.0.66", "2.0.67", "2.0.69", "2.0.70", "2.0.86")
    assert [version for version in tried if version in rembg.specifier] == ["2.0.67", "2.0.69"]


def test_mediapipe_has_the_tasks_api():
    specifier = REQUIREMENTS["mediapipe"].specifier
    assert "1.0.0" in specifier and "0.10.21" not in specifier and "2.0.0" not in specifier


def test_everything_is_a_range():
    for path in (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"):
        for requirement in read(path).values():
            operators = {specifier.operator for specifier in requirement.specifier}
            assert ">=" in operators and "==" not in operators, f"{path.name}: {requirement}"


def third_party_imports(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"vto_utils"}


def required(name: str) -> str:
    """The distribution that an import needs, as REQUIREMENTS spells it."""
    return canonicalize_name(BROUGHT_BY.get(name) or DISTRIBUTIONS.get(name, name))


def test_brought_packages_are_brought():
    for name, distribution in BROUGHT_BY.items():
        extras = REQUIREMENTS[distribution].extras or {""}
        needs = [Requirement(text) for text in metadata.requires(distribution)]
        assert canonicalize_name(name) in {
            canonicalize_name(need.name)
            for need in needs
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)
        }


def test_finding_imports():
    source = "import os.path, cv2\nfrom PIL import Image\nfrom . import files\ndef f():\n    import torch.nn\n"
    assert third_party_imports(source) == {"cv2", "PIL", "torch"}


def test_every_import_of_the_package_is_required():
    imports = {
        name: path
        for path in sorted((ROOT / "vto_utils").rglob("*.py"))
        for name in third_party_imports(path.read_text(encoding="utf-8"))
    }
    assert {"numpy", "torch", "PIL"} <= set(imports)
    for name, path in imports.items():
        if name not in PROVIDED_ELSEWHERE | OPTIONAL:
            assert required(name) in REQUIREMENTS, f"{path.name} imports {name}, which requirements.txt lacks"


def test_comments_say_where_the_others_come_from():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for word in ("google-colab", "detectron2", "--no-build-isolation", "setuptools<82"):
        assert word in text
    assert not PROVIDED_ELSEWHERE & set(REQUIREMENTS)
    for name in OPTIONAL:
        assert name in text and name not in REQUIREMENTS


def test_requirements_of_the_tests_cover_the_tests():
    allowed = set(REQUIREMENTS) | set(read(ROOT / "tests" / "requirements.txt"))
    local = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"tests"}
    for path in sorted((ROOT / "tests").glob("*.py")):
        for name in third_party_imports(path.read_text(encoding="utf-8")) - local - PROVIDED_ELSEWHERE:
            assert required(name) in allowed, f"{path.name} imports {name}"
