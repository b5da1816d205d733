"""Bundles of small untrained pairs, made by the exporter's own functions, in seconds."""

import json
import shutil
from typing import Any, NamedTuple

import numpy as np

PRECISIONS = ("float32", "int8", "int8-io")
SHAPE = (8,)
SOURCES = 200


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
    """Makes a run directory of real data, trained briefly, without a bundle."""
    import keras

    from arn_keras import EavesdropperLink, SecureLink, SemanticLink
    from arn_keras.eavesdropper import build_eavesdropper
    from arn_keras.semantic import build_receiver, build_transmitter
    from arn_keras.system import transmit

    keras.utils.set_random_seed(0)
    sources, labels = np.asarray(dataset.train.images), np.asarray(dataset.train.labels)
    shape, how = dataset.source_shape, {"epochs": epochs, "batch_size": 64, "verbose": 0}
    link = SemanticLink(build_transmitter(shape), build_receiver(shape))
    link.compile(keras.optimizers.Adam(2e-3), "mse")
    link.fit(sources, snr_db=10.0, **how)
    signals = transmit(link.transmitter, sources)
    eve = build_eavesdropper(signals.shape[1:], dataset.classes)
    spy = EavesdropperLink(eve)
    spy.compile(
        keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    spy.fit(signals, labels, snr_db=10.0, **how)
    pair = SecureLink(link.transmitter, link.receiver, eve)
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


class TinyBundle(NamedTuple):
    """A bundle and the Keras models it was made of.

    `signal` is what the transmitter puts out for the test sources, `received` what Bob hears.
    """

    path: Any
    alice: Any
    bob: Any
    signal: Any
    received: Any


def tiny_pair(seed, shape=SHAPE):
    """Two ARNs with random weights of everyday size."""
    import keras

    from arn_keras.arn import build_receiver_arn, build_transmitter_arn

    generator = np.random.default_rng(seed)
    pair = build_transmitter_arn(shape, (16,)), build_receiver_arn(shape, (16,))
    for module in pair:
        module.set_weights([generator.normal(0, 0.3, w.shape) for w in module.weights])
    assert keras.backend.backend() == "tensorflow"
    return pair


def conversion(bundle, handover, seed=0, precisions=PRECISIONS):
    """Stands in for the process of `export.conversion`: same files, untrained models."""
    from arn_keras.eavesdropper import build_eavesdropper
    from arn_keras.litert import convert, convert_all, operators
    from arn_keras.semantic import build_receiver

    generator = np.random.default_rng(seed)
    alice, bob = tiny_pair(seed)
    receiver = build_receiver((4, 4, 1), SHAPE[0], 16)
    eve = build_eavesdropper(SHAPE, 3, (16,))

    def normal(*shape):
        return generator.normal(size=shape).astype("float32")

    signal = normal(SOURCES, *SHAPE)
    sent, noise = alice.predict(signal, verbose=0), 0.3 * normal(2, 1, SOURCES, *SHAPE)
    arrays = {
        "source": generator.integers(0, 256, (SOURCES, 4, 4, 1), np.uint8),
        "label": generator.integers(0, 3, SOURCES),
        "signal": signal,
        "sent": sent,
        "bob_noise": noise[0],
        "eve_noise": noise[1],
        "cleaned": bob.predict(sent + noise[0, 0], verbose=0)[None],
    }
    for name, array in arrays.items():
        np.save(handover / f"{name}.npy", array)
    (handover / "receiver.tflite").write_bytes(convert(receiver, "float32"))
    (handover / "eve.tflite").write_bytes(convert(eve, "float32"))
    modules = {}
    for role, module, seen in (
        ("transmitter", alice, signal),
        ("receiver", bob, sent + noise[0, 0]),
    ):
        modules[role] = {}
        for precision, model in convert_all(module, precisions, seen).items():
            file = f"{role}_arn.{precision}.tflite"
            (bundle / file).write_bytes(model)
            modules[role][precision] = {
                "file": file,
                "input": module.inputs[0].name,
                "output": module.output_names[0],
                "signal_shape": list(SHAPE),
                "dtype": "int8" if precision == "int8-io" else "float32",
                "operators": operators(model),
            }
    (handover / "facts.json").write_text(json.dumps({"dataset": "tiny", "modules": modules}))
    return alice, bob, signal, sent + noise[0, 0]


def tiny_bundle(path, seed=0, precisions=PRECISIONS, key=None):
    """A whole bundle, its figures measured by `export.proof`."""
    from export import manifest, proof, runtime

    bundle, handover = path / f"pair-{seed}", path / f"handover-{seed}"
    bundle.mkdir()
    handover.mkdir()
    models = conversion(bundle, handover, seed, precisions)
    shutil.copyfile(runtime.__file__, bundle / "runtime.py")
    facts = {
        "pair": f"{seed:064x}",
        "knowledge": "white",
        "precisions": list(precisions),
        "seed": seed,
        "snr_db": [10.0, 10.0],
        "psr_db": -10.0,
        **json.loads((handover / "facts.json").read_text()),
    }
    manifest.write(bundle, manifest.draft(bundle, facts))
    facts |= proof.measure(runtime, bundle, handover)
    manifest.finish(bundle, facts, handover, key)
    return TinyBundle(bundle, *models)
