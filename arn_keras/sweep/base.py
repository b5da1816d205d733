"""A finished run as the base of a sweep: what it has trained, or was given, is taken from it."""

from arn_keras.errors import RunDirError
from arn_keras.run.directory import read_files
from arn_keras.run.stages import LINK, names


class Base:
    """Link and eavesdroppers of a run.

    Args:
        saved: `run.saved.SavedRun`.
        problem: `run.problem.Problem` of it.

    Raises:
        RunDirError: if it has no link.
        ModelError: if its link and its data do not fit.
    """

    def __init__(self, saved, problem):
        self._saved, self._problem = saved, problem
        if not self.has(LINK):
            raise RunDirError(f"{saved.path}: expected a trained link; run train.py to its end")
        self.models(LINK)

    @property
    def eve_snr_offset_db(self):
        """Eve's SNR over Bob's in dB where its eavesdroppers learnt."""
        return self._saved.config.eve_snr_offset_db

    def has(self, stage):
        """Whether the run has the models of a stage."""
        return self._saved.done(stage)

    def models(self, stage):
        """The models of a stage that it has, {name: Keras model}.

        Raises:
            ArnError: if a file is damaged, or a model does not fit.
        """
        if stage == LINK:
            return {"transmitter": self._problem.transmitter, "receiver": self._problem.receiver}
        return {"classifier": self._problem.classifier(stage)}

    def files(self, stage):
        """The same as they are stored, {name: bytes of a .keras file}."""
        self.models(stage)
        return read_files(self._saved.path, stage, *names(stage))
