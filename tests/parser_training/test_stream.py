from __future__ import annotations

import numpy as np
import pytest
from drawn_people import drawn, write_ccp

from vto_utils.errors import InputError
from vto_utils.parser_training.ccp import CCP
from vto_utils.parser_training.stream import ParserStream


@pytest.fixture
def data(tmp_path):
    write_ccp(tmp_path / "ccp", tmp_path / "cache")
    return CCP(tmp_path / "ccp", tmp_path / "cache")


def test_stream_is_the_same_each_time_and_shows_every_photo_once_an_epoch(data, monkeypatch):
    monkeypatch.setattr(CCP, "found", lambda self, name: (None, drawn().alpha))
    streams = [ParserStream(data, None, (64, 32), 3, 0.2, 9) for _ in range(2)]
    assert len(data.test) == len(data.train) == 3 and not set(data.test) & set(data.train)
    order = [streams[0].item(p) for p in range(9)]
    assert [sorted(n for e, n in order if e == epoch) for epoch in range(3)] == [[0, 1, 2]] * 3
    for position in (7, 1):  # in any order
        for a, b in zip(streams[0][position], streams[1][position], strict=True):
            assert np.array_equal(a, b)
    x, classes = streams[0][0]
    assert x.shape == (11, 64, 32) and classes.shape == (64, 32) and classes.dtype == np.uint8


def test_synthetic_pictures_are_the_wanted_share(data):
    class Drawn:
        def __len__(self):
            return 4

        def read(self, number):
            return drawn()

    stream = ParserStream(data, Drawn(), (64, 32), 3, 0.4, 10)
    assert stream.epoch_length == 5  # three photos, two of five drawn
    numbers = [stream.item(p)[1] for p in range(5)]
    assert sorted(n for n in numbers if n < 3) == [0, 1, 2] and sum(n >= 3 for n in numbers) == 2
    assert ParserStream(None, Drawn(), (64, 32), 3, 0.4, 10).epoch_length == 4


def test_nothing_to_train_on_is_told():
    with pytest.raises(InputError, match="nothing to train on"):
        ParserStream(None, None, (64, 32), 0, 0.2, 1)
