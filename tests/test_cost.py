import dataclasses

import keras
import numpy as np
import pytest

from arn_keras.data.dataset import Dataset, Split
from arn_keras.eve import ENSEMBLE, EVES
from arn_keras.rooms import answer
from arn_keras.run.config import Config
from arn_keras.scenario.letter import Letter
from arn_keras.sweep import cost
from arn_keras.sweep.grid import Point


def _split(sources):
    pixels = np.broadcast_to(np.uint8(0), (sources, 28, 28, 1))
    return Split(pixels, np.broadcast_to(0, sources))


MNIST = Dataset("mnist", _split(60_000), _split(10_000), 10)


@pytest.fixture
def costs():
    config = Config(epochs=1, link_epochs=1, eve_epochs=1).resolve("mnist", 60_000)
    return cost.Cost(Letter(), MNIST, config)


def test_a_step_of_the_pair_costs_what_its_matrix_products_cost(costs):
    arn = 128 * 256 + 256 * 256 + 256 * 128
    receiver = 128 * 256 + 256 * 256 + 256 * 784
    eve = 128 * 256 + 256 * 128 + 128 * 64 + 64 * 10
    a_source = 6 * 2 * arn + 4 * (receiver + eve)
    assert costs.pair(["eve"]) == a_source * 60_000
    assert a_source == pytest.approx(3.1e6, rel=0.03)


def test_a_block_costs_what_is_asked_for_and_a_pair_that_is_told_the_snr_its_epochs(costs):
    config = dataclasses.replace(costs._config, block_width=512, block_depth=1)
    other = cost.Cost(Letter(), MNIST, config)
    arn = [128 * 256 + 256 * 256 + 256 * 128, 128 * 512 + 512 * 128]
    assert other.pair([]) - costs.pair([]) == 6 * 2 * (arn[1] - arn[0]) * 60_000
    assert costs.pair(["eve"], told=True) == 2 * costs.pair(["eve"])
    aware = cost.Cost(
        Letter(), MNIST, dataclasses.replace(costs._config, snr_aware=True, snr_db=(0.0, 10.0))
    )
    assert aware.pair(["eve"], told=True) == aware.pair(["eve"])  # whose epochs are there already


def test_more_epochs_and_more_substitutes_cost_more(costs):
    config = dataclasses.replace(costs._config, epochs=2, eve_epochs=3)
    twice = cost.Cost(Letter(), MNIST, config)
    assert twice.pair(["eve"]) == 2 * costs.pair(["eve"])
    assert twice.stage("substitute_64") == 3 * costs.stage("substitute_64")
    assert costs.pair(["substitute_64", "substitute_128"]) - costs.pair(["substitute_128"]) == (
        4 * (128 * 64 + 64 * 10) * 60_000
    )


def test_the_cost_of_a_fully_connected_stage_counts_the_weights_of_its_model(costs):
    for stage in ("eve", "eve_wide", "substitute", *ENSEMBLE):
        model = answer(EVES, stage)((128,), 10)
        weights = sum(w.shape[0] * w.shape[1] for w in model.weights if len(w.shape) == 2)
        assert costs.stage(stage) == 6 * weights * 60_000


def test_a_row_costs_a_way_through_the_whole_link_and_two_eavesdroppers(costs):
    arn = 128 * 256 + 256 * 256 + 256 * 128
    link = 2 * (784 * 256 + 256 * 256 + 256 * 128)
    eve = 128 * 256 + 256 * 128 + 128 * 64 + 64 * 10
    assert costs.rows(3) == 3 * 10_000 * 2 * (link + 2 * arn + 2 * eve)


def test_the_rate_is_that_of_the_products_that_were_made_in_the_time_that_was_taken(monkeypatch):
    clock = iter(np.arange(0.0, 9.0, 0.25))
    monkeypatch.setattr(cost.time, "process_time", lambda: next(clock))
    # Begins at 0, one product each time before 1.0 is reached, and is asked once more: 1.25 s.
    assert cost.operations_a_second(64, 1.0) == 2 * 64**3 * 3 / 1.25


def test_workers_divide_the_time_and_the_rate_is_a_rate():
    rate = cost.operations_a_second(128, 0.05)
    assert 1e8 < rate < 1e13
    one, two = (cost.seconds(1e15, workers, 1e10) - cost.START_SECONDS for workers in (1, 2))
    assert one == pytest.approx(2 * two)
    assert one == pytest.approx(1e15 / 1e10 / cost.EFFICIENCY)


def test_a_convolution_costs_its_weights_at_each_of_its_places():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3, 2, padding="same", use_bias=False)]
    )
    assert cost.multiplications(model) == 3 * 3 * 3 * 5 * 4 * 4


def test_a_transposed_convolution_costs_its_weights_at_each_place_that_it_is_given():
    layer = keras.layers.Conv2DTranspose(5, 3, 2, padding="same")
    model = keras.Sequential([keras.Input((4, 4, 2)), layer])
    assert model.output_shape == (None, 8, 8, 5)
    # Counted by hand: each of the 4 x 4 x 2 values goes through 3 x 3 x 5 weights.
    assert cost.multiplications(model) == 4 * 4 * 2 * 3 * 3 * 5


def test_a_matrix_of_each_places_own_is_counted_once_and_biases_and_tables_not_at_all():
    dense = keras.layers.EinsumDense
    own = dense("btd,tde->bte", (6, 7), bias_axes="te")
    shared = dense("btd,de->bte", (6, 7), bias_axes="te")
    for layer in (own, shared):
        model = keras.Sequential([keras.Input((6, 4)), layer])
        assert cost.multiplications(model) == 6 * 4 * 7
    tokens = keras.Sequential([keras.Input((6,)), keras.layers.Embedding(9, 4)])
    assert cost.multiplications(tokens) == 0


def test_where_training_takes_minutes_the_pair_comes_first_and_each_row_by_itself(monkeypatch):
    base = ("mnist", 0, 0.0)
    plain, kept, new = (
        Point("mnist", 0),
        Point("mnist", 0, "white", None, (10.0, 10.0), -5.0),
        Point("mnist", 0, "white", None, (10.0, 10.0), -10.0),
    )
    left = {
        point: [("original", "frozen", snr) for snr in (0.0, 5.0)] for point in (plain, kept, new)
    }
    datasets, configs = {"mnist": MNIST}, {base: Config().resolve("mnist", 60_000)}
    costs = cost.Costs(Letter(), datasets, configs, lambda *_: None)
    pair, row = costs.pair(new), costs.rows(new, [None])
    together = costs.turns(left, [new])
    assert together == [
        [],
        [
            (plain, left[plain], 2 * row),
            (kept, left[kept], 2 * row),
            (new, left[new], pair + 2 * row),
        ],
    ]
    monkeypatch.setattr(cost, "LONG", costs.stage(*base, "link") - 1)
    first, second = costs.turns(left, [new])
    assert first == [(new, [], pair)]
    assert second == [(point, [each], row) for point in left for each in left[point]]
