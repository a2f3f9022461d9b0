"""The command line as people and scripts meet it: help, exit codes, what is printed and what is written."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import vto_utils
from vto_utils import __main__ as cli
from vto_utils import assets, garment, option_types, runtime, tryon
from vto_utils.__main__ import main
from vto_utils.errors import InputError
from vto_utils.images import load_image

ROOT = Path(__file__).parent.parent
PERSON = ROOT / "sample_images" / "person" / "person_2.jpg"
CLOTH = ROOT / "sample_images" / "cloth" / "tank_top.jpg"


@pytest.fixture
def person(tmp_path: Path) -> Path:
    path = tmp_path / "person.png"
    load_image(PERSON).resize((288, 384)).save(path)
    return path


# Help ------------------------------------------------------------------------------------------------


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main([*command, "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_help_shows_the_way(capsys):
    text = help_of(capsys)
    for command in ("tryon", "preprocess", "assets", "bench"):
        assert re.search(rf"^    {command} +\w", text, re.MULTILINE)  # name and purpose on one line
        assert f"python -m vto_utils {command}" in text  # an example
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("tryon", "PERSON CLOTH --out --category --warp --weights --refine --size --sheet --device --seed"),
        ("preprocess", "--persons --cloths --out"),
        ("assets", "--fetch"),
        ("bench", "NAME --json"),
    ],
)
def test_help_of_a_command(command, options, capsys):
    text = help_of(capsys, command)
    usage, _, rest = text.partition("\n\n")
    for option in options.split():
        assert option in usage and re.search(rf"^  {option}\b", rest, re.MULTILINE)
    assert re.search(rf"^  python -m vto_utils {command}", text, re.MULTILINE)  # an example
    assert "height x width" in text or command != "tryon"


def test_examples_are_commands_that_exist(capsys):
    parser = cli.build_parser()
    examples = set()
    for command in ((), ("tryon",), ("preprocess",), ("assets",), ("bench",)):
        lines = help_of(capsys, *command).splitlines()
        examples |= {line.strip().split("   ")[0] for line in lines if line.startswith("  python -m vto_utils")}
    assert len(examples) >= 8
    for example in examples:
        parser.parse_args(example.removeprefix(cli.PROG).split())  # ends the program if it does not parse


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom vto_utils.__main__ import main\ncode = main(['tryon', '--help'])\n"
        "heavy = {'numpy', 'PIL', 'cv2', 'torch', 'rembg', 'onnxruntime', 'mediapipe'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_choices_are_those_of_the_modules():
    assert set(cli.CATEGORIES) == {*garment.CATEGORIES, "auto"}
    assert set(cli.WARPS) == set(tryon.WARPS)
    assert set(option_types.DEVICES) == set(runtime.DEVICES)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vto_utils {vto_utils.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        ([], "COMMAND"),
        (["fly"], "'fly' is not known"),
        (["tryon", "a.jpg", "b.jpg"], "--out"),
        (["tryon", "a.jpg", "--out", "c.png"], "CLOTH"),
        (["tryon", "a.jpg", "b.jpg", "--out", "c.png", "--cat", "dresses"], "--cat"),  # no abbreviations
        (["bench", "speed"], "'speed': choose one of tryon"),
        (["assets", "--fetch", "u3net"], "'u3net': choose one of u2netp"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, mention, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert mention in captured.err and "usage:" not in captured.err


@pytest.mark.parametrize(("text", "size"), [("512x384", (512, 384)), ("1024X768", (1024, 768)), ("64×100", (64, 100))])
def test_size_is_height_times_width(text, size):
    arguments = ["tryon", "a.jpg", "b.jpg", "--out", "c.png", "--size", text]
    assert cli.build_parser().parse_args(arguments).size == size


# Exit codes ------------------------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch):
    """Makes the command ``assets`` fail as given."""

    def put(error: BaseException) -> None:
        def fail() -> str:
            raise error

        monkeypatch.setattr(assets, "format_status", fail)

    return put


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("x.jpg is wrong: \n give another."), 2, "x.jpg is wrong: give another.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (MemoryError(), 1, "There is not enough memory for this: use smaller photos, or close other programs.\n"),
        (
            ModuleNotFoundError("No module named 'rembg'", name="rembg"),
            1,
            "The package rembg is not installed: run `pip install -r requirements.txt`.\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_exit_codes(error, code, sentence, failing, capsys):
    failing(error)
    assert main(["assets"]) == code
    assert capsys.readouterr().err == sentence


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("a fault"), ModuleNotFoundError("vto_utils.x", name="vto_utils.x")]
)
def test_faults_of_the_program_are_not_hidden(error, failing):
    failing(error)
    with pytest.raises(type(error)):
        main(["assets"])


def test_a_fault_shows_traceback_and_native_log_and_exits_with_1():
    code = (
        "import os, sys\nfrom vto_utils import assets\nfrom vto_utils.__main__ import main\n"
        "def fail():\n    os.write(2, b'native log\\n')\n    raise ZeroDivisionError('a fault')\n"
        "assets.format_status = fail\nsys.exit(main(['assets']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("native log\nTraceback") and done.stderr.endswith("ZeroDivisionError: a fault\n")


def test_native_chatter_is_hidden_and_our_sentences_are_not():
    code = (
        "import logging, os, sys, warnings\nfrom vto_utils import assets\nfrom vto_utils.__main__ import main\n"
        "def chatter():\n    os.write(2, b'W0000 native chatter\\n')\n    warnings.warn('python chatter')\n"
        "    logging.warning('more chatter')\n    print('ours', file=sys.stderr)\n    return 'table'\n"
        "assets.format_status = chatter\ncode = main(['assets'])\nprint('after', file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "table\n", "ours\nafter\n")


@pytest.mark.skipif(os.name == "nt", reason="POSIX shells")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "| true"])
def test_closed_streams_do_no_harm(closed):
    done = subprocess.run(
        f'"{sys.executable}" -m vto_utils assets {closed}', shell=True, cwd=ROOT, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
@pytest.mark.parametrize("words", [["assets"], ["--help"]])
def test_a_reader_that_went_away_before(words):
    # Unbuffered, the first print would fail, not the last flush, which is the harder case.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "vto_utils", *words], cwd=ROOT, env=environment, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert done.returncode == 1 and done.stderr == b""


# tryon -----------------------------------------------------------------------------------------------


def test_tryon_as_a_newcomer_sees_it(person, tmp_path, model_files):
    out, sheet = tmp_path / "new folder" / "result.jpg", tmp_path / "sheet.jpg"
    done = subprocess.run(
        [sys.executable, "-m", "vto_utils", "tryon", person, CLOTH, "--out", out, "--sheet", sheet],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")  # no warning of any package
    assert Image.open(out).size == (288, 384)
    assert list(out.parent.iterdir()) == [out]
    first, *lines = done.stdout.splitlines()
    assert str(person) in first and str(CLOTH) in first
    told = r"Garment: upper_body, told by the garment network \(\d+ % sure\)\."
    assert any(re.fullmatch(told, line) for line in lines)
    assert any(line.startswith("Person found with ") for line in lines)
    assert any("geometric warp" in line and "no trained weights" in line for line in lines)
    assert any(
        re.fullmatch(rf"Wrote {out} \(384x288, height x width, \d+ kB\), after [\d.]+ s\.", line) for line in lines
    )
    assert lines[-1].startswith(f"Wrote {sheet} (")
    picture = Image.open(sheet)
    assert picture.width > 2 * 288 and picture.height > 384  # several stages, each large enough to look at


def test_tryon_options_reach_the_program(person, tmp_path, capsys, model_files):
    outs = [tmp_path / f"{name}.png" for name in ("one", "other")]
    options = ["--size", "256x224", "--warp", "geometric", "--device", "cpu", "--category", "upper_body"]
    for out, seed in zip(outs, "75", strict=True):
        assert main(["tryon", str(person), str(CLOTH), "--out", str(out), *options, "--seed", seed]) == 0
    text = capsys.readouterr().out
    assert "Garment: upper_body, as asked." in text and "The geometric warp was asked for." in text
    assert "256x224" in text
    one, other = (Image.open(out) for out in outs)
    assert one.size == (224, 256)
    assert one.tobytes() != other.tobytes()


def test_an_outfit_in_one_call(person, tmp_path, capsys, model_files):
    out, trousers = tmp_path / "outfit.png", ROOT / "sample_images" / "cloth" / "trousers.jpg"
    assert main(["tryon", str(person), str(CLOTH), str(trousers), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "Garment: upper_body, " in text and "Garment: lower_body, " in text
    assert Image.open(out).size == (288, 384)
    assert {path.name for path in tmp_path.iterdir()} == {"person.png", "outfit.png"}
    assert main(["tryon", str(person), str(CLOTH), str(CLOTH), "--out", str(tmp_path / "b.png")]) == 2
    assert "cannot be worn together" in capsys.readouterr().err
    options = ["--out", str(tmp_path / "c.png"), "--category", "upper_body"]
    assert main(["tryon", str(person), str(CLOTH), str(trousers), *options]) == 2
    assert "leave it out" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"person.png", "outfit.png"}


# preprocess, assets, bench ---------------------------------------------------------------------------


def test_preprocess(tmp_path, person, capsys, model_files):
    people, garments, out = tmp_path / "people", tmp_path / "garments", tmp_path / "data"
    people.mkdir()
    garments.mkdir()
    person.rename(people / "person.png")
    (people / "broken.jpg").write_text("not a photo")
    (garments / "top.jpg").write_bytes(CLOTH.read_bytes())
    command = ["preprocess", "--persons", str(people), "--cloths", str(garments), "--out", str(out)]
    for counts in ("2 prepared, 0 were ready before, 1 left out", "0 prepared, 2 were ready before, 1 left out"):
        assert main(command) == 0
        captured = capsys.readouterr()
        assert counts in captured.out and str(out) in captured.out
        complaint = captured.err.splitlines()[-1]
        assert complaint.startswith("Left out: ") and "broken.jpg" in complaint
    assert list(out.rglob("*_pairs.txt")) and list(out.rglob("cloth-mask/*"))


def test_preprocess_where_nothing_can_be_used(tmp_path, capsys, model_files):
    for folder in ("people", "garments"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "broken.jpg").write_text("not a photo")
    command = ["preprocess", "--persons", str(tmp_path / "people"), "--cloths", str(tmp_path / "garments")]
    assert main([*command, "--out", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("None of the photos could be used")


def test_preprocess_without_a_folder(tmp_path, capsys):
    missing = tmp_path / "nowhere"
    assert main(["preprocess", "--persons", str(missing), "--cloths", str(missing), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert str(missing) in error and len(error.splitlines()) == 1


def test_assets_lists_the_table(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("VTO_CACHE", str(tmp_path))
    assert main(["assets"]) == 0
    text = capsys.readouterr().out
    assert str(tmp_path) in text and assets.FETCH_COMMAND in text
    for name, asset in assets.ASSETS.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
        assert asset.licence in line and "missing" in line


def test_assets_fetches_what_is_missing_or_broken(capsys, monkeypatch, tmp_path):
    data = bytes(range(200))
    (tmp_path / "official.bin").write_bytes(data)
    needed = assets.Asset(
        "needed", "needed.bin", (tmp_path / "official.bin").as_uri(), hashlib.sha256(data).hexdigest(), len(data),
        "MIT", "", "", "a test", needed=True,
    )  # fmt: skip
    optional = replace(needed, name="optional", file="optional.bin", needed=False)
    monkeypatch.setattr(assets, "ASSETS", {"needed": needed, "optional": optional})
    monkeypatch.setattr(assets, "_reachable", lambda url: True)
    cache = tmp_path / "cache"
    monkeypatch.setenv("VTO_CACHE", str(cache))

    assert main(["assets", "--fetch"]) == 0
    assert "present" in capsys.readouterr().out
    assert [path.name for path in cache.iterdir()] == ["needed.bin"]  # nobody asked for the optional one
    (cache / "needed.bin").write_bytes(data[::-1])  # the right size, other bytes
    assert main(["assets", "--fetch", "needed", "optional"]) == 0
    assert (cache / "needed.bin").read_bytes() == (cache / "optional.bin").read_bytes() == data


def test_bench_cannot_write_is_told_first(tmp_path, capsys):
    assert main(["bench", "--json", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


# README ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_commands_parse(readme, capsys):
    parser = cli.build_parser()
    commands = re.findall(r"^(?:.*&& )?python -m vto_utils (.+?)(?:  +#.*)?$", readme, re.MULTILINE)
    examples = [command for command in commands if not re.search(r"[\[|]|\bDIR\b", command)]
    assert len(examples) >= 3
    for command in examples:
        parser.parse_args(command.split())
    synopsis = {command.split()[0] for command in commands} - {"--help"}
    assert synopsis >= {"tryon", "preprocess", "assets", "bench"}
    options = set(re.findall(r"(?<![\w-])--[a-z]+", "\n".join(commands)))
    assert options <= set(re.findall(r"--[a-z]+", "".join(help_of(capsys, command) for command in synopsis)))


def test_readme_links_lead_somewhere(readme):
    links = re.findall(r"\]\(([^)\s]+)\)", readme) + re.findall(r'(?:src|href)="([^"]+)"', readme)
    local = [link.split("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert local and all((ROOT / link).exists() for link in local), local
    badges = re.findall(r"colab\.research\.google\.com/github/[\w.-]+/[\w.-]+/blob/main/([\w./-]+)", readme)
    assert sorted(badges) == sorted(f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_readme_names_files_that_exist(readme):
    for name in set(re.findall(r"\bsample_images/[\w/]+\.\w+", readme)):
        assert (ROOT / name).is_file(), name
    for asset in assets.ASSETS.values():
        assert asset.licence in readme and (asset.file in readme or not asset.needed)


def test_ci_runs_the_commands_of_the_readme(readme):
    """Both commands stand in the README as .ci/run looks for them."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"grep -E '([^']+)' README\.md", script)
    first, second = (line for line in readme.splitlines() if re.match(pattern, line))
    assert "&& python -m vto_utils tryon sample_images/" in first and first.endswith(" --out result.png")
    assert second == "pip install -r requirements.txt -r tests/requirements.txt && python -m pytest"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
