"""The version of the program, in one place: read by the build, stamped on every bundle and record."""

__version__ = "0.1.0"
