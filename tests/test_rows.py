import json

import pytest

from arn_keras.errors import RunDirError
from arn_keras.measure import journal as rows


def row(**fields):
    base = dict.fromkeys(rows.KEY)
    return {**base, "dataset": "digits", "seed": 0, "training_snr_db": [0.0, 10.0], **fields}


def opened(path, configuration="c", said=None):
    return rows.RowsFile(path, configuration, (said if said is not None else []).append)


def test_rows_come_back_as_they_were_appended(tmp_path):
    file = opened(tmp_path / "rows.jsonl")
    file.append([row(mse=0.1), row(seed=1, mse=0.2)])
    file.append([row(seed=2, mse=0.3)])
    found, torn = rows.read(tmp_path / "rows.jsonl")
    assert [r["mse"] for r in found] == [0.1, 0.2, 0.3]
    assert torn == b""
    assert opened(tmp_path / "rows.jsonl").keys == {rows.key(row(seed=s)) for s in (0, 1, 2)}


def test_a_torn_last_line_is_set_aside_and_said_and_nothing_else_is_lost(tmp_path):
    path = tmp_path / "rows.jsonl"
    file = opened(path)
    file.append([row(), row(seed=1)])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    said = []
    again = opened(path, said=said)
    assert len(again.keys) == 2
    assert path.read_bytes() == whole
    assert (tmp_path / "rows.jsonl.torn").read_bytes() == whole[:50] + b"\n"
    assert said == [f"note: {path}: the torn last line is set aside in rows.jsonl.torn"]
    again.append([row(seed=2)])
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", range(1, 120, 17))
def test_wherever_a_kill_cuts_the_file_the_whole_lines_stay(tmp_path, cut):
    path = tmp_path / "rows.jsonl"
    file = opened(path)
    file.append([row(seed=s) for s in range(3)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    left = len(opened(path).keys)
    assert left == whole[:-cut].count(b"\n")
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:left])


def test_a_row_is_never_there_twice(tmp_path):
    path = tmp_path / "rows.jsonl"
    file = opened(path)
    file.append([row()])
    with pytest.raises(ValueError, match="again"):
        file.append([row(seed=1), row()])
    with pytest.raises(ValueError, match="again"):
        file.append([row(seed=1), row(seed=1)])
    assert len(path.read_text().splitlines()) == 1
    path.write_text(path.read_text() * 2)
    with pytest.raises(RunDirError, match="line 2 is the row of line 1 again"):
        rows.read(path)


def test_rows_of_another_configuration_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    opened(path, "one").append([row()])
    with pytest.raises(RunDirError, match=r"line 1 .* another configuration \(one, expected two\)"):
        opened(path, "two")


@pytest.mark.parametrize("damage", [b"{}\n", b"[1]\n", b"noise\n", b"\xff\n", b"\n", b"7\n"])
def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path, damage):
    path = tmp_path / "rows.jsonl"
    opened(path).append([row()])
    path.write_bytes(path.read_bytes() + damage + path.read_bytes())
    with pytest.raises(RunDirError, match="expected a row in line 2"):
        rows.read(path)


def test_what_no_json_reader_knows_is_not_written(tmp_path):
    file = opened(tmp_path / "rows.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        file.append([row(mse=float("nan"))])
    assert not (tmp_path / "rows.jsonl").exists()


def test_the_key_of_a_row_does_not_change_by_being_written():
    made = row(psr_db=-10.0)
    assert rows.key(json.loads(json.dumps(made))) == rows.key(made)
