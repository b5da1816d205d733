"""Every block of an ARN: residual, near the identity, for any shape, portable."""

import math

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from arn_keras.errors import ConfigError
from arn_keras.export import float_norms, micro
from arn_keras.export.litert import convert_all, operators
from arn_keras.pair import BLOCKS, arn
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn

SMALL = {
    "dense": {"hidden": (16,)},
    "conv": {"width": 8, "depth": 1},
    "tokenwise": {"width": 8, "depth": 1},
    "transformer": {"width": 8, "depth": 1, "heads": 2},
    "in_band": {"width": 8, "depth": 1},
}
SHAPES = {block: [(12,), (6, 4), (4, 8, 2)] for block in BLOCKS} | {"in_band": [(256,)]}
CASES = [(block, shape) for block, shapes in SHAPES.items() for shape in shapes]


def _run(model, signals):
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for signal in signals:
        interpreter.set_tensor(given["index"], signal[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(taken["index"])[0])
    return np.stack(answers)


def _trained(model):
    return [weight.numpy() for weight in model.trainable_weights]


def _signals(shape, count=8):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


@pytest.mark.parametrize(("block", "shape"), CASES)
def test_a_fresh_pair_of_one_seed_adds_and_subtracts_the_same_residual(block, shape):
    keras.utils.set_random_seed(1)
    alice = build_transmitter_arn(shape, block=block)
    keras.utils.set_random_seed(1)
    bob = build_receiver_arn(shape, block=block)
    signals = _signals(shape, 64)
    added, taken = alice(signals) - signals, signals - bob(signals)
    np.testing.assert_allclose(added, taken, atol=1e-6)
    least, most = (0.1, 1) if block == "in_band" else (1e-5, 0.1)  # power, of signals of power 1
    assert least < np.mean(np.square(added)) < most


def test_a_block_from_outside_is_one_line(monkeypatch):
    monkeypatch.setitem(BLOCKS, "half", lambda signal, gain=0.5: gain * signal)
    signals = _signals((12,))
    half = build_transmitter_arn((12,), block="half")
    np.testing.assert_allclose(half(signals), 1.5 * signals, atol=1e-6)
    quarter = build_receiver_arn((12,), block="half", gain=0.25)
    np.testing.assert_allclose(quarter(signals), 0.75 * signals, atol=1e-6)


@pytest.mark.parametrize("block", ["dense", "conv", "transformer"])
@pytest.mark.parametrize("shape", [(12,), (6, 4), (8, 4, 6)])
def test_a_block_is_refused_by_the_parameters_that_it_would_have(monkeypatch, block, shape):
    parameters = build_transmitter_arn(shape, block=block).count_params()
    monkeypatch.setattr(arn, "MOST_PARAMETERS", parameters)
    build_transmitter_arn(shape, block=block)
    monkeypatch.setattr(arn, "MOST_PARAMETERS", parameters - 1)
    with pytest.raises(ConfigError, match=f"{block} block of .* got {parameters:,} for signals"):
        build_transmitter_arn(shape, block=block)


@pytest.mark.parametrize(
    ("block", "count"),
    [
        ("dense", 2 * 256 * 1024 + 256 * 256 + 256 + 256 + 1024),
        ("conv", 9 * 48 * (16 + 48 + 48 + 16) + 3 * 48 + 16),
    ],
)
def test_the_blocks_have_the_parameters_of_their_formulas(block, count):
    assert build_transmitter_arn((8, 8, 16), block=block).count_params() == count


def test_width_and_depth_are_options_of_every_block():
    for block, shapes in SHAPES.items():
        sizes = [
            build_transmitter_arn(shapes[-1], block=block, width=width, depth=depth).count_params()
            for width, depth in ((8, 1), (16, 1), (16, 2))
        ]
        assert sizes == sorted(set(sizes)), block


def test_the_conv_block_does_the_same_at_every_place_but_the_border():
    arn = build_transmitter_arn((12, 12, 2), block="conv", width=8, depth=1)
    signals = _signals((12, 12, 2))
    moved = np.roll(signals, (3, 2), axis=(1, 2))
    inside = np.roll(np.asarray(arn(signals)), (3, 2), axis=(1, 2))[:, 5:10, 4:10]
    np.testing.assert_allclose(np.asarray(arn(moved))[:, 5:10, 4:10], inside, atol=1e-5)


def test_the_transformer_knows_the_places_of_its_tokens():
    arn = build_transmitter_arn((6, 4), block="transformer", **SMALL["transformer"])
    signals = _signals((6, 4))
    turned = np.asarray(arn(signals[:, ::-1]))[:, ::-1] - signals
    assert np.abs(turned - (np.asarray(arn(signals)) - signals)).max() > 1e-4


def test_a_patch_is_a_square_of_the_signal_and_goes_back_where_it_was():
    from arn_keras.pair import transformer

    signal = keras.Input((4, 6, 3))
    tokens, patch = transformer.cut(signal, 2)
    again = transformer.joined(tokens, (4, 6, 3), patch)
    signals = _signals((4, 6, 3))
    cut, joined = keras.Model(signal, [tokens, again])(signals)
    np.testing.assert_array_equal(joined, signals)
    np.testing.assert_array_equal(cut[:, 4], signals[:, 2:4, 2:4].reshape(8, -1))


@pytest.mark.parametrize(("shape", "tokens"), [((128,), 64), ((8, 8, 16), 64), ((32, 48, 4), 24)])
def test_a_signal_is_cut_into_at_most_64_tokens(shape, tokens):
    from arn_keras.pair import transformer

    found, _ = transformer.cut(keras.Input(shape))
    assert found.shape[1:] == (tokens, math.prod(shape) // tokens)


@pytest.mark.parametrize(
    ("shape", "tokens"),
    [((8, 8, 16), 16), ((16, 16, 16), 16), ((7, 7, 4), 49), ((12, 8, 2), 24), ((5,), 5)],
)
def test_a_signal_is_cut_into_about_as_many_tokens_as_are_asked_for(shape, tokens):
    from arn_keras.pair import transformer

    found, _ = transformer.cut(keras.Input(shape), tokens=16)
    assert found.shape[1:] == (tokens, math.prod(shape) // tokens)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1_000_000,), {}, r"at most 20,000,000 parameters, got 513,066,048 .* the conv or the"),
        ((2, 2, 2, 2), {"block": "conv"}, r"\[k\], \[tokens, d\] or \[h, w, c\].*\[2, 2, 2, 2\]"),
        ((2, 2, 2, 2), {"block": "transformer"}, r"or \[h, w, c\].*got \[2, 2, 2, 2\]"),
        ((12,), {"block": "transformer", "patch": 5}, r"a patch that divides \[12\], got 5"),
        ((12,), {"block": "transformer", "tokens": 0}, "at least 1 token, got 0"),
        (
            (12,),
            {"block": "transformer", "heads": 5},
            "a multiple of its 5 heads, got 48",
        ),
        ((12,), {"block": "conv", "depth": 101}, "a conv block of at most 100 layers, got 101"),
        ((12,), {"block": "conv", "hidden": (3,)}, r"\(width, depth, kernel\), got hidden"),
        (
            (12,),
            {"block": "mlp"},
            "expected one of dense, conv, tokenwise, transformer, in_band, got",
        ),
    ],
)
def test_what_a_block_is_not_made_for_is_refused_in_one_line(shape, options, message):
    with pytest.raises(ConfigError, match=message) as error:
        build_receiver_arn(shape, **options)
    assert "\n" not in str(error.value)


def test_a_module_of_any_block_is_made_anew_from_itself_by_its_seed():
    for block, shapes in SHAPES.items():
        keras.utils.set_random_seed(5)
        first = build_transmitter_arn(shapes[-1], block=block, **SMALL[block])
        again = []
        for _ in range(2):
            keras.utils.set_random_seed(5)
            again.append(_trained(keras.models.clone_model(first)))
        keras.utils.set_random_seed(6)
        other = _trained(keras.models.clone_model(first))
        for one, two, three in zip(*again, other, strict=True):
            np.testing.assert_array_equal(one, two)
            assert not one.any() or not np.array_equal(one, three) or one.min() == one.max()


@pytest.mark.parametrize(
    ("block", "shape", "options"),
    [
        *((block, shape, {}) for block, shape in CASES),
        ("transformer", (4, 8, 2), {"tokens": 8, "last_norm": False}),
    ],
)
def test_every_block_is_builtin_operators_and_says_the_same_everywhere(
    block, shape, options, tmp_path
):
    arn = build_transmitter_arn(shape, block=block, **SMALL[block], **options)
    arn.save(tmp_path / "arn.keras")
    arn = keras.saving.load_model(tmp_path / "arn.keras", custom_objects={})
    signals = _signals(shape, 64)
    expected = np.asarray(arn(signals))
    tolerances = {"float32": 1e-5, "int8": 0.2}
    if shape == SHAPES[block][0]:  # half the width of the same weights: once for each block
        tolerances["float16"] = 1e-2
    files = convert_all(arn, tuple(tolerances), signals)
    for precision, tolerance in tolerances.items():
        model = files[precision]
        assert operators(model)
        answers = _run(model, signals[:4])
        assert np.abs(answers - expected[:4]).max() < tolerance
    answers, arena = micro.run(files["int8"], signals[:4])
    assert arena > signals[0].size
    assert np.abs(answers - expected[:4]).max() < 0.2


def test_in_int8_small_tokens_beside_a_large_one_are_normalised_as_in_floats(monkeypatch):
    arn = build_transmitter_arn((16, 8), block="transformer", **SMALL["transformer"])
    kernel, places = arn.get_layer("embedded").get_weights()
    places[3] *= 40 * np.sqrt(np.mean(np.square(kernel))) / np.abs(places).mean()
    arn.get_layer("embedded").set_weights([kernel, places])
    layer = arn.get_layer("residual")
    layer.set_weights([5 * weight for weight in layer.get_weights()])
    signals = _signals((16, 8), 64)
    added = np.asarray(arn(signals)) - signals

    def error():
        found = _run(convert_all(arn, ["int8"], signals)["int8"], signals) - signals
        return np.mean((found - added)[:, 4:] ** 2) / np.mean(added[:, 4:] ** 2)

    with_floats = error()
    monkeypatch.setattr(float_norms, "operations", lambda module, graph: [])
    assert with_floats < 0.03 < 0.1 < error()
