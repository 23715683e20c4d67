"""Going on with a result: what an earlier run has left, and whether its records may stand beside new ones."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leafid.errors import OutputError
from leafid.identify.engines.compiled_formats import INT8
from leafid.identify.identifier import Identifier, IdentifyOptions
from leafid.identify.outputs.writers import path_in_output
from leafid.identify.ray_cluster import ClusterIdentifier
from leafid.identify.records import Record, Status
from leafid.identify.summary import Tally


def check_alike(
    record: Record, identifier: Identifier | ClusterIdentifier, options: IdentifyOptions, *, place: str
) -> None:
    """Check that a record was made as those to come will be, as far as it tells.

    Engines that answer alike may go on with each other's records, each of which names its own; 8-bit integers answer
    differently.

    Raises:
        OutputError: it is of another bundle or of an engine that answers differently, has characters or specimens
            where now none are asked for, or the reverse, or a position that is not to be kept; ``place`` tells where
            it stands.
    """
    wanted = identifier.info.identifier
    if record.bundle != wanted:
        _refuse(place, f"answered by the bundle {record.bundle}, not by {wanted}. Go on with that bundle")
    if record.status is Status.FAILED:
        return
    if record.engine != identifier.engine_name and {record.engine, identifier.engine_name} & set(INT8):
        engine = record.engine if record.engine in INT8 else "torch"
        _refuse(place, f"answered with {record.engine}, not with {identifier.engine_name}. Add --engine {engine}")
    if (record.flora_sentence is not None) != (asked := options.get("characters", False)):
        _refuse(
            place,
            f"was written {'without' if asked else 'with'} leaf characters. "
            f"{'Leave out' if asked else 'Add'} --characters",
        )
    cited = max(Counter(one.scientific_name for one in record.specimens).values(), default=0)
    if cited > identifier.cited or (not cited and identifier.cited):
        option = f"Add --references {cited}" if cited else "Leave out --references"
        _refuse(place, f"cites {cited or 'no'} specimens for a candidate. {option}")
    if record.latitude is not None and not options.get("keep_location", False):
        _refuse(place, "holds the position of its photo. Add --keep-location")


def _refuse(place: str, why: str) -> None:
    raise OutputError(f"{place}: {why}, or name another output.")


class Resumed:
    """What an interrupted run has left: which paths are done, and the count of their records."""

    def __init__(
        self,
        identifier: Identifier | ClusterIdentifier,
        paths: Sequence[Path | str],
        output: Path,
        options: IdentifyOptions,
    ) -> None:
        self.tally = Tally()
        self._identifier = identifier
        self._paths = paths
        self._output = output
        self._options = options
        self._open = Counter(self._form(path) for path in paths)

    def add(self, record: Record) -> None:
        """Take a record that is there already.

        Raises:
            OutputError: it was made otherwise (see ``check_alike``), or of an image that is not among the paths.
        """
        place = f"{self._output}, record {self.tally.images + 1}"
        check_alike(record, self._identifier, self._options, place=place)
        form = self._form(record.path)
        if not self._open[form]:
            raise OutputError(
                f"{place}: {form} is not, or not so often, among the images named now. "
                "Resume with the images that the run was begun with, or name another output."
            )
        self._open[form] -= 1
        self.tally.add([record])

    def still_to_do(self) -> list[Path | str]:
        """Return the paths without a record, in order."""
        last_first = []
        for path in reversed(self._paths):
            form = self._form(path)
            if self._open[form]:
                self._open[form] -= 1
                last_first.append(path)
        return last_first[::-1]

    def _form(self, path: Path | str) -> str:
        return path_in_output(str(path), self._output)
