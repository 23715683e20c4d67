"""Can the answer be trusted: probabilities, decisions, and what a network is worth on images it was not trained on."""

from leafid.trust.decision import UndeterminedReason, Verdict, decide
from leafid.trust.evaluate import evaluate
from leafid.trust.figures import Evaluation, Failure, TargetFigures, TaxonFigures
from leafid.trust.probabilities import probabilities

__all__ = [
    "Evaluation",
    "Failure",
    "TargetFigures",
    "TaxonFigures",
    "UndeterminedReason",
    "Verdict",
    "decide",
    "evaluate",
    "probabilities",
]
