"""`python -m export.micro BUNDLE`: modules on LiteRT for Microcontrollers, and as C arrays.

ARNs are taken in integers, keyed modules in float32, in which alone they are.

The interpreter is the one microcontrollers run (`tflite-micro`, of the extra `micro`), with its
reference kernels, on this machine; so arena bytes are an upper bound for a 32-bit device, whose
pointers are half as long. The bundle's test vectors decide whether the answers are right.
"""

import io
import pathlib
import re

import numpy as np

from arn_keras.arguments import Parser, exit_status
from arn_keras.backend import captured_stderr
from arn_keras.errors import ExportError
from arn_keras.export import PRECISIONS, carray, runtime
from arn_keras.machine.files import atomic_file
from arn_keras.rooms import answer

#: Test vectors of each role: what the module is given, and what LiteRT answered.
VECTORS = {"transmitter": ("signal", "sent"), "receiver": ("received", "cleaned")}
#: Arena that is offered, in sizes of the model and its inputs.
ROOM = 10
#: Steps of 8 bits by which two kernels may round apart.
STEPS = 2


def run(model, signals, further=None):
    """Runs a module on the microcontrollers' interpreter.

    Args:
        model: bytes of a `.tflite` file.
        signals: inputs, [signals, ...].
        further: the second input of each signal: its key, or what else the module is told.

    Returns:
        (answers, shaped like the signals; arena bytes).

    Raises:
        ExportError: if the interpreter is missing, or cannot run the module; the operator named.
    """
    try:
        from tflite_micro import runtime as micro
    except ImportError:
        raise ExportError(
            "expected the package tflite-micro: pip install 'arn-keras[micro]'"
        ) from None
    held = io.BytesIO()
    with captured_stderr(held):
        try:
            # Room enough; what is taken of it is measured. A rotation is larger than its model.
            given = [signals[:1], *([] if further is None else [np.asarray(further[0])])]
            room = ROOM * (len(model) + sum(each.nbytes for each in given))
            interpreter = micro.Interpreter.from_bytes(model, arena_size=room)
            answers = []
            for row, signal in enumerate(signals):
                interpreter.set_input(signal[None], 0)
                if further is not None:
                    interpreter.set_input(further[row][None], 1)
                interpreter.invoke()
                answers.append(interpreter.get_output(0)[0])
            interpreter.print_allocations()
            failure = None
        except (RuntimeError, ValueError) as error:
            failure = error
    said = held.getvalue().decode(errors="replace")
    if failure is not None:
        reason = (said.strip() or str(failure)).splitlines()[0]
        raise ExportError(f"LiteRT for Microcontrollers cannot run it: {reason}")
    arena = re.search(r"Arena allocation total (\d+) bytes", said)
    return np.stack(answers), int(arena[1])


def export(bundle, precision=None, out=None):
    """Runs all modules, compares them with the bundle's test vectors, and writes C sources.

    Args:
        bundle: directory of a bundle.
        precision: of the ARNs, one in integers; by default the first that the bundle has.
        out: directory for the sources; by default `micro` in the bundle.

    Returns:
        One row a module: `file`, `arena_bytes`, `flash_bytes`, `operators`, `steps` (largest
        difference from LiteRT in 8-bit steps, or for a keyed module halves of the self-test's
        tolerance), `equal` (share of values that are the same, or within a quarter of it).

    Raises:
        ExportError: if the bundle has no int8 modules, or an answer is wrong.
        runtime.BundleError: if the bundle is damaged.
    """
    manifest = runtime.read_manifest(bundle)
    vectors = _vectors(bundle, manifest)
    out = pathlib.Path(out) if out else pathlib.Path(bundle) / "micro"
    rows, sources = [], {}
    for name, ends, model, entry in _modules(bundle, manifest, precision):
        given, expected = (vectors[end] for end in ends)
        further, values = None, expected.astype(float)
        if "key_input" in entry:
            further = runtime.keys_of(bundle, manifest, entry, len(given))
            step = manifest["selftest_tolerance"]["keyed"] / STEPS
        else:
            step = float(np.diff(np.unique(values)).min())
            further = _levels(model, entry, given, vectors)
        answers, arena = run(model, given, further)
        steps = float(np.max(np.abs(answers - values))) / step
        if not steps <= STEPS + 0.01:
            raise ExportError(
                f"{entry['file']}: expected LiteRT's answers within {STEPS} steps, "
                f"got a difference of {steps:.1f}"
            )
        rows.append(
            {
                "file": entry["file"],
                "arena_bytes": arena,
                "flash_bytes": len(model),
                "operators": entry["operators"],
                "steps": steps,
                "equal": float(np.mean(np.abs(answers - values) < step / 2)),
            }
        )
        sources |= carray.sources(
            name,
            model,
            entry,
            arena,
            given[0],
            expected[0],
            STEPS * step,
            None if further is None else further[0],
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in sources.items():
            with atomic_file(out / name) as temporary:
                temporary.write_text(text)
    except OSError as error:
        raise ExportError(f"{out}: expected a directory to write to: {error.strerror}") from None
    return out, rows


def _integers():
    return [name for name in PRECISIONS if answer(PRECISIONS, name).integer]


def _modules(bundle, manifest, precision):
    """Each module's name, the names of its test vectors, its bytes and its entry."""
    has = [name for name in _integers() if name in manifest["precisions"]]
    keyed = manifest.get("keyed", {})
    if (manifest["modules"] and not has) or precision not in (None, *has):
        raise ExportError(
            f"{bundle}: expected a bundle with {precision or 'int8'} modules, "
            f"got {', '.join(manifest['precisions'])}"
        )
    for role, ends in VECTORS.items():
        if manifest["modules"]:
            chosen = precision or has[0]
            names = [f"{end}.{chosen}" for end in ends]
            yield f"{role}_arn", names, *runtime.read_module(bundle, manifest, role, chosen)
        if keyed:
            names = [f"{end}.keyed" for end in ends]
            yield f"{role}_keyed", names, *runtime.read_entry(bundle, manifest, keyed[role])


def _levels(model, entry, signals, vectors):
    """The SNR of each test vector as the module takes it; None for one that is not told it."""
    module = runtime.Alice(model, entry, 1)
    if module.told is None:
        return None
    of_row = module.levels(signals, vectors[module.told_input])
    return list(map(of_row, range(len(signals))))


def _vectors(bundle, manifest):
    (entry,) = [entry for entry in manifest["files"] if entry["file"] == "vectors.npz"]
    return runtime.read_vectors(runtime.read_file(bundle, entry))


def main(arguments=None):
    """Runs `python -m export.micro`; returns its exit status."""
    parser = Parser(
        prog="python -m export.micro",
        description="Runs a bundle's int8 ARNs and its keyed modules on LiteRT for "
        "Microcontrollers and writes them as C arrays with an example.",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="directory of a bundle")
    parser.add_argument("--precision", choices=_integers(), help="of the ARNs (default: the first)")
    parser.add_argument("--out", metavar="DIR", help="default: BUNDLE/micro")
    given = vars(parser.parse_args(arguments))
    errors = runtime.BundleError, runtime.KeyingError
    return exit_status("export.micro", lambda: _tell(*export(**given)), *errors)


def _tell(out, rows):
    for row in rows:
        print(
            f"{row['file']}: arena {row['arena_bytes']} bytes, flash {row['flash_bytes']} bytes, "
            f"{row['equal']:.2%} of answers as LiteRT's, the rest within {row['steps']:.0f} "
            f"step(s); {', '.join(row['operators'])}"
        )
    print(f"C sources: {out}")


if __name__ == "__main__":
    raise SystemExit(main())
