import sys

import numpy as np
import pytest

from arn_keras.data.dataset import Dataset, Split
from arn_keras.task.extent import ends_in, ends_of
from arn_keras.task.photograph import PHOTOGRAPH, picture_task


def _set(target):
    split = Split(target, np.zeros(len(target), int))
    return Dataset("own", split, split, 1)


def _fields(target, estimate):
    meter = PHOTOGRAPH.of(_set(target)).meter()
    for part in (slice(0, 1), slice(1, None)):  # any cut into batches
        meter.add(target[part], estimate[part])
    return meter.fields(len(target))


def test_flat_pictures_have_the_similarity_of_their_brightness_alone():
    """SSIM = (2ab + c1) / (a^2 + b^2 + c1) where nothing varies, MS-SSIM at its last scale."""
    target = np.full((3, 32, 32, 3), 0.5, "float32")
    found = _fields(target, np.full_like(target, 0.6))
    brightness = (2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4)
    assert found["ssim"] == pytest.approx(brightness, abs=5e-4)  # float32
    second = 0.2856 / (0.0448 + 0.2856)  # of the two scales that fit 32 pixels
    assert found["ms_ssim"] == pytest.approx(brightness**second, abs=5e-4)
    assert found["psnr_db"] == pytest.approx(20, abs=1e-4)


def test_a_window_sees_mean_variance_and_covariance():
    """One place of an 11x11 window, by the definition of 2004 with its Gaussian of 1.5."""
    rng = np.random.default_rng(0)
    target = rng.uniform(size=(1, 11, 11, 1))
    estimate = np.clip(target + rng.normal(scale=0.2, size=target.shape), 0, 1)
    places = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    weights = np.outer(places, places) / np.outer(places, places).sum()
    x, y = target[0, ..., 0], estimate[0, ..., 0]
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
    both = (weights * (x - mean_x) * (y - mean_y)).sum()
    expected = (2 * mean_x * mean_y + 0.01**2) * (2 * both + 0.03**2)
    expected /= (mean_x**2 + mean_y**2 + 0.01**2) * (var_x + var_y + 0.03**2)
    found = _fields(target, estimate)
    assert found["ssim"] == pytest.approx(expected, abs=1e-4)
    assert found["ms_ssim"] == pytest.approx(expected, abs=1e-4)  # one scale fits


def test_the_mean_of_the_psnrs_is_not_the_psnr_of_the_mean():
    target = np.zeros((2, 16, 16, 3), "float32")
    estimate = np.stack([np.full_like(target[0], 0.1), np.full_like(target[0], 0.01)])
    found = _fields(target, estimate)
    assert found["mean_psnr_db"] == pytest.approx(30, abs=1e-3)
    assert found["psnr_db"] == pytest.approx(-10 * np.log10((0.01 + 0.0001) / 2), abs=1e-3)
    perfect = _fields(target, target)
    assert (perfect["mean_psnr_db"], perfect["ssim"], perfect["ms_ssim"]) == (100, 1, 1)


@pytest.mark.parametrize(
    ("shape", "task"),
    [((32, 32, 3), "photograph"), ((11, 28, 1), "photograph"), ((8, 8, 1), "image")],
)
def test_pictures_smaller_than_the_window_have_no_such_measure(shape, task):
    assert picture_task(shape) == task


def test_the_proof_of_a_bundle_measures_pictures_without_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    target = np.full((2, 32, 32, 3), 0.5, "float32")
    with pytest.raises(ImportError):
        PHOTOGRAPH.meter().add(target, target)
    meter = PHOTOGRAPH.proof_meter()
    meter.add(target, target + np.float32(0.1))
    found = meter.fields(2)
    compared = PHOTOGRAPH.measures[0], PHOTOGRAPH.parity_measure
    assert {each.field for each in compared} <= found.keys()
    assert found["mse"] == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 255), (-3, 5)])
def test_pictures_look_the_same_whatever_stands_for_black_and_white(low, high):
    rng = np.random.default_rng(0)
    target = rng.uniform(size=(4, 16, 16, 3)).astype("float32")
    target[:, 0, 0], target[:, 0, 1] = 0, 1
    estimate = target + rng.normal(scale=0.05, size=target.shape).astype("float32")
    expected = _fields(target, estimate)
    found = _fields(*(low + (high - low) * each for each in (target, estimate)))
    assert found.pop("mse") == pytest.approx((high - low) ** 2 * expected.pop("mse"), rel=1e-4)
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("least", "most", "ends"),
    [
        (0.0, 1.0, (0, 1)),
        (0.2, 0.3, (0, 1)),
        (0.0, 1.001, (0, 1)),
        (-0.001, 0.9, (0, 1)),
        (-0.5, 0.9, (-1, 1)),
        (-1.003, 1.0, (-1, 1)),
        (0.0, 254.0, (0, 255)),
        (0.0, 4.0, (0.0, 4.0)),
        (-2.0, 2.5, (-2.0, 2.5)),
        (0.0, 0.0, (0, 1)),
        (0.0, 1.02, (0, 1)),
        (-0.02, 1.0, (0, 1)),
        (-0.5, 0.5, (-0.5, 0.5)),
        (-0.4, 0.45, (-0.5, 0.5)),
        (-0.1, 0.1, (-0.1, 0.1)),
        (-0.3, 1.0, (-0.3, 1.0)),
        (-1.0, 0.4, (-1.0, 0.4)),
    ],
)
def test_black_and_white_are_the_usual_ends_or_what_there_is(least, most, ends):
    assert ends_of(least, most) == ends


def test_black_and_white_are_those_of_the_whole_set_whichever_pictures_come_first():
    """A thousand dark ones come before the one that tells what white is."""
    target = np.full((1001, 11, 11, 1), 20.0)
    target[1000, 0, 0] = 255
    for pictures in (target, target[::-1]):
        assert ends_in(_set(pictures)) == (0, 255)
        found = _fields(pictures, pictures + 25.5)
        assert found["psnr_db"] == pytest.approx(20, abs=1e-9)
        assert found["mean_psnr_db"] == pytest.approx(20, abs=1e-3)
