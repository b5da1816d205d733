import dataclasses

import pytest

from arn_keras.errors import ConfigError
from arn_keras.rooms import answer
from arn_keras.run.config import Config
from arn_keras.scenario import SCENARIOS

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "wrong",
    [
        {"snr_db": (NAN, NAN)},
        {"snr_db": (0.0, INFINITY)},
        {"snr_db": (5.0, 0.0)},
        {"psr_db": NAN},
        {"psr_db": -INFINITY},
        {"epochs": 0},
        {"link_epochs": -1},
        {"eve_epochs": 0},
        {"batch_size": 0},
        {"limit": 0},
        {"devices": 0},
        {"seed": -1},
        {"learning_rate": 0.0},
        {"learning_rate": NAN},
        {"learning_rate": INFINITY},
        {"knowledge": "grey"},
        {"protection": "rot13"},
        {"block": "dense", "protection": "keyed"},
        {"block_width": 8, "protection": "none"},
        {"block_depth": 1, "protection": "purge"},
        {"keep_power": True, "protection": "keyed"},
        {"snr_aware": True, "protection": "none", "snr_db": (0.0, 5.0)},
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_its_flag(wrong):
    with pytest.raises(ConfigError) as refusal:
        Config(**wrong)
    assert str(refusal.value).startswith("--" + next(iter(wrong)).replace("_", "-") + ": expected")
    assert "\n" not in str(refusal.value)


def test_the_defaults_are_those_of_the_design():
    config = Config().resolve("mnist", 60_000)
    assert (config.snr_db, config.psr_db, config.batch_size) == ((10.0, 10.0), -10.0, 256)
    assert (config.link_epochs, config.eve_epochs, config.epochs) == (15, 6, 30)


def test_small_data_get_smaller_batches_and_more_epochs():
    config = Config().resolve("digits", 1437)
    assert (config.batch_size, config.epochs) == (89, 90)
    assert Config(batch_size=32, epochs=7).resolve("digits", 1437).epochs == 7
    assert Config().resolve("tiny", 3).batch_size == 1


def test_the_digits_have_a_budget_of_their_own_which_is_said_and_every_other_set_the_letters():
    digits = Config()
    assert digits.resolve("digits", 1437).psr_db == -6.0
    (why,) = digits.notes("digits")
    assert "-6 dB" in why
    assert "8x8" in why
    asked = Config(psr_db=-10.0)
    assert (asked.resolve("digits", 1437).psr_db, asked.notes("digits")) == (-10.0, [])
    for name in ("mnist", "fashion_mnist", "digits/other"):
        assert (digits.resolve(name, 1437).psr_db, digits.notes(name)) == (-10.0, [])
    for scenario in ("deepjscc", "text", "modulation"):
        assert Config(scenario=scenario).resolve("digits", 1437).psr_db == -10.0


def test_a_scenario_has_a_privacy_loss_of_its_own_and_the_letters_is_the_confidence():
    assert Config().resolve("mnist", 60_000).privacy_loss == "confidence"
    assert Config(scenario="text").resolve("trec", 5452).privacy_loss == "odds"
    asked = Config(scenario="text", privacy_loss="confidence")
    assert asked.resolve("trec", 5452).privacy_loss == "confidence"
    with pytest.raises(ConfigError, match="--privacy-loss: expected one of confidence, margin, "):
        Config(privacy_loss="certainty")


def test_a_run_says_which_block_it_is_of_where_that_is_not_the_letters():
    """Another version's default is another configuration: a run never holds pairs of two kinds."""

    def blocks(**asked):
        found = Config(**asked).resolve("any", 60_000).identity()
        return found["block"], found["block_width"], found["block_depth"]

    assert blocks() == (None, None, None)
    assert blocks(scenario="text") == ("transformer", None, None)
    assert blocks(scenario="modulation") == ("in_band", None, None)
    own = blocks(scenario="deepjscc")
    assert own == blocks(scenario="deepjscc", block="transformer") == ("transformer", 128, 3)
    assert blocks(scenario="deepjscc", block_width=64) == ("transformer", 64, 3)
    assert blocks(scenario="deepjscc", block="conv") == ("conv", None, None)
    assert blocks(scenario="deepjscc", protection="keyed") == (None, None, None)  # has no pair


def test_a_pair_that_serves_a_range_has_twice_the_epochs():
    aware = Config(snr_aware=True, snr_db=(-5.0, 25.0))
    assert aware.resolve("mnist", 60_000).epochs == 2 * Config().resolve("mnist", 60_000).epochs


def test_devices_that_cannot_share_a_batch_evenly_are_refused():
    with pytest.raises(ConfigError, match="--devices: expected a divisor of the batch size 256"):
        Config(devices=3).resolve("mnist", 60_000)
    assert Config(devices=2).resolve("mnist", 60_000).devices == 2


def test_a_larger_batch_gets_a_larger_learning_rate_unless_one_is_given():
    assert Config().resolve("mnist", 60_000).learning_rate == 2e-3
    assert Config(batch_size=1024).resolve("mnist", 60_000).learning_rate == 4e-3
    assert Config(batch_size=64).resolve("mnist", 60_000).learning_rate == 2e-3
    given = Config(batch_size=1024, learning_rate=1e-3).resolve("mnist", 60_000)
    assert given.learning_rate == 1e-3


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ConfigError, match="at most the 100 training sources, got 101"):
        Config(batch_size=101).resolve("mnist", 100)
    assert Config(batch_size=100).resolve("mnist", 100).batch_size == 100


