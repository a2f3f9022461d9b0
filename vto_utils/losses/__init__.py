"""Training losses, one idea a module, each with its source, formula and usual weight.

    pixel        L1, Charbonnier, total variation                        what the pictures look like
    features     L1 between features of an ImageNet network              what a viewer sees in them
    layout       cross-entropy and soft overlap                          masks and the target layout
    flow         end-point error, second-order smoothness                where the garment is read
    grid         even spacing, bending of control points                 the same for the spline
    adversarial  hinge, least squares, feature matching                  whether they pass for photos
    composition  composition mask, occlusion, clothing consistency       what covers what

All take tensors as the networks make them and return a scalar, float32 also for half-precision inputs and
inside autocast (float64 stays float64). Averages run over the whole batch: its order does not matter. Where a
mask or validity map is 0 there is no cost and no gradient, whatever stands there, NaN included.
"""

from .adversarial import discriminator_loss, feature_matching_loss, generator_loss
from .composition import clothing_consistency_loss, composition_mask_loss, visible_mask
from .features import PerceptualLoss, perceptual
from .flow import flow_loss, flow_total_variation, multi_level_flow_loss, second_order_smoothness
from .grid import bending_loss, grid_spacing_loss
from .layout import layout_loss, mask_loss, soft_overlap_loss
from .pixel import charbonnier_loss, l1_loss, total_variation

__all__ = [
    "PerceptualLoss",
    "bending_loss",
    "charbonnier_loss",
    "clothing_consistency_loss",
    "composition_mask_loss",
    "discriminator_loss",
    "feature_matching_loss",
    "flow_loss",
    "flow_total_variation",
    "generator_loss",
    "grid_spacing_loss",
    "l1_loss",
    "layout_loss",
    "mask_loss",
    "multi_level_flow_loss",
    "perceptual",
    "second_order_smoothness",
    "soft_overlap_loss",
    "total_variation",
    "visible_mask",
]
