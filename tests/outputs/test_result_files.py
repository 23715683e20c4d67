"""A result that was cut anywhere, also in its header or byte order mark, is continued to the same file."""

from pathlib import Path

import pytest

from leafid.errors import OutputError
from leafid.identify.outputs.writers import open_output, read_records
from leafid.identify.records import PlantPhoto, Record
from tests.outputs.records import given, made

RECORDS = [
    made("a.jpg", given=given(catalogNumber="L.1", shelf=None)),
    made("b.jpg", given=given(catalogNumber=None, shelf="3")),
]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
@pytest.mark.parametrize("byte_order_mark", [True, False])
def test_a_result_cut_anywhere_is_continued_to_the_same_file(
    tmp_path: Path, ending: str, byte_order_mark: bool
) -> None:
    path = tmp_path / f"results{ending}"
    options = {"given": ("catalogNumber", "shelf"), "byte_order_mark": byte_order_mark}
    with open_output(path, **options) as writer:  # type: ignore[arg-type]
        writer.write(RECORDS)
    content = path.read_bytes()
    for cut in {*range(8), *range(0, len(content), 13), content.find(b"\n"), content.find(b"\n") + 1, len(content)}:
        path.write_bytes(content[:cut])
        seen: list[Record] = []
        with open_output(path, existing="resume", on_existing=seen.append, **options) as writer:  # type: ignore[arg-type]
            assert seen == RECORDS[: len(seen)]
            writer.write(RECORDS[len(seen) :])
        assert path.read_bytes() == content, cut


def test_a_continued_result_keeps_its_byte_order_mark_and_a_foreign_table_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with open_output(path, given=("catalogNumber", "shelf"), byte_order_mark=True) as writer:
        writer.write(RECORDS[:1])
    with open_output(path, existing="resume", given=("catalogNumber", "shelf")) as writer:
        writer.write(RECORDS[1:])
    assert path.read_bytes().startswith(b"\xef\xbb\xbfpath,") and list(read_records(path)) == RECORDS
    for foreign in ("path,name", "path,name\na.jpg,x\n", "\ufeffpath,name", "name"):
        path.write_text(foreign, encoding="utf-8")
        with pytest.raises(OutputError, match="is not a result of this leafid"), open_output(path, existing="resume"):
            pass
        assert path.read_text(encoding="utf-8") == foreign


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_the_largest_plant_and_the_longest_cell_are_read_again(tmp_path: Path, ending: str) -> None:
    photos = tuple(PlantPhoto(f"folder/{number:04}.jpg", None, "Rosa alba", 0.5, "ab" * 32) for number in range(1000))
    record = made("0000.jpg", plant="tree\n7/..", photos=photos, given=given(label="x" * 200_000))
    with open_output(tmp_path / f"results{ending}", given=("label",)) as writer:
        writer.write([record])
    assert list(read_records(tmp_path / f"results{ending}")) == [record]


def test_a_result_with_many_columns_is_continued(tmp_path: Path) -> None:
    columns = {f"measurement number {number}": str(number) for number in range(60_000)}
    record = made("a.jpg", given=given(**columns))
    for _ in range(2):
        with open_output(tmp_path / "results.csv", existing="resume", given=tuple(columns)) as writer:
            writer.write([record])
    assert list(read_records(tmp_path / "results.csv")) == [record, record]
