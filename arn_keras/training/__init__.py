"""The Keras models that are fitted, and what makes their training fast, exact and resumable."""

#: Who trains the modules of a protection that are no ARNs, `pair.protection.Means.trained`:
#: (receiver, signals, targets, schedule, *, snr_db, seed, checkpoint_dir) -> {name: Keras model}.
TRAINERS = {"purge": "arn_keras.training.purge_link:train"}
