"""What each listener of a run hears through, from its configuration.

The air is the same for both. What Bob knows of it is an option; Eve knows as much as there is.
"""

import inspect

from arn_keras.channel import CHANNELS
from arn_keras.channel.listener import Listener
from arn_keras.errors import ConfigError
from arn_keras.rooms import answer
from arn_keras.run.config import Config, flag

AIR = ("fast_fading", "k_factor_db")
KNOWLEDGE = ("csi", "pilots", "equalizer")


def channels(config):
    """Bob's and Eve's ears, untouched: whoever uses one makes it anew with a seed of its own.

    Args:
        config: `run.config.Config`.

    Returns:
        {"bob_channel": `channel.listener.Listener`, "eve_channel": another}, as `SecureLink` and
        `Evaluation` take them.

    Raises:
        ConfigError: for options that the channel does not have.
    """
    build = answer(CHANNELS, config.channel)
    air, knowledge = (_asked(config, build, names) for names in (AIR, KNOWLEDGE))
    eve = build(**air, snr_offset_db=config.eve_snr_offset_db)
    bob = build(**air, **knowledge)
    deaf = type(bob).hear is Listener.hear or getattr(bob, "csi", None) == "none"
    if config.csi_aware and deaf:
        got = f"--channel {config.channel} --csi {config.csi}"
        raise ConfigError(f"--csi-aware: expected a channel whose gain Bob knows, got {got}")
    return {"bob_channel": bob, "eve_channel": config.problem.overhears(eve)}


def options_of(link):
    """The options of a run whose listeners hear as a link's do, {name: value}.

    Args:
        link: of a `bob_channel` and an `eve_channel`.

    Raises:
        ConfigError: if no run has such listeners.
    """
    bob, eve = link.bob_channel, link.eve_channel
    names = [name for name in CHANNELS if answer(CHANNELS, name) is type(bob)]
    options = {name: getattr(bob, name) for name in (*AIR, *KNOWLEDGE) if hasattr(bob, name)}
    options |= {"channel": (*names, None)[0], "eve_snr_offset_db": eve.snr_offset_db}
    if names:
        made = channels(Config(**options))
        if all(_heard(made[name]) == _heard(getattr(link, name)) for name in made):
            return options
    raise ConfigError(
        f"expected channels of {', '.join(CHANNELS)}, the same air for both, Bob without an "
        f"snr_offset_db and Eve with csi='perfect', got {type(bob).__name__} and "
        f"{type(eve).__name__} of other options"
    )


def _heard(ear):
    others = ("seed", "name", "dtype")
    return type(ear), {k: v for k, v in ear.get_config().items() if k not in others}


def _asked(config, build, names):
    values = {name: getattr(config, name) for name in names}
    asked = {name: value for name, value in values.items() if value != getattr(Config, name)}
    kinds = getattr(build, "func", build).__mro__
    own = [each for each in kinds if issubclass(each, Listener)]
    known = {name for each in own for name in inspect.signature(each.__init__).parameters}
    unknown = [flag(name) for name in asked if name not in known]
    if unknown:
        raise ConfigError(f"expected options of the {config.channel} channel, got {unknown[0]}")
    return asked


def fields(config):
    """What every row says of the air, as it is in effect; None for what the channel has not.

    Returns:
        `channel`, `eve_snr_offset_db`, `fast_fading`, `k_factor_db`; and Bob's `csi`, `pilots` and
        `equalizer`, which is None where he equalises nothing.
    """
    bob = channels(config)["bob_channel"]
    found = {name: getattr(config, name) for name in ("channel", "csi", "eve_snr_offset_db")}
    found |= {name: getattr(bob, name, None) for name in (*AIR, "pilots", "equalizer")}
    return found | ({"equalizer": None} if config.csi == "none" else {})
