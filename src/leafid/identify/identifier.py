"""The identifier: a loaded bundle that names photos."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo, read_bundle
from leafid.cores import usable_cores
from leafid.errors import UsageError
from leafid.identify.engine import Engine, TorchEngine
from leafid.identify.pipeline import Opened, opened_in_order
from leafid.identify.records import Candidate, Record, Status
from leafid.sheets import PreparedImage
from leafid.trust import decide, probabilities
from leafid.version import __version__

BATCH_SIZE = 16
"""Images that go through the network together."""

TOP = 5
"""Candidates that a record lists."""

DIGITS = 6
"""Decimal places of scores; beyond them they depend on the batch and the machine."""


@dataclass(frozen=True)
class Identifier:
    """Names photos with a bundle.

    >>> for record in Identifier.load("runs/mitragyna/bundle").identify(["leaf.jpg"]):  # doctest: +SKIP
    ...     print(record.path, record.status, record.scientific_name, record.score)
    """

    info: BundleInfo
    engine: Engine

    @classmethod
    def load(cls, bundle: Path | str, *, device: str = "auto") -> Self:
        """Load a bundle, or the bundle of a run.

        Args:
            bundle: the bundle folder, or the run folder that holds it.
            device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``mps``.

        Raises:
            BundleError: it is missing, damaged, foreign, or written by a newer leafid.
            UsageError: there is no such device.
        """
        read = read_bundle(Path(bundle))
        return cls(read.info, TorchEngine(read, device=device))

    def identify(
        self,
        paths: Iterable[Path | str],
        *,
        batch_size: int = BATCH_SIZE,
        workers: int | Literal["auto"] = "auto",
        top: int = TOP,
    ) -> Iterator[Record]:
        """Yield one record for each path, in order, as the work goes on; memory does not grow with the number of paths.

        A file that cannot be read gives a record with status ``failed`` and never an error.

        Args:
            paths: image files; folders, globs and tables are expanded by ``find_inputs``.
            batch_size: images that go through the network together; does not change the answers.
            workers: threads that open images; ``auto``: one for each CPU core.
            top: candidates that a record lists.

        Raises:
            UsageError: ``paths`` is a single path, or a number is below 1.
        """
        if isinstance(paths, str | Path):
            raise UsageError(f"identify() takes a list of paths; write [{str(paths)!r}].")
        threads = usable_cores() if workers == "auto" else workers
        if min(batch_size, threads, top) < 1:
            raise UsageError(f"batch_size ({batch_size}), workers ({workers}) and top ({top}) must be at least 1.")
        return self._records(paths, batch_size, threads, top)

    def _records(self, paths: Iterable[Path | str], batch_size: int, workers: int, top: int) -> Iterator[Record]:
        with closing(
            opened_in_order(paths, self.info.preprocessing, batch_size=batch_size, workers=workers)
        ) as batches:
            for batch in batches:
                yield from self._answers(batch, top)

    def _answers(self, batch: tuple[Opened, ...], top: int) -> Iterator[Record]:
        rows = iter(self._probabilities([opened for _, opened in batch if isinstance(opened, PreparedImage)]))
        for path, opened in batch:
            if isinstance(opened, PreparedImage):
                yield self._answer(path, next(rows), top)
            else:
                yield self._record(path, Status.FAILED, reason=str(opened))

    def _probabilities(self, images: Sequence[PreparedImage]) -> Iterable[NDArray[np.float64]]:
        """Yield probabilities (T,) for each image, of all its views together."""
        if not images:
            return ()
        views, bags = np.concatenate([image.views for image in images]), [len(image.views) for image in images]
        return probabilities(self.engine.logits(views, bags), self.info.calibration)

    def _answer(self, path: str, row: NDArray[np.float64], top: int) -> Record:
        verdict = decide(row, self.info)
        taxa, target = self.info.taxonomy.taxa, self.info.taxonomy.target_label
        named = None if verdict.label is None else taxa[verdict.label]
        return self._record(
            path,
            Status.UNDETERMINED if named is None else Status.IDENTIFIED,
            scientific_name=named and named.scientific_name,
            taxon_rank=named and named.rank.value,
            score=round(verdict.score, DIGITS),
            target_score=None if target is None else round(float(row[target]), DIGITS),
            candidates=tuple(
                Candidate(taxa[label].scientific_name, round(score, DIGITS))
                for label, score in verdict.candidates[:top]
            ),
            reason=None if verdict.reason is None else verdict.reason.value,
        )

    def _record(self, path: str, status: Status, **answer: Any) -> Record:  # noqa: ANN401 -- the fields of a record
        return Record(path=path, status=status, **answer, bundle=self.info.identifier, leafid_version=__version__)
