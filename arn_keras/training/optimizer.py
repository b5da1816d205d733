"""The optimiser of every stage: Adam whose update of a weight is one operation.

That of Keras is ten, each of which reads and writes the whole weight; on a processor this is a
tenth of a training step of networks as small as the ARNs.
"""

import functools

import keras
import tensorflow as tf

from arn_keras.errors import ConfigError


@keras.saving.register_keras_serializable("arn_keras")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with TensorFlow's kernel for it; the same up to rounding.

    Kingma and Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015; the bias correction is
    in the step, and epsilon is added after it, as in Keras.
    """

    _of_step = None

    def apply(self, grads, trainable_variables=None):
        """Moves the weights, which share what of the step is the same for all of them."""
        self._of_step = functools.cache(self._scalars)
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._of_step = None  # tensors of this trace

    def _scalars(self, dtype):
        """Of this step, as ResourceApplyAdam names them."""
        step = tf.cast(self.iterations + 1, dtype)
        beta1, beta2 = (tf.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
        powers = {"beta1_power": beta1**step, "beta2_power": beta2**step}
        epsilon = tf.cast(self.epsilon, dtype)
        return {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, **powers}

    def update_step(self, gradient, variable, learning_rate):
        """Moves one weight, with its two moments."""
        if self.amsgrad:  # TensorFlow's kernel has none
            return super().update_step(gradient, variable, learning_rate)
        of_step = self._of_step or self._scalars
        index = self._get_variable_index(variable)
        moments = self._momentums[index].value, self._velocities[index].value
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            grad=tf.cast(gradient, variable.dtype),
            lr=tf.cast(learning_rate, variable.dtype),
            **of_step(variable.dtype),
        )


def state_of(optimizer):
    """All variables of an optimiser, with those that Keras does not count.

    Inside a loss scale it leaves out Nadam's product of momenta, which is no list of variables.

    Args:
        optimizer: any Keras optimiser, or None.
    """
    if optimizer is None:
        return []
    of_its_own = (each for each in vars(optimizer).values() if isinstance(each, keras.Variable))
    found = [
        *optimizer.variables,
        *of_its_own,
        *state_of(getattr(optimizer, "inner_optimizer", None)),
    ]
    return list({id(each): each for each in found}.values())


def forget(optimizer, variables):
    """Sets all that an optimiser has learnt back to the beginning, which is not zero for all of it
    (a loss scale, Nadam's product of momenta); the learning rate stays as it is set.

    Args:
        optimizer: any Keras optimiser that can be made from its configuration.
        variables: that it moves.

    Raises:
        ConfigError: if it cannot.
    """
    if not optimizer.built:
        return
    try:
        new = type(optimizer).from_config(optimizer.get_config())
        new.build(variables)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ConfigError(
            f"expected an optimizer that from_config makes anew, got {optimizer.name!r}: {error}"
        ) from None
    for state, first in zip(state_of(optimizer), state_of(new), strict=True):
        if state.name != "learning_rate":
            state.assign(first)
