"""Bundles packed and on the web."""
