"""Secure semantic communication by paired adversarial residual networks (ARNs), in Keras.

The public names are looked up on first use, so that `import arn_keras` costs nothing and no
TensorFlow is loaded before it is needed.
"""

import importlib

from arn_keras import registration

_HOMES = {
    "AWGN": "channel.awgn",
    "EavesdropperLink": "training.eavesdropper_link",
    "Listener": "channel.listener",
    "MinMaxLink": "training.min_max_link",
    "Rayleigh": "channel.rayleigh",
    "Rician": "channel.rician",
    "SecureLink": "training.secure_link",
    "SemanticLink": "training.semantic_link",
    "TrainingDiverged": "errors",
    "attack_power_loss": "loss.composite",
    "build_eavesdropper": "eve.dense",
    "build_receiver": "link.dense",
    "build_receiver_arn": "pair.arn",
    "build_substitute": "eve.dense",
    "build_transmitter": "link.dense",
    "build_transmitter_arn": "pair.arn",
    "eve_confidence": "loss.composite",
    "forward": "system",
    "keep_power": "pair.power_kept",
    "mean_squared_error": "loss.composite",
    "save_run": "run.save",
    "unit_interval": "data.preprocessing",
}
# Packages that are functions too.
_ROOMS = ("audit", "export")
__all__ = sorted((*_HOMES, *_ROOMS))


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from arn_keras.backend import require_tensorflow

    require_tensorflow()
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return [*globals(), *__all__]


registration.register()
