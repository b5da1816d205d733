import gzip
import importlib.util

import keras
import numpy as np
import pytest
import tiny_sets
import tiny_texts
from keras import ops
from wiretaps import TINY

from arn_keras.data import text as text_data
from arn_keras.data.tokens import (
    END,
    PAD,
    SPECIAL,
    UNKNOWN,
    decode,
    encode,
    sentence,
    vocabulary_of,
    with_any_words,
)
from arn_keras.errors import ArnError, DataError, ModelError
from arn_keras.eve.tokens import (
    build_sentence_reader,
    build_token_convolutional,
    build_token_dense,
    build_token_transformer,
)
from arn_keras.link.text import build_receiver, build_transmitter
from arn_keras.loss.tokens import SemanticDistance, masked_cross_entropy
from arn_keras.measure.baselines import FastGradientSign, RandomNoise
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.rotation import build_receiver_keyed, build_transmitter_keyed, random_signs
from arn_keras.power import db_to_ratio, mean_power, paused, sent_share
from arn_keras.task import similarity
from arn_keras.task.sentences import Sentences, bleu
from arn_keras.task.text import TEXT
from arn_keras.training.secure_link import SecureLink

LENGTH, WORDS = 6, 12
TOKENS = np.array([[3, 4, 5, 6, 7, END], [3, 8, END, PAD, PAD, PAD], [END, *[PAD] * 5]], np.int32)
BLOCKS = ("tokenwise", "transformer", "dense", "conv")


def _loaded(files, name="tiny", **options):
    how = {"data_dir": None, "limit": None, "text": "text", "label": "label"}
    how |= {"length": 8, "vocabulary": 40}
    return text_data.load(name, files, **{**how, **options})


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


def test_a_vocabulary_has_the_words_that_occur_twice_most_frequent_first():
    assert vocabulary_of(["b a B c", "b c d"], 10) == (*SPECIAL, "b", "c")
    assert vocabulary_of(["b a B c", "b c d"], 4) == (*SPECIAL, "b")


def test_words_are_coded_and_read_back_with_unknown_ones_cut_ends_and_padding():
    words = (*SPECIAL, "what", "is")
    tokens = encode(["What is x", "is", "is is is is is is is"], words, 5)
    assert tokens.tolist() == [
        [3, 4, UNKNOWN, END, PAD],
        [4, END, PAD, PAD, PAD],
        [4, 4, 4, 4, END],
    ]
    assert [decode(each, words) for each in tokens] == ["what is <unk>", "is", "is is is is"]
    assert sentence([4, 4, 4]) == [4, 4, 4]


def test_replaced_words_leave_ends_and_padding_and_are_any_of_the_vocabulary():
    tokens = np.tile(TOKENS, (400, 1))
    copies = with_any_words(tokens, WORDS, share=0.5, seed=0)
    assert np.array_equal(copies <= 0, tokens == PAD)
    assert np.array_equal(copies == END, tokens == END)
    words = tokens > END
    # Half of them are drawn; one in ten of these is drawn as it was.
    assert np.mean(copies[words] != tokens[words]) == pytest.approx(0.45, abs=0.03)
    assert set(np.unique(copies)) == set(range(WORDS))


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
    link.compile(task_loss=masked_cross_entropy)
    link.psr_db.assign(-40.0)
    y = {"label": np.zeros(3, int), "target": TOKENS}
    found = link.evaluate(TOKENS, y, verbose=0, return_dict=True)
    assert found["perturbation_power"] == pytest.approx(np.mean(powers), rel=1e-4)
    excess = (np.array(powers) - db_to_ratio(-40.0)) * there.mean(axis=1)  # of the frame's mean
    assert found["attack_power_loss"] == pytest.approx(np.mean(excess), rel=1e-4)
    sent = [np.mean(z[mask] ** 2) for z, mask in zip(signal + delta, there, strict=True)]
    assert found["sent_power"] == pytest.approx(np.mean(sent), rel=1e-4)
    assert keras.Model.get_config(link) is not None
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


