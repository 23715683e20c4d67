"""Can the answer be trusted: probabilities, decisions, and what a network is worth on images it was not trained on."""

from leafid.trust.decision import UndeterminedReason, Verdict, decide
from leafid.trust.probabilities import probabilities

__all__ = ["UndeterminedReason", "Verdict", "decide", "probabilities"]
