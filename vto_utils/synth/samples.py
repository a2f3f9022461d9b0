"""Synthetic samples: one person in two garments, both garments laid flat, every label; from a seed and a number."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .. import agnostic
from ..labels import ID
from ..pose import Pose
from .assets import load_assets
from .backgrounds import background
from .body import load_body
from .camera import expose
from .cameras import Camera, camera
from .flats import Laid, lay
from .garments import Garment, tailor
from .keypoints import keypoints, radii, visibility
from .plans import GarmentPlan, Plan, draw_plan
from .poses import rotations
from .scene import Figure, Shot, dress, shoot, surface
from .seeds import stream
from .shells import load_pattern

VERSION = "2"  # of what is drawn: raise it when the same seed gives other samples


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
    params: dict  # everything drawn, as JSON takes it: `plans.Plan.from_dict` reads it


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

    def plan(self, index: int) -> Plan:
        """What sample ``index`` will show."""
        photos = () if self.assets is None or self.assets.photos is None else self.assets.photos
        return draw_plan(self.config.seed, index, self.config.category, self.config.held_out, photos)

    def sample(self, index: int) -> Sample:
        """Make sample ``index``: always the same one, whatever was made before."""
        with self._stage("plan"):
            plan = self.plan(index)
        return self.render(plan, index)

    def _garment(self, plan: GarmentPlan) -> Garment:
        scale = self.config.size[0] / 9.5  # texels per dm: about the picture's own
        return tailor(plan.style, plan.fabric, plan.details, load_pattern(plan.style.shell), scale, plan.folds)

    def _figure(self, plan: Plan) -> Figure:
        nodes = self.body.nodes(plan.identity.body_shape())
        people = None if self.assets is None else self.assets.people
        return Figure(
            plan.identity,
            self.body,
            nodes,
            self.body.pose(nodes, rotations(plan.pose)),
            _texture_size(self.config.size),
            people if plan.photo_skin else None,
            people if plan.photo_hair else None,
            plan.hair_choice,
        )

    def render(self, plan: Plan, index: int = 0) -> Sample:
        """Make the sample that a plan describes, in the configuration's size.

        Args:
            plan: of `plan`, or read from a sample's ``params``.
            index: the number the sample is given.
        """
        size = self.config.size
        with self._stage("garments"):
            garments = [self._garment(plan.first), self._garment(plan.second)]
            other = None if plan.other is None else self._garment(plan.other)
        with self._stage("person"):
            figure = self._figure(plan)
            view = camera(plan.framing, self.body, figure.vertices, figure.posed, size)
        with self._stage("flats"):
            own = (plan.first, plan.second)
            laid = [lay(garment, one.flat, size) for garment, one in zip(garments, own, strict=True)]
        with self._stage("pictures"):
            shots = [
                shoot(figure, dress(garment, other, plan.tucked), 0, flat, view, plan.light, size)
                for garment, flat in zip(garments, laid, strict=True)
            ]
        with self._stage("cameras"):
            ground = background(plan.background, size, _floor(figure, view, size))
            images = []
            for shot in shots:
                behind = ground * _shade_on_wall(shot.cover, plan.light.key, size)[..., None]
                cover = shot.cover[..., None]
                picture = shot.colour * cover + behind * (1 - cover)
                images.append(expose(plan.camera, stream(plan.noise, 0, "person"), picture.astype(np.float32)))
            shop = [
                expose(one.shop, stream(plan.noise, number, "shop"), flat.image)
                for number, (one, flat) in enumerate(zip(own, laid, strict=True))
            ]
        with self._stage("labels"):
            parts, part_uv, depth = surface(figure, view, size)
            points = _keypoints(figure, view, depth, shots[0].parse == ID["hair"])
            region = np.zeros(size, bool)
            known = Pose(np.concatenate([points[:, :2], np.ones((18, 1), np.float32)], 1))  # outside the picture too
            for shot in shots:
                region |= agnostic.agnostic_mask(shot.parse, known, plan.category)
            grey = images[0].copy()
            grey[region] = 128
        return Sample(
            index=index,
            split="test" if plan.held_out else "train",
            category=plan.category,
            a=_view(images[0], shots[0]),
            b=_view(images[1], shots[1]),
            flat_a=_flat(shop[0], laid[0]),
            flat_b=_flat(shop[1], laid[1]),
            keypoints=points,
            parts=parts,
            part_uv=part_uv,
            agnostic=grey,
            agnostic_mask=np.where(region, 255, 0).astype(np.uint8),
            agnostic_parse=agnostic.agnostic_parsing(shots[0].parse, region),
            person_mask=_byte(shots[0].cover),
            params=self._params(plan),
        )

    def _params(self, plan: Plan) -> dict:
        params = plan.as_dict()
        for name in ("first", "second", "other"):
            photo = params[name] and params[name]["fabric"]["photo"]
            if photo and self.config.assets is not None:  # where the folder lies is nobody's business
                photo["path"] = Path(photo["path"]).relative_to(self.config.assets).as_posix()
        return params


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
