from .answers import ANSWERS as ANSWERS
from .answers import GOOD as GOOD
from .gate import judge_input as judge_input
