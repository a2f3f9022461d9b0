"""The command line: ``python -m vto_utils``.

Exit codes: 0 done; 2 something given cannot be used (one sentence on stderr says what and how to go on);
1 anything else; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from . import __version__
from .errors import InputError, OutputError, VTOError
from .option_types import add_device, one_of, seed, size, steps

PROG = "python -m vto_utils"

# Written out here so that --help needs no other module; a test compares them with the modules' own.
CATEGORIES = ("upper_body", "lower_body", "dresses", "auto")
WARPS = ("auto", "geometric", "learned")

_SHEET_COLUMNS = 5
_SHEET_CELL = (400, 300)  # (height, width) in pixels: the 3:4 of most portraits
_SHEET_QUALITY = 85  # of a JPEG sheet; it is for looking, the result is written at save_image's own

_DESCRIPTION = """\
Virtual try-on: a photo of a person and a photo of a garment in, a photo of that person wearing it out.
Everything runs on this machine; no photo leaves it."""

_EXAMPLES = f"""\
examples:
  {PROG} tryon me.jpg shirt.jpg --out result.png
  {PROG} preprocess --persons people/ --cloths garments/ --out data/
  {PROG} synth --count 100 --out synthetic/
  {PROG} train --data synthetic/ --out run/ --quick
  {PROG} assets
  {PROG} bench

`{PROG} COMMAND --help` tells more about each."""

_TRYON = """\
Put the garment of one photo, or a top and a bottom of two photos, on the person of another.

The person: one upright person from the head at least to the hips. The garment: one piece, whole, in front
view, laid flat or cut out, best on a plain background. JPEG, PNG, WebP and other common formats are read.
The result has the person photo's own size, and equals that photo wherever no clothing changes."""

_TRYON_EXAMPLES = f"""\
examples:
  {PROG} tryon me.jpg shirt.jpg --out result.png
  {PROG} tryon me.jpg shirt.jpg --out result.jpg --sheet steps.jpg   every step in one picture
  {PROG} tryon me.jpg jeans.jpg --out result.png --category lower_body
  {PROG} tryon me.jpg shirt.jpg jeans.jpg --out result.png           an outfit
  {PROG} tryon me.jpg shirt.jpg --out small.png --size 512x384       512 high, 384 wide"""

_PREPROCESS = """\
Prepare folders of photos for training or for other try-on programs, in VITON-HD's layout: photos at 3:4,
person and garment masks, pose, parsing, and the person with the clothes taken off the picture.

A photo that cannot be used is left out and listed at the end. Stop it whenever you like: started again, it
goes on where it was."""

_PREPROCESS_EXAMPLES = f"""\
example:
  {PROG} preprocess --persons people/ --cloths garments/ --out data/"""

_ASSETS = """\
List the model files: what is here, what is missing, sizes, licences. Needed ones are also fetched by
themselves when a command first wants them. They are kept in ~/.cache/vto_utils, or where VTO_CACHE says."""

