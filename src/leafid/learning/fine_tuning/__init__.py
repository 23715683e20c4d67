"""Fine-tuning with Lightning: module, optimizer, loss, mixup, checkpoints, reports."""
