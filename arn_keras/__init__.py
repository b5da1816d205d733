"""Secure semantic communication by paired adversarial residual networks (ARNs), in Keras.

The public names are looked up on first use, so that `import arn_keras` costs nothing and no
TensorFlow is loaded before it is needed.
"""

import importlib
from typing import TYPE_CHECKING

from arn_keras import registration

if TYPE_CHECKING:  # what type checkers and editors see, who do not follow `__getattr__`
    from arn_keras.audit.conduct import conduct as audit  # noqa: F401
    from arn_keras.channel.awgn import AWGN as AWGN
    from arn_keras.channel.listener import Listener as Listener
    from arn_keras.channel.rayleigh import Rayleigh as Rayleigh
    from arn_keras.channel.rician import Rician as Rician
    from arn_keras.data.preprocessing import unit_interval as unit_interval
    from arn_keras.errors import TrainingDiverged as TrainingDiverged
    from arn_keras.eve.dense import build_eavesdropper as build_eavesdropper
    from arn_keras.eve.dense import build_substitute as build_substitute
    from arn_keras.export.bundle import export as export
    from arn_keras.link.dense import build_receiver as build_receiver
    from arn_keras.link.dense import build_transmitter as build_transmitter
    from arn_keras.loss.composite import attack_power_loss as attack_power_loss
    from arn_keras.loss.composite import eve_confidence as eve_confidence
    from arn_keras.loss.composite import mean_squared_error as mean_squared_error
    from arn_keras.pair.arn import build_receiver_arn as build_receiver_arn
    from arn_keras.pair.arn import build_transmitter_arn as build_transmitter_arn
    from arn_keras.pair.power_kept import keep_power as keep_power
    from arn_keras.run.save import save_run as save_run
    from arn_keras.system import forward as forward
    from arn_keras.training.eavesdropper_link import EavesdropperLink as EavesdropperLink
    from arn_keras.training.min_max_link import MinMaxLink as MinMaxLink
    from arn_keras.training.secure_link import SecureLink as SecureLink
    from arn_keras.training.semantic_link import SemanticLink as SemanticLink

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
