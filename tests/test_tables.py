"""Tables of rows that are not there yet, or are made anew: of figures whose cells are known."""

import json

import pytest
from matplotlib.figure import Figure

from arn_keras.sweep import grid
from docs.tables import audits, blocks, curves, pictures, rows, speed


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """Keeps rows under a name."""
    monkeypatch.setattr(rows, "ROWS", tmp_path)
    return lambda name, found: (tmp_path / f"{name}.json").write_text(json.dumps(found))


def _cells(text):
    head, _, *lines = (
        [cell.strip() for cell in line[1:-1].split("|")] for line in text.split("\n")
    )
    return head, {line[0]: dict(zip(head, line, strict=True)) for line in lines}


def _letter_sweep():
    """Bob's MSE says SNR, budget and case; Eve's accuracy is the seed in %, and 50 % if ranged."""
    plans = (grid.Grid(datasets=("mnist",), seeds=(1, 2), **f) for f in grid.FIGURES.values())
    for point, measured in grid.merge(each.plan() for each in plans).items():
        low, high = point.training_snr_db or (0, 0)
        for case, eve, snr_db in measured:
            mse = 1e-4 * (100 + snr_db - (point.psr_db or 0)) * (2 if "only" in case else 1)
            yield {
                **grid.identity(point, case, eve, snr_db),
                "mse": mse,
                "eve_accuracy": 0.5 if low != high else point.seed / 100,
            }


def test_a_figure_s_table_has_each_curve_at_each_point_of_its_axis(keep):
    keep("sweep", [*_letter_sweep(), {"dataset": "other"}])
    head, lines = _cells(curves.figure_3("sweep", "mnist"))
    assert head[1:] == ["-5", "0", "5", "10", "15", "20", "25"]
    assert list(lines) == list(dict.fromkeys(curves.LINES.values()))
    assert lines["original link"]["-5"] == "95.0, 1.5 ± 0.7"
    assert lines["transmitter module only, black box"]["25"] == "270.0, 1.5 ± 0.7"
    assert lines["the same, one pair trained over all SNRs"]["0"] == "110.0, 50.0 ± 0.0"
    head, lines = _cells(curves.figure_4("sweep", "mnist"))
    assert head[1:] == ["-20", "-15", "-10", "-5", "0"]
    assert "the same, one pair trained over all SNRs" not in lines
    assert set(list(lines["original link"].values())[1:]) == {"110.0, 1.5 ± 0.7"}
    assert lines["both modules, white box"]["-20"] == "130.0, 1.5 ± 0.7"


def test_the_letter_s_claims_are_held_against_the_rows(keep):
    keep("sweep", list(_letter_sweep()))
    _, lines = _cells(curves.claims("sweep", {"mnist": "MNIST"}))
    said = {claim: line["MNIST"] for claim, line in lines.items()}
    helps, close, falls, _, low, black, _, ranged = said.values()
    assert helps == "yes, everywhere: 2.0 to 2.0 times"
    assert close.startswith("from 5 dB up 1.08 to 1.10 times; at -5 dB 1.11 times")
    assert falls.startswith("2, 2, 2, 2, 2, 2 % (white)")
    assert low == "110 to 130 in 1e-4 (link: 110)"
    assert black == "in MSE +0%; Eve 2 % against 2 % at -10 dB, 2 % against 2 % at -5 dB"
    assert "Eve +48 to +48 points" in ranged
    worse = [
        {**row, "mse": 3 * row["mse"]} if row["case"] == "paired" else row
        for row in _letter_sweep()
    ]
    keep("sweep", worse)
    assert "**no**, not everywhere: 0.7" in curves.claims("sweep", {"mnist": "MNIST"})


def _audit(**worst):
    plain = {"protection": "none", "rung": "Bob", "counts": False, "mse": 0.01}
    keyed = {"protection": "keyed", "counts": True, "majority_rate": 0.1, "eve": "fresh"}
    bob = {"sent_power": 0.9999, "remainder_nats": 1e-10, "mse": 0.0101, "eve": None}
    guess = {"eve": "wrong key", "rung": "E8", "mse": 0.12, "mse_mean_picture": 0.1}
    again = {"eve": "known plaintext, key reused", "rung": "E8", "counts": False}
    each = {"eve_accuracy": 0.102, "leakage_nats": 0.0001, "rung": "E3"}
    return [
        plain,
        {**keyed, **bob, "rung": "Bob", "counts": False},
        {**keyed, **each},
        {**keyed, **each, **worst},
        {**keyed, **each, **guess},
        *({**keyed, **each, **again, "messages": n, "eve_accuracy": n / 100} for n in (64, 16)),
        {**keyed, **each, **again, "messages": 16, "eve_accuracy": 0.2},
    ]


