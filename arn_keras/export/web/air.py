"""The page's air: white Gaussian noise at each listener, and a clock that Eve has to find."""

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.unsynchronised import Unsynchronised
from arn_keras.errors import ExportError


def air_of(problem):
    """What the page is told of a run's air: fields of `page.json`.

    Args:
        problem: `run.problem.Problem`.

    Returns:
        `eve_snr_offset_db`; `clock`, samples a symbol where Eve hears each frame with an unknown
        phase and an unknown delay of less than that, else None; `place`, reals of a place that is
        not sent where all of them are 0, else None; `keeps_power`, whether a pair sends the power
        of the plain link.

    Raises:
        ExportError: for an air that the page has not.
    """
    bob, eve = problem.channels.values()
    if not type(bob) is type(eve.synchronised()) is AWGN:
        raise ExportError(
            "expected a run over white Gaussian noise, which is the page's air, got one over "
            f"{problem.config.channel}"
        )
    return {
        "eve_snr_offset_db": eve.snr_offset_db,
        "clock": eve.samples_per_symbol if isinstance(eve, Unsynchronised) else None,
        "place": problem.signal_shape[-1] if problem.scenario.pauses else None,
        "keeps_power": problem.keeps_power,
    }
