import matplotlib.image
import numpy as np
import pytest

from arn_keras.audit.checks import CHECKS, warnings
from arn_keras.audit.picture import audit_picture
from arn_keras.audit.report import headline, report
from arn_keras.measure.guessing import difference_limit
from arn_keras.task.image import IMAGE


def _row(rung, protection, accuracy, leakage=1.0, seed=0, **more):
    return {
        "rung": rung,
        "protection": protection,
        "is_keyed": protection == "keyed",
        "eve": "eve",
        "eve_accuracy": accuracy,
        "leakage_nats": leakage,
        "seed": seed,
        "counts": True,
        "majority_rate": 0.1,
        "sources": 100,
        "curve": [],
        **more,
    }


def _bob(protection, psr_db=None, spread=0.0):
    return {
        "rung": "Bob",
        "protection": protection,
        "is_keyed": protection == "keyed",
        "seed": 0,
        "mse": 0.01,
        "sent_power": 1.0,
        "measured_psr_db": psr_db,
        "norm_spread": spread,
        "counts": False,
        "majority_rate": 0.1,
        "sources": 100,
    }


SOUND = (
    _bob("none"),
    _row("E0", "none", 0.95),
    _row("E3", "none", 0.96),
    _row("E4", "none", 0.97),
    _bob("arn", -10.1, 0.2),
    _row("E0", "arn", 0.2),
    _row("E3", "arn", 0.94),
    _row("E4", "arn", 0.96),
    _row("E0", "planted", 0.95),
    _row("E3", "planted", 0.955),
    _row("E7 planted norm", "planted", 0.3),
    _bob("keyed", 3.0, 1e-6),
    _row("E3", "keyed", 0.11, 0.001),
    _row("E8", "keyed", 0.9, 2.0, counts=False, messages=64)
    | {"eve": "known plaintext, key reused"},
)


def _replace(rung, protection, **fields):
    return [
        row | fields if (row["rung"], row["protection"]) == (rung, protection) else row
        for row in SOUND
    ]


def _of(rows, sources):
    """The same rows of another test set."""
    return [row | {"sources": sources} for row in rows]


def test_a_sound_ladder_raises_nothing():
    assert warnings(SOUND, -10.0) == []
    assert warnings(_of(SOUND, 10_000), -10.0) == []


@pytest.mark.parametrize(
    ("rows", "check", "detail"),
    [
        (_replace("E0", "none", eve_accuracy=0.919), "clean Eve too weak", "0.919, the best 0.970"),
        (
            _replace("E4", "arn", eve_accuracy=0.909),
            "weaker than what it contains",
            "arn: E4 0.909",
        ),
        (_replace("E3", "arn", eve_accuracy=0.1), "weaker than what it contains", "arn: E3 0.100"),
        (_replace("Bob", "arn", measured_psr_db=-9.8), "over budget", "-9.80 dB, budget -10 dB"),
        (_replace("E3", "planted", eve_accuracy=0.929), "planted leak not found", "E3: 0.929"),
        (
            _replace("E7 planted norm", "planted", eve_accuracy=0.149),
            "planted leak not found",
            "E7 planted norm: 0.149, expected 0.150",
        ),
        (
            _replace("E8", "keyed", eve_accuracy=0.299),
            "planted leak not found",
            "known plaintext, key reused 0.299",
        ),
        (_replace("Bob", "keyed", norm_spread=0.01), "norm not constant", "keyed: 1.00%"),
    ],
)
def test_each_doubt_is_raised_when_it_should_be_and_says_why_and_what_to_do(rows, check, detail):
    found = [each for each in warnings(_of(rows, 10_000), -10.0) if each["check"] == check]
    assert len(found) == 1
    assert detail in found[0]["detail"]
    assert (found[0]["raised_if"], found[0]["why"], found[0]["do"]) == CHECKS[check]


@pytest.mark.parametrize(
    ("rung", "protection", "least"),
    # 5 points below the best Eve of all, 3 below the one whose means she has: more than luck here.
    [("E0", "none", 0.92), ("E4", "arn", 0.91), ("E3", "planted", 0.93)],
)
def test_what_large_test_sets_refuse_and_no_less_is_allowed(rung, protection, least):
    for below, raised in ((-0.001, False), (0.001, True)):
        rows = _of(_replace(rung, protection, eve_accuracy=least - below), 10_000)
        assert bool(warnings(rows, -10.0)) == raised


def test_equal_eves_on_a_small_test_set_raise_no_doubt_by_luck():
    generator, raised, sources = np.random.default_rng(0), 0, 360
    for _ in range(300):
        hits = generator.binomial(sources, 0.9, len(SOUND)) / sources
        rows = [
            row if row["rung"] in ("Bob", "E7 planted norm", "E8") else row | {"eve_accuracy": hit}
            for row, hit in zip(SOUND, hits, strict=True)
        ]
        raised += bool(warnings(_of(rows, sources), -10.0))
    assert raised <= 0.01 * 300 + 3


