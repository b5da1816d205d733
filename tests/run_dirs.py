"""Run directories of untrained models: what is measured in them is poor, but measured."""

import json

CONFIG = {
    "dataset": "digits",
    "limit": 200,
    "snr_db": [10.0, 10.0],
    "psr_db": -10.0,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "seed": 0,
}


def untrained_run(path):
    """Makes a run directory of the digits at `path`."""
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter
    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn

    models = {
        "link/transmitter": build_transmitter((8, 8, 1), 16, 16),
        "link/receiver": build_receiver((8, 8, 1), 16, 16),
        "eve/classifier": build_eavesdropper((16,), 10, (16,)),
        "arn/white/transmitter": build_transmitter_arn((16,), (8,)),
        "arn/white/receiver": build_receiver_arn((16,), (8,)),
    }
    for name, model in models.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        model.save(path / f"{name}.keras")
    (path / "config.json").write_text(json.dumps({"config": CONFIG, "versions": {}}))
    return path
