"""Darwin Core Archives of any publisher are read as a stream or refused with a reason."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.errors import SourceError
from leafid.jobs import TaxaSettings
from leafid.sources.providers import darwin_core_archive
from leafid.sources.providers.darwin_core_archive import DarwinCoreArchive
from leafid.sources.providers.occurrences import Occurrence
from leafid.sources.providers.publisher_archive import read_occurrences
from leafid.sources.providers.taxon_matching import TaxonMatcher
from leafid.sources.source_result import Failure
from leafid.tables import MISSING_WORDS

DWC = "http://rs.tdwg.org/dwc/terms/"
DC = "http://purl.org/dc/terms/"
GBIF_MEDIA = "http://rs.gbif.org/terms/1.0/Multimedia"
AC_MEDIA = "http://rs.tdwg.org/ac/terms/multimedia"
CORE = ["id", "scientificName", "basisOfRecord", "institutionCode", "catalogNumber", "eventDate", "license"]
SHEETS = [
    ["1", "Mitragyna speciosa (Korth.) Havil.", "PreservedSpecimen", "L", "L0001", "1974-05-02", "CC0_1_0"],
    ["2", "Uncaria tomentosa (Willd. ex Schult.) DC.", "PRESERVED_SPECIMEN", "E", "E0002", "1980", ""],
]
MEDIA = ["id", "type", "identifier", "license", "rightsHolder"]
IMAGES = [
    ["2", "StillImage", "https://e.example.org/2.jpg", "http://creativecommons.org/licenses/by/4.0/", "Edinburgh"],
    ["1", "StillImage", "https://l.example.org/1.jpg", "", "Naturalis"],
    ["1", "StillImage", "https://l.example.org/1-1.jpg", "", "Naturalis"],
    ["999", "StillImage", "https://l.example.org/999.jpg", "", "an orphan"],
]


def term(name: str) -> str:
    if name.startswith("http"):
        return name
    return (DC if name in ("type", "identifier", "license", "rightsHolder", "format") else DWC) + name


def described(
    tag: str, row_type: str, location: str, columns: list[str], style: dict[str, str], encoding: str = "UTF-8"
) -> str:
    attributes = "".join(f" {key}='{value}'" for key, value in style.items())
    fields = "".join(f'<field index="{index}" term="{term(name)}"/>' for index, name in enumerate(columns) if index)
    key = "id" if tag == "core" else "coreid"
    return (
        f'<{tag} encoding="{encoding}" rowType="{row_type}" ignoreHeaderLines="1"{attributes}>'
        f'<files><location>{location}</location></files><{key} index="0"/>{fields}</{tag}>'
    )


TABS = {"fieldsTerminatedBy": "\\t", "linesTerminatedBy": "\\n", "fieldsEnclosedBy": ""}
COMMAS = {"fieldsTerminatedBy": ",", "linesTerminatedBy": "&#10;", "fieldsEnclosedBy": "&quot;"}


def lines(rows: list[list[str]], style: dict[str, str]) -> str:
    if style is TABS:
        return "".join("\t".join(row) + "\n" for row in rows)
    return "".join(",".join('"' + field.replace('"', '""') + '"' for field in row) + "\n" for row in rows)


def archive(
    path: Path,
    *,
    style: dict[str, str] = TABS,
    core: list[list[str]] = SHEETS,
    columns: list[str] = CORE,
    media: list[list[str]] = IMAGES,
    media_columns: list[str] = MEDIA,
    media_type: str = GBIF_MEDIA,
    core_type: str = DWC + "Occurrence",
    **members: str | bytes,
) -> Path:
    meta = (
        '<?xml version="1.0"?><archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">'
        + described("core", core_type, "occurrence.txt", columns, style)
        + (described("extension", media_type, "multimedia.txt", media_columns, style) if media_type else "")
        + "</archive>"
    )
    files: dict[str, str | bytes] = {
        "meta.xml": meta,
        "occurrence.txt": lines([columns, *core], style),
        "multimedia.txt": lines([media_columns, *media], style),
        **{name.replace("__", "."): content for name, content in members.items()},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def read(path: Path, taxa: dict[str, Any] | None = None, domain: str = "specimen") -> list[Occurrence | Failure | str]:
    table = TaxonMatcher(TaxaSettings.model_validate(taxa) if taxa else None)
    with DarwinCoreArchive(path) as opened:
        return list(read_occurrences(opened, table, domain, path.parent / "scratch", "archive", None))


def occurrences(found: list[Occurrence | Failure | str]) -> list[Occurrence]:
    return [one for one in found if isinstance(one, Occurrence)]


@pytest.mark.parametrize("style", [TABS, COMMAS], ids=["tabs", "commas"])
@pytest.mark.parametrize("media_type", [GBIF_MEDIA, AC_MEDIA, AC_MEDIA.upper().replace("HTTP", "http")])
def test_records_and_their_media_are_joined(tmp_path: Path, style: dict[str, str], media_type: str) -> None:
    found = occurrences(read(archive(tmp_path / "a.zip", style=style, media_type=media_type)))
    assert [one.values["scientificName"] for one in found] == ["Mitragyna speciosa", "Uncaria tomentosa"]
    assert [len(one.media) for one in found] == [2, 1]
    assert [one.licence.name for one in found] == ["CC0-1.0", "missing"]
    assert found[0].media[0].identifier == "https://l.example.org/1.jpg"
    assert found[1].media[0].licence.name == "CC-BY-4.0"
    assert found[1].values["basisOfRecord"] == "PreservedSpecimen"
    assert found[0].values["verbatimIdentification"] == "Mitragyna speciosa (Korth.) Havil."


def test_columns_may_be_in_any_order(tmp_path: Path) -> None:
    order = [0, 4, 6, 2, 1, 3, 5]
    columns = [CORE[index] for index in order]
    core = [[row[index] for index in order] for row in SHEETS]
    plain, turned = archive(tmp_path / "a.zip"), archive(tmp_path / "b.zip", core=core, columns=columns)
    assert occurrences(read(turned)) == occurrences(read(plain))


def test_only_the_taxa_of_the_job_are_taken(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip")
    found = occurrences(read(path, {"target": "Uncaria tomentosa"}))
    assert [one.key for one in found] == ["2"]
    by_key = archive(
        tmp_path / "b.zip",
        columns=[*CORE, "http://rs.gbif.org/terms/1.0/acceptedTaxonKey"],
        core=[[*SHEETS[0], "77"], [*SHEETS[1], "78"]],
    )
    table = TaxonMatcher(TaxaSettings.model_validate({"target": "Some other"}), {"78": "Some other"})
    with DarwinCoreArchive(by_key) as opened:
        keyed = occurrences(list(read_occurrences(opened, table, "specimen", tmp_path, "archive", None)))
    assert [(one.key, one.values["scientificName"]) for one in keyed] == [("2", "Some other")]


def test_field_photos_are_another_domain(tmp_path: Path) -> None:
    core = [SHEETS[0], [*SHEETS[1][:2], "HUMAN_OBSERVATION", *SHEETS[1][3:]]]
    path = archive(tmp_path / "a.zip", core=core)
    assert [one.key for one in occurrences(read(path))] == ["1"]
    assert [one.key for one in occurrences(read(path, domain="field"))] == ["2"]


def test_associated_media_replace_a_missing_table(tmp_path: Path) -> None:
    core = [[*SHEETS[0], "https://l.example.org/1.jpg | https://l.example.org/2.jpg"], [*SHEETS[1], ""]]
    path = archive(tmp_path / "a.zip", core=core, columns=[*CORE, "associatedMedia"], media_type="")
    found = occurrences(read(path))
    assert [medium.identifier for medium in found[0].media] == [
        "https://l.example.org/1.jpg",
        "https://l.example.org/2.jpg",
    ]
    assert found[1].media == ()


def test_the_best_of_several_addresses_comes_first(tmp_path: Path) -> None:
    ac = "http://rs.tdwg.org/ac/terms/"
    columns = [
        "id",
        "identifier",
        f"{ac}accessURI",
        f"{ac}bestQualityAccessURI",
        "http://ns.adobe.com/xap/1.0/rights/Owner",
    ]
    media = [["1", "urn:uuid:7", "https://x.example.org/s.jpg", "https://x.example.org/l.jpg", "Harvard"]]
    path = archive(tmp_path / "a.zip", media=media, media_columns=columns, media_type=AC_MEDIA)
    medium = occurrences(read(path))[0].media[0]
    assert (medium.identifier, medium.fallbacks) == ("https://x.example.org/l.jpg", ("https://x.example.org/s.jpg",))
    assert medium.rights_holder == "Harvard"


def test_quotes_and_backslashes_are_read_as_the_archive_declares(tmp_path: Path) -> None:
    core = [['1"', 'Mitragyna speciosa "red vein"', "PreservedSpecimen", "L\\N", "\\N", "1974", ""]]
    media = [['1"', "StillImage", 'https://x.example.org/"1".jpg', "", ""]]
    tabs = occurrences(read(archive(tmp_path / "a.zip", core=core, media=media)))
    assert (tabs[0].key, tabs[0].values["institutionCode"]) == ('1"', "L\\N")
    assert "catalogNumber" not in tabs[0].values  # \N is how databases write a missing value
    quoted = [["1", 'Mitragyna "speciosa", \\"Korth.\\"\nHavil.', "PreservedSpecimen", "L", "1", "1974", ""]]
    commas = occurrences(read(archive(tmp_path / "b.zip", style=COMMAS, core=quoted)))
    assert commas[0].values["verbatimIdentification"] == 'Mitragyna "speciosa", \\"Korth.\\" Havil.'


def test_a_stray_quote_in_the_header_loses_no_rows(tmp_path: Path) -> None:
    text = lines([MEDIA, *IMAGES], COMMAS).replace('"rightsHolder"', '"rightsHolder')
    found = occurrences(read(archive(tmp_path / "a.zip", style=COMMAS, multimedia__txt=text)))
    assert sum(len(one.media) for one in found) == 3


def test_rows_that_cannot_be_read_are_failures(tmp_path: Path) -> None:
    unnamed = ["3", "", "PreservedSpecimen", "L", "L3", "", ""]
    endless = '4,"Mitragyna ' + "x" * 200_000 + "\n"  # a quote is never closed
    text = lines([CORE, *SHEETS, unnamed], COMMAS) + endless + lines([["5", *SHEETS[0][1:]]], COMMAS)
    found = read(archive(tmp_path / "a.zip", style=COMMAS, occurrence__txt=text))
    failures = {one.path: one.reason for one in found if isinstance(one, Failure)}
    assert failures == {"3": "no_taxon", "occurrence.txt, line 5": "wrong_fields"}
    assert [one.key for one in occurrences(found)] == ["1", "2", "5"]


def test_an_archive_without_images_is_noted(tmp_path: Path) -> None:
    notes = [one for one in read(archive(tmp_path / "a.zip", media_type="")) if isinstance(one, str)]
    assert "contains no images" in notes[0]


def test_a_folder_and_an_inner_folder_are_read_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(archive(tmp_path / "a.zip")) as packed:
        packed.extractall(tmp_path / "unpacked" / "dwca-7")
    assert len(occurrences(read(tmp_path / "unpacked"))) == 2


def test_other_encodings_are_read(tmp_path: Path) -> None:
    core = [[*SHEETS[0][:3], "Jardín", *SHEETS[0][4:]]]
    meta = zipfile.ZipFile(archive(tmp_path / "a.zip")).read("meta.xml").decode().replace("UTF-8", "ISO-8859-1")
    text = lines([CORE, *core], TABS).encode("latin-1")
    found = occurrences(read(archive(tmp_path / "b.zip", meta__xml=meta, occurrence__txt=text)))
    assert found[0].values["institutionCode"] == "Jardín"


BOMB = "<!DOCTYPE archive [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]><archive>&b;</archive>"


def naming(location: str) -> str:
    files = f"<files><location>{location}</location></files>"
    return f"<archive><core rowType='{DWC}Occurrence'>{files}</core></archive>"


FOREIGN = "<!DOCTYPE archive [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><archive>&a;</archive>"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"meta__xml": BOMB}, "meta.xml cannot be read"),
        ({"meta__xml": FOREIGN}, "meta.xml cannot be read"),
        ({"meta__xml": "<archive"}, "meta.xml cannot be read"),
        ({"meta__xml": "<archive/>"}, "describes 0 core files"),
        ({"meta__xml": "<archive><core/></archive>"}, "a table without a file"),
        ({"meta__xml": naming("../../etc/passwd")}, "is outside the archive"),
        ({"meta__xml": naming("/etc/passwd")}, "is outside the archive"),
        ({"meta__xml": naming("http://example.org/a.txt")}, "is outside the archive"),
        ({"meta__xml": naming("gone.txt")}, r"gone\.txt, which is not in the archive"),
        (
            {"meta__xml": "<archive><core encoding='klingon'><files><location>a</location></files></core></archive>"},
            "names the encoding 'klingon'",
        ),
        ({"..\\..\\evil__txt": "x"}, "is outside the archive"),
        ({"/etc/evil__txt": "x"}, "is outside the archive"),
        ({"occurrence__txt": "id\n" + "x" * 5_000_000}, "a line of more than"),
        ({"meta__xml": " " * 6_000_000}, r"meta\.xml is longer than 5 MB"),
        ({"bomb__txt": b"\0" * 60_000_000}, "ZIP bombs"),
    ],
)  # fmt: skip
def test_harmful_and_broken_archives_are_refused(tmp_path: Path, members: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(archive(tmp_path / "a.zip", **members))


def test_a_core_without_occurrences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a table of Taxon, not of occurrences"):
        read(archive(tmp_path / "a.zip", core_type=DWC + "Taxon"))


def test_more_members_than_are_read_are_refused_before_their_names_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(darwin_core_archive, "MAX_MEMBERS", 2)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.txt", "")
    with pytest.raises(SourceError, match=r"many\.zip has 3 members, more than the 2 that are read"):
        DarwinCoreArchive(tmp_path / "many.zip")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "page.zip").write_bytes(b"<html>Sign in</html>")
    with zipfile.ZipFile(tmp_path / "simple.zip", "w") as made:
        made.writestr("0001.csv", "gbifID\tspecies\n")
    for name, message in (
        ("page.zip", "not a readable .zip archive"),
        ("gone.zip", "There is no archive"),
        ("simple.zip", r"no meta\.xml"),
    ):
        with pytest.raises(SourceError, match=message):
            read(tmp_path / name)


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", core=[[str(number), *SHEETS[0][1:]] for number in range(5000)])
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as packed:
        start = packed.getinfo("occurrence.txt").header_offset
    for place in range(start + 200, start + 260):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"occurrence\.txt is damaged"):
        read(path)


FIELDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12).map(str.strip)


@given(st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=8))
def test_any_fields_are_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("archive")
    core = [[str(n), "Mitragyna speciosa", "", "", one, two, ""] for n, (one, two) in enumerate(rows)]
    for style in (TABS, COMMAS):
        found = occurrences(read(archive(folder / "a.zip", style=style, core=core)))
        back = {one.key: (one.values.get("catalogNumber", ""), one.values.get("eventDate", "")) for one in found}
        wanted = {
            str(n): tuple("" if x in MISSING_WORDS else " ".join(x.split()) for x in row) for n, row in enumerate(rows)
        }
        assert back == wanted


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts" / "bench_archive.py"
    command = [sys.executable, str(script), "--rows", "25000", "--scratch", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    few, every = (json.loads(line.partition(": ")[2]) for line in done.stdout.splitlines()[1:])
    assert (few["records"], every["records"]) == (500, 25_000)
    # The tables hold 16 MB of text; as Python objects they would take over 80 MB.
    assert every["peak_mb"] - every["start_mb"] < 45


def with_meta(path: Path, old: str, new: str, **members: str | bytes) -> Path:
    """Make an archive whose meta.xml differs in one place."""
    with zipfile.ZipFile(archive(path)) as made:
        meta = made.read("meta.xml").decode()
    assert old in meta
    return archive(path, meta__xml=meta.replace(old, new), **members)  # type: ignore[arg-type] # members only


def keys(path: Path) -> list[str]:
    return [one.key for one in occurrences(read(path))]


def test_a_default_fills_the_empty_cells_of_its_column(tmp_path: Path) -> None:
    old = f'<field index="3" term="{DWC}institutionCode"/>'
    core = [[*SHEETS[0][:3], "", *SHEETS[0][4:]], SHEETS[1]]
    made = with_meta(tmp_path / "a.zip", old, old.replace(" term=", ' default="BO" term='))
    with zipfile.ZipFile(made) as opened:
        meta = opened.read("meta.xml")
    found = occurrences(read(archive(tmp_path / "b.zip", core=core, meta__xml=meta)))
    assert [one.values["institutionCode"] for one in found] == ["BO", "E"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('ignoreHeaderLines="1"', 'ignoreHeaderLines="999999999999999999"'),
        ('index="1"', 'index="' + "9" * 5000 + '"'),
        *(('encoding="UTF-8"', f'encoding="{name}"') for name in ("rot13", "zlib", "idna", "base64", "utf-99", "hex")),
    ],
)
def test_a_meta_xml_beyond_reason_is_refused_in_a_sentence(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(SourceError, match=r"meta\.xml (gives|names the encoding)"):
        read(with_meta(tmp_path / "a.zip", old, new))


def test_tables_and_meta_in_utf_16_are_read(tmp_path: Path) -> None:
    tables = {
        "occurrence__txt": lines([CORE, *SHEETS], TABS).encode("utf-16"),
        "multimedia__txt": lines([MEDIA, *IMAGES], TABS).encode("utf-16-be"),
    }
    assert keys(with_meta(tmp_path / "a.zip", 'encoding="UTF-8"', 'encoding="UTF-16"', **tables)) == ["1", "2"]
    path = archive(tmp_path / "b.zip", **tables)  # type: ignore[arg-type] # members only
    assert keys(path) == ["1", "2"]  # the byte order mark is right
    with zipfile.ZipFile(tmp_path / "b.zip") as made:
        meta = made.read("meta.xml").decode().replace('"1.0"?>', '"1.0" encoding="UTF-16"?>')
    assert keys(archive(tmp_path / "c.zip", meta__xml=meta.encode("utf-16"))) == ["1", "2"]


def test_lines_may_end_in_carriage_returns(tmp_path: Path) -> None:
    text = lines([CORE, *SHEETS], TABS).replace("\n", "\r")
    style = {**TABS, "linesTerminatedBy": "\\r"}
    assert keys(archive(tmp_path / "a.zip", style=style, occurrence__txt=text)) == ["1", "2"]
    assert keys(archive(tmp_path / "b.zip", occurrence__txt=text)) == ["1", "2"]  # meta.xml says otherwise
    assert keys(archive(tmp_path / "c.zip", style=style, occurrence__txt=text.replace("\r", "\r\n"))) == ["1", "2"]


def test_a_zip_with_backslashes_is_read(tmp_path: Path) -> None:
    archive(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as made, zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        for name in made.namelist():
            info = zipfile.ZipInfo("x")
            info.filename = f"export\\{name}"
            other.writestr(info, made.read(name))
    assert keys(tmp_path / "b.zip") == ["1", "2"]


def test_an_unclosed_quote_costs_one_row(tmp_path: Path) -> None:
    rows = [["1", "Mitragyna speciosa", "PreservedSpecimen", "L", '"open', "", ""]]
    rows += [[str(n), "Mitragyna speciosa", "PreservedSpecimen", "L", f"L{n}", "", ""] for n in range(2, 6)]
    text = "".join(",".join(row) + "\n" for row in [CORE, *rows])
    found = read(archive(tmp_path / "a.zip", style=COMMAS, occurrence__txt=text))
    assert [one.key for one in occurrences(found)] == ["2", "3", "4", "5"]
    (failure,) = (one for one in found if isinstance(one, Failure))
    assert (failure.path, failure.detail) == ("occurrence.txt, line 2", "a quote is opened and never closed")


def test_of_many_rows_that_cannot_be_read_the_first_are_listed(tmp_path: Path) -> None:
    good = ",".join(["N", *SHEETS[0][1:]]) + "\n"
    text = ",".join(CORE) + "\n" + "".join(f'"{number}\n' + good.replace("N", f"g{number}") for number in range(1005))
    found = read(archive(tmp_path / "a.zip", style=COMMAS, occurrence__txt=text, media_type=""))
    failures = [one for one in found if isinstance(one, Failure) and one.reason == "wrong_fields"]
    assert len(failures) == 1001 and failures[-1].detail == "5 more rows that cannot be read"
    assert any(isinstance(one, str) and "and 1005 rows that cannot be read" in one for one in found)


def test_a_file_of_unclosed_quotes_is_refused_soon(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", style=COMMAS, occurrence__txt=",".join(CORE) + "\n" + '"\n\n' * 60_000)
    with pytest.raises(SourceError, match=r"rows of occurrence\.txt cannot be read"):
        read(path)


def test_a_zip_without_its_beginning_is_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.zip").read_bytes()
    for cut in (10, 100, len(whole) // 2):
        (tmp_path / "b.zip").write_bytes(whole[cut:])
        with pytest.raises(SourceError, match=r"damaged|not a readable \.zip"):
            read(tmp_path / "b.zip")


def test_several_addresses_in_one_cell_are_several_media(tmp_path: Path) -> None:
    base = "https://l.example.org"
    for cell in (
        f"{base}/1,2.jpg | {base}/b.jpg",
        f"{base}/1,2.jpg;{base}/b.jpg",
        f"['{base}/1,2.jpg', '{base}/b.jpg']",
    ):
        media = [["1", "StillImage", cell, "", ""]]
        found = occurrences(read(archive(tmp_path / "a.zip", media=media)))
        assert [medium.identifier for medium in found[0].media] == [f"{base}/1,2.jpg", f"{base}/b.jpg"]


def test_doubtful_records_are_kept_with_the_reason_why_they_are_left_out(tmp_path: Path) -> None:
    names = (
        "Mitragyna speciosa × hirsuta",
        "Mitragyna speciosa auct. non Korth.",
        "Mitragyna cf. speciosa",
        "Uncaria sp.",
    )
    core = [[str(n), name, "PreservedSpecimen", "L", "", "", ""] for n, name in enumerate(names)]
    found = occurrences(read(archive(tmp_path / "a.zip", core=core), {"target": "Mitragyna speciosa"}))
    assert [one.key for one in found] == ["0", "1", "2"]
    assert all(one.left_because for one in found)
