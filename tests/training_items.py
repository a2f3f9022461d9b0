"""Tiny training data whose garments truly lie where the flow says, and networks small enough for them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from vto_utils.datasets import collate
from vto_utils.labels import ID
from vto_utils.networks import identity_flow, sample
from vto_utils.training.config import StageConfig, TrainConfig
from vto_utils.training.data import TrainingData

SIZE = (64, 48)  # (height, width)
GMM = dict(widths=(8, 16, 16, 32), depths=(0, 1, 1, 1), features=16, trunk=1, radii=(1, 2, 1))
TOM = dict(widths=(8, 16, 16), depths=(0, 1, 1))
DISCRIMINATOR = dict(scales=1, layers=2, width=8)
NO_FEATURES = dict(features=0, image_features=0)  # a perceptual distance would need a model file


def item(seed: int, size: tuple[int, int] = SIZE) -> dict:
    """A person of rectangles who wears, or is to wear, a rectangle of smooth colours, moved and scaled."""
    height, width = size
    rng = np.random.default_rng(seed)
    colours = torch.from_numpy(rng.uniform(-1, 1, (1, 3, 8, 6)).astype(np.float32))
    picture = F.interpolate(colours, size=size, mode="bicubic", align_corners=False).clamp(-1, 1)
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : -height // 4, width // 4 : -width // 4] = 1
    cloth = picture * mask + (1 - mask)

    scale, shift = rng.uniform(0.9, 1.3), torch.from_numpy(rng.uniform(-0.25, 0.25, 2).astype(np.float32))
    flow = identity_flow(mask) * scale + shift.view(1, 2, 1, 1)
    worn = (sample(mask, flow, padding="zeros") > 0.5).float()
    parse = torch.zeros(1, height, width, dtype=torch.uint8)
    parse[:, height // 8 : height // 5, width // 3 : -width // 3] = ID["face"]
    parse[:, -height // 3 :, width // 4 : -width // 4] = ID["pants"]
    parse[:, height // 4 : height // 2, : width // 4] = ID["right-arm"]
    bare = torch.full((1, 3, height, width), 0.8)
    for name, colour in (("face", (0.5, 0.2, 0.1)), ("pants", (-0.6, -0.5, 0.1)), ("right-arm", (0.5, 0.2, 0.0))):
        bare = torch.where((parse == ID[name])[:, None], torch.tensor(colour).view(1, 3, 1, 1), bare)
    target = torch.where(worn > 0, sample(cloth, flow), bare)
    target_parse = torch.where(worn[:, 0] > 0, torch.tensor(ID["upper-clothes"], dtype=torch.uint8), parse)
    region = torch.zeros(1, 1, height, width)
    region[..., height // 6 : -height // 6, width // 8 : -width // 8] = 1
    points = torch.from_numpy(rng.uniform(0.1, 0.9, (18, 3)).astype(np.float32)) * torch.tensor([width, height, 1.0])
    # The person's points say where the garment belongs: without them there would be nothing to learn.
    points[:2, :2] = (torch.stack([-shift, -shift + 0.3]) / scale + 1) / 2 * torch.tensor([width, height])
    return {
        "person": bare[0], "parse": parse[0], "agnostic_mask": region[0], "keypoints": points, "cloth": cloth[0],
        "cloth_mask": mask[0], "category": torch.tensor(0), "target": target[0], "target_parse": target_parse[0],
        "target_garment": worn[0], "flow": (flow * worn)[0], "flow_valid": worn[0], "has_target": torch.tensor(True),
        "has_flow": torch.tensor(True), "swapped": torch.tensor(True), "name": f"{seed}", "cloth_name": f"{seed}",
        "dataset": "drawn",
    }  # fmt: skip


def batch(count: int, first: int = 0, size: tuple[int, int] = SIZE) -> dict:
    return collate([item(first + number, size) for number in range(count)])


class Drawn:
    """A data set of ``count`` such items; another epoch shows other ones."""

    def __init__(self, count: int, size: tuple[int, int], first: int = 0, epochs: bool = True) -> None:
        self.count, self.size, self.first, self.epochs = count, size, first, epochs

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: tuple[int, int]) -> dict:
        epoch, number = key
        return item(self.first + number + 1000 * epoch * self.epochs, self.size)

    def __str__(self) -> str:
        return f"{self.count} drawn items"


class DrawnData(TrainingData):
    """In place of data sets on disk."""

    def __init__(self, config: TrainConfig, count: int = 7, epochs: bool = True) -> None:
        super().__init__(["drawn"], config)
        self.count, self.epochs = count, epochs

    def train(self, size: tuple[int, int]) -> Drawn:
        return Drawn(self.count, size, epochs=self.epochs)

    def validation(self, size: tuple[int, int]) -> Drawn:
        return Drawn(3, size, first=500)


def config(*stages: StageConfig, losses: dict | None = None, **more) -> TrainConfig:
    """A run of small networks on the CPU that draws and measures nothing but what is asked for."""
    more = dict(validation_samples=0, picture_samples=0, save_every=3600.0, workers=0, device="cpu") | more
    return TrainConfig(
        stages=stages or (StageConfig("warp", 4, SIZE, 2),), losses=NO_FEATURES | (losses or {}), gmm=GMM, tom=TOM,
        discriminator=DISCRIMINATOR, **more,
    )  # fmt: skip
