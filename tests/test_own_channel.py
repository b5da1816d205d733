"""A channel from outside the package goes through every command."""

import json
import shutil

import keras
import numpy as np
import pytest
from run_dirs import untrained_run
from small_runs import pictureless  # noqa: F401
from small_sweeps import here  # noqa: F401
from toy_models import Half

import arn_keras
from arn_keras import EavesdropperLink, SecureLink, SemanticLink
from arn_keras.audit.effort import QUICK
from arn_keras.audit.ladder import rung_rows
from arn_keras.audit.wiretap import Wiretap
from arn_keras.channel import CHANNELS
from arn_keras.channel.awgn import AWGN
from arn_keras.errors import ConfigError
from arn_keras.export.conversion import convert_run
from arn_keras.machine.files import write_json
from arn_keras.measure.sweep_rows import read_rows
from arn_keras.pair.chain import Protection
from arn_keras.run import command
from arn_keras.run.saved import SavedRun
from arn_keras.sweep.__main__ import main as sweep
from arn_keras.sweep.options import identity, parse


@pytest.fixture
def half(monkeypatch):
    """The name of the channel."""
    monkeypatch.setitem(CHANNELS, "half", "toy_models:Half")
    return "half"


def models():
    return (
        arn_keras.build_transmitter((4, 4, 1), 6, 8),
        arn_keras.build_receiver((4, 4, 1), 6, 8),
        arn_keras.build_eavesdropper((6,), 3, (8,)),
    )


def test_a_link_keeps_its_channels_in_its_file(tmp_path):
    transmitter, receiver, eve = models()
    link = SecureLink(transmitter, receiver, eve, bob_channel=Half(snr_offset_db=-3.0))
    link.save(tmp_path / "link.keras")
    found = keras.saving.load_model(tmp_path / "link.keras")
    assert type(found.bob_channel) is type(found.eve_channel) is Half
    assert found.bob_channel.snr_offset_db == found.eve_channel.snr_offset_db == -3.0
    link = SecureLink(transmitter, receiver, eve, eve_channel=Half())
    assert (type(link.bob_channel), type(link.eve_channel)) == (AWGN, Half)
    link = SemanticLink(transmitter, receiver, channel=Half())
    link(np.zeros((1, 4, 4, 1), "float32"))
    link.save(tmp_path / "link.keras")
    assert type(keras.saving.load_model(tmp_path / "link.keras").channel) is Half


def test_each_link_sends_through_its_channel():
    transmitter, receiver, eve = models()
    source = np.random.default_rng(0).uniform(size=(5, 4, 4, 1)).astype("float32")
    signal = transmitter(source)
    found = SemanticLink(transmitter, receiver, channel=Half())(source)
    np.testing.assert_allclose(found, receiver(0.5 * signal), rtol=1e-5)
    found = EavesdropperLink(eve, channel=Half())(signal)
    np.testing.assert_allclose(found, eve(0.5 * signal), rtol=1e-5)
    link = SecureLink(transmitter, receiver, eve, bob_channel=Half(), eve_channel=AWGN())
    signals = link.signals(source)
    np.testing.assert_allclose(signals.received, 0.5 * signals.sent, rtol=1e-5)
    assert np.std(signals.overheard - signals.sent) > 0.1


def test_a_channel_that_is_given_to_two_links_is_shared_by_none():
    transmitter, receiver, eve = models()
    given = AWGN(7)
    state = given.seed_generator.state.numpy()
    links = SemanticLink(transmitter, receiver, channel=given), EavesdropperLink(eve, channel=given)
    for link in links:
        link.reseed(3)
    assert np.array_equal(given.seed_generator.state, state)


def test_what_is_no_channel_is_refused():
    with pytest.raises(ConfigError, match=r"expected a channel, .*, got Dense"):
        SemanticLink(*models()[:2], channel=keras.layers.Dense(3))


def test_eve_hears_better_by_her_offset():
    silence = np.zeros((50_000, 4), "float32")
    heard = AWGN(1, snr_offset_db=6.0)(silence, snr_db=10.0)
    assert np.var(heard) == pytest.approx(10**-1.6, rel=0.02)


def test_a_run_a_sweep_an_audit_and_a_bundle_are_those_of_the_channel(
    half, here, pictureless, tmp_path
):
    small = ["--dataset", "digits", "--limit", "200", "--epochs", "1", "--channel", half]
    small += ["--link-epochs", "1", "--eve-epochs", "1"]
    run = tmp_path / "run"
    words = ["--no-export", "--knowledge", "white", "--quiet", "--eve-snr-offset-db", "4"]
    assert command.main([*small, *words, "--run-dir", str(run)]) == 0
    rows = json.loads((run / "results.json").read_text())
    assert {(row["channel"], row["eve_snr_offset_db"]) for row in rows} == {("half", 4.0)}
    problem = SavedRun.read(run).problem()
    (frozen,) = (row for row in rows if row["case"] == "original")
    heard = problem.classifier("eve")(0.5 * problem.transmit(problem.dataset.test))
    labels = np.asarray(problem.dataset.test.label)
    assert frozen["eve_accuracy"] == pytest.approx(np.mean(np.argmax(heard, -1) == labels))

    signals = problem.signals, problem.transmit(problem.dataset.test)
    tap = Wiretap(
        problem, signals, snr_db=10.0, psr_db=-10.0, protection=Protection("none"), seed=0
    )
    np.testing.assert_allclose(tap.test(), 0.5 * signals[1], rtol=1e-5)
    assert tap.eve_snr_db == 14.0
    (bob,) = rung_rows(tap, "Bob", None, QUICK)
    assert bob["mse"] == pytest.approx(frozen["mse"], rel=1e-4)
    assert bob["channel"] == "half"

    out = tmp_path / "sweep"
    words = [*small, "--case", "original", "--quiet", "--out", str(out)]
    for stage in ("link", "eve"):  # are there
        shutil.copytree(run / stage, out / "digits" / "seed-0" / stage)
    write_json(out / "config.json", {"config": identity(parse(words))})
    assert sweep(words) == 0
    (row,) = read_rows(out).values()
    assert (row["channel"], row["eve_snr_offset_db"]) == ("half", 0.0)
    for field in ("mse", "eve_accuracy"):
        assert row[field] == pytest.approx(frozen[field], rel=1e-4)


def test_what_the_channel_adds_is_handed_over_to_the_proof_of_a_bundle(half, tmp_path):
    run = untrained_run(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["config"]["channel"] = half
    (run / "config.json").write_text(json.dumps(config))
    pair = {"pair": "", "public": "arn/white", "is_keyed": False, "precisions": ["float32"]}
    for name in ("bundle", "handover"):
        (tmp_path / name).mkdir()
    convert_run(run, pair, None, tmp_path / "bundle", tmp_path / "handover")
    files = ("sent", "bob_noise", "eve_noise")
    sent, *noises = (np.load(tmp_path / "handover" / f"{name}.npy") for name in files)
    for noise in noises:
        np.testing.assert_allclose(noise[0], -0.5 * sent, atol=1e-6)
    facts = json.loads((tmp_path / "handover" / "facts.json").read_text())
    assert facts["air"]["channel"] == half
    assert facts["air"]["equalizer"] is None
