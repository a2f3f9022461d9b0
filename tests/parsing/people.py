"""A drawn person whose labels are known, and a network that answers with colours."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from vto_utils.labels import ID
from vto_utils.networks.parser import CLASS, CLASSES, ParserConfig, ParserNet
from vto_utils.pose import KEYPOINT_NAMES, Pose

NETWORK = ParserConfig(width=16, depths=(0, 0, 0, 0), side_width=16)


def pose(scale: float = 1.0, x: float = 0.0, y: float = 0.0) -> Pose:
    """Somebody facing the camera in a photo of 400 x 240; the person's left is on the right."""
    places = {
        "nose": (120, 50), "neck": (120, 96), "right_eye": (114, 42), "left_eye": (126, 42), "right_ear": (106, 46),
        "left_ear": (134, 46), "right_shoulder": (88, 96), "right_elbow": (72, 150), "right_wrist": (64, 196),
        "left_shoulder": (152, 96), "left_elbow": (168, 150), "left_wrist": (176, 196), "right_hip": (102, 200),
        "right_knee": (100, 280), "right_ankle": (100, 350), "left_hip": (138, 200), "left_knee": (140, 280),
        "left_ankle": (140, 350),
    }  # fmt: skip
    points = np.array([(*places[name], 1) for name in KEYPOINT_NAMES], np.float32)
    return Pose(points * np.float32([scale, scale, 1]) + np.float32([x, y, 0]))


def labels() -> np.ndarray:
    """(400, 240) labels of that person: long sleeves, hands below them, trousers, shoes."""
    drawn = np.zeros((400, 240), np.uint8)
    for name, (top, bottom, left, right) in {
        "hair": (20, 40, 102, 138), "face": (40, 80, 106, 134), "torso-skin": (80, 96, 112, 128),
        "upper-clothes": (92, 200, 86, 154), "pants": (196, 340, 86, 154),
    }.items():  # fmt: skip
        drawn[top:bottom, left:right] = ID[name]
    drawn[220:340, 116:124] = 0  # between the legs
    drawn[104:192, 58:86] = drawn[104:192, 154:182] = ID["upper-clothes"]
    drawn[192:216, 56:72], drawn[192:216, 168:184] = ID["right-arm"], ID["left-arm"]
    drawn[340:370, 90:114], drawn[340:370, 126:150] = ID["right-shoe"], ID["left-shoe"]
    return drawn


def colours() -> np.ndarray:
    """(18, 3) uint8: one colour a class, far from each other."""
    levels = np.array([20, 120, 235])
    numbers = np.arange(len(CLASSES)) + 4
    return np.stack([levels[numbers // 9 % 3], levels[numbers // 3 % 3], levels[numbers % 3]], 1).astype(np.uint8)


def photo(ids: np.ndarray) -> np.ndarray:
    """(H, W, 3) photo of labels, each class in its colour."""
    table = np.zeros((20, 3), np.uint8)
    for name, number in ID.items():
        table[number] = colours()[CLASS[name.removeprefix("left-").removeprefix("right-")]]
    return table[ids]


class ColourNet(ParserNet):
    """Says the class whose colour a place has: real in everything but what it has learned."""

    def __init__(self) -> None:
        super().__init__(NETWORK)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = torch.from_numpy((colours().astype(np.float32) - 127) / 128)
        distance = (x[:, None, :3] - means[None, :, :, None, None]).square().sum(2)
        return F.avg_pool2d(-distance, 4) * 8
