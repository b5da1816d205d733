"""A link of sentences: silence where nothing is sent, power where there is, at every module."""

import keras
import numpy as np
import pytest
import tiny_texts
from keras import ops
from tiny_texts import LENGTH, TOKENS, WORDS
from wiretaps import TINY

from arn_keras.data.tokens import (
    PAD,
)
from arn_keras.errors import ConfigError, DataError, ModelError
from arn_keras.eve.tokens import (
    build_sentence_reader,
    build_token_convolutional,
    build_token_dense,
    build_token_transformer,
)
from arn_keras.link.text import build_receiver, build_transmitter
from arn_keras.loss.tokens import masked_cross_entropy
from arn_keras.measure.baselines import FastGradientSign, RandomNoise
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.rotation import build_receiver_keyed, build_transmitter_keyed, random_signs
from arn_keras.power import db_to_ratio, mean_power, paused, sent_share
from arn_keras.run.config import Config
from arn_keras.run.problem import Problem
from arn_keras.scenario.text import Text
from arn_keras.training.secure_link import SecureLink

BLOCKS = ("tokenwise", "transformer", "dense", "conv")


def _pair(block="tokenwise"):
    """Modules that do something."""
    shape = (LENGTH, 16)
    pair = (
        build_transmitter_arn(shape, block=block, pauses=True),
        build_receiver_arn(shape, block=block),
    )
    for module in pair:
        layer = module.get_layer("residual")
        layer.set_weights([30 * weight for weight in layer.get_weights()])
    return pair


@pytest.fixture(scope="module")
def transmitter():
    keras.utils.set_random_seed(0)
    return build_transmitter(LENGTH, WORDS, width=8, depth=1, heads=2)


