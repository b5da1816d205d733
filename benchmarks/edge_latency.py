"""Microseconds of one module on one thread, beside what an engineer would pick instead.

    python benchmarks/edge_latency.py [--json FILE]

One run: every candidate takes its turn in every round, so that a busy machine is busy for all; the
median of the rounds counts, and ratios are medians of ratios within a round. The module is the
transmitter ARN of the letter's size with random weights; speed does not depend on their values.
`bound` reads the weights once from cache, which no candidate can do without.
Needs the extra `bench`; a candidate that is not installed is left out, and named.
"""

import argparse
import concurrent.futures
import functools
import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np

SIGNAL, HIDDEN = 128, (256, 256)
PRECISIONS = ("float32", "float16", "int8")
BATCHES = (1, 64)
ROUNDS, TURN_SECONDS = 301, 0.0005


def make(bundle):
    """In a process with TensorFlow: a bundle without proof, ONNX models, and the weights."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow()
    from arn_keras.export import manifest
    from arn_keras.export.conversion import Ends, write_modules
    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
    from arn_keras.run import channels
    from arn_keras.run.config import Config

    generator = np.random.default_rng(0)
    pair = build_transmitter_arn((SIGNAL,), HIDDEN), build_receiver_arn((SIGNAL,), HIDDEN)
    for module in pair:
        module.set_weights([generator.normal(0, 0.05, w.shape) for w in module.weights])
    signals = generator.normal(size=(500, SIGNAL)).astype("float32")
    modules = write_modules(bundle, Ends(pair, None), PRECISIONS, (signals, signals))
    facts = {"pair": "0" * 64, "protection": "arn", "knowledge": "white", "scenario": "letter"}
    facts |= {"dataset": "none", "air": channels.fields(Config())}
    levels = {"seed": 0, "snr_db": [10.0, 10.0], "psr_db": -10.0, "precisions": list(PRECISIONS)}
    manifest.copy_code(bundle, False)
    manifest.write(bundle, manifest.draft(bundle, facts | levels | modules))
    weights = [array.astype("float32") for array in pair[0].get_weights()]
    return weights, {batch: _onnx(weights, batch) for batch in BATCHES}


def _onnx(weights, batch):
    """The float32 module as ONNX Runtime likes it best: three Gemm, two Relu, one Add."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    nodes, value = [], "signal"
    for layer in range(3):
        name = f"dense_{layer}"
        nodes.append(helper.make_node("Gemm", [value, f"w{layer}", f"b{layer}"], [name]))
        value = name
        if layer < 2:
            nodes.append(helper.make_node("Relu", [name], [f"relu_{layer}"]))
            value = f"relu_{layer}"
    nodes.append(helper.make_node("Add", ["signal", value], ["sent"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, SIGNAL])
        for name in ("signal", "sent")
    ]
    names = ("w0", "b0", "w1", "b1", "w2", "b2")
    initial = [numpy_helper.from_array(a, n) for a, n in zip(weights, names, strict=True)]
    graph = helper.make_graph(nodes, "arn", ends[:1], ends[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def _litert(bundle, precision, signals):
    from ai_edge_litert.interpreter import Interpreter

    file = bundle / f"transmitter_arn.{precision}.tflite"
    interpreter = Interpreter(str(file), num_threads=1)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    taken = interpreter.get_output_details()[0]["index"]
    rows = [signals[row : row + 1] for row in range(len(signals))]

    def run():
        for row in rows:
            interpreter.set_tensor(given, row)
            interpreter.invoke()
            answer = interpreter.get_tensor(taken)
        return answer

    return run


def _runtime(bundle, precision, signals):
    from arn_keras.export.runtime import Pair

    protect = Pair.load(bundle, precision).alice.protect
    given = signals[0] if len(signals) == 1 else signals
    return functools.partial(protect, given)


def _numpy(weights, signals):
    def run():
        value = signals
        for layer in (0, 2):
            value = np.maximum(value @ weights[layer] + weights[layer + 1], 0)
        return signals + (value @ weights[4] + weights[5])

    return run


def _torch(weights, signals):
    import torch

    torch.set_num_threads(1)
    layers = []
    for layer in (0, 2, 4):
        linear = torch.nn.Linear(*weights[layer].shape)
        linear.weight.data = torch.tensor(weights[layer].T.copy())
        linear.bias.data = torch.tensor(weights[layer + 1])
        layers += [linear, torch.nn.ReLU()]
    block, given = torch.nn.Sequential(*layers[:-1]), torch.from_numpy(signals)

    def run():
        with torch.inference_mode():
            return (given + block(given)).numpy()

    return run


def _onnxruntime(model, signals):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    return lambda: session.run(None, {"signal": signals})[0]


def _bound(kilobytes):
    """Reads as many bytes as the weights have, once, as fast as one core can."""
    memory = np.ones(kilobytes * 256, "float32")
    return lambda: memory.max()


def candidates(bundle, weights, onnx, batch):
    """Functions to be timed, by name, all with one thread; and the names of those missing."""
    signals = np.random.default_rng(1).normal(size=(batch, SIGNAL)).astype("float32")
    found, missing = {}, []
    for precision in PRECISIONS:
        found[f"LiteRT {precision}"] = _litert(bundle, precision, signals)
        found[f"runtime.py {precision}"] = _runtime(bundle, precision, signals)
    found["NumPy float32"] = _numpy(weights, signals)
    for name, build in {
        "ONNX Runtime float32": lambda: _onnxruntime(onnx[batch], signals),
        "PyTorch float32": lambda: _torch(weights, signals),
    }.items():
        try:
            found[name] = build()
        except ImportError:
            missing.append(name)
    truth = found["NumPy float32"]()[-1]
    for name, run in found.items():
        worst = float(np.max(np.abs(np.atleast_2d(run())[-1] - truth)))
        if not worst < (0.2 if "int8" in name else 0.01):
            raise ArithmeticError(f"{name}: expected the answers of the others, off by {worst}")
    kilobytes = sum(array.nbytes for array in weights) // 1024
    found["bound float32"] = _bound(kilobytes)
    found["bound int8"] = _bound(kilobytes // 4)
    return found, missing


def measure(functions):
    """Microseconds of a call of each, [rounds], interleaved."""
    calls = {}
    for name, run in functions.items():
        for _ in range(50):
            run()
        start = time.perf_counter()
        for _ in range(20):
            run()
        calls[name] = max(1, round(TURN_SECONDS * 20 / (time.perf_counter() - start)))
    times = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, run in functions.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            times[name].append((time.perf_counter() - start) / calls[name] * 1e6)
    return times


def _ratio(times, over, under):
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))


def main(arguments=None):
    """Prints the tables; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(arguments)
    report = {"batches": {}, "ratios": {}}
    with tempfile.TemporaryDirectory() as folder:
        bundle = pathlib.Path(folder)
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
            weights, onnx = pool.submit(make, bundle).result()
        sizes = {p: (bundle / f"transmitter_arn.{p}.tflite").stat().st_size for p in PRECISIONS}
        for batch in BATCHES:
            functions, missing = candidates(bundle, weights, onnx, batch)
            times = measure(functions)
            medians = {name: statistics.median(values) for name, values in times.items()}
            report["batches"][batch] = medians
            print(f"batch {batch}: median of {ROUNDS} interleaved rounds, one thread")
            for name, median in sorted(medians.items(), key=lambda item: item[1]):
                print(f"  {name:<22}{median:>10.2f} us")
            for name in missing:
                print(f"  {name:<22} not installed: pip install 'arn-keras[bench]'")
            if batch == 1:
                pairs = [(f"runtime.py {p}", f"LiteRT {p}", 1.3) for p in PRECISIONS]
                pairs.append(("LiteRT int8", "LiteRT float32", 0.6))
                if "ONNX Runtime float32" in times:
                    pairs.append(("LiteRT float32", "ONNX Runtime float32", 1.0))
                ratios = {f"{a} / {b}": (_ratio(times, a, b), most) for a, b, most in pairs}
    ratios["int8 file / float32 file"] = sizes["int8"] / sizes["float32"], 0.28
    report |= {"ratios": ratios, "bytes": sizes}
    print("ratios, and what they should be at most")
    for name, (ratio, most) in ratios.items():
        print(f"  {name:<46}{ratio:>6.3f}{most:>8.2f}{'' if ratio <= most else '  missed'}")
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
