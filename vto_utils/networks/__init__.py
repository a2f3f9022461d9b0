"""The two networks of the try-on: GMM warps the garment, TryOnSynthesizer paints the person wearing it."""

from .gmm import GMM, LAYOUT_CLASSES, GMMConfig, GMMOutput, sample_garment
from .layers import identity_flow, resize_flow, sample
from .synthesizer import SynthesizerConfig, TryOnOutput, TryOnSynthesizer, compose

__all__ = [
    "GMM",
    "LAYOUT_CLASSES",
    "GMMConfig",
    "GMMOutput",
    "SynthesizerConfig",
    "TryOnOutput",
    "TryOnSynthesizer",
    "compose",
    "identity_flow",
    "resize_flow",
    "sample",
    "sample_garment",
]
