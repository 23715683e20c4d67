"""Outlines of blades on a plain ground, and what they tell about the leaves that were found."""
