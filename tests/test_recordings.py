"""I/Q recordings: header, search, equalizer and files, through an air of NumPy's."""

import itertools
import json
import math
import re
import sys

import numpy as np
import pytest
import sigmf
from radio_links import LAYOUT, PAIR, burst, look, new_key, noise, receive, send
from scipy.integrate import quad
from scipy.signal import resample
from scipy.special import erfc
from tiny_bundles import tiny_bundle

from arn_keras.errors import DataError
from arn_keras.export import runtime
from arn_keras.export.radio import ends, equalizer, header, listen
from arn_keras.export.radio import recording as files
from arn_keras.export.radio.__main__ import main
from arn_keras.export.radio.frame import HALF_PULSE, LEVEL, PREAMBLE, Layout, complex_symbols
from arn_keras.export.radio.report import Rows
from arn_keras.export.radio.search import candidates
from arn_keras.pulse import ROLL_OFF
from arn_keras.run.channels import fields
from arn_keras.run.config import Config


@pytest.fixture(scope="module")
def arn(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("arn"), precisions=("float32",))


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    path = tmp_path_factory.mktemp("keyed")
    return tiny_bundle(path, 1, precisions=("float32",), protection="keyed")


@pytest.fixture
def signals(arn, tmp_path):
    """A file of 40 signals of power 1."""
    found = arn.signal[:40] / np.sqrt(np.mean(arn.signal[:40] ** 2, axis=1, keepdims=True))
    np.save(tmp_path / "signals.npy", found)
    return tmp_path / "signals.npy"


@pytest.fixture
def few(signals, tmp_path):
    """The first twelve of them."""
    np.save(tmp_path / "few.npy", np.load(signals)[:12])
    return tmp_path / "few.npy"


@pytest.fixture
def sent(arn, signals, tmp_path):
    """A recording of them."""
    assert send(arn.path, signals, tmp_path / "air") == 0
    return tmp_path / "air"


def test_coded_bits_are_the_products_with_both_generators():
    bits = np.random.default_rng(0).integers(0, 2, 50)
    coded = header.encode(bits).reshape(-1, 2).T
    for found, octal in zip(coded, ("561", "753"), strict=True):
        taps = [int(bit) for digit in octal for bit in f"{int(digit):03b}"]
        np.testing.assert_array_equal(found, np.convolve(bits, taps) % 2)


def test_no_two_messages_differ_in_fewer_coded_bits_than_the_standard_says():
    messages = np.array(list(itertools.product((0, 1), repeat=10)))[1:]
    assert min(header.encode(bits).sum() for bits in messages) == 12


def test_the_decoder_finds_the_most_likely_message_of_all():
    rng = np.random.default_rng(0)
    messages = np.array(list(itertools.product((0, 1), repeat=8)), np.uint8)
    signs = 1.0 - 2.0 * np.array([header.encode(bits) for bits in messages])
    for _ in range(40):
        heard = signs[rng.integers(len(signs))] + 1.5 * rng.normal(size=signs.shape[1])
        best = messages[np.argmax(signs @ heard)]
        np.testing.assert_array_equal(header.decode(heard), best)


def test_a_header_of_another_pair_or_a_damaged_one_does_not_pass():
    content = bytes(range(36))
    symbols = header.modulate(content, PAIR)
    assert header.demodulate(0.1 * symbols, PAIR) == content
    assert header.demodulate(symbols, b"another") is None
    assert header.demodulate(symbols * np.where(np.arange(len(symbols)) < 300, 1, -1), PAIR) is None


@pytest.mark.parametrize("snr_db", [0.0, 4.0])
def test_the_header_s_qpsk_has_the_error_rate_of_theory(snr_db):
    rng, wrong, count = np.random.default_rng(1), 0, 0
    for _ in range(150):
        samples, sent, _ = burst(rng)
        heard = samples + noise(rng, len(samples), snr_db)
        symbols = look(heard, 4 * HALF_PULSE).symbols(*LAYOUT.known).symbols
        pairs = np.stack([symbols[LAYOUT.header_places], sent]).astype("complex64").view("float32")
        wrong, count = wrong + np.sum(np.diff(np.sign(pairs), axis=0) != 0), count + pairs[0].size
    theory = erfc(math.sqrt(10 ** (snr_db / 10) / 2)) / 2  # Q(sqrt(SNR)), SNR a real symbol
    assert wrong / count == pytest.approx(theory, rel=0.08)


