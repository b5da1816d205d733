import keras
import numpy as np
import pytest

from arn_keras.errors import ConfigError, ExportError
from arn_keras.export import PRECISIONS
from arn_keras.export.litert import convert, convert_all, operators
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.rotation import ROUNDS, build_receiver_keyed, build_transmitter_keyed

SHAPE, HIDDEN = (128,), (256, 256)


def _signals(count=200, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


@pytest.fixture(scope="module")
def arn():
    """A transmitter ARN of the letter's shape, with weights of a trained one's size."""
    module = build_transmitter_arn(SHAPE, HIDDEN)
    generator = np.random.default_rng(1)
    module.set_weights(
        [generator.normal(0, 0.6 / np.sqrt(len(w.shape) * 64), w.shape) for w in module.weights]
    )
    return module


@pytest.fixture(scope="module")
def files(arn):
    return convert_all(arn, PRECISIONS, _signals())


def _numpy_arn(module, signal):
    """y + W3 relu(W2 relu(W1 y + b1) + b2) + b3, in float64."""
    *hidden, last = [layer for layer in module.layers if layer.weights]
    value = signal.astype(float)
    for layer in hidden:
        value = np.maximum(0, value @ layer.weights[0].numpy() + layer.weights[1].numpy())
    return signal + value @ last.weights[0].numpy() + last.weights[1].numpy()


def _interpreter(model):
    """An interpreter, and the details of its inputs and of its output."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter, *interpreter.get_input_details(), interpreter.get_output_details()[0]


def _run(model, *signals):
    interpreter, *given, taken = _interpreter(model)
    answers = []
    for row in zip(*signals, strict=True):
        for end, value in zip(given, row, strict=True):
            interpreter.set_tensor(end["index"], value[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(taken["index"])[0])
    return np.stack(answers)


def test_the_float32_file_computes_the_formula(arn, files):
    signals = _signals(20, seed=2)
    answers, truth = _run(files["float32"], signals), _numpy_arn(arn, signals)
    assert np.std(truth - signals) > 0.1  # the residual is no rounding error
    np.testing.assert_allclose(answers, truth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16", "mixed_bfloat16"])
def test_a_module_that_computes_in_other_floats_is_refused_by_their_name(dtype):
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, dtype=dtype)])
    signal = keras.Input((8,))
    module = keras.Model(signal, keras.ops.cast(inner(signal), "float32"), name="wide")
    wanted = rf"wide: expected a module that computes in float32, got {dtype.split('_')[-1]}"
    with pytest.raises(ExportError, match=wanted):
        convert(module, "float32")


def test_float16_weights_err_as_eleven_bits_do(arn, files):
    signals = _signals(20, seed=2)
    error = np.std(_run(files["float16"], signals) - _numpy_arn(arn, signals))
    assert 1e-6 < error < 2**-11


def test_int8_errs_by_less_than_a_few_of_its_steps_and_more_than_none(arn, files):
    signals = _signals(200)
    truth = _numpy_arn(arn, signals)
    step = (truth.max() - truth.min()) / 255
    error = np.std(_run(files["int8"], signals) - truth)
    assert 0.2 * step < error < 1.5 * step


def test_int8_at_the_ends_gives_the_answers_of_int8(files):
    signals = _signals(20)
    _, given, taken = _interpreter(files["int8-io"])
    (scale, zero), (out_scale, out_zero) = given["quantization"], taken["quantization"]
    quantized = np.clip(np.rint(signals / scale) + zero, -128, 127).astype(np.int8)
    answers = out_scale * (_run(files["int8-io"], quantized).astype(float) - out_zero)
    np.testing.assert_allclose(answers, _run(files["int8"], signals), atol=1.01 * out_scale)


def test_the_ranges_are_those_of_the_calibration_signals():
    module = build_transmitter_arn((8,), (16,))
    narrow = convert(module, "int8", np.clip(_signals(200, shape=(8,)), -0.5, 0.5))
    answers = _run(narrow, np.full((1, 8), 3.0, np.float32))
    assert np.all(np.abs(answers) < 1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_ends_are_named_typed_and_of_batch_one(files, precision):
    interpreter, given, taken = _interpreter(files[precision])
    kind = np.int8 if precision == "int8-io" else np.float32
    for end in (given, taken):
        assert end["shape"].tolist() == [1, *SHAPE]
        assert end["shape_signature"].tolist() == [1, *SHAPE]
        assert end["dtype"] is kind
    assert interpreter.get_signature_list() == {
        "serve": {"inputs": ["signal"], "outputs": ["sent"]}
    }


def test_files_are_as_small_as_their_weights(arn, files):
    size = {precision: len(model) for precision, model in files.items()}
    assert arn.count_params() * 4 <= size["float32"] < arn.count_params() * 4.05
    assert size["float16"] < 0.51 * size["float32"]
    assert 0.24 * size["float32"] < size["int8"] <= 0.28 * size["float32"]


def test_the_same_module_gives_the_same_bytes():
    module = build_transmitter_arn((8,), (16,))
    first, second = (convert(module, "int8", _signals(9, shape=(8,))) for _ in range(2))
    assert first == second


def test_operators_are_builtin_and_listed(files):
    assert operators(files["float32"]) == ["ADD", "FULLY_CONNECTED", "RESHAPE"]
    assert {"QUANTIZE", "DEQUANTIZE"} <= set(operators(files["int8"]))
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(operators(files["int8-io"]))


def test_a_signal_of_several_axes_keeps_its_shape():
    module = build_receiver_arn((4, 2), (16,))
    signals = _signals(5, shape=(4, 2))
    np.testing.assert_allclose(
        _run(convert(module, "float32"), signals), np.asarray(module(signals)), atol=1e-5
    )


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_an_operator_that_is_not_builtin_is_named(precision):
    import keras
    import tensorflow as tf

    class InverseErrorFunction(keras.layers.Layer):
        def call(self, signal):
            return tf.math.erfinv(tf.clip_by_value(signal, -0.9, 0.9))

    signal = keras.Input((8,), name="signal")
    module = keras.Model(signal, InverseErrorFunction(name="sent")(signal), name="odd_arn")
    with pytest.raises(
        ExportError, match=r"^odd_arn: expected builtin LiteRT operators only, got Erfinv$"
    ):
        convert(module, precision, _signals(5, shape=(8,)))


def test_bad_arguments_are_refused():
    module = build_transmitter_arn((8,), (16,))
    with pytest.raises(ConfigError, match=r"expected one of float32, .*, got 'int4'"):
        convert(module, "int4")
    for nothing in (None, np.zeros((0, 8), "float32")):
        with pytest.raises(ExportError, match="expected calibration signals for int8, got none"):
            convert(module, "int8", nothing)


def test_the_converter_says_nothing(capfd):
    convert(build_transmitter_arn((8,), (16,)), "int8", _signals(5, shape=(8,)))
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module", params=[build_transmitter_keyed, build_receiver_keyed])
def keyed(request):
    """A keyed module, its files, and signals and signs for it."""
    module = request.param((32,))
    signs = np.random.default_rng(4).choice([-1, 1], size=(200, ROUNDS, 32)).astype("float32")
    given = [_signals(shape=(32,)), signs]
    return module, convert_all(module, PRECISIONS, given), given


@pytest.mark.parametrize("precision", PRECISIONS)
def test_signals_and_signs_are_named_inputs_in_their_order(keyed, precision):
    module, files, _ = keyed
    interpreter, signal, signs, taken = _interpreter(files[precision])
    kind = np.int8 if precision == "int8-io" else np.float32
    assert [end["dtype"] for end in (signal, signs, taken)] == [kind] * 3
    assert [end["shape"].tolist() for end in (signal, signs, taken)] == [
        [1, 32],
        [1, ROUNDS, 32],
        [1, 32],
    ]
    first, output = (
        ("signal", "sent") if module.name == "transmitter_keyed" else ("received", "cleaned")
    )
    assert interpreter.get_signature_list() == {
        "serve": {"inputs": [first, "signs"], "outputs": [output]}
    }
    assert operators(files[precision])  # all builtin, or it would have been refused


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-6), ("float16", 2e-3)])
def test_a_keyed_module_s_file_rotates_as_the_module_does(keyed, precision, error):
    module, files, given = keyed
    rotated, truth = _run(files[precision], *given), np.asarray(module(given))
    assert np.sqrt(np.mean((rotated - truth) ** 2)) < error
    assert np.sqrt(np.mean((truth - given[0]) ** 2)) > 1


def test_eight_bits_cost_a_rotation_more_than_one_step_of_them(keyed):
    module, files, given = keyed
    truth = np.asarray(module(given))
    step = (truth.max() - truth.min()) / 255
    error = np.sqrt(np.mean((_run(files["int8"], *given) - truth) ** 2))
    assert step < error < 10 * step


def test_each_input_wants_calibration_signals_of_its_own(keyed):
    module, _, (signals, signs) = keyed
    for wrong in (signals, [signals, signs[1:]]):
        with pytest.raises(ExportError, match="expected 2 arrays of calibration signals of one"):
            convert(module, "int8", wrong)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("int8", 1e-6)])
def test_onnx_runtime_gives_the_same_answers(files, tmp_path, precision, tolerance):
    import onnxruntime
    import tf2onnx

    path = tmp_path / "arn.tflite"
    path.write_bytes(files[precision])
    model, _ = tf2onnx.convert.from_tflite(str(path), opset=18)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (given,) = session.get_inputs()
    signals = _signals(50, seed=3)
    answers = [session.run(None, {given.name: signal[None]})[0][0] for signal in signals]
    np.testing.assert_allclose(answers, _run(files[precision], signals), rtol=0, atol=tolerance)
