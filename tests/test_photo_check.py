from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import samples
from PIL import Image, ImageFilter

from vto_utils import labels
from vto_utils.errors import InputError, NoPersonError
from vto_utils.panels.findings import SYMPTOMS, Finding, explain_error, findings_table
from vto_utils.panels.photo_check import check_garment, check_person, garment_facts, person_facts
from vto_utils.panels.photo_quality import LIMITS, check_picture, lightness, sharpness
from vto_utils.pose import KEYPOINT_NAMES, Pose

HEIGHT, WIDTH = 600, 450
JOINTS = {
    "nose": (225, 90), "neck": (225, 150), "right_shoulder": (165, 150), "left_shoulder": (285, 150),
    "right_elbow": (130, 250), "left_elbow": (320, 250), "right_wrist": (120, 330), "left_wrist": (330, 330),
    "right_hip": (190, 340), "left_hip": (260, 340), "right_knee": (190, 470), "left_knee": (260, 470),
    "right_ankle": (190, 580), "left_ankle": (260, 580), "right_eye": (210, 80), "left_eye": (240, 80),
    "right_ear": (195, 90), "left_ear": (255, 90),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A drawn person with everything that the steps would find."""

    image: Image.Image
    mask: np.ndarray
    pose: Pose
    parsing: np.ndarray
    people: int = 1

    def kinds(self) -> list[str]:
        return [f.kind for f in check_person(self.image, self.mask, self.pose, self.parsing, self.people)]

    def moved(self, **joints: tuple[float, float] | None) -> Scene:
        """Some joints elsewhere; None hides one."""
        points = self.pose.keypoints.copy()
        for name, place in joints.items():
            row = KEYPOINT_NAMES.index(name)
            points[row] = (0, 0, 0) if place is None else (*place, 0.9)
        return replace(self, pose=Pose(points))

    def cropped(self, x0: int = 0, y0: int = 0) -> Scene:
        points = self.pose.keypoints - np.float32([x0, y0, 0])
        points[(points[:, :2] < 0).any(1)] = 0
        return Scene(
            self.image.crop((x0, y0, *self.image.size)), self.mask[y0:, x0:], Pose(points), self.parsing[y0:, x0:]
        )

    def shrunk(self, factor: float) -> Scene:
        size = round(self.image.width * factor), round(self.image.height * factor)
        small = [cv2.resize(area, size, interpolation=cv2.INTER_NEAREST) for area in (self.mask, self.parsing)]
        return Scene(self.image.resize(size), small[0], self.pose.scaled(factor), small[1])

    def labelled(self, name: str, box: tuple[int, int, int, int]) -> Scene:
        parsing = self.parsing.copy()
        parsing[box[1] : box[3], box[0] : box[2]] = labels.ID[name]
        return replace(self, parsing=parsing)


@pytest.fixture
def scene():
    parsing = np.zeros((HEIGHT, WIDTH), np.uint8)
    for name, (x0, y0, x1, y1) in {
        "pants": (165, 340, 285, 590), "upper-clothes": (150, 140, 300, 345), "face": (190, 50, 260, 140),
        "right-arm": (110, 160, 150, 350), "left-arm": (300, 160, 340, 350),
    }.items():  # fmt: skip
        parsing[y0:y1, x0:x1] = labels.ID[name]
    image = labels.to_palette_image(parsing).convert("RGB")
    image = Image.fromarray(np.where(parsing[..., None] == 0, 245, np.asarray(image)).astype(np.uint8))
    points = np.float32([(*JOINTS[name], 0.9) for name in KEYPOINT_NAMES])
    return Scene(image, np.where(parsing > 0, 255, 0).astype(np.uint8), Pose(points), parsing)


def test_a_good_photo_gives_no_alarm(scene):
    assert scene.kinds() == []


def test_facts_of_a_drawn_person(scene):
    facts = person_facts(scene.image, scene.mask, scene.pose, scene.parsing)
    assert facts["torso"] == pytest.approx(190, abs=1)
    assert facts["share"] == pytest.approx(190 / HEIGHT, abs=0.01)
    assert facts["turn"] == pytest.approx(120 / 190, abs=0.01)
    assert facts["head"] == pytest.approx(70 * 90 / 190**2, rel=0.05)
    assert facts["arms"] == facts["bare"] == facts["odd"] == facts["left"] == facts["right"] == facts["wrists"] == 0


def test_each_fault_is_named_and_no_other(scene):
    bright = np.asarray(scene.image)
    spoiled = {
        "several-people": replace(scene, people=2),
        "dark": replace(scene, image=Image.fromarray((bright * 0.2).astype(np.uint8))),
        "blurred": replace(scene, image=scene.image.filter(ImageFilter.GaussianBlur(6))),
        "small": scene.shrunk(0.3),
        "cut-side": scene.cropped(x0=160),
        "cut-head": scene.cropped(y0=100),
        "no-head": replace(scene, parsing=np.where(scene.parsing == labels.ID["face"], 5, scene.parsing)),
        "cut-hips": scene.moved(right_hip=None, left_hip=None),
        "profile": scene.moved(right_shoulder=(205, 150), left_shoulder=(245, 150)),
        "arms": scene.moved(right_wrist=(260, 220), left_wrist=(190, 220)).labelled("left-arm", (150, 200, 300, 250)),
        "labels": scene.labelled("pants", (150, 180, 300, 345)),
        "mask": scene.labelled("background", (190, 160, 260, 300)),
    }
    assert {kind: broken.kinds() for kind, broken in spoiled.items()} == {kind: [kind] for kind in spoiled}


def test_a_back_is_told_by_its_sides_or_by_the_missing_face(scene):
    mirrored = samples.mirrored_pose(scene.pose, WIDTH)
    swapped = Pose(mirrored.keypoints * np.float32([-1, 1, 1]) + np.float32([WIDTH - 1, 0, 0]))
    assert replace(scene, pose=swapped).kinds() == ["back"]
    assert scene.moved(nose=None, right_eye=None, left_eye=None).kinds() == ["back"]


def test_far_away_in_a_large_photo(scene):
    above = np.zeros((2 * HEIGHT, WIDTH), np.uint8)
    image = Image.new("RGB", (WIDTH, 3 * HEIGHT), "white")
    image.paste(scene.image, (0, 2 * HEIGHT))
    pose = Pose(scene.pose.keypoints + np.float32([0, 2 * HEIGHT, 0]))
    far = Scene(image, np.vstack([above, scene.mask]), pose, np.vstack([above, scene.parsing]))
    assert far.kinds() == ["far"]


def test_without_shoulders_there_is_no_measure(scene):
    with pytest.raises(NoPersonError):
        scene.moved(right_shoulder=None, left_shoulder=None).kinds()


def test_sharpness_falls_with_blur_and_not_with_size():
    grey = np.full((200, 200), 240, np.float32)
    grey[50:150, 60:140] = 60
    inside = grey < 200
    blurred = [cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (1, 3, 9)]
    values = [sharpness(picture, inside, 1) for picture in (grey, *blurred)]
    assert values[0] > values[1] > values[2]
    assert values[0] > LIMITS.sharp > max(values[2:])
    large = cv2.resize(grey, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    assert sharpness(large, cv2.resize(inside.astype(np.uint8), None, fx=3, fy=3) > 0, 1 / 3) > LIMITS.sharp
    assert sharpness(grey, np.zeros_like(inside), 1) == 1
    assert sharpness(np.full_like(grey, 90), inside, 1) == 1
    assert check_picture({"white": 250, "sharp": 1}) == []


# Garments -----------------------------------------------------------------------------------------


def drawn_garment(x0=120, y0=120, x1=480, y1=680):
    alpha = np.zeros((800, 600), np.float32)
    alpha[y0:y1, x0:x1] = 1
    image = np.full((800, 600, 3), 245, np.uint8)
    image[alpha > 0.5] = (40, 80, 160)
    return image, alpha


def kinds_of(image, alpha, reading=None, guess="upper_body", reason="guessed from its outline"):
    garment = SimpleNamespace(category="upper_body", guess=guess, reason=reason)
    return [f.kind for f in check_garment(Image.fromarray(image), alpha, garment, reading)]


def reading(category=0.95, garment=0.95):
    return SimpleNamespace(categories=np.float32([category, 0, 0]), chance=lambda kind: garment)


def test_a_good_garment_gives_no_alarm():
    assert kinds_of(*drawn_garment()) == kinds_of(*drawn_garment(), reading()) == []


def test_each_fault_of_a_garment_is_named_and_no_other():
    image, alpha = drawn_garment()
    tiles = np.kron(np.indices((20, 15)).sum(0) % 2, np.ones((40, 40)))[..., None]
    ground = np.where(alpha[..., None] > 0.5, image, 90 + 140 * tiles).astype(np.uint8)
    holes = alpha.copy()
    holes[300:420, 220:380] = 0
    blurred = cv2.GaussianBlur(image, (0, 0), 9)
    small = [cv2.resize(part, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_NEAREST) for part in (image, alpha)]
    spoiled = {
        "dark": kinds_of((image * 0.2).astype(np.uint8), alpha),
        "blurred": kinds_of(blurred, alpha),
        "small": kinds_of(*small),
        "cut": kinds_of(*drawn_garment(x0=0)),
        "ground": kinds_of(ground, alpha),
        "holes": kinds_of(image, holes),
        "category": kinds_of(image, alpha, reading(category=0.4)),
    }
    assert spoiled == {kind: [kind] for kind in spoiled}
    assert kinds_of(image, alpha, reading(garment=0.2)) == ["category"]
    assert kinds_of(image, alpha, reading(category=0.4), reason="as asked") == []
    assert kinds_of(image, alpha, guess="dresses", reason="as asked") == ["category"]


def test_a_cut_garment_names_the_edges():
    facts = garment_facts(Image.fromarray(drawn_garment()[0]), drawn_garment(y0=0, x1=600)[1])
    assert facts["top"] > 0.5 and facts["right"] > 0.5 and facts["left"] == facts["bottom"] == 0
    image, alpha = drawn_garment(y0=0, x1=600)
    found = check_garment(
        Image.fromarray(image), alpha, SimpleNamespace(category="upper_body", guess="upper_body", reason="")
    )
    assert "top, right edge" in found[0].seen


def test_nothing_in_the_mask():
    assert garment_facts(Image.new("RGB", (60, 80)), np.zeros((80, 60), np.float32))["size"] == 0


# The sample photos, through the real steps --------------------------------------------------------


@pytest.fixture(scope="module")
def ann():
    person = samples.person("person_1")
    return Scene(person.image, person.mask, person.pose, person.parsing, person.segmentation.people)


def test_a_sample_photo_and_spoiled_copies_of_it(ann):
    assert ann.kinds() == []
    assert replace(ann, image=ann.image.point(lambda value: value // 5)).kinds() == ["dark"]
    assert replace(ann, image=ann.image.filter(ImageFilter.GaussianBlur(5))).kinds() == ["blurred"]
    assert ann.shrunk(0.3).kinds() == ["small"]
    assert ann.cropped(x0=round(float(ann.pose.point("right_shoulder")[0])) - 2).kinds() == ["cut-side"]
    assert lightness(ann.image).max() > 200


# The words ----------------------------------------------------------------------------------------


def test_an_error_becomes_a_finding():
    finding = explain_error(NoPersonError("ann.jpg: nobody can be told; use a photo of one person."))
    assert (finding.severity, finding.kind) == ("error", "unusable")
    assert finding.seen == "ann.jpg: nobody can be told." and finding.fix == "Use a photo of one person."
    plain = explain_error(InputError("This went wrong."))
    assert plain.seen == "This went wrong." and plain.fix


def test_the_table_shows_the_worst_first_and_escapes():
    findings = [Finding("a", "hint", "<seen>", "why", "do"), Finding("b", "error", "worse", "why", "do")]
    table = findings_table(findings, "<ann>.jpg")
    assert [finding.kind for finding in table.findings] == ["b", "a"]
    page = table._repr_html_()
    assert "&lt;seen&gt;" in page and "<seen>" not in page and "&lt;ann&gt;" in page
    assert repr(table).splitlines()[1].startswith("- error: worse")
    assert "Nothing looks wrong" in repr(findings_table([])) and "Nothing" in findings_table([])._repr_html_()
    assert repr(findings_table([]))[0] == "N"


def test_findings_are_whole_sentences_of_known_severity():
    with pytest.raises(ValueError, match="severity must be one of"):
        Finding("a", "bad", "", "", "")
    for symptom in SYMPTOMS:
        assert all(text.endswith(".") for text in (symptom.seen, symptom.cause, symptom.fix))
