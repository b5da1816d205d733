"""The pages: tables from rows, every public name with what it takes, the README short."""

import ast
import inspect
import pathlib
import re

import pytest

import arn_keras
from arn_keras.run.config import Config
from docs.tables import __main__ as tables
from docs.tables import black_box, exported, letter, rows, taken

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


def test_every_table_of_a_page_is_what_its_rows_say():
    told = [
        name
        for page in tables.PAGES
        for name in re.findall(r"<!-- table: ([^>]+) -->", page.read_text())
    ]
    assert sorted(told) == sorted(tables.TABLES)
    for page in tables.PAGES:
        assert page.read_text() == tables.written(page.read_text()), (
            f"python -m docs.tables: {page}"
        )


def test_a_table_is_means_and_deviations_of_its_rows():
    found = rows.groups("letter-mnist")["paired", "white"]
    mse = [row["mse"] for row in found]
    middle = sum(mse) / 3
    deviation = (sum((each - middle) ** 2 for each in mse) / 2) ** 0.5
    (line,) = (
        line for line in letter.full("letter-mnist").splitlines() if "both modules | white" in line
    )
    assert f"| {middle:.5f} ± {deviation:.5f} |" in line
    assert sorted(row["seed"] for row in found) == [0, 1, 2]


def test_the_ensembles_table_is_of_pairs_before_eves_that_they_never_met():
    pairs = [row for row in rows.saved("ensemble-mnist") if row["case"] == "paired"]
    assert {row["eve"] for row in pairs} == {"frozen", "frozen_wide", "frozen_conv"}
    shares = [row["eve_accuracy"] for row in pairs]
    (line,) = (each for each in black_box.ensemble("ensemble-mnist").splitlines() if "**" in each)
    assert f"| {sum(shares) / len(shares):.3f} ± " in line
    first = sum(row["eve_accuracy"] for row in pairs if row["seed"] == 0) / 3
    assert f"| {first:.3f}, " in line


def test_the_table_of_exported_modules_is_of_one_precision_at_both_ends_of_every_seed():
    found = rows.groups("exported-mnist", ("transmitter", "receiver"))
    assert set(found) == {(kind, kind) for kind in ("float32", "float16", "int8")}
    assert all([row["seed"] for row in those] == [0, 1, 2] for those in found.values())
    lines = exported.exported("exported-mnist").splitlines()
    first = found["int8", "int8"][0]
    assert f"| {100 * first['mse_change']:+.3f}%, " in lines[-1]
    assert f"{first['bytes'][0]:,} + {first['bytes'][1]:,} |" in lines[-1]


def test_what_the_readme_says_of_the_digits_holds_for_every_seed_of_the_rows():
    found = rows.groups("digits")
    plain, pairs = found["original", None], found["paired", "white"]
    assert [row["seed"] for row in pairs] == [0, 1, 2, 3, 4]
    for row, without in zip(pairs, plain, strict=True):
        assert without["eve_accuracy"] > 0.95
        assert 0.18 <= row["eve_accuracy"] <= 0.245
        assert 1.035 <= row["mse"] / without["mse"] <= 1.095
        assert row["measured_psr_db"] <= row["psr_db"] == Config().resolve("digits", 1437).psr_db


def test_rows_of_finished_runs_are_taken_as_they_are(tmp_path, monkeypatch):
    for module in (rows, taken):
        monkeypatch.setattr(module, "ROWS", tmp_path)
    monkeypatch.setattr(tables, "PAGES", [tmp_path / "page.md"])
    monkeypatch.setitem(tables.TABLES, "mine", lambda: letter.short("mine"))
    (tmp_path / "page.md").write_text("a\n<!-- table: mine -->\nold\n<!-- end -->\nb\n")
    (tmp_path / "results.json").write_text(
        '[{"case": "original", "knowledge": null, "mse": 0.5, "eve_accuracy": 0.9}]'
    )
    tables.main(["--take", "mine", str(tmp_path)])
    page = (tmp_path / "page.md").read_text()
    assert "| original link, no modules | 0.5000 | 0.900 | - |" in page
    assert "old" not in page
    assert page.endswith("<!-- end -->\nb\n")


def test_the_readme_leaves_the_rest_to_the_site():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_page_is_in_the_sites_contents():
    index = (DOCS / "index.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.stem == "index" or f"\n{page.stem}\n" in index, page.name


def test_every_public_name_is_on_its_page_and_says_what_it_takes():
    page = (DOCS / "api.md").read_text()
    told = set(re.findall(r"auto\w+:: arn_keras\.(\w+)\n", page))
    assert told == set(arn_keras.__all__) - {"audit", "export"}
    for name in told:
        thing = getattr(arn_keras, name)
        said = inspect.getdoc(thing)
        assert len(said) > 40, name
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        asks = thing.__init__ if inspect.isclass(thing) else thing
        parameters = [
            each.name
            for each in inspect.signature(asks).parameters.values()
            if each.name != "self" and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        ]
        for parameter in parameters:
            assert re.search(rf"\b{parameter}\b", said), f"{name}: {parameter}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_prose_and_code_and_asserts_its_claim(path):
    text = path.read_text()
    assert 30 <= len(text.splitlines()) <= 100
    assert len(re.findall(r"^# %%$", text, re.MULTILINE)) >= 2
    assert "plt.show()" in text
    title = ast.get_docstring(ast.parse(text)).splitlines()
    assert title[1] == "=" * len(title[0])
    claims = text[text.rindex("# Does it hold?") :]
    assert re.search(r"^ *assert ", claims, re.MULTILINE)


def test_type_checkers_see_every_public_name_where_it_is():
    tree = ast.parse((ROOT / "arn_keras" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: node.module.removeprefix("arn_keras.")
        for node in block.body
        for alias in node.names
    }
    rooms = {"audit": "audit.conduct", "export": "export.bundle"}
    assert seen == {**arn_keras._HOMES, **rooms}
