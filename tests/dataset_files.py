"""Tiny data sets of every layout, written to disk: people made of rectangles, in rectangles."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from drawn_labels import body
from PIL import Image

from vto_utils import labels
from vto_utils.label_schemes import from_cihp
from vto_utils.pose import Pose
from vto_utils.preprocessing import to_body25
from vto_utils.synth.samples import SynthConfig
from vto_utils.synth.storage import write_dataset

sys.path.append(str(Path(__file__).parent / "synth"))
from drawn import DrawnGenerator

OWN = (128, 96)  # (height, width) of the files
SIZE = (64, 48)  # at which they are read
POINTS = np.array(
    [(48, 18), (48, 31), (36, 32), (30, 50), (30, 66), (60, 32), (66, 50), (66, 66), (40, 68), (40, 96), (40, 114),
     (56, 68), (56, 96), (56, 114), (45, 15), (51, 15), (41, 16), (55, 16)],
    np.float32,
)  # fmt: skip
KEYPOINTS = np.concatenate([POINTS, np.full((18, 1), 0.9, np.float32)], 1)
GARMENT = (24, 104, 18, 78)  # top, bottom, left, right
COLOURS = ((200, 40, 60), (40, 90, 200), (30, 140, 70))


def person(number: int = 0, ids: np.ndarray | None = None) -> Image.Image:
    """A photo in the colours of the label palette; the top has a colour of its own."""
    ids = body() if ids is None else ids
    picture = labels.palette()[ids]
    picture[ids == 0] = 235
    picture[labels.select(ids, labels.CATEGORIES["upper_body"])] = COLOURS[number % 3]
    return Image.fromarray(picture)


def garment(number: int = 0) -> tuple[Image.Image, Image.Image]:
    """Photo and mask."""
    mask = np.zeros(OWN, np.uint8)
    mask[GARMENT[0] : GARMENT[1], GARMENT[2] : GARMENT[3]] = 255
    picture = np.where(mask[..., None] > 0, COLOURS[number % 3], 250).astype(np.uint8)
    return Image.fromarray(picture), Image.fromarray(mask)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def openpose(points: np.ndarray, key: str = "pose_keypoints_2d") -> dict:
    return {"people": [{key: points.astype(float).reshape(-1).tolist()}]}


def write_viton_hd(root: Path, split: str = "train", count: int = 3, demo: bool = False) -> Path:
    parse, pose = ("image-parse", "openpose-json") if demo else ("image-parse-v3", "openpose_json")
    names = [f"{number:05d}_00" for number in range(count)]
    body25 = to_body25(Pose(KEYPOINTS), OWN)
    for number, name in enumerate(names):
        save(person(number), root / split / "image" / f"{name}.jpg")
        save(labels.to_palette_image(body()), root / split / parse / f"{name}.png")
        write(root / split / pose / f"{name}_keypoints.json", openpose(body25))
        photo, mask = garment(number)
        save(photo, root / split / "cloth" / f"{name}.jpg")
        save(mask, root / split / "cloth-mask" / f"{name}.jpg")
        region = np.zeros(OWN, np.uint8)
        region[20:80, 20:76] = 255
        save(Image.fromarray(region), root / split / "agnostic-mask" / f"{name}_mask.png")
    others = names if split == "train" else [*names[1:], names[0]]
    pairs = zip(names, others, strict=True)
    write(root / f"{split}_pairs.txt", "".join(f"{one}.jpg {other}.jpg\n" for one, other in pairs))
    return root


def write_viton(root: Path, split: str = "train", count: int = 3, new: bool = False) -> Path:
    numbers = [f"{number:06d}" for number in range(count)]
    for number, name in enumerate(numbers):
        save(person(number), root / split / "image" / f"{name}_0.jpg")
        ids = from_cihp(body(neck="torso-skin"), "lip")
        ids[ids == 20] = 20 if new else 13
        save(Image.fromarray(ids), root / split / ("image-parse-new" if new else "image-parse") / f"{name}_0.png")
        write(root / split / "pose" / f"{name}_0_keypoints.json", openpose(KEYPOINTS, "pose_keypoints"))
        photo, mask = garment(number)
        save(photo, root / split / "cloth" / f"{name}_1.jpg")
        save(mask, root / split / "cloth-mask" / f"{name}_1.jpg")
    others = numbers if split == "train" else [*numbers[1:], numbers[0]]
    pairs = zip(numbers, others, strict=True)
    write(root / f"{split}_pairs.txt", "".join(f"{one}_0.jpg {other}_1.jpg\n" for one, other in pairs))
    return root


def write_dresscode(root: Path, count: int = 2, masks: bool = True) -> Path:
    kinds = {"upper_body": {}, "lower_body": {}, "dresses": {"upper": "dress", "lower": "dress"}}
    scale = np.float32([384 / OWN[1], 512 / OWN[0]])
    for place, (category, worn) in enumerate(kinds.items()):
        numbers = [f"{1000 * place + number:06d}" for number in range(count)]
        for number, name in enumerate(numbers):
            ids = body(**worn)
            save(person(number, ids), root / category / "images" / f"{name}_0.jpg")
            photo, mask = garment(number)
            save(photo, root / category / "images" / f"{name}_1.jpg")
            if masks:
                save(mask, root / category / "masks" / f"{name}_1.png")
            save(Image.fromarray(from_cihp(ids, "atr")), root / category / "label_maps" / f"{name}_4.png")
            rows = np.concatenate([POINTS * scale, np.full((18, 1), 0.8), np.arange(18)[:, None]], 1)
            rows[17] = -1
            write(root / category / "keypoints" / f"{name}_2.json", {"keypoints": rows.tolist()})
        own = "".join(f"{name}_0.jpg\t{name}_1.jpg\n" for name in numbers)
        other = "".join(f"{a}_0.jpg\t{b}_1.jpg\n" for a, b in zip(numbers, reversed(numbers), strict=True))
        for name, text in (("train_pairs", own), ("test_pairs_paired", own), ("test_pairs_unpaired", other)):
            write(root / category / f"{name}.txt", text)
    return root


def write_synthetic(root: Path, count: int = 5, category: str = "upper_body") -> Path:
    """The people of the drawn stand-in wear tops only, whatever the category says."""
    config = SynthConfig(size=OWN, held_out=0.3, category=category)
    write_dataset(config, root, count, workers=0, progress=False, generator=DrawnGenerator)
    return root
