"""The identifier: a loaded bundle that names the taxon on photos."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo, read_bundle
from leafid.cores import usable_cores
from leafid.errors import UsageError
from leafid.identify.engines.engine import Engine, EngineName
from leafid.identify.engines.engine_choice import choose_engine
from leafid.identify.evidence.photo_evidence import EvidenceReader
from leafid.identify.evidence.photo_stream import PhotoStream
from leafid.identify.inputs.memory_images import Photo
from leafid.identify.plants.grouping import Plant
from leafid.identify.question import TOP_CANDIDATES, IdentifyOptions, Question
from leafid.identify.record_building import RecordBuilder
from leafid.identify.records import Record
from leafid.trust import ReferenceSpecimens, TrainingFeatures

if TYPE_CHECKING:
    from leafid.jobs import FetchingSettings


@dataclass(frozen=True)
class Identifier:
    """Identifies photos, and plants from several photos, with a bundle.

    >>> identifier = Identifier.load(bundle)
    >>> for record in identifier.identify(["leaf.jpg", "twig.jpg"]):
    ...     print(record.path, record.status)
    leaf.jpg identified
    twig.jpg identified
    >>> identifier.identify_plant(["leaf.jpg", "twig.jpg"]).scientific_name
    'Mitragyna speciosa'
    """

    info: BundleInfo
    engine: Engine
    training: TrainingFeatures | None = None
    """FeatureExtractor of the training images; None for a bundle that was never calibrated."""
    references: ReferenceSpecimens | None = None
    """Reference specimens; None if no record cites any."""
    references_per_candidate: int = 0
    """Number of specimens that a record cites for each candidate."""
    cores: int = field(default_factory=usable_cores)
    """Number of CPU cores to use."""

    @property
    def engine_name(self) -> EngineName:
        """Name of the engine that runs the network."""
        return self.engine.name

    @classmethod
    def load(
        cls,
        bundle: Path | str,
        *,
        device: str = "auto",
        engine: EngineName | Literal["auto"] = "auto",
        references: int = 0,
        cores: int | None = None,
    ) -> Self:
        """Load a bundle, or the bundle of a run.

        Args:
            bundle: the bundle folder, the run folder that holds it, a ``.zip`` file of it, or an address such as
                ``https://HOST/FILE.zip#sha256=HASH`` or ``hf://OWNER/NAME@REVISION``; see ``leafid.bundle``.
            device: ``auto`` (a GPU if available), ``cpu``, ``cuda`` or ``mps``.
            engine: ``torch``; ``openvino`` or ``onnx``, once ``export_engine`` has written it into the bundle; or
                ``auto``: on a CPU the fastest of those that are exported, else torch.
            references: number of reference specimens that a record cites for each candidate.
            cores: number of CPU cores to use; None: all that this process may use.

        Raises:
            BundleError: the bundle or the named engine is missing, damaged, not from leafid, or written by a newer
                leafid; or the bundle has no references to cite.
            InstallationError: the named engine is not installed.
            UsageError: the device or engine does not exist.
        """
        read = read_bundle(bundle)
        return cls(
            read.info,
            choose_engine(read, engine, device=device, cores=cores),
            TrainingFeatures.of_bundle(read),
            ReferenceSpecimens.of_bundle(read) if references else None,
            references,
            cores or usable_cores(),
        )

    def identify(
        self,
        photos: Iterable[Photo],
        *,
        batch_size: int | Literal["auto"] = "auto",
        workers: int | Literal["auto"] = "auto",
        top: int = TOP_CANDIDATES,
        characters: bool = False,
        ask: bool = False,
        keep_location: bool = False,
        fetching: "FetchingSettings | None" = None,
        taxa: Sequence[str] | None = None,
    ) -> Iterator[Record]:
        """Yield one record for each photo, in order, in constant memory.

        A file that cannot be read gives a record with status ``failed``, not an error.

        >>> from PIL import Image
        >>> (record,) = identifier.identify([Image.open("leaf.jpg")])
        >>> record.to_dict()["scientific_name"]
        'Mitragyna speciosa'

        Args:
            photos: image files and web addresses; bytes of image files, files opened in binary mode, images of Pillow,
                and arrays of pixels, uint8 RGB (H, W, 3). Folders, globs and tables are expanded by ``find_inputs``.
            batch_size: number of images in a forward pass; does not affect the result. ``auto``: the size at which
                the engine is fastest.
            workers: number of threads that decode images; ``auto``: one per CPU core.
            top: number of candidates in a record.
            characters: also measure the best leaf of each image; does not affect the identification.
            ask: also name the characters to look up on the plant where several taxa cannot be excluded; does not
                affect the identification.
            keep_location: copy the GPS position in a photo's EXIF into its record.
            fetching: settings for images from the web; None: the defaults of a job.
            taxa: the names among which each answer lies; None: all taxa of the bundle.

        Raises:
            UsageError: ``photos`` is a single photo, one of them is of another type, or a number is below 1.
            TaxonomyError: a name in ``taxa`` is not among the bundle's.
        """
        stream = self._stream(
            batch_size=batch_size,
            workers=workers,
            top=top,
            characters=characters,
            ask=ask,
            keep_location=keep_location,
            fetching=fetching,
            taxa=taxa,
        )
        return stream.records(_listed(photos, "identify"))

    def identify_plant(
        self, photos: Sequence[Photo], *, name: str | None = None, **options: Unpack[IdentifyOptions]
    ) -> Record:
        """Return one record for several photos of one plant.

        The probabilities are those of the photos, pooled (see ``leafid.trust.photo_pooling``); the prediction set and
        the decision follow from them, and the OOD score is the mean. Photos that are too small, dark or blurred, show
        no leaf or cannot be read are left out. ``record.photos`` lists all photos, and ``record.caution`` names those
        that were left out or look more like another taxon.

        >>> record = identifier.identify_plant(["leaf.jpg", "missing.jpg"])
        >>> [(photo.path, photo.left_out) for photo in record.photos]
        [('leaf.jpg', None), ('missing.jpg', 'missing: there is no such file')]

        Args:
            photos: at least one; see ``identify``. A path that is given twice counts once.
            name: of the plant; None: the name of its first photo.
            options: see ``identify``.

        Raises:
            UsageError: there is no photo, or see ``identify``.
        """
        given = list(_listed(photos, "identify_plant"))
        if not given:
            raise UsageError("identify_plant() needs at least one photo.")
        first = given[0]
        plant = Plant(name or str(first if isinstance(first, str | Path) else "image 1"), tuple(given))
        return next(iter(self.identify_plants([plant], **options)))

    def identify_plants(
        self, plants: Iterable[Plant], *, photos_too: bool = False, **options: Unpack[IdentifyOptions]
    ) -> Iterator[Record]:
        """Yield one record for each plant, in order, as ``identify_plant``; memory holds one plant at a time.

        Args:
            plants: their names and photos; ``leafid.identify.group_photos`` makes them from paths.
            photos_too: after the record of a plant, also yield one for each of its photos.
            options: see ``identify``.
        """
        return self._stream(**options).plant_records(plants, photos_too=photos_too)

    def embed(
        self,
        photos: Iterable[Photo],
        *,
        batch_size: int | Literal["auto"] = "auto",
        workers: int | Literal["auto"] = "auto",
        fetching: "FetchingSettings | None" = None,
    ) -> NDArray[np.float32]:
        """Return the embedding of each photo: (N, F) float32, the features before the network's last layer.

        Cosine similarity is the measure by which the bundle compares them.

        >>> identifier.embed(["leaf.jpg", "twig.jpg"]).shape
        (2, 1024)

        Args:
            photos: see ``identify``.
            batch_size: see ``identify``.
            workers: see ``identify``.
            fetching: see ``identify``.

        Raises:
            ImageError: a photo cannot be read; the message names it.
            UsageError: see ``identify``.
        """
        stream = self._stream(batch_size=batch_size, workers=workers, fetching=fetching)
        rows = list(stream.embeddings(_listed(photos, "embed")))
        if not rows:
            raise UsageError("embed() needs at least one photo.")
        return np.stack(rows)

    def batch_size(self, setting: int | Literal["auto"] = "auto") -> int:
        """Return the number of images in a forward pass for the argument ``batch_size`` of ``identify``."""
        return (
            max(1, self.engine.views_per_batch // self.info.preprocessing.views.total) if setting == "auto" else setting
        )

    def _stream(
        self,
        *,
        batch_size: int | Literal["auto"] = "auto",
        workers: int | Literal["auto"] = "auto",
        top: int = TOP_CANDIDATES,
        characters: bool = False,
        ask: bool = False,
        keep_location: bool = False,
        fetching: "FetchingSettings | None" = None,
        taxa: Sequence[str] | None = None,
    ) -> PhotoStream:
        threads, size = self.cores if workers == "auto" else workers, self.batch_size(batch_size)
        if min(size, threads, top) < 1:
            raise UsageError(f"batch_size ({batch_size}), workers ({workers}) and top ({top}) must be at least 1.")
        labels = None if taxa is None else frozenset(self.info.taxonomy.labels(taxa))
        question = Question(top, keep_location, ask, labels)
        reader = EvidenceReader(self.info, self.engine, self.training)
        builder = RecordBuilder(self.info, self.engine.name, self.references, self.references_per_candidate, question)
        return PhotoStream(reader, builder, size, threads, characters, fetching)


def _listed(photos: Iterable[Photo], function: str) -> Iterable[Photo]:
    if isinstance(photos, str | Path):
        raise UsageError(f"{function}() takes a list of photos; write [{str(photos)!r}].")
    if isinstance(photos, bytes | np.ndarray) or not isinstance(photos, Iterable) or hasattr(photos, "read"):
        raise UsageError(f"{function}() takes a list of photos; put this {type(photos).__name__} into [ ].")
    return photos
