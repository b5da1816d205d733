"""Secure semantic communication by paired adversarial residual networks (ARNs), in Keras.

The public names are looked up on first use, so that `import arn_keras` costs nothing and no
TensorFlow is loaded before it is needed.
"""

import importlib

_HOMES = {
    "AWGN": "channel",
    "EavesdropperLink": "eavesdropper_link",
    "MinMaxLink": "min_max_link",
    "SecureLink": "secure_link",
    "SemanticLink": "semantic_link",
    "TrainingDiverged": "errors",
    "attack_power_loss": "losses",
    "build_eavesdropper": "eavesdropper",
    "build_receiver": "semantic",
    "build_receiver_arn": "arn",
    "build_substitute": "eavesdropper",
    "build_transmitter": "semantic",
    "build_transmitter_arn": "arn",
    "eve_confidence": "losses",
    "forward": "system",
    "mean_squared_error": "losses",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from arn_keras.backend import require_tensorflow

    require_tensorflow()
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return [*globals(), *__all__]
