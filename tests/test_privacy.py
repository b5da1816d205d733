import numpy as np
import pytest

from arn_keras.data.dataset import Dataset, Split
from arn_keras.eve import ENSEMBLE, EVES
from arn_keras.loss.composite import mean_squared_error
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.rooms import answer
from arn_keras.scenario.letter import Letter
from arn_keras.training.algorithm_1 import Schedule, build_pair_link
from arn_keras.training.privacy import Privacy


def _architecture(stage):
    model = answer(EVES, stage)((16,), 3)
    return [(type(layer).__name__, getattr(layer, "units", None)) for layer in model.layers]


def test_no_substitute_of_the_ensemble_has_the_architecture_of_an_eve_or_of_another():
    substitutes = [_architecture(stage) for stage in Letter().in_loss("black", "ensemble")]
    eves = [_architecture(stage) for stage in Letter.measured.values()]
    everyone = substitutes + eves
    assert len(substitutes) == 8
    assert all(everyone.count(one) == 1 for one in everyone)
    depths = {stage: sum(kind == "Dense" for kind, _ in _architecture(stage)) for stage in ENSEMBLE}
    assert set(depths.values()) == {2, 3}  # the letter's Eve has four


def test_a_white_box_has_eve_alone_and_a_black_box_never_has_her():
    assert Letter().in_loss("white", "ensemble") == ("eve",)
    for black_box in ("single", "ensemble"):
        assert not set(Letter().in_loss("black", black_box)) & set(Letter.measured.values())


@pytest.mark.parametrize(
    ("knowledge", "black_box", "may", "shared"),
    [
        ("white", "ensemble", True, False),
        ("black", "single", True, False),
        ("black", "ensemble", True, True),
        ("black", "ensemble", False, False),
    ],
)
def test_the_sources_share_their_budget_in_the_ensemble_alone_where_they_may(
    models, sources, labels, knowledge, black_box, may, shared
):
    transmitter, receiver, eve = models
    link = build_pair_link(
        Privacy(knowledge, black_box),
        transmitter,
        receiver,
        [eve],
        (build_transmitter_arn((8,), (16,)), build_receiver_arn((8,), (16,))),
        Schedule(1, batch_size=20),
        Dataset("small", *2 * [Split(sources, labels)], 3),
        "arn/test",
        task_loss=mean_squared_error,
        shares_budget=may,
    )

    def charged(powers):
        delta = np.sqrt(np.outer(powers, np.ones(8)))
        return float(link.power_loss(delta, 1.0))

    assert charged([1.0, 1.0]) == pytest.approx(0, abs=1e-6)
    assert charged([0.0, 2.0]) == pytest.approx(0 if shared else 0.5, abs=1e-6)
    assert charged([2.0, 2.0]) == pytest.approx(1.0)
