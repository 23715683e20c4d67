"""From prepared views to batches: view store, augmentation, samples, samplers and loaders."""
