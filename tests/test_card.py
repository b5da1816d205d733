"""The model card: what the Hub reads of it, and what it says of an Eve who adapts."""

import yaml

from arn_keras.export.card import card

MANIFEST = {
    "dataset": "digits",
    "pair": "0123456789abcdef",
    "protection": "arn",
    "chance": 0.1125,
    "measure": {"field": "mse"},
    "keras": {"mse": 0.00812, "eve_accuracy": 0.18125},
}
ROWS = [
    {"rung": "Bob", "protection": "arn", "counts": False},
    {"rung": "E0", "protection": "arn", "eve": "frozen", "eve_accuracy": 0.18},
    {"rung": "E3", "protection": "arn", "eve": "fresh", "eve_accuracy": 0.93},
    {"rung": "E3", "protection": "arn", "eve": "fresh again", "eve_accuracy": 0.95},
    {"rung": "E3", "protection": "keyed", "eve": "of the key", "eve_accuracy": 0.99},
    {"rung": "E8", "protection": "arn", "eve": "reuse", "eve_accuracy": 0.97, "counts": False},
]


def _read(text):
    """(front matter, the rest) as the Hub takes it: YAML between two lines of dashes."""
    start, front, rest = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), rest


def test_the_front_matter_has_what_the_hub_asks_for_and_the_figures_of_the_proof():
    front, rest = _read(card(MANIFEST, "# Modules\n", "nothing"))
    assert (front["library_name"], front["license"]) == ("keras", "apache-2.0")
    assert front["datasets"] == ["digits"]
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert result["dataset"] == {"name": "digits", "type": "digits"}
    values = {each["type"]: each["value"] for each in result["metrics"]}
    assert values == {"mse": 0.00812, "accuracy": 0.18125}
    assert sorted(front["metrics"]) == sorted(values)
    assert rest.strip().startswith("# Modules")


def test_an_audited_pair_says_the_best_eve_of_each_rung_against_it_and_no_other():
    _, rest = _read(card(MANIFEST, "", "known", {"effort": "full", "rows": ROWS}))
    lines = [line for line in rest.splitlines() if line.startswith("| E")]
    assert lines == ["| E0 | frozen | 18.0% |", "| E3 | fresh again | 95.0% |"]
    assert "full effort" in rest
    assert "known" not in rest


def test_a_pair_that_was_not_audited_says_so_and_what_is_known_of_its_kind():
    for audit in (None, {"effort": "full", "rows": ROWS[-2:-1]}):
        _, rest = _read(card(MANIFEST, "", "she is not kept out", audit))
        assert "No Eve who adapts was measured" in rest
        assert "she is not kept out" in rest
        assert "| E" not in rest
