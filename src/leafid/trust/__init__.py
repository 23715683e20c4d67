"""Calibration, out-of-distribution detection, prediction sets, decisions, evaluation and explanation of a bundle."""

from leafid.trust.calibrate import calibrate
from leafid.trust.calibration import calibrated_probabilities
from leafid.trust.decision import Identification, UndeterminedReason, decide
from leafid.trust.evaluation.crossvalidate import Crossvalidation, crossvalidate
from leafid.trust.evaluation.evaluate import evaluate
from leafid.trust.evaluation_schema import Evaluation
from leafid.trust.explanation.explain import Explanation, HeatOverlays, draw_explanation, explain_file
from leafid.trust.image_quality import ImageQuality, image_quality
from leafid.trust.label_issues import LabelIssue, list_label_issues
from leafid.trust.metric_schemas import Failure, TargetResult, TaxonResult
from leafid.trust.ood import TrainingFeatures, ood_scores
from leafid.trust.references import ReferenceSpecimens, Specimen
from leafid.trust.thumbnails import read_thumbnail

__all__ = [
    "Crossvalidation",
    "Evaluation",
    "Explanation",
    "Failure",
    "HeatOverlays",
    "Identification",
    "ImageQuality",
    "LabelIssue",
    "ReferenceSpecimens",
    "Specimen",
    "TargetResult",
    "TaxonResult",
    "TrainingFeatures",
    "UndeterminedReason",
    "calibrate",
    "calibrated_probabilities",
    "crossvalidate",
    "decide",
    "draw_explanation",
    "evaluate",
    "explain_file",
    "image_quality",
    "list_label_issues",
    "ood_scores",
    "read_thumbnail",
]
