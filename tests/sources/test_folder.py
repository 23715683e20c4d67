"""A folder of folders named by taxa: images found, failures and notes."""

from pathlib import Path

import pytest
from PIL import Image

from leafid.errors import SourceError
from leafid.jobs import FolderSource
from leafid.sources.folder import find_in_folder, taxon_of_folder
from leafid.sources.source_result import SourceResult


def draw(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 30), (shade, 120, 60)).save(path)
    return path


def found_in(folder: Path) -> SourceResult:
    return find_in_folder(FolderSource(kind="folder", path=folder))


@pytest.mark.parametrize("name", ["Mitragyna speciosa", "Mitragyna_speciosa", "Mitragyna__speciosa "])
def test_a_folder_is_named_by_its_taxon(name: str) -> None:
    assert taxon_of_folder(name) == "Mitragyna speciosa"


def test_images_at_any_depth_belong_to_the_folder_of_their_taxon(tmp_path: Path) -> None:
    near = draw(tmp_path / "Mitragyna_speciosa" / "1.png")
    deep = draw(tmp_path / "Mitragyna_speciosa" / "herbarium L" / "1972" / "2.JPG")
    other = draw(tmp_path / "Nauclea officinalis" / "1.png")
    found = found_in(tmp_path)
    assert {image.file: image.values["scientificName"] for image in found.images} == {
        near: "Mitragyna speciosa",
        deep: "Mitragyna speciosa",
        other: "Nauclea officinalis",
    }


def test_an_image_outside_the_taxon_folders_is_a_failure(tmp_path: Path) -> None:
    draw(tmp_path / "Mitragyna speciosa" / "1.png")
    draw(tmp_path / "lost.png")
    (failure,) = found_in(tmp_path).failures
    assert (failure.path, failure.reason) == (str(tmp_path / "lost.png"), "no_taxon")


def test_other_files_and_empty_folders_are_noted(tmp_path: Path) -> None:
    draw(tmp_path / "Mitragyna speciosa" / "1.png")
    (tmp_path / "Mitragyna speciosa" / "notes.txt").write_text("seen")
    (tmp_path / "Thumbs.db").write_text("")
    (tmp_path / "Nauclea").mkdir()
    notes = "\n".join(found_in(tmp_path).notes)
    assert "2 files (1 x .txt, 1 x .db)" in notes or "2 files (1 x .db, 1 x .txt)" in notes
    assert f"{tmp_path / 'Nauclea'}: no images" in notes


def test_linked_folders_are_followed_but_cycles_are_not(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere" / "1.png")
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "Mitragyna speciosa").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert len(found_in(outer).images) == 1


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no folder .*nowhere"):
        found_in(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="is a file"):
        found_in(draw(tmp_path / "one.png"))


def test_folders_of_a_split_are_recognised(tmp_path: Path) -> None:
    for part, split in (("Training", "train"), ("valid", "val"), ("test", "test")):
        draw(tmp_path / part / "Viola alba" / f"{split}.png")
    draw(tmp_path / "test" / "loose.png")
    found = found_in(tmp_path)
    assert {image.file.stem: image.values for image in found.images} == {
        split: {"scientificName": "Viola alba", "split": split} for split in ("train", "val", "test")
    }
    assert "by: column" in "".join(found.notes)
    assert [failure.path for failure in found.failures] == [str(tmp_path / "test" / "loose.png")]


def test_folders_of_a_split_beside_taxa_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "train" / "Viola alba" / "1.png")
    draw(tmp_path / "Viola odorata" / "1.png")
    with pytest.raises(SourceError, match=r"folders of a split \(train\) beside others \(Viola odorata\)"):
        found_in(tmp_path)


def test_hidden_folders_and_those_of_systems_are_left_out(tmp_path: Path) -> None:
    draw(tmp_path / "Viola alba" / "1.png")
    for name in (".ipynb_checkpoints", "@eaDir", "__MACOSX", ".thumbnails", "$RECYCLE.BIN"):
        draw(tmp_path / name / "x.png")
        draw(tmp_path / "Viola alba" / name / "x.png")
    draw(tmp_path / "Viola alba" / "._1.png")
    found = found_in(tmp_path)
    assert [image.file.name for image in found.images] == ["1.png"]
    assert "left out: " in found.notes[0]
    assert "@eaDir (2)" in found.notes[0]
