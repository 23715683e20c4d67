"""Identification on a Ray cluster."""
