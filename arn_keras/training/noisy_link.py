"""What every link with noise in it has in common: the SNR as a call-time argument, and its seeds.

`fit`, `evaluate` and `predict` take `snr_db`, one value or a range drawn uniformly for each
source. The value is a variable of the graph, so another one costs no new trace.
"""

import contextlib
import functools
import math

import keras
import numpy as np
import tensorflow as tf

from arn_keras.channel.awgn import draw_uniform, traced_by_xla
from arn_keras.errors import TrainingDiverged
from arn_keras.files import fit_in_memory
from arn_keras.training.batches import EpochBatches, Start, size
from arn_keras.training.devices import refuse_several_machines, twin_on_devices

# Stands in the place of an epoch's number, so that an evaluation's noise repeats.
_EVALUATION = 2**32 - 1


class NoisyLink(keras.Model):
    """A Keras model with noise inside, repeatable by (seed, epoch) and not by process state.

    NumPy arrays given to `fit` take the fast path of `batches.EpochBatches`.

    Args:
        seed: integer seed of the noise and of the order of sources.

    Attributes:
        parts: names of the constructor arguments that are Keras models.
    """

    parts = ()

    def __init_subclass__(cls, **kwargs):
        """Lets a `train_step` of the subclass have batches, never what stands for one."""
        super().__init_subclass__(**kwargs)
        if "train_step" in vars(cls):
            cls.train_step = _given_batches(cls.train_step)

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        refuse_several_machines()
        self.seed = seed
        self._tables = None
        self.snr_seed_generator = keras.random.SeedGenerator(seed)
        self.snr_range_db = self.add_weight(
            shape=(2,),
            initializer=keras.initializers.Constant(10.0),
            trainable=False,
            dtype="float32",
            name="snr_range_db",
        )

    def set_snr_db(self, snr_db):
        """Sets the SNR in dB: one value, or (low, high) drawn uniformly for each source."""
        low, high = snr_db if np.ndim(snr_db) else (snr_db, snr_db)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"expected a finite snr_db, or low <= high, got {snr_db}")
        self.snr_range_db.assign([low, high])

    def draw_snr_db(self, signal):
        """SNR in dB for each source of a batch of signals, [batch]."""
        low, high = self.snr_range_db[0], self.snr_range_db[1]
        sources = tf.shape(signal)[:1]
        return low + (high - low) * draw_uniform(sources, "float32", self.snr_seed_generator)

    def reseed(self, epoch):
        """Restarts every generator of the model, a Dropout's included, for this epoch."""
        states = [v for v in self.variables if v.name == "seed_generator_state"]
        for index, state in enumerate(states):
            word = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
            state.assign([int(word) >> 1, 0])

    def arrays(self, x, y):
        """The nest of arrays that one epoch of `fit` gathers its batches from."""
        return (x,) if y is None else (x, y)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        *,
        snr_db=None,
        shuffle=None,
        drop_remainder=False,
        callbacks=None,
        devices=1,
        **kwargs,
    ):
        """As `keras.Model.fit`, with `snr_db` in dB: one value or (low, high).

        `drop_remainder` is that of `batches.EpochBatches`, for NumPy arrays. `devices` is the
        number of accelerators of this machine that share each batch (`devices`).

        Raises:
            TrainingDiverged: if a loss term becomes NaN or infinite.
            DeviceError: if there are not so many devices.
        """
        if snr_db is not None:
            self.set_snr_db(snr_db)
        if devices > 1:
            options = {"shuffle": shuffle, "drop_remainder": drop_remainder, "callbacks": callbacks}
            with twin_on_devices(self, devices) as twin:
                return twin.fit(x, y, batch_size, **options, **kwargs)
        guards, filled = [_Reseed(), _KeepLastGood()], contextlib.nullcontext()
        options = ("sample_weight", "class_weight", "validation_split", "steps_per_epoch")
        if _is_numpy((x, y)) and all(kwargs.get(option) is None for option in options):
            arrays = self.arrays(x, y)
            if not all(map(_is_finite, keras.tree.flatten(arrays))):
                raise ValueError(
                    "expected finite sources, signals and targets, got NaN or infinity"
                )
            batches = EpochBatches(
                arrays,
                batch_size or 32,
                seed=self.seed,
                shuffle=shuffle is None or bool(shuffle),
                drop_remainder=drop_remainder,
                in_step=fit_in_memory(size(arrays)) and self._gathers(),
                tables=self._tables,
            )
            if batches.tables is not self._tables:
                self._tables, self.train_function = batches.tables, None  # its trace has the old
            guards.append(batches)
            filled = batches.filled()
            x, y, batch_size, shuffle = batches.dataset, None, None, False
        elif shuffle is None:
            shuffle = all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))
        with filled:
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                shuffle=shuffle,
                callbacks=[*guards, *(callbacks or [])],
                **kwargs,
            )

    def _gathers(self):
        """Whether a step can gather its batch: XLA has no batches of two sizes in one trace, and
        several devices share what they are given."""
        return not self.jit_compile and self.distribute_strategy.num_replicas_in_sync == 1

    def evaluate(self, *args, snr_db=None, **kwargs):
        """As `keras.Model.evaluate`, with `snr_db`; the same noise at each call."""
        if snr_db is not None:
            self.set_snr_db(snr_db)
        self.reseed(_EVALUATION)
        return super().evaluate(*args, **kwargs)

    def predict(self, *args, snr_db=None, **kwargs):
        """As `keras.Model.predict`, with `snr_db`; the same noise at each call."""
        if snr_db is not None:
            self.set_snr_db(snr_db)
        self.reseed(_EVALUATION)
        return super().predict(*args, **kwargs)

    def _batch(self, data):
        return self._tables.gather(data) if isinstance(data, Start) else data

    def tracing(self):
        """Context in which a training, test or prediction step is traced."""
        return traced_by_xla(self.jit_compile and not self.run_eagerly)

    def train_step(self, data):
        """One step of training."""
        with self.tracing():
            return super().train_step(self._batch(data))

    def test_step(self, data):
        """One step of evaluation."""
        with self.tracing():
            return super().test_step(data)

    def predict_step(self, data):
        """One step of prediction."""
        with self.tracing():
            return super().predict_step(data)

    def get_config(self):
        """Configuration for saving: the seed and the models that the link is made of."""
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in self.parts
        }
        return {**super().get_config(), "seed": self.seed, **parts}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the link and the models that it is made of."""
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in cls.parts}
        return cls(**{**config, **parts})


def signal_shape(transmitter, receiver, eavesdroppers=()):
    """Shape of one source's signal, checked to be the same wherever it is taken."""
    sent = tuple(transmitter.output_shape[1:])
    takers = [("a receiver", receiver), *(("an eavesdropper", eve) for eve in eavesdroppers)]
    for name, model in takers:
        taken = tuple(model.input_shape[1:])
        if sent != taken:
            raise ValueError(f"expected {name} of signals shaped {sent}, got {taken}")
    return sent


def _given_batches(train_step):
    @functools.wraps(train_step)
    def step(self, data):
        return train_step(self, self._batch(data))

    return step


def _is_numpy(nest):
    leaves = [leaf for leaf in keras.tree.flatten(nest) if leaf is not None]
    return bool(leaves) and all(isinstance(leaf, np.ndarray) for leaf in leaves)


def _is_finite(array):
    # An activation may turn a NaN into 0, so the signal alone does not tell.
    return array.dtype.kind != "f" or bool(np.isfinite([array.min(), array.max()]).all())


class _Reseed(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.reseed(epoch)


class _KeepLastGood(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self._epoch = 0
        self._keep()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        bad = [name for name, value in (logs or {}).items() if not np.all(np.isfinite(value))]
        if bad:
            for variable, value in zip(self.model.trainable_variables, self._good, strict=True):
                variable.assign(value)
            raise TrainingDiverged(
                f"{self.model.name}: {', '.join(bad)} became NaN or infinite in epoch "
                f"{self._epoch + 1}; the weights of the last good epoch are kept"
            )

    def on_epoch_end(self, epoch, logs=None):
        self._keep()

    def _keep(self):
        self._good = [variable.numpy() for variable in self.model.trainable_variables]
