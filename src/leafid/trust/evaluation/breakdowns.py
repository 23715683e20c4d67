"""An evaluation looked at in parts: by rank, by group of images, by pair of taxa, by gathering."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Interval
from leafid.taxonomy import Taxonomy
from leafid.trust.bootstrap import bootstrap_weights, mean_interval
from leafid.trust.decision import Verdict, reported_ranks
from leafid.trust.metric_types import ConfusedPair, GroupResult, PooledResult, RankResult

if TYPE_CHECKING:
    import pandas as pd

Labels = NDArray[np.int64]

WORST_PAIRS = 10
PAIR_IMAGES = 4
"""Confusions that are listed, and images shown of each."""

GROUP_IMAGES = 5
"""Images from which on a group is worth a line."""

FEWEST_VALUES = 3
"""Different values from which on their thirds are worth looking at."""


def by_rank(
    truth: Labels, probabilities: NDArray[np.float64], verdicts: list[Verdict], taxonomy: Taxonomy
) -> tuple[RankResult, ...]:
    """Measure answers at genus and family, where there is something to tell.

    Args:
        truth: (N,) labels; at least one.
        probabilities: (N, T), calibrated.
        verdicts: the N answers, of which some may be at a wider rank.
        taxonomy: the bundle's.
    """
    from sklearn.metrics import f1_score

    figures = []
    for rank in reported_ranks(taxonomy):
        names = [str(taxon.at(rank)) for taxon in taxonomy.taxa]
        order = sorted(set(names))
        column = np.array([order.index(name) for name in names])
        totals = probabilities @ np.eye(len(order))[column]
        true, predicted = column[truth], totals.argmax(axis=1)
        here = [place for place, verdict in enumerate(verdicts) if verdict.rank is rank]
        figures.append(
            RankResult(
                rank=rank.value,
                names=len(order),
                accuracy=float((true == predicted).mean()),
                macro_f1=float(
                    f1_score(true, predicted, labels=np.union1d(true, predicted), average="macro", zero_division=0)
                ),
                rolled_up=len(here),
                rolled_up_right=sum(verdicts[place].name == order[true[place]] for place in here),
            )
        )
    return tuple(figures)


def by_group(
    rows: "pd.DataFrame", truth: Labels, predicted: Labels, verdicts: list[Verdict], *, seed: int = 0
) -> tuple[GroupResult, ...]:
    """Measure the images of each institution, domain and decade, and each third of size and sharpness.

    Args:
        rows: (N); the columns ``institutionCode``, ``domain``, ``eventDate``, ``shorterSide`` (pixels) and
            ``sharpness`` may be missing.
        truth: (N,) labels.
        predicted: (N,) labels.
        verdicts: the N answers.
        seed: of the bootstrap.
    """
    gatherings = rows["gathering_id"].to_numpy(dtype=str)
    figures = []
    for column, values in _groupings(rows):
        for value in sorted(set(values.dropna()), key=lambda one: (_number(one), one)):
            mine = (values == value).to_numpy(dtype=bool, na_value=False)
            if mine.sum() < GROUP_IMAGES:
                continue
            right = (truth == predicted)[mine]
            recalls = [right[truth[mine] == label].mean() for label in np.unique(truth[mine])]
            figures.append(
                GroupResult(
                    column=column,
                    value=str(value),
                    images=int(mine.sum()),
                    gatherings=len(np.unique(gatherings[mine])),
                    accuracy=float(right.mean()),
                    accuracy_interval=_interval(right, gatherings[mine], seed),
                    balanced_accuracy=float(np.mean(recalls)),
                    undetermined=sum(not verdicts[place].identified for place in np.flatnonzero(mine)),
                )
            )
    return tuple(figures)


def worst_pairs(
    paths: list[str], truth: Labels, predicted: Labels, probabilities: NDArray[np.float64], taxonomy: Taxonomy
) -> tuple[ConfusedPair, ...]:
    """List the confusions with most images, those the network was most certain of first."""
    names, wrong = taxonomy.names, np.flatnonzero(truth != predicted)
    pairs: dict[tuple[int, int], list[int]] = {}
    for place in wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]:
        pairs.setdefault((int(truth[place]), int(predicted[place])), []).append(int(place))
    worst = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))[:WORST_PAIRS]
    return tuple(
        ConfusedPair(
            determination=names[true],
            taken_for=names[other],
            images=len(places),
            share=len(places) / int((truth == true).sum()),
            paths=tuple(paths[place] for place in places[:PAIR_IMAGES]),
        )
        for (true, other), places in worst
    )


def pooled(gatherings: list[str], truth: Labels, probabilities: NDArray[np.float64]) -> PooledResult | None:
    """Answer each gathering of several images by the mean of their log-probabilities; None where there are none."""
    import pandas as pd

    keys = pd.Series(list(zip(gatherings, truth.tolist(), strict=True)))
    groups = [np.asarray(places) for places in keys.groupby(keys).indices.values() if len(places) > 1]
    if not groups:
        return None
    logs = np.log(np.maximum(probabilities, 1e-12))
    each = np.concatenate(groups)
    right = [logs[places].mean(axis=0).argmax() == truth[places[0]] for places in groups]
    return PooledResult(
        gatherings=len(groups),
        images=len(each),
        accuracy_of_images=float((probabilities[each].argmax(axis=1) == truth[each]).mean()),
        accuracy_pooled=float(np.mean(right)),
    )


def _groupings(rows: "pd.DataFrame") -> Iterator[tuple[str, "pd.Series"]]:
    for column in ("institutionCode", "domain"):
        if column in rows:
            yield column, rows[column]
    if "eventDate" in rows:
        decades = rows["eventDate"].str.extract(r"^(\d{3})\d", expand=False)
        yield "decade", decades + "0s"
    for column in ("shorterSide", "sharpness"):
        if column in rows and rows[column].nunique() >= FEWEST_VALUES:
            yield column, _thirds(rows[column])


def _number(value: str) -> float:
    """The number at the beginning, so that ranges stand in their order; names stand before them."""
    digits = str(value).replace(",", "").partition(" ")[0]
    return float(digits) if digits.isdigit() else -1.0


def _thirds(values: "pd.Series") -> "pd.Series":
    """Say of each value in which third of them it lies, as the range of that third."""
    import pandas as pd

    groups = values.groupby(pd.qcut(values, 3, duplicates="drop"), observed=True)
    return groups.transform("min").map("{:,.0f}".format) + " to " + groups.transform("max").map("{:,.0f}".format)


def _interval(right: NDArray[np.bool_], gatherings: NDArray[np.str_], seed: int) -> Interval | None:
    return mean_interval(right.astype(float), bootstrap_weights(list(gatherings), seed=seed))
