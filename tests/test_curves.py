import matplotlib.image
import numpy as np
import pytest

from arn_keras.figures import curves
from arn_keras.task.task import Measure

MSE = Measure("mse", "Bob MSE", ".5f", better="lower", log=True)


def row(case, x, seed=0, *, axis="snr_db", knowledge=None, training=None, mse=0.01, accuracy=0.5):
    other = {"snr_db": "psr_db", "psr_db": "snr_db"}[axis]
    fixed = None if case == "original" and other == "psr_db" else -10.0
    return {
        "case": case,
        "knowledge": knowledge,
        "black_box": "single" if knowledge == "black" else None,
        "training_snr_db": training,
        axis: x,
        other: fixed,
        "seed": seed,
        "mse": mse,
        "eve_accuracy": accuracy,
    }


def test_the_band_is_the_spread_and_the_line_the_mean_over_seeds():
    rows = [row("original", 0.0, s, accuracy=a) for s, a in enumerate((0.2, 0.4, 0.9))]
    rows += [row("original", -5.0, 0, accuracy=0.1)]
    x, mean, low, high = curves._statistics(rows, "snr_db", "eve_accuracy")
    assert x == [-5.0, 0.0]
    np.testing.assert_allclose(mean, [0.1, 0.5])
    np.testing.assert_allclose(low, [0.1, 0.2])
    np.testing.assert_allclose(high, [0.1, 0.9])


def test_each_case_knowledge_and_training_is_a_curve_of_its_own():
    rows = []
    for x in (0.0, 5.0, 10.0):
        rows.append(row("original", x))
        for knowledge in ("white", "black"):
            for training in ([x, x], [0.0, 10.0], [20.0, 20.0]):
                rows.append(row("paired", x, knowledge=knowledge, training=training))
                rows.append(row("fgsm", x, knowledge=knowledge, training=training))
            told = row("paired", x, knowledge=knowledge, training=[0.0, 10.0])
            rows.append({**told, "snr_aware": True})
    found = curves._curves(rows, "snr_db")
    assert len({(case, variant) for case, variant, _ in found}) == len(found) == 1 + 8 + 2
    assert {len(points) for *_, points in found} == {3}
    assert found[0][:2] == ("original", (None, None, "", ""))
    over = "black", "single", "trained over 0 to 10 dB"
    assert {("paired", (*over, "")), ("paired", (*over, "told the SNR"))} < {f[:2] for f in found}
    labels = [handle.get_label() for handle in curves._legend(found)]
    assert "original, no modules" in labels
    assert "black box, trained at 20 dB" in labels
    assert "white box, trained over 0 to 10 dB, told the SNR" in labels
    assert len(labels) == len(set(labels)) == 3 + 8


def test_a_single_point_on_an_axis_is_no_curve():
    rows = [
        row("paired", x, axis="psr_db", knowledge="white", training=[-10.0, -10.0])
        for x in (-20.0, 0.0)
    ]
    rows.append(row("paired", 0.0, axis="psr_db", knowledge="white", training=[-5.0, 25.0]))
    assert len(curves._curves(rows, "psr_db")) == 1


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_the_original_link_is_drawn_across_the_axis_of_budgets(tmp_path, ending):
    rows = [
        row("paired", x, axis="psr_db", knowledge="white", training=[10.0, 10.0])
        for x in (-20.0, 0.0)
    ]
    original = {**row("original", None, axis="psr_db"), "snr_db": 10.0}
    file = tmp_path / f"figure.{ending}"
    curves.figure_4(file, [*rows, original], MSE, 0.1, "title")
    assert file.stat().st_size > 5000
    if ending == "png":
        with_original = matplotlib.image.imread(file)
        curves.figure_4(file, rows, MSE, 0.1, "title")
        assert not np.array_equal(with_original, matplotlib.image.imread(file))


def test_the_figure_changes_with_the_rows_and_with_nothing_else(tmp_path):
    def drawn(accuracy):
        rows = [row("original", x, accuracy=accuracy) for x in (0.0, 10.0)]
        curves.figure_3(tmp_path / "figure.png", rows, MSE, 0.1, "title")
        return matplotlib.image.imread(tmp_path / "figure.png")

    first, again, other = drawn(0.5), drawn(0.5), drawn(0.9)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
