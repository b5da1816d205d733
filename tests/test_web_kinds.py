"""The page of sentences and of constellations, both in one browser."""

import itertools
import json
import shutil

import numpy as np
import pytest
import tiny_texts
from bundles import unproven_bundle
from test_web import PROTECTIONS, browse, require_browser

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import Listener
from arn_keras.channel.rayleigh import Rayleigh
from arn_keras.channel.rician import Rician
from arn_keras.channel.unsynchronised import Unsynchronised
from arn_keras.errors import ExportError
from arn_keras.export.web import __main__ as command
from arn_keras.export.web.air import Air
from arn_keras.link import constellation
from arn_keras.run.config import Config
from arn_keras.run.directory import RunDirectory, load_models
from arn_keras.run.problem import Problem
from arn_keras.scenario.modulation import Modulation
from arn_keras.scenario.text import Text

EVES = ("frozen", "frozen_2", "frozen_3", "retrained")
NAMES = ("bpsk", "16qam", "pam4")
LENGTH = 7


class _SmallText(Text):
    """The scenario with one narrow layer at each end of its link and in an eavesdropper."""

    def build_link(self, dataset):
        from arn_keras.link.text import build_receiver, build_transmitter

        size = self.length, len(dataset.vocabulary)
        return build_transmitter(*size, width=32, depth=1), build_receiver(*size, depth=1)

    def build_classifier(self, stage, signal_shape, classes):
        small = {"token_transformer": "token_substitute_attentive"}
        return super().build_classifier(small.get(stage, stage), signal_shape, classes)


def _problem(scenario, load=None, **options):
    name = _name(scenario)
    dataset = scenario.dataset("auto", None, None)
    config = Config(scenario=name, problem=scenario, knowledge="white", **options)
    return Problem(config.resolve(dataset.name, len(dataset.train)), dataset, load)


def _name(scenario):
    return "text" if isinstance(scenario, Text) else "modulation"


