"""From the views of an image to one answer for it."""

import torch
from torch import Tensor


def mean_over_bags(logits: Tensor, bags: Tensor) -> Tensor:
    """Average the logits (V, T) of views over their images: (N, T).

    That is the log-opinion pool: the mean of the views' log-probabilities differs from the mean of their logits only by
    a number that all taxa share, and which softmax takes out. An image of one view keeps that view's logits.

    Args:
        logits: of the views of all images, one image after the other.
        bags: (N,), int64: how many views each image has, at least 1.
    """
    if len(logits) == len(bags):
        return logits
    image = torch.repeat_interleave(torch.arange(len(bags), device=logits.device), bags, output_size=len(logits))
    sums = logits.new_zeros(len(bags), logits.shape[1]).index_add(0, image, logits)
    return sums / bags[:, None]