@pytest.mark.parametrize("block", ["tokenwise", "transformer"])
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_modules_of_sentences_convert_and_keep_silence(block, precision, transmitter):
    from ai_edge_litert.interpreter import Interpreter

    from arn_keras.export.litert import convert

    alice = build_transmitter_arn((LENGTH, 16), block=block, pauses=True)
    signal = ops.convert_to_numpy(transmitter(np.tile(TOKENS, (20, 1))))
    interpreter = Interpreter(model_content=convert(alice, precision, signal))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], signal[1:2])
    interpreter.invoke()
    sent = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    assert np.all(sent[TOKENS[1] == PAD] == 0)
    np.testing.assert_allclose(sent, alice(signal[1:2])[0], atol=0.05)


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


def test_the_masked_cross_entropy_is_numpys_over_the_tokens_that_are_there():
    logits = np.random.default_rng(0).normal(size=(*TOKENS.shape, WORDS))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    wanted = [
        np.mean([-np.log(shares[i, t, TOKENS[i, t]]) for t in range(LENGTH) if TOKENS[i, t] != PAD])
        for i in range(len(TOKENS))
    ]
    found = masked_cross_entropy(ops.array(TOKENS, "float32"), ops.array(logits, "float32"))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_the_masked_cross_entropy_has_no_gradient_at_padding():
    import tensorflow as tf

    logits = tf.random.normal((*TOKENS.shape, WORDS))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.reduce_sum(masked_cross_entropy(TOKENS, logits))
    gradient = tape.gradient(loss, logits).numpy()
    assert np.all(gradient[TOKENS == PAD] == 0)
    assert np.all(np.abs(gradient[TOKENS != PAD]).max(-1) > 0)


def test_the_distance_of_meanings_is_numpys_and_knows_no_order_and_no_padding():
    vectors = np.random.default_rng(1).normal(size=(WORDS, 4))
    sure = 50.0 * np.eye(WORDS)
    tokens = TOKENS[:2]
    loss = SemanticDistance(vectors.astype("float32"))

    def found(read):
        return ops.convert_to_numpy(loss(tokens, ops.array(sure[read], "float32")))

    np.testing.assert_allclose(found(tokens), 0, atol=1e-5)
    turned = np.array([[END, 7, 6, 5, 4, 3], [8, 3, END, 5, 6, 7]])
    np.testing.assert_allclose(found(turned), 0, atol=1e-5)
    other = np.array([[3, 4, 5, 6, 8, END], [3, 8, END, PAD, PAD, PAD]])
    one, two = vectors[tokens[0]].sum(0), vectors[other[0]].sum(0)
    cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    np.testing.assert_allclose(found(other), [1 - cosine, 0], atol=1e-5)


def test_bleu_is_sacrebleus_own_and_unknown_words_count_as_words():
    import sacrebleu

    target = np.array([[3, 4, UNKNOWN, 6, END], [5, 6, 7, 8, END]])
    read = np.array([[3, 4, UNKNOWN, 9, END], [5, 6, 7, 8, END]])
    meter = Sentences()
    meter.add(target[:1], np.eye(WORDS)[read[:1]])
    meter.add(target[1:], read[1:].astype("float32"))
    fields = meter.fields(2)
    references, texts = [["w3 w4 w1 w6", "w5 w6 w7 w8"]], ["w3 w4 w1 w9", "w5 w6 w7 w8"]
    wanted = sacrebleu.corpus_bleu(texts, references, tokenize="none").score / 100
    assert fields["bleu4"] == pytest.approx(wanted)
    assert fields["bleu1"] == pytest.approx(7 / 8)
    assert fields["token_accuracy"] == pytest.approx(9 / 10)
    assert fields["exact"] == 0.5
    assert fields["similarity"] is None  # without words


def test_words_behind_the_first_end_do_not_count_and_a_silent_bob_scores_nothing():
    meter = Sentences()
    meter.add(np.array([[3, 4, 5, 6, END, PAD]]), np.array([[3, 4, 5, 6, END, 7]]))
    assert meter.fields(1)["bleu4"] == pytest.approx(1)
    assert meter.fields(1)["exact"] == 1
    silent = Sentences()
    silent.add(np.array([[3, 4, 5, 6, END]]), np.full((1, 5), END))
    assert silent.fields(1)["bleu4"] == 0
    assert bleu(["3 4 5 6"], ["6 5 4 3"], 1) == pytest.approx(1)
    assert bleu(["3 4 5 6"], ["6 5 4 3"], 4) < 0.5


