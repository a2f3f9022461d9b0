"""A drawn person, and a tiny Clothing Co-Parsing of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from vto_utils.labels import ID
from vto_utils.parser_training.examples import BAG, Example
from vto_utils.pose import KEYPOINT_NAMES, Pose

CCP_NAMES = [
    "null", "accessories", "bag", "belt", "blazer", "blouse", "bodysuit", "boots", "bra", "bracelet", "cape",
    "cardigan", "clogs", "coat", "dress", "earrings", "flats", "glasses", "gloves", "hair", "hat", "heels", "hoodie",
    "intimate", "jacket", "jeans", "jumper", "leggings", "loafers", "necklace", "panties", "pants", "pumps", "purse",
    "ring", "romper", "sandals", "scarf", "shirt", "shoes", "shorts", "skin", "skirt", "sneakers", "socks",
    "stockings", "suit", "sunglasses", "sweater", "sweatshirt", "swimwear", "t-shirt", "tie", "tights", "top",
    "vest", "wallet", "watch", "wedges",
]  # fmt: skip


def standing() -> Pose:
    """Somebody facing the camera in a photo of 200 x 120; the person's left is on the right."""
    places = {
        "nose": (60, 24), "neck": (60, 48), "right_eye": (57, 21), "left_eye": (63, 21), "right_ear": (53, 23),
        "left_ear": (67, 23), "right_shoulder": (44, 48), "right_elbow": (36, 75), "right_wrist": (32, 98),
        "left_shoulder": (76, 48), "left_elbow": (84, 75), "left_wrist": (88, 98), "right_hip": (51, 100),
        "right_knee": (50, 140), "right_ankle": (50, 178), "left_hip": (69, 100), "left_knee": (70, 140),
        "left_ankle": (70, 178),
    }  # fmt: skip
    points = np.array([(*places[name], 1) for name in KEYPOINT_NAMES], np.float32)
    return Pose(points)


def drawn() -> Example:
    """A red top, a blue bag on the left of the picture, and a left arm; colours tell the labels."""
    labels = np.zeros((200, 120), np.uint8)
    labels[50:100, 45:75] = ID["upper-clothes"]
    labels[90:110, 10:30] = BAG
    labels[55:95, 78:86] = ID["left-arm"]
    image = np.full((200, 120, 3), 90, np.uint8)
    for number, colour in ((ID["upper-clothes"], (250, 0, 0)), (BAG, (0, 0, 250)), (ID["left-arm"], (0, 250, 0))):
        image[labels == number] = colour
    return Example(image, labels, np.where(labels > 0, 255, 0).astype(np.uint8), standing().keypoints)


def write_ccp(folder: Path, cache: Path) -> None:
    """Six photos of the drawn person, with what would be found in them."""
    for path in (folder / "photos", folder / "labels", cache):
        path.mkdir(parents=True)
    (folder / "labels.json").write_text(json.dumps(CCP_NAMES))
    example = drawn()
    ids = np.zeros((200, 120), np.uint8)
    ids[50:100, 45:75] = CCP_NAMES.index("blouse")
    ids[55:95, 78:86] = CCP_NAMES.index("skin")
    for n in range(6):
        Image.fromarray(example.image).save(folder / "photos" / f"{n:04d}.jpg")
        Image.fromarray(ids).save(folder / "labels" / f"{n:04d}.png")
        np.savez(
            cache / f"{n:04d}.npz",
            keypoints=example.keypoints, landmarks=np.zeros((33, 3), np.float32), alpha=example.alpha,
        )  # fmt: skip
