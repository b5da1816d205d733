import json

import pytest

from arn_keras.errors import RunDirError
from arn_keras.measure import sweep_rows
from arn_keras.measure.sweep_rows import SweepRows, key, read_rows


def row(**fields):
    base = dict.fromkeys(sweep_rows.KEY)
    return {**base, "dataset": "digits", "seed": 0, "training_snr_db": [0.0, 10.0], **fields}


def keyed(*rows):
    return {key(each): each for each in rows}


def opened(path, configuration="c", said=None):
    return SweepRows(path, configuration, (said if said is not None else []).append)


def lines(*rows):
    return "".join(json.dumps({**each, "configuration": "c"}) + "\n" for each in rows)


def test_rows_come_back_as_they_were_added_and_are_exported_a_line_each(tmp_path):
    file = opened(tmp_path)
    file.add(keyed(row(mse=0.1), row(seed=1, mse=0.2)))
    file.add(keyed(row(seed=2, mse=0.3)))
    assert not (tmp_path / "rows.jsonl").exists()
    file.export()
    expected = [row(mse=0.1), row(seed=1, mse=0.2), row(seed=2, mse=0.3)]
    assert (tmp_path / "rows.jsonl").read_text() == lines(*expected)
    found = read_rows(tmp_path)
    assert list(found) == [key(each) for each in expected]
    assert list(found.values()) == [{**each, "configuration": "c"} for each in expected]
    assert key(row(seed=1)) in opened(tmp_path)
    assert key(row(seed=3)) not in opened(tmp_path)


def test_rows_of_other_fields_are_kept_under_the_key_that_the_caller_gives(tmp_path):
    other = {"scenario": "text", "seed": 0, "cases": ["a", "b"], "bleu": 0.5}
    fields = ("scenario", "seed", "cases")
    assert key(other, fields) == ("text", 0, ("a", "b"))
    opened(tmp_path).add({key(other, fields): other})
    assert ("text", 0, ("a", "b")) in opened(tmp_path)


def test_rows_of_before_there_was_a_journal_are_taken_over_with_a_line(tmp_path):
    path, said = tmp_path / "rows.jsonl", []
    path.write_text(lines(row(), row(seed=1)) + '{"dataset": "dig')
    assert list(read_rows(tmp_path)) == [key(row()), key(row(seed=1))]
    assert not (tmp_path / "rows.sqlite").exists()
    file = opened(tmp_path, said=said)
    assert said == [
        f"note: {path}: 2 rows are taken over into rows.sqlite, without its torn last line"
    ]
    path.write_text("damaged")  # from now on it is only put out
    assert list(read_rows(tmp_path)) == [key(row()), key(row(seed=1))]
    file.add(keyed(row(seed=2)))
    opened(tmp_path, said=said).export()
    assert len(said) == 1
    assert path.read_text() == lines(row(), row(seed=1), row(seed=2))


def test_an_earlier_file_with_a_row_twice_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_text(lines(row(), row()))
    with pytest.raises(RunDirError, match="line 2 is a row that is there already"):
        opened(tmp_path)
    assert not (tmp_path / "rows.sqlite").exists()


@pytest.mark.parametrize("damage", ["{}\n", "[1]\n", "noise\n", "\n", "7\n"])
def test_a_damaged_line_in_an_earlier_file_is_an_error_that_names_it(tmp_path, damage):
    (tmp_path / "rows.jsonl").write_text(lines(row()) + damage + lines(row(seed=1)))
    with pytest.raises(RunDirError, match="expected a row in line 2"):
        opened(tmp_path)
    assert not (tmp_path / "rows.sqlite").exists()


@pytest.mark.parametrize("of", ["rows.sqlite", "rows.jsonl"])
def test_rows_of_another_configuration_are_refused(tmp_path, of):
    opened(tmp_path, "one").add(keyed(row()))
    if of == "rows.jsonl":
        opened(tmp_path, "one").export()
        (tmp_path / "rows.sqlite").unlink()
    with pytest.raises(RunDirError, match=rf"{of}: row 1 .* \(one, expected two\)"):
        opened(tmp_path, "two")


def test_the_key_of_a_row_does_not_change_by_being_written():
    made = row(psr_db=-10.0)
    assert key(json.loads(json.dumps(made))) == key(made)
