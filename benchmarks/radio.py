"""Bob behind GNU Radio's air, beside the same link simulated symbol by symbol.

    python benchmarks/radio.py RUN_DIR [--frames 1000] [--seed 0] [--snr-db 0 5 10 20]

A run directory with its bundle, an ARN pair or a keyed one. For each air: frames lost; the SNR left
at the signal's symbols, 1 / mean (z^ - z)^2, and the one that the receiver reports; Bob's first
measure over the frames found, and that of z + n, n white of the nominal SNR. Needs Debian's
gnuradio (`make radio`).
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import numpy as np

from arn_keras.export import runtime
from arn_keras.export.radio import ends, listen, recording, send
from arn_keras.export.radio.frame import LEVEL
from arn_keras.power import noise_variance, ratio_to_db

ROOT = pathlib.Path(__file__).parents[1]
RATE, EACH = 250_000, 4
OFFSETS = {"frequency_offset": 0.0025, "delay": 0.3}
AIRS = {
    "white noise": {},
    "carrier +0.01 R, 0.3 samples": OFFSETS,
    "the same, three taps": {**OFFSETS, "taps": [1, 0, 0, 0, [0, 0.25], 0, 0, 0, 0.1]},
    "the same, clock 100 ppm": {"frequency_offset": 0.0025, "epsilon": 1.0001},
    "Rayleigh fading, 1e-6 fs": {"fading": [1e-6, 5]},
}


class Overheard:
    """Alice's module, and in `sent` what it put out."""

    def __init__(self, end):
        self._end, self._parts = end, []

    def protect(self, signals):
        """As the module does."""
        result = self._end.module.protect(signals)
        self._parts.append(result[1] if self._end.keyed else result)
        return result

    @property
    def sent(self):
        """z of all sources."""
        return np.concatenate(self._parts)


def keys(run_dir, folder):
    """Function from a role to the options of a fresh copy of one key; none without keys."""
    bundle = pathlib.Path(run_dir) / "bundle"
    if "keyed" not in runtime.read_manifest(bundle):
        return lambda role: {}
    runtime.new_key(bundle, folder / "key")
    secret = (folder / "key").read_bytes()

    def of(role):
        copy = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "key"
        copy.touch(0o600)
        copy.write_bytes(secret)
        counter = {"counter": folder / "key.counter"} if role == "transmitter" else {}
        return {"key": copy, **counter}

    return of


def through(folder, snr_db, seed, options):
    """The sent recording behind GNU Radio."""
    (data, meta), (heard, about) = (recording.files(folder / name) for name in ("sent", "heard"))
    voltage = LEVEL * np.sqrt(EACH * noise_variance(snr_db))
    job = json.dumps({"noise_voltage": voltage, "seed": seed, **options})
    script = ROOT / "tests" / "gnuradio_air.py"
    subprocess.run(["/usr/bin/python3", script, data, heard, job], check=True)
    found = json.loads(meta.read_text())
    del found["global"]["core:sha512"]
    about.write_text(json.dumps({**found, "annotations": []}))
    return recording.Recording(folder / "heard", RATE)


def quality(bob, frames, part):
    """Bob's first measure of received frames."""
    task, meter = bob.link.task, bob.link.task.meter()
    cleaned = [
        bob.module.clean(frame.signal, *([frame.message] if bob.keyed else [])) for frame in frames
    ]
    meter.add(bob.link.targets(part), bob.link.estimate(np.stack(cleaned)))
    return meter.fields(len(frames))[task.measures[0].field]


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--snr-db", type=float, nargs="+", default=[0, 5, 10, 20])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        of = keys(given.run_dir, folder)
        with ends.open_end(given.run_dir, "transmitter", **of("transmitter")) as alice:
            split = alice.link.split(ends.TEST).part(slice(given.frames))
            module = Overheard(alice)
            end = dataclasses.replace(alice, module=module)
            send.send(end, split, folder / "sent", symbol_rate=RATE, samples_per_symbol=EACH)
        print(f"{'air':<30}{'SNR':>4}{'lost':>6}{'left':>7}{'seen':>7}{'Bob':>9}{'as z + n':>10}")
        rng = np.random.default_rng(given.seed)
        for name, options in AIRS.items():
            for snr_db in given.snr_db:
                heard = through(folder, snr_db, given.seed + 1, options)
                figures = measure(given.run_dir, of, heard, module.sent, split, snr_db, rng)
                lost, left, seen, bob, simulated = figures
                print(
                    f"{name:<30}{snr_db:>4g}{lost:>6}{left:>7.2f}{seen:>7.2f}{bob:>9.5f}"
                    f"{simulated:>9.5f} {bob / simulated - 1:+.1%}",
                    flush=True,
                )


def measure(run_dir, of, heard, sent, split, snr_db, rng):
    """(frames lost, SNR left in dB, SNR seen in dB, Bob's measure, the simulation's)."""
    found = []
    for simulated in (False, True):
        with ends.open_end(run_dir, "receiver", **of("receiver")) as bob:
            if not simulated:
                frames = list(listen.received(bob, heard))
                numbers = np.array([frame.number for frame in frames])
                signals = np.stack([frame.signal for frame in frames])
            else:
                noise = np.sqrt(noise_variance(snr_db)) * rng.normal(size=signals.shape)
                noisy = (sent[numbers] + noise).astype(np.float32)
                frames = [
                    frame._replace(signal=signal)
                    for frame, signal in zip(frames, noisy, strict=True)
                ]
            found.append(quality(bob, frames, split.part(numbers)))
    left = 1 / np.mean((signals - sent[numbers]) ** 2)
    seen = np.mean([frame.snr for frame in frames])
    return len(split) - len(numbers), ratio_to_db(left), ratio_to_db(seen), *found


if __name__ == "__main__":
    main()
