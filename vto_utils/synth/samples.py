"""Synthetic samples: one person in two garments, the two garments laid flat, and every label, from a seed and a number.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from .. import agnostic
from ..labels import ID
from ..pose import Pose
from .assets import load_assets
from .backgrounds import background, sample_background
from .body import load_body
from .camera import expose, sample_camera
from .cameras import Camera, camera, sample_framing
from .fabrics import FAMILIES, HELD_OUT_FAMILIES, sample_fabric
from .flats import Laid, lay, sample_flat
from .garments import Garment, tailor
from .keypoints import keypoints, radii, visibility
from .people import Identity, sample_identity
from .poses import draw_pose
from .scene import Figure, Shot, dress, shoot, surface
from .seeds import stream
from .shading import sample_light
from .shells import load_pattern
from .trims import sample_details
from .wardrobe import sample_style, womens

VERSION = "1"  # of what is drawn: raise it when the same seed gives other samples
CATEGORIES = {"upper_body": 0.62, "lower_body": 0.18, "dresses": 0.20}  # shares of category "all"


@dataclass(frozen=True)
class SynthConfig:
    """What a data set is made from.

    The same configuration gives the same samples, one by one, in any order, in any number of processes.
    """

    size: tuple[int, int] = (512, 384)  # height, width in pixels, 4 : 3
    seed: int = 0
    held_out: float = 0.1  # share of the samples in the split "test"
    category: str = "all"  # all, upper_body, lower_body or dresses
    assets: Path | None = None  # folder with CC0 skins, hair, fabric photos; None: everything is made here


@dataclass(frozen=True)
class Flat:
    """A garment as a shop shows it."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    mask: np.ndarray  # (H, W) uint8, 0 or 255
    albedo: np.ndarray  # (H, W, 3) uint8 RGB, without light and shadow