def test_both_cases_of_knowledge_are_trained_unless_one_is_asked_for():
    assert Config().knowledges == ("white", "black")
    assert Config(knowledge="black").knowledges == ("black",)


def test_a_range_of_snrs_is_measured_at_both_ends_and_in_the_middle():
    assert Config(snr_db=(0.0, 20.0)).evaluation_snrs_db == (0.0, 10.0, 20.0)
    assert Config().evaluation_snrs_db == (10.0,)


def test_what_decides_the_result_is_part_of_the_identity_and_of_the_default_name():
    config = Config()
    changes = ({"seed": 1}, {"psr_db": -5.0}, {"snr_db": (0.0, 20.0)}, {"epochs": 3})
    for change in (*changes, {"protection": "keyed"}):
        other = dataclasses.replace(config, **change)
        assert other.identity() != config.identity()
        assert other.default_run_name("mnist") != config.default_run_name("mnist")
    for change in ({"quiet": True}, {"no_export": True}, {"run_dir": "x"}, {"data_dir": "y"}):
        other = dataclasses.replace(config, **change)
        assert other.identity() == config.identity()


def test_the_default_name_tells_only_what_was_asked_for():
    assert Config().default_run_name("mnist") == "mnist"
    problem = answer(SCENARIOS, "deepjscc")(compression="2/24")  # one number, one run
    asked = Config(scenario="deepjscc", problem=problem, seed=2)
    assert asked.default_run_name("cifar10") == "deepjscc,cifar10,seed=2,compression=1-12"
    asked = Config(dataset="horses/big:1.0.0", snr_db=(0.0, 20.0), seed=2)
    assert asked.default_run_name("horses/big:1.0.0") == "horses-big-1.0.0,snr_db=0..20,seed=2"


def test_deepjscc_takes_a_third_of_the_epochs_over_four_times_the_pictures():
    build = answer(SCENARIOS, "deepjscc")
    for augment, sources, epochs in (("auto", 200_000, (2, 3, 3)), ("off", 50_000, (12, 18, 16))):
        config = Config(scenario="deepjscc", problem=build(augment=augment))
        found = config.resolve("cifar10", sources)
        assert (found.epochs, found.link_epochs, found.eve_epochs) == epochs
        assert found.batch_size == 64
    plain = Config(scenario="deepjscc", problem=build()).resolve("mnist", 60_000)
    assert (plain.epochs, plain.link_epochs, plain.eve_epochs) == (6, 9, 8)
