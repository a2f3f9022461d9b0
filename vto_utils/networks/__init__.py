"""The two networks of the try-on: GMM warps the garment, TryOnSynthesizer paints the person wearing it."""

from .closeup import sample_garment
from .discriminator import DiscriminatorConfig, DiscriminatorOutput, PatchDiscriminator
from .gmm import GMM, GMMConfig, GMMOutput
from .inputs import LAYOUT, garment_input, garment_seen, layout_target, person_layout, synthesizer_inputs
from .layers import identity_flow, resize_flow, sample
from .synthesizer import SynthesizerConfig, TryOnOutput, TryOnSynthesizer, compose

__all__ = [
    "GMM",
    "LAYOUT",
    "DiscriminatorConfig",
    "DiscriminatorOutput",
    "GMMConfig",
    "GMMOutput",
    "PatchDiscriminator",
    "SynthesizerConfig",
    "TryOnOutput",
    "TryOnSynthesizer",
    "compose",
    "garment_input",
    "garment_seen",
    "identity_flow",
    "layout_target",
    "person_layout",
    "resize_flow",
    "sample",
    "sample_garment",
    "synthesizer_inputs",
]