@pytest.mark.parametrize(("each", "late"), [(4, 0.3), (4, 1.75), (8, -0.4)])
def test_a_delay_by_a_part_of_a_sample_is_found_and_undone(each, late):
    rng = np.random.default_rng(2)
    samples, _, signal = burst(rng, each)
    fine = resample(np.pad(samples, 400), 20 * (len(samples) + 800))  # SciPy's own interpolation
    moved = np.roll(fine, round(20 * late))[::20]
    frame = look(moved, 400 + HALF_PULSE * each, samples_per_symbol=each)
    found = frame.symbols(*LAYOUT.known)
    assert frame.late == pytest.approx(late, abs=0.05)
    np.testing.assert_allclose(found.symbols[LAYOUT.payload_places], signal, atol=0.005)


def test_carrier_offset_phase_and_gain_are_found_and_undone():
    rng, offset, gain = np.random.default_rng(3), 0.06, 0.3 * np.exp(2j)
    samples, _, signal = burst(rng)
    turned = gain * samples * np.exp(2j * np.pi * offset / 4 * np.arange(len(samples)))
    heard = np.pad(turned, 500)
    ((place, coarse),) = [each for each in candidates(heard, 4) if look(heard, *each).agrees]
    assert abs(place - (500 + 4 * HALF_PULSE)) <= 2
    found = look(heard, place, coarse).symbols(*LAYOUT.known)
    assert found.offset == pytest.approx(offset, abs=1e-6)
    error = found.symbols[LAYOUT.payload_places] - signal
    assert np.mean(np.abs(error) ** 2) < 1e-3 * np.mean(np.abs(signal) ** 2)


def _left(snr_db, taps, count=24):
    """(SNR left at the payload's symbols, SNR as the receiver sees it), both ratios."""
    rng, errors, seen = np.random.default_rng(4), [], []
    taps = np.array(taps) / np.linalg.norm(taps)
    for _ in range(count):
        samples, symbols, signal = burst(rng)
        heard = np.convolve(samples, taps)
        heard += noise(rng, len(heard), snr_db)
        frame = look(heard, 4 * HALF_PULSE)
        first = frame.symbols(*LAYOUT.known)
        places = np.append(LAYOUT.known[0], LAYOUT.header_places)
        second = frame.symbols(places, np.append(LAYOUT.known[1], symbols), first)
        errors.append(second.symbols[LAYOUT.payload_places] / second.share - signal)
        seen.append(second.share / (1 - second.share))
    return 2 / np.mean(np.abs(errors) ** 2), np.mean(seen)


@pytest.mark.parametrize("snr_db", [0, 10, 25])
def test_in_white_noise_the_snr_is_kept_and_known(snr_db):
    left, seen = (10 * math.log10(each) for each in _left(snr_db, [1.0]))
    assert left == pytest.approx(snr_db, abs=0.35)
    assert seen == pytest.approx(snr_db, abs=0.25)


def test_behind_three_echoes_the_snr_is_kept_to_a_decibel():
    left, _ = _left(10, [1, 0, 0, 0, 0.25j, 0, 0, 0, 0.1])
    assert 9 < 10 * math.log10(left) < 10


def test_noise_alone_has_no_preamble():
    heard = noise(np.random.default_rng(5), 100_000, 0.0)
    found = candidates(heard, 4)
    assert len(found) < 100  # of 50,000 instants
    assert sum(look(heard, place, offset).agrees for place, offset in found) <= 2


