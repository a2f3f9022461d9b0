"""Measuring the try-on: variants of it against the known result, and whole try-ons against real photos.

    command    the command ``evaluate``
    variants   how a garment can be put on: without networks, and by the networks or parts of them
    measures   figures of one picture against the true one
    samples    all samples of a data set through all variants
    pairs      real photos of people who wear exactly the given garment
    tables     means, text tables and JSON

Figures of two reports can be compared when their data have the same sha256 and their settings are the same.
"""
