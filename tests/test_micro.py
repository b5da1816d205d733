import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bundles import SHAPE, tiny_pair
from tiny_bundles import tiny_bundle

from arn_keras.errors import ExportError
from arn_keras.export import micro, runtime

#: The part of LiteRT for Microcontrollers that the example uses, as its headers declare it: enough
#: for a compiler to check the example where the real headers are not there (TFLM_INCLUDE).
STUBS = {
    "tensorflow/lite/schema/schema_generated.h": """
#pragma once
namespace tflite { struct Model; const Model* GetModel(const void* buffer); }
""",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": """
#pragma once
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
namespace tflite {
struct MicroOpResolver {};
template <unsigned int count> struct MicroMutableOpResolver : MicroOpResolver {
  TfLiteStatus AddAdd(); TfLiteStatus AddSub(); TfLiteStatus AddFullyConnected();
  TfLiteStatus AddQuantize(); TfLiteStatus AddDequantize(); TfLiteStatus AddReshape();
  TfLiteStatus AddBatchMatMul(); TfLiteStatus AddGather(); TfLiteStatus AddMinimum();
  TfLiteStatus AddMul(); TfLiteStatus AddRsqrt(); TfLiteStatus AddSquare();
  TfLiteStatus AddStridedSlice(); TfLiteStatus AddSum();
};
}
""",
    "tensorflow/lite/micro/micro_interpreter.h": """
#pragma once
#include <cstddef>
#include <cstdint>
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
union TfLitePtrUnion { void* data; float* f; int8_t* int8; };
struct TfLiteTensor { TfLitePtrUnion data; };
namespace tflite {
struct MicroInterpreter {
  MicroInterpreter(const Model* model, const MicroOpResolver& operators, uint8_t* arena,
                   size_t bytes);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t index);
  TfLiteTensor* output(size_t index);
};
}
""",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("micro")
    return micro.export(tiny.path, "int8", out)


def test_the_microcontrollers_interpreter_gives_litert_s_answers(tiny):
    manifest = runtime.read_manifest(tiny.path)
    with runtime.Pair.load(tiny.path, "int8") as pair:
        for role, given, run in (
            ("transmitter", tiny.signal, pair.alice.protect),
            ("receiver", tiny.received, pair.bob.clean),
        ):
            model, _ = runtime.read_module(tiny.path, manifest, role, "int8")
            answers, _ = micro.run(model, given)
            expected = run(given)
            step = np.diff(np.unique(expected)).min()
            assert np.abs(answers - expected).max() <= 1.01 * step
            assert np.mean(answers == expected) > 0.95
            assert np.ptp(expected) > 20 * step


def test_the_arena_is_that_of_the_signals_and_the_interpreter(exported):
    _, rows = exported
    for row in rows:
        assert 2 * SHAPE[0] * 4 < row["arena_bytes"] < 4000
        assert row["steps"] <= 1.01
        assert row["equal"] > 0.95
        assert {"FULLY_CONNECTED", "QUANTIZE", "DEQUANTIZE"} <= set(row["operators"])


def _compiler(*names):
    """Path of the first of these compilers that is here."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"expected one of {names}, which no test of the C files may do without in CI")
    if found is None:
        pytest.skip(f"needs one of {names} on this machine")
    return found


def _compile(*arguments):
    compiler = _compiler("g++", "c++")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([compiler, *flags, *map(str, arguments)], check=True, timeout=120)


@pytest.mark.parametrize("role", ["transmitter", "receiver"])
def test_the_c_array_is_the_file_byte_for_byte(tiny, exported, tmp_path, role):
    out, _ = exported
    (tmp_path / "main.cc").write_text(
        f"""
#include <cstdint>
#include <cstdio>
#include "{role}_arn.h"
int main() {{
  if (reinterpret_cast<uintptr_t>({role}_arn) % 16) return 1;
  return fwrite({role}_arn, 1, {role}_arn_size, stdout) == {role}_arn_size ? 0 : 2;
}}
"""
    )
    _compile(f"-I{out}", out / f"{role}_arn.cc", tmp_path / "main.cc", "-o", tmp_path / "main")
    said = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    assert said == (tiny.path / f"{role}_arn.int8.tflite").read_bytes()


def _check_example(out, name, tmp_path):
    headers = os.environ.get("TFLM_INCLUDE")
    if headers is None:
        headers = tmp_path / "stubs"
        for header, text in STUBS.items():
            (headers / header).parent.mkdir(parents=True, exist_ok=True)
            (headers / header).write_text(text)
    includes = [f"-isystem{path}" for path in str(headers).split(os.pathsep)]
    _compile("-fsyntax-only", *includes, f"-I{out}", out / f"{name}_example.cc")


