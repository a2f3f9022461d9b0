"""The row of training pictures. Each follows from the seed, the epoch and the photo's number alone."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..networks.parser import from_cihp
from ..parsing.framing import network_input
from .augmentation import augment
from .ccp import CCP
from .examples import BAG, UNKNOWN, Example
from .synthetic import Synthetic


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
