"""``python -m vto_utils bench``: figures of this machine, from the command line."""

from __future__ import annotations

import argparse

SHORT = "measure time and memory here"

DESCRIPTION = """\
Measure time and peak memory on this machine, in fresh processes, so that the cold figures are cold. Without a
name: tryon, stage by stage, with a photo 1024 high and 768 wide. resolution: whole try-ons of growing size.
networks: the try-on's own two, to use and to train. parser: each step of reading a photo by itself, the human
parser above all. synth: samples of the synthetic data set per second.
Other programs running meanwhile make figures worse."""

EXAMPLES = """\
examples:
  python -m vto_utils bench
  python -m vto_utils bench tryon parser --json bench.json
  python -m vto_utils bench synth --workers 1 --count 10"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure (default: tryon)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures and the machine's data as JSON")
    parser.add_argument(
        "--runs", type=int, default=7, metavar="N", help="warm runs; not of tryon and synth (default: 7)"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="K", help="processes of synth (default: 2)")
    parser.add_argument("--count", type=int, default=40, metavar="N", help="samples of synth per size (default: 40)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the tables, and write the JSON that is asked for."""
    from .. import bench

    if options.json:
        from ..images import check_writable

        check_writable(options.json, suffixes=None)
    of_each = {name: {"runs": options.runs} for name in ("resolution", "networks", "parser")}
    of_each |= {"synth": {"workers": options.workers, "count": options.count}}
    report = bench.run(options.names or ["tryon"], of_each)
    print(bench.format_report(report))
    if options.json:
        bench.write_json(report, options.json)
        print(f"Wrote {options.json}.")
    return 0
