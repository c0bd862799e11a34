"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of a network that ends in pooling and softmax.

The score explained is the logit, the input of the softmax. Behind global average pooling and one
dense layer it is ``b_c + sum_ijk A_ijk W_kc / (h w)``, so its gradient with respect to the last
feature map is ``W_kc / (h w)`` everywhere: equations 1 and 2 need no differentiation, and the map
is the class activation map of Zhou et al. 2016 (arXiv:1512.04150) before the ReLU.
"""

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.models.fold_model import Features


def contributions(features: Features, kernel: Floats, classes: Ints) -> Floats:
    """(m, h, w) what each place adds to the logit; with the bias, their sum is the logit.

    features : (m, h, w, F) last feature map. kernel : (F, C). classes : (m,) explained class.
    """
    _, height, width, _ = features.shape
    weights = kernel.T[classes] / (height * width)
    return np.asarray(np.einsum("mhwf,mf->mhw", features.astype(np.float64), weights))


def grad_cam(features: Features, kernel: Floats, classes: Ints) -> Floats:
    """(m, h, w) in [0, 1]: evidence for the class, each image's largest being 1.

    Equation 2: negative values become 0. An image without any evidence for the class is 0
    throughout. Shapes as in :func:`contributions`.
    """
    evidence = np.maximum(contributions(features, kernel, classes), 0.0)
    peak = evidence.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(evidence, peak, out=np.zeros_like(evidence), where=peak > 0))


def head_probabilities(features: Features, kernel: Floats, bias: Floats) -> Floats:
    """(m, C) softmax of pooling and dense layer, in float64."""
    logits = features.astype(np.float64).mean(axis=(1, 2)) @ kernel + bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
