"""Tests of leaf characters."""