class _Memory:
    """A recording in memory, which notes the longest part that was asked for."""

    samples_per_symbol = 4

    def __init__(self, samples):
        self._found, self.samples, self.longest = samples, len(samples), 0

    def read(self, start, stop):
        self.longest = max(self.longest, stop - start)
        return np.pad(self._found, 10_000)[10_000 + start : 10_000 + stop]


def test_frames_are_found_wherever_a_part_ends_and_only_whole_ones(monkeypatch):
    rng = np.random.default_rng(6)
    end = ends.End(ends.SignalLink((128,)), None, False, PAIR, False)
    bursts = [burst(rng)[0] for _ in range(12)]
    heard = np.concatenate([*bursts, burst(rng)[0][:-400]])
    heard = heard + noise(rng, len(heard), 15)
    whole = list(listen.received(end, _Memory(heard)))
    assert len(whole) == 12
    for part in (700, 1300):
        monkeypatch.setattr(listen, "PART", part)
        memory = _Memory(heard)
        found = list(listen.received(end, memory))
        assert [frame.number for frame in found] == [frame.number for frame in whole]
        for frame, other in zip(found, whole, strict=True):
            np.testing.assert_allclose(frame.signal, other.signal, atol=1e-3)
        assert memory.longest <= part + sum(equalizer.span(LAYOUT, 4))


def test_a_recording_is_sigmf_of_the_level_that_is_said(sent, capsys):
    found = sigmf.fromfile(f"{sent}.sigmf-meta")  # checks the samples' SHA-512
    found.validate()
    notes = found.get_annotations()
    assert [note["core:label"] for note in notes] == [f"frame {n}" for n in range(40)]
    assert sum(note["core:sample_count"] for note in notes) == found.sample_count
    inside = found[4 * HALF_PULSE : notes[0]["core:sample_count"] - 4 * HALF_PULSE]
    assert np.sqrt(np.mean(np.abs(inside) ** 2)) == pytest.approx(LEVEL, rel=0.05)
    assert np.abs(found[:]).max() < 1


def test_bob_gets_what_the_client_gives_without_any_radio(arn, sent, signals, tmp_path, capsys):
    out = tmp_path / "received"
    assert receive(arn.path, sent, out, "--sources", signals) == 0
    with runtime.Pair.load(arn.path) as pair:
        truth = pair.bob.clean(pair.alice.protect(np.load(signals)))
    np.testing.assert_allclose(np.load(out / "signals.npy"), truth, atol=0.01)
    report = json.loads((out / "report.json").read_text())
    assert (report["frames_found"], report["frames_lost"]) == (40, 0)
    error = np.mean((truth - np.load(signals)) ** 2)
    assert report["quality"]["mse"] == pytest.approx(error, rel=0.02)
    lines = (out / "frames.csv").read_text().splitlines()
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(40))


def test_frames_that_are_lost_are_counted(arn, sent, signals, tmp_path, capsys):
    data = tmp_path / "air.sigmf-data"
    samples = np.fromfile(data, "complex64")
    each = len(samples) // 40
    samples[5 * each : 7 * each] = samples[-each:] = 0
    samples.tofile(data)
    meta = json.loads((tmp_path / "air.sigmf-meta").read_text())
    del meta["global"]["core:sha512"]
    (tmp_path / "air.sigmf-meta").write_text(json.dumps(meta))
    for known, lost in ((["--sources", signals], 3), ([], 2)):  # who saw nothing behind it?
        out = tmp_path / f"lost-{lost}"
        assert receive(arn.path, sent, out, *known) == 0
        report = json.loads((out / "report.json").read_text())
        assert (report["frames_found"], report["frames_lost"]) == (37, lost)


