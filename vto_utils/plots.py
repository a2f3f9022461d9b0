"""Pictures for people: labelled sheets, images in a notebook, a loss curve that follows the training.

``labelled_sheet`` needs Pillow only; matplotlib and IPython are loaded by the functions that use them.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from .training import FitState

PAPER = (240, 240, 237)  # light, and not white: a garment cut out on white keeps its outline
INK = (38, 38, 38)
MARGIN = 10  # pixels around every cell
_DPI = 100  # one matplotlib inch is this many pixels


def labelled_sheet(
    images: Sequence[Image.Image],
    labels: Sequence[str],
    columns: int,
    cell: tuple[int, int] = (256, 192),
    title: str | None = None,
) -> Image.Image:
    """Arrange images in a grid, each fitted into its cell without distortion, with its label underneath.

    Args:
        images: PIL images of any mode and size. Transparent parts show the sheet's light background.
        labels: one text per image, wrapped to the cell's width; an empty text leaves the place empty.
        columns: cells per row; fewer images than that make a narrower sheet.
        cell: (height, width) of a picture in pixels, the label not counted.
        title: a larger line above the grid.

    Returns:
        PIL RGB image.

    Raises:
        InputError: no images, another number of labels than images, or a column count or cell below 1.
    """
    if not images:
        raise InputError("A sheet needs at least one image.")
    if len(images) != len(labels):
        raise InputError(f"A sheet needs one label per image: {len(images)} images, {len(labels)} labels.")
    if columns < 1 or min(cell) < 1:
        raise InputError(f"columns and cell must be at least 1, not {columns} and {tuple(cell)}.")
    height, width = cell
    columns = min(columns, len(images))
    font = ImageFont.load_default(max(11, min(20, round(width / 14))))
    title_font = ImageFont.load_default(max(15, min(28, round(width / 9))))
    sheet_width = columns * (width + MARGIN) + MARGIN

    wrapped = [_wrap(label, font, width) for label in labels]
    rows = [wrapped[start : start + columns] for start in range(0, len(wrapped), columns)]
    line = _line_height(font)
    bands = [line * max(len(lines) for lines in row) for row in rows]
    title_lines = _wrap(title, title_font, sheet_width - 2 * MARGIN) if title else []
    title_line = _line_height(title_font)
    top = MARGIN + (title_line * len(title_lines) + MARGIN if title_lines else 0)
    sheet_height = top + sum(height + band + (4 if band else 0) + MARGIN for band in bands)

    sheet = Image.new("RGB", (sheet_width, sheet_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(title_lines):
        draw.text((MARGIN, MARGIN + number * title_line), text, fill=INK, font=title_font)
    y = top
    for row, band in enumerate(bands):
        for column, lines in enumerate(rows[row]):
            x = MARGIN + column * (width + MARGIN)
            picture = _letterbox(images[row * columns + column], height, width)
            sheet.paste(picture, (x, y))
            for number, text in enumerate(lines):
                centre = x + (width - draw.textlength(text, font=font)) / 2
                draw.text((centre, y + height + 4 + number * line), text, fill=INK, font=font)
        y += height + band + (4 if band else 0) + MARGIN
    return sheet


def _letterbox(image: Image.Image, height: int, width: int) -> Image.Image:
    """The image scaled to fit (height, width), centred on the sheet's background: PIL RGB."""
    scale = min(width / image.width, height / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    colours = image.convert("RGBA") if image.mode in ("LA", "PA", "RGBA", "P") else image.convert("RGB")
    colours = colours.resize(size, Image.Resampling.LANCZOS)
    box = Image.new("RGB", (width, height), PAPER)
    corner = (width - size[0]) // 2, (height - size[1]) // 2
    box.paste(colours, corner, colours if colours.mode == "RGBA" else None)
    return box


def _line_height(font: Any) -> int:
    ascent, descent = font.getmetrics()
    return ascent + descent + 2


def _wrap(text: str, font: Any, width: int) -> list[str]:
    """Break a text into lines of at most ``width`` pixels, at spaces where there are any."""
    lines: list[str] = []
    for paragraph in str(text).splitlines():
        current = ""
        for word in paragraph.split():
            candidate = f"{current} {word}".strip()
            if font.getlength(candidate) <= width:
                current = candidate
                continue
            if current:
                lines.append(current)
            while font.getlength(word) > width and len(word) > 1:  # a long file name has no spaces
                fits = next(n for n in range(len(word), 0, -1) if n == 1 or font.getlength(word[:n]) <= width)
                lines.append(word[:fits])
                word = word[fits:]
            current = word
        if current:
            lines.append(current)
    return lines


def mark_points(image: Image.Image, points: Mapping[str, Sequence[float]]) -> Image.Image:
    """A copy of the image with named points on it.

    Args:
        image: PIL image.
        points: name -> (x, y) in pixels of the image; points outside of it are left out.

    Returns:
        PIL RGB image of the same size.
    """
    marked = image.convert("RGB")
    marked = marked.copy() if marked is image else marked
    draw = ImageDraw.Draw(marked)
    radius = max(3, round(max(image.size) / 130))
    font = ImageFont.load_default(max(11, round(max(image.size) / 34)))
    inside = {name: (x, y) for name, (x, y) in points.items() if 0 <= x < image.width and 0 <= y < image.height}
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in inside.values()]
    for circle in taken:
        draw.ellipse(circle, fill=(220, 30, 60), outline="white", width=max(1, radius // 3))
    for name, (x, y) in inside.items():
        text = name.replace("_", " ")
        width, height = draw.textlength(text, font=font), _line_height(font)
        places = [
            (max(0, min(left, image.width - width)), max(0, min(top, image.height - height)))
            for top in (y - height, y - height / 2, y, y - 2 * height, y + height)
            for left in (x + 2 * radius, x - width - 2 * radius)
        ]
        boxes = [(left, top, left + width, top + height) for left, top in places]
        box = next((box for box in boxes if not any(_overlap(box, other) for other in taken)), boxes[0])
        taken.append(box)
        draw.text(box[:2], text, fill=INK, font=font, stroke_width=max(1, radius // 3), stroke_fill="white")
    return marked


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes (left, top, right, bottom) share an area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def parsing_picture(parsing: np.ndarray) -> Image.Image:
    """A parsing in colours, with the names of the labels that occur in it on the right.

    Args:
        parsing: uint8 HW of ids as in ``labels.NAMES``.

    Returns:
        PIL RGB image as high as the parsing; the labels stand on light paper.
    """
    import numpy as np

    from .labels import NAMES, palette, to_palette_image

    picture = to_palette_image(parsing).convert("RGB")
    ids = [int(number) for number in np.unique(parsing) if number]
    size = max(9, min(round(picture.height / 26), round(picture.height / (1.6 * max(1, len(ids))))))
    font = ImageFont.load_default(size)
    room = round(max((font.getlength(NAMES[number]) for number in ids), default=0)) + 3 * size
    sheet = Image.new("RGB", (picture.width + room, picture.height), PAPER)
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for row, number in enumerate(ids):
        x, y = picture.width + size // 2, round((0.3 + 1.5 * row) * size)
        draw.rectangle((x, y, x + size, y + size), fill=tuple(palette()[number].tolist()))
        draw.text((x + 1.5 * size, y + size / 2), NAMES[number], fill=INK, font=font, anchor="lm")
    return sheet


def show_images(
    images: Mapping[str, Image.Image | np.ndarray] | Sequence[Image.Image | np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int = 4,
    cell: tuple[int, int] = (320, 240),
    caption: str | None = None,
) -> None:
    """Draw images side by side in the notebook, each in its own proportions under its title.

    Args:
        images: PIL images or uint8 arrays, HWC RGB or HW; a mask is drawn in grey. Either a sequence, or a
            mapping of titles to images.
        titles: one text per image of a sequence; none at all when left out.
        columns: images per row.
        cell: (height, width) of the room for one image, in pixels.
        caption: one line above all of them.

    Raises:
        InputError: no images, or another number of titles than images.
    """
    from matplotlib.figure import Figure

    if isinstance(images, Mapping):
        titles, images = list(images), list(images.values())
    images = [image if isinstance(image, Image.Image) else Image.fromarray(image) for image in images]
    titles = [""] * len(images) if titles is None else list(titles)
    if not images:
        raise InputError("There is no image to show.")
    if len(titles) != len(images):
        raise InputError(f"Give one title per image: {len(images)} images, {len(titles)} titles.")
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    height, width = cell
    size = columns * width / _DPI, rows * (height + 28) / _DPI
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if place < len(images):
            image = images[place]
            image = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(titles[place], fontsize=9, wrap=True)
    if caption:
        figure.suptitle(caption, fontsize=11)
    _display(_png(figure))


class LossCurve:
    """A loss curve that draws itself in the notebook while training runs.

    Pass the object as a callback to ``training.fit_pair``, or call ``add`` from a loop of your own. It
    redraws at most every ``every`` seconds, so a fast loop is not slowed down by its own picture, and always
    once more in ``finish()`` (or at the end of a ``with`` block).

    Args:
        every: least time between two drawings, in seconds.
        title: text above the curve.
        log: logarithmic loss axis.
        clock: where the time comes from, in seconds.
    """

    def __init__(
        self,
        every: float = 2.0,
        title: str = "Training loss",
        log: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every = every
        self.title = title
        self.log = log
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._clock = clock
        self._drawn_at: float | None = None
        self._handle: Any = None

    def __call__(self, state: FitState) -> None:
        """The training callback."""
        self.add(state.step, state.loss)

    def add(self, step: int, losses: Mapping[str, float] | float) -> None:
        """Remember the loss of one step, or several by name, and redraw when it is time."""
        if not isinstance(losses, Mapping):
            losses = {"loss": losses}
        for name, value in losses.items():
            self.history.setdefault(name, []).append((int(step), float(value)))
        now = self._clock()
        if self._drawn_at is None or now - self._drawn_at >= self.every:
            self._draw()
            self._drawn_at = self._clock()

    def __enter__(self) -> LossCurve:
        return self

    def __exit__(self, *exception: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Draw the whole curve, the steps since the last drawing included."""
        if self.history:
            self._draw()

    def picture(self) -> Image.Image:
        """The curve so far: PIL RGB, 640 x 320 pixels."""
        return Image.open(io.BytesIO(_png(self._figure()))).convert("RGB")

    def _draw(self) -> None:
        self._handle = _display(_png(self._figure()), self._handle)

    def _figure(self) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(640 / _DPI, 320 / _DPI), dpi=_DPI, layout="constrained")
        axes = figure.subplots()
        broken: list[int] = []
        for name, points in self.history.items():
            steps, values = zip(*points, strict=True)
            broken += [step for step, value in points if not math.isfinite(value)]
            marker = "." if len(points) == 1 else None
            axes.plot(steps, values, label=f"{name} {values[-1]:.4g}", marker=marker)
        title = self.title
        if broken:  # matplotlib leaves such points out; the reader must hear of them
            title += f" (not a finite number at step {min(broken)})"
        axes.set(xlabel="step", ylabel="loss", title=title)
        if self.log:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        if self.history:
            axes.legend(frameon=False)
        return figure


class Snapshots:
    """A training callback that keeps what the networks draw at a few evenly spaced steps.

    Attributes:
        pictures: title -> PIL RGB image, in the order of the steps; the last step is always among them.
    """

    def __init__(self, count: int = 4) -> None:
        if count < 1:
            raise InputError(f"Snapshots keeps at least 1 picture, not {count}.")
        self.count = count
        self.pictures: dict[str, Image.Image] = {}

    def __call__(self, state: FitState) -> None:
        """The training callback."""
        from .images import from_tensor

        parts = max(1, self.count - 1)
        wanted = {state.steps - round(part * (state.steps - 1) / parts) for part in range(self.count)}
        if state.step in wanted:
            self.pictures[f"step {state.step}"] = from_tensor(state.output * 2 - 1)


def _png(figure: Figure) -> bytes:
    """A matplotlib figure as PNG. Drawn without pyplot: there is no global figure to close or to leak."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _display(png: bytes, handle: Any = None) -> Any:
    """Show a PNG in the notebook, in the place of ``handle`` when there is one; returns the handle.

    In a plain Python process there is nowhere to draw, and nothing happens.
    """
    from IPython import get_ipython
    from IPython.display import Image as Picture
    from IPython.display import display

    if get_ipython() is None:
        return None
    if handle is None:
        return display(Picture(data=png, format="png"), display_id=True)
    handle.update(Picture(data=png, format="png"))
    return handle