def test_similarity_is_there_only_where_the_three_packages_are(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not similarity.available()


def test_the_pair_may_be_trained_for_similar_meaning_where_the_encoder_is(monkeypatch, tmp_path):
    from arn_keras.rooms import answer
    from arn_keras.scenario.text import Text as Scenario
    from arn_keras.task import TASKS

    scenario = Scenario(task_loss="similarity", text=tuple(tiny_texts.write(tmp_path)), length=6)
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    monkeypatch.setattr(similarity, "available", lambda: True)
    monkeypatch.setattr(similarity, "word_vectors", lambda words: vectors[: len(words)])
    dataset = scenario.dataset("auto", None, None)
    task = answer(TASKS, scenario.task(dataset)).of(dataset)
    assert task.link_loss is masked_cross_entropy  # the base link reads words, whatever the pair
    sent = dataset.test.source[:2]
    logits = 50.0 * np.eye(len(dataset.vocabulary), dtype="float32")[sent]
    np.testing.assert_allclose(task.task_loss(sent, logits), 0, atol=1e-5)
    monkeypatch.setattr(similarity, "available", lambda: False)
    with pytest.raises(ArnError, match=r"--task-loss similarity: expected the encoder of sent"):
        scenario.dataset("auto", None, None)


def test_similarity_of_equal_sentences_is_one_without_the_encoder(monkeypatch):
    monkeypatch.setattr(similarity, "_model", None)
    assert similarity.similarities(["a b"], ["a b"]).tolist() == [1.0]


def test_examples_are_shown_as_words_and_drawn(tmp_path):
    from arn_keras.data.dataset import Dataset

    words = (*SPECIAL, "who", "is")
    task = TEXT.of(Dataset("tiny", None, None, 2, vocabulary=words))
    shown = task.shown(
        {
            "source": np.array([[3, 4, END]]),
            "label": np.array([1]),
            "bob_original": np.eye(5)[[[3, END, 4]]],
            "eve_original": np.array([0]),
            "eve_original/other": np.array([1]),
        }
    )
    assert shown["source"].tolist() == ["who is"]
    assert shown["bob_original"].tolist() == ["who"]
    task.picture(tmp_path / "examples.png", shown, {"original": {"bleu4": 0.5}}, "title")
    assert (tmp_path / "examples.png").stat().st_size > 5000


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


def test_files_are_read_and_the_labels_are_numbered_by_name(tmp_path):
    found = _loaded(tiny_texts.write(tmp_path))
    assert (len(found.train), len(found.test), found.classes) == (240, 60, 3)
    assert found.train.label[:3].tolist() == [2, 1, 0]  # place, person, number
    assert decode(found.train.source[0], found.vocabulary).startswith("where ")
    assert "0.0% of the test set's words" in found.notes[-1]


def test_of_one_file_a_tenth_is_held_out_and_said_so(tmp_path):
    found = _loaded(tiny_texts.write(tmp_path)[:1])
    assert (len(found.train), len(found.test)) == (216, 24)
    assert "24 of 240" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no tab here\n", "line 1: expected a label, a tab and a text"),
        ("a\tone two\n\tthree\n", "line 2: expected a label, a tab and a text"),
        ("a\tone\nb\t   \n", "text 2: expected one word or more"),
        ("a\tone\na\ttwo\n", "expected two labels or more, got a"),
        ("", "expected texts, got none"),
        (b"\xff\xfe", "expected lines of text in UTF-8"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(content, said, tmp_path):
    file = tmp_path / "bad.tsv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as refused:
        _loaded([file, file])
    assert "\n" not in str(refused.value)


def test_damaged_archives_missing_files_and_foreign_test_labels_are_refused(tmp_path):
    damaged = tmp_path / "damaged.tsv.gz"
    damaged.write_bytes(gzip.compress(b"a\tone\n")[:-4])
    for file in (damaged, tmp_path / "none.tsv"):
        with pytest.raises(DataError, match="expected lines of text"):
            _loaded([file, file])
    train, test = tiny_texts.write(tmp_path)
    with open(test, "a") as file:
        file.write("weather\tis it raining ?\n")
    with pytest.raises(DataError, match="expected test labels of the training set's, got weather"):
        _loaded([train, test])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--length", "1"], "--length: expected at least 2, got 1"),
        (["--vocabulary", "3"], "--vocabulary: expected at least 4, got 3"),
        (["--text", "a", "b", "c"], "--text: expected one or two files, got 3"),
        (["--text", "/none/a.tsv", "/none/b.tsv"], "/none/a.tsv: expected lines of text in UTF-8"),
        (["--dataset", "of/pictures", "--label-feature", "kind"], "of/pictures is not prepared"),
    ],
)
def test_the_command_refuses_what_it_cannot_use_in_one_line(options, said, tmp_path, capsys):
    from arn_keras.run.command import main

    arguments = ["--scenario", "text", *options, "--data-dir", str(tmp_path)]
    try:
        status = main([*arguments, "--run-dir", str(tmp_path / "run")])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_set_without_the_features_that_are_asked_for_says_which_there_are(tmp_path):
    import tensorflow_datasets as tfds

    kinds = {name: tfds.features.ClassLabel(names=["no", "yes"]) for name in ("kind", "other")}
    examples = [{"text": "Who is it ?", "kind": n % 2, "other": 0} for n in range(12)]
    tiny_sets.write_set(
        tmp_path,
        {"train": examples, "test": examples[:6]},
        name="tiny_texts",
        **{"image": None, "label": None, "text": tfds.features.Text(), **kinds},
    )
    how = {"name": "tiny_texts", "data_dir": str(tmp_path), "text": "text", "label": "kind"}
    found = _loaded((), **how)
    assert (len(found.train), len(found.test), found.classes) == (12, 6, 2)
    assert decode(found.train.source[0], found.vocabulary) == "who is it ?"
    for option, feature, fitting in (("text", "kind", "text"), ("label", "topic", "kind, other")):
        said = f"expected --{option}-feature to be one of {fitting}, got {feature}"
        with pytest.raises(DataError, match=said):
            _loaded((), **{**how, option: feature})


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


