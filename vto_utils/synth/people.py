"""Who the synthetic person is: body, face, skin, hair and shoes as a handful of JSON-able numbers.

An `Identity` is only a description; `body.Body.nodes`, `skin`, `hair` and `shoes` turn it into geometry and colour.
Colours are sRGB triples in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from .body import Shape

Colour = tuple[float, float, float]

#: Every hair shape. "bald" has not even stubble; "shaved" and "buzz" are paint on the scalp and no mesh.
HAIR_STYLES = (
    "bald", "shaved", "buzz", "crop", "side_part", "quiff", "pixie", "curls", "afro", "bob", "lob",
    "long_straight", "long_wavy", "long_curly", "ponytail", "bun",
)  # fmt: skip
#: Hair shapes that only people of the split "test" wear.
HELD_OUT_HAIR = frozenset({"lob", "quiff"})
LONG_HAIR = frozenset({"long_straight", "long_wavy", "long_curly"})
#: Where long hair lies: behind both shoulders, or over the person's left, right or both in front.
HAIR_FALLS = ("behind", "left", "right", "both")
SHOE_KINDS = ("sneaker", "boot", "loafer", "flat", "barefoot")

# shares of the hair shapes, for women and for men
_WOMEN = dict(
    shaved=0.01, buzz=0.02, pixie=0.08, curls=0.06, afro=0.06, bob=0.17, lob=0.08, long_straight=0.18, long_wavy=0.14,
    long_curly=0.06, ponytail=0.09, bun=0.07,
)  # fmt: skip
_MEN = dict(
    bald=0.04, shaved=0.06, buzz=0.14, crop=0.28, side_part=0.19, quiff=0.12, curls=0.09, afro=0.05, bob=0.01,
    long_wavy=0.02, bun=0.01,
)  # fmt: skip

_HAIR_COLOURS = {
    "black": (0.075, 0.065, 0.065),
    "soft_black": (0.11, 0.09, 0.08),
    "dark_brown": (0.19, 0.125, 0.09),
    "brown": (0.30, 0.20, 0.135),
    "chestnut": (0.37, 0.22, 0.14),
    "light_brown": (0.46, 0.33, 0.22),
    "dark_blond": (0.58, 0.45, 0.31),
    "blond": (0.74, 0.61, 0.43),
    "platinum": (0.86, 0.80, 0.70),
    "auburn": (0.43, 0.19, 0.11),
    "ginger": (0.62, 0.32, 0.16),
    "grey": (0.56, 0.55, 0.54),
    "white": (0.84, 0.83, 0.81),
}
_DYED = ((0.55, 0.16, 0.28), (0.20, 0.28, 0.50), (0.66, 0.42, 0.55), (0.16, 0.40, 0.38), (0.40, 0.22, 0.45))
_IRIS = {
    "dark_brown": (0.20, 0.12, 0.08),
    "brown": (0.33, 0.20, 0.12),
    "hazel": (0.42, 0.33, 0.18),
    "green": (0.38, 0.42, 0.31),
    "grey": (0.46, 0.52, 0.56),
    "blue": (0.38, 0.47, 0.56),
}
_HEADS = (
    "head-oval", "head-round", "head-rectangular", "head-square", "head-triangular", "head-invertedtriangular",
    "head-diamond",
)  # fmt: skip
# pairs <name>-decr and <name>-incr, and how far they are let go
_SLIDERS = {
    "head-fat": 0.28, "head-scale-horiz": 0.25, "head-scale-vert": 0.2, "chin-width": 0.3, "chin-height": 0.25,
    "chin-prominent": 0.3, "nose-scale-horiz": 0.3, "nose-scale-vert": 0.25, "nose-scale-depth": 0.3,
    "mouth-scale-horiz": 0.3, "mouth-scale-vert": 0.3, "neck-scale-horiz": 0.25,
}  # fmt: skip
_SHOES = {
    "sneaker": ((0.93, 0.93, 0.92), (0.15, 0.15, 0.16), (0.55, 0.56, 0.58), (0.20, 0.26, 0.40), (0.62, 0.20, 0.18)),
    "boot": ((0.10, 0.09, 0.09), (0.30, 0.19, 0.12), (0.47, 0.34, 0.21), (0.20, 0.20, 0.21)),
    "loafer": ((0.10, 0.09, 0.09), (0.27, 0.15, 0.09), (0.44, 0.29, 0.18), (0.15, 0.17, 0.25)),
    "flat": ((0.12, 0.11, 0.11), (0.72, 0.58, 0.47), (0.55, 0.12, 0.14), (0.85, 0.82, 0.76)),
}


@dataclass(frozen=True)
class Identity:
    """A person, without pose and clothes."""

    # body, as `body.Shape` has them
    gender: float = 0.0
    age: float = 0.1
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.5
    cup: float = 0.5
    origin: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)  # african, asian, caucasian
    targets: Mapping[str, float] = field(default_factory=dict)  # face shape and expression
    # skin
    tone: float = 0.3  # 0 palest .. 1 darkest
    undertone: float = 0.0  # -1 rosy .. 1 olive
    blush: float = 0.5  # 0 .. 1, redness of cheeks, nose, ears
    freckles: float = 0.0  # 0 .. 1
    stubble: float = 0.0  # 0 .. 1
    lipstick: float = 0.0  # 0 .. 1
    lip_colour: Colour = (0.70, 0.25, 0.28)  # of the lipstick
    skin_seed: int = 0
    # eyes and brows
    iris: Colour = (0.33, 0.20, 0.12)
    brow: float = 0.5  # 0 thin .. 1 thick
    brow_colour: Colour = (0.14, 0.10, 0.08)
    # hair
    hair: str = "bob"
    hair_colour: Colour = (0.19, 0.125, 0.09)
    hair_length: float = 0.5  # 0 .. 1 within what the shape allows
    hair_volume: float = 0.5  # 0 .. 1
    parting: float = 0.0  # -1 the person's right .. 1 left
    fringe: float = 0.0  # 0 none .. 1 down to the brows
    falls: str = "behind"  # one of HAIR_FALLS, of long hair
    hair_seed: int = 0
    # shoes
    shoes: str = "sneaker"  # one of SHOE_KINDS
    shoe_colour: Colour = (0.93, 0.93, 0.92)
    sole_colour: Colour = (0.95, 0.95, 0.94)

    def body_shape(self) -> Shape:
        """What `body.Body.nodes` takes."""
        return Shape(
            self.gender, self.age, self.muscle, self.weight, self.height, self.cup, tuple(self.origin), self.targets
        )

    def as_dict(self) -> dict:
        """Plain numbers, lists and strings, as JSON takes them."""
        plain = asdict(self)
        plain["targets"] = dict(self.targets)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @staticmethod
    def from_dict(data: Mapping) -> Identity:
        """The inverse of `as_dict`, also after a round trip through JSON.

        Raises:
            ValueError: for an unknown key or hair shape.
        """
        known = {f.name for f in fields(Identity)}
        if unknown := set(data) - known:
            raise ValueError(f"an identity has no {', '.join(sorted(unknown))}")
        identity = Identity(**{key: tuple(v) if isinstance(v, list) else v for key, v in data.items()})
        if identity.hair not in HAIR_STYLES:
            raise ValueError(f"no such hair: {identity.hair}; there are {', '.join(HAIR_STYLES)}")
        return identity


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    return tuple(float(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def _shade(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    value = np.array(colour) * np.exp(rng.normal(0, spread)) * np.exp(rng.normal(0, spread * 0.25, 3))
    return tuple(float(x) for x in np.clip(value, 0.02, 0.97).round(4))


def _choice(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    names = list(shares)
    weight = np.array([shares[name] for name in names], float)
    return names[int(rng.choice(len(names), p=weight / weight.sum()))]


def _face(rng: np.random.Generator, male: bool) -> dict[str, float]:
    """Face shape and a calm, friendly expression: the base face frowns, so the inner brows always go up."""
    targets: dict[str, float] = {}
    for name in rng.choice(_HEADS, 2, replace=False):
        targets[str(name)] = rng.uniform(0, 0.35)
    for name, spread in _SLIDERS.items():
        amount = float(np.clip(rng.normal(0, spread), -2 * spread, 2 * spread))
        targets[f"{name}-{'incr' if amount > 0 else 'decr'}"] = abs(amount)
    eye = rng.uniform(0.05, 0.4) if male else rng.uniform(0.2, 0.65)
    smile = rng.beta(2.2, 2.2) * 0.65 + 0.08
    lift = rng.uniform(0.3, 0.55)
    tilt = rng.normal(0, 0.06)
    wide = rng.uniform(0.0, 0.15)
    for side, letter, sign in (("Left", "l", 1), ("Right", "r", -1)):
        targets[f"{letter}-eye-scale-incr"] = eye
        targets[f"mouthSmile{side}"] = smile * (1 + sign * tilt)
        targets[f"cheekSquint{side}"] = 0.35 * smile
        targets[f"browOuterUp{side}"] = 0.55 * lift * (1 + sign * tilt)
        targets[f"eyeWide{side}"] = wide
        targets[f"mouthDimple{side}"] = 0.15 * smile
    targets["browInnerUp"] = lift
    return {name: round(float(amount), 4) for name, amount in targets.items() if amount > 1e-4}


def _natural_hair(rng: np.random.Generator, origin: np.ndarray, age: float) -> tuple[Colour, Colour]:
    """Colours of the hair and of the brows."""
    fair = origin[2] ** 1.5
    shares = {
        "black": 0.55 * origin[0] + 0.55 * origin[1] + 0.03,
        "soft_black": 0.35 * origin[0] + 0.35 * origin[1] + 0.08 * fair,
        "dark_brown": 0.15 + 0.12 * fair,
        "brown": 0.05 + 0.2 * fair,
        "chestnut": 0.02 + 0.12 * fair,
        "light_brown": 0.14 * fair,
        "dark_blond": 0.12 * fair,
        "blond": 0.10 * fair + 0.01,
        "platinum": 0.02 * fair + 0.005,
        "auburn": 0.04 * fair,
        "ginger": 0.04 * fair,
    }
    name = _choice(rng, shares)
    colour = _HAIR_COLOURS[name]
    brow = _HAIR_COLOURS["dark_brown"] if name == "platinum" else colour
    brow = _mix(brow, (0.12, 0.085, 0.07), 0.35 if max(brow) > 0.3 else 0.0)
    grey = float(np.clip((age - 0.32) / 0.4 + rng.normal(0, 0.18), 0, 1)) if age > 0.22 else 0.0
    kept = rng.random() < 0.3  # hair that is dyed back
    if grey > 0 and not kept:
        colour = _mix(colour, _HAIR_COLOURS["white" if rng.random() < 0.3 else "grey"], grey)
        brow = _mix(brow, (0.45, 0.44, 0.43), 0.6 * grey)
    return _shade(rng, colour, 0.10), _shade(rng, brow, 0.08)


def sample_identity(rng: np.random.Generator, held_out: bool = False) -> Identity:
    """Draw a person.

    Args:
        rng: of `seeds.stream`.
        held_out: for the split "test": seeds of skin and hair that no other person has, and hair shapes of
            `HELD_OUT_HAIR` among the others, which people of the split "train" never wear.
    """
    male = bool(rng.random() < 0.45)
    age = float(rng.beta(1.15, 2.5) * 0.85)
    origin = rng.dirichlet((0.4, 0.4, 0.4)) * 0.94 + 0.02
    weight = float(np.clip(rng.beta(6, 7.2 if male else 7.8) + 0.04 * rng.standard_normal(), 0.18, 0.85))
    tone = origin @ np.array([0.80, 0.30, 0.17]) + rng.normal(0, 0.11)
    if rng.random() < 0.15:
        tone = rng.uniform(0, 1)  # every tone with every face
    tone = float(np.clip(tone, 0, 1))
    hair_colour, brow_colour = _natural_hair(rng, origin, age)
    if rng.random() < (0.02 if male else 0.06):
        hair_colour = _shade(rng, _DYED[int(rng.integers(len(_DYED)))], 0.08)

    shares = dict(_MEN if male else _WOMEN)
    for name in shares:
        if name in ("afro", "long_curly", "curls"):
            shares[name] *= 0.25 + 3.0 * origin[0]
        if name in ("long_straight", "side_part", "quiff"):
            shares[name] *= 1.15 - 0.9 * origin[0]
        if name in ("bald", "shaved"):
            shares[name] *= 0.5 + 2.5 * age
        if name in HELD_OUT_HAIR:
            shares[name] *= 3.0 if held_out else 0.0
    hair = _choice(rng, shares)

    light = (1 - tone) ** 2 * origin[2]
    iris = _choice(
        rng,
        {
            "dark_brown": 1.2 - origin[2],
            "brown": 0.55,
            "hazel": 0.5 * light,
            "green": 0.35 * light,
            "grey": 0.3 * light,
            "blue": 0.7 * light,
        },
    )
    shoes = _choice(
        rng,
        {"sneaker": 0.55, "boot": 0.17, "loafer": 0.18 if male else 0.08, "flat": 0.0 if male else 0.17,
         "barefoot": 0.03},
    )  # fmt: skip
    palette = _SHOES.get(shoes, _SHOES["flat"])
    shoe_colour = _shade(rng, palette[int(rng.integers(len(palette)))], 0.10)
    if shoes == "sneaker" and rng.random() < 0.75:
        sole = (0.94, 0.94, 0.93)
    else:
        sole = _mix(shoe_colour, (0.06, 0.05, 0.05), 0.7)
    made_up = (not male) and rng.random() < 0.6
    lips = ((0.72, 0.32, 0.33), (0.62, 0.16, 0.20), (0.74, 0.38, 0.40), (0.50, 0.18, 0.22), (0.70, 0.36, 0.30))
    shaven = rng.random() < 0.45
    return Identity(
        gender=float(rng.uniform(0.86, 1.0) if male else rng.uniform(0.0, 0.14)),
        age=age,
        muscle=float(np.clip(rng.beta(6, 6) + (0.08 if male else -0.04), 0.15, 0.9)),
        weight=weight,
        height=float(np.clip(rng.normal(0.5, 0.13), 0.15, 0.85)),
        cup=float(rng.beta(4, 4)),
        origin=tuple(float(x) for x in origin),
        targets=_face(rng, male),
        tone=tone,
        undertone=float(np.clip(rng.normal(0.1 * (origin[1] - origin[2]), 0.4), -1, 1)),
        blush=float(rng.beta(2.5, 2.5)),
        freckles=float(rng.beta(1.5, 3) if rng.random() < 0.12 + 0.5 * light else 0.0),
        stubble=float(0.0 if not male else rng.uniform(0.08, 0.25) if shaven else rng.uniform(0.25, 1.0)),
        lipstick=float(rng.uniform(0.2, 0.9) if made_up else 0.0),
        lip_colour=_shade(rng, lips[int(rng.integers(len(lips)))], 0.06),
        skin_seed=2 * int(rng.integers(1 << 30)) + int(held_out),
        iris=_shade(rng, _IRIS[iris], 0.10),
        brow=float(np.clip(rng.normal(0.62 if male else 0.42, 0.16), 0.05, 1)),
        brow_colour=brow_colour,
        hair=hair,
        hair_colour=hair_colour,
        hair_length=float(rng.uniform(0, 1)),
        hair_volume=float(rng.beta(3, 3)),
        parting=float(rng.choice((-1, 1)) * rng.uniform(0.35, 1) if rng.random() < 0.65 else rng.normal(0, 0.08)),
        fringe=float(rng.uniform(0.6, 1.0) if rng.random() < 0.25 else 0.0),
        falls=str(rng.choice(HAIR_FALLS, p=(0.64, 0.11, 0.11, 0.14))),
        hair_seed=2 * int(rng.integers(1 << 30)) + int(held_out),
        shoes=shoes,
        shoe_colour=shoe_colour,
        sole_colour=tuple(float(x) for x in sole),
    )
