"""Which block? The letter's open question: dense, conv and transformer ARNs on one finished run.

    python benchmarks/blocks.py RUN_DIR OUT [--epochs N] [--limit N]

Each block twice: with as many parameters as the conv block has by default, and with as many
multiply-adds as the dense block has by default. For each the pairs of the white box, of the black
box and of its ensemble are trained on the run's link, data and eavesdroppers, and measured by every
eavesdropper of its scenario. A row also has the seconds of training, and of the white box's
transmitter module the microseconds of a signal by LiteRT on one thread (median) and what int8 adds
to Bob's error. OUT/rows.json is written anew after each pair; what is there is not done again.

Seconds are the processor's: one core makes them fair, `taskset -c 1`.
"""

import argparse
import bisect
import copy
import dataclasses
import functools
import itertools
import pathlib
import statistics
import sys
import time

import numpy as np

REFERENCE = {"parameters": "conv", "multiply-adds": "dense"}  # whose count is met, by default
WIDTHS = {"dense": range(4, 1025), "conv": range(4, 257), "transformer": range(4, 257, 4)}
PAIRS = {"white": "single", "black": "single", "ensemble": "ensemble"}
KEYS = ("block", "equal", "pair")
SAMPLE, TURNS = 2_000, 300


def multiply_adds(module):
    """Of one source: weights times places of use, and attention's two products of activations."""
    from keras import layers

    from arn_keras.sweep.cost import multiplications

    attention = [each for each in module.layers if isinstance(each, layers.MultiHeadAttention)]
    products = (each.output.shape[1] ** 2 * each.key_dim * each.num_heads for each in attention)
    return multiplications(module) + 2 * sum(products)


def alike(problem):
    """{(block, what is equal): width}, the nearest to what the others have."""

    def count(equal, block, width=None):
        module, _ = with_block(problem, block, width).modules()
        return module.count_params() if equal == "parameters" else multiply_adds(module)

    found = {}
    for equal, block in itertools.product(REFERENCE, WIDTHS):
        wanted, widths = count(equal, REFERENCE[equal]), WIDTHS[block]
        of = functools.partial(count, equal, block)
        above = bisect.bisect_left(widths, wanted, key=of)
        around = {abs(of(each) - wanted): each for each in widths[max(0, above - 1) : above + 1]}
        found[block, equal] = around[min(around)]
    return found


def opened(run_dir, out, epochs, limit):
    """The problem of a run; classifiers that it has not trained are, and kept in OUT."""
    from arn_keras.run.saved import SavedRun

    saved = SavedRun.read(run_dir)
    whole = saved.problem()

    def load(stage):
        if saved.done(stage):
            return whole._load(stage)
        file = out / f"{stage}.keras"
        if not file.exists():
            whole.train(stage)["classifier"].save(file)
        import keras

        return {"classifier": keras.saving.load_model(file)}

    config = dataclasses.replace(saved.config, epochs=epochs or saved.config.epochs, limit=limit)
    problem = dataclasses.replace(saved, config=config).problem()
    problem._load = functools.cache(load)
    return problem


def with_block(problem, block, width):
    """The same problem, its pairs of another block, as deep as that block is by default."""
    other, sizes = copy.copy(problem), {"block_width": width, "block_depth": None}
    other.config = dataclasses.replace(problem.config, block=block, **sizes)
    return other


def trained(problem, kind):
    """The modules of one pair, (alice, bob), and the processor's seconds, tracing and all."""
    from arn_keras.training.privacy import Privacy

    config, knowledge = problem.config, "white" if kind == "white" else "black"
    privacy = Privacy(knowledge, PAIRS[kind], config.privacy_loss)
    how = {"snr_db": config.snr_db, "psr_db": config.psr_db, "seed": config.seed}
    problem.frozen(privacy), problem.signals  # not what is timed
    start = time.process_time()
    link = problem.pair_link(privacy)
    problem.train_pair(link, f"arn/{knowledge}", checkpoint_dir=None, **how)
    return tuple(problem.trained_modules(link).values()), time.process_time() - start


