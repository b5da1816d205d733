"""A sweep's plan carried out on one directory: shared stages first, then the points.

Folders: DATASET/seed-N/ with the stages of that base (`link/`, `eve/`, `substitute/`, ...) and
`arn/POINT/` for each pair; `rows.jsonl` holds every row. Only this process writes there.
"""

import dataclasses
import math

import numpy as np

from arn_keras import cost, figures, grid, points
from arn_keras.data import Split
from arn_keras.errors import ArnError, SweepError
from arn_keras.rows import RowsFile, key, read
from arn_keras.rundir import RunDirectory, atomic_file, versions
from arn_keras.training_stages import EVE_STAGES, in_loss

_FIGURE_1_PSR_DB = -10.0


class Study:
    """What a sweep is to do, and how it is done.

    Args:
        datasets: {name: `data.Dataset`}.
        configs: {(name, seed): resolved `config.Config`}.
        plan: {`grid.Point`: [(case, eve, snr_db), ...]}.
        examples: whether the arrays of Fig. 1 are wanted too.
        say: called with each line for the user.
    """

    def __init__(self, datasets, configs, plan, examples, say):
        self._datasets = datasets
        self._configs = configs
        self._plan = plan
        self._examples = examples
        self._say = say
        self._costs = {
            (name, seed): cost.Cost(
                math.prod(datasets[name].source_shape),
                len(datasets[name].train),
                len(datasets[name].test),
                datasets[name].classes,
                config,
            )
            for (name, seed), config in configs.items()
        }
