"""What several tests of the generator look at, made once."""

from __future__ import annotations

import pytest

from vto_utils.synth.body import Shape, load_body
from vto_utils.synth.people import Identity
from vto_utils.synth.poses import PoseSpec, rotations
from vto_utils.synth.scene import Figure