@dataclass(frozen=True)
class View:
    """The person in one outfit."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    parse: np.ndarray  # (H, W) uint8, CIHP-20 ids
    mask: np.ndarray  # (H, W) uint8, 0 or 255: the pair's garment where it is seen
    albedo: np.ndarray  # (H, W, 3) uint8 RGB, that garment without light, 0 elsewhere
    flow: np.ndarray  # (H, W, 2) float32, absolute (x, y) in the flat as grid_sample(align_corners=False) takes it
    valid: np.ndarray  # (H, W) bool: the flat shows that very spot
    side: np.ndarray  # (H, W) uint8: 0 no garment, 1 front panel, 2 back panel
    depth: np.ndarray  # (H, W) float32, dm from the camera, 0 in the background
    normal: np.ndarray  # (H, W, 3) float32, x right, y up, z to the camera, 0 in the background


@dataclass(frozen=True)
class Sample:
    """A quadruple: one person in two garments, and the two garments laid flat; with its labels."""

    index: int
    split: str  # train or test
    category: str  # upper_body, lower_body or dresses
    a: View
    b: View
    flat_a: Flat
    flat_b: Flat
    keypoints: np.ndarray  # (18, 3) float32, COCO-18: x, y in pixels; 1 seen, 0.5 hidden, 0 outside the picture
    parts: np.ndarray  # (H, W) uint8, DensePose's 24 parts of the body under the clothes, 0 background
    part_uv: np.ndarray  # (H, W, 2) float32 in [0, 1], the body's texture coordinates
    agnostic: np.ndarray  # (H, W, 3) uint8 RGB, greyed where A, B or an arm may be
    agnostic_mask: np.ndarray  # (H, W) uint8, 0 or 255
    agnostic_parse: np.ndarray  # (H, W) uint8, CIHP-20 ids
    person_mask: np.ndarray  # (H, W) uint8, 0..255, person A against the background, soft at the edge
    params: dict  # everything drawn, as JSON takes it


class Generator:
    """Makes samples.

    Args:
        config: what to make.

    Attributes:
        timings: seconds spent so far, by stage.
    """

    def __init__(self, config: SynthConfig) -> None:
        self.config = config
        self.body = load_body()
        self.timings: dict[str, float] = {}
        self.assets = None if config.assets is None else load_assets(Path(config.assets))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on assets that are missing or broken and are done without."""
        return () if self.assets is None else self.assets.notes

    @property
    def fingerprint(self) -> str:
        """Names everything a sample depends on besides its number."""
        config = self.config
        size = "x".join(str(n) for n in config.size)
        assets = "none" if self.assets is None else self.assets.digest
        drawn = f"seed {config.seed} size {size} held-out {config.held_out:g} {config.category} assets {assets}"
        return f"vto-synth {VERSION} {drawn}"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - start

    def _stream(self, index: int, name: str) -> np.random.Generator:
        return stream(self.config.seed, index, name)

    def _garment(self, index: int, name: str, kind: str, held_out: bool, scale: float) -> tuple[Garment, dict]:
        style = sample_style(self._stream(index, f"style {name}"), kind, held_out)
        rng = self._stream(index, f"fabric {name}")
        photos = () if self.assets is None or self.assets.photos is None else self.assets.photos
        families = [family for family in FAMILIES if (family in HELD_OUT_FAMILIES) == held_out]
        fabric = sample_fabric(rng, families, kind=kind, photos=photos)
        details = sample_details(self._stream(index, f"details {name}"), kind, style.neckline, fabric=fabric)
        seed = int(self._stream(index, f"folds {name}").integers(1 << 31))
        garment = tailor(style, fabric, details, load_pattern(style.shell), scale, seed)
        printed = asdict(fabric)
        if fabric.photo is not None:  # where the folder lies is nobody's business
            printed["photo"]["path"] = Path(fabric.photo.path).relative_to(self.config.assets).as_posix()
        return garment, {"style": style.params(), "fabric": printed, "details": asdict(details), "folds": seed}

    def sample(self, index: int) -> Sample:
        """Make sample ``index``: always the same one, whatever was made before."""
        config, size = self.config, self.config.size
        rng = self._stream(index, "plan")
        held_out = bool(rng.random() < config.held_out)
        category = config.category
        if category == "all":
            category = str(rng.choice(list(CATEGORIES), p=list(CATEGORIES.values())))
        kinds = _kinds(rng, category)
        tucked = bool(rng.random() < 0.35)

        with self._stage("garments"):
            scale = size[0] / 9.5  # texels per dm: about the picture's own
            first, first_params = self._garment(index, "a", kinds[0], held_out, scale)
            second, second_params = self._garment(index, "b", kinds[1], held_out, scale)
            other, other_params = None, None
            if kinds[2]:
                other, other_params = self._garment(index, "other", kinds[2], False, scale)
            styles = [garment.style for garment in (first, second, other) if garment is not None]
        with self._stage("person"):
            identity = _wearer(self._stream(index, "identity"), any(womens(style) for style in styles), held_out)
            nodes = self.body.nodes(identity.body_shape())
            pose, posed = draw_pose(self._stream(index, "pose"), self.body, nodes, category)
            people = None if self.assets is None else self.assets.people
            rng = self._stream(index, "assets")
            skinned, haired, choice = rng.random() < 0.6, rng.random() < 0.6, int(rng.integers(1 << 16))
            figure = Figure(
                identity, self.body, nodes, posed, _texture_size(size),
                people if skinned else None, people if haired else None, choice,
            )  # fmt: skip
            framing = sample_framing(self._stream(index, "framing"), category)
            view = camera(framing, self.body, figure.vertices, posed, size)
        with self._stage("flats"):
            flats = [
                sample_flat(self._stream(index, f"flat {name}"), garment.style.kind, garment.style.sleeve)
                for name, garment in (("a", first), ("b", second))
            ]
            laid = [lay(garment, spec, size) for garment, spec in zip((first, second), flats, strict=True)]
        light = sample_light(self._stream(index, "light"))
        with self._stage("pictures"):
            outfits = [dress(garment, other, tucked) for garment in (first, second)]
            shots = [
                shoot(figure, outfit, 0, flat, view, light, size) for outfit, flat in zip(outfits, laid, strict=True)
            ]
        with self._stage("background"):
            wall = sample_background(self._stream(index, "background"))
            floor = _floor(figure, view, size)
            ground = background(wall, size, floor)
            lens = sample_camera(self._stream(index, "camera"))
            images = []
            for shot in shots:
                behind = ground * _shade_on_wall(shot.cover, light.key, size)[..., None]
                cover = shot.cover[..., None]
                picture = shot.colour * cover + behind * (1 - cover)
                images.append(expose(lens, self._stream(index, "noise"), picture.astype(np.float32)))
            flat_images = []
            for name, flat in (("a", laid[0]), ("b", laid[1])):
                shop = sample_camera(self._stream(index, f"shop {name}"))
                shop = replace(shop, noise=0.3 * shop.noise, speckle=0.2 * shop.speckle)  # a table in good light
                flat_images.append(expose(shop, self._stream(index, f"shop noise {name}"), flat.image))
        with self._stage("labels"):
            parts, part_uv, depth = surface(figure, view, size)
            points = _keypoints(figure, view, depth, shots[0].parse == ID["hair"])
            region = np.zeros(size, bool)
            known = Pose(np.concatenate([points[:, :2], np.ones((18, 1), np.float32)], 1))  # outside the picture too
            for shot in shots:
                region |= agnostic.agnostic_mask(shot.parse, known, category)
            grey = images[0].copy()
            grey[region] = 128
        params = {
            "index": index,
            "category": category,
            "identity": identity.as_dict(),
            "pose": asdict(pose),
            "framing": asdict(framing),
            "light": light.params(),
            "background": asdict(wall),
            "camera": asdict(lens),
            "tucked": tucked,
            "garment_a": {**first_params, "flat": flats[0].params()},
            "garment_b": {**second_params, "flat": flats[1].params()},
            "other": other_params,
        }
        return Sample(
            index=index,
            split="test" if held_out else "train",
            category=category,
            a=_view(images[0], shots[0]),
            b=_view(images[1], shots[1]),
            flat_a=_flat(flat_images[0], laid[0]),
            flat_b=_flat(flat_images[1], laid[1]),
            keypoints=points,
            parts=parts,
            part_uv=part_uv,
            agnostic=grey,
            agnostic_mask=np.where(region, 255, 0).astype(np.uint8),
            agnostic_parse=agnostic.agnostic_parsing(shots[0].parse, region),
            person_mask=_byte(shots[0].cover),
            params=params,
        )


