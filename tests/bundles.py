"""Bundles of small untrained pairs, made by the exporter's own functions, in seconds."""

import json
from typing import Any, NamedTuple

import numpy as np
import pytest

from arn_keras.run.config import Config

PRECISIONS = ("float32", "int8", "int8-io")
SHAPE = (8,)
SOURCES = 200


@pytest.fixture
def converted_here(monkeypatch):
    """Exports of this test convert in this process, where TensorFlow is, and prove on few messages.

    On ten thousand, and in a process of its own, `test_proof` has it.
    """
    from arn_keras.export import bundle, conversion

    real = bundle._python

    def python(*arguments, scratch):
        if "arn_keras.export.conversion" in arguments:
            conversion.convert_run(**json.loads(arguments[-1]))
        else:
            real(*arguments, scratch=scratch)

    monkeypatch.setattr(bundle, "_python", python)
    monkeypatch.setattr(conversion, "PROOF_SIGNALS", 720)


def write_config(run, **fields):
    """A run directory's `config.json`."""
    config = {
        "dataset": "digits",
        "limit": None,
        "snr_db": [10.0, 10.0],
        "psr_db": -10.0,
        "seed": 0,
    }
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps({"config": {**config, **fields}}))


def trained_run(run, dataset, epochs=4):
    """Makes a run directory of real data, trained briefly, without a bundle; gives its pair."""
    import keras

    from arn_keras import EavesdropperLink, SecureLink, SemanticLink
    from arn_keras.data.preprocessing import unit_interval
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter
    from arn_keras.training.transmit import transmit

    keras.utils.set_random_seed(0)
    sources, labels = np.asarray(dataset.train.source), np.asarray(dataset.train.label)
    shape, how = dataset.source_shape, {"epochs": epochs, "batch_size": 64, "verbose": 0}
    link = SemanticLink(
        build_transmitter(shape), build_receiver(shape), preprocessing=unit_interval
    )
    link.compile(keras.optimizers.Adam(2e-3), "mse")
    link.fit(sources, snr_db=10.0, **how)
    signals = transmit(link.transmitter, sources, dataset.prepare)
    eve = build_eavesdropper(signals.shape[1:], dataset.classes)
    spy = EavesdropperLink(eve)
    spy.compile(
        keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    spy.fit(signals, labels, snr_db=10.0, **how)
    pair = SecureLink(link.transmitter, link.receiver, eve, preprocessing=unit_interval)
    pair.compile(keras.optimizers.Adam(2e-3))
    pair.fit(sources, labels, snr_db=10.0, psr_db=-10.0, **how)
    write_config(run, dataset=dataset.name, limit=len(sources))
    for file, model in {
        "link/transmitter": link.transmitter,
        "link/receiver": link.receiver,
        "eve/classifier": eve,
        "arn/white/transmitter": pair.transmitter_arn,
        "arn/white/receiver": pair.receiver_arn,
    }.items():
        (run / file).parent.mkdir(parents=True, exist_ok=True)
        model.save(run / f"{file}.keras")
    return pair.transmitter_arn, pair.receiver_arn


def unproven_bundle(bundle, pair, **facts):
    """A bundle of a pair in float32, converted in this process; nothing is measured on it.

    Args:
        bundle: its directory, new.
        pair: (transmitter ARN, receiver ARN).
        **facts: of the run: `scenario`, `dataset`, ...
    """
    from arn_keras.export import manifest
    from arn_keras.export.conversion import Ends, write_modules
    from arn_keras.run.channels import fields

    bundle.mkdir(parents=True)
    about = {
        **{"knowledge": "white", "pair": "0" * 64, "seed": 0, "snr_db": 10.0, "psr_db": -10.0},
        **{"air": fields(Config()), "protection": "arn", "precisions": ["float32"], **facts},
    }
    modules = write_modules(bundle, Ends(pair, None), ("float32",), (None, None))
    manifest.copy_code(bundle, False)
    manifest.write(bundle, manifest.draft(bundle, about | modules))


class TinyBundle(NamedTuple):
    """A bundle and the Keras models it was made of.

    `signal` is what the transmitter puts out for the test sources, `received` what Bob hears;
    `alice` and `bob` are the ARNs of `ends`, `keys` those that keyed modules rotated with.
    """

    path: Any
    alice: Any
    bob: Any
    signal: Any
    received: Any
    ends: Any
    keys: Any


def tiny_pair(seed, shape=SHAPE, snr_db=None, csi=False):
    """Two ARNs with random weights of everyday size, told the SNR if there is a range of it.

    With `csi` Bob's is told how well he heard each source.
    """
    import keras

    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn

    generator = np.random.default_rng(seed)
    at_bob = {"snr_db": snr_db or (10.0, 10.0), "csi": True} if csi else {"snr_db": snr_db}
    pair = [
        build_transmitter_arn(shape, (16,), snr_db=snr_db),
        build_receiver_arn(shape, (16,), **at_bob),
    ]
    for module in pair:
        module.set_weights([generator.normal(0, 0.3, w.shape) for w in module.weights])
    assert keras.backend.backend() == "tensorflow"
    return pair


def conversion(
    bundle,
    handover,
    seed=0,
    precisions=PRECISIONS,
    protection="arn",
    rotation="fast",
    snr_range_db=None,
    csi=False,
):
    """Stands in for the process of `export.conversion`: same files, untrained models."""
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.export.conversion import Ends, write_handover, write_modules
    from arn_keras.link.dense import build_receiver
    from arn_keras.pair.film import csi_range
    from arn_keras.pair.keyed import chosen_rotation
    from arn_keras.run.channels import fields

    chosen = chosen_rotation(rotation, SHAPE)
    generator = np.random.default_rng(seed)
    ends = Ends(
        tiny_pair(seed, snr_db=snr_range_db, csi=csi) if "arn" in protection else None,
        (chosen.build_transmitter(SHAPE), chosen.build_receiver(SHAPE))
        if "keyed" in protection
        else None,
    )

    def normal(*shape):
        return generator.normal(size=shape).astype("float32")

    signal, noise = normal(SOURCES, *SHAPE), 0.3 * normal(2, 1, SOURCES, *SHAPE)
    keys = ends.draw_keys(seed)
    average = snr_range_db or (10, 10)
    snr_db = np.linspace(*average, SOURCES, dtype="float32")
    known = generator.uniform(*csi_range(*average), size=(2, SOURCES)).astype("float32")
    sent = ends.protect(signal, keys, snr_db)
    received = sent + noise[0, 0]
    calibration = signal, ends.unkey(received, keys)
    levels = {"snr_db": snr_db, "csi": known[0]}
    ranges = {"snr_db": snr_range_db, "csi": csi_range(*average)}
    modules = write_modules(bundle, ends, precisions, calibration, levels, ranges)
    facts = {"dataset": "tiny", "task": "image", "pauses": False, "air": fields(Config())}
    (handover / "facts.json").write_text(json.dumps({**facts, **modules}))
    write_handover(
        handover,
        ends,
        (build_receiver((4, 4, 1), SHAPE[0], 16), build_eavesdropper(SHAPE, 3, (16,))),
        keys=keys,
        snr_db=snr_db,
        target=generator.uniform(size=(SOURCES, 4, 4, 1)).astype("float32"),
        label=generator.integers(0, 3, SOURCES),
        signal=signal,
        sent=sent,
        bob_noise=noise[0],
        bob_csi=known[:1],
        eve_noise=noise[1],
    )
    return ends, signal, keys, received


def tiny_bundle(
    path,
    seed=0,
    precisions=PRECISIONS,
    key=None,
    protection="arn",
    rotation="fast",
    snr_range_db=None,
    csi=False,
):
    """A whole bundle, its figures measured by `export.proof`."""
    from arn_keras.export import manifest, proof, runtime

    bundle, handover = path / f"pair-{seed}", path / f"handover-{seed}"
    bundle.mkdir()
    handover.mkdir()
    how = seed, precisions, protection, rotation, snr_range_db, csi
    ends, signal, keys, received = conversion(bundle, handover, *how)
    is_keyed = "keyed" in protection
    manifest.copy_code(bundle, is_keyed)
    facts = {
        "pair": f"{seed:064x}",
        "scenario": "letter",
        "protection": protection,
        "is_keyed": is_keyed,
        "knowledge": "white" if "arn" in protection else None,
        "precisions": list(precisions),
        "seed": seed,
        "snr_db": list(snr_range_db or (10.0, 10.0)),
        "psr_db": -10.0 if "arn" in protection else None,
        **json.loads((handover / "facts.json").read_text()),
    }
    manifest.write(bundle, manifest.draft(bundle, facts))
    facts |= proof.measure(runtime, bundle, handover)
    manifest.finish(bundle, facts, handover, key)
    return TinyBundle(bundle, *(ends.arns or (None, None)), signal, received, ends, keys)
