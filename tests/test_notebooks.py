"""The notebooks as a reader gets them, and as they run: headless, twice, here and on a make-believe Colab."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from vto_utils import assets

ROOT = Path(__file__).resolve().parent.parent
FAKES = Path(__file__).resolve().parent / "fakes"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = ["01_setup", "02_preprocessing", "03_training", "04_inference"]
# Small values for the cells tagged "parameters"; everything else runs as a reader runs it.
SMALL = {"03_training": {"steps": 2, "run_steps": 4}, "04_inference": {"people": 1, "garments": 2}}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def cell_of(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == name)


def plain_python(source: str) -> str:
    """A cell's source with IPython's magics turned into calls."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def parameters_cell(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))


def test_the_four_notebooks_are_there():
    assert [path.stem for path in NOTEBOOKS] == NAMES


@every_notebook
def test_valid_and_stripped(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert "widgets" not in notebook.metadata
    for cell in code_cells(path):
        assert cell.outputs == [] and cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}


@every_notebook
def test_file_is_written_the_way_tools_write_it(path):
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


@every_notebook
def test_cell_ids_are_names_and_unique(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in ids)


@every_notebook
def test_first_cell_has_title_and_badge(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    link = re.search(
        r"\[!\[Open In Colab\]\(https://colab\.research\.google\.com/assets/colab-badge\.svg\)\]"
        r"\(https://colab\.research\.google\.com/github/([\w-]+/[\w.-]+)/blob/main/(\S+)\)",
        first.source,
    )
    assert link
    assert ROOT / link[2] == path
    assert f'"https://github.com/{link[1]}"' in cell_of(read(path), "setup").source


def test_setup_cell_is_the_same_everywhere():
    assert len({cell_of(read(path), "setup").source for path in NOTEBOOKS}) == 1
    assert all(code_cells(path)[0].id == "setup" for path in NOTEBOOKS)


def test_setup_installs_only_what_colab_lacks():
    source = cell_of(read(NOTEBOOKS[0]), "setup").source
    tree = ast.parse(plain_python(source))
    wanted = next(
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and node.targets[0].id == "wanted"
    )
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {
        Requirement(line).name: Requirement(line) for line in lines if line.strip() and not line.startswith("#")
    }
    for module, text in wanted.items():
        asked = Requirement(text)
        assert asked.name == module
        assert asked == required[asked.name]
    colab_has = {"torch", "torchvision", "numpy", "pillow", "opencv-python", "matplotlib", "ipywidgets"}
    assert not colab_has & set(wanted)


@every_notebook
def test_one_parameters_cell_of_plain_assignments_with_forms(path):
    tagged = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    assert all("# @param" in line for line in tagged[0].source.splitlines() if "=" in line.split("#")[0])


@every_notebook
def test_imports_are_in_one_cell(path):
    importing = [
        cell.id
        for cell in code_cells(path)
        if cell.id != "setup"
        and any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(ast.parse(cell.source)))
    ]
    assert importing == ["imports"]


@every_notebook
def test_short_and_thin(path):
    notebook = read(path)
    assert len(notebook.cells) <= 20
    lines = [line for cell in code_cells(path) for line in cell.source.splitlines() if line.strip()]
    assert len(lines) <= 150
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(plain_python(cell.source))):
            assert not isinstance(node, ast.ClassDef)
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 5


@every_notebook
def test_every_step_is_introduced_by_a_sentence(path):
    cells = read(path).cells
    for before, cell in zip(cells, cells[1:], strict=False):
        if cell.cell_type == "code" and cell.id not in ("imports", "parameters"):
            assert before.cell_type == "markdown", f"{cell.id} comes without a word"


@every_notebook
def test_no_paths_of_one_machine(path):
    for cell in read(path).cells:
        text = re.sub(r"https?://\S+", "", cell.source)
        assert not re.search(r"(?<![\w.])/(content|home|root|work|tmp|usr|Users|mnt)\b|[A-Z]:\\", text), cell.id


