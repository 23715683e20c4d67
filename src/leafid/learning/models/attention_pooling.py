"""Attention pooling: from the features of an image's views to one embedding, with a weight for each view.

Ilse, Tomczak & Welling 2018, Attention-based deep multiple instance learning, ICML.
"""

import torch
from torch import Tensor, nn

from leafid.learning.data.bags import KINDS


class AttentionPooling(nn.Module):
    """Averages the features of an image's views with learnt weights.

    Before training, all kinds of views of an image have the same weight, and all views of a kind: twelve tiles together
    weigh as much as the one view of the whole plant. With few sheets, no other weights were better (docs/results.md).

    Args:
        features: length F of the features of a view.
        transform: applied to the pooled features of an image; None: nothing.
    """

    def __init__(self, features: int, transform: nn.Module | None = None) -> None:
        super().__init__()
        self.transform = transform or nn.Identity()
        self.score = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, features: Tensor, image_index: Tensor, kinds: Tensor, images: int) -> tuple[Tensor, Tensor]:
        """Pool the features of views.

        Args:
            features: (V, F).
            image_index: (V,), int64: the image of each view.
            kinds: (V,), int64: what each view shows, an index into ``KINDS``.
            images: N; each has at least one view.

        Returns:
            Embeddings of the images (N, F), and the weight of each view (V,); the weights of an image sum to 1.
        """
        group = image_index * len(KINDS) + kinds  # (V,), one number for each kind of view of each image
        group_size = torch.bincount(group, minlength=images * len(KINDS))[group]
        scores = self.score(features).squeeze(1).float()
        # Softmax over the views of an image; its largest score is subtracted first, so that exp does not overflow.
        largest = scores.new_full((images,), -torch.inf).scatter_reduce(0, image_index, scores.detach(), "amax")
        exponentials = (scores - largest[image_index]).exp() / group_size
        weights = exponentials / exponentials.new_zeros(images).index_add(0, image_index, exponentials)[image_index]
        weighted = features * weights[:, None].to(features.dtype)
        pooled = features.new_zeros(images, features.shape[1]).index_add(0, image_index, weighted)
        return self.transform(pooled), weights
