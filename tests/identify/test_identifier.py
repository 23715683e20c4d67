"""The identifier gives one record per path, in order, for any file and independent of the batch size."""

import gc
import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leafid.bundle import read_bundle
from leafid.errors import BundleError, UsageError
from leafid.identify import Identifier, Record, Status
from leafid.identify.engines.engine import Engine, EngineName, EngineOutput
from leafid.sheets import PreparedImage
from leafid.version import __version__
from tests.identify.bad_files import write_bad_files
from tests.identify.small_bundle import COLOURS, TARGET, leaf, make_bundle


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Return thirty leaves, ten of each taxon in turn."""
    paths = []
    for number in range(10):
        for name in COLOURS:
            paths.append(tmp_path / f"{number} {name}.jpg")
            leaf(name, number).save(paths[-1], quality=95)
    return paths


def test_every_leaf_is_identified(identifier: Identifier, photos: list[Path]) -> None:
    records = list(identifier.identify(photos))
    assert [record.path for record in records] == [str(path) for path in photos]
    for record in records:
        assert record.status is Status.IDENTIFIED
        assert record.scientific_name is not None and record.path.endswith(f"{record.scientific_name}.jpg")
        assert record.taxon_rank == "species" and record.reason is None
        assert record.probability == record.candidates[0].probability and 0.8 <= record.probability <= 1
        assert (record.target_probability == record.probability) == (record.scientific_name == TARGET)
        assert len(record.candidates) == 3 and sum(one.probability for one in record.candidates) == pytest.approx(
            1, abs=1e-5
        )
        assert record.leafid_version == __version__ and record.bundle == identifier.info.identifier


def test_the_input_gate_has_its_say_before_the_taxa(identifier: Identifier, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    decision = identifier.info.decision.model_copy(update={"min_good": 0.2})
    gated = replace(identifier, info=identifier.info.model_copy(update={"decision": decision}))
    (before,), (record,) = identifier.identify([noise]), gated.identify([noise])
    assert before.reason != "not_a_leaf"
    assert record.status is Status.UNDETERMINED and record.reason == "not_a_leaf"
    assert record.candidates == before.candidates  # it changes no probability


def test_an_image_between_two_taxa_is_undetermined(tmp_path: Path, photos: list[Path]) -> None:
    strict = Identifier.load(make_bundle(tmp_path / "bundle", min_probability=1.0).folder, device="cpu")
    (record,) = strict.identify(photos[:1], top=2)
    assert record.status is Status.UNDETERMINED and record.reason == "ambiguous"
    assert record.scientific_name is None and record.taxon_rank is None
    assert record.probability == record.candidates[0].probability and len(record.candidates) == 2
    assert record.target_probability is not None


def test_without_a_target_the_target_probability_is_missing(tmp_path: Path, photos: list[Path]) -> None:
    untargeted = Identifier.load(make_bundle(tmp_path / "bundle", target=None).folder, device="cpu")
    assert [record.target_probability for record in untargeted.identify(photos[:2])] == [None, None]


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (7, 2), (64, 8)])
def test_batch_size_and_workers_do_not_change_the_result(
    identifier: Identifier, photos: list[Path], batch_size: int, workers: int
) -> None:
    photos.insert(3, Path("nowhere.jpg"))
    expected = list(identifier.identify(photos))
    for record, other in zip(
        identifier.identify(photos, batch_size=batch_size, workers=workers), expected, strict=True
    ):
        assert (record.path, record.status, record.scientific_name) == (other.path, other.status, other.scientific_name)
        probabilities = [[one.probability for one in either.candidates] for either in (record, other)]
        assert probabilities[0] == pytest.approx(probabilities[1], abs=2e-5)


def test_colour_modes_and_orientation_do_not_change_the_result(identifier: Identifier, tmp_path: Path) -> None:
    green = leaf(TARGET, noise=0)
    exif = Image.Exif()
    exif[0x0112] = 6
    green.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    green.save(tmp_path / "progressive.jpg", progressive=True, quality=95)
    green.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    green.convert("CMYK").save(tmp_path / "cmyk.tif")
    green.convert("RGBA").save(tmp_path / "alpha.png")
    for record in identifier.identify(sorted(tmp_path.iterdir())):
        assert record.scientific_name == TARGET, record
    grey = leaf(TARGET).convert("L")
    grey.save(tmp_path / "grey.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    eight, sixteen = identifier.identify([tmp_path / "grey.png", tmp_path / "sixteen.png"])
    assert sixteen.candidates == eight.candidates
    Image.new("RGB", (4000, 2)).save(tmp_path / "sliver.png")
    (sliver,) = identifier.identify([tmp_path / "sliver.png"])
    assert sliver.status is Status.FAILED and sliver.reason_code == "too_narrow"


@pytest.mark.timeout(60)
def test_unreadable_files_are_records_between_the_others(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    write_bad_files(folder)
    bad = sorted(set(folder.iterdir()) - {folder / "forbidden.jpg"})
    mixed = [path for pair in zip(photos, bad, strict=False) for path in pair]
    records = list(identifier.identify(mixed, batch_size=4))
    assert [record.path for record in records] == [str(path) for path in mixed]
    for good, failed in zip(records[::2], records[1::2], strict=True):
        assert good.status is Status.IDENTIFIED
        assert failed.status is Status.FAILED and failed.reason and ": " in failed.reason
        assert failed.probability is None and failed.candidates == () and failed.scientific_name is None


def test_records_stream_from_an_endless_list_and_threads_end(identifier: Identifier, photos: list[Path]) -> None:
    taken = itertools.count()

    def endless() -> Iterator[Path]:
        for path in itertools.cycle(photos):
            next(taken)
            yield path

    records = identifier.identify(endless(), batch_size=4, workers=2)
    first: list[Record] = list(itertools.islice(records, 10))
    assert len(first) == 10
    assert next(taken) <= 10 + 3 * 4 + 4
    del records
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("leafid-decode")]


def test_empty_input_gives_no_record_and_invalid_arguments_are_refused(identifier: Identifier) -> None:
    assert list(identifier.identify([])) == []
    with pytest.raises(UsageError, match=r"write \['leaf.jpg'\]"):
        identifier.identify("leaf.jpg")
    mistakes: list[dict[str, Any]] = [{"batch_size": 0}, {"workers": 0}, {"top": 0}]
    for wrong in mistakes:
        with pytest.raises(UsageError, match="must be at least 1"):
            identifier.identify([], **wrong)


def test_loading_something_else_than_a_bundle_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle"):
        Identifier.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="device"):
        Identifier.load(bundle_folder, device="abacus")
    assert read_bundle(bundle_folder).info == Identifier.load(str(bundle_folder), device="cpu").info


@dataclass(frozen=True)
class _NoNumbers:
    """Runs another engine, and gives no numbers for every third image."""

    engine: Engine
    name: EngineName = "torch"
    concurrency: int = 1
    views_per_batch: int = 3

    def predict(self, images: Sequence[PreparedImage]) -> EngineOutput:
        output = self.engine.predict(images)
        output.logits[::3, 0], output.embeddings[1::3, 0] = np.nan, np.inf
        return output


def test_an_answer_that_is_no_number_is_a_failure_of_its_image(identifier: Identifier, photos: list[Path]) -> None:
    broken = replace(identifier, engine=_NoNumbers(identifier.engine))
    records = list(broken.identify(photos[:6], batch_size=3))
    failed, good = [records[index] for index in (0, 1, 3, 4)], [records[2], records[5]]
    assert {(record.status, record.reason_code) for record in failed} == {(Status.FAILED, "not_processed")}
    assert good == [list(identifier.identify(photos[:6], batch_size=3))[index] for index in (2, 5)]
