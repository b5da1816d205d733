"""A run directory that is there: its configuration, its data, its models.

What is read here may come from a stranger: JSON, arrays without pickle and Keras models in safe
mode, none of which runs code; the scenario is one that is installed, never one that the run names.
"""

import dataclasses
import os
import pathlib
import typing

from arn_keras.backend import load_tensorflow, require_tensorflow
from arn_keras.errors import ConfigError, RunDirError
from arn_keras.machine.files import read_json
from arn_keras.rooms import answer
from arn_keras.run import records
from arn_keras.run.config import Config
from arn_keras.run.directory import RunDirectory
from arn_keras.scenario import SCENARIOS
from arn_keras.scenario.scenario import choices_of, file_digest

#: Types of options that JSON has: a file's value is of one of them, or no such option's.
_PLAIN = {int, bool, str, type(None)}


def path_of(run_dir):
    """The path of a run directory; `~` is one's home.

    Raises:
        RunDirError: for what is no path, a link for example.
    """
    if isinstance(run_dir, str | os.PathLike):
        return pathlib.Path(run_dir).expanduser()
    raise RunDirError(
        f"expected the path of a run directory, got {type(run_dir).__name__}: "
        "arn_keras.save_run(path, link, train=, test=) writes one"
    )


@dataclasses.dataclass(frozen=True)
class SavedRun:
    """A finished run, or a part of one.

    Attributes:
        path: its directory.
        config: `Config`, resolved.
        identity: the configuration as it is written there.
        places: where its data were found, {option: path}.
        data: {name of the data set: its digest}; empty in older runs.
    """

    path: pathlib.Path
    config: Config
    identity: dict
    places: dict
    data: dict

    @classmethod
    def read(cls, path):
        """The run in a directory.

        Raises:
            RunDirError: if it is no run directory, or of another make.
        """
        path = path_of(path)
        file = path / "config.json"
        for missing, got in ((path, "got none"), (file, "found no config.json")):
            if not missing.exists():
                raise RunDirError(f"{path}: expected a run directory of train.py, {got}")
        found = read_json(file)
        identity = found.get("config") if isinstance(found, dict) else None
        if not isinstance(identity, dict):
            raise RunDirError(f"{file}: expected a run's configuration")
        places = found.get("places")
        places = places if isinstance(places, dict) else {}
        places = {name: each for name, each in places.items() if isinstance(each, str)}
        try:
            return cls(path, _config(identity), identity, places, records.data_of(found))
        except (ConfigError, TypeError, ValueError, KeyError) as error:
            raise RunDirError(f"{file}: expected a run's configuration: {error}") from None

    def directory(self):
        """The directory, locked inside a `with` block."""
        return RunDirectory(self.path, self.identity, {}, option="run directory")

    def done(self, stage):
        """Whether a stage is finished."""
        return (self.path / stage).is_dir()

    def digest(self, stage):
        """The models of a finished stage by their content, one word."""
        from arn_keras.run.stages import names

        files = [self.path / stage / f"{name}.keras" for name in names(stage)]
        return ",".join(map(file_digest, files))

    def dataset(self, data_dir=None):
        """The run's data, from where it found them unless another place is given.

        Raises:
            RunDirError: if they are others of the same name.
        """
        config = self.config
        found = config.problem.dataset(
            config.dataset, data_dir or self.places.get("data_dir"), config.limit, self.path
        )
        records.check_data(self.path, self.data, {found.name: found.digest()})
        return found

    def problem(self, data_dir=None, shards=1):
        """The run's problem, its models loaded on first use; loads TensorFlow.

        Args:
            data_dir: where prepared data sets are; where the run found them by default.
            shards: as `run.problem.Problem` has it.
        """
        require_tensorflow()
        dataset = self.dataset(data_dir)
        load_tensorflow(self.config.problem.splits_layers)
        from arn_keras.run.directory import load_models
        from arn_keras.run.problem import Problem
        from arn_keras.run.stages import check, names

        def load(stage):
            kept = names(stage)
            models = dict(zip(kept, load_models(self.path, stage, *kept), strict=True))
            check(problem, stage, models)
            return models

        problem = Problem(self.config, dataset, load, shards=shards)
        return problem


def _config(identity):
    """The configuration of its fields; those of an earlier version have their defaults."""
    fields = {field.name for field in dataclasses.fields(Config)}
    foreign = sorted(set(identity) - fields - {"options"})
    if foreign:
        raise ConfigError(f"unknown fields {', '.join(foreign)}")
    given = {name: value for name, value in identity.items() if name != "options"}
    low, high = given["snr_db"]
    if given.get("psr_db", 0.0) is None:
        raise ConfigError("psr_db: expected a number, got None")
    scenario = answer(SCENARIOS, given.get("scenario", Config.scenario))
    options = identity.get("options", {})
    if not isinstance(options, dict):
        raise ConfigError(f"options: expected those of the scenario, got {options!r}")
    for kind, values in ((Config, given), (scenario, options)):
        _check_values(kind, values)
    return Config(**{**given, "snr_db": (low, high)}, problem=scenario(**options))


def _check_values(kind, values):
    """Refuses what an option can never be: of another type, or none of its choices."""
    for field in dataclasses.fields(kind):
        value = values.get(field.name, field.default)
        choices = choices_of(field)
        kinds = typing.get_args(field.type) or (field.type,)
        if choices and value != field.default and value not in choices:
            raise ConfigError(f"{field.name}: expected one of {', '.join(choices)}, got {value!r}")
        if not choices and set(kinds) <= _PLAIN and type(value) not in kinds:
            names = " or ".join(each.__name__ for each in kinds)
            raise ConfigError(f"{field.name}: expected {names}, got {value!r}")
