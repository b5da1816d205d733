"""The page, used in headless Chromium by `page.mjs`; what it saw is judged here."""

import base64
import http.server
import json
import math
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request

import numpy as np
import pytest
from bundles import unproven_bundle, write_config
from trained_digits import trained_digits

from arn_keras.export import manifest, runtime
from arn_keras.export.web import __main__ as command
from arn_keras.export.web import building
from arn_keras.export.web.server import server
from arn_keras.pair.haar_draw import haar_rotation, keystream_bytes
from arn_keras.pair.key_schedule import unfolded

ROOT = pathlib.Path(__file__).parents[1]
PROTECTIONS = ("none", "arn", "keyed")
EVES = ("frozen", "retrained")
#: As `page.mjs` makes it.
KEYSTREAM = ((np.arange(1, 49537, dtype=np.uint32) * np.uint32(2654435761)) >> 24).astype("u1")
KEYSTREAM = KEYSTREAM.tobytes()


def _lacking():
    if shutil.which("chromium") is None:
        return "Debian's chromium"
    if not (building.HERE / "node_modules" / "axe-core").is_dir():
        return "the page's packages: make browser"
    return building.missing()


def require_browser():
    """Skips where the page's test cannot be had, but not in CI."""
    lacking = _lacking()
    if lacking and os.environ.get("CI"):
        pytest.fail(f"expected {lacking}, which no test of the page may do without in CI")
    if lacking:
        pytest.skip(f"needs {lacking}; make test gets it where it can")