def test_power_is_one_over_the_tokens_that_are_sent_and_padding_is_exactly_silent(transmitter):
    signal = ops.convert_to_numpy(transmitter(TOKENS))
    there = TOKENS != PAD
    assert np.all(signal[~there] == 0)
    for row, mask in zip(signal, there, strict=True):
        assert np.mean(row[mask] ** 2) == pytest.approx(1, abs=1e-5)
    for kind in (np.array, ops.array):
        each = kind(signal)
        np.testing.assert_allclose(mean_power(each, over=each), 1, atol=1e-5)
        np.testing.assert_allclose(sent_share(each), there.mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(mean_power(each), there.mean(axis=1), atol=1e-5)


def test_padding_does_not_change_what_is_sent_of_a_sentence(transmitter):
    longer = build_transmitter(LENGTH, WORDS, width=8, depth=1, heads=2)
    longer.set_weights(transmitter.get_weights())
    place = longer.get_layer("position")
    weights = place.get_weights()
    weights[1][3:] += 1.0  # the places of padding alone
    place.set_weights(weights)
    np.testing.assert_allclose(longer(TOKENS[1:2]), transmitter(TOKENS[1:2]), atol=1e-6)


def test_a_perturbation_is_kept_out_of_the_silence_and_silence_alone_has_no_power():
    silence = np.zeros((2, 3, 4), "float32")
    assert mean_power(silence, over=silence).tolist() == [0, 0]
    noise = ops.ones((1, 2, 3))
    signal = ops.array([[[0.0, 0, 0], [0, 1, 0]]])
    assert ops.convert_to_numpy(paused(noise, signal)).tolist() == [[[0] * 3, [1] * 3]]


def test_zeros_are_sent_as_anything_unless_the_scenario_says_that_its_signals_have_pauses():
    from arn_keras.rooms import answer
    from arn_keras.scenario import SCENARIOS

    assert [name for name in SCENARIOS if answer(SCENARIOS, name).pauses] == ["text"]
    signal = np.ones((1, 4, 2), "float32")
    signal[0, 1:] = 0  # of a signal without pauses a quarter of the symbols is 1
    assert mean_power(signal).tolist() == [0.25]
    assert mean_power(signal, over=signal).tolist() == [1.0]


def test_the_budget_and_the_reported_powers_are_those_of_the_symbols_sent(transmitter):
    alice, bob = _pair()
    receiver = build_receiver(LENGTH, WORDS, width=8, depth=1, heads=2)
    eve = build_token_dense((LENGTH, 16), 3)
    signal = ops.convert_to_numpy(transmitter(TOKENS))
    delta = ops.convert_to_numpy(alice(signal)) - signal
    there = TOKENS != PAD
    powers = [np.mean(d[mask] ** 2) for d, mask in zip(delta, there, strict=True)]
    link = SecureLink(transmitter, receiver, eve, alice, bob, pauses=True)
    link.compile(task_loss=masked_cross_entropy, run_eagerly=True)  # one batch
    link.psr_db.assign(-40.0)
    y = {"label": np.zeros(3, int), "target": TOKENS}
    found = link.evaluate(TOKENS, y, verbose=0, return_dict=True)
    assert found["perturbation_power"] == pytest.approx(np.mean(powers), rel=1e-4)
    excess = (np.array(powers) - db_to_ratio(-40.0)) * there.mean(axis=1)  # of the frame's mean
    assert found["attack_power_loss"] == pytest.approx(np.mean(excess), rel=1e-4)
    sent = [np.mean(z[mask] ** 2) for z, mask in zip(signal + delta, there, strict=True)]
    assert found["sent_power"] == pytest.approx(np.mean(sent), rel=1e-4)
    assert link.get_config()["pauses"] is True


def test_untrained_perturbations_keep_the_silence_and_have_their_power_where_there_is_signal(
    transmitter,
):
    tokens = np.tile(TOKENS, (100, 1))
    signal = transmitter(tokens)
    eve = build_token_dense((LENGTH, 16), 3)
    for perturb in (RandomNoise(-10.0, 0, pauses=True), FastGradientSign([eve], -10.0, True)):
        sent = ops.convert_to_numpy(perturb(signal))
        assert np.all(sent[tokens == PAD] == 0)
        added = mean_power(sent - ops.convert_to_numpy(signal), over=sent)
        assert np.mean(added) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("block", BLOCKS)
def test_modules_perturb_what_is_sent_and_keep_silence(block, transmitter):
    alice, bob = _pair(block)
    signal = ops.convert_to_numpy(transmitter(TOKENS))
    sent = ops.convert_to_numpy(alice(signal))
    silent = TOKENS == PAD
    assert np.all(sent[silent] == 0)
    assert np.all(np.abs(sent - signal)[~silent].max(axis=-1) > 0)
    heard = sent + np.random.default_rng(0).normal(0, 0.3, sent.shape).astype("float32")
    cleaned = ops.convert_to_numpy(bob(heard))
    assert np.all(np.abs(cleaned - heard).max(axis=-1) > 0)  # in the silence, too


def test_a_tokenwise_module_treats_all_tokens_alike():
    alice, _ = _pair()
    signal = np.random.default_rng(0).normal(size=(1, LENGTH, 16)).astype("float32")
    turned = ops.convert_to_numpy(alice(signal[:, ::-1]))
    np.testing.assert_allclose(turned[:, ::-1], alice(signal), atol=1e-5)


@pytest.mark.parametrize(("block", "depth"), [("tokenwise", 2), ("transformer", 1)])
def test_modules_of_sentences_convert_and_keep_silence(block, depth, transmitter):
    from ai_edge_litert.interpreter import Interpreter

    from arn_keras.export.litert import convert_all

    alice = build_transmitter_arn((LENGTH, 16), block=block, depth=depth, pauses=True)
    signal = ops.convert_to_numpy(transmitter(np.tile(TOKENS, (20, 1))))
    files = convert_all(alice, ("float32", "float16", "int8"), signal)
    for precision, content in files.items():
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], signal[1:2])
        interpreter.invoke()
        sent = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        assert np.all(sent[TOKENS[1] == PAD] == 0), precision
        np.testing.assert_allclose(sent, alice(signal[1:2])[0], atol=0.05, err_msg=precision)