_ASSETS_EXAMPLES = f"""\
examples:
  {PROG} assets                                    only look
  {PROG} assets --fetch                            get what a try-on needs, once, while there is a network
  {PROG} assets --fetch maskrcnn-torchvision       get an optional one"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=28, **options)
        self._action_max_length = 16  # argparse overlooks the length of the commands' names


class _Parser(argparse.ArgumentParser):
    """argparse that complains in one sentence."""

    def __init__(self, **options: Any) -> None:
        # Abbreviations of options would become ambiguous, and so break scripts, with the next option added.
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument (\S+): ", r"\1: ", message).rstrip(".")
        unknown = r"invalid choice: (.+) \(choose from (.+)\)"
        message = re.sub(unknown, r"\1 is not known: use one of \2", message)
        self.exit(2, f"{message}; see `{self.prog} --help`.\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    from .bench import command as bench  # names and texts only
    from .evaluation import command as evaluation
    from .garment_training import command as garment_training
    from .parser_training import command as parser_training
    from .parser_training import evaluation_command as parser_evaluation
    from .synth import command as synth
    from .training import command as training

    parser = _Parser(prog=PROG, description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"vto_utils {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")

    def command(name: str, short: str, description: str, examples: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=short, description=description, epilog=examples)

    tryon = command("tryon", "two photos in, one try-on out", _TRYON, _TRYON_EXAMPLES)
    tryon.add_argument("person", metavar="PERSON", help="photo of the person")
    tryon.add_argument(
        "cloth", nargs="+", metavar="CLOTH", help="photo of the garment; two photos are an outfit, a top and a bottom"
    )
    tryon.add_argument(
        "--out", metavar="FILE", required=True, help="the result, written as its ending says: .png .jpg .webp"
    )
    tryon.add_argument(
        "--category", type=one_of(CATEGORIES), default="auto", metavar="|".join(CATEGORIES),
        help="what the garment is; auto goes by its outline (default: auto)",
    )  # fmt: skip
    tryon.add_argument(
        "--warp", type=one_of(WARPS), default="auto", metavar="|".join(WARPS),
        help="how the garment is bent to the body: geometric needs no trained weights, learned "
        "does, auto takes the best there is and says which (default: auto)",
    )  # fmt: skip
    tryon.add_argument(
        "--weights", metavar="DIR",
        help="trained networks, as OUT/best of the command train (default: the package's own)",
    )  # fmt: skip
    tryon.add_argument(
        "--refine", type=steps, default=0, metavar="N",
        help="fit the learned warp to this very pair in N steps; 20 are plenty (default: 0)",
    )  # fmt: skip
    tryon.add_argument(
        "--size", type=size, metavar="HxW",
        help="height x width of the result in pixels, as 512x384; the photo is fitted in, with white around "
        "(default: the person photo's own size)",
    )  # fmt: skip
    tryon.add_argument("--sheet", metavar="FILE", help="also write every step as one labelled picture")
    add_device(tryon, "where networks that can use a GPU compute")
    tryon.add_argument(
        "--seed", type=seed, default=0, metavar="N",
        help="of the grain in filled areas; the same number gives the same picture (default: 0)",
    )  # fmt: skip
    tryon.set_defaults(run=run_tryon)

    preprocess = command("preprocess", "prepare folders of photos", _PREPROCESS, _PREPROCESS_EXAMPLES)
    preprocess.add_argument("--persons", metavar="DIR", required=True, help="folder of photos of people")
    preprocess.add_argument("--cloths", metavar="DIR", required=True, help="folder of photos of garments")
    preprocess.add_argument("--out", metavar="DIR", required=True, help="folder to write, made if missing")
    preprocess.add_argument(
        "--parses", metavar="DIR", help="folder of your own label maps, named as the people (default: found here)"
    )
    preprocess.set_defaults(run=run_preprocess)

    assets = command("assets", "list and fetch the model files", _ASSETS, _ASSETS_EXAMPLES)
    assets.add_argument(
        "--fetch", nargs="*", metavar="NAME", help="fetch these, or all that a try-on needs if none is named"
    )
    assets.set_defaults(run=run_assets)

    for name, module in (
        ("synth", synth),
        ("train", training),
        ("evaluate", evaluation),
        ("train-parser", parser_training),
        ("evaluate-parser", parser_evaluation),
        ("train-garment", garment_training),
        ("bench", bench),
    ):
        module.add_arguments(command(name, module.SHORT, module.DESCRIPTION, module.EXAMPLES))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` is ``sys.argv[1:]`` when not given."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # a file name must not break the terminal
    try:
        try:
            options = build_parser().parse_args(argv)
        except SystemExit as end:  # --help, --version, or a complaint already printed
            code = int(end.code or 0)
        else:
            with _quiet():
                code = options.run(options)
        with contextlib.suppress(AttributeError, ValueError):  # there may be no stdout, or a closed one
            sys.stdout.flush()  # here and not when Python ends, where a reader that went away is a traceback
        return code
    except VTOError as error:
        _say(" ".join(str(error).split()))
        return 2
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == __package__:
            raise
        _say(f"The package {error.name} is not installed: run `pip install -r requirements.txt`.")
        return 1
    except MemoryError:
        _say("There is not enough memory for this: use smaller photos, or close other programs.")
        return 1


# The commands ---------------------------------------------------------------------------------------


def run_tryon(options: argparse.Namespace) -> int:
    """Two photos in, one try-on out."""
    started = time.perf_counter()
    from . import images

    _check_outputs(options)
    for photo in (options.person, *options.cloth):  # a wrong name should be told before any model is loaded
        images.load_image(photo)
    if len(options.cloth) > 1 and options.category != "auto":
        raise InputError(f"--category {options.category} is for one garment; an outfit has two: leave it out.")
    print(f"Putting {' and '.join(options.cloth)} on {options.person}.", flush=True)

    from .tryon import TryOn

    stages = options.sheet is not None
    with TryOn(options.device, options.warp, options.seed, weights=options.weights, refine=options.refine) as tryon:
        if len(options.cloth) > 1:
            results = tryon.outfit(options.person, options.cloth, options.size, stages)
        else:
            results = [tryon(options.person, options.cloth[0], options.category, options.size, stages)]
    result = results[-1]
    warnings = dict.fromkeys(note for one in results for note in (*one.person.notes, *one.garment.notes))
    for sentence in warnings:
        _say(f"Warning: {sentence}")
    for one in results:
        print(f"Garment: {one.category}, {one.garment.reason}.")
    print(f"Person found with {results[0].person.segmentation.reason}")
    for sentence in dict.fromkeys(note for one in results for note in one.notes):
        if sentence not in warnings:
            print(sentence)
    images.save_image(result.image, options.out)
    seconds = time.perf_counter() - started
    print(f"Wrote {_describe(options.out, result.image.size)}, after {seconds:.1f} s.", flush=True)
    if options.sheet:
        _write_sheet([stage for one in results for stage in one.stages.items()], options)
    return 0


def run_preprocess(options: argparse.Namespace) -> int:
    """Folders of photos in, VITON-HD's layout out."""
    from .preprocessing import preprocess_folders

    report = preprocess_folders(options.persons, options.cloths, options.out, parses=options.parses, progress=True)
    failed = len(report.failed)
    print(f"Photos: {report.done} prepared, {report.skipped} were ready before, {failed} left out.", flush=True)
    for _, reason in report.failed:
        _say(f"Left out: {reason}")
    if failed and not report.done + report.skipped:
        raise InputError("None of the photos could be used: the lines above say why.")
    print(f"The data set is in {options.out}.")
    return 0


