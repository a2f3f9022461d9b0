"""What looks wrong in a photo, in words: what is seen, the likely cause, and what to do about it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import VTOError

SEVERITIES = ("error", "warning", "hint")  # no try-on is possible; it will suffer; good to know
_COLOURS = {"error": "#c62828", "warning": "#ef6c00", "hint": "#1565c0"}
_ALL_WELL = "Nothing looks wrong."


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        kind: a short name that stays the same, as ``dark`` or ``several-people``.
        severity: ``error``, ``warning`` or ``hint`` (:data:`SEVERITIES`).
        seen: what was found, in one sentence.
        cause: why that happens.
        fix: what to do.
    """

    kind: str
    severity: str
    seen: str
    cause: str
    fix: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}, not {self.severity!r}")

    def __str__(self) -> str:
        return f"{self.severity}: {self.seen} Likely cause: {self.cause} What to do: {self.fix}"


#: What only a person can see in the pictures of the steps; ``kind`` is the step.
SYMPTOMS = (
    Finding(
        "background", "hint", "Hair, a hand or the hem is missing in the cut-out.",
        "It has the tone of what is behind it.",
        "Use a plain background of another colour; grow the mask by a few pixels.",
    ),
    Finding(
        "background", "hint", "A chair, a bag or a shadow is cut out with the person.",
        "It touches the person and stands out as much.",
        "Crop it away, or stand clear of furniture; shrink the mask by a few pixels.",
    ),
    Finding(
        "segmentation", "hint", "The mask shows the wrong person, or two at once.",
        "The largest and most central one is taken; people who touch count as one without Mask R-CNN.",
        "Choose another with the slider 'which person', or crop the photo.",
    ),
    Finding(
        "pose", "hint", "Left and right are swapped.",
        "The photo shows the back, or the person's face is hidden.",
        "Use a front view with a face in it.",
    ),
    Finding(
        "pose", "hint", "An elbow or a wrist is in the wrong place.",
        "It is hidden behind the body, hair or a bag.",
        "Let the arms hang a little away from the body.",
    ),
    Finding(
        "parsing", "hint", "A sleeve is labelled as arm, or an arm as sleeve.",
        "Cloth and skin have much the same colour.",
        "Use even, white light; or give a label map of your own to the folder run (`parses`).",
    ),
    Finding(
        "parsing", "hint", "The waist is too high or too low.",
        "Top and trousers have much the same colour.",
        "Put on trousers of another colour, or tuck the top in.",
    ),
    Finding(
        "agnostic", "hint", "A rim of the old garment stays around the grey region.",
        "The old garment is wide or long, and its edge is labelled as something else.",
        "Give the region more room with its slider.",
    ),
    Finding(
        "garment", "hint", "The garment has holes, or a sleeve is missing.",
        "Part of it has the colour of the background.",
        "Photograph it on a plain background of another colour.",
    ),
    Finding(
        "garment", "hint", "A hanger, a label or a shadow stays with the garment.",
        "It touches the garment.",
        "Lay the garment flat in even light, without a hanger.",
    ),
)  # fmt: skip


class FindingsTable:
    """Findings as a table in a notebook and as lines elsewhere; see :func:`findings_table`.

    Attributes:
        findings: in the order in which they are shown.
    """

    def __init__(self, findings: Sequence[Finding], title: str) -> None:
        self.title = title
        self.findings = tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))

    def __repr__(self) -> str:
        lines = [f"- {finding}" for finding in self.findings] or [_ALL_WELL]
        return "\n".join([self.title, *lines] if self.title else lines)

    def _repr_html_(self) -> str:
        title = f"<b>{html.escape(self.title)}</b>" if self.title else ""
        if not self.findings:
            return f'<div>{title} <span style="color:#2e7d32">&#10003; {_ALL_WELL}</span></div>'
        cell = 'style="text-align:left;vertical-align:top;padding:4px 10px"'
        rows = [
            f'<tr><td {cell}><b style="color:{_COLOURS[finding.severity]}">{finding.severity}</b></td>'
            + "".join(f"<td {cell}>{html.escape(text)}</td>" for text in (finding.seen, finding.cause, finding.fix))
            + "</tr>"
            for finding in self.findings
        ]
        head = "".join(f"<th {cell}>{text}</th>" for text in ("", "what is seen", "likely cause", "what to do"))
        return f'<div>{title}<table style="max-width:1000px"><tr>{head}</tr>{"".join(rows)}</table></div>'


def findings_table(findings: Sequence[Finding], title: str = "") -> FindingsTable:
    """Show findings, the worst first; a sentence where there is none.

    Args:
        findings: any number.
        title: a line above them.
    """
    return FindingsTable(findings, title)


def explain_error(error: VTOError) -> Finding:
    """The sentence of an error as a finding: what is wrong up to its colon or semicolon, then what to do."""
    text = str(error)
    places = [place for place in (text.rfind("; use "), text.rfind(": use "), text.rfind("; give ")) if place > 0]
    cut = max(places, default=-1)
    seen, fix = (text, "Choose another photo.") if cut < 0 else (text[:cut] + ".", text[cut + 2 :])
    cause = "A step found nothing it can go on with; the pictures show how far it came."
    return Finding("unusable", "error", seen, cause, fix[:1].upper() + fix[1:])
