"""A learned input gate: is this a sharp picture of a leaf, and if not, what is wrong with it?"""

from leafid.sheets.input_gate.gate import ANSWERS, GOOD, judge_input

__all__ = ["ANSWERS", "GOOD", "judge_input"]
