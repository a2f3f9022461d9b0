"""What the tests of several modules of the generator look at, made once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vto_utils.synth.body import Shape, load_body
from vto_utils.synth.fabrics import sample_fabric
from vto_utils.synth.garments import Garment, tailor
from vto_utils.synth.people import Identity
from vto_utils.synth.poses import Arm, PoseSpec, rotations
from vto_utils.synth.scene import Figure
from vto_utils.synth.seeds import stream
from vto_utils.synth.shells import load_pattern
from vto_utils.synth.styles import Style
from vto_utils.synth.trims import sample_details

SCALE = 128 / 9.5  # texels per dm
STYLES = {
    "tee": Style("top", "short crew", 0.2, 0.02, "short", 0.33, 0.2, 0.1, hem=-0.5),
    "long": Style("top", "long v", 0.25, 0.02, "long", 0.97, 0.1, 0.6, "v", neck_depth=0.9, hem=-0.7),
    "tank": Style("top", "tank scoop", 0.05, 0.0, "tank", neckline="scoop", strap=1.6, hem=-0.4),
    "trousers": Style("trousers", "straight long", 0.08, 0.0, hem=-6.7, waist=1.3, leg_loose=0.2),
    "shorts": Style("trousers", "straight shorts", 0.1, 0.0, hem=-2.4, waist=1.2, leg_loose=0.2),
    "skirt": Style("skirt", "A-line knee", 0.06, 0.12, hem=-3.4, waist=1.3),
    "dress": Style("dress", "flared midi", 0.1, 0.2, "cap", 0.14, 0.1, 0.2, "boat", hem=-5.0, cinch=0.6),
}
FABRICS = {"long": "stripe", "skirt": "check", "dress": "floral"}


@pytest.fixture(scope="session")
def sew() -> Callable[..., Garment]:
    """Makes a garment from a style, a fabric family and the seed of its folds."""

    def made(style: Style, family: str = "plain", seed: int = 5) -> Garment:
        fabric = sample_fabric(stream(0, seed, "fabric"), (family,), kind=style.kind)
        details = sample_details(stream(0, seed, "details"), style.kind, style.neckline, fabric=fabric)
        return tailor(style, fabric, details, load_pattern(style.shell), SCALE, seed)

    return made


@pytest.fixture(scope="session")
def clothes(sew) -> dict[str, Garment]:
    """One garment of every cut, by name."""
    return {name: sew(style, FABRICS.get(name, "plain")) for name, style in STYLES.items()}


def standing(identity: Identity, **pose) -> Figure:
    """Somebody who stands facing the camera, the arms a little away from the body."""
    body = load_body()
    nodes = body.nodes(identity.body_shape())
    arm = Arm(abduction=22.0, elbow=8.0)
    spec = PoseSpec(**{"left_arm": arm, "right_arm": arm, **pose})
    return Figure(identity, body, nodes, body.pose(nodes, rotations(spec)), 256)


@pytest.fixture(scope="session")
def figure() -> Figure:
    """A woman with a bob."""
    return standing(Identity())


@pytest.fixture(scope="session")
def build() -> Callable[..., Figure]:
    """Makes a standing person from an identity and what their pose has else."""
    return standing


@pytest.fixture(scope="session")
def shapes() -> dict[str, Shape]:
    """Bodies at the ends of what there is."""
    return {
        "thin": Shape(gender=0.0, weight=0.0, muscle=0.3),
        "heavy": Shape(gender=1.0, weight=1.0, muscle=0.4),
        "tall": Shape(gender=0.0, height=1.0),
    }
