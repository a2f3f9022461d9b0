"""What a sample will show: everything that is drawn by chance, before anything is rendered.

A plan is plain data. It goes to JSON and back, so that any sample can be made again, larger, or with one thing changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from .backgrounds import BackgroundSpec, sample_background
from .body import load_body
from .camera import CameraSpec, sample_camera
from .cameras import Framing, sample_framing
from .cloth import FabricSpec
from .fabrics import FAMILIES, HELD_OUT_FAMILIES, sample_fabric
from .flats import FlatSpec, sample_flat
from .people import Identity, sample_identity
from .pose_sampling import draw_pose
from .poses import Arm, Leg, PoseSpec
from .seeds import stream
from .shading import LightSpec, sample_light
from .styles import Style
from .trims import Details, sample_details
from .wardrobe import sample_style, womens

CATEGORIES = {"upper_body": 0.62, "lower_body": 0.18, "dresses": 0.20}  # shares of category "all"
TUCKED = 0.35  # share of tops that are tucked in where they can be
PHOTOGRAPHED = 0.6  # share of people with a photographed skin, or modelled hair, where there are any


@dataclass(frozen=True)
class GarmentPlan:
    """One garment."""

    style: Style
    fabric: FabricSpec
    details: Details
    folds: int  # seed of its folds
    flat: FlatSpec  # how it lies in its shop photo
    shop: CameraSpec  # what that photo is taken with

    @classmethod
    def from_dict(cls, values: Mapping) -> GarmentPlan:
        flat = {key: tuple(value) if isinstance(value, list) else value for key, value in values["flat"].items()}
        return cls(
            Style(**values["style"]),
            FabricSpec.from_dict(values["fabric"]),
            Details.from_dict(values["details"]),
            int(values["folds"]),
            FlatSpec(**flat),
            CameraSpec(**values["shop"]),
        )


@dataclass(frozen=True)
class Plan:
    """One sample."""

    category: str  # upper_body, lower_body or dresses
    held_out: bool  # of the split "test"
    first: GarmentPlan
    second: GarmentPlan
    other: GarmentPlan | None  # what is worn with either
    tucked: bool  # a top is worn in a bottom's waist, where it reaches
    identity: Identity
    pose: PoseSpec
    framing: Framing
    light: LightSpec
    background: BackgroundSpec
    camera: CameraSpec
    photo_skin: bool  # the skin is a photographed one, where there are any
    photo_hair: bool
    hair_choice: int
    noise: int  # seed of the cameras' noise

    def as_dict(self) -> dict:
        """As JSON takes it."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name, value in plain.items():
            if name == "identity":
                plain[name] = value.as_dict()
            elif hasattr(value, "__dataclass_fields__"):
                plain[name] = asdict(value)
        return plain

    @classmethod
    def from_dict(cls, values: Mapping) -> Plan:
        """The inverse of `as_dict`, also after a trip through JSON.

        Raises:
            KeyError, TypeError: something is missing or has a name that is not known.
        """
        fields = dict(values)
        for name in ("first", "second", "other"):
            fields[name] = None if fields[name] is None else GarmentPlan.from_dict(fields[name])
        fields["identity"] = Identity.from_dict(fields["identity"])
        pose = dict(fields["pose"])
        for side in ("left", "right"):
            arm = dict(pose[f"{side}_arm"])
            arm["place"] = None if arm["place"] is None else tuple(arm["place"])
            pose[f"{side}_arm"], pose[f"{side}_leg"] = Arm(**arm), Leg(**pose[f"{side}_leg"])
        fields["pose"] = PoseSpec(**pose)
        fields["framing"] = Framing(**fields["framing"])
        light = {key: tuple(value) if isinstance(value, list) else value for key, value in fields["light"].items()}
        fields["light"] = LightSpec(**light)
        fields["background"] = BackgroundSpec.from_dict(fields["background"])
        fields["camera"] = CameraSpec(**fields["camera"])
        return cls(**fields)


def draw_plan(seed: int, index: int, category: str, held_out: float, photos: Iterable = ()) -> Plan:
    """Draw a sample.

    Args:
        seed: of the data set.
        index: of the sample.
        category: one of `CATEGORIES`, or "all".
        held_out: chance to be of the split "test".
        photos: patches of real cloth, see `cloth_photos.load_photos`.
    """

    def rng(name: str) -> np.random.Generator:
        return stream(seed, index, name)

    first = rng("plan")
    test = bool(first.random() < held_out)
    if category == "all":
        category = str(first.choice(list(CATEGORIES), p=list(CATEGORIES.values())))
    kinds = _kinds(first, category)
    tucked = bool(first.random() < TUCKED)

    def garment(name: str, kind: str, test: bool) -> GarmentPlan:
        style = sample_style(rng(f"style {name}"), kind, test)
        families = [family for family in FAMILIES if (family in HELD_OUT_FAMILIES) == test]
        fabric = sample_fabric(rng(f"fabric {name}"), families, kind=kind, photos=photos)
        shop = sample_camera(rng(f"shop {name}"))
        return GarmentPlan(
            style,
            fabric,
            sample_details(rng(f"details {name}"), kind, style.neckline, fabric=fabric),
            int(rng(f"folds {name}").integers(1 << 31)),
            sample_flat(rng(f"flat {name}"), kind, style.sleeve),
            replace(shop, noise=0.3 * shop.noise, speckle=0.2 * shop.speckle),  # a table in good light
        )

    garments = [garment("a", kinds[0], test), garment("b", kinds[1], test)]
    other = garment("other", kinds[2], False) if kinds[2] else None
    woman = any(womens(worn.style) for worn in (*garments, other) if worn is not None)
    identity = _wearer(rng("identity"), woman, test)
    body = load_body()
    pose, _ = draw_pose(rng("pose"), body, body.nodes(identity.body_shape()), category)
    assets = rng("assets")
    return Plan(
        category=category,
        held_out=test,
        first=garments[0],
        second=garments[1],
        other=other,
        tucked=tucked,
        identity=identity,
        pose=pose,
        framing=sample_framing(rng("framing"), category),
        light=sample_light(rng("light")),
        background=sample_background(rng("background")),
        camera=sample_camera(rng("camera")),
        photo_skin=bool(assets.random() < PHOTOGRAPHED),
        photo_hair=bool(assets.random() < PHOTOGRAPHED),
        hair_choice=int(assets.integers(1 << 16)),
        noise=int(rng("noise").integers(1 << 31)),
    )


def _kinds(rng: np.random.Generator, category: str) -> tuple[str, str, str | None]:
    """Kinds of the first garment, of the second and of what else is worn."""
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
