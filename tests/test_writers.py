"""Task and private attribute differ: digits, and who wrote them."""

import numpy as np
import pytest
from wiretaps import TINY

from arn_keras.audit import __main__ as audit
from arn_keras.audit import effort, ladder, picture
from arn_keras.audit.bob import answer_alone
from arn_keras.data import images
from arn_keras.data.attribute import with_attribute
from arn_keras.data.dataset import Dataset, Split
from arn_keras.errors import ConfigError, DataError
from arn_keras.machine.files import read_json
from arn_keras.run import command
from arn_keras.run.command import parse
from arn_keras.scenario.writers import Writers


@pytest.fixture(scope="module")
def digits():
    return images.load("digits")


@pytest.fixture
def files(digits, tmp_path):
    """Attributes of the digits: whether a picture is in an odd row."""
    paths = []
    for name, split in (("train", digits.train), ("test", digits.test)):
        paths.append(tmp_path / f"{name}.npz")
        write(paths[-1], split.label, np.arange(len(split)) % 2)
    return paths


def write(path, digit, attribute, name="student"):
    np.savez(path, digit=digit, **{name: attribute})


def test_eve_wants_the_attribute_and_bob_the_digit(digits, files):
    found = with_attribute(digits, files, "student")
    np.testing.assert_array_equal(found.train.target, digits.train.label)
    np.testing.assert_array_equal(found.test.label, np.arange(len(digits.test)) % 2)
    assert found.classes == 2
    assert found.train.source is digits.train.source


def test_a_limit_takes_the_first_rows_of_both(files):
    found = with_attribute(images.load("digits", limit=100), files, "student")
    np.testing.assert_array_equal(found.train.label, np.arange(100) % 2)


def test_known_writers_are_tested_on_every_tenth_training_source_and_numbered_from_zero(
    digits, files
):
    writer = 7 + 3 * (np.arange(len(digits.train)) % 5)
    write(files[0], digits.train.label, writer, "writer")
    write(files[1], digits.test.label, np.full(len(digits.test), 99), "writer")
    found = with_attribute(digits, files, "writer", known=True)
    held_out = np.arange(len(writer)) % 10 == 9
    assert found.classes == 5
    np.testing.assert_array_equal(found.test.label, (writer[held_out] - 7) // 3)
    np.testing.assert_array_equal(found.train.label, (writer[~held_out] - 7) // 3)
    np.testing.assert_array_equal(found.test.target, digits.train.label[held_out])
    np.testing.assert_array_equal(found.test.source, digits.train.source[held_out])
    with pytest.raises(DataError, match="got 1 others: of who is in one split alone, take --known"):
        with_attribute(digits, files, "writer")


def test_who_knows_the_answer_alone_is_the_bound(digits):
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    answers = np.array([0, 0, 0, 0, 1, 1, 1, 1])  # 0 says label 0 in 3 of 4, 1 says 1 in 3 of 4
    split = Split(np.zeros((8, 1)), labels, answers)
    bound = answer_alone(Dataset("tiny", split, split, 2))
    assert bound["answer_accuracy"] == 0.75
    share = np.array([0.75, 0.25])
    nats = np.log(2) + np.sum(share * np.log(share))  # H(label) - H(label | answer)
    assert bound["answer_leakage_nats"] == pytest.approx(nats, abs=1e-3)
    assert answer_alone(digits) == {}


def test_the_scenario_has_the_digits_as_its_task(files):
    scenario = Writers(writers=tuple(map(str, files)))
    found = scenario.dataset("digits", None, None)
    assert scenario.task(found) == "label"
    assert scenario.identity()["writers"] != list(map(str, files))  # by content


def test_attributes_that_are_not_of_the_sources_one_by_one_are_refused(digits, files):
    digit = np.array(digits.test.label)
    digit[[3, 5]] = (digit[[3, 5]] + 1) % 10
    write(files[1], digit, np.zeros(len(digit), int))
    with pytest.raises(DataError, match="one by one, got 2 others, the first in row 3"):
        with_attribute(digits, files, "student")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"digit": np.zeros(3, int)}, "found no student"),
        ({"student": np.zeros(3, int)}, "found no digit"),
        ({"digit": np.zeros(3, int), "student": np.zeros(3, int)}, "expected 360 rows.*got 3"),
        ({"digit": np.zeros(3, int), "student": np.zeros(2, int)}, "expected 3 rows of student"),
        ({"digit": np.zeros(3, int), "student": np.zeros(3)}, "expected integers .n. in student"),
        ({"digit": np.zeros(3, int), "student": np.full(3, -1)}, "student from 0 to .*, got -1"),
    ],
)
def test_a_file_of_attributes_that_cannot_be_used_is_refused_in_one_line(
    digits, files, arrays, message
):
    np.savez(files[1], **arrays)
    with pytest.raises(DataError, match=message) as caught:
        with_attribute(digits, files, "student")
    assert "\n" not in str(caught.value)


def test_what_is_no_archive_is_refused(digits, files):
    files[0].write_text("no archive")
    with pytest.raises(DataError, match=r"expected an \.npz file"):
        with_attribute(digits, files, "student")


def test_an_attribute_of_one_value_is_refused(digits, files):
    for path, split in zip(files, (digits.train, digits.test), strict=True):
        write(path, split.label, np.zeros(len(split), int))
    with pytest.raises(DataError, match="two values of student or more"):
        with_attribute(digits, files, "student")


def test_the_scenario_without_its_files_ends_with_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--scenario", "writers"])
    assert caught.value.code == 2
    assert "expected --writers TRAIN.npz TEST.npz" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(ConfigError, match="expected a readable file"):
        Writers(writers=("/none/a.npz", "/none/b.npz")).identity()


def test_a_run_is_trained_measured_and_audited_and_trains_the_pairs_it_lacks(
    files, tmp_path, capsys, monkeypatch
):
    run = tmp_path / "run"
    epochs = [word for stage in ("link-", "eve-", "") for word in (f"--{stage}epochs", "2")]
    arguments = ["--scenario", "writers", "--writers", *map(str, files), "--dataset", "digits"]
    arguments += [*epochs, "--limit", "200", "--no-export", "--run-dir", str(run)]
    assert command.main([*arguments, "--protection", "purge"]) == 0
    rows = read_json(run / "results.json")
    assert [(row["case"], row["protection"]) for row in rows] == [
        ("original", "none"),
        ("transmitter_only", "purge"),
        ("paired", "purge"),
    ]
    assert rows[1]["accuracy"] == rows[2]["accuracy"]  # Bob's module is the identity
    assert {row["psr_db"] for row in rows} == {None}  # the purge knows no budget
    assert not (run / "arn").exists()

    monkeypatch.setattr(picture, "audit_picture", lambda path, *_: path.touch())
    monkeypatch.setattr(effort, "QUICK", TINY)
    monkeypatch.setattr(ladder, "RUNGS", {rung: ladder.RUNGS[rung] for rung in ("E0", "E5")})
    assert audit.main([str(run), "--quick", "--protection", "arn", "purge"]) == 0
    assert "arn/white: training, 2 epochs" in capsys.readouterr().out
    found = read_json(run / "audit" / "audit.json")
    assert {row["protection"] for row in found["rows"]} == {"none", "arn", "purge", "planted"}
    assert "over budget" not in {each["check"] for each in found["warnings"]}
    assert "Bob's true answer alone names" in (run / "audit" / "report.md").read_text()
