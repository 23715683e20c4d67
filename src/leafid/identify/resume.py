"""Resuming of a result: which images are done, and whether existing records are compatible with new ones."""

from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leafid.errors import OutputError
from leafid.identify.cluster.ray_cluster import ClusterIdentifier
from leafid.identify.engines.compiled_formats import INT8
from leafid.identify.identifier import Identifier
from leafid.identify.outputs.writers import path_in_output
from leafid.identify.question import IdentifyOptions
from leafid.identify.records import Record, Status
from leafid.identify.summary import Tally


def check_resumable(
    record: Record,
    identifier: Identifier | ClusterIdentifier,
    options: IdentifyOptions,
    *,
    location: str,
    plants: bool = False,
) -> None:
    """Check that an existing record was made with the same bundle and options as new records will be.

    Engines with equal output (torch, openvino, onnx) may continue each other's results; INT8 engines may not.

    Args:
        record: the existing record.
        identifier: that makes the new records.
        options: of the new records.
        location: the file and the number of the record.
        plants: whether new records are of plants.

    Raises:
        OutputError: it is of a photo instead of a plant, or the reverse; or bundle, INT8 engine, leaf characters,
            number of specimens or keeping of the position differ. The message begins with ``location``.
    """
    if (record.plant is not None) != plants:
        _refuse(location, f"{'is of a photo. Leave out' if plants else 'is of a plant. Add'} --plant-by")
    wanted = identifier.info.identifier
    if record.bundle != wanted:
        _refuse(location, f"identified by the bundle {record.bundle}, not by {wanted}. Continue with that bundle")
    if record.status is Status.FAILED:
        return
    if record.engine != identifier.engine_name and {record.engine, identifier.engine_name} & set(INT8):
        engine = record.engine if record.engine in INT8 else "torch"
        _refuse(location, f"identified with {record.engine}, not with {identifier.engine_name}. Add --engine {engine}")
    if (record.flora_sentence is not None) != (wants_characters := options.get("characters", False)):
        _refuse(
            location,
            f"was written {'without' if wants_characters else 'with'} leaf characters. "
            f"{'Leave out' if wants_characters else 'Add'} --characters",
        )
    if record.next_question is not None and not options.get("ask", False):
        _refuse(location, "names characters to look up. Add --ask")
    cited = max(Counter(specimen.scientific_name for specimen in record.specimens).values(), default=0)
    if cited > identifier.references_per_candidate or (not cited and identifier.references_per_candidate):
        option = f"Add --references {cited}" if cited else "Leave out --references"
        _refuse(location, f"cites {cited or 'no'} specimens for a candidate. {option}")
    asked = options.get("taxa")
    answers = {candidate.scientific_name for candidate in record.candidates}
    if bool(record.excluded) != (asked is not None) or (asked is not None and not answers <= {*asked}):
        _refuse(location, "was identified among other taxa. Use the same --taxa and --country")
    if record.latitude is not None and not options.get("keep_location", False):
        _refuse(location, "contains the position of its photo. Add --keep-location")


def _refuse(location: str, reason: str) -> None:
    raise OutputError(f"{location}: {reason}, or name another output.")


def check_given(record: Record, given: Sequence[str], location: str) -> None:
    """Check that an existing record has the given columns that new records will have.

    Raises:
        OutputError: it has others.
    """
    if (carried := tuple(name for name, _ in record.given)) != tuple(given):
        _refuse(
            location,
            f"carries {_listed(carried)} of the table of images, but the images named now have {_listed(given)}. "
            "Name the same tables as before",
        )


def _listed(columns: Sequence[str]) -> str:
    return f"the columns {', '.join(columns)}" if columns else "no columns"


class ResumeState:
    """State of an interrupted run: the paths that are done and the counts of their records."""

    def __init__(
        self,
        identifier: Identifier | ClusterIdentifier,
        paths: Sequence[Path | str],
        output: Path,
        options: IdentifyOptions,
        given: Sequence[str] = (),
    ) -> None:
        self.tally = Tally()
        self._identifier = identifier
        self._paths = paths
        self._output = output
        self._options = options
        self._given = tuple(given)
        self._remaining = Counter(self._form(path) for path in paths)

    def add(self, record: Record) -> None:
        """Count an existing record.

        Raises:
            OutputError: the record is not compatible (see ``check_resumable``), has other given columns, or its image
                is not among the paths.
        """
        location = f"{self._output}, record {self.tally.images + 1}"
        check_given(record, self._given, location)
        check_resumable(record, self._identifier, self._options, location=location)
        form = self._form(record.path)
        if not self._remaining[form]:
            raise OutputError(
                f"{location}: {form} is not, or not as often, among the images named now. "
                "Resume with the same images as before, or name another output."
            )
        self._remaining[form] -= 1
        self.tally.add([record])

    def remaining(self) -> Sequence[int]:
        """Return the positions of the paths without a record, in order. Of a path named twice, the first are done."""
        in_reverse = array("Q")
        for position in reversed(range(len(self._paths))):
            form = self._form(self._paths[position])
            if self._remaining[form]:
                self._remaining[form] -= 1
                in_reverse.append(position)
        return in_reverse[::-1]

    def _form(self, path: Path | str) -> str:
        return path_in_output(str(path), self._output)
