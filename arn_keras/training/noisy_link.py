"""What every link with noise in it has in common: the SNR as a call-time argument, and its seeds.

`fit`, `evaluate` and `predict` take `snr_db`, one value or a range drawn uniformly for each
source. The value is a variable of the graph, so another one costs no new trace. What a link
honours of Keras, refuses, and why is in docs/keras.md.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from arn_keras.channel.awgn import draw_uniform
from arn_keras.counts import refuse_below
from arn_keras.errors import ConfigError
from arn_keras.machine.files import fit_in_memory
from arn_keras.training import arrays as whole
from arn_keras.training import given
from arn_keras.training.batches import EpochBatches, size
from arn_keras.training.compiled import clear_errors
from arn_keras.training.devices import refuse_several_machines, twin_on_devices
from arn_keras.training.frozen_parts import FrozenParts
from arn_keras.training.guards import CountedEpochs, KeepLastGood, as_list
from arn_keras.training.steps import given_batches, of_its_own, trace_anew

#: An SNR in dB: one, (low, high) drawn uniformly for each source, or as it was.
SNR_DB = float | tuple[float, float] | None
_EVALUATION = 2**32 - 1  # in the place of an epoch's number: an evaluation's noise repeats


class NoisyLink(FrozenParts):
    """A Keras model with noise inside, repeatable by (seed, epoch) and not by process state.

    NumPy arrays given to `fit` take the fast path of `batches.EpochBatches`. Nothing of the models
    that the caller handed in is changed but the weights of those that the link trains.

    Args:
        seed: integer seed of the noise and of the order of sources.
        preprocessing: Keras layer or registered function applied to what the link is given, in the
            graph; None for nothing.

    Attributes:
        epochs_done: number of epochs that this link was trained for, also before it was saved.
        epoch, in_epoch: number of the epoch that is being trained, and whether one is.
    """

    def __init__(self, seed: int = 0, preprocessing=None, **kwargs):
        # Parts have their own precision; what a link is given and puts out is in full.
        given.refuse_no_seed(seed)
        super().__init__(seed, preprocessing, **{"autocast": False, **kwargs})
        refuse_several_machines()
        self.epoch, self.in_epoch = 0, False
        self._tables = None
        self.snr_seed_generator = keras.random.SeedGenerator(seed)
        self.snr_range_db = self.add_weight(
            shape=(2,),
            initializer=keras.initializers.Constant(10.0),
            trainable=False,
            dtype="float32",
            autocast=False,  # a decibel is no part of a network
            name="snr_range_db",
        )
        self.epochs_done = self.add_weight(
            shape=(), initializer="zeros", trainable=False, dtype="int32", name="epochs_done"
        )

    def set_snr_db(self, snr_db: Any) -> None:
        """Sets the SNR in dB: one value, or (low, high) drawn uniformly for each source.

        Raises:
            ConfigError: for anything else.
        """
        self.snr_range_db.assign(given.snr_range_db(snr_db))

    def draw_snr_db(self, signal: Any) -> Any:
        """SNR in dB for each source of a batch of signals, [batch]."""
        low, high = self.snr_range_db[0], self.snr_range_db[1]
        drawn = draw_uniform(tf.shape(signal)[:1], "float32", self.snr_seed_generator)
        return low + (high - low) * drawn

    def _seed_states(self):
        return [v for v in self.variables if v.name == "seed_generator_state"]

    def reseed(self, epoch: int) -> None:
        """Restarts every generator of the model, a Dropout's included, for this epoch."""
        for index, state in enumerate(self._seed_states()):
            word = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
            state.assign([int(word) >> 1, 0])

    def arrays(self, x, y):
        """The nest of arrays that one epoch of `fit` gathers its batches from."""
        return (x,) if y is None else (x, y)

    def prepared(self, data, looked_at=False):
        """A batch as the steps take it: names, types and shapes are those that are meant.

        Args:
            data: x, (x, y) or (x, y, sample_weight).
            looked_at: whether its values were looked at before.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return keras.utils.pack_x_y_sample_weight(given.real(x), y, sample_weight)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None = None,
        *,
        snr_db: SNR_DB = None,
        shuffle: bool | None = None,
        drop_remainder: bool = False,
        devices: int = 1,
        validation_split: float = 0.0,
        validation_data: Any = None,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        initial_epoch: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """As `keras.Model.fit`, with `snr_db` in dB: one value or (low, high).

        `drop_remainder` is that of `batches.EpochBatches`, for NumPy arrays. `devices` is the
        number of accelerators of this machine that share each batch (`devices`). Epochs count on
        from call to call; `initial_epoch` says the number of the first instead.

        Raises:
            TrainingDiverged: if a loss term becomes NaN or infinite.
            DeviceError: if there are not so many devices.
            DataError: for data that would be misread.
            ConfigError: for arguments that would.
        """
        if not self.compiled or self.optimizer is None:
            got = "an optimizer in compile, got None" if self.compiled else "compile before fit"
            raise ConfigError(f"expected {got}")
        if snr_db is not None:
            self.set_snr_db(snr_db)
        refuse_below(1, batch_size=batch_size, devices=devices)
        refuse_below(0, epochs=epochs, initial_epoch=initial_epoch)
        kwargs |= {"epochs": epochs, "verbose": verbose}
        callbacks, validation_data = as_list(callbacks), whole.validation(validation_data)
        x, y, sample_weight = whole.sources(x), *map(whole.as_arrays, (y, sample_weight))
        whole.refuse_other_classes(class_weight, self.trained()[-1])
        if whole.is_numpy((x, y, sample_weight)):
            if validation_split and validation_data is None:
                parts = whole.split_off((x, y, sample_weight), validation_split)
                (x, y, sample_weight), validation_data = parts
                validation_split = 0.0
            sample_weight, class_weight = whole.weighted(y, sample_weight, class_weight)
        kwargs |= {"validation_data": validation_data, "validation_split": validation_split}
        kwargs |= {"class_weight": class_weight, "sample_weight": sample_weight}
        if devices > 1:
            options = {"shuffle": shuffle, "drop_remainder": drop_remainder, "callbacks": callbacks}
            with twin_on_devices(self, devices) as twin:
                return twin.fit(x, y, batch_size, initial_epoch=initial_epoch, **options, **kwargs)
        batches, filled = None, contextlib.nullcontext()
        if whole.is_numpy((x, y, sample_weight)) and self._may_gather(kwargs):
            arrays = self.arrays(x, y)
            arrays += () if sample_weight is None else (sample_weight,)
            for array in keras.tree.flatten(arrays):
                whole.refuse_not_finite(array)
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
            filled = batches.filled()
            x, y, batch_size, shuffle = batches.dataset, None, None, False
            kwargs["sample_weight"] = None
        else:
            trace_anew(self, "train_function", x, y)
        if batches is None and shuffle is None:
            tensors = all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))
            shuffle = tensors or isinstance(x, keras.utils.PyDataset)  # else Keras warns
        # What `initial_epoch` says is where a killed process left it.
        guards = [CountedEpochs(initial_epoch is None, batches), KeepLastGood()]
        with filled, clear_errors():
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                shuffle=shuffle,
                callbacks=[*guards, *callbacks],
                initial_epoch=initial_epoch or 0,
                **kwargs,
            )

    def _may_gather(self, options):
        return not any(map(options.get, ("class_weight", "validation_split", "steps_per_epoch")))

    def _gathers(self):
        """Whether a step can gather its batch: XLA has no batches of two sizes in one trace, and
        several devices share what they are given."""
        return not self.jit_compile and self.distribute_strategy.num_replicas_in_sync == 1

    @contextlib.contextmanager
    def measuring(self, snr_db: SNR_DB) -> Iterator[None]:
        """What an evaluation sets is for it alone, also in the middle of a training."""
        running = [v for metric in self.metrics for v in metric.variables] if self.in_epoch else ()
        states = *self._seed_states(), self.snr_range_db, *running
        kept = [(state, state.numpy()) for state in states]
        try:
            if snr_db is not None:
                self.set_snr_db(snr_db)
            self.reseed(_EVALUATION)
            with clear_errors():
                yield
        finally:
            for state, value in kept:
                state.assign(value)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        *args: Any,
        snr_db: SNR_DB = None,
        **kwargs: Any,
    ) -> Any:
        """As `keras.Model.evaluate`, at an SNR for this call; the same noise at each call."""
        x, y = self._given_to("test_function", x, y)
        sample_weight, _ = whole.weighted(y, whole.as_arrays(sample_weight), None)
        with self.measuring(snr_db):
            return super().evaluate(x, y, batch_size, verbose, sample_weight, *args, **kwargs)

    def predict(self, x: Any, *args: Any, snr_db: SNR_DB = None, **kwargs: Any) -> Any:
        """As `keras.Model.predict`, at an SNR for this call; the same noise at each call."""
        x, _ = self._given_to("predict_function", x, None)
        with self.measuring(snr_db):
            return super().predict(x, *args, **kwargs)

    @given_batches
    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training."""
        return super().train_step(data)

    @given_batches
    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of evaluation."""
        return super().test_step(data)

    def predict_step(self, data: Any) -> Any:
        """One step of prediction."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return of_its_own(self, super().predict_step, given.looked_at((given.real(x),)))
