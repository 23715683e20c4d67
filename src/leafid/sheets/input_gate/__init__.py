"""A learned input gate: is this a sharp picture of a leaf, and if not, what is wrong with it?"""
