"""A finished run as the base of a sweep: what it has trained, or was given, is taken from it."""

from arn_keras.errors import RunDirError
from arn_keras.run import records
from arn_keras.run.directory import read_files
from arn_keras.run.stages import ARN, LINK, names


class Base:
    """Link, eavesdroppers and pairs of a run.

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

    def has_pair(self, point):
        """Whether the pair of a point is the run's own: trained as the point asks, and unchanged.

        Args:
            point: `grid.Point`, of a pair.
        """
        config, sources = self._saved.config, [LINK, *point.in_loss(self._problem.scenario)]
        asked = (point.training_snr_db, point.psr_db, point.snr_aware, point.eve_snr_offset_db)
        own = (config.snr_db, config.psr_db, config.snr_aware, config.eve_snr_offset_db)
        return (
            asked == own
            and point.black_box in (None, config.black_box)
            and not config.csi_aware
            and all(map(self.has, sources))
            and not records.why_not(self._saved.path, f"{ARN}/{point.knowledge}", sources)
        )

    def pair_files(self, point):
        """The run's pair of a point's knowledge as it is stored, {name: bytes of a .keras file}.

        Raises:
            ArnError: if a file is damaged, or a module does not fit.
        """
        stage = f"{ARN}/{point.knowledge}"
        self._problem.public(stage)
        return read_files(self._saved.path, stage, *names(stage))
