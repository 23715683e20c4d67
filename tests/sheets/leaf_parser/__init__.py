"""Tests of the leaf parser."""
