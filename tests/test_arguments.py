import pathlib

import pytest

from arn_keras.arguments import Parser
from arn_keras.audit import __main__ as audit
from arn_keras.audit import frontier
from arn_keras.run import command
from arn_keras.sweep import __main__ as sweep


@pytest.mark.parametrize(
    ("parse", "words", "field"),
    [
        (command.parse, ["--run-dir=~/x"], "run_dir"),
        (command.parse, ["--data-dir", "~/x"], "data_dir"),
        (sweep.parse, ["--out=~/x"], "out"),
        (sweep.parse, ["--data-dir=~/x"], "data_dir"),
        (audit.parse, ["~/x"], "run_dir"),
        (audit.parse, ["run", "--data-dir=~/x"], "data_dir"),
        (frontier.parse, ["~/x"], "run_dir"),
        (frontier.parse, ["run", "--data-dir=~/x"], "data_dir"),
    ],
)
def test_a_tilde_is_the_home_in_every_path_also_behind_an_equals_sign(
    parse, words, field, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pathlib.Path(getattr(parse(words), field)) == tmp_path / "x"


def test_a_tilde_that_is_nobodys_home_or_not_in_front_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = Parser()
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--name", default="a~b")
    found = parser.parse_args(["--out", "~no-such-user/x"])
    assert found.out == pathlib.Path("~no-such-user/x")
    assert found.name == "a~b"


def test_every_command_reads_its_line_with_this_parser():
    root = pathlib.Path(__file__).parents[1] / "arn_keras"
    own = [file.name for file in root.rglob("*.py") if "ArgumentParser(" in file.read_text()]
    assert own == ["runtime.py"]  # it runs on the device, alone