@pytest.mark.parametrize("precision", ["int8", "int8-io"])
def test_the_example_compiles(tiny, tmp_path, precision):
    out, _ = micro.export(tiny.path, precision, tmp_path / "micro")
    for role in ("transmitter", "receiver"):
        _check_example(out, f"{role}_arn", tmp_path)


KEYED = {"precisions": ("float32",), "protection": "keyed"}
BOTH = {"precisions": ("float32", "int8"), "protection": "arn+keyed"}


@pytest.mark.parametrize(
    ("seed", "options", "keys"),
    [
        (0, KEYED, "kSigns[40]"),  # 5 rounds of 8 symbols
        (0, {**KEYED, "rotation": "haar"}, "kRotation[64]"),
        (1, BOTH, "kSigns[40]"),
    ],
    ids=["keyed-fast", "keyed-haar", "arn+keyed-fast"],
)
def test_keyed_modules_run_in_float32_and_their_example_compiles(tmp_path, seed, options, keys):
    made = tiny_bundle(tmp_path, seed, **options)
    out, rows = micro.export(made.path, None, tmp_path / "micro")
    modules = ["arn", "keyed"] if options is BOTH else ["keyed"]
    names = [f"{role}_{each}" for role in ("transmitter", "receiver") for each in modules]
    assert [row["file"].partition(".")[0] for row in rows] == names
    for row, name in zip(rows, names, strict=True):
        assert "BATCH_MATMUL" in row["operators"] or "arn" in name
        if "keyed" in name:
            assert row["steps"] < 0.1  # of 5e-5: float32 all the way
            text = (out / f"{name}_example.cc").read_text()
            assert keys in text
            assert "input(1)" in text
        _check_example(out, name, tmp_path)


def test_the_header_serves_c_as_well(exported, tmp_path):
    out, _ = exported
    compiler = _compiler("gcc", "cc")
    (tmp_path / "use.c").write_text(
        '#include "transmitter_arn.h"\nunsigned int size(void) { return transmitter_arn_size; }\n'
    )
    command = [compiler, "-std=c11", "-Wall", "-Werror", f"-I{out}", "-fsyntax-only"]
    subprocess.run([*command, tmp_path / "use.c"], check=True)


def test_a_bundle_without_int8_or_a_damaged_one_is_refused(tiny, tmp_path, capsys):
    bundle = shutil.copytree(tiny.path, tmp_path / "bundle")
    file = bundle / "transmitter_arn.int8.tflite"
    file.write_bytes(file.read_bytes()[:-1])
    assert micro.main([str(bundle)]) == 2
    assert capsys.readouterr().err == (
        "export.micro: error: transmitter_arn.int8.tflite: damaged, or of another pair: its "
        "SHA-256 differs\n"
    )
    assert not (bundle / "micro").exists()
    with pytest.raises(SystemExit):
        micro.main([str(bundle), "--precision", "float32"])
    assert "invalid choice: 'float32'" in capsys.readouterr().err
    floats = tiny_bundle(tmp_path, seed=2, precisions=("float32",))
    with pytest.raises(ExportError, match="expected a bundle with int8 modules, got float32"):
        micro.export(floats.path)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("int8", 0.05)])
def test_a_module_that_keeps_the_power_runs_on_a_microcontroller_as_in_keras(precision, tolerance):
    from arn_keras import keep_power
    from arn_keras.export.litert import convert

    module = keep_power(tiny_pair(0)[0])
    signal = np.random.default_rng(0).normal(size=(60, *SHAPE)).astype("float32")
    answers, _ = micro.run(convert(module, precision, signal), signal)  # refuses what it lacks
    expected = np.asarray(module(signal))
    assert np.abs(answers - expected).max() <= tolerance * np.ptp(expected)
    power, kept = (np.mean(each**2, axis=1) for each in (answers, signal))
    np.testing.assert_allclose(power, kept, rtol=4 * tolerance)


def test_a_file_that_microcontrollers_cannot_run_says_why():
    with pytest.raises(ExportError, match="LiteRT for Microcontrollers cannot run it: "):
        micro.run(_float16(), np.zeros((1, 8), "float32"))


def _float16():
    from arn_keras.export.litert import convert

    return convert(tiny_pair(0)[0], "float16")


def test_a_missing_interpreter_is_named(tiny, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    assert micro.main([str(tiny.path)]) == 2
    assert "pip install 'arn-keras[micro]'" in capsys.readouterr().err


def test_the_command_prints_one_line_a_module_and_writes_beside_the_bundle(tiny, capsys):
    assert micro.main([str(tiny.path), "--precision", "int8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("transmitter_arn.int8.tflite: arena ")
    assert lines[-1] == f"C sources: {tiny.path / 'micro'}"
    names = {path.name for path in pathlib.Path(tiny.path / "micro").iterdir()}
    assert names == {
        f"{role}_arn{end}"
        for role in ("transmitter", "receiver")
        for end in (".h", ".cc", "_example.cc")
    }
