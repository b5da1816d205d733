import matplotlib.image
import numpy as np
import pytest

from arn_keras.task.image import examples_picture


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_shows_the_images_it_is_given(tmp_path, channels):
    def drawn(level):
        images = np.full((2, 8, 8, channels), level)
        examples = {"source": images, "label": np.array([0, 1])}
        for case in ("original", "transmitter_only", "paired"):
            examples |= {f"bob_{case}": images, f"eve_{case}": np.array([0, 0])}
        rows = {case: {"mse": 0.01} for case in ("original", "transmitter_only", "paired")}
        examples_picture(tmp_path / "picture.png", examples, rows, "title")
        return matplotlib.image.imread(tmp_path / "picture.png")

    black, white = drawn(0.0), drawn(1.0)
    assert black.shape == white.shape
    assert black.shape[0] > 400
    assert white[..., :3].mean() - black[..., :3].mean() > 0.1
