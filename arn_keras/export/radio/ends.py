"""What stands at either end of the radio: the bundle's client, and behind it the base link.

A run directory has the base link, which encodes sources and gives estimates. A bundle alone has
none, its transmitter and receiver being deployed elsewhere: its sources and estimates are signals.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from arn_keras.data import arrays
from arn_keras.data.dataset import Split
from arn_keras.errors import ConfigError, DataError, RunDirError
from arn_keras.export import runtime
from arn_keras.export.radio.frame import Layout, complex_symbols
from arn_keras.machine.files import checked_path
from arn_keras.run.saved import SavedRun
from arn_keras.task.signal import SIGNAL

#: Bytes of a frame's number, and of a keyed pair's message header behind it.
NUMBER_BYTES, MESSAGE_BYTES = 4, 32
#: What a run's test set is called where a file of sources is asked for.
TEST = "test"


class RunLink:
    """The base link of a run.

    Args:
        problem: `run.problem.Problem`.

    Attributes:
        task: what Bob is judged by, `task.task.Task`.
        shape: of a signal.
    """

    def __init__(self, problem):
        self._problem, self.task = problem, problem.task
        self.shape = tuple(problem.transmitter.output_shape[1:])

    def split(self, file):
        """The sources of a file, `data.dataset.Split`.

        Raises:
            DataError: if they cannot be used.
        """
        dataset = self._problem.dataset
        if file == TEST:
            return dataset.test
        split = arrays.read(file) if file.endswith(".npz") else _rows(file)
        given = dataclasses.replace(dataset, train=split)
        if given.source_shape != dataset.source_shape:
            raise DataError(
                f"{file}: expected sources of {dataset.source_shape}, got {given.source_shape}"
            )
        return split

    def transmit(self, part):
        """Signals y of the sources of a part of a split."""
        return self._problem.transmit(part)

    def estimate(self, signals):
        """The receiver's estimates of cleaned signals."""
        return np.asarray(self._problem.receiver(signals, training=False))

    def targets(self, part):
        """What Bob is to recover; DataError where the file does not say it."""
        dataset = self._problem.dataset
        if part.target is None and dataset.test.target is not None:
            raise DataError("expected the array target in the file of sources, to judge Bob by")
        return np.asarray(dataset.targets(part))


class SignalLink:
    """No base link: sources, signals and estimates are the same, arrays of a shape."""

    task = SIGNAL

    def __init__(self, shape):
        self.shape = shape

    def split(self, file):
        """Signals of a `.npy` file; DataError if they are none, or of another shape."""
        if file == TEST:
            raise DataError(f"expected a run directory for --sources {TEST}, got a bundle alone")
        split = _rows(file)
        found = split.source.dtype, split.source.shape[1:]
        if found != (np.float32, self.shape):
            raise DataError(
                f"{file}: expected signals of {self.shape} in float32, which the deployed "
                f"transmitter puts out, got {found[1]} in {found[0]}"
            )
        return split

    def transmit(self, part):
        """The signals themselves."""
        return np.array(part.source)

    def estimate(self, signals):
        """The signals themselves."""
        return signals

    def targets(self, part):
        """The signals themselves."""
        return np.array(part.source)


def _rows(file):
    """The sources of a `.npy` file, left on the disk."""
    try:
        found = np.lib.format.open_memmap(checked_path(file), mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: expected sources as .npy or .npz: {error}") from None
    if found.ndim < 2 or not len(found):
        raise DataError(f"{file}: expected an array of sources, [n, ...], in a file .npy")
    return Split(found, np.zeros(len(found), np.int64))


@dataclasses.dataclass(frozen=True)
class End:
    """One end of the radio.

    Attributes:
        link: `RunLink` or `SignalLink`.
        module: of the bundle's client, Alice's or Bob's; None for the plain link.
        keyed: whether each message has a header of its own.
        identity: bytes that a frame's checksum begins with: other pairs' frames do not pass.
        shrunk: whether Bob is given symbols of least squared error, as behind an MMSE equalizer,
            and not z + n.
    """

    link: Any
    module: Any
    keyed: bool
    identity: bytes
    shrunk: bool

    @property
    def layout(self):
        """`frame.Layout` of its frames."""
        symbols = complex_symbols(self.link.shape)
        return Layout(NUMBER_BYTES + MESSAGE_BYTES * self.keyed, symbols)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.module is not None:
            self.module.close()


def open_end(place, role, *, plain=False, data_dir=None, **keys):
    """One end, `End`.

    Args:
        place: a run directory with its bundle, or a bundle.
        role: "transmitter" or "receiver".
        plain: the base link without the modules.
        data_dir: where prepared data sets are.
        **keys: of a keyed pair, as `runtime.Pair.load` takes them.

    Raises:
        ArnError, runtime.BundleError, runtime.KeyingError: if anything of it cannot be used.
    """
    place = pathlib.Path(place)
    is_run = (place / "config.json").is_file()
    bundle = place / "bundle" if is_run else place
    if plain and not is_run:
        raise RunDirError(f"{place}: expected a run directory, for its link without the modules")
    if not plain and not (bundle / "manifest.json").is_file():
        hint = f"a bundle in it: python -m export {place}" if is_run else "a bundle or a run"
        raise RunDirError(f"{place}: expected {hint}")
    if plain and any(keys.values()):
        raise ConfigError("expected no key for the link without the modules")
    saved = SavedRun.read(place) if is_run else None
    if plain:
        problem = saved.problem(data_dir)
        return End(RunLink(problem), None, False, b"plain", _shrunk(**vars(saved.config)))
    manifest = runtime.read_manifest(bundle)
    arns = [each for of_role in manifest["modules"].values() for each in of_role.values()]
    if any(name in each for each in arns for name in runtime.TOLD_INPUTS):
        raise ConfigError(f"{bundle}: expected a pair that is not told the SNR, for the radio")
    floats = [each for each in manifest["precisions"] if each != "int8-io"]
    pair = runtime.Pair.load(bundle, floats[0] if floats else None, role, **keys)
    module = pair.alice if role == runtime.ROLES[0] else pair.bob
    if saved:
        link, air = RunLink(saved.problem(data_dir)), vars(saved.config)
    else:
        link, air = SignalLink(_shape(manifest, role)), manifest
    return End(link, module, "keyed" in manifest, bytes.fromhex(pair.identity), _shrunk(**air))


def _shrunk(channel, csi, equalizer="mmse", **_):
    return channel != "awgn" and csi != "none" and equalizer == "mmse"


def _shape(manifest, role):
    entries = [*manifest["modules"].get(role, {}).values()] or [manifest["keyed"][role]]
    return tuple(entries[0]["signal_shape"])
