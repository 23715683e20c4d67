"""The version of the program; the build reads it, and every bundle and record contains it."""

__version__ = "0.2.0"
