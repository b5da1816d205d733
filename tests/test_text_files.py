"""Texts from files and sets, and what is refused of them in one line."""

import gzip
import importlib.util

import numpy as np
import pytest
import tiny_sets
import tiny_texts
from tiny_texts import loaded

from arn_keras.data.tokens import (
    decode,
)
from arn_keras.errors import ArnError, DataError


def test_files_are_read_and_the_labels_are_numbered_by_name(tmp_path):
    found = loaded(tiny_texts.write(tmp_path))
    assert (len(found.train), len(found.test), found.classes) == (240, 60, 3)
    assert found.train.label[:3].tolist() == [2, 1, 0]  # place, person, number
    assert decode(found.train.source[0], found.vocabulary).startswith("where ")
    assert "0.0% of the test set's words" in found.notes[-1]


def test_of_one_file_a_tenth_is_held_out_and_said_so(tmp_path):
    found = loaded(tiny_texts.write(tmp_path)[:1])
    assert (len(found.train), len(found.test)) == (216, 24)
    assert "24 of 240" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no tab here\n", "line 1: expected a label, a tab and a text"),
        ("a\tone two\n\tthree\n", "line 2: expected a label, a tab and a text"),
        ("a\tone\nb\t   \n", "text 2: expected one word or more"),
        ("a\tone\na\ttwo\n", "expected two labels or more, got a"),
        ("", "expected texts, got none"),
        (b"\xff\xfe", "expected lines of text in UTF-8"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(content, said, tmp_path):
    file = tmp_path / "bad.tsv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as refused:
        loaded([file, file])
    assert "\n" not in str(refused.value)


def test_nobody_is_tested_on_the_texts_that_he_was_trained_on(tmp_path):
    train, _ = tiny_texts.write(tmp_path)
    with pytest.raises(DataError, match="expected other texts to test on"):
        loaded([train, train])


def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path):
    train, test = tiny_texts.write(tmp_path)
    expected, marked = loaded([train, test]), tmp_path / "marked.tsv"
    with gzip.open(train) as file:
        marked.write_bytes(b"\xef\xbb\xbf" + file.read())
    found = loaded([marked, test])
    assert found.label_names == expected.label_names
    np.testing.assert_array_equal(found.train.source, expected.train.source)


def test_damaged_archives_missing_files_and_foreign_test_labels_are_refused(tmp_path):
    damaged = tmp_path / "damaged.tsv.gz"
    damaged.write_bytes(gzip.compress(b"a\tone\n")[:-4])
    for file in (damaged, tmp_path / "none.tsv"):
        with pytest.raises(DataError, match="expected lines of text"):
            loaded([file, file])
    train, test = tiny_texts.write(tmp_path)
    with open(test, "a") as file:
        file.write("weather\tis it raining ?\n")
    with pytest.raises(DataError, match="expected test labels of the training set's, got weather"):
        loaded([train, test])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--length", "1"], "--length: expected at least 2, got 1"),
        (["--vocabulary", "3"], "--vocabulary: expected at least 4, got 3"),
        (["--text", "a", "b", "c"], "--text: expected one or two files, got 3"),
        (["--text", "/none/a.tsv", "/none/b.tsv"], "/none/a.tsv: expected lines of text in UTF-8"),
        (["--dataset", "of/pictures", "--label-feature", "kind"], "of/pictures is not prepared"),
    ],
)
def test_the_command_refuses_what_it_cannot_use_in_one_line(options, said, tmp_path, capsys):
    from arn_keras.run.command import main

    arguments = ["--scenario", "text", *options, "--data-dir", str(tmp_path)]
    try:
        status = main([*arguments, "--run-dir", str(tmp_path / "run")])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_set_without_the_features_that_are_asked_for_says_which_there_are(tmp_path):
    import tensorflow_datasets as tfds

    kinds = {name: tfds.features.ClassLabel(names=["no", "yes"]) for name in ("kind", "other")}
    examples = [{"text": "Who is it ?", "kind": n % 2, "other": 0} for n in range(12)]
    tiny_sets.write_set(
        tmp_path,
        {"train": examples, "test": examples[:6]},
        name="tiny_texts",
        **{"image": None, "label": None, "text": tfds.features.Text(), **kinds},
    )
    how = {"name": "tiny_texts", "data_dir": str(tmp_path), "text": "text", "label": "kind"}
    found = loaded((), **how)
    assert (len(found.train), len(found.test), found.classes) == (12, 6, 2)
    assert decode(found.train.source[0], found.vocabulary) == "who is it ?"
    for option, feature, fitting in (("text", "kind", "text"), ("label", "topic", "kind, other")):
        said = f"expected --{option}-feature to be one of {fitting}, got {feature}"
        with pytest.raises(DataError, match=said):
            loaded((), **{**how, option: feature})


def test_without_sacrebleu_the_scenario_says_what_to_install(monkeypatch):
    from arn_keras.scenario.text import Text

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArnError, match=r"pip install 'arn-keras\[text\]'"):
        Text().dataset("auto", None, None)


def test_figure_1_is_of_pictures_and_refused_for_sentences(tmp_path, capsys):
    from arn_keras.sweep.__main__ import main

    files = tiny_texts.write(tmp_path)
    given = [
        "--scenario",
        "text",
        "--text",
        *files,
        "--figure",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*given, "--out", str(tmp_path / "out")]) == 2
    assert "--figure 1: expected pictures, got tiny" in capsys.readouterr().err
