"""The floors of the house: a module imports only from floors below its own."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FLOORS = {
    0: "errors arguments config power backend rundir rows privacy symbols message_number",
    1: "semantic arn channel eavesdropper fgsm batches devices optimizer checkpoint cache "
    "prepared decoding keyed keys",
    2: "losses system link data protection",
    3: "semantic_link eavesdropper_link secure_link evaluation litert curves",
    4: "stages figures min_max_link",
    5: "job",
    6: "cli",
    # The sweep's wing and the audit's stand beside the main job, and know nothing of each other.
    7: "sweep.grid sweep.engines sweep.baselines audit.leakage audit.larger_eavesdroppers "
    "audit.structural_eavesdropper",
    8: "sweep.cost sweep.points audit.wiretap audit.effort audit.checks audit.report audit.picture",
    9: "sweep.study audit.frozen_rungs",
    10: "sweep.__main__ audit.fresh_rungs audit.keyed_rungs",
    11: "audit.ladder",
    12: "audit.__main__ audit.trade",
    13: "audit.frontier",
}
FLOOR = {module: floor for floor, names in FLOORS.items() for module in names.split()}
PACKAGE = ROOT / "arn_keras"
PATHS = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}
WINGS = {"sweep", "audit"}


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:  # only beside one another
            yield node.module
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arn_keras"):
            inside = node.module.partition(".")[2]
            if inside in {"", *WINGS}:
                prefix = inside + "." if inside else ""
                yield from (prefix + alias.name for alias in node.names)
            else:
                yield inside
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("arn_keras."):
                    yield alias.name.partition(".")[2]


def test_every_module_has_a_floor_and_every_floor_its_modules():
    assert sorted(FLOOR) == sorted(PATHS)


@pytest.mark.parametrize("module", PATHS)
def test_imports_go_down(module):
    for name in _imported(PATHS[module]):
        below = FLOOR[name] < FLOOR[module]
        base = FLOOR[module] == 0 and name == "errors"
        assert below or base, f"{module} (floor {FLOOR[module]}) imports {name}"
        wings = {each.partition(".")[0] for each in (module, name)} & WINGS
        assert len(wings) < 2, f"{module} imports {name} of the other wing"


def test_every_module_opens_with_a_docstring_and_stays_one_idea_long():
    for path in PACKAGE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path.name
        assert len(path.read_text().splitlines()) <= 260, path.name