def test_a_keyed_rotation_sends_the_whole_frame_at_power_one_and_is_undone_up_to_a_gain(
    transmitter,
):
    signal = ops.convert_to_numpy(transmitter(TOKENS))
    signs = random_signs(len(TOKENS), 5, LENGTH * 16, keras.random.SeedGenerator(0))
    lock, unlock = build_transmitter_keyed((LENGTH, 16)), build_receiver_keyed((LENGTH, 16))
    sent = lock([ops.array(signal), signs])
    np.testing.assert_allclose(mean_power(ops.convert_to_numpy(sent)), 1, atol=1e-4)
    back = ops.convert_to_numpy(unlock([sent, signs]))
    gain = np.sqrt(LENGTH / np.sum(TOKENS != PAD, axis=1))[:, None, None]
    np.testing.assert_allclose(back, gain * signal, atol=1e-4)


def test_bob_reads_the_same_whatever_the_gain():
    receiver = build_receiver(LENGTH, WORDS, width=8, depth=1, heads=2)
    heard = np.random.default_rng(0).normal(size=(2, LENGTH, 16)).astype("float32")
    np.testing.assert_allclose(receiver(3 * heard), receiver(heard), atol=1e-4)


@pytest.mark.parametrize(
    "build", [build_token_convolutional, build_token_transformer, build_token_dense]
)
def test_eves_of_tokens_give_logits_and_are_saved_and_loaded(build, tmp_path):
    eve = build((LENGTH, 16), 3)
    heard = np.random.default_rng(0).normal(size=(4, LENGTH, 16)).astype("float32")
    assert eve(heard).shape == (4, 3)
    assert float(ops.min(eve(heard))) < 0  # no probabilities
    eve.save(tmp_path / "eve.keras")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "eve.keras")(heard), eve(heard))


@pytest.mark.parametrize("build", [build_token_convolutional, build_token_transformer])
def test_a_signal_without_tokens_is_refused_by_eves_of_tokens(build):
    with pytest.raises(ConfigError, match=r"expected signals \[tokens, d\].*got \[512\]"):
        build((512,), 3)


def test_a_link_of_sentences_is_saved_and_loaded(transmitter, tmp_path):
    receiver = build_receiver(LENGTH, WORDS, width=8, depth=1, heads=2)
    heard = transmitter(TOKENS)
    for model, given in ((transmitter, TOKENS), (receiver, heard)):
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
        np.testing.assert_allclose(loaded(given), model(given), atol=1e-6)


def test_a_reader_takes_ids_with_a_little_noise():
    reader = build_sentence_reader(LENGTH, 3, WORDS)
    ids = TOKENS.astype("float32")
    np.testing.assert_allclose(reader(ids + 0.01), reader(ids))


def test_token_ids_that_the_transmitter_does_not_have_are_refused(transmitter):
    from arn_keras.data.dataset import Dataset, Split
    from arn_keras.run.given import check_tokens

    def of(tokens):
        return Dataset("tiny", *[Split(tokens, np.zeros(len(tokens), int), tokens)] * 2, 2)

    check_tokens(transmitter, of(TOKENS))
    for strange in (WORDS, -1):
        tokens = TOKENS.copy()
        tokens[1, 0] = strange
        with pytest.raises(DataError, match="expected token ids from 0 to 11, which the transmitt"):
            check_tokens(transmitter, of(tokens))


