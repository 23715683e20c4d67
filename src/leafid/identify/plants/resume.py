"""Resuming of a result of plants: which plants are done, and which records of the others are missing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from leafid.errors import OutputError
from leafid.identify.identifier import Identifier
from leafid.identify.outputs.writers import path_in_output
from leafid.identify.plants.grouping import Plant
from leafid.identify.question import IdentifyOptions
from leafid.identify.records import Record
from leafid.identify.resume import check_given, check_resumable
from leafid.identify.summary import Tally

_Key = tuple[str, str | None]
"""Name of the plant, and path of the photo as it is in the output; None for the record of the plant itself."""


def number_of_records(plants: Sequence[Plant], *, photos_too: bool) -> int:
    """Return the number of records that plants give."""
    return len(plants) + (sum(len(plant.photos) for plant in plants) if photos_too else 0)


class PlantResumeState:
    """State of an interrupted run over plants: the records that are missing and the counts of those that are not."""

    def __init__(
        self,
        identifier: Identifier,
        plants: Sequence[Plant],
        output: Path,
        options: IdentifyOptions,
        *,
        photos_too: bool,
        given: Sequence[str] = (),
    ) -> None:
        self.tally = Tally()
        self.records = number_of_records(plants, photos_too=photos_too)
        self._identifier = identifier
        self._plants = plants
        self._output = output
        self._options = options
        self._photos_too = photos_too
        self._given = given
        self._missing = Counter(key for plant in plants for key in self._keys(plant))
        self._by_name = {self._form(plant.name): plant for plant in plants}

    def add(self, record: Record) -> None:
        """Count an existing record.

        Raises:
            OutputError: the record is not compatible (see ``check_resumable``), or not one of those expected now.
        """
        location = f"{self._output}, record {self.tally.images + 1}"
        check_resumable(record, self._identifier, self._options, location=location, plants=True)
        check_given(record, self._given, location)
        key = self._key(record)
        if not self._missing[key]:
            what = f"the plant {key[0]}" if key[1] is None else f"the photo {key[1]} of {key[0]}"
            raise OutputError(
                f"{location}: {what} is not among those named now. Resume with the same photos, --plant-by and "
                "--photos-too as before, or name another output."
            )
        self._missing[key] -= 1
        self._check_photos(record, location)
        self.tally.add([record])

    def remaining_plants(self) -> list[Plant]:
        """Return the plants of which a record is missing, in order."""
        return [plant for plant in self._plants if any(self._missing[key] for key in self._keys(plant))]

    def missing(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield those records of the remaining plants that the result does not have yet."""
        for record in records:
            key = self._key(record)
            if self._missing[key]:
                self._missing[key] -= 1
                yield record

    def _check_photos(self, record: Record, location: str) -> None:
        if not record.of_plant:
            return
        plant = self._by_name[self._key(record)[0]]
        before = [path_in_output(photo.path, self._output) for photo in record.photos]
        if before != [self._form(str(photo)) for photo in plant.photos]:
            raise OutputError(
                f"{location}: the plant {record.plant} had other photos. Resume with the same photos as before, "
                "or name another output."
            )

    def _keys(self, plant: Plant) -> list[_Key]:
        name = self._form(plant.name)
        photos = [self._form(str(photo)) for photo in plant.photos] if self._photos_too else []
        return [(name, None), *((name, photo) for photo in photos)]

    def _key(self, record: Record) -> _Key:
        name = self._form(record.plant or "")
        return name, None if record.of_plant else self._form(record.path)

    def _form(self, path: str) -> str:
        return path_in_output(path, self._output)