def test_what_a_keyed_pair_is_held_to_is_its_worst_rung(keep):
    keep("audit", _audit(eve_accuracy=0.113, leakage_nats=0.004))
    head, lines = _cells(audits.secrecy({"MNIST": "audit"}))
    assert head == ["keyed", "MNIST", "target"]
    found = [line["MNIST"] for line in lines.values()]
    assert found == ["1.30", "0.00400", "+1.00%", "0.9999", "1.20", "1.0e-10"]
    head, lines = _cells(audits.reuse({"MNIST": "audit"}))
    assert head[1:] == ["16", "64"]
    assert lines["MNIST"] == dict(zip(head, ["MNIST", "20.0", "64.0"], strict=True))


def test_a_picture_s_table_has_a_line_a_case_and_a_column_an_eve(keep):
    bob = {"psnr_db": 29.0, "mean_psnr_db": 29.5, "ssim": 0.9, "ms_ssim": 0.95, "seed": 0}
    plain = {**bob, "case": "original", "knowledge": None, "mse": 0.001, "measured_psr_db": None}
    pair = {**bob, "case": "paired", "mse": 0.0011, "measured_psr_db": -10.1}
    found = [
        {**row, "eve": eve, "eve_accuracy": share}
        for eve, share in zip(pictures.EVES, (0.1, 0.2, 0.3), strict=True)
        for row in (
            plain,
            {**pair, "knowledge": "white"},
            {**pair, "knowledge": "black", "black_box": "ensemble", "mse": 0.0012},
        )
    ]
    keep("pictures", found)
    _, lines = _cells(pictures.pictures("pictures"))
    assert list(lines) == [
        "original link, no modules",
        "both modules, white box",
        "both modules, ensemble black box",
    ]
    line = list(lines["both modules, ensemble black box"].values())
    measured = "0.00120 1.200 29.00 29.50 0.900 0.950 0.100 0.200 0.300 -10.10"
    assert " ".join(line[1:]) == measured


def test_a_benchmark_s_table_is_beside_the_fastest_peer(keep):
    def of(candidate, speeds, over, least=None, stage="ARN"):
        return {"stage": stage, "batch": 64, "candidate": candidate, "sources": speeds} | {
            "ours_over_it": over,
            "least": least,
        }

    figures = [
        of("arn_keras", [900, 1000, 2000], 1.0),
        of("slow", [10, 100, 90], 10.0),
        of("fast", [500, 400, 600], 2.0, 1.5),
        of("bound", [1250], 0.8),
    ]
    machine = {"processor": "P", "cores": 2, "tensorflow": "2", "keras": "3"}
    keep("speed", {"machine": machine, "figures": figures})
    _, lines = _cells(speed.stages("speed", "sources", "products alone"))
    assert list(lines["ARN, 64"].values())[1:] == [
        *("1,000", "500 (fast)", "1,250", "2.00 [1.5]", "0.80"),
    ]
    assert speed.measured_on("speed") == "P, 2 cores, tensorflow 2, keras 3"


def _block_rows(pair, eves, mse, block="conv", dataset="mnist"):
    size = {"block": block, "equal": "parameters", "width": 48, "parameters": 5000}
    size |= {"multiply_adds": 320_000, "seconds": 61.0, "int8_mse": 1.0051, "dataset": dataset}
    size |= {"latency_float32_us": 90.2, "latency_int8_us": 41.0, "plain_mse": 0.01}
    size |= {"plain_eve_accuracy": 0.9}
    return [{**size, "pair": pair, "mse": mse, "eve_accuracy": eve} for eve in eves]


def test_a_block_s_line_has_eve_and_bob_of_every_kind_of_pair(keep):
    found = _block_rows("white", (0.12, 0.4), 0.0101) + _block_rows("ensemble", (0.2, 0.3), 0.0105)
    keep("blocks", found)
    _, lines = _cells(blocks.blocks("blocks"))
    assert list(lines["MNIST"].values())[1:] == [
        *("parameters", "conv, width 48", "5,000", "320,000"),
        *("0.120 at 1.010 x", "-", "0.250 at 1.050 x", "61", "90 / 41", "+0.51%"),
    ]


def test_blocks_are_drawn_as_bars_of_eve_with_bobs_error_over_them(keep, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    keep(
        "blocks",
        [
            row
            for dataset, eves in (("mnist", (0.1, 0.2, 0.3)), ("cifar10", (0.4, 0.5, 0.6)))
            for block, eve in zip(("dense", "conv", "transformer"), eves, strict=True)
            for row in _block_rows("white", (eve, 1.0), 0.0101, block, dataset)
        ],
    )
    blocks.draw("blocks", tmp_path / "blocks.png")
    mnist, cifar10 = drawn[0].axes
    assert [bar.get_height() for bar in mnist.patches] == [0.1, 0.2, 0.3]
    assert [bar.get_height() for bar in cifar10.patches] == [0.4, 0.5, 0.6]
    assert [text.get_text() for text in mnist.texts] == ["1.01 x"] * 3
    assert cifar10.get_title() == "CIFAR-10, equal parameters"
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == ["dense", "conv", "transformer"]
