"""Baselines: what scikit-learn's classifiers reach with one view of each image, without anything else of leafid."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leafid.trust.evaluation.crossvalidation import Baseline, Fold

if TYPE_CHECKING:
    from leafid.jobs import Job


def with_baselines(job: "Job", folds: Sequence[Fold]) -> tuple[Fold, ...]:
    """Measure the baselines on the folds that were evaluated; they train on train and val of each.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    from leafid.learning import Run, embed_overviews

    runs = {fold.value: Run.open(fold.run) for fold in folds if fold.evaluation}
    if not runs:
        return tuple(folds)
    paths = {
        image_id: path
        for run in runs.values()
        for image_id, path in zip(run.split["image_id"], run.image_paths(run.split), strict=True)
    }
    features = dict(zip(paths, embed_overviews(job, list(paths), list(paths.values())), strict=True))
    measured = []
    for fold in folds:
        if fold.value not in runs:
            measured.append(fold)
            continue
        run = runs[fold.value]
        split = run.split
        images = np.stack([features[image_id] for image_id in split["image_id"]])
        labels = np.array(run.info.taxonomy.labels(list(split["scientificName"])), dtype=np.int64)
        in_test = np.asarray(split["split"] == "test")
        baselines = fit_baselines(images[~in_test], labels[~in_test], images[in_test], labels[in_test])
        measured.append(replace(fold, baselines=baselines))
    return tuple(measured)


def fit_baselines(
    train: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32], truth: NDArray[np.int64]
) -> tuple[Baseline, ...]:
    """Fit the classifiers and test them.

    Args:
        train: features (N, F).
        labels: (N,).
        test: features (M, F).
        truth: (M,).
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifiers: dict[str, Any] = {
        "logistic regression on one view": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "LDA on one view": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    }
    results = []
    for name, classifier in classifiers.items():
        classifier.fit(train.astype(np.float64), labels)
        probabilities = classifier.predict_proba(test.astype(np.float64))
        predicted = classifier.classes_[probabilities.argmax(axis=1)]
        # A taxon without training images has no column, and its probability is 0.
        of_truth = (probabilities * (classifier.classes_ == truth[:, None])).sum(axis=1)
        results.append(
            Baseline(
                name=name,
                macro_f1=float(f1_score(truth, predicted, average="macro", zero_division=0)),
                accuracy=float(accuracy_score(truth, predicted)),
                nll=float(-np.log(np.maximum(of_truth, np.finfo(float).tiny)).mean()),
            )
        )
    return tuple(results)