def test_a_finished_run_s_link_is_checked_at_the_power_of_the_tokens_it_sends(problem):
    from arn_keras.run.stages import check

    link = {"transmitter": problem.transmitter, "receiver": problem.receiver}
    assert np.any(problem.dataset.test.source == PAD)
    check(problem, "link", link)
    twice = keras.Sequential([keras.layers.Rescaling(2.0)])(link["transmitter"].output)
    loud = {**link, "transmitter": keras.Model(link["transmitter"].input, twice)}
    with pytest.raises(ModelError, match=r"expected signals of mean square 1 .* got 4:"):
        check(problem, "link", loud)


def test_a_link_of_other_data_is_refused_for_its_ids_would_be_other_words(tmp_path, transmitter):
    dataset = tiny_texts.loaded(tiny_texts.write(tmp_path))
    fitting = build_transmitter(8, len(dataset.vocabulary), width=8, depth=1, heads=2)
    Text(length=8).check_link({"transmitter": fitting}, dataset)
    with pytest.raises(ModelError, match="expected sentences of 6 tokens and 12 ids"):
        Text(length=8).check_link({"transmitter": transmitter}, dataset)


class _SmallText(Text):
    """The scenario with one narrow layer at each end of its link."""

    def build_link(self, dataset):
        """Of the words of the data set, as the scenario's own."""
        size = self.length, len(dataset.vocabulary)
        return [build(*size, width=16, depth=1) for build in (build_transmitter, build_receiver)]


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """The scenario on tiny sentences, its link and Eve untrained."""
    files = tuple(tiny_texts.write(tmp_path_factory.mktemp("text"), train=48))
    scenario = _SmallText(text=files, length=6, vocabulary=30)
    dataset = scenario.dataset("auto", None, None)
    link = dict(zip(("transmitter", "receiver"), scenario.build_link(dataset), strict=True))
    eve = {"classifier": scenario.build_classifier("token_conv", (6, 16), dataset.classes)}
    options = {"epochs": 1, "batch_size": 16, "knowledge": "white"}
    small = {"block_width": 16, "block_depth": 1}
    config = Config(scenario="text", problem=scenario, **options, **small).resolve("tiny", 48)
    return Problem(config, dataset, {"link": link, "token_conv": eve}.get)


def test_an_eve_with_bobs_receiver_reads_his_sentences_and_the_audit_counts_what_is_sent(problem):
    from arn_keras.audit.bob import bob
    from arn_keras.audit.kerckhoffs import kerckhoffs
    from arn_keras.audit.wiretap import Wiretap
    from arn_keras.pair.chain import Protection

    signals = problem.signals, problem.transmit(problem.dataset.test)
    none = Protection("none")
    tap = Wiretap(problem, signals, snr_db=10.0, psr_db=-10.0, protection=none, seed=0)
    assert bob(tap)["sent_power"] == pytest.approx(1, abs=1e-5)
    assert tap.receive(signals[1][:2]).shape == (2, 6)  # ids, not logits of every word
    clean, _ = kerckhoffs(tap, TINY)
    assert clean.logits.shape == (60, 3)
    attack = tap.clean[clean.eve]
    read = attack.classifier(problem.dataset.test.source.astype("float32"))
    assert np.mean(np.argmax(read, 1) == problem.dataset.test.label) > 0.6  # one word tells


def test_the_scenario_trains_a_pair_that_moves_only_the_modules(problem):
    dataset = problem.dataset
    models = problem.transmitter, problem.receiver, problem.classifier("token_conv")
    before = [model.get_weights() for model in models]
    pair = problem.train("arn/white")
    after = [model.get_weights() for model in models]
    for one, other in zip(before, after, strict=True):
        assert all(map(np.array_equal, one, other))
    measure = problem.evaluation("token_conv")
    row = measure.row(dataset.test, 10.0, pair["transmitter"], pair["receiver"])
    assert row["sent_power"] == pytest.approx(1, abs=0.2)
    assert 0 <= row["bleu4"] <= row["bleu1"] <= 1
    assert row["sources"] == 60
    plain = measure.row(dataset.test, 10.0)
    assert plain["sent_power"] == pytest.approx(1, abs=1e-5)
