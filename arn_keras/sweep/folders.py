"""Where a sweep keeps what is trained, and which modules a row was measured on.

DATASET/seed-N/ has the base stages, `arn/POINT/` in it the pair of each point.
"""

from arn_keras.run import records


def base(dataset, seed):
    """Folder of what the points of a data set and seed share."""
    return f"{dataset.replace('/', '-').replace(':', '-')}/seed-{seed}"


class Folders:
    """The stages of a sweep's directory, by data set, seed and point.

    Args:
        path: the sweep's directory.
        scenario: `scenario.scenario.Scenario`.
    """

    def __init__(self, path, scenario):
        self.path, self._scenario = path, scenario

    def stage(self, dataset, seed, stage):
        """Name of a base stage: "link", or an eavesdropper's."""
        return f"{base(dataset, seed)}/{stage}"

    def pair(self, point):
        """Name of the stage of a point's pair; None for the plain link."""
        return point.knowledge and f"{base(point.dataset, point.seed)}/arn/{point.name}"

    def examples(self, dataset, seed):
        """File of the arrays of Fig. 1."""
        return self.path / base(dataset, seed) / "fgsm.npz"

    def in_loss(self, point):
        """Names of the classifiers in the loss of a point's pair."""
        return self._scenario.in_loss(point.knowledge, point.black_box or "single")

    def base_sources(self, dataset, seed, stage):
        """The stages that a base stage is made from."""
        return [] if stage == "link" else [self.stage(dataset, seed, "link")]

    def pair_sources(self, point):
        """The stages that a point's pair is made from."""
        return [
            self.stage(point.dataset, point.seed, each) for each in ("link", *self.in_loss(point))
        ]

    def base_done(self, dataset, seed, stage):
        """Whether a base stage is there, as it was made."""
        sources = self.base_sources(dataset, seed, stage)
        return not records.why_not(self.path, self.stage(dataset, seed, stage), sources)

    def pair_done(self, point):
        """Whether a point's pair is there, made from the link and classifiers that are there."""
        return not records.why_not(self.path, self.pair(point), self.pair_sources(point))

    def made_from(self, point, eve):
        """What a row says of the modules it is measured on: sums of those that are there.

        Returns:
            {"link_sha256", "eve_sha256", "pair_sha256"}: the first digits of each.
        """
        parts = {
            "link": self.stage(point.dataset, point.seed, "link"),
            "eve": self.stage(point.dataset, point.seed, self._scenario.stage_of(eve)),
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
