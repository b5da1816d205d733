"""Where a sweep keeps what is trained, and which modules a row was measured on.

DATASET/seed-N/ has the base stages, `arn/POINT/` in it the pair of each point. Where Eve hears at
another SNR than in the directory's own rows, hers and the pairs are in `eve=X/` in it.
"""

import pathlib

from arn_keras.errors import RunDirError
from arn_keras.machine.files import read_json
from arn_keras.run import records


def base(dataset, seed):
    """Folder of what the points of a data set and seed share."""
    return f"{dataset.replace('/', '-').replace(':', '-')}/seed-{seed}"


def home(path, new=0.0):
    """Eve's SNR over Bob's, in dB, of what a directory has of before that was an axis.

    Args:
        path: of a sweep.
        new: what it is in a directory that is not there yet.
    """
    file = pathlib.Path(path) / "config.json"
    if not file.exists():
        return new
    found = read_json(file)
    try:
        return float(found["config"].get("eve_snr_offset_db", new))
    except (TypeError, KeyError, AttributeError, ValueError):
        raise RunDirError(f"{file}: expected a sweep's configuration") from None


class Folders:
    """The stages of a sweep's directory, by data set, seed and point.

    Args:
        path: the sweep's directory.
        scenario: `scenario.scenario.Scenario`.
        home: see `home`.
    """

    def __init__(self, path, scenario, home=0.0):
        self.path, self.home, self._scenario = path, home, scenario

    def stage(self, dataset, seed, offset, stage):
        """Name of a base stage: "link", which knows nothing of Eve, or an eavesdropper's."""
        at_home = stage == "link" or offset == self.home
        return f"{base(dataset, seed)}/{stage if at_home else f'eve={offset:g}/{stage}'}"

    def pair(self, point):
        """Name of the stage of a point's pair; None for the plain link."""
        return point.knowledge and self.stage(*point.base, f"arn/{point.name}")

    def examples(self, dataset, seed):
        """File of the arrays of Fig. 1."""
        return self.path / base(dataset, seed) / "fgsm.npz"

    def base_sources(self, *of):
        """The stages that a base stage is made from."""
        *base, stage = of
        return [] if stage == "link" else [self.stage(*base, "link")]

    def pair_sources(self, point):
        """The stages that a point's pair is made from."""
        return [self.stage(*point.base, each) for each in ("link", *point.in_loss(self._scenario))]

    def base_done(self, *of):
        """Whether a base stage is there, as it was made."""
        return not records.why_not(self.path, self.stage(*of), self.base_sources(*of))

    def pair_done(self, point):
        """Whether a point's pair is there, made from the link and classifiers that are there."""
        return not records.why_not(self.path, self.pair(point), self.pair_sources(point))

    def made_from(self, point, eve):
        """What a row says of the modules it is measured on: sums of those that are there.

        Returns:
            {"link_sha256", "eve_sha256", "pair_sha256"}: the first digits of each.
        """
        parts = {
            "link": self.stage(*point.base, "link"),
            "eve": self.stage(*point.base, self._scenario.stage_of(eve)),
            "pair": self.pair(point),
        }
        return {
            f"{part}_sha256": records.digest(self.path, stage)
            for part, stage in parts.items()
            if stage and (self.path / stage).exists()
        }

    def stale(self, rows, names):
        """Which of these rows were measured on other modules than are there now.

        Args:
            rows: {key: row}.
            names: {key: (point, eve)} of the rows in question.
        """
        return [
            name
            for name, which in names.items()
            if name in rows
            and any(
                rows[name].get(part) not in (None, now)
                for part, now in self.made_from(*which).items()
            )
        ]
