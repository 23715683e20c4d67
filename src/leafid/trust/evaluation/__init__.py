"""Evaluation on held-out images: metrics, breakdowns, shortcut controls, output files and report."""
