"""Keras finds the package's own classes in a `.keras` file after `import arn_keras` alone.

Keras looks for a class in its register, and a class gets there when its module is imported, which
would cost `import arn_keras` TensorFlow. So stand-ins are registered, when Keras is imported or if
it is already; each brings the module when a file asks for it, and the module's own entry takes its
place. A test holds this list to the classes and functions that the package registers.
"""

import importlib
import importlib.util
import sys

_PACKAGE = __package__
CLASSES = {
    "AWGN": "channel.awgn",
    "DemapperCrossEntropy": "link.modem",
    "EavesdropperLink": "training.eavesdropper_link",
    "FusedAdam": "training.optimizer",
    "KeyedRotation": "pair.rotation",
    "MatrixRotation": "pair.haar",
    "MatchedFilter": "link.modem",
    "MinMaxLink": "training.min_max_link",
    "Modulator": "link.modem",
    "PeakLimit": "pair.peaks",
    "PurgeLink": "training.purge_link",
    "Rayleigh": "channel.rayleigh",
    "Rician": "channel.rician",
    "SecureLink": "training.secure_link",
    "SemanticLink": "training.semantic_link",
    "SignBlindFeatures": "eve.structural",
    "SymbolError": "link.modem",
    "SymbolFeatures": "eve.expert",
    "Symbols": "pair.over_symbols",
    "Unsynchronised": "channel.unsynchronised",
}
FUNCTIONS = {
    "attack_power_loss": "loss.composite",
    "eve_confidence": "loss.composite",
    "eve_entropy_gap": "loss.composite",
    "eve_log_odds": "loss.composite",
    "eve_logit_margin": "loss.composite",
    "masked_cross_entropy": "loss.tokens",
    "mean_attack_power_loss": "loss.composite",
    "mean_squared_error": "loss.composite",
    "unit_interval": "data.preprocessing",
}


def register():
    """Registers the stand-ins, now or as soon as Keras is imported."""
    if hasattr(sys.modules.get("keras"), "saving"):
        _register()
    else:
        sys.meta_path.insert(0, _WithKeras())


class _WithKeras:
    """Finds Keras as ever, and registers once it is there."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            execute = spec.loader.exec_module

            def then_register(module):
                execute(module)
                _register()

            spec.loader.exec_module = then_register
        return spec


def _register():
    import keras

    for name, home in (CLASSES | FUNCTIONS).items():
        if f"{_PACKAGE}>{name}" not in keras.saving.get_custom_objects():
            stand_in = (_class if name in CLASSES else _function)(name, home)
            keras.saving.register_keras_serializable(_PACKAGE, name)(stand_in)


def _find(name, home):
    return getattr(importlib.import_module(f"{_PACKAGE}.{home}"), name)


def _class(name, home):
    def from_config(cls, config):
        return _find(name, home).from_config(config)

    members = {"from_config": classmethod(from_config), "get_config": lambda self: {}}
    return type(name, (), members)


def _function(name, home):
    def stand_in(*args, **kwargs):
        return _find(name, home)(*args, **kwargs)

    stand_in.__name__ = name
    return stand_in
