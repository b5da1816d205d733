"""Bob behind GNU Radio's air against the same link simulated symbol by symbol.

    python benchmarks/radio.py RUN_DIR [--frames 1000] [--seed 0]

A run with an ARN pair, or a keyed one. For each air: frames lost, the SNR that is left at the
payload's symbols (1 / mean squared error of z), what the receiver takes it for, and Bob's first
measure beside that of z + n with white noise of the nominal SNR. Needs Debian's gnuradio.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from arn_keras.export import runtime  # noqa: E402
from arn_keras.export.radio import ends, listen, recording, send  # noqa: E402
from arn_keras.export.radio.frame import LEVEL  # noqa: E402
from arn_keras.power import ratio_to_db  # noqa: E402

PPM = 1e-4
AIRS = {
    "white noise": {},
    "carrier offset 0.01 R, 0.3 samples": {"frequency_offset": 0.0025, "delay": 0.3},
    "the same, three taps": {
        "frequency_offset": 0.0025,
        "delay": 0.3,
        "taps": [1, 0, 0, 0, [0, 0.25], 0, 0, 0, 0.1],
    },
    "carrier and clock 100 ppm": {"frequency_offset": 0.0025, "epsilon": 1 + PPM},
    "Rayleigh fading, 1e-6 fs": {"fading": [1e-6, 5]},
}


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, pathlib.Path(folder))


def measure(options, folder):
    """Sends once, receives behind each air."""
    keys = _keys(options.run_dir, folder)
    alice = ends.open_end(options.run_dir, "transmitter", **keys("counter"))
    split = alice.link.split(ends.TEST).part(slice(options.frames))
    sent = []
    with alice:
        link, module = alice.link, alice.module
        record = _Recorded(module, alice.keyed, sent)
        import dataclasses

        send.send(
            dataclasses.replace(alice, module=record),
            split,
            folder / "sent",
            symbol_rate=250_000,
            samples_per_symbol=4,
        )
    sent = np.concatenate(sent)
    rng = np.random.default_rng(options.seed)
    data, meta = recording.files(folder / "sent")
    heard, about = recording.files(folder / "heard")
    found = json.loads(meta.read_text())
    del found["global"]["core:sha512"], found["annotations"]
    about.write_text(json.dumps({**found, "annotations": []}))
    print(f"{'air':<36}{'SNR':>4}{'lost':>6}{'left':>8}{'estimated':>10}{'Bob':>10}{'simulated':>10}")
    for name, air in AIRS.items():
        for snr_db in (0, 5, 10, 20):
            voltage = float(np.sqrt(LEVEL**2 * 4 * 10 ** (-snr_db / 10)))
            job = json.dumps({**air, "noise_voltage": voltage, "seed": options.seed + 1})
            script = str(ROOT / "tests" / "gnuradio_air.py")
            subprocess.run(["/usr/bin/python3", script, data, heard, job], check=True)
            with ends.open_end(options.run_dir, "receiver", **keys()) as bob:
                frames = list(listen.received(bob, recording.Recording(folder / "heard", 250_000)))
                numbers = np.array([frame.number for frame in frames])
                got = np.stack([frame.signal for frame in frames])
                left = 1 / np.mean((got - sent[numbers]) ** 2)
                cleaned = [bob.module.clean(f.signal, *([f.message] * bob.keyed)) for f in frames]
                quality = _quality(link, split.part(numbers), np.stack(cleaned))
            with ends.open_end(options.run_dir, "receiver", **keys()) as bob:
                noisy = [
                    f._replace(signal=s) for f, s in zip(frames, _noisy(sent[numbers], snr_db, rng))
                ]
                cleaned = [bob.module.clean(f.signal, *([f.message] * bob.keyed)) for f in noisy]
                simulated = _quality(link, split.part(numbers), np.stack(cleaned))
            estimated = ratio_to_db(np.mean([frame.snr for frame in frames]))
            print(
                f"{name:<36}{snr_db:>4}{len(split) - len(set(numbers)):>6}{ratio_to_db(left):>8.2f}"
                f"{estimated:>10.2f}{quality:>10.5f}{simulated:>10.5f} {quality / simulated - 1:+.1%}",
                flush=True,
            )


def _noisy(sent, snr_db, rng):
    return (sent + 10 ** (-snr_db / 20) * rng.normal(size=sent.shape)).astype(np.float32)


class _Recorded:
    def __init__(self, module, keyed, sent):
        self._module, self._keyed, self._sent = module, keyed, sent

    def protect(self, signals):
        result = self._module.protect(signals)
        self._sent.append(result[1] if self._keyed else result)
        return result


def _quality(link, split, cleaned):
    meter = link.task.meter()
    for start in range(0, len(cleaned), 500):
        part = slice(start, start + 500)
        meter.add(link.targets(split.part(part)), link.estimate(cleaned[part]))
    return meter.fields(len(cleaned))[link.task.measures[0].field]


def _keys(run_dir, folder):
    bundle = pathlib.Path(run_dir) / "bundle"
    if not runtime.read_manifest(bundle).get("keyed"):
        return lambda *_: {}
    key = folder / "key"
    runtime.new_key(bundle, key)
    content = key.read_bytes()

    def of_end(counter=None):
        copy = folder / "key.copy"
        copy.unlink(missing_ok=True)
        copy.touch(0o600)
        copy.write_bytes(content)
        return {"key": copy, **({"counter": folder / "key.counter"} if counter else {})}

    return of_end


if __name__ == "__main__":
    main()
