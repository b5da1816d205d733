"""A module as C sources for a microcontroller: an array, its header, and an example that tests it.

The array's header can be included from C and from C++; the example is C++17 against LiteRT for
Microcontrollers and is a self-test: it returns 0 when the device gives the bundle's own answer.
"""

from arn_keras.export import runtime

_HEADER = """\
// {file}: pair {pair}. Made by export.micro; do not edit.
#ifndef {guard}
#define {guard}

// Bytes of tensor arena that the module needs (measured on a 64-bit machine: an upper bound).
#define {macro}_ARENA_BYTES {arena}
#define {macro}_SIGNAL_SIZE {size}

#ifdef __cplusplus
extern "C" {{
#endif
extern const unsigned char {name}[];
extern const unsigned int {name}_size;
#ifdef __cplusplus
}}
#endif

#endif  // {guard}
"""

_ARRAY = """\
// {file}: pair {pair}. Made by export.micro; do not edit.
#include "{name}.h"

// LiteRT reads the model in place: it must be aligned.
alignas(16) const unsigned char {name}[] = {{
{values}
}};
const unsigned int {name}_size = {bytes};
"""

_EXAMPLE = """\
// Runs {file} once and compares with the bundle's answer; returns 0 if they agree.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "{name}.h"

namespace {{

alignas(16) uint8_t arena[{macro}_ARENA_BYTES];

// {given}, and what the exporting machine answered.
const {type} kGiven[{macro}_SIGNAL_SIZE] = {{
{given_values}
}};
const {type} kAnswer[{macro}_SIGNAL_SIZE] = {{
{answer_values}
}};
{further}
}}  // namespace

int main() {{
  tflite::MicroMutableOpResolver<{count}> operators;
{adds}
  tflite::MicroInterpreter interpreter(tflite::GetModel({name}), operators, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;

  // Per signal: copy {given} in, invoke, read {taken} out.
  std::memcpy(interpreter.input(0)->data.data, kGiven, sizeof(kGiven));
{copy_further}  if (interpreter.Invoke() != kTfLiteOk) return 2;
  const {type}* answer = static_cast<const {type}*>(interpreter.output(0)->data.data);

  for (int i = 0; i < {macro}_SIGNAL_SIZE; ++i) {{
    const float difference = static_cast<float>(answer[i]) - static_cast<float>(kAnswer[i]);
    if (!(std::fabs(difference) <= {tolerance}f)) return 3;
  }}
  return 0;
}}
"""


_FURTHER = """\
// Of the test vectors' message 0, {of}.
const {type} {array}[{size}] = {{
{values}
}};
"""
_A_KEY = "whose key everybody knows; a device draws each message's own"
_AN_SNR = "as the module takes it: {0:g} to {1:g} dB"
_COPY_FURTHER = """\
  std::memcpy(interpreter.input(1)->data.data, {array}, sizeof({array}));
"""


def sources(name, model, entry, arena, signal, answer, tolerance, further=None):
    """C++ sources of one module.

    Args:
        name: of the array, for example "transmitter_arn".
        model: bytes of the `.tflite` file.
        entry: of the module in the manifest.
        arena: bytes of tensor arena.
        signal: one input, as the module takes it.
        answer: LiteRT's output for it.
        tolerance: largest difference of a right answer.
        further: a module's second input, if it has one: a key, or the SNR that it is told.

    Returns:
        {file name: text}.
    """
    adds = [f"  operators.Add{_camel(operator)}();" for operator in entry["operators"]]
    words = {
        "file": entry["file"],
        "pair": entry["pair"],
        "name": name,
        "guard": f"{name.upper()}_H_",
        "macro": name.upper(),
        "arena": -(-arena // 16) * 16,
        "size": signal.size,
        "bytes": len(model),
        "values": _lines([f"0x{byte:02x}" for byte in model]),
        "given": entry["input"],
        "taken": entry["output"],
        "type": "int8_t" if entry["dtype"] == "int8" else "float",
        "given_values": _lines([_number(value) for value in signal.ravel()]),
        "answer_values": _lines([_number(value) for value in answer.ravel()]),
        "count": len(adds),
        "adds": "\n".join(adds),
        "tolerance": f"{tolerance:.9e}",
        "further": "",
        "copy_further": "",
    }
    if further is not None:
        told = [name for name in runtime.TOLD_INPUTS if name in entry]
        (given,) = told or [entry["key_input"]]
        array = f"k{_camel(given)}"
        shown = {
            "of": _AN_SNR.format(*entry[given]) if told else _A_KEY,
            "type": "int8_t" if further.dtype == "int8" else "float",
            "size": further.size,
            "values": _lines([_number(value) for value in further.ravel()]),
        }
        words["further"] = _FURTHER.format(array=array, **shown)
        words["copy_further"] = _COPY_FURTHER.format(array=array)
    return {
        f"{name}.h": _HEADER.format(**words),
        f"{name}.cc": _ARRAY.format(**words),
        f"{name}_example.cc": _EXAMPLE.format(**words),
    }


def _camel(operator):
    """FULLY_CONNECTED -> FullyConnected, as in the operator resolver's methods."""
    return "".join(part.capitalize() for part in operator.split("_")).replace("Matmul", "MatMul")


def _number(value):
    return f"{value:d}" if value.dtype.kind == "i" else f"{value:.9e}f"


def _lines(items, width=12):
    return "\n".join(
        "    " + ", ".join(items[start : start + width]) + ","
        for start in range(0, len(items), width)
    )
