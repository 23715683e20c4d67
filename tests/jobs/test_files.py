"""A job file is checked as a whole: every mistake, with its line and the fix, in one message."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from leafid.errors import JobError
from leafid.jobs import Job, dump_job, job_schema, load_job, with_settings
from leafid.jobs.mistakes import RENAMED_KEYS
from leafid.jobs.taxa import TaxaSettings

FOLDER = {"kind": "folder", "path": "photos"}
MINIMAL = "name: my-job\nsources: [{kind: folder, path: photos}]\n"
CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(JobError) as caught:
        load_job(written(tmp_path, text), overrides)
    return str(caught.value)


def test_a_minimal_job_takes_all_defaults(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, MINIMAL))
    assert job.name == "my-job"
    assert job.catalog_path == Path("data/my-job/catalog.csv")
    assert job.run_folder == Path("runs/my-job")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_job_is_valid(path: Path) -> None:
    assert load_job(path).name == path.stem


def test_all_mistakes_are_listed_at_once_with_lines_and_fixes(tmp_path: Path) -> None:
    message = mistakes(
        tmp_path,
        "name: My Job\n"
        "sources:\n"
        "  - kind: folder\n"
        "    pth: photos\n"
        "training:\n"
        "  max_epoch: 3\n"
        "  label_smoothing: 1.5\n"
        "  workers: many\n"
        "model: {backbone: mobilnet_v2}\n",
    )
    assert "7 mistakes" in message
    assert "line 1: name: 'My Job' must match" in message
    assert "line 3: sources.0.path: is missing" in message
    assert "line 4: sources.0.pth: unknown key; did you mean path?" in message
    assert "line 6: training.max_epoch: unknown key; did you mean max_epochs?" in message
    assert "line 7: training.label_smoothing: 1.5 must be less than 1" in message
    assert "line 8: training.workers: 'many' must be a whole number, or 'auto'" in message
    assert "line 9: model.backbone: 'mobilnet_v2' is not a backbone of leafid; did you mean mobilenet_v2 or" in message


def test_a_repeated_key_is_refused(tmp_path: Path) -> None:
    assert "line 3: name is given twice, first on line 1" in mistakes(tmp_path, MINIMAL + "name: other\n")


@pytest.mark.parametrize("country", ["NO", "no", "on", "off", "yes", "Y"])
def test_words_that_are_booleans_in_yaml_1_1_stay_words(tmp_path: Path, country: str) -> None:
    job = load_job(written(tmp_path, MINIMAL + f"taxa: {{target: {country}}}\n"))
    assert job.taxa is not None
    assert job.taxa.target is not None
    assert job.taxa.target.name == country


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    assert load_job(written(tmp_path, MINIMAL + "training: {learning_rate: 1e-4}\n")).training.learning_rate == 1e-4


def test_leading_zeros_are_not_octal(tmp_path: Path) -> None:
    assert load_job(written(tmp_path, MINIMAL + "seed: 010\n")).seed == 10


def test_overrides_replace_values_of_the_file(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, MINIMAL), ["training.max_epochs=5", "taxa.target=Mitragyna speciosa"])
    assert job.training.max_epochs == 5
    assert job.taxa is not None
    assert job.taxa.target is not None
    assert job.taxa.target.name == "Mitragyna speciosa"


def test_a_mistake_in_an_override_names_the_override(tmp_path: Path) -> None:
    message = mistakes(tmp_path, MINIMAL, "training.patience=0")
    assert "--set training.patience=0: training.patience: 0 must be at least 1" in message
    assert "section.key=value" in mistakes(tmp_path, MINIMAL, "training.patience")
    assert "name is not a section" in mistakes(tmp_path, MINIMAL, "name.first=x")


RENAMED = [
    ("sheets", "whole_size", "448", "overview_size"),
    ("training", "probe_copies", "2", "probe_augmented_copies"),
    ("training", "average_epochs", "3", "ema_epochs"),
    ("training", "first_layer_rate", "0.1", "first_layer_lr_mult"),
    ("trust", "known_accepted", "0.95", "id_acceptance_rate"),
    ("trust", "min_score", "0.5", "min_probability"),
]


@pytest.mark.parametrize(("section", "old", "value", "new"), RENAMED)
def test_an_old_key_gets_one_message_with_the_new_key(
    tmp_path: Path, section: str, old: str, value: str, new: str
) -> None:
    message = mistakes(tmp_path, MINIMAL + f"{section}:\n  {old}: {value}\n")
    assert message.splitlines()[1:] == [f"  line 4: {section}.{old}: was renamed to {new}"]
    override = f"{section}.{old}={value}"
    assert f"--set {override}: {section}.{old}: was renamed to {new}" in mistakes(tmp_path, MINIMAL, override)
    with pytest.raises(JobError, match=f"was renamed to {new}"):
        with_settings(load_job(written(tmp_path, MINIMAL)), {f"{section}.{old}": float(value)})  # as a sweep does


def test_every_renamed_key_exists_under_its_new_name_only() -> None:
    assert {(section, old): new for section, old, _, new in RENAMED} == RENAMED_KEYS
    for section, old, _, new in RENAMED:
        fields = type(getattr(Job.model_validate({"name": "j", "sources": [FOLDER]}), section)).model_fields
        assert new in fields and old not in fields


def test_an_old_value_gets_a_message_with_the_new_value(tmp_path: Path) -> None:
    message = mistakes(tmp_path, MINIMAL + "model: {pooling: second-order}\n")
    assert message.splitlines()[1:] == ["  line 3: model.pooling: 'second-order' was renamed to covariance"]
    override = "model.pooling=second-order"
    assert "'second-order' was renamed to covariance" in mistakes(tmp_path, MINIMAL, override)
    assert "must be 'average' or 'covariance'" in mistakes(tmp_path, MINIMAL, "model.pooling=max")
    assert "must be 'average' or 'covariance'" in mistakes(tmp_path, MINIMAL, "model.pooling=[second-order]")


def test_taxa_may_be_in_a_separate_file(tmp_path: Path) -> None:
    taxa = tmp_path / "taxa.yaml"
    taxa.write_text("target: Mitragyna speciosa\nlook_alikes:\n  - name: Coffea canephora\n    synonims: [a]\n")
    message = mistakes(tmp_path, MINIMAL + "taxa: taxa.yaml\n")
    assert "line 4: taxa.look_alikes.0.synonims: unknown key; did you mean synonyms?" in message
    message = mistakes(tmp_path, MINIMAL + "taxa: nowhere.yaml\n")
    assert f"the file {tmp_path / 'nowhere.yaml'} does not exist" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found an empty file"),
        ("- a\n- b\n", "found a list"),
        ("name: [unclosed\n", "not valid YAML"),
        ("name: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_not_a_job_is_explained_in_a_sentence(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in mistakes(tmp_path, text)


def test_a_file_that_cannot_be_read_is_explained_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="There is no file"):
        load_job(tmp_path / "missing.yaml")
    with pytest.raises(JobError, match="is a folder"):
        load_job(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: fl\u00fcgel".encode("latin-1"))
    with pytest.raises(JobError, match="not UTF-8"):
        load_job(latin)


@given(target=st.from_regex(r"[-+0-9.eExobtrufalsnNO~:_]{1,8}", fullmatch=True))
def test_a_name_that_looks_like_a_number_or_boolean_stays_a_name(
    tmp_path_factory: pytest.TempPathFactory, target: str
) -> None:
    job = Job.model_validate(
        {"name": "j", "taxa": {"target": {"name": target}}, "sources": [{"kind": "folder", "path": "x"}]}
    )
    path = tmp_path_factory.mktemp("jobs") / "job.yaml"
    path.write_text(dump_job(job), encoding="utf-8")
    assert load_job(path) == job


@given(
    seed=st.integers(0, 2**31 - 1),
    rate=st.floats(1e-8, 1.0, allow_nan=False),
    epochs=st.integers(1, 10_000),
    target=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=40),
)
def test_a_dumped_job_loads_as_the_same_job(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float, epochs: int, target: str
) -> None:
    job = Job.model_validate(
        {
            "name": "j",
            "seed": seed,
            "taxa": {"target": {"name": target}},
            "sources": [{"kind": "folder", "path": "NO"}],
            "training": {"learning_rate": rate, "max_epochs": epochs},
        }
    )
    path = tmp_path_factory.mktemp("jobs") / "job.yaml"
    path.write_text(dump_job(job), encoding="utf-8")
    assert load_job(path) == job


def test_the_schema_describes_every_setting() -> None:
    schema = job_schema()
    for name, section in {"Job": schema, **schema["$defs"]}.items():
        for key, setting in section.get("properties", {}).items():
            assert setting.get("description") or "$ref" in setting, f"{name}.{key} has no description"


def test_the_dump_is_plain_yaml(tmp_path: Path) -> None:
    assert yaml.safe_load(dump_job(load_job(written(tmp_path, MINIMAL))))["name"] == "my-job"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)),
            "more than 100,000 values",
        ),
        ("name: &a [*a]\n", "stands inside the value that it names"),
        ("name: " + "[" * 400 + "]" * 400 + "\n", "nested more than 50 deep"),
        ("name: " + "[" * 20_000, "nested more than 50 deep"),
    ],
    ids=["bomb", "cycle", "deep", "deeper than the parser"],
)
def test_a_job_that_expands_without_end_is_refused_at_once(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(JobError, match=expected):
        load_job(path)


def test_aliases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: a\nsources:\n  - &own {kind: folder, path: x}\n  - *own\n")
    assert len(load_job(path).sources) == 2


def test_a_value_in_place_of_a_section_lists_the_keys(tmp_path: Path) -> None:
    message = mistakes(tmp_path, MINIMAL + "taxa: [Viola alba]\nmodel: mobilenet_v2\n")
    assert "line 3: taxa: must be a section with keys, such as target, look_alikes" in message
    assert "line 4: model: 'mobilenet_v2' must be a section with keys, such as backbone, weights" in message


def test_a_job_of_20000_taxa_is_checked_in_a_moment() -> None:
    started = time.process_time()
    taxa = TaxaSettings.model_validate({"look_alikes": [f"Viola s{number}" for number in range(20_000)]})
    found = [taxa.entry_of(f"Viola s{number}") for number in range(20_000)]
    assert found == list(taxa.entries) and taxa.entry_of("Viola t") is None
    assert time.process_time() - started < 5, "not quadratic"


def test_another_file_in_the_place_of_a_job_is_named(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\0")
    with pytest.raises(JobError, match=r"photo\.jpg is not a job file"):
        load_job(tmp_path / "photo.jpg")
