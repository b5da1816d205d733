"""The floors of the house: a folder imports only from folders on floors below its own."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "arn_keras"
FLOORS = [
    "errors registration",
    "rooms backend",
    "power iq pulse palette counts arguments machine",
    "data",
    "channel link loss",
    "pair",
    "system eve task",
    "scenario",
    "training measure",
    "figures",
    "run",
    "sweep audit",
    "export",
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
PATHS = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imported(path):
    """Rooms that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            yield node.module
        elif isinstance(node, ast.ImportFrom) and node.module == "arn_keras":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arn_keras."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name[:10] == "arn_keras.")


def test_every_room_is_on_a_floor():
    assert {_room(path) for path in PATHS} == FLOOR.keys()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    room = _room(path)
    for name in _imported(path):
        assert name == room or FLOOR[name] < FLOOR[room], f"{room} imports {name}"


def test_every_module_opens_with_a_docstring_and_stays_one_idea_long():
    for path in PATHS:
        assert ast.get_docstring(ast.parse(path.read_text())), path.name
        on_the_device = path.name in ("runtime.py",)  # one file, so that a device copies one file
        assert on_the_device or len(path.read_text().splitlines()) <= 260, path.name
