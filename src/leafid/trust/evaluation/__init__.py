"""Evaluation on images the network has not seen: metrics, breakdowns, controls, files and report."""
