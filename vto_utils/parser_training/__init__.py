"""Data, training and measurement of the human parser: ``python -m vto_utils train-parser``.

Needs Clothing Co-Parsing, a synthetic data set, or both. Nothing here is used when a photo is parsed; that is
:mod:`vto_utils.parsing`.
"""
