"""The part of `leafid identify` that `--plant-by` changes: which options fit, the plants, and the run."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from leafid.errors import UsageError
from leafid.identify.identifier import Identifier
from leafid.identify.inputs.find_inputs import Inputs, select_shard
from leafid.identify.inputs.given_columns import GivenByPath
from leafid.identify.outputs.writers import read_records
from leafid.identify.plants.grouping import Plant, group_photos
from leafid.identify.records import Record
from leafid.identify.run_identification import identify_plants_to_file, identify_plants_to_list
from leafid.identify.summary import Summary
from leafid.progress import progress_bar

if TYPE_CHECKING:
    from leafid.identify.commands import IdentifySettings

Records = Callable[[], Iterable[Record]]
"""Returns the records of a finished run, from memory or from the result file."""


def check_plant_options(settings: "IdentifySettings") -> None:
    """Check that the options for plants fit the others.

    Raises:
        UsageError: they do not.
    """
    if settings.plant_by is None:
        if settings.photos_too:
            raise UsageError("--photos-too adds the records of the photos to those of plants. Add --plant-by.")
        return
    if settings.cluster != "none":
        raise UsageError(
            "--plant-by works on one machine, not with --engine-cluster: a cluster gives out photos, not plants. "
            "Divide the plants among machines with --shard."
        )
    if settings.retry_failed:
        raise UsageError(
            "--retry-failed does not work with --plant-by: a plant whose failed photo can be read now has another "
            "answer. Identify again with --force."
        )


def plants_of(inputs: Inputs, settings: "IdentifySettings") -> tuple[Plant, ...] | None:
    """Return the plants to identify, or those of this shard; None without ``--plant-by``.

    Raises:
        UsageError: see ``group_photos`` and ``select_shard``.
    """
    if settings.plant_by is None:
        return None
    plants = group_photos(inputs.paths, settings.plant_by, given=inputs.given)
    return plants if settings.shard is None else select_shard(plants, settings.shard)


def identify_plants(
    settings: "IdentifySettings",
    identifier: Identifier,
    plants: Sequence[Plant],
    given: GivenByPath,
    taxa: Sequence[str] | None,
) -> tuple[Records, Summary]:
    """Identify plants into the result file, or into memory without one."""
    output, options = settings.output, settings.identify_options
    options["taxa"] = taxa
    with progress_bar("Identifying") as on_progress:
        if output is None:
            records, summary = identify_plants_to_list(
                identifier, plants, photos_too=settings.photos_too, given=given, on_progress=on_progress, **options
            )
            return (lambda: records), summary
        summary = identify_plants_to_file(
            identifier,
            plants,
            output,
            photos_too=settings.photos_too,
            existing=settings.existing,
            given=given,
            byte_order_mark=settings.derived.byte_order_mark,
            on_progress=on_progress,
            **options,
        )
        return (lambda: read_records(output)), summary
