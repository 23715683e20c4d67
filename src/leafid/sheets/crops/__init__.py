"""Finds the crops of a sheet, plant and single leaves, and cuts them out upright."""
