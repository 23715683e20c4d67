"""Networks: backbones and their weights, pooling of features, heads, batch norm fusion."""
