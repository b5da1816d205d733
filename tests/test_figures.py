import matplotlib.image
import numpy as np
import pytest

from arn_keras.figures.draw import fgsm_picture
from arn_keras.task.image import examples_picture

PARTS = ("original", "perturbation", "sum")


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (1, 50, 1), (50, 1, 1), (1, 1, 3)])
def test_the_picture_shows_the_images_it_is_given(tmp_path, shape):
    def drawn(level):
        images = np.full((2, *shape), level)
        examples = {"source": images, "label": np.array([0, 1])}
        for case in ("original", "transmitter_only", "paired"):
            examples |= {f"bob_{case}": images, f"eve_{case}": np.array([0, 0])}
        rows = {case: {"mse": 0.01} for case in ("original", "transmitter_only", "paired")}
        examples_picture(tmp_path / "picture.png", examples, rows, "title")
        return matplotlib.image.imread(tmp_path / "picture.png")

    black, white = drawn(0.0), drawn(1.0)
    assert black.shape == white.shape
    assert black.shape[0] > 400
    flat = min(shape[:2]) / max(shape[:2])  # a strip fills less of its frame
    assert np.mean(white[..., :3] - black[..., :3]) > 0.1 * flat


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (1, 50, 1)])
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
