"""Breakdowns of an evaluation: by rank, by group of images, by pair of taxa, by gathering."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import PredictionSets
from leafid.taxonomy import Taxonomy
from leafid.trust.decision import Identification, reported_ranks
from leafid.trust.intervals import bootstrap_weights, mean_interval
from leafid.trust.metric_schemas import ConfusedPair, GroupResult, PooledResult, RankResult
from leafid.trust.prediction_sets import prediction_set_results

if TYPE_CHECKING:
    import pandas as pd

Labels = NDArray[np.int64]

MAX_PAIRS = 10
PAIR_IMAGES = 4
"""Maximum number of confused pairs, and of example images of each."""

MIN_GROUP_IMAGES = 5
"""Groups with fewer images are left out."""

MIN_DISTINCT_VALUES = 3
"""Columns with fewer distinct values are not split into tertiles."""


def rank_results(
    truth: Labels, probabilities: NDArray[np.float64], identifications: list[Identification], taxonomy: Taxonomy
) -> tuple[RankResult, ...]:
    """Measure genus and family; a rank at which all taxa share one name is left out.

    Args:
        truth: (N,) labels; at least one.
        probabilities: (N, T), calibrated.
        identifications: the N identifications, some of them at genus or family.
        taxonomy: the bundle's.
    """
    from sklearn.metrics import f1_score

    results = []
    for rank in reported_ranks(taxonomy):
        names = [str(taxon.at(rank)) for taxon in taxonomy.taxa]
        order = sorted(set(names))
        column = np.array([order.index(name) for name in names])
        totals = probabilities @ np.eye(len(order))[column]
        true, predicted = column[truth], totals.argmax(axis=1)
        rolled_up = [index for index, identification in enumerate(identifications) if identification.rank is rank]
        results.append(
            RankResult(
                rank=rank.value,
                names=len(order),
                accuracy=float((true == predicted).mean()),
                macro_f1=float(
                    f1_score(true, predicted, labels=np.union1d(true, predicted), average="macro", zero_division=0)
                ),
                rolled_up=len(rolled_up),
                rolled_up_correct=sum(identifications[index].name == order[true[index]] for index in rolled_up),
            )
        )
    return tuple(results)


def names_correct(identifications: Sequence[Identification], truth: Labels, taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Return for each image 1 if its name is right at the rank given, 0 if wrong, and NaN if it has no name; (N,)."""
    return np.array(
        [
            np.nan
            if identification.rank is None
            else float(identification.name == taxonomy.taxa[label].at(identification.rank))
            for identification, label in zip(identifications, truth, strict=True)
        ]
    )


def group_results(
    rows: "pd.DataFrame",
    truth: Labels,
    probabilities: NDArray[np.float64],
    identifications: Sequence[Identification],
    taxonomy: Taxonomy,
    sets: PredictionSets | None,
    *,
    seed: int = 0,
) -> tuple[GroupResult, ...]:
    """Measure the images of each institution, domain and decade, and each tertile of size and sharpness.

    Args:
        rows: (N); the columns ``institutionCode``, ``domain``, ``eventDate``, ``shorterSide`` (pixels) and
            ``sharpness`` may be missing.
        truth: (N,) labels.
        probabilities: (N, T), calibrated.
        identifications: the N identifications.
        taxonomy: the bundle's.
        sets: the bundle's prediction sets; None before calibration.
        seed: of the bootstrap.
    """
    predicted, named = probabilities.argmax(axis=1), names_correct(identifications, truth, taxonomy)
    gatherings = rows["gathering_id"].to_numpy(dtype=str)
    results = []
    for column, values in _groupings(rows):
        for value in sorted(set(values.dropna()), key=lambda text: (_leading_number(text), text)):
            in_group = (values == value).to_numpy(dtype=bool, na_value=False)
            if in_group.sum() < MIN_GROUP_IMAGES:
                continue
            correct = (truth == predicted)[in_group]
            recalls = [correct[truth[in_group] == label].mean() for label in np.unique(truth[in_group])]
            units, names = list(gatherings[in_group]), named[in_group]
            results.append(
                GroupResult(
                    column=column,
                    value=str(value),
                    images=int(in_group.sum()),
                    gatherings=len(set(units)),
                    accuracy=float(correct.mean()),
                    accuracy_interval=mean_interval(correct.astype(float), bootstrap_weights(units, seed=seed)),
                    balanced_accuracy=float(np.mean(recalls)),
                    undetermined=int(np.isnan(names).sum()),
                    accuracy_when_identified=None if np.isnan(names).all() else float(np.nanmean(names)),
                    prediction_sets=(
                        prediction_set_results(probabilities[in_group], truth[in_group], units, sets, seed=seed)
                        if sets
                        else ()
                    ),
                )
            )
    return tuple(results)


