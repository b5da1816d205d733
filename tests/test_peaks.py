import keras
import numpy as np
import pytest

from arn_keras.errors import ConfigError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.measure.spectrum import papr_db
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.peaks import PeakLimit
from arn_keras.scenario.modulation import Modulation
from arn_keras.training.secure_link import SecureLink


def test_a_frame_costs_what_its_peak_is_above_the_limit():
    frames = np.array(
        [
            [1, 1, 1, -1, -1, 1, 1, 1],  # |x|^2 = 2 everywhere: 0 dB
            [4, 0, 0, 0, 0, 0, 0, 0],  # 16 over a mean of 4: 6 dB
            [0, 3, 1, 0, 0, 1, 0, 1],  # 9 over 3
            [0, 0, 0, 0, 0, 0, 0, 0],
        ],
        "float32",
    )
    limit_db = 10 * np.log10(2)
    cost = 10 * ((4 / 2 - 1) + (3 / 2 - 1))
    assert float(PeakLimit(limit_db)(frames)) == pytest.approx(cost, rel=1e-5)
    np.testing.assert_allclose(papr_db(frames[:3]), 10 * np.log10([1, 4, 3]), atol=1e-5)
    assert float(PeakLimit(6.1)(frames)) == 0.0


@pytest.mark.parametrize("level", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_what_is_no_limit_is_refused(level):
    with pytest.raises(ConfigError, match="expected papr_db above 0 dB"):
        PeakLimit(level)
    with pytest.raises(ConfigError, match="--papr-db: expected above 0"):
        Modulation(papr_db=level)


def test_a_limit_is_an_option_of_its_own_and_runs_of_before_keep_their_identity():
    assert "papr_db" not in Modulation().identity()
    assert Modulation().limit() is None
    asked = Modulation(papr_db=4.5)
    assert asked.identity()["papr_db"] == asked.limit().papr_db == 4.5


def test_a_pair_is_trained_to_keep_its_peaks_below_the_limit():
    signals = np.random.default_rng(0).normal(size=(64, 32)).astype("float32")
    signals /= np.sqrt(np.mean(signals**2, axis=1, keepdims=True))

    def identity():
        return keras.Sequential([keras.Input((32,)), keras.layers.Identity()])

    found = []
    for limit in (None, PeakLimit(3.0)):
        keras.utils.set_random_seed(1)
        alice = build_transmitter_arn((32,), hidden=(64,), limit=limit)
        bob = build_receiver_arn((32,), hidden=(8,))
        link = SecureLink(identity(), identity(), [build_eavesdropper((32,), 2)], alice, bob)
        link.compile(keras.optimizers.Adam(3e-3), jit_compile=False)  # of 60 steps
        how = {"psr_db": 0.0, "loss_weights": (10.0, 0.1, 0.0), "verbose": 0}
        link.fit(np.tile(signals, (12, 1)), np.arange(768) % 2, batch_size=64, epochs=5, **how)
        found.append(np.median(papr_db(np.asarray(alice(signals)))))
    assert found[0] > np.median(papr_db(signals)) - 0.5
    assert found[1] < 3.3
