"""Secondary veins: midrib, straightened blade, paths of ridges, and their number."""