def run_assets(options: argparse.Namespace) -> int:
    """The table of model files, after fetching what was asked for."""
    from . import assets

    if options.fetch is not None:
        names = options.fetch or [name for name, asset in assets.ASSETS.items() if asset.needed]
        for name in names:
            if name not in assets.ASSETS:
                assets.fetch(name)  # says which names there are
        for row in assets.status():
            if row.asset.name in names and row.state == "broken":
                row.path.unlink(missing_ok=True)  # fetch takes a file of the right size for whole
        for name in names:
            assets.fetch(name)
    print(assets.format_status())
    return 0


# Parts ----------------------------------------------------------------------------------------------


def _check_outputs(options: argparse.Namespace) -> None:
    """Say before any work that a result cannot be written, or that it would replace one of the photos."""
    from .images import check_writable

    taken = {os.path.realpath(name): name for name in (options.person, *options.cloth)}
    for path in filter(None, (options.out, options.sheet)):
        check_writable(path)
        real = os.path.realpath(path)
        if real in taken:
            raise OutputError(f"{path} would replace {taken[real]}: choose another name for the output.")
        taken[real] = path


def _write_sheet(stages: Sequence[tuple[str, Any]], options: argparse.Namespace) -> None:
    from .images import save_image
    from .plots import labelled_sheet

    names, pictures = zip(*stages, strict=True)
    sheet = labelled_sheet(pictures, names, _SHEET_COLUMNS, _SHEET_CELL)
    try:
        save_image(sheet, options.sheet, _SHEET_QUALITY)
    except VTOError as error:
        reason = str(error).rstrip(".")
        raise OutputError(f"{reason} (the result itself is written and complete: {options.out}).") from error
    print(f"Wrote {_describe(options.sheet, sheet.size)}: every step.")


def _describe(path: str, size: tuple[int, int]) -> str:
    """Name, size in pixels (height first, as --size takes it) and bytes of a picture just written."""
    return f"{path} ({size[1]}x{size[0]}, height x width, {Path(path).stat().st_size / 1000:.0f} kB)"


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens
        sys.stdout.flush()
        print(sentence, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep other packages' chatter off the terminal while our own sentences and progress bars reach it.

    MediaPipe, TensorFlow Lite and ONNX Runtime write their start-up logs straight to file descriptor 2.
    Within the block that is a temporary file, and ``sys.stderr`` writes to the terminal through a copy. When
    the block fails for an unknown reason the log is shown: it may tell why.
    """
    import logging
    import warnings

    handler = logging.NullHandler()
    with contextlib.ExitStack() as stack:
        if not sys.warnoptions:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        logging.getLogger().addHandler(handler)  # so that logging does not print what nobody asked for
        stack.callback(logging.getLogger().removeHandler, handler)
        log = stack.enter_context(_native_log())
        try:
            yield
        except (VTOError, KeyboardInterrupt, BrokenPipeError, ModuleNotFoundError, MemoryError):
            raise
        except Exception:
            if log is not None:
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace"))
            raise


@contextlib.contextmanager
def _native_log() -> Iterator[IO[bytes] | None]:
    """Send file descriptor 2 into a temporary file; None where that is not possible."""
    try:
        terminal = os.dup(2)
    except OSError:  # no stderr at all
        yield None
        return
    try:
        log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed below, when stderr is itself again
    except OSError:  # no room for a temporary file: then the chatter is shown
        os.close(terminal)
        yield None
        return
    stderr = sys.stderr
    try:
        direct = stderr is not None and stderr.fileno() == 2
    except (OSError, ValueError, AttributeError):
        direct = False  # somebody captures stderr already
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stderr.flush()
    copy = None
    if direct:
        copy = os.fdopen(os.dup(terminal), "w", 1, stderr.encoding, "backslashreplace")
        sys.stderr = copy
    os.dup2(log.fileno(), 2)
    try:
        yield log
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        sys.stderr = stderr
        log.close()
        if copy is not None:
            with contextlib.suppress(OSError):
                copy.close()


if __name__ == "__main__":
    sys.exit(main())