def _kinds(rng: np.random.Generator, category: str) -> tuple[str, str, str | None]:
    """Kinds of garment A, of garment B and of what else is worn."""
    if category == "dresses":
        return "dress", "dress", None
    lower = ("trousers", "skirt")
    if category == "upper_body":
        return "top", "top", str(rng.choice(lower, p=[0.75, 0.25]))
    first, second = (str(rng.choice(lower, p=[0.65, 0.35])) for _ in range(2))
    return first, second, "top"


def _wearer(rng: np.random.Generator, woman: bool, held_out: bool) -> Identity:
    """Somebody, or some woman."""
    while True:
        identity = sample_identity(rng, held_out)
        if identity.gender < 0.5 or not woman:
            return identity


def _texture_size(size: tuple[int, int]) -> int:
    return 512 if size[0] <= 320 else 1024 if size[0] <= 640 else 2048


def _byte(values: np.ndarray) -> np.ndarray:
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)


def _view(image: np.ndarray, shot: Shot) -> View:
    return View(
        image=image,
        parse=shot.parse,
        mask=np.where(shot.mask, 255, 0).astype(np.uint8),
        albedo=_byte(shot.albedo),
        flow=shot.flow,
        valid=shot.valid,
        side=shot.side,
        depth=shot.depth.astype(np.float32),
        normal=shot.normal.astype(np.float32),
    )


def _flat(image: np.ndarray, laid: Laid) -> Flat:
    return Flat(image=image, mask=laid.mask, albedo=_byte(laid.albedo))


def _floor(figure: Figure, view: Camera, size: tuple[int, int]) -> float | None:
    """Where the wall meets the floor, as a share of the picture's height; None if that is not seen."""
    low = figure.vertices[figure.vertices[:, 1].argmin()]
    behind = view.project(np.array([[low[0], low[1] - 0.1, low[2] - 6.0]]))[0, 1] / size[0]
    return float(behind) if behind < 1.05 else None


def _shade_on_wall(cover: np.ndarray, key: tuple[float, float, float], size: tuple[int, int]) -> np.ndarray:
    """The soft shadow that a person throws on the wall: (H, W) float32 factors."""
    small = cv2.resize(cover, (size[1] // 8, size[0] // 8), interpolation=cv2.INTER_AREA)
    width, height = small.shape[1], small.shape[0]
    move = np.float32([[1, 0, -key[0] * width * 0.05], [0, 1, height * 0.02]])
    moved = cv2.warpAffine(small, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(moved, (0, 0), max(width * 0.05, 0.5))
    return 1 - 0.10 * cv2.resize(soft, size[::-1], interpolation=cv2.INTER_LINEAR)


def _keypoints(figure: Figure, view: Camera, depth: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """(18, 3): seen 1, hidden by an arm, by hair or by the body itself 0.5, outside the picture 0. Clothes on a joint
    do not hide it."""
    height, width = depth.shape
    points = view.project(keypoints(figure.body, figure.vertices, figure.posed))
    seen = visibility(points, depth, radii(figure.body, figure.nodes))
    x, y = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    seen &= ~hair[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    confidence = np.where(seen & inside, 1.0, np.where(inside, 0.5, 0.0))
    return np.concatenate([points[:, :2], confidence[:, None]], 1).astype(np.float32)