def test_the_limit_of_a_difference_is_bernsteins_and_holds_where_it_is_tried():
    # v = 0.2, L = ln 100: sqrt(2 x 0.2 x 4.60517 / 360) + 2 x 4.60517 / 1080
    assert difference_limit(0.9, 0.9, 360) == pytest.approx(0.0715327 + 0.0085281, rel=1e-4)
    assert difference_limit(0.9, 0.9, 360, looks=10) > difference_limit(0.9, 0.9, 360)
    assert difference_limit(0.01, 0.01, 360) < difference_limit(0.9, 0.9, 360)
    generator = np.random.default_rng(1)
    one, other = generator.binomial(360, 0.9, (2, 20_000)) / 360
    limits = [difference_limit(a, b, 360) for a, b in zip(one, other, strict=True)]
    assert np.mean(other - one > limits) < 0.01


def test_a_lucky_guess_is_no_planted_leak_that_was_found():
    lucky = _replace("E7 planted norm", "planted", eve_accuracy=0.16)
    assert warnings(_of(lucky, 10_000), -10.0) == []
    found = warnings(_of(lucky, 100), -10.0)  # luck alone gives 0.18 of 100
    assert [each["check"] for each in found] == ["planted leak not found"]


def test_the_headline_is_the_worst_case_never_the_mean_and_leaves_out_broken_rules():
    rows = [*SOUND, _row("E3", "keyed", 0.115, 0.004, seed=1)]
    worst = headline(rows)
    assert worst["arn"]["eve_accuracy"] == 0.96
    assert worst["keyed"]["eve_accuracy"] == 0.115
    assert worst["keyed"]["worst_leakage_nats"] == 0.004
    assert list(worst) == ["none", "arn", "keyed"]


def _audit(rows, doubts=()):
    return {
        "rows": rows,
        "headline": headline(rows),
        "warnings": list(doubts),
        "dataset": "mnist",
        "measure": IMAGE.measures[0]._asdict(),
        "snr_db": 10.0,
        "psr_db": -10.0,
        "entropy_nats": 2.3,
        "command": "python -m arn_keras.audit run",
        "effort": "quick",
        "seeds": [0],
        "seconds": 60.0,
    }


def test_the_report_gives_the_worst_case_a_verdict_and_every_doubt():
    rows = _replace("E4", "arn", eve_accuracy=0.6)
    text = report(_audit(rows, warnings(rows, -10.0)))
    assert "| arn | 0.01000 | 1.0000 | 20.0% | **94.0%** | E3 eve | 1.000 |" in text
    assert "`arn`: Eve is 84.0 points above guessing: not secrecy." in text
    assert "`keyed`: no Eve of this ladder does better than guessing." in text
    # One look at 100 sources: P(Bin(100, 0.1) > 18) = 0.5 %, > 17) = 1.0 %; ln(36 / 0.01) / 100.
    luck = "Luck stays below 18.0% and 0.0819 nats in 99% of ladders of 1 looks at 100 sources."
    assert f"`keyed`: no Eve of this ladder does better than guessing. {luck}" in text
    leaks = report(_audit(_replace("E3", "keyed", leakage_nats=0.0825)))
    assert "`keyed`: Eve can use 0.0825 nats of the label: not secrecy." in leaks
    assert "**weaker than what it contains**: arn: E4 0.600, E3 0.940" in text
    assert "| keyed | known plaintext, key reused | 64 | 90.0% |" in text
    assert "None: every self-check passed" in report(_audit(list(SOUND)))


def test_a_mean_of_the_report_is_bobs_over_the_seeds():
    other = [{**row, "seed": 1, "mse": 0.05, "sent_power": 1.5} for row in SOUND]
    bob = [row for row in other if row["rung"] == "Bob"]
    text = report(_audit([*SOUND, *bob]))
    assert "| arn | 0.03000 | 1.2500 |" in text


def test_every_table_of_the_report_is_one():
    text = report(_audit(list(SOUND)))
    tables = [part.split("\n") for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) >= 2
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1, lines
        assert set(lines[1]) == {"|", "-"}
    assert "![Ladder, convergence, recordings](audit.png)" in text
    (of_e3,) = (line for line in text.splitlines() if line.startswith("| E3 "))
    assert of_e3.endswith("| 96.0% (1.00) | 94.0% (1.00) | 11.0% (0.00) |")
    (of_e4,) = (line for line in text.splitlines() if line.startswith("| E4 "))
    assert of_e4.endswith("| 97.0% (1.00) | 96.0% (1.00) | - |")


def test_the_figure_is_drawn_from_rows_alone(tmp_path):
    curve = [[1, 0.5, 1.0], [2, 0.9, 0.3]]
    rows = _replace("E3", "arn", curve=curve, recordings=100, eve="fresh")
    rows = [row | {"curve": curve} if row["rung"] == "E3" else row for row in rows]
    audit_picture(tmp_path / "audit.png", rows, "title")
    picture = matplotlib.image.imread(tmp_path / "audit.png")[..., :3]
    orange = np.array((0xD5, 0x5E, 0x00)) / 255
    assert np.sum(np.all(np.abs(picture - orange) < 0.02, axis=-1)) > 50