def test_a_keyed_message_is_taken_once_and_by_who_has_the_key(keyed, few, tmp_path, capsys):
    at_alice, at_bob = new_key(keyed.path, tmp_path / "key")
    assert send(keyed.path, few, tmp_path / "air", *at_alice) == 0
    assert receive(keyed.path, tmp_path / "air", tmp_path / "first", *at_bob) == 0
    np.testing.assert_allclose(np.load(tmp_path / "first" / "signals.npy"), np.load(few), atol=0.01)
    capsys.readouterr()
    _, at_eve = new_key(keyed.path, tmp_path / "other")
    for options, says in ((at_bob, "too old|a replay"), (at_eve, "expected a message of pair")):
        assert receive(keyed.path, tmp_path / "air", tmp_path / "second", *options) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert re.search(says, line)
    assert not (tmp_path / "second").exists()


def test_who_turns_by_another_key_gets_noise(keyed, few, tmp_path, capsys):
    at_alice, _ = new_key(keyed.path, tmp_path / "key")
    send(keyed.path, few, tmp_path / "air", *at_alice)
    manifest = runtime.read_manifest(keyed.path)
    end = ends.End(
        ends.SignalLink((8,)), None, True, bytes.fromhex(manifest["pair"]), False
    )  # fmt: skip
    frames = listen.received(end, files.Recording(tmp_path / "air", 250_000))
    heard = np.stack([frame.signal for frame in frames])
    (module,) = runtime.load_modules(keyed.path, manifest, "receiver")
    keys = runtime.keys_of(keyed.path, manifest, manifest["keyed"]["receiver"], len(heard))
    guessed = module.run(heard, keys.__getitem__)
    assert abs(np.mean(guessed * np.load(few))) < 4 / math.sqrt(heard.size)


def test_modules_of_a_fading_air_get_symbols_of_least_squared_error(arn):
    rng = np.random.default_rng(8)
    samples = np.concatenate([burst(rng)[0] for _ in range(6)])
    samples = samples + noise(rng, len(samples), 3)
    link, found = ends.SignalLink((128,)), {}
    for shrunk in (False, True):
        end = ends.End(link, None, False, PAIR, shrunk)
        found[shrunk] = list(listen.received(end, _Memory(samples)))
    for plain, small in zip(found[False], found[True], strict=True):
        share = plain.snr / (1 + plain.snr)  # conj(h) y / (|h|^2 + sigma^2), against y / h
        np.testing.assert_allclose(small.signal, share * plain.signal, rtol=1e-4, atol=1e-5)
    for air, shrunk in (("awgn", False), ("rayleigh", True)):
        assert ends._shrunk(channel=air, csi="perfect") == shrunk
    assert not ends._shrunk(channel="rayleigh", csi="none")
    forced = fields(Config(channel="rayleigh", equalizer="zero-forcing"))  # as a manifest has it
    assert not ends._shrunk(**forced)


def test_rows_come_into_a_file_that_numpy_reads(tmp_path):
    rows = np.random.default_rng(0).normal(size=(1000, 3, 2)).astype("float32")
    with Rows(tmp_path / "rows.npy", (3, 2)) as stream:
        for start in range(0, 1000, 77):
            stream.add(rows[start : start + 77])
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), rows)


def test_what_a_recording_takes_of_the_air_is_that_of_its_pulse(sent, tmp_path, capsys):
    assert main(["figure", str(sent), "--out", str(tmp_path / "figure.png")]) == 0
    line = capsys.readouterr().out
    width = float(line.split("occupied bandwidth ")[1].split()[0])
    # White symbols have the density of a raised cosine.
    low, high = (1 - ROLL_OFF) / 2, (1 + ROLL_OFF) / 2

    def density(f):
        return 1.0 if f < low else math.cos(math.pi / 2 * (f - low) / ROLL_OFF) ** 2

    edges = np.linspace(low, high, 200)
    held = [2 * quad(density, 0, edge)[0] for edge in edges]  # of 1 in all
    assert width == pytest.approx(2 * np.interp(0.99, held, edges), rel=0.02)
    assert (tmp_path / "figure.png").read_bytes()[1:4] == b"PNG"


def _with(path, **fields):
    meta = path.with_name("air.sigmf-meta")
    found = json.loads(meta.read_text())
    found["global"] |= {f"core:{name}": value for name, value in fields.items()}
    meta.write_text(json.dumps(found))


