"""What each listener of a run hears through, from its configuration."""

from arn_keras.channel import CHANNELS
from arn_keras.rooms import answer


def channels(config):
    """Bob's and Eve's ears, untouched: whoever uses one makes it anew with a seed of its own.

    Args:
        config: `run.config.Config`.

    Returns:
        {"bob_channel": `channel.listener.Listener`, "eve_channel": another}, as `SecureLink` and
        `Evaluation` take them.
    """
    build = answer(CHANNELS, config.channel)
    return {
        "bob_channel": build(),
        "eve_channel": build(snr_offset_db=config.eve_snr_offset_db),
    }


def fields(config):
    """What every row says of the air: `channel`, `eve_snr_offset_db`."""
    return {name: getattr(config, name) for name in ("channel", "eve_snr_offset_db")}
