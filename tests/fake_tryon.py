"""A try-on that dresses nobody, for what is built around one: the result is the person beside the garment."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from PIL import Image

from vto_utils.errors import InputError, NoPersonError
from vto_utils.images import load_image


@dataclass(frozen=True)
class FakeGarment:
    image: Image.Image
    category: str


class FakeTryOn:
    """Takes what ``TryOn`` takes and remembers what it was asked.

    A person photo named ``nobody...`` shows nobody; a garment named ``trousers...`` or ``dress...`` is one.
    """

    made: list[FakeTryOn]  # set by the fixture that uses it

    def __init__(self, **options):
        self.options = options
        self.warp = "geometric" if options["weights"] is None else "learned"
        self.closed = False
        self.asked = []
        type(self).made.append(self)

    def close(self):
        self.closed = True

    def prepare_person(self, image, name=None):
        self.asked.append(f"person {name}")
        if name.startswith("nobody"):
            raise NoPersonError(f"{name}: nobody is visible.")
        return SimpleNamespace(image=load_image(image), name=name)

    def prepare_garment(self, path, category="auto"):
        image = load_image(path)
        self.asked.append(f"garment {path.name}")
        outline = {"trousers": "lower_body", "dress": "dresses"}.get(path.stem.rstrip("0123456789"), "upper_body")
        return FakeGarment(image, outline if category == "auto" else category)

    def __call__(self, person, cloth, category="auto", stages=False):
        if person.name.startswith("legless") and cloth.category == "lower_body":
            raise InputError(f"{person.name}: the hips are not visible.")
        both = [np.asarray(image.resize((48, 64))) for image in (person.image, cloth.image)]
        image = Image.fromarray(np.hstack(both))
        steps = {"person": person.image, "result": image} if stages else {}
        notes = ("The geometric warp is used.",)
        return SimpleNamespace(
            image=image, category=cloth.category, person=person, garment=cloth, stages=steps, notes=notes
        )

    def outfit(self, person, cloths):
        return [self(person, cloth) for cloth in sorted(cloths, key=lambda one: one.category == "upper_body")]
