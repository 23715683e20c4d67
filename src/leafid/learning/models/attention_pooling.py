"""From the views of an image to one answer for it, and what each view had to say in it.

Attention over a bag: Ilse, Tomczak & Welling 2018, Attention-based deep multiple instance learning, ICML.
"""

import torch
from torch import Tensor, nn

from leafid.learning.data.bags import KINDS


class AttentionPooling(nn.Module):
    """Averages the features of an image's views by weights that it learns.

    It starts from equal weights for all kinds of views that an image has, and for all views of a kind: twelve tiles
    then say together as much as the one view of the whole plant. On few sheets nothing better is to be learnt
    (*Viola*, frozen features, five folds: 0.63 macro-F1, against 0.60 to 0.62 for other weights by hand).

    Args:
        features: length F of the features of a view.
        root: what makes the embedding of an image of its pooled features.
    """

    def __init__(self, features: int, root: nn.Module | None = None) -> None:
        super().__init__()
        self.root = root or nn.Identity()
        self.score = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, features: Tensor, owners: Tensor, kinds: Tensor, images: int) -> tuple[Tensor, Tensor]:
        """Pool the features of views.

        Args:
            features: (V, F).
            owners: (V,), int64: the image of each view.
            kinds: (V,), int64: what each view shows, an index into ``KINDS``.
            images: N; each has at least one view.

        Returns:
            Embeddings of the images (N, F), and the weight of each view (V,); the weights of an image sum to 1.
        """
        of_kind = owners * len(KINDS) + kinds
        alike = torch.bincount(of_kind, minlength=images * len(KINDS))[of_kind]
        scores = self.score(features).squeeze(1).float()
        # The softmax over the views of an image; its largest score is taken off first, so that nothing overflows.
        largest = scores.new_full((images,), -torch.inf).scatter_reduce(0, owners, scores.detach(), "amax")
        powers = (scores - largest[owners]).exp() / alike
        weights = powers / powers.new_zeros(images).index_add(0, owners, powers)[owners]
        weighted = features * weights[:, None].to(features.dtype)
        return self.root(features.new_zeros(images, features.shape[1]).index_add(0, owners, weighted)), weights
