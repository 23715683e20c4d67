"""From prepared views to batches: the view store, augmentation, samples and their order."""
