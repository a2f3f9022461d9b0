"""What the parser is trained and measured on: Clothing Co-Parsing and the synthetic data set, as network inputs.

Clothing Co-Parsing (CCP; Yang, Luo and Lin, CVPR 2014) has 59 classes and knows one "skin". :data:`CCP_TO_CIHP`
says what each class becomes, and the pose splits the skin into face, torso, arms and legs.

Labels here are uint8 CIHP-20 ids with two more: :data:`BAG` and :data:`UNKNOWN`, which is neither learned nor
measured. Every picture that training sees follows from the seed, the epoch and the photo's number alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .body import BodyFrame, arm_chain, capsule, leg_chain
from .errors import InputError, NoPersonError
from .files import atomic_path
from .labels import ID
from .networks.parser import MEAN, STD, from_cihp
from .pose import KEYPOINT_NAMES, Pose

BAG, UNKNOWN = 20, 255

_SKIN = 100  # split by the pose
_NEAREST = 101  # too small to be a class: takes the label of what lies around it
_VEST = 102  # a coat over another top, a top otherwise
_LEG = 103  # left or right, by the pose
_SHOE = 104
_SUIT = 105  # jacket and trousers, where the photo has no other trousers

#: What each of CCP's classes becomes.
CCP_TO_CIHP = {
    "null": ID["background"],
    "accessories": UNKNOWN,  # phones, papers, clutches, hair bands: no one thing
    "bag": BAG,
    "belt": _NEAREST,
    "blazer": ID["coat"],
    "blouse": ID["upper-clothes"],
    "bodysuit": ID["upper-clothes"],
    "boots": _SHOE,
    "bra": ID["upper-clothes"],
    "bracelet": _NEAREST,
    "cape": ID["coat"],
    "cardigan": ID["coat"],
    "clogs": _SHOE,
    "coat": ID["coat"],
    "dress": ID["dress"],
    "earrings": _NEAREST,
    "flats": _SHOE,
    "glasses": ID["sunglasses"],  # CIHP has one class for both
    "gloves": ID["glove"],
    "hair": ID["hair"],
    "hat": ID["hat"],
    "heels": _SHOE,
    "hoodie": ID["upper-clothes"],
    "intimate": UNKNOWN,  # no photo has it
    "jacket": ID["coat"],
    "jeans": ID["pants"],
    "jumper": ID["upper-clothes"],  # a pullover
    "leggings": ID["pants"],
    "loafers": _SHOE,
    "necklace": _NEAREST,
    "panties": ID["pants"],
    "pants": ID["pants"],
    "pumps": _SHOE,
    "purse": BAG,
    "ring": _NEAREST,
    "romper": ID["dress"],  # one piece from the chest to the legs, as a dress is
    "sandals": _SHOE,
    "scarf": ID["scarf"],
    "shirt": ID["upper-clothes"],
    "shoes": _SHOE,
    "shorts": ID["pants"],
    "skin": _SKIN,
    "skirt": ID["skirt"],
    "sneakers": _SHOE,
    "socks": ID["socks"],
    "stockings": _LEG,  # a leg to the eye where sheer, and no garment that is tried on
    "suit": _SUIT,  # of some photos the jacket, of others the trousers too
    "sunglasses": ID["sunglasses"],
    "sweater": ID["upper-clothes"],
    "sweatshirt": ID["upper-clothes"],
    "swimwear": UNKNOWN,  # no photo has it
    "t-shirt": ID["upper-clothes"],
    "tie": ID["upper-clothes"],
    "tights": _LEG,
    "top": ID["upper-clothes"],
    "vest": _VEST,
    "wallet": BAG,
    "watch": _NEAREST,
    "wedges": _SHOE,
}

#: Key points that share a heatmap, left with right: the network does not tell them apart.
HEATMAPS = (
    ("nose", "right_eye", "left_eye", "right_ear", "left_ear"),
    ("neck", "right_shoulder", "left_shoulder"),
    ("right_elbow", "left_elbow"),
    ("right_wrist", "left_wrist"),
    ("right_hip", "left_hip"),
    ("right_knee", "left_knee"),
    ("right_ankle", "left_ankle"),
)
_HEATMAP_ROWS = tuple(tuple(KEYPOINT_NAMES.index(name) for name in group) for group in HEATMAPS)
_HEATMAP_WIDTH = 1 / 40  # standard deviation, as a share of the picture's height

HELD_OUT = 100  # photos of CCP that are never trained on


@dataclass(frozen=True)
class Example:
    """A photo with what is known of it, all of one size (H, W)."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    labels: np.ndarray  # (H, W) uint8 CIHP-20 ids, BAG, UNKNOWN
    alpha: np.ndarray  # (H, W) uint8 person mask, 0..255
    keypoints: np.ndarray  # (18, 3) float32 x, y in pixels, confidence; confidence 0 = not known


