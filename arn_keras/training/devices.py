"""One model on several devices of one machine: each takes a part of a batch, gradients are summed.

Synchronous data parallelism by `tf.distribute.MirroredStrategy`. Several machines serve sweeps
(docs/scaling.md): `MultiWorkerMirroredStrategy` does not work with the `fit` of Keras 3
(keras-team/keras, issue 20585), and is refused.
"""

import contextlib

import tensorflow as tf

from arn_keras.errors import DeviceError
from arn_keras.training.optimizer import state_of


def offer_logical_devices(count):
    """Splits the CPU in as many logical devices where there is no accelerator, to try it out.

    To be called before TensorFlow has run anything.
    """
    if not tf.config.list_physical_devices("GPU"):
        (cpu,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(cpu, parts)


def refuse_several_machines():
    """Refuses a strategy over several machines.

    Raises:
        DeviceError: inside the scope of a `MultiWorkerMirroredStrategy`.
    """
    if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        raise DeviceError(
            "expected the devices of one machine, got MultiWorkerMirroredStrategy, which does not "
            "work with the fit of Keras 3 (keras-team/keras issue 20585); several machines serve "
            "sweeps: python -m arn_keras.sweep --ray"
        )


@contextlib.contextmanager
def twin_on_devices(link, count):
    """A copy of a compiled link on several devices; what it learns is the link's when it is left.

    What `compile` was given must be what Keras can serialise.

    Args:
        link: `link.NoisyLink`, built and compiled.
        count: number of devices: the first accelerators, or else logical CPUs.

    Raises:
        DeviceError: if there are fewer devices.
    """
    compiled = link.get_compile_config()
    if compiled is None:
        raise DeviceError(
            f"expected {count} devices to share a link that Keras can serialise, got functions "
            "that are not registered in compile"
        )
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(found) < count:
        names = ", ".join(device.name.removeprefix("/device:") for device in found)
        raise DeviceError(f"expected {count} devices, got {len(found)}: {names}")
    # Logical CPUs of one process mix up their collective operations.
    on_cpus = tf.distribute.ReductionToOneDevice() if found[0].device_type == "CPU" else None
    strategy = tf.distribute.MirroredStrategy([device.name for device in found[:count]], on_cpus)
    with strategy.scope():
        twin = type(link).from_config(link.get_config())
        # Keras's loop of several steps does not run under this strategy.
        twin.compile_from_config({**compiled, "steps_per_execution": 1})
        twin.optimizer.build(twin.trainable_variables)
    _copy(link, twin)
    try:
        yield twin
    finally:
        _copy(twin, link)


def _copy(source, target):
    """Weights, and the optimiser's state where there is one."""
    target.optimizer.build(target.trainable_variables)
    if source.optimizer.built:
        for into, value in zip(*map(state_of, (target.optimizer, source.optimizer)), strict=True):
            into.assign(value)
    for into, value in zip(target.variables, source.variables, strict=True):
        into.assign(value)
