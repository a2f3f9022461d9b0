"""Two pictures in one frame: drag across it to uncover the second.

The slider belongs to the browser and not to ipywidgets: it moves without asking Python, and no picture becomes widget
state, which notebooks save without showing it. The pictures are in the cell's output, like any other picture there,
and go with it when the output is cleared.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from ..errors import InputError

_EDGE = 2  # pixels between the two pictures
_FILL = "position:absolute;left:0;top:0;width:100%;height:100%;max-width:none;margin:0;padding:0;"
_TAG = (
    "position:absolute;top:6px;padding:0 6px;border-radius:3px;background:rgba(0,0,0,.5);"
    "color:#fff;font:12px sans-serif;"
)
# Clip the upper picture and take the edge along. Handlers inside of an element need no script of their own, which
# some front ends do not run.
_MOVE = (
    "var all=this.parentNode.children;"
    "all[1].style.clipPath='inset(0 '+(100-this.value)+'% 0 0)';"
    "all[2].style.left=this.value+'%'"
)


class BeforeAfter:
    """Shows itself in a notebook; see :func:`before_after`.

    Attributes:
        before, after: the pictures as shown, PIL RGB of one size.
        start: share of ``after`` that is uncovered at first, in percent.
    """

    def __init__(self, before: Image.Image, after: Image.Image, height: int = 560, start: int = 50) -> None:
        if height < 1 or not 0 <= start <= 100:
            raise InputError(f"Give a height of at least 1 and a start from 0 to 100, not {height} and {start}.")
        size = max(1, round(before.width * height / before.height)), height
        self.before, self.after = (
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS) for image in (before, after)
        )
        self.start = start

    def at(self, percent: float) -> Image.Image:
        """What the frame shows when the slider stands at ``percent``: PIL RGB."""
        edge = round(self.before.width * min(max(percent, 0), 100) / 100)
        mixed = np.array(self.before)
        mixed[:, :edge] = np.asarray(self.after)[:, :edge]
        if 0 < edge < self.before.width:
            mixed[:, max(edge - _EDGE // 2, 0) : edge + _EDGE // 2] = 255
        return Image.fromarray(mixed)

    def __repr__(self) -> str:
        return f"before and after, {self.before.height}x{self.before.width} (height x width)"

    def _repr_html_(self) -> str:
        width, height = self.before.size
        start = self.start
        return (
            f'<div class="vto-before-after" style="position:relative;width:{width}px;max-width:100%;'
            f'aspect-ratio:{width}/{height};overflow:hidden;border-radius:4px;user-select:none">'
            f'<img alt="before" draggable="false" style="{_FILL}" src="{_data(self.before)}">'
            f'<img alt="after" draggable="false" style="{_FILL}clip-path:inset(0 {100 - start}% 0 0)" '
            f'src="{_data(self.after)}">'
            f'<div style="position:absolute;top:0;bottom:0;left:{start}%;width:{_EDGE}px;margin-left:-{_EDGE // 2}px;'
            'background:#fff;box-shadow:0 0 4px #000"><div style="position:absolute;top:50%;left:-14px;width:30px;'
            "height:30px;margin-top:-15px;border-radius:50%;background:#fff;box-shadow:0 0 4px #000;color:#444;"
            'font:16px/30px sans-serif;text-align:center">&#8596;</div></div>'
            f'<span style="{_TAG}left:6px">after</span><span style="{_TAG}right:6px">before</span>'
            f'<input type="range" min="0" max="100" step="0.5" value="{start}" aria-label="how much of the result is '
            f'uncovered, in percent" style="{_FILL}opacity:0;cursor:ew-resize" oninput="{_MOVE}"></div>'
        )


def before_after(before: Image.Image, after: Image.Image, height: int = 560) -> BeforeAfter:
    """Two pictures in one frame; dragging, or the arrow keys after a click, uncovers the second.

    Args:
        before, after: PIL images; ``after`` is scaled to the size of ``before``.
        height: height of the frame in pixels.

    Raises:
        InputError: a height below 1.
    """
    return BeforeAfter(before, after, height)


def _data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