def test_without_sacrebleu_the_scenario_says_what_to_install(monkeypatch):
    from arn_keras.scenario.text import Text

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArnError, match=r"pip install 'arn-keras\[text\]'"):
        Text().dataset("auto", None, None)


def test_a_link_of_other_data_is_refused_for_its_ids_would_be_other_words(tmp_path, transmitter):
    from arn_keras.scenario.text import Text

    dataset = _loaded(tiny_texts.write(tmp_path))
    fitting = build_transmitter(8, len(dataset.vocabulary), width=8, depth=1, heads=2)
    Text(length=8).check_link({"transmitter": fitting}, dataset)
    with pytest.raises(ModelError, match="expected sentences of 6 tokens and 12 ids"):
        Text(length=8).check_link({"transmitter": transmitter}, dataset)


@pytest.fixture
def problem(tmp_path):
    """The scenario on tiny sentences, its link and Eve untrained."""
    from arn_keras.run.config import Config
    from arn_keras.run.problem import Problem
    from arn_keras.scenario.text import Text

    files = tuple(tiny_texts.write(tmp_path, train=48))
    scenario = Text(text=files, length=6, vocabulary=30)
    dataset = scenario.dataset("auto", None, None)
    link = dict(zip(("transmitter", "receiver"), scenario.build_link(dataset), strict=True))
    eve = {"classifier": scenario.build_classifier("token_conv", (6, 16), dataset.classes)}
    config = Config(
        scenario="text", problem=scenario, epochs=1, batch_size=16, knowledge="white"
    ).resolve("tiny", 48)
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
    row = problem.evaluation("token_conv").row(
        dataset.test, 10.0, pair["transmitter"], pair["receiver"]
    )
    assert row["sent_power"] == pytest.approx(1, abs=0.2)
    assert 0 <= row["bleu4"] <= row["bleu1"] <= 1
    assert row["sources"] == 60
    plain = problem.evaluation("token_conv").row(dataset.test, 10.0)
    assert plain["sent_power"] == pytest.approx(1, abs=1e-5)


def test_figure_1_is_of_pictures_and_refused_for_sentences(tmp_path, capsys):
    from arn_keras.sweep.__main__ import main

    files = tiny_texts.write(tmp_path)
    given = [
        "--scenario",
        "text",
        "--text",
        *files,
        "--figure",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*given, "--out", str(tmp_path / "out")]) == 2
    assert "--figure 1: expected pictures, got tiny" in capsys.readouterr().err
