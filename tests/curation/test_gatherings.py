"""Duplicates of one gathering are joined despite different spellings of their labels; others are not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from leafid.catalog import read_catalog, write_catalog
from leafid.curation import assign_gatherings, gatherings_of, near_duplicates_of
from leafid.curation.near_duplicates import PerceptualHashes, near_duplicate_pairs
from leafid.jobs import Job, OutputSettings, TableSource
from tests.curation.catalogs import catalog_of

DAY = "1976-02-24"
Label = dict[str, str | None]


def label(
    collector: str | None, number: str | None, date: str | None = DAY, name: str = "Cycas circinalis", **more: str
) -> Label:
    return {"recordedBy": collector, "recordNumber": number, "eventDate": date, "scientificName": name, **more}


SAME = {
    "spelling of the collector": [
        label("De Koning J.", "6589"),
        label("J. de Koning", "6589"),
        label("Koning J de", "Koning, J de 6589"),
    ],
    "spelling of the number": [
        label("T. P. Ramamoorthy & K. N. Gandhi", "HFP 2687"),
        label("T. P. Ramamoorthy|K. N. Gandhi", "HFP2687"),
    ],
    "order of collectors": [label("R.G. Cooray & N. Wirawan", "1145"), label("N. Wirawan & R. Cooray", "1145")],
    "name on the label": [label("M.H. Nee", "47483"), label("Michael H. Nee", "47483", name="Mitragyna speciosa")],
    "interval of dates": [label("N. Wirawan", "1145"), label("N. Wirawan", "1145", "1976-02-23/1976-02-24")],
    "month only": [label("Selusniaki, M", "1022", "2006-04"), label("Selusniaki, M", "1022", "2006-04")],
    "missing date": [label("F. Hepper", "4723"), label("Hepper, F.", "4723", None)],
    "no number, same day and name": [label("J.S. Flores", None), label("J. S. Flores", "s.n.")],
    "number missing on one sheet": [label("M. Sedaghatpour & S. Vo", "74"), label("Sedaghatpour", None)],
    "project as collector": [label("C. J. Saldanha", "15197"), label("Hassan Floral Project", "15197")],
    "one sheet photographed twice": [
        label(None, None, None, institutionCode="L", catalogNumber="L 123"),
        label("Kerr", "5", institutionCode="L", catalogNumber="l 123"),
    ],
    "one record": [
        label(None, None, None, references="https://a.org/occurrence/1"),
        label(None, None, None, references="https://a.org/occurrence/1"),
    ],
    "one medium": [
        label(None, None, None, accessURI="https://a.org/1.jpg"),
        label(None, None, None, accessURI="https://a.org/1.jpg"),
    ],
    "one occurrence": [label(None, None, None, gbifID="12"), label("Kerr", "5", gbifID="12")],
    "through a third": [
        label("Kerr", "5012", name="A b"),
        label("Kerr & Put", "5012", name="C d"),
        label("Put", "5012", name="E f"),
    ],
}
DIFFERENT = {
    "number": [label("De Koning J.", "6589"), label("De Koning J.", "6590")],
    "collector": [label("De Koning J.", "658"), label("Leeuwenberg", "658")],
    "year": [label("De Koning J.", "6589"), label("De Koning J.", "6589", "1986-02-24")],
    "no number, two names": [label("J.S. Flores", None), label("J.S. Flores", None, name="Mitragyna speciosa")],
    "no number, a year only": [label("Hoff M.", None, "1981"), label("Hoff M.", None, "1981")],
    "nothing known": [label(None, None, None), label(None, None, None)],
    "collector unknown": [label("NO DISPONIBLE", None), label("NO DISPONIBLE", None)],
    "barcode unknown": [
        label(None, None, None, institutionCode="INECOL", catalogNumber="NO DISPONIBLE"),
        label(None, None, None, institutionCode="INECOL", catalogNumber="NO DISPONIBLE"),
    ],
    "number of two herbaria": [
        label(None, None, None, institutionCode="L", catalogNumber="123"),
        label(None, None, None, institutionCode="K", catalogNumber="123"),
    ],
    "home page": [
        label(None, None, None, references="https://a.org", institutionCode="L", catalogNumber="1"),
        label(None, None, None, references="https://a.org", institutionCode="L", catalogNumber="2"),
    ],
}


@pytest.mark.parametrize("what", SAME)
def test_duplicates_are_joined(what: str) -> None:
    assert gatherings_of(catalog_of(*SAME[what])).nunique() == 1


@pytest.mark.parametrize("what", DIFFERENT)
def test_different_gatherings_are_not_joined(what: str) -> None:
    assert gatherings_of(catalog_of(*DIFFERENT[what])).nunique() == 2


def test_an_undated_sheet_that_matches_two_gatherings_joins_neither() -> None:
    labels = [label("Lima", "3"), label("Lima", "3", "1999-01-01"), label("Lima", "3", None)]
    assert gatherings_of(catalog_of(*labels)).nunique() == 3


def test_equal_bytes_and_equal_images_are_one_gathering() -> None:
    catalog = catalog_of({"image_id": "00000000000000aa"}, {"image_id": "00000000000000aa-2"}, {}, {})
    found = gatherings_of(catalog, [("00000000000000aa", catalog["image_id"][2])])
    assert found[0] == found[1] == found[2] != found[3]


def test_a_gathering_given_by_the_source_is_kept() -> None:
    catalog = catalog_of(
        label("Kerr", "7", gathering_id="tree 1"),
        label("Kerr", "7", gathering_id="tree 2"),
        label("Kerr", "7", image_id="00000000000000aa", gathering_id="tree 3"),
        {"image_id": "00000000000000aa-2"},
    )
    assert list(gatherings_of(catalog)) == ["tree 1", "tree 2", "tree 3", "tree 3"]


def test_identifiers_are_stable_and_do_not_reveal_collectors() -> None:
    one = gatherings_of(catalog_of(label("De Koning J.", "6589")))[0]
    more = gatherings_of(catalog_of(label("Leeuwenberg", "1"), label("J. de Koning", "6589")))
    assert more[1] == one
    assert "koning" not in one.lower() and one.startswith("g")


@given(st.permutations([row for rows in SAME.values() for row in rows]))
def test_the_order_of_rows_does_not_matter(rows: list[Label]) -> None:
    known = {id(row): what for what, rows in SAME.items() for row in rows}
    straight = gatherings_of(catalog_of(*(row for rows in SAME.values() for row in rows)))
    turned = gatherings_of(catalog_of(*rows))
    assert turned.nunique() == straight.nunique()
    for what in SAME:
        assert len({turned[index] for index, row in enumerate(rows) if known[id(row)] == what}) == 1


@pytest.mark.parametrize(
    ("collector", "digits", "sheets"),
    [
        ("eeuwenberg", "10339", 11),
        ("Koning", "6589", 6),
        ("Hepper", "4723", 3),
        ("Nee", "47483", 4),
        ("Ramamoorthy", "2687", 5),
    ],
)
def test_real_duplicates_in_many_herbaria(shared: Path, collector: str, digits: str, sheets: int) -> None:
    text = (shared / "fixtures/gbif/occurrence_search_cycas_circinalis.json").read_text(encoding="utf-8")
    columns = (
        "institutionCode",
        "catalogNumber",
        "recordedBy",
        "recordNumber",
        "eventDate",
        "scientificName",
        "references",
    )
    records = [{name: record.get(name) for name in columns} for record in json.loads(text)["results"]]
    catalog = catalog_of(*records)
    found = gatherings_of(catalog)
    of_number = catalog["recordNumber"].fillna("").str.contains(digits)
    of_collector = catalog["recordedBy"].fillna("").str.contains(collector)
    members = found[of_number & of_collector]
    assert members.nunique() == 1
    assert len(members) == sheets == int((found == members.iloc[0]).sum())


def drawn(path: Path, seed: int) -> Image.Image:
    """A sheet with a few blots; the same seed gives the same sheet."""
    image = Image.new("RGB", (400, 600), (235, 230, 215))
    pen = ImageDraw.Draw(image)
    for blot in range(12):
        x, y = (seed * 7919 + blot * 104729) % 330, (seed * 15485863 + blot * 32452843) % 500
        pen.ellipse((x, y, x + 30 + blot * 5, y + 60), fill=(40 + blot * 10, 90, 50))
    image.save(path)
    return image


def test_near_duplicates_are_found_from_the_files(tmp_path: Path) -> None:
    first = drawn(tmp_path / "0.png", 1)
    drawn(tmp_path / "1.png", 2)
    ImageEnhance.Brightness(first.resize((200, 300))).enhance(1.1).save(tmp_path / "2.jpg", quality=60)
    catalog = catalog_of({"path": "0.png"}, {"path": "1.png"}, {"path": "2.jpg"}, {"path": "gone.png"})
    write_catalog(catalog, tmp_path / "catalog.csv")
    gathered = assign_gatherings(tmp_path / "catalog.csv")
    ids = read_catalog(tmp_path / "catalog.csv")["gathering_id"]
    assert ids[0] == ids[2] != ids[1]
    assert (gathered.images, gathered.gatherings, gathered.near_duplicates) == (4, 3, 1)
    assert list(gathered.unreadable) == [str(tmp_path / "gone.png")]

    source = TableSource(kind="table", path=tmp_path / "none.csv")
    job = Job(name="test", sources=(source,), output=OutputSettings(data=tmp_path))
    assert near_duplicates_of(job) == [(catalog["image_id"][0], catalog["image_id"][2])]
    lenient = job.model_copy(update={"curation": job.curation.model_copy(update={"near_duplicates": "allow"})})
    assert near_duplicates_of(lenient) == []


def test_perceptual_hashes_are_cached(tmp_path: Path) -> None:
    drawn(tmp_path / "0.png", 1)
    write_catalog(catalog_of({"path": "0.png"}), tmp_path / "catalog.csv")
    calls: list[int] = []
    assign_gatherings(tmp_path / "catalog.csv", on_progress=lambda done, total: calls.append(done))
    assert calls == [1]
    assign_gatherings(tmp_path / "catalog.csv", on_progress=lambda done, total: calls.append(done))
    assert calls == [1]
    assert list(pd.read_csv(tmp_path / "near_duplicates.csv").columns) == ["image_id", "other_image_id", "distance"]


@given(st.lists(st.integers(0, 40), min_size=2, max_size=12), st.integers(0, 2**32 - 1))
def test_pairs_within_the_maximum_distance_are_found(flipped: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 2, 256, dtype=np.uint8)
    rows = []
    for count in flipped:
        row = first.copy()
        row[generator.choice(256, count, replace=False)] ^= 1
        rows.append(row)
    bits = np.packbits(np.stack(rows), axis=1).view(np.uint64)
    found = near_duplicate_pairs(PerceptualHashes(tuple(map(str, range(len(rows)))), bits))
    distances = {
        (str(one), str(other)): int((rows[one] != rows[other]).sum())
        for one in range(len(rows))
        for other in range(one + 1, len(rows))
    }
    assert {(one, other): distance for one, other, distance in found} == {
        pair: distance for pair, distance in distances.items() if distance <= 24
    }
