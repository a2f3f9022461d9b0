"""The errors a user can cause, each carrying one sentence that says what is wrong and what to do."""

from __future__ import annotations


class VTOError(Exception):
    """Base of every error this package raises on purpose. Its text is written for the user."""


class InputError(VTOError, ValueError):
    """Something given to the program cannot be used: a file, an option, a photo."""


class AssetError(InputError):
    """A model file is missing or broken and could not be fetched."""


class OutputError(InputError):
    """A result could not be written."""


class NoPersonError(InputError):
    """Nobody, or not enough of a person, is visible in the photo."""
