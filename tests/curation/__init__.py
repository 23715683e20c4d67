"""Tests of gatherings, names, splits and the audit."""