def _untrained(scenario, link, path, **options):
    """A run directory of a pair and eavesdroppers that learnt nothing, with its page."""
    problem = _problem(scenario, lambda stage: link(problem), **options)
    shape, classes = problem.signal_shape, problem.dataset.classes

    def eve(stage):
        return {"classifier": scenario.build_classifier(stage, shape, classes)}

    pair = problem.modules()
    for module in pair:
        layer = module.get_layer("residual")
        layer.set_weights([10 * weight for weight in layer.get_weights()])
    if problem.keeps_power:
        from arn_keras.pair.power_kept import keep_power

        pair = keep_power(pair[0]), pair[1]
    stages = {
        "link": {"transmitter": problem.transmitter, "receiver": problem.receiver},
        **{stage: eve(stage) for stage in scenario.measured.values()},
        "arn/white": {"transmitter": pair[0], "receiver": pair[1]},
        "retrained/arn-000000000000": eve(scenario.rivals[0]),
        f"retrained/keyed-{problem.rotation.name.replace(' ', '-')}": eve(scenario.rivals[0]),
    }
    notes = {"task": scenario.task(problem.dataset)}
    with RunDirectory(path, problem.config.identity(), {}, notes=notes) as directory:
        for stage, models in stages.items():
            directory.keep(stage, models)
        for name, file in scenario.kept_data().items():
            (directory.path / "data").mkdir(exist_ok=True)
            shutil.copyfile(file, directory.path / "data" / name)
    unproven_bundle(path / "bundle", pair, scenario=_name(scenario), dataset=problem.dataset.name)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{page: run directory}; the link of sentences is trained, so that there are words to read."""
    require_browser()
    root = tmp_path_factory.mktemp("runs")
    files = tuple(tiny_texts.write(root))
    text = _SmallText(text=files, length=LENGTH, vocabulary=30)
    frames = Modulation(
        modulations=NAMES, samples=64, samples_per_symbol=4, frames=60, test_frames=60
    )
    return {
        "sentences": _untrained(
            text, lambda problem: problem.train("link"), root / "text", link_epochs=3
        ),
        "constellations": _untrained(
            frames,
            lambda problem: problem.train("link"),
            root / "modulation",
            eve_snr_offset_db=-4.0,
        ),
    }


@pytest.fixture(scope="module")
def written(runs, tmp_path_factory):
    """The directory of both pages."""
    out = tmp_path_factory.mktemp("pages")
    for name, run in runs.items():
        command.export(run, out / name)
    return out


@pytest.fixture(scope="module")
def seen(written, tmp_path_factory):
    """What was seen in the browser, {page: ...} and of both."""
    return browse(written, tmp_path_factory.mktemp("profiles"), "sentences", "constellations")


def _json(written, name, file):
    return json.loads((written / name / file).read_text())


def test_both_pages_load_without_an_error_and_fit_a_phone_and_axe_finds_nothing(seen):
    assert seen["errors"] == []
    assert list(seen["violations"].values()) == [[]] * 4, seen["violations"]
    assert [seen[name]["width"] for name in ("sentences", "constellations")] == [360, 360]


@pytest.mark.parametrize("name", ["sentences", "constellations"])
def test_under_the_same_noise_keys_and_clock_the_page_s_figures_are_keras_s(written, seen, name):
    check, found = _json(written, name, "check.json"), seen[name]["found"]
    for protection in PROTECTIONS:
        expected, own = check["expected"][protection], found[protection]
        assert set(own) == set(expected)
        for eve in EVES:
            np.testing.assert_allclose(own[eve], expected[eve], atol=1e-4)
        assert own.get("read") == expected.get("read")
        assert own.get("errors") == expected.get("errors")
        np.testing.assert_allclose(
            own.get("symbol_mse", []), expected.get("symbol_mse", []), rtol=1e-4
        )
    messages = len(check["shown"])
    assert f"{3 * messages} messages" in seen[name]["checked"]
    assert f"{12 * messages} of {12 * messages} guesses the same" in seen[name]["checked"]
    for one, other in itertools.pairwise(EVES):  # four Eves, four opinions
        assert not np.allclose(found["arn"][one], found["arn"][other], atol=1e-3)


def test_the_words_in_the_check_are_what_bob_s_receiver_says_of_what_he_hears(runs, written):
    check, page = (_json(written, "sentences", f"{name}.json") for name in ("check", "page"))
    sentences = np.array(_json(written, "sentences", "sentences.json")["sentences"])
    transmitter, receiver = load_models(runs["sentences"], "link", "transmitter", "receiver")
    signal = np.array(transmitter(sentences[check["shown"]].astype("int32")))
    noise = 10 ** (-page["snr_db"] / 20) * np.array(check["bob_noise"]).reshape(signal.shape)
    read = np.array(receiver((signal + noise).astype("float32"))).argmax(-1)
    np.testing.assert_array_equal(read, check["expected"]["none"]["read"])
    sent = sentences[check["shown"]]
    assert np.mean(read[sent != 0] == sent[sent != 0]) > 0.8
    assert page["place"] == 16


def test_eve_hears_a_frame_turned_late_and_at_her_own_place(runs, written):
    check, page = (_json(written, "constellations", f"{name}.json") for name in ("check", "page"))
    frames = np.array(_json(written, "constellations", "frames.json")["frames"], np.float32)
    (transmitter,) = load_models(runs["constellations"], "link", "transmitter")
    (eve,) = load_models(runs["constellations"], "iq", "classifier")
    signal = np.array(transmitter(frames.reshape(-1, 17, 6)[check["shown"]]))
    samples = signal.astype("float32").view(np.complex64)
    assert {delay for _, delay in check["eve_clock"]} == set(range(page["clock"]))
    moved = [
        np.exp(1j * phase) * np.roll(frame, delay)
        for frame, (phase, delay) in zip(samples, check["eve_clock"], strict=True)
    ]
    heard = np.array(moved).astype(np.complex64).view(np.float32)
    assert page["eve_snr_offset_db"] == -4.0
    heard = heard + 10 ** (-(page["snr_db"] - 4.0) / 20) * np.array(check["eve_noise"])
    logits = np.array(eve(heard.astype("float32")), float)
    beliefs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(beliefs, check["expected"]["none"]["frozen_2"], atol=1e-4)


def test_sentences_are_chosen_by_label_from_a_list_by_the_keyboard(written, seen):
    page, own = _json(written, "sentences", "page.json"), seen["sentences"]
    kept = _json(written, "sentences", "sentences.json")

    def text(index):
        return " ".join(kept["vocabulary"][i] for i in kept["sentences"][index] if i not in (0, 2))

    assert page["names"] == ["number", "person", "place"]
    labels = [page["names"][page["labels"][index]] for index in page["shown"]]
    assert labels == sorted(labels)
    assert [labels.count(name) for name in page["names"]] == [6, 6, 6]
    assert own["choices"] == [
        f"{label} {text(index)}" for label, index in zip(labels, page["shown"], strict=True)
    ]
    assert own["chosen"] == page["shown"][1]
    assert text(page["shown"][1]) in own["alice"]
    assert own["bars"] == page["names"]
    assert own["heads"] == ["Protection", "BLEU-4", "Eve 1", "Eve 2", "Eve 3", "Eve, retrained"]
    assert page["measured"]["none"]["bleu4"] > 0.8


def test_a_word_is_marked_where_it_is_not_the_one_that_was_sent(written, seen):
    kept, own = _json(written, "sentences", "sentences.json"), seen["sentences"]
    sent = kept["sentences"][own["chosen"]]
    words = [kept["vocabulary"][word] for word in sent if word not in (0, 2)]
    marked = 0
    for end in ("Home", "End"):
        for protection in ("none", "keyed"):
            bob = own["ends"]["snr"][end]["bob"][protection]
            assert len(bob["words"]) >= len(words)
            right = 0
            for place, (word, mark) in enumerate(bob["words"]):
                same = place < len(words) and word == words[place]
                assert mark is not same
                right += same
                marked += mark
            assert bob["told"].startswith(f"{right} of {len(words)} words")
    assert marked > 0  # at -5 dB he misreads


def test_less_noise_gives_bob_more_words_and_fewer_wrong_symbols(seen):
    for name in ("sentences", "constellations"):
        most, least = (seen[name]["ends"]["snr"][end]["many"] for end in ("Home", "End"))
        for protection in ("none", "keyed"):
            assert least[protection]["mean"] < most[protection]["mean"] / 2
            assert most[protection]["frozen"]["messages"] == "20"


def test_where_eve_is_changes_what_she_hears_and_nothing_of_bobs(seen):
    for name in ("sentences", "constellations"):
        far, near = (seen[name]["ends"]["offset"][end] for end in ("Home", "End"))
        assert far["bob"] == near["bob"]
        assert far["bars"] != near["bars"]


def test_frames_are_chosen_by_modulation_and_what_is_plotted_is_what_is_sent_and_heard(
    written, seen
):
    page, own = _json(written, "constellations", "page.json"), seen["constellations"]
    assert own["choices"] == [name.upper() for name in NAMES for _ in range(6)]
    assert own["chosen"] == page["shown"][1]
    assert "16 random symbols of BPSK" in own["alice"]
    assert own["bars"] == ["BPSK", "16QAM", "PAM4"]
    assert own["heads"][1] == "Symbol errors"
    told = {}
    for end in ("Home", "End"):
        found = own["ends"]["snr"][end]["bob"]
        sent, heard, decided = found["none"]["plots"]
        assert sent != heard == decided  # he has no module
        assert len({*found["keyed"]["plots"], sent}) == 4  # turned by the key, and turned back
        told[end] = found["none"]["told"]
    assert own["ends"]["snr"]["Home"]["bob"]["none"]["plots"][0] == sent  # no noise is in it
    assert told["End"] == "no of 16 symbols wrong"


def test_the_points_and_gains_that_the_page_has_are_those_of_the_modem(written):
    kept = _json(written, "constellations", "frames.json")
    page = _json(written, "constellations", "page.json")
    for name, points in zip(NAMES, kept["points"], strict=True):
        found = np.array(points) @ [1, 1j]
        np.testing.assert_allclose(found, constellation.points(name))
        assert np.mean(abs(found) ** 2) == pytest.approx(1)
    for label, symbols, gain in zip(page["labels"], kept["symbols"], kept["gains"], strict=True):
        points = np.array(kept["points"][label])[symbols]
        # The frame has power 1 a real sample: 2 a complex one.
        assert gain**2 * np.mean(np.sum(points**2, axis=1)) == pytest.approx(2, rel=0.1)
    assert page["key"] == {"rotation": "haar", "rounds": 0, "symbols": 32}
    assert page["keeps_power"]


@pytest.mark.parametrize("name", ["sentences", "constellations"])
def test_the_perturbation_is_scaled_as_asked_and_counts_where_there_is_a_signal(
    runs, written, seen, name
):
    page = _json(written, name, "page.json")
    kept = {"sentences": ("sentences", (LENGTH,)), "constellations": ("frames", (17, 6))}
    file, shape = kept[name]
    source = np.array(_json(written, name, f"{file}.json")[file][seen[name]["chosen"]])
    source = source.reshape(1, *shape).astype("int32" if name == "sentences" else "float32")
    (transmitter,) = load_models(runs[name], "link", "transmitter")
    (arn,) = load_models(runs[name], "arn/white", "transmitter")
    signal = np.array(transmitter(source), float)
    perturbed = np.array(arn(signal.astype("float32")), float)
    share = np.mean(source != 0) if name == "sentences" else 1.0
    assert share < 1 or name == "constellations"
    for end, gain in (("trained", 1.0), ("most", 10 ** (-page["psr_db"] / 20))):
        sent = signal + gain * (perturbed - signal)
        if page["keeps_power"]:
            sent *= np.sqrt(np.mean(signal**2) / np.mean(sent**2))
        power = np.mean((sent - signal) ** 2) / share
        assert seen[name]["psr"][end] == pytest.approx(10 * np.log10(power), abs=0.01)


def test_another_channel_is_another_air_and_the_run_s_own_comes_back(seen):
    for name in ("sentences", "constellations"):
        own, other, again = seen[name]["channels"]
        assert own == again
        assert own["hint"] == ""
        assert "Nobody here learnt over this channel" in other["hint"]
    assert own["plots"] != other["plots"]
    assert own["plots"][0] == other["plots"][0]  # what is sent is not the channel's


@pytest.mark.parametrize(
    ("bob", "eve"),
    [
        (Rayleigh(), Rayleigh(snr_offset_db=6.0)),
        (Rayleigh(csi="none"), Unsynchronised(Rayleigh(snr_offset_db=-2.0), 4)),
        (Rician(k_factor_db=3.0, equalizer="zero-forcing"), Rician(k_factor_db=3.0)),
    ],
)
def test_the_fading_that_python_checks_the_page_with_is_that_of_its_formulas(bob, eve):
    air, shape = Air(bob, eve), (300, 20)
    air.check("fading")
    generator = np.random.default_rng(2)
    drawn = air.draw(generator, shape)
    sent = generator.normal(size=shape).astype("float32")
    complex_sent = sent.view(np.complex64)
    assert np.mean(drawn.bob_gain**2) == pytest.approx(0.5, rel=0.1)
    for ear, name, found in (
        (bob, "bob", air.at_bob(sent, drawn, 7.0)),
        (eve.synchronised(), "eve", air.at_eve(sent, drawn, 7.0)),
    ):
        z = complex_sent
        if name == "eve" and drawn.delay is not None:
            z = np.array([np.roll(row, late) for row, late in zip(z, drawn.delay, strict=True)])
            z = z * np.exp(1j * drawn.phase)[:, None]
        noise, w = (getattr(drawn, f"{name}_{what}") for what in ("noise", "gain"))
        variance = 10 ** (-(7.0 + ear.snr_offset_db) / 10)
        direct = 10**0.3 / (10**0.3 + 1) if isinstance(ear, Rician) else 0
        h = (np.sqrt(direct) + np.sqrt(1 - direct) * (w @ [1, 1j]))[:, None]
        y = h * z + np.sqrt(variance) * noise.view(np.complex64)
        power = abs(h) ** 2 + (variance if ear.equalizer == "mmse" else 0)
        expected = y if ear.csi == "none" else h.conj() * y / power
        got = np.asarray(found).view(np.complex64)
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("ear", [Rayleigh(fast_fading=True), Rician(csi="pilots"), Listener()])
def test_an_air_that_the_page_has_not_is_refused_in_one_line(ear):
    for air in (Air(ear, AWGN()), Air(AWGN(), ear)):
        with pytest.raises(
            ExportError, match=r"white Gaussian noise, .* got one over strange"
        ) as no:
            air.check("strange")
        assert "\n" not in str(no.value)


def test_channels_to_choose_from_begin_with_the_run_s_and_need_pairs_of_reals():
    def names(air, shape):
        return [channel["name"] for channel in air.facts(shape)["airs"]]

    assert names(Air(AWGN(), AWGN()), (18, 16)) == ["awgn", "rayleigh"]
    assert names(Air(Rayleigh(), Rayleigh()), (128,)) == ["rayleigh", "awgn"]
    assert names(Air(Rician(), Rician()), (128,)) == ["rician", "awgn", "rayleigh"]
    assert names(Air(AWGN(), AWGN()), (4, 9)) == ["awgn"]
    assert Air(AWGN(), AWGN()).clock is None
    assert Air(AWGN(), Unsynchronised(AWGN(), 8)).clock == 8