def _data(change):
    def damage(path):
        file = path.with_name("air.sigmf-data")
        file.write_bytes(change(file.read_bytes()))

    return damage


def _silent(path):
    _data(lambda content: bytes(len(content)))(path)
    meta = path.with_name("air.sigmf-meta")
    found = json.loads(meta.read_text())
    del found["global"]["core:sha512"]
    meta.write_text(json.dumps(found))


def _not_finite(path):
    _silent(path)
    _data(lambda content: content[:80] + np.float32(np.nan).tobytes() + content[84:])(path)


BAD = {
    "another type": (lambda path: _with(path, datatype="ci16_le"), "expected cf32_le"),
    "two channels": (lambda path: _with(path, num_channels=2), "in 1 channel, got"),
    "elsewhere": (lambda path: _with(path, dataset="../other.bin"), "samples and nothing else"),
    "a header": (lambda path: _with(path, trailing_bytes=8), "samples and nothing else"),
    "another rate": (lambda path: _with(path, sample_rate=2.4e6), "expected a sample rate of"),
    "truncated": (_data(lambda content: content[:-8000]), "truncated"),
    "part of a sample": (_data(lambda content: content + b"1234"), "truncated"),
    "other samples": (_data(lambda content: content[:-8] + b"1234abcd"), "expected the SHA-512"),
    "no frames": (_silent, "expected frames of this pair"),
    "NaN": (_not_finite, "expected finite samples"),
    "no SigMF": (lambda path: path.with_name("air.sigmf-meta").write_text("{]"), "the metadata of"),
    "no metadata": (lambda path: path.with_name("air.sigmf-meta").unlink(), "found none"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_recording_that_cannot_be_used_is_refused_in_a_line(arn, sent, tmp_path, capsys, name):
    damage, says = BAD[name]
    damage(sent)
    capsys.readouterr()
    before = sorted(tmp_path.iterdir())
    assert receive(arn.path, sent, tmp_path / "received") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert sorted(tmp_path.iterdir()) == before


def test_a_recording_of_another_pair_has_no_frames(sent, tmp_path, capsys):
    other = tiny_bundle(tmp_path, 2, precisions=("float32",))
    assert receive(other.path, sent, tmp_path / "received") == 2
    assert "expected frames of this pair" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((3, 6), "float32"), "expected signals of (8,)"),
        (np.zeros((3, 8)), "in float64"),
        (np.full((300, 8), np.nan, "float32"), "NaN"),
        (np.zeros((0, 8), "float32"), "expected an array of sources"),
    ],
)
def test_sources_that_cannot_be_sent_leave_the_recording_as_it_was(
    arn, sent, tmp_path, capsys, array, says
):
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    np.save(tmp_path / "bad.npy", array)
    capsys.readouterr()
    assert send(arn.path, tmp_path / "bad.npy", sent) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    (tmp_path / "bad.npy").unlink()
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_without_the_package_for_metadata_it_is_named(arn, signals, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sigmf", None)
    assert send(arn.path, signals, tmp_path / "air") == 2
    assert "pip install 'arn-keras[radio]'" in capsys.readouterr().err


def test_an_odd_number_of_reals_is_no_complex_signal():
    assert complex_symbols((4, 4, 2)) == 16
    for shape in ((7,), (4, 3), ()):
        with pytest.raises(DataError, match="an even number of reals"):
            complex_symbols(shape)


def test_a_pilot_stands_at_both_ends_and_among_eight_symbols_at_most():
    for layout in (LAYOUT, Layout(36, 4), Layout(4, 1)):
        places, known = layout.known
        assert len(places) == len(known)
        assert places[-1] == layout.symbols - 1
        assert np.diff(places).max() <= 8
        every = [places, layout.header_places, layout.payload_places]
        assert sorted(np.concatenate(every)) == list(range(layout.symbols))
    assert abs(np.sum(PREAMBLE)) < 2  # an m-sequence is balanced