def confused_pairs(
    paths: list[str], truth: Labels, predicted: Labels, probabilities: NDArray[np.float64], taxonomy: Taxonomy
) -> tuple[ConfusedPair, ...]:
    """List the pairs of taxa with most confused images; example images are those with the highest wrong probability."""
    names, wrong = taxonomy.names, np.flatnonzero(truth != predicted)
    pairs: dict[tuple[int, int], list[int]] = {}
    for index in wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]:
        pairs.setdefault((int(truth[index]), int(predicted[index])), []).append(int(index))
    most_frequent = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))[:MAX_PAIRS]
    return tuple(
        ConfusedPair(
            determination=names[true],
            predicted=names[other],
            images=len(indices),
            share=len(indices) / int((truth == true).sum()),
            paths=tuple(paths[index] for index in indices[:PAIR_IMAGES]),
        )
        for (true, other), indices in most_frequent
    )


def pooled_result(gatherings: list[str], truth: Labels, probabilities: NDArray[np.float64]) -> PooledResult | None:
    """Predict each gathering of several images from the mean of their log-probabilities; None without such gatherings.

    Images of one gathering with different determinations are pooled apart.
    """
    import pandas as pd

    keys = pd.Series(list(zip(gatherings, truth.tolist(), strict=True)))
    groups = [np.asarray(indices) for indices in keys.groupby(keys).indices.values() if len(indices) > 1]
    if not groups:
        return None
    log_probabilities = np.log(np.maximum(probabilities, 1e-12))  # the floor keeps a probability of 0 finite
    images = np.concatenate(groups)
    correct = [log_probabilities[indices].mean(axis=0).argmax() == truth[indices[0]] for indices in groups]
    return PooledResult(
        gatherings=len(groups),
        images=len(images),
        image_accuracy=float((probabilities[images].argmax(axis=1) == truth[images]).mean()),
        pooled_accuracy=float(np.mean(correct)),
    )


def _groupings(rows: "pd.DataFrame") -> Iterator[tuple[str, "pd.Series"]]:
    for column in ("institutionCode", "domain"):
        if column in rows:
            yield column, rows[column]
    if "eventDate" in rows:
        decades = rows["eventDate"].str.extract(r"^(\d{3})\d", expand=False)
        yield "decade", decades + "0s"
    for column in ("shorterSide", "sharpness"):
        if column in rows and rows[column].nunique() >= MIN_DISTINCT_VALUES:
            yield column, _tertiles(rows[column])


def _leading_number(value: str) -> float:
    """Return the number at the start of a range such as ``1,000 to 2,000``; -1 for a name."""
    digits = str(value).replace(",", "").partition(" ")[0]
    return float(digits) if digits.isdigit() else -1.0


def _tertiles(values: "pd.Series") -> "pd.Series":
    """Return the tertile of each value, as text: the range of the values in it."""
    import pandas as pd

    groups = values.groupby(pd.qcut(values, 3, duplicates="drop"), observed=True)
    return groups.transform("min").map("{:,.0f}".format) + " to " + groups.transform("max").map("{:,.0f}".format)
