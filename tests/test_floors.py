"""The floors of the house: a module imports only from floors below its own."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FLOORS = {
    0: "errors arguments config power backend rundir rows privacy symbols engines",
    1: "semantic arn channel eavesdropper fgsm batches checkpoint cache prepared decoding "
    "leakage keyed grid cost",
    2: "losses system link data larger_eavesdroppers protection baselines",
    3: "semantic_link eavesdropper_link secure_link evaluation litert curves",
    4: "stages figures",
    5: "job points wiretap effort audit_checks audit_report audit_figures",
    6: "cli study frozen_rungs",
    7: "sweep fresh_rungs keyed_rungs",
    8: "ladder",
    9: "audit",
}
FLOOR = {module: floor for floor, names in FLOORS.items() for module in names.split()}
MODULES = sorted(path.stem for path in (ROOT / "arn_keras").glob("[!_]*.py"))


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arn_keras"):
            names = [node.module.partition(".")[2]]
            yield from names if names[0] else (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("arn_keras."):
                    yield alias.name.partition(".")[2]


def test_every_module_has_a_floor_and_every_floor_its_modules():
    assert sorted(FLOOR) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    for name in _imported(ROOT / "arn_keras" / f"{module}.py"):
        below = FLOOR[name] < FLOOR[module]
        base = FLOOR[module] == 0 and name == "errors"
        assert below or base, f"{module} (floor {FLOOR[module]}) imports {name}"


def test_every_module_opens_with_a_docstring_and_stays_one_idea_long():
    for path in (ROOT / "arn_keras").glob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path.name
        assert len(path.read_text().splitlines()) <= 260, path.name
