"""Can the answer be trusted: probabilities, decisions, and what a network is worth on images it was not trained on."""

from leafid.trust.crossvalidate import Crossvalidation, crossvalidate
from leafid.trust.decision import UndeterminedReason, Verdict, decide
from leafid.trust.disagreements import Disagreement, list_disagreements
from leafid.trust.evaluate import evaluate
from leafid.trust.explanation import Explanation, draw_explanation, explain_file
from leafid.trust.familiarity import TrainingFeatures, familiarity
from leafid.trust.figures import Evaluation
from leafid.trust.fit import fit_trust
from leafid.trust.heat_pictures import HeatPictures
from leafid.trust.image_quality import ImageQuality, image_quality
from leafid.trust.part_figures import Failure, TargetFigures, TaxonFigures
from leafid.trust.probabilities import probabilities
from leafid.trust.references import ReferenceSpecimens, Specimen
from leafid.trust.thumbnails import read_thumbnail

__all__ = [
    "Crossvalidation",
    "Disagreement",
    "Evaluation",
    "Explanation",
    "Failure",
    "HeatPictures",
    "ImageQuality",
    "ReferenceSpecimens",
    "Specimen",
    "TargetFigures",
    "TaxonFigures",
    "TrainingFeatures",
    "UndeterminedReason",
    "Verdict",
    "crossvalidate",
    "decide",
    "draw_explanation",
    "evaluate",
    "explain_file",
    "familiarity",
    "fit_trust",
    "image_quality",
    "list_disagreements",
    "probabilities",
    "read_thumbnail",
]
