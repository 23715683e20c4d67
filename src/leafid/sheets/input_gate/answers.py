"""What the input gate answers; imports nothing, since every record needs the words."""

GOOD = "good"
ANSWERS = (GOOD, "blurred", "not_a_leaf", "several_plants", "cut_off", "too_small")
"""What a picture is: suitable, or why not."""
