"""A Keras model made of other models, of which it trains some and leaves the others as they are.

Frozen is what the step does not differentiate: no `trainable` flag of a model that the caller
handed in is ever set, for the caller may train it elsewhere.
"""

from typing import Any, Self

import keras

from arn_keras.counts import refuse_below
from arn_keras.errors import ConfigError
from arn_keras.training import arrays as whole
from arn_keras.training.compiled import clear_errors, loadable_config
from arn_keras.training.optimizer import state_of
from arn_keras.training.parts import loadable
from arn_keras.training.steps import given_batches, left_to_the_step, trace_anew


class FrozenParts(keras.Model):
    """What links share as Keras models: their parts, what is trained of them, and saving.

    Args:
        seed: integer.
        preprocessing: Keras layer or registered function, or None.

    Attributes:
        parts: names of the constructor arguments that are Keras models.
        channels: names of those that are channels, `channel.listener.Listener`.
        traced: names of settings that a compiled step was traced with.
        terms: names of what a training reports beside Keras's metrics.
    """

    parts: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    traced: tuple[str, ...] = ()
    terms: tuple[str, ...] = ("loss",)

    def __init_subclass__(cls, **kwargs):
        """Lets the steps of a subclass have batches."""
        super().__init_subclass__(**kwargs)
        for name in {"train_step", "test_step"} & vars(cls).keys():
            setattr(cls, name, given_batches(vars(cls)[name]))

    def __init__(self, seed, preprocessing, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.preprocessing = loadable(preprocessing)

    def __setattr__(self, name, value):
        """Sets an attribute; what the link is made of stays.

        Raises:
            ConfigError: for another part, whom a compiled step would go on without.
        """
        if name in self._saved() and name in self.__dict__:
            raise ConfigError(f"expected a new link for another {name}, got one put into this")
        if name in self.traced and value != getattr(self, name, value):
            self.train_function = self.test_function = self.predict_function = None
        super().__setattr__(name, value)

    def trained(self):
        """The models whose weights the optimiser moves; all others stay as they are."""
        raise NotImplementedError

    def compile(self, optimizer: Any = "rmsprop", **kwargs: Any) -> None:
        """As `keras.Model.compile`.

        Raises:
            ConfigError: for an optimizer of another model's weights, steps below 1, or a part that
                shares weights with those that are trained, and would be trained with them.
        """
        refuse_below(1, steps_per_execution=kwargs.get("steps_per_execution"))
        self._refuse_shared()
        super().compile(optimizer, **kwargs)
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        moved = {id(variable) for variable in getattr(inner, "_trainable_variables", ())}
        if moved and not all(id(variable) in moved for variable in self.trainable_variables):
            raise ConfigError(
                f"expected an optimizer of its own, got {self.optimizer.name!r}, which moves "
                "another model: make it anew"
            )

    def learners(self) -> list[keras.Model]:
        """The models that training moves, by whatever optimiser."""
        return self.trained()

    def _refuse_shared(self):
        together = {id(part) for part in self.trained()}  # by one optimiser, which they may share
        for learner in self.learners():
            moved = {id(variable) for variable in learner.trainable_variables}
            for name in self.parts:
                given = getattr(self, name)
                one = given is None or isinstance(given, keras.Layer)
                for part in [given] if one else given:
                    if part is None or part is learner or {id(part), id(learner)} <= together:
                        continue
                    if any(id(variable) in moved for variable in part.weights):
                        raise ConfigError(
                            f"expected {name} of weights of its own, got some of those that are "
                            "trained"
                        )

    def moving_variables(self) -> list[keras.Variable]:
        """All state that training changes."""
        found = [variable for part in self.trained() for variable in part.variables]
        return found + state_of(self.optimizer)

    @property
    def trainable_variables(self):
        """Those of the trained models alone, each once, whatever the flags of the others say."""
        found = [v for part in self.trained() for v in part.trainable_variables]
        return list({id(variable): variable for variable in found}.values())

    @property
    def trainable_weights(self):
        """As `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        """All other variables."""
        moved = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in moved]

    @property
    def non_trainable_weights(self):
        """All other weights."""
        moved = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.weights if id(variable) not in moved]

    @property
    def losses(self):
        """What the trained models add to the loss: `add_loss`, regularisation; shared ones once."""
        layers = [layer for part in self.trained() for layer in part._flatten_layers()]
        layers = {id(layer): layer for layer in (self, *layers)}.values()
        weights = [v for v in self.trainable_variables if v.regularizer is not None]
        return [loss for layer in layers for loss in layer._get_own_losses()] + [
            variable.regularizer(variable) for variable in weights
        ]

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.train_on_batch`, with noise that goes on from the last draw."""
        x, y = self._given_to("train_function", x, y)
        with clear_errors():
            return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.test_on_batch`, with noise that goes on from the last draw."""
        x, y = self._given_to("test_function", x, y)
        with clear_errors():
            return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """As `keras.Model.predict_on_batch`, with noise that goes on from the last draw."""
        x, _ = self._given_to("predict_function", x, None)
        with clear_errors():
            return super().predict_on_batch(x)

    def _given_to(self, function, x, y):
        x, y = whole.sources(x), whole.as_arrays(y)
        whole.refuse_other_lengths((x, y))
        trace_anew(self, function, x, y)
        return x, y

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As that of `keras.Model`, with errors of one line."""
        with clear_errors():
            return super().__call__(*args, **kwargs)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.save`, in Keras's own format.

        Raises:
            ConfigError: for HDF5, which holds no model of models.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ConfigError(f"expected a file that ends in .keras, got {filepath}")
        super().save(filepath, *args, **kwargs)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refused: it would quantise what the caller handed in, and stop half-way.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("expected no quantize of a link: arn_keras.export quantises its modules")

    def make_train_function(self, force: bool = False) -> None:
        """As `keras.Model.make_train_function`."""
        self._build_optimizer()  # a step that made its state would be traced a second time
        with left_to_the_step(self):
            return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> None:
        """As `keras.Model.make_test_function`."""
        with left_to_the_step(self):
            return super().make_test_function(force)

    def make_predict_function(self, force: bool = False) -> None:
        """As `keras.Model.make_predict_function`."""
        with left_to_the_step(self):
            return super().make_predict_function(force)

    def load_weights(self, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.load_weights`, the optimiser's state too where no step was done yet."""
        self._build_optimizer()
        return super().load_weights(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Configuration for saving: the seed and the models that the link is made of."""
        names = self._saved()
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        return {**super().get_config(), "seed": self.seed, **parts}

    @classmethod
    def _saved(cls):
        return *cls.parts, *cls.channels, "preprocessing"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuilds the link and the models that it is made of."""
        names = [name for name in cls._saved() if name in config]
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
        return cls(**{**config, **parts})

    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was given, for saving; None (and a warning) if it could not be loaded."""
        if not self.compiled:
            return None
        self._build_optimizer()  # a file has the optimiser's state, also of a link not yet trained
        return loadable_config(self._compile_arguments)

    def _compile_arguments(self):
        return super().get_compile_config()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as it was when saved, ready for the optimiser's state."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._build_optimizer()

    def _build_optimizer(self):
        if (
            self.optimizer
            and not self.optimizer.built
            and all(part.built for part in self.trained())
        ):
            self.optimizer.build(self.trainable_variables)
