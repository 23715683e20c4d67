"""Several photos of one plant: which photos belong together, and the part of `leafid identify` for them."""