def on_device(problem, pair):
    """{"latency_us": of Alice's float32 and int8 module, "int8_mse": over that in float32}."""
    from arn_keras.export.litert import convert_all
    from arn_keras.power import noise_variance

    files = [convert_all(each, ("float32", "int8"), problem.signals[:500]) for each in pair]
    sources = problem.dataset.test.part(slice(SAMPLE))
    signals = problem.transmit(sources)
    noise = np.random.default_rng(0).normal(size=signals.shape).astype("float32")
    noise *= noise_variance(problem.config.snr_db[0]) ** 0.5
    error, found = {}, {}
    for precision in ("float32", "int8"):
        alice, bob = (interpreter(each[precision]) for each in files)
        sent = np.concatenate([alice(each[None]) for each in signals])
        cleaned = np.concatenate([bob(each[None]) for each in sent + noise])
        estimate = np.asarray(problem.receiver.predict(cleaned, batch_size=500, verbose=0))
        error[precision] = float(np.mean((problem.dataset.targets(sources) - estimate) ** 2))
        turns = []
        for _ in range(TURNS):
            start = time.perf_counter()
            alice(signals[:1])
            turns.append(1e6 * (time.perf_counter() - start))
        found[f"latency_{precision}_us"] = statistics.median(turns)
    return {**found, "int8_mse": error["int8"] / error["float32"]}


def interpreter(model):
    """A function from a signal, [1, ...], to the module's output, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    made = Interpreter(model_content=model, num_threads=1)
    made.allocate_tensors()
    given, gives = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]

    def run(signal):
        made.set_tensor(given, signal)
        made.invoke()
        return made.get_tensor(gives)

    return run


def rows(problem, block, equal, width, kind):
    """Rows of one pair, one an eavesdropper."""
    problem = with_block(problem, block, width)
    pair, seconds = trained(problem, kind)
    common = {"dataset": problem.dataset.name, "block": block, "equal": equal, "width": width}
    common |= {"parameters": pair[0].count_params(), "multiply_adds": multiply_adds(pair[0])}
    common |= {"pair": kind, "seed": problem.config.seed, "epochs": problem.config.epochs}
    common |= {"training_sources": len(problem.dataset.train)}
    common |= {"seconds": seconds, **(on_device(problem, pair) if kind == "white" else {})}
    modules = dict(zip(("transmitter_module", "receiver_module"), pair, strict=True))
    (snr_db, _), split = problem.config.snr_db, problem.dataset.test
    for eve, stage in problem.scenario.measured.items():
        evaluation = problem.evaluation(stage)
        plain = evaluation.row(split, snr_db)
        found = evaluation.row(split, snr_db, **modules)
        was = {"plain_mse": plain["mse"], "plain_eve_accuracy": plain["eve_accuracy"]}
        yield {**common, "eve": eve, **was, **found}


def main():
    """Trains and measures what is not done yet."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("run_dir", type=pathlib.Path, help="a finished run of train.py")
    options.add_argument("out", type=pathlib.Path, help="where rows.json is written")
    options.add_argument("--epochs", type=int, help="of a pair (default: as in the run)")
    options.add_argument("--limit", type=int, help="training sources of a pair (default: all)")
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    from arn_keras.machine.files import read_json, write_json

    problem = opened(given.run_dir, given.out, given.epochs, given.limit)
    file = given.out / "rows.json"
    done = read_json(file) if file.exists() else []
    for (block, equal), width in alike(problem).items():
        for kind in PAIRS:
            if [block, equal, kind] in [[row[key] for key in KEYS] for row in done]:
                continue
            done += rows(problem, block, equal, width, kind)
            write_json(file, done)
            say(done[-len(problem.scenario.measured) :])


def say(rows):
    """One line of a pair."""
    eves = ", ".join(f"{row['eve']} {row['eve_accuracy']:.3f}" for row in rows)
    row = rows[0]
    print(
        f"{row['block']} of width {row['width']} (equal {row['equal']}), {row['pair']}: "
        f"MSE {row['mse'] / row['plain_mse']:.3f} times, PSR {row['measured_psr_db']:.2f} dB, "
        f"{eves}, {row['seconds']:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
