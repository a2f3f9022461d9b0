"""``python -m vto_utils train``: the try-on networks, from the command line."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

SHORT = "train the try-on networks"

DESCRIPTION = """\
Train the garment warper and the synthesizer, on synthetic or real pairs, stage by stage. Stop it whenever you
like, with Ctrl-C or by pulling the plug: started again with --resume it goes on from its last checkpoint, at
most a minute old, as if it had never stopped. `accelerate launch -m vto_utils train ...` uses several GPUs."""

EXAMPLES = """\
examples:
  python -m vto_utils train --data synthetic/ --out run/ --quick
  python -m vto_utils train --data synthetic/ --data zalando-hd-resized/ --out run/ --config train.json
  python -m vto_utils train --out run/ --resume
  python -m vto_utils train --data synthetic/ --out run/ --set stages.0.batch=4 --set losses.features=0
  python -m vto_utils train --data synthetic/ --out /content/run --copy /content/drive/MyDrive/run --resume"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--data", action="append", metavar="DIR",
        help="a data set: what synth or preprocess made, VITON-HD, VITON, DressCode, or 'made' for synthetic samples "
        "that are rendered on the way; give it again to join several (with --resume: as before)",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run, made if missing")
    parser.add_argument("--config", metavar="FILE", help="settings as .json or .toml; the others keep their defaults")
    parser.add_argument("--quick", action="store_true", help="begin from settings for a look: minutes, not days")
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="one setting, as seed=3, losses.flow=0.2 or stages.0.steps=100; may be given again",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder; begin if it has none")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so many minutes (default: at the end)")
    parser.add_argument(
        "--copy", metavar="DIR", help="keep a copy of the run there, and take it from there if it is lost"
    )
    parser.add_argument("--tensorboard", action="store_true", help="also write for TensorBoard")
    parser.add_argument("--show-config", action="store_true", help="print all settings as JSON and end")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, and say where things are."""
    import json

    from ..errors import InputError
    from . import callbacks
    from .store import RunFolder

    out = Path(options.out).expanduser()
    folder = RunFolder(out)
    if options.resume and options.copy and callbacks.restore(options.copy, out):
        print(f"Took the run back from {options.copy}.", flush=True)
    before = folder.description()
    if before is not None and not options.resume and (folder.checkpoints() or folder.lines()):
        raise InputError(f"{out} holds a run already: go on with --resume, or choose another folder.")
    config, sources = _asked(options, before if options.resume else None)
    if options.show_config:
        print(json.dumps(config.to_dict(), indent=2))
        return 0

    from .data import TrainingData
    from .loop import Trainer

    watching: list[callbacks.Callback] = [callbacks.Progress()]
    if options.tensorboard:
        watching.append(callbacks.TensorBoard())
    if options.copy:
        watching.append(callbacks.RunCopy(options.copy))
    trainer = Trainer(config, TrainingData(sources, config), out, watching)
    speak = print if trainer.processes.main else lambda *_, **__: None
    try:
        if options.resume and not trainer.resume():
            speak("There is no checkpoint yet: starting from the beginning.", flush=True)
        speak(f"Device: {trainer.processes.device} ({trainer.processes.reason}).")
        precision = trainer.learner.precision
        speak(f"Number format: {str(precision.value).removeprefix('torch.')} ({precision.reason}).")
        for note in trainer.learner.notes:
            speak(note)
        if trainer.step:
            speak(f"Going on after step {trainer.step} of {config.steps}.", flush=True)
        outcome = trainer.fit(math.inf if options.minutes is None else options.minutes)
    finally:
        trainer.processes.close()
    if outcome.finished:
        speak(f"All {outcome.step} steps are done: the networks are in {out / 'last'} and {out / 'best'}.", flush=True)
        return 0
    speak(
        f"Stopped after step {outcome.step} of {config.steps}; go on with: "
        f"python -m vto_utils train --out {out} --resume",
        flush=True,
    )
    return 130 if outcome.interrupted else 0


def _asked(options: argparse.Namespace, before: tuple | None) -> tuple:
    """The configuration and the data sets: of the run that goes on, with what is asked for now."""
    from ..errors import InputError
    from .config import TrainConfig, read_config

    config, sources = before or (TrainConfig.quick() if options.quick else TrainConfig(), [])
    if options.config:
        config = TrainConfig.of(config.to_dict() | read_config(options.config))
    config = config.changed(options.settings)
    sources = options.data or sources
    if not sources and not options.show_config:
        raise InputError(
            "There is nothing to train on: give --data, a data set that the command synth made or a real one."
        )
    return config, sources