# Clothing Co-Parsing ------------------------------------------------------------------------------


def held_out(names: Sequence[str], count: int = HELD_OUT) -> list[str]:
    """The photos that are measured on: those whose name has the lowest SHA-256. Sorted by name.

    Args:
        names: of all photos, without ending, as "0001".
    """
    return sorted(sorted(names, key=lambda name: sha256(name.encode()).hexdigest())[:count])


class CCP:
    """Clothing Co-Parsing as :class:`Example` s, with poses and person masks that :meth:`prepare` finds once.

    Args:
        folder: with ``photos/*.jpg``, ``labels/*.png`` and ``labels.json``.
        cache: folder for what was found, one small .npz a photo.

    Raises:
        InputError: the folder is not that data set.
    """

    def __init__(self, folder: str | os.PathLike, cache: str | os.PathLike) -> None:
        self.folder, self.cache = Path(folder).expanduser(), Path(cache).expanduser()
        try:
            self.classes = json.loads((self.folder / "labels.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.folder} is not Clothing Co-Parsing: labels.json cannot be read ({error}); "
                "give the folder with photos/, labels/ and labels.json."
            ) from error
        if unknown := [name for name in self.classes if name not in CCP_TO_CIHP]:
            raise InputError(f"{self.folder / 'labels.json'} has a class that CCP does not have: {unknown[0]}.")
        self.names = sorted(path.stem for path in (self.folder / "labels").glob("*.png"))
        if not self.names:
            raise InputError(f"{self.folder / 'labels'} holds no .png file: get the data set again.")
        held = set(held_out(self.names, min(HELD_OUT, len(self.names) // 2)))
        self.test = [name for name in self.names if name in held]
        self.train = [name for name in self.names if name not in held]
        self._mapped: dict[str, np.ndarray] = {}  # 0.2 MB each; splitting skin takes longer than all the rest

    def prepare(self, progress: bool = False) -> None:
        """Find the pose and the person mask of every photo that has none yet: half a second each."""
        missing = [name for name in self.names if not (self.cache / f"{name}.npz").is_file()]
        if not missing:
            return
        from tqdm import tqdm

        from .background import BackgroundRemover
        from .pose import PoseEstimator

        remover = BackgroundRemover()
        with PoseEstimator() as poses:
            for name in tqdm(missing, desc="poses and masks", disable=not progress):
                image = self._image(name)
                try:
                    pose = poses.estimate(image)
                    points, landmarks = pose.keypoints, pose.landmarks
                except NoPersonError:
                    points, landmarks = np.zeros((18, 3), np.float32), np.zeros((33, 3), np.float32)
                with atomic_path(self.cache / f"{name}.npz") as path:
                    np.savez_compressed(path, keypoints=points, landmarks=landmarks, alpha=remover.alpha(image))

    def _image(self, name: str) -> Image.Image:
        from .images import load_image

        return load_image(self.folder / "photos" / f"{name}.jpg")

    def found(self, name: str) -> tuple[Pose | None, np.ndarray]:
        """Pose (None where nobody was found) and person mask, (H, W) uint8, of a prepared photo."""
        with np.load(self.cache / f"{name}.npz", allow_pickle=False) as found:
            points, landmarks, alpha = found["keypoints"], found["landmarks"], found["alpha"]
        return (Pose(points, landmarks) if points.any() else None), alpha

    def read(self, name: str) -> Example:
        """A prepared photo."""
        pose, alpha = self.found(name)
        if name not in self._mapped:
            with Image.open(self.folder / "labels" / f"{name}.png") as file:
                self._mapped[name] = map_ccp(np.array(file), pose, self.classes)
        labels = self._mapped[name]
        points = np.zeros((18, 3), np.float32) if pose is None else pose.keypoints
        return Example(np.array(self._image(name)), labels, alpha, points)


def map_ccp(ids: np.ndarray, pose: Pose | None, classes: Sequence[str] = tuple(CCP_TO_CIHP)) -> np.ndarray:
    """CIHP-20 ids, BAG and UNKNOWN of CCP's ids.

    Args:
        ids: (H, W) uint8, indices into ``classes``.
        pose: in pixels; without one, or without shoulders, skin, stockings and shoes are UNKNOWN.
        classes: CCP's class names in the order of their ids.
    """
    table = np.full(256, UNKNOWN, np.uint8)
    table[: len(classes)] = [CCP_TO_CIHP[name] for name in classes]
    mapped = table[ids]
    tops = np.isin(mapped, (ID["upper-clothes"], ID["dress"])).sum()
    vest = mapped == _VEST
    mapped[vest] = ID["coat"] if tops > 0.1 * vest.sum() else ID["upper-clothes"]
    small = mapped == _NEAREST
    if small.any():
        sources = ((mapped == UNKNOWN) | small | (mapped == 0)).astype(np.uint8)
        if not sources.all():
            _, nearest = cv2.distanceTransformWithLabels(sources, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
            by_number = np.zeros(nearest.max() + 1, np.uint8)
            by_number[nearest[sources == 0]] = mapped[sources == 0]
            mapped[small] = by_number[nearest[small]]
        else:
            mapped[small] = UNKNOWN
    try:
        return _split(mapped, None if pose is None else BodyFrame.from_pose(pose), pose)
    except NoPersonError:
        return _split(mapped, None, None)


def _split(mapped: np.ndarray, frame: BodyFrame | None, pose: Pose | None) -> np.ndarray:
    """Skin by body part; legs and shoes by side."""
    suit = mapped == _SUIT
    mapped = np.where(suit, ID["coat"], mapped).astype(np.uint8)
    if frame is None or pose is None:
        return np.where(np.isin(mapped, (_SKIN, _LEG, _SHOE)), UNKNOWN, mapped).astype(np.uint8)
    size, unit = mapped.shape, frame.breadth
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    along, aside = frame.coordinates(size)
    up = (frame.eyes - frame.mouth) / frame.face
    above = ((xs - frame.eyes[0]) * up[0] + (ys - frame.eyes[1]) * up[1]) / frame.face  # eye-mouth distances
    beside = ((xs - frame.eyes[0]) * -up[1] + (ys - frame.eyes[1]) * up[0]) / frame.face

    far = np.full(size, 99.0, np.float32)
    forearm, arms, legs = far, [], []
    for side in ("left", "right"):
        chain, radii = arm_chain(pose, frame, side), (0.2 * unit, 0.16 * unit, 0.12 * unit, 0.14 * unit)
        parts = [capsule(chain[k], chain[k + 1], (radii[k], radii[k + 1]), size) for k in range(len(chain) - 1)]
        forearm = np.minimum.reduce([forearm, *parts[1:]])
        arms.append(np.minimum.reduce([far, *parts]))
        chain, radii = leg_chain(pose, side), (0.3 * unit, 0.2 * unit, 0.14 * unit, 0.16 * unit)
        parts = [capsule(chain[k], chain[k + 1], (radii[k], radii[k + 1]), size) for k in range(len(chain) - 1)]
        legs.append(np.minimum.reduce([far, *parts]))
    arm, leg = np.minimum(*arms), np.minimum(*legs)

    head = np.hypot(beside / 1.5, (above + 0.3) / 1.7)
    is_face = (above > -1.6) & (head < 1.6) & ~((forearm < 1.0) & (head > 0.85))
    is_leg = ~is_face & (along > 0.95) & (leg < 2.0) & (leg < forearm)
    core = (along < 1.1) & (np.abs(aside) < np.where(along < 0.1, 0.42, 0.38)) & ~((forearm < 1.1) & (along > 0.25))
    is_torso = ~is_face & ~is_leg & core
    is_arm = ~is_face & ~is_leg & ~is_torso & (arm < 2.2)
    is_torso |= ~is_face & ~is_leg & ~is_arm & (np.abs(aside) < 0.55) & (along > -0.5) & (along < 1.1)

    result = mapped.copy()
    if np.isin(mapped, (ID["pants"], ID["skirt"], ID["dress"])).sum() < 0.1 * suit.sum():
        result[suit & (along > 1.2) & (forearm > 1.2)] = ID["pants"]
    skin = mapped == _SKIN
    result[skin] = UNKNOWN
    result[skin & is_face] = ID["face"]
    result[skin & is_torso] = ID["torso-skin"]
    left_arm, left_leg = arms[0] <= arms[1], legs[0] <= legs[1]
    result[skin & is_arm] = np.where(left_arm, ID["left-arm"], ID["right-arm"])[skin & is_arm]
    for here, name in (((skin & is_leg) | (mapped == _LEG), "leg"), (mapped == _SHOE, "shoe")):
        result[here] = np.where(left_leg, ID[f"left-{name}"], ID[f"right-{name}"])[here]
    return result


# The synthetic data set ---------------------------------------------------------------------------


class Synthetic:
    """Samples that ``python -m vto_utils synth`` made, both outfits, as :class:`Example` s.

    Raises:
        InputError: the folder is no such data set.
    """

    def __init__(self, folder: str | os.PathLike, split: str = "train") -> None:
        from .synth import records

        self.folder = Path(folder).expanduser()
        records.read_dataset(self.folder)
        self.folder /= split
        self.indices = records.finished_samples(self.folder)
        if not self.indices:
            raise InputError(f"There is no sample of the split '{split}' in {folder}: make more samples.")

    def __len__(self) -> int:
        return 2 * len(self.indices)

    def read(self, number: int) -> Example:
        """Outfit ``number % 2`` of sample ``number // 2``."""
        from .synth import layout, records

        index, swap = self.indices[number // 2], "_swap" if number % 2 else ""
        arrays = layout.decode(self.folder, index, (f"image{swap}", f"parse{swap}"))
        points = np.array(records.read_record(self.folder, index)["keypoints"], np.float32)
        labels = arrays[f"parse{swap}"]
        alpha = cv2.GaussianBlur(np.where(labels > 0, 255, 0).astype(np.uint8), (0, 0), 1.0)
        return Example(arrays[f"image{swap}"], labels, alpha, points)


# Framing and network inputs -----------------------------------------------------------------------


def person_box(alpha: np.ndarray, keypoints: np.ndarray) -> tuple[float, float, float, float]:
    """x, y, width, height of the person in pixels: of the mask's pieces that hold key points, and of the points.

    Without mask and points it is the whole picture.
    """
    height, width = alpha.shape
    known = keypoints[keypoints[:, 2] > 0.3, :2]
    inside = (known >= 0).all(1) & (known[:, 0] < width) & (known[:, 1] < height) if len(known) else np.zeros(0, bool)
    known = known[inside]
    mask = (alpha > 127).astype(np.uint8)
    if len(known):
        _, pieces = cv2.connectedComponents(mask)
        x, y = known.astype(int).T
        hit = np.unique(pieces[y, x])
        mask = np.isin(pieces, hit[hit > 0])
    ys, xs = np.nonzero(mask)
    if len(known):
        xs, ys = np.concatenate([xs, known[:, 0]]), np.concatenate([ys, known[:, 1]])
    if not len(xs):
        return 0.0, 0.0, float(width), float(height)
    return float(xs.min()), float(ys.min()), float(np.ptp(xs)) + 1, float(np.ptp(ys)) + 1


def frame_matrix(
    box: tuple[float, float, float, float], size: tuple[int, int], margin: float = 0.06, angle: float = 0.0
) -> np.ndarray:
    """(2, 3) float32 affine matrix from photo pixels to a picture of ``size`` (height, width) that shows the box.

    Args:
        box: x, y, width, height.
        margin: around the box, as a share of its longer side.
        angle: degrees by which the picture is turned.
    """
    x, y, w, h = box
    border = 2 * margin * max(w, h)
    scale = min(size[1] / (w + border), size[0] / (h + border))
    matrix = cv2.getRotationMatrix2D((x + w / 2 - 0.5, y + h / 2 - 0.5), angle, scale)
    matrix[:, 2] += np.array([size[1] / 2 - 0.5, size[0] / 2 - 0.5]) - [x + w / 2 - 0.5, y + h / 2 - 0.5]
    return matrix.astype(np.float32)


def warp_example(example: Example, matrix: np.ndarray, size: tuple[int, int]) -> Example:
    """Bring an example into another frame. Outside the photo: grey, UNKNOWN, nobody."""
    target = size[::-1]
    shrinking = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    image = example.image
    if shrinking < 0.6:  # warpAffine looks at four pixels only
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / shrinking)
    image = cv2.warpAffine(image, matrix, target, flags=cv2.INTER_LINEAR, borderValue=(127, 127, 127))
    labels = cv2.warpAffine(example.labels, matrix, target, flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    alpha = cv2.warpAffine(example.alpha, matrix, target, flags=cv2.INTER_LINEAR)
    points = example.keypoints.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    points[example.keypoints[:, 2] <= 0] = 0
    return Example(image, labels, alpha, points)


def heatmaps(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(7, H, W) float32 in [0, 1]: a Gaussian at every known point, for each group of :data:`HEATMAPS`."""
    sigma = _HEATMAP_WIDTH * size[0]
    result = np.zeros((len(HEATMAPS), *size), np.float32)
    for channel, rows in enumerate(_HEATMAP_ROWS):
        for x, y, confidence in keypoints[list(rows)]:
            if confidence > 0.1:
                across = np.exp(-((np.arange(size[1]) - x) ** 2) / (2 * sigma**2)).astype(np.float32)
                down = np.exp(-((np.arange(size[0]) - y) ** 2) / (2 * sigma**2)).astype(np.float32)
                np.maximum(result[channel], down[:, None] * across, out=result[channel])
    return result


def network_input(image: np.ndarray, alpha: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(11, H, W) float32 as :class:`~vto_utils.networks.parser.ParserNet` takes it."""
    photo = (image.astype(np.float32) - MEAN) / STD
    mask = alpha.astype(np.float32)[None] / 255
    return np.concatenate([photo.transpose(2, 0, 1), mask, heatmaps(keypoints, alpha.shape)])


# Augmentation -------------------------------------------------------------------------------------

_SWAPPED = np.arange(256, dtype=np.uint8)
for _left, _right in (("left-arm", "right-arm"), ("left-leg", "right-leg"), ("left-shoe", "right-shoe")):
    _SWAPPED[[ID[_left], ID[_right]]] = ID[_right], ID[_left]
_MIRRORED_POINTS = [
    KEYPOINT_NAMES.index(
        name.replace("left", "?").replace("right", "left").replace("?", "right")  # the other side's name
    )
    for name in KEYPOINT_NAMES
]


def flip_example(example: Example) -> Example:
    """Mirror left and right; the person's left arm becomes the right one."""
    points = example.keypoints[_MIRRORED_POINTS].copy()
    points[:, 0] = np.where(points[:, 2] > 0, example.labels.shape[1] - 1 - points[:, 0], points[:, 0])
    image, labels, alpha = (np.ascontiguousarray(x[:, ::-1]) for x in (example.image, example.labels, example.alpha))
    return Example(image, _SWAPPED[labels], alpha, points)


def augment(example: Example, size: tuple[int, int], rng: np.random.Generator) -> Example:
    """A picture to train on: another frame, light, camera and background.

    Args:
        size: (height, width) of the result.
        rng: decides everything.
    """
    example = warp_example(example, _random_frame(example, size, rng), size)
    if rng.random() < 0.5:
        example = flip_example(example)
    image = example.image
    if rng.random() < 0.35:
        image = _other_background(image, example.labels, rng)
    image = _camera(image, rng)
    return Example(image, example.labels, _worn_mask(example.alpha, rng), _worn_pose(example.keypoints, size, rng))


def _random_frame(example: Example, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    x, y, w, h = person_box(example.alpha, example.keypoints)
    points = example.keypoints
    kind = rng.random()
    row = {name: points[KEYPOINT_NAMES.index(name)] for name in ("neck", "right_hip", "right_knee")}
    if kind < 0.45 and min(p[2] for p in row.values()) > 0.1 and row["right_hip"][1] > row["neck"][1]:
        # The framing of shops: head or chin at the top, hips to knees at the bottom.
        hip, knee = row["right_hip"][1], max(row["right_knee"][1], row["right_hip"][1] + 1)
        bottom = hip + (knee - hip) * rng.uniform(-0.2, 1.1)
        top = y + rng.choice([0.0, 0.0, 0.6]) * (row["neck"][1] - y)
        visible = (points[:, 2] > 0.1) & (points[:, 1] < bottom)
        left, right = points[visible, 0].min(), points[visible, 0].max()
        wide = max(right - left, 0.45 * (bottom - top)) * 1.25
        x, w = (left + right - wide) / 2, wide
        y, h = top, max(bottom - top, 8.0)
        margin = rng.uniform(-0.03, 0.1)
    else:
        margin = rng.uniform(-0.04, 0.12) if kind < 0.85 else rng.uniform(0.12, 0.45)
    x += rng.normal(0, 0.04) * w
    y += rng.normal(0, 0.02) * h
    return frame_matrix((x, y, w, h), size, margin, rng.normal(0, 5))


def _other_background(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The person before a studio's wall: a grey or a pale colour, with a soft change of light."""
    height, width = labels.shape
    base = rng.uniform(110, 255)
    colour = np.clip(base + rng.normal(0, 8, 3) * (rng.random() < 0.6), 0, 255)
    slope = rng.normal(0, 18, 2)
    ramp = slope[0] * np.linspace(-0.5, 0.5, width)[None] + slope[1] * np.linspace(-0.5, 0.5, height)[:, None]
    wall = np.clip(colour + ramp[..., None], 0, 255).astype(np.float32)
    person = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), 0.8)[..., None]
    return (image * person + wall * (1 - person) + 0.5).astype(np.uint8)


def _camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, white balance, saturation, sharpness, noise, JPEG."""
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.25))
    levels = (levels - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5
    levels = levels * np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.05, 3))
    image = cv2.LUT(image, np.clip(levels * 255, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.7:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = float(np.clip(rng.normal(1, 0.3), 0, 1.8))
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0)
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.8))
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image


def _worn_mask(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Person masks fail: sometimes there is none, sometimes it is too wide or too narrow, or misses a part."""
    kind = rng.random()
    if kind < 0.12:
        return np.zeros_like(alpha)
    if kind < 0.4:
        steps = int(rng.integers(1, 4))
        alpha = (cv2.erode if rng.random() < 0.5 else cv2.dilate)(alpha, np.ones((3, 3), np.uint8), iterations=steps)
    elif kind < 0.55:
        height, width = alpha.shape
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        alpha = cv2.circle(alpha.copy(), centre, int(rng.uniform(0.03, 0.12) * height), int(rng.choice([0, 255])), -1)
    return alpha


def _worn_pose(keypoints: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    points = keypoints.copy()
    points[:, :2] += rng.normal(0, 0.006 * size[0], (18, 2)).astype(np.float32)
    points[rng.random(18) < 0.05] = 0
    return np.zeros_like(points) if rng.random() < 0.1 else points


# The stream of training pictures ------------------------------------------------------------------


class ParserStream:
    """An endless, repeatable row of training pictures, for ``torch.utils.data.DataLoader``.

    Picture ``position`` belongs to epoch ``position // epoch_length``; an epoch holds each CCP photo once and so
    many synthetic pictures, drawn anew, that they are the wanted share.

    Args:
        ccp: prepared; its ``train`` photos are used. None to do without.
        synthetic: None to do without.
        size: (height, width) of the pictures.
        seed: of everything.
        share: of synthetic pictures, if there is CCP too.
        length: what ``len`` tells.
    """

    def __init__(
        self, ccp: CCP | None, synthetic: Synthetic | None, size: tuple[int, int], seed: int, share: float, length: int
    ) -> None:
        photos = 0 if ccp is None else len(ccp.train)
        drawn = 0 if synthetic is None else len(synthetic) if ccp is None else round(photos * share / (1 - share))
        if not photos + drawn:
            raise InputError("There is nothing to train on: give Clothing Co-Parsing, a synthetic data set, or both.")
        self.ccp, self.synthetic, self.size, self.seed = ccp, synthetic, tuple(size), seed
        self.photos, self.drawn, self.length = photos, drawn, length
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def epoch_length(self) -> int:
        return self.photos + self.drawn

    def __len__(self) -> int:
        return self.length

    def item(self, position: int) -> tuple[int, int]:
        """Epoch and number of the picture: below ``photos`` a CCP photo, from there on a synthetic picture."""
        epoch, place = divmod(position, self.epoch_length)
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, 1, epoch])
            numbers = np.arange(self.photos)
            if self.drawn:
                total = len(self.synthetic)
                picked = rng.choice(total, self.drawn, replace=self.drawn > total)
                numbers = np.concatenate([numbers, self.photos + picked])
            self._order = epoch, rng.permutation(numbers)
        return epoch, int(self._order[1][place])

    def example(self, position: int) -> Example:
        """The picture at this place of the row."""
        epoch, number = self.item(position)
        rng = np.random.default_rng([self.seed, 2, epoch, number, position % self.epoch_length])
        if number < self.photos:
            source = self.ccp.read(self.ccp.train[number])
        else:
            source = self.synthetic.read(number - self.photos)
        return augment(source, self.size, rng)

    def __getitem__(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(11, H, W) float32 network input, (H, W) uint8 numbers of the network's classes, UNKNOWN = 255."""
        example = self.example(position)
        return network_input(example.image, example.alpha, example.keypoints), from_cihp(example.labels, BAG, UNKNOWN)
