"""Microseconds of one keyed message at Alice and at Bob, all in all, and the client's memory.

    python benchmarks/keyed_latency.py [--messages N] [--case ROTATION SYMBOLS ...]

Header, number, keystream, rotation and module, on one thread and with counter and window files: the
bundle's client on a bundle that is written for this, without proof. Memory is the process's
resident set after each tenth of the messages; TensorFlow is in another process.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import shutil
import tempfile
import time

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np

CASES = [("haar", 128), ("haar", 256), ("haar", 1024)]
CASES += [("fast", 128), ("fast", 1024), ("fast", 4096), ("fast", 16384)]


def make(bundle, name, symbols):
    """In a process with TensorFlow: a keyed bundle of these; bytes of its modules."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow()
    from arn_keras.export import manifest
    from arn_keras.export.conversion import Ends, write_modules
    from arn_keras.pair.keyed import chosen_rotation
    from arn_keras.run import channels
    from arn_keras.run.config import Config

    bundle.mkdir()
    rotation, shape = chosen_rotation(name, (symbols,)), (symbols,)
    ends = Ends(None, (rotation.build_transmitter(shape), rotation.build_receiver(shape)))
    modules = write_modules(bundle, ends, (), ())
    facts = {"pair": "0" * 64, "protection": "keyed", "knowledge": None, "precisions": []}
    facts |= {"scenario": "letter", "dataset": "none", "seed": 0, "snr_db": [10.0, 10.0]}
    facts |= {"air": channels.fields(Config()), "psr_db": None}
    manifest.copy_code(bundle, True)
    made = manifest.draft(bundle, facts | modules)
    manifest.write(bundle, made)
    return [each["bytes"] for each in made["keyed"].values()]


def resident_mb():
    """Resident set of this process, in MB."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(bundle, symbols, messages):
    """[medians in us at Alice and Bob], [MB after each tenth], largest error of what Bob gets."""
    from arn_keras.export import runtime

    key, copy = bundle.with_suffix(".key"), bundle.with_suffix(".copy")
    runtime.new_key(bundle, key)
    shutil.copyfile(key, copy)
    copy.chmod(0o600)
    signals = np.random.default_rng(0).normal(size=(16, symbols)).astype("float32")
    seconds, resident, error = np.ones((messages, 2)), [], 0.0  # ones: memory that is there
    with (
        runtime.Pair.load(
            bundle, role="transmitter", key=key, counter=f"{key}.counter"
        ) as at_alice,
        runtime.Pair.load(bundle, role="receiver", key=copy, window=f"{key}.window") as at_bob,
    ):
        protect, clean = at_alice.alice.protect, at_bob.bob.clean
        for message in range(messages):
            signal = signals[message % len(signals)]
            start = time.perf_counter()
            header, sent = protect(signal)
            between = time.perf_counter()
            cleaned = clean(sent, header)
            seconds[message] = between - start, time.perf_counter() - between
            if message % max(1, messages // 100) == 0:
                scaled = signal / np.sqrt(np.mean(signal.astype(float) ** 2))
                error = max(error, float(np.max(np.abs(cleaned - scaled))))
            if (message + 1) % max(1, messages // 10) == 0:
                resident.append(resident_mb())
    return np.median(seconds, axis=0) * 1e6, resident, error


def main():
    """Measures every case and prints a line for each."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--messages", type=int, help="(default: as many as take some seconds)")
    options.add_argument("--case", nargs=2, action="append", metavar=("ROTATION", "SYMBOLS"))
    given = options.parse_args()
    cases = [(name, int(symbols)) for name, symbols in given.case or CASES]
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        bundles = [pathlib.Path(folder) / f"{name}-{symbols}" for name, symbols in cases]
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as making:
            bytes_of = list(making.map(make, bundles, *zip(*cases, strict=True)))
        for (name, symbols), bundle, sizes in zip(cases, bundles, bytes_of, strict=True):
            messages = given.messages or (4000 if symbols * (name == "haar") < 512 else 20)
            found, resident, error = measure(bundle, symbols, messages)
            print(
                f"{name:<5}{symbols:>6} symbols: {found[0]:.0f} / {found[1]:.0f} us, modules "
                f"{sizes[0]} + {sizes[1]} bytes, {resident[0]:.1f} to {resident[-1]:.1f} MB over "
                f"{messages} messages, largest error {error:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