@every_notebook
def test_links_lead_somewhere(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
                if not target.startswith("https://"):
                    assert (path.parent / target.split("#")[0]).exists(), target


def test_ruff():
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", str(ROOT / "notebooks")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def with_parameters(notebook: nbformat.NotebookNode, values: dict) -> None:
    """Change values in the cell tagged "parameters", as its form does on Colab; the rest stays as it is."""
    cell = parameters_cell(notebook)
    for name, value in values.items():
        cell.source, count = re.subn(rf"(?m)^({name} = ).*?(  # @param|$)", rf"\g<1>{value!r}\2", cell.source)
        assert count == 1, f"there is no parameter {name}"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel of this very Python, whatever kernels the machine has installed."""
    folder = tmp_path_factory.mktemp("jupyter")
    spec = folder / "kernels" / "this-python" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "this Python", "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield "this-python"


@pytest.fixture(scope="module")
def models():
    """The model files of an ordinary try-on, fetched once for all runs."""
    for asset in assets.ASSETS.values():
        if asset.needed:
            assets.fetch(asset.name)
    return assets.cache_dir()


@pytest.fixture(scope="module")
def local(tmp_path_factory, models):
    """A machine of one's own: (environment, working folder, workspace) shared by the notebooks."""
    root = tmp_path_factory.mktemp("local") / "workspace"
    return {"VTO_WORKSPACE": str(root), "VTO_CACHE": str(models)}, ROOT / "notebooks", root


@pytest.fixture(scope="module")
def colab(tmp_path_factory, models):
    """Colab as far as a notebook sees it: its package, its variable, a Drive, the project cloned before."""
    machine = tmp_path_factory.mktemp("colab")
    (machine / "content").mkdir()
    (machine / "content" / "vto3").symlink_to(ROOT, target_is_directory=True)
    environment = {
        "COLAB_RELEASE_TAG": "release-colab_test",
        "PYTHONPATH": str(FAKES),
        "FAKE_COLAB_DRIVE": str(machine / "backing"),
        "VTO_DRIVE_MOUNT": str(machine / "content" / "drive"),
        "VTO_CACHE": str(models),
    }
    return environment, machine / "content", machine / "backing" / "VTO3"


def execute(path: Path, environment: dict[str, str], folder: Path, kernel: str) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in a fresh kernel; nbclient raises at the first cell that fails."""
    from nbclient import NotebookClient

    notebook = read(path)
    with_parameters(notebook, SMALL.get(path.stem, {}))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VTO_", "COLAB_"))}
    client = NotebookClient(notebook, timeout=600, kernel_name=kernel, resources={"metadata": {"path": str(folder)}})
    # One thread per kernel: more of them only wait for each other where several programs share few cores.
    client.execute(env={"OMP_NUM_THREADS": "1", **clean, **environment})
    return notebook


def check_outputs(notebook: nbformat.NotebookNode) -> None:
    """Pictures, and nothing that a reader would take for a failure, in cells and in output widgets."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    for widget in state.get("state", {}).values():
        outputs += widget.get("state", {}).get("outputs", ())
    assert any("image/png" in output.get("data", {}) for output in outputs)
    hidden = json.dumps(state)
    for beginning in ("data:image", "/9j/", "iVBOR"):  # a photo that clearing the outputs would leave in the file
        assert beginning not in hidden
    assert not [output for output in outputs if output["output_type"] == "error"]
    text = "".join(output.get("text", "") for output in outputs)
    assert "Traceback" not in text and "Warning" not in text, text


def check_files(name: str, workspace: Path) -> None:
    """What a notebook promises to leave in the workspace."""
    written = {path.relative_to(workspace).as_posix() for path in workspace.rglob("*") if path.is_file()}
    assert not [path for path in written if Path(path).name.startswith(".") and path != ".gitignore"]
    assert any(path.startswith("persons/") for path in written)
    assert any(path.startswith("cloths/") for path in written)
    if name == "02_preprocessing":
        assert any(path.startswith("results/") for path in written)
    if name == "03_training":
        assert "checkpoints/virtual_tryon_model.pth" in written
    if name == "04_inference":
        assert any(re.fullmatch(r"results/person_.+--.+\.png", path) for path in written)


@pytest.mark.parametrize("place", ["local", "colab"])
@pytest.mark.parametrize("name", NAMES)
def test_runs_twice_from_top_to_bottom(name, place, kernel, request):
    environment, folder, workspace = request.getfixturevalue(place)
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "notebooks").iterdir()}
    for _ in range(2):  # the second run finds what the first one left
        notebook = execute(ROOT / "notebooks" / f"{name}.ipynb", environment, folder, kernel)
        check_outputs(notebook)
        check_files(name, workspace)
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "notebooks").iterdir()} == before
