"""Tests; the folders mirror those of leafid."""
