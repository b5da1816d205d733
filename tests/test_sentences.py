"""Words as ids, what a reading Bob is judged by, and losses that know no padding."""

import importlib.util

import numpy as np
import pytest
import tiny_texts
from keras import ops
from tiny_texts import LENGTH, TOKENS, WORDS

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
from arn_keras.errors import ArnError
from arn_keras.loss.tokens import SemanticDistance, masked_cross_entropy
from arn_keras.task import similarity
from arn_keras.task.sentences import Sentences, bleu
from arn_keras.task.text import TEXT


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
