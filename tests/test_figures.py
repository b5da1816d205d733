import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from arn_keras.figures.draw import draw_examples, fgsm_picture
from arn_keras.machine.files import write_json
from arn_keras.task.image import IMAGE

PARTS = ("original", "perturbation", "sum")


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 50, 1), (50, 1, 1), (1, 1, 3)])
def test_the_picture_shows_the_images_it_is_given(tmp_path, shape):
    def drawn(level, ends=(0, 1)):
        images = np.full((2, *shape), level)
        examples = {"source": images, "label": np.array([0, 1])}
        examples |= {"ends": ends} if ends else {}
        for case in ("original", "transmitter_only", "paired"):
            examples |= {f"bob_{case}": images, f"eve_{case}": np.array([0, 0])}
        rows = {
            case: {"mse": 0.01, "eve_accuracy": 0.5}
            for case in ("original", "transmitter_only", "paired")
        }
        IMAGE.picture(tmp_path / "picture.png", examples, rows, "title")
        return matplotlib.image.imread(tmp_path / "picture.png")

    black, white = drawn(0.0), drawn(1.0)
    np.testing.assert_array_equal(drawn(-1.0, (-1, 1)), black)
    np.testing.assert_array_equal(drawn(0.5, (0, 1)), drawn(127.5, (0, 255)))
    np.testing.assert_array_equal(drawn(-1.0, None), black)  # a run of before the ends were kept
    assert black.shape == white.shape
    assert black.shape[0] > 400
    flat = min(shape[:2]) / max(shape[:2])  # a strip fills less of its frame
    assert np.mean(white[..., :3] - black[..., :3]) > 0.1 * flat


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 50, 1)])
def test_the_example_of_an_attack_is_drawn_for_any_picture(tmp_path, shape):
    examples = {}
    for what, size in (("image", shape), ("signal", (16,))):
        examples |= {f"{what}_{name}": np.full(size, 0.5) for name in PARTS}
        examples |= {
            f"{what}_{name}": np.array(values)
            for name, values in (
                ("label", 1),
                ("power", (1.0, 0.1)),
                ("guess", (1, 0)),
                ("confidence", (0.9, 0.8)),
            )
        }
    fgsm_picture(tmp_path / "picture.png", examples, "title")
    assert matplotlib.image.imread(tmp_path / "picture.png").std() > 0.05


ROW = {"eve": "frozen", "snr_db": 10.0, "protection": "none", "knowledge": None, "sources": 360}


def _said(tmp_path, monkeypatch, *rows, **more):
    """All that the picture of a run with these rows says, its title first."""
    drawn = []
    save = Figure.savefig

    def keep(figure, *arguments, **how):
        drawn.append(figure)
        save(figure, *arguments, **how)

    monkeypatch.setattr(Figure, "savefig", keep)
    images = np.zeros((2, 8, 8, 1))
    examples = {"source": images, "label": [0, 1]}
    for row in rows:
        examples |= {f"bob_{row['case']}": images, f"eve_{row['case']}": [0, 0]}
    examples |= more
    write_json(tmp_path / "config.json", {"task": "image", "config": {"dataset": "digits"}})
    write_json(tmp_path / "results.json", [*rows])
    np.savez(tmp_path / "examples.npz", **examples)
    draw_examples(tmp_path)
    (figure,) = drawn
    texts = [figure.get_suptitle()]
    for axis in figure.axes:
        texts += [axis.get_ylabel(), axis.get_xlabel()]
    return texts


def test_a_picture_tells_both_shares_of_the_whole_test_set_the_power_and_which_eve(
    tmp_path, monkeypatch
):
    plain = {**ROW, "case": "original", "mse": 0.01, "eve_accuracy": 0.97, "psr_db": None}
    pair = {"knowledge": "white", "protection": "arn", "psr_db": -6.0, "measured_psr_db": -6.34}
    pair = {**ROW, **pair, "case": "paired", "mse": 0.0105, "eve_accuracy": 0.21}
    title, *texts = _said(tmp_path, monkeypatch, plain, pair)
    for told in ("97% of the labels without", "21% with both", "all 360 test sources", "-6.3 dB"):
        assert told in title
    for told in ("budget -6 dB", "Alice knows Eve", "No Eve here adapts", "arn_keras.audit"):
        assert told in title
    assert [text for text in texts if "Eve: 0" in text] == 2 * ["Eve: 0, right", "Eve: 0, wrong"]
    assert sum("Eve is right: 21%" in text and "error 0.0105" in text for text in texts) == 1
    stranger = {**pair, "knowledge": "black"}
    title, *_ = _said(tmp_path, monkeypatch, plain, stranger)
    assert "Alice does not know Eve" in title
    keyed = {**pair, "knowledge": None, "protection": "keyed", "psr_db": None}
    title, *_ = _said(tmp_path, monkeypatch, plain, {**keyed, "measured_psr_db": 3.0})
    assert "keyed" in title
    assert "budget" not in title
    _, *texts = _said(tmp_path, monkeypatch, plain, names=["cat", "automobile"])
    assert "label automobile" in texts
    assert "Eve: cat,\nwrong" in texts
    _, *texts = _said(tmp_path, monkeypatch, plain, eve_original=[7, 0])  # of no picture's label
    assert "Eve: 7, wrong" in texts
    others = [{**row, "eve": "frozen_wide", "eve_accuracy": 0.9} for row in (plain, pair)]
    title, *_ = _said(tmp_path, monkeypatch, plain, pair, *others)
    assert title.startswith("2 Eves name 97%, 90% of the labels without the modules, 21%, 90% with")