def browse(page, profiles, *asked):
    """What `page.mjs` saw of a page, or of those of several names below it."""
    with server(page) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_address[1]}/"
        script = [str(ROOT / "tests" / "page.mjs"), shutil.which("chromium"), address]
        done = subprocess.run(
            ["node", *script, str(profiles), *asked],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        serving.shutdown()
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "address": address}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory of the small digits with its bundle and its page."""
    require_browser()
    run = tmp_path_factory.mktemp("runs") / "digits"
    pair = trained_digits(run)
    unproven_bundle(run / "bundle", pair, scenario="letter", dataset="digits")
    assert command.main([str(run), "--no-serve"]) == 0
    return run


@pytest.fixture(scope="module")
def page(run):
    """`page.json`."""
    return json.loads((run / "page" / "page.json").read_text())


@pytest.fixture(scope="module")
def seen(run, tmp_path_factory):
    """What was seen in the browser."""
    return browse(run / "page", tmp_path_factory.mktemp("profiles"))


def test_the_page_loads_without_an_error_and_asks_no_other_host(seen):
    assert seen["errors"] == []
    assert [f"http://{host}/" for host in seen["hosts"]] == [seen["address"]]


def test_under_the_same_noise_and_keys_the_page_s_figures_are_keras_s(run, page, seen):
    expected = json.loads((run / "page" / "check.json").read_text())["expected"]
    for name in PROTECTIONS:
        found = seen["found"][name]
        assert len(found["mse"]) == len(page["shown"]) == 20
        np.testing.assert_allclose(found["mse"], expected[name]["mse"], rtol=1e-4)
        for eve in EVES:
            beliefs, keras = np.array(found[eve]), np.array(expected[name][eve])
            np.testing.assert_allclose(beliefs, keras, atol=1e-4)
            np.testing.assert_array_equal(beliefs.argmax(1), keras.argmax(1))
            np.testing.assert_allclose(keras.sum(1), 1, atol=1e-5)
    assert "120 of 120 guesses the same" in seen["checked"]


def test_keras_s_figures_are_those_of_the_block_diagram(run, page):
    """Bob's error of one keyed message, with the formulas of the keyed pair's files in NumPy."""
    from arn_keras.run.directory import load_models

    check = json.loads((run / "page" / "check.json").read_text())
    transmitter, receiver = load_models(run, "link", "transmitter", "receiver")
    images = np.frombuffer((run / "page" / "pictures.bin").read_bytes(), np.uint8)
    image = images.reshape(-1, *page["shape"], 1)[check["shown"][3]][None] / np.float32(255)
    signal = np.array(transmitter(image))[0].astype(float)
    symbols = page["symbols"]
    turn = haar_rotation(base64.b64decode(check["keystreams"][3]), symbols)
    np.testing.assert_allclose(turn @ turn.T, np.eye(symbols), atol=1e-12)
    noise = 10 ** (-page["snr_db"] / 20) * np.array(check["bob_noise"][3])
    cleaned = turn.T @ (turn @ signal + noise)
    error = np.mean((np.array(receiver(cleaned[None].astype("float32"))) - image) ** 2)
    assert error == pytest.approx(check["expected"]["keyed"]["mse"][3], rel=1e-4)


@pytest.mark.parametrize("at", range(4))
def test_javascript_draws_the_rotation_that_python_draws(seen, at):
    n = (1, 2, 33, 128)[at]
    found = np.array(seen["rotations"][at]).reshape(n, n)
    np.testing.assert_allclose(found, haar_rotation(KEYSTREAM, n), atol=1e-7)


def test_javascript_draws_the_signs_that_python_draws(seen):
    assert seen["signs"] == unfolded(KEYSTREAM, "signs", (3, 13)).ravel().tolist()


def test_the_page_runs_the_bundle_s_own_files(run):
    for role in ("transmitter", "receiver"):
        own = (run / "bundle" / f"{role}_arn.float32.tflite").read_bytes()
        assert (run / "page" / f"{role}_arn.tflite").read_bytes() == own


def test_python_measured_an_eve_who_adapts_to_the_pair_and_not_to_keys(page):
    measured = page["measured"]
    assert measured["none"]["frozen"] == measured["none"]["retrained"] > 0.9
    assert measured["arn"]["frozen"] < measured["none"]["frozen"] - 0.2
    assert measured["arn"]["retrained"] > measured["none"]["frozen"] - 0.1
    for eve in EVES:
        assert measured["keyed"][eve] < 0.2  # 360 sources, ten labels
    assert measured["keyed"]["mse"] == pytest.approx(measured["none"]["mse"], rel=0.05)


def test_the_pictures_to_choose_from_are_two_of_each_digit(page):
    labels = np.array(page["labels"])[page["shown"]]
    assert labels.tolist() == sorted([*range(10), *range(10)])
    assert page["extent"] == 1.0  # the small digits fill their frame


def test_less_noise_gives_bob_a_better_picture_under_every_protection(seen):
    least, most = seen["ends"]["snr"]["least"], seen["ends"]["snr"]["most"]
    for name in PROTECTIONS:
        assert least["one"][name]["error"] > most["one"][name]["error"]
        assert least["many"][name]["mean"] > 2 * most["many"][name]["mean"]
    assert _right(least, "none") < _right(most, "none")


def test_a_stronger_perturbation_misleads_the_eve_who_never_adapts(seen):
    least, most = seen["ends"]["psr"]["least"], seen["ends"]["psr"]["most"]
    assert _right(most, "arn") < _right(least, "arn") - 5
    assert _right(least, "arn") >= 15
    change = most["one"]["arn"]["psr"] - least["one"]["arn"]["psr"]
    assert change == pytest.approx(30, abs=1e-3)  # from -30 dB to 0 dB, as the slider says
    for name in ("none", "keyed"):  # they have no perturbation to scale
        assert least["one"][name] == most["one"][name]


def test_where_eve_is_decides_what_she_reads_and_nothing_of_bobs(seen):
    least, most = seen["ends"]["offset"]["least"], seen["ends"]["offset"]["most"]
    assert _right(most, "none") > _right(least, "none") + 5  # 40 dB apart
    for name in PROTECTIONS:
        assert least["one"][name]["error"] == most["one"][name]["error"]


def test_at_the_trained_level_the_pair_is_as_trained(seen):
    assert seen["ends"]["trained"]["arn"]["error"] == seen["again"]["arn"]["error"]
    assert seen["ends"]["trained"]["arn"]["psr"] == seen["again"]["arn"]["psr"]


def test_a_slider_starts_the_count_anew_and_twenty_more_are_twenty(seen):
    for found in (seen["ends"][each] for each in ("psr", "snr", "offset")):
        for end in ("least", "most"):
            for name in PROTECTIONS:
                assert found[end]["one"][name]["frozen"]["messages"] == "0"
                assert found[end]["many"][name]["frozen"]["messages"] == "20"


def test_each_message_has_a_key_of_its_own_and_a_slider_draws_none(page, seen):
    keys = seen["keysInTheEnd"]
    assert {key.partition(":")[0] for key in keys} == {str(keystream_bytes(page["symbols"]))}
    assert len(set(keys)) == len(keys) == len(seen["keys"]) + 6 * 20


def test_axe_finds_nothing_on_desktop_and_phone_in_light_and_dark(seen):
    assert list(seen["violations"].values()) == [[]] * 4, seen["violations"]
    assert min(seen["rules"].values()) > 20


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(seen):
    assert [stop["id"] for stop in seen["stops"]] == [
        "clear",
        "label",
        "picture",
        "again",
        "more",
        "channel",
        "snr",
        "offset",
        "psr",
        "check",
    ]
    assert all(stop["outlined"] for stop in seen["stops"])


def test_the_keyboard_chooses_a_picture_and_sends_it_again(seen):
    assert seen["chosen"].startswith("a 1, test picture ")
    before, again = seen["before"]["none"], seen["again"]["none"]
    assert int(again["frozen"]["messages"]) == int(before["frozen"]["messages"]) + 1
    assert again["error"] != before["error"]  # other noise


def test_a_finger_draws_without_scrolling_and_bob_sees_the_stroke(seen):
    drawn = seen["drawn"]
    assert drawn["scrolled"] == 0
    columns = np.array(drawn["bob"])
    assert columns[3:5].sum() > 2 * columns[[0, 1, 6, 7]].sum()
    assert drawn["counted"] == "1"  # the first picture; nobody said what the drawing is
    assert drawn["badge"].startswith("?")
    assert drawn["labelled"][0] in "\u2713\u2717"
    assert drawn["cleared"] == ""


def test_it_fits_a_phone_s_width_and_shows_one_protection_at_a_time(seen):
    assert seen["widths"] == {"1280": 1280, "360": 360}
    assert seen["shown"] == {name: [name] for name in PROTECTIONS}


def test_the_page_s_noise_is_white_gaussian_and_repeats_by_its_seed(seen):
    noise = np.array(seen["noise"])
    error = 1 / math.sqrt(len(noise))
    assert abs(noise.mean()) < 4 * error
    assert abs(noise.var() - 1) < 4 * math.sqrt(2) * error
    assert abs(np.mean(noise**4) - 3) < 4 * math.sqrt(96) * error
    for lag in (1, 2, 3):
        assert abs(np.mean(noise[lag:] * noise[:-lag])) < 4 * error
    assert seen["noiseAgain"] == seen["noise"][:5]
    assert not set(seen["noiseOther"]) & set(seen["noise"])


def test_the_page_s_gains_are_complex_normal_and_its_clocks_uniform(seen):
    gains = np.array(seen["gains"]) @ [1, 1j]
    error = 1 / math.sqrt(len(gains))
    assert np.mean(abs(gains) ** 2) == pytest.approx(1, abs=4 * error)
    assert abs(np.mean(gains**2)) < 4 * math.sqrt(2) * error
    assert np.mean(abs(gains) ** 2 < math.log(2)) == pytest.approx(0.5, abs=2 * error)
    phases, delays = np.array(seen["clocks"]).T
    for order in (1, 2):  # of the circle, no place is preferred
        assert abs(np.mean(np.exp(1j * order * phases))) < 4 * error
    counts = np.bincount(delays.astype(int))
    assert len(counts) == 8
    np.testing.assert_allclose(counts, len(delays) / 8, rtol=0.2)
    assert abs(np.corrcoef(delays, np.cos(phases))[0, 1]) < 4 * error


def test_a_drawing_becomes_a_picture_of_the_data_set_s_size_in_its_middle(seen):
    picture = np.array(seen["picture"]).reshape(28, 28)
    rows, columns = np.flatnonzero(picture.any(1)), np.flatnonzero(picture.any(0))
    assert (rows[0], rows[-1]) == (4, 23)  # 20 of 28 pixels high, as in MNIST
    assert len(columns) in (5, 6)  # a quarter of that wide
    weight = picture.sum()
    assert picture.sum(0) @ (np.arange(28) + 0.5) / weight == pytest.approx(14, abs=0.05)
    assert weight == pytest.approx(20 * 5, rel=0.01)
    assert seen["blank"] is None


def test_a_second_page_of_the_same_run_trains_no_eve_again(run, tmp_path, monkeypatch):
    from arn_keras.audit.wiretap import Wiretap

    monkeypatch.setattr(Wiretap, "train", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(building, "build", lambda out: None)
    again = command.export(run, tmp_path / "page")
    for name in ("page.json", "check.json", "pictures.bin", "eve_arn.tflite"):
        assert (again / name).read_bytes() == (run / "page" / name).read_bytes()


def test_the_command_serves_the_page_until_it_is_interrupted(run, monkeypatch, capsys):
    monkeypatch.setattr(command, "export", lambda *_: run / "page")
    command_line = [str(run), "--port", "0"]

    def interrupted(serving):
        address = f"http://127.0.0.1:{serving.server_address[1]}/"
        assert address in capsys.readouterr().out
        thread = threading.Thread(target=serving.handle_request)
        thread.start()
        with urllib.request.urlopen(address + "page.js") as answer:
            assert answer.headers["Content-Type"] == "text/javascript"
            assert answer.read() == (run / "page" / "page.js").read_bytes()
        thread.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(http.server.ThreadingHTTPServer, "serve_forever", interrupted)
    assert command.main(command_line) == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command_line[-1] = str(taken.getsockname()[1])
        assert command.main(command_line) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_the_newest_run_with_a_bundle_is_the_default(tmp_path):
    for age, name in enumerate(("new", "old")):
        written = tmp_path / name / "bundle" / "manifest.json"
        written.parent.mkdir(parents=True)
        written.write_text("{}")
        os.utime(written, (1000 - age, 1000 - age))
    (tmp_path / "unfinished").mkdir()
    assert command.newest(tmp_path) == tmp_path / "new"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: shutil.rmtree(run), "expected a run directory of train.py, got none"),
        (lambda run: (run / "config.json").write_text("[]"), "expected a run's configuration"),
        (lambda run: None, "expected a bundle in it: python -m export "),
    ],
)
def test_bad_input_gets_one_clear_line(tmp_path, monkeypatch, capsys, damage, message):
    monkeypatch.setattr(building, "missing", lambda: None)
    run = tmp_path / "run"
    write_config(run)
    damage(run)
    assert command.main([str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("export.web: error: ")
    assert message in line


def test_a_bundle_without_a_pair_of_arns_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(building, "missing", lambda: None)
    write_config(tmp_path)
    (tmp_path / "bundle").mkdir()
    manifest.write(
        tmp_path / "bundle", {"format": runtime.FORMAT, "protection": "keyed", "modules": {}}
    )
    assert command.main([str(tmp_path)]) == 2
    assert "got one of protection keyed" in capsys.readouterr().err


def test_without_node_the_error_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert command.main([str(tmp_path)]) == 2
    assert "expected Node.js 20 or later" in capsys.readouterr().err


def test_help_comes_before_anything_heavy():
    code = (
        "import sys; from arn_keras.export.web.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'tensorflow', 'keras', 'tensorflow_datasets', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def _right(sent, name):
    """How many of the messages the Eve who never adapts named."""
    return int(sent["many"][name]["frozen"]["right"])
