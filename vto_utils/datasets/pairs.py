"""Pairs files: who wears or tries on what, one pair a line."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .sample import CATEGORIES


def read_pairs(path: Path) -> list[tuple[str, str, str | None]]:
    """The lines of a pairs file: person, garment, and the category where a third column names it.

    Columns are parted by spaces or tabs; empty lines and lines that begin with ``#`` are left out. A category is
    ``upper_body``, ``lower_body``, ``dresses``, or its number 0, 1, 2 as some lists of DressCode have it.

    Raises:
        InputError: the file is missing or empty, or a line is no pair; the sentence names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"There is no {path}: write one with a line 'PERSON.jpg GARMENT.jpg' for each pair.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): save it as plain text, UTF-8.") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        columns = line.split()
        if not columns or columns[0].startswith("#"):
            continue
        if len(columns) not in (2, 3):
            raise InputError(
                f"Line {number} of {path} has {len(columns)} columns: write 'PERSON.jpg GARMENT.jpg', names without "
                "spaces, and a category behind them if you like."
            )
        category = columns[2] if len(columns) == 3 else None
        if category in ("0", "1", "2"):
            category = CATEGORIES[int(category)]
        if category not in (None, *CATEGORIES):
            raise InputError(
                f"Line {number} of {path} names the category '{category}': use one of {', '.join(CATEGORIES)}."
            )
        pairs.append((columns[0], columns[1], category))
    if not pairs:
        raise InputError(f"{path} is empty: write a line 'PERSON.jpg GARMENT.jpg' for each pair.")
    return pairs


def first_file(*paths: Path) -> Path:
    """The first of these that exists, else the first."""
    return next((path for path in paths if path.is_file()), paths[0])
