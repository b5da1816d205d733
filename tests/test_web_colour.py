"""The page of a link made elsewhere: convolutional, signals of images, colour, two Eves, fading."""

import json

import numpy as np
import pytest
from bundles import unproven_bundle
from test_web import PROTECTIONS, browse, require_browser

from arn_keras.channel.rician import Rician
from arn_keras.data.dataset import Dataset, Split
from arn_keras.errors import ExportError
from arn_keras.export.web import building
from arn_keras.export.web.air import Air
from arn_keras.export.web.kind import MESSAGES, kind_of, write_messages
from arn_keras.export.web.pictures import PICTURES, Pictures
from arn_keras.pair.rotation import FAST

EVES = ("frozen", "frozen_2", "retrained")
SIDE, SIGNAL = 12, (3, 3, 4)


def _set(source, target=None):
    labels = np.arange(len(source)) % 10
    split = Split(source, labels, target)
    names = ("airplane", *map(str, range(1, 10)))
    return Dataset("cifar10", split, split, 10, preprocessing="unit_interval", label_names=names)


def _pictures(channels, count=40):
    generator = np.random.default_rng(3)
    return generator.integers(0, 256, (count, SIDE, SIDE, channels)).astype("uint8")


def _models():
    """Untrained, their weights and running statistics random."""
    import keras
    from keras import layers

    from arn_keras.export.web.contents import Models
    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn

    keras.utils.set_random_seed(5)
    transmitter = keras.Sequential(
        [
            keras.Input((None, None, 3)),  # any size of picture, as such links are made
            layers.Conv2D(8, 3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Conv2D(SIGNAL[-1], 3, strides=2, padding="same"),
            layers.BatchNormalization(),
        ]
    )
    receiver = keras.Sequential(
        [
            keras.Input(SIGNAL),
            layers.Conv2DTranspose(8, 3, strides=4, padding="same"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 3, padding="same", activation="sigmoid"),
        ]
    )

    def eve():
        return keras.Sequential(
            [keras.Input(SIGNAL), layers.Conv2D(4, 2), layers.Flatten(), layers.Dense(10)]
        )

    pair = build_transmitter_arn(SIGNAL, (16,)), build_receiver_arn(SIGNAL, (16,))
    keyed = FAST.build_transmitter(SIGNAL), FAST.build_receiver(SIGNAL)
    models = Models(transmitter, receiver, {"frozen": eve(), "frozen_2": eve()}, pair, keyed)
    retrained = {"arn": eve(), "keyed": eve()}
    generator = np.random.default_rng(7)
    for model in (transmitter, receiver, *models.eves.values(), *retrained.values(), *pair):
        model.set_weights(
            [
                generator.uniform(0.5, 2, w.shape)
                if "variance" in w.path
                # Everyday size, as after training: Eve is sure of nothing.
                else generator.normal(0, 0.2, w.shape)
                for w in model.weights
            ]
        )
    return models, retrained


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page's directory."""
    from arn_keras.export.web import contents
    from arn_keras.export.web.eavesdroppers import Overheard
    from arn_keras.pair.chain import protection

    require_browser()
    bundle, out = (tmp_path_factory.mktemp(name) for name in ("run", "page"))
    models, retrained = _models()
    facts = {"dataset": "cifar10", "knowledge": "white", "pair": "0" * 64, "seed": 0}
    levels = {"snr_db": 10.0, "psr_db": -10.0}
    levels |= {"place": None, "keeps_power": False}
    unproven_bundle(bundle / "bundle", models.pair, scenario="own", dataset="cifar10")
    overheard = {
        name: Overheard(
            protection(name, models.pair),
            {**models.eves, "retrained": retrained.get(name, models.eves["frozen"])},
            {"mse": 0.1, "perturbation_power": 0.1, **dict.fromkeys(EVES, 0.1)},
        )
        for name in PROTECTIONS
    }
    contents.write(
        out,
        kind=PICTURES,
        air=Air(
            Rician(k_factor_db=3.0, equalizer="zero-forcing"),
            Rician(k_factor_db=3.0, snr_offset_db=-3.0),
        ),
        models=models,
        overheard=overheard,
        dataset=_set(_pictures(3)),
        bundle=bundle / "bundle",
        seed=1,
        facts=facts | levels,
    )
    building.build(out)
    return out


@pytest.fixture(scope="module")
def seen(written, tmp_path_factory):
    """What was seen in the browser."""
    return browse(written, tmp_path_factory.mktemp("profiles"), "colour")


def test_a_convolutional_colour_link_gives_keras_s_figures_in_the_browser(written, seen):
    assert seen["errors"] == []
    check = json.loads((written / "check.json").read_text())
    assert len(check["bob_noise"][0]) == np.prod(SIGNAL)
    for name in PROTECTIONS:
        expected, found = check["expected"][name], seen["found"][name]
        assert len(found["mse"]) == 20
        np.testing.assert_allclose(found["mse"], expected["mse"], rtol=1e-4)
        assert set(found) == set(expected) == {"mse", *EVES}
        for eve in EVES:
            np.testing.assert_allclose(found[eve], expected[eve], atol=1e-4)
    for one, other in (EVES[:2], EVES[1:]):  # three Eves, three opinions
        assert not np.allclose(seen["found"]["arn"][one], seen["found"]["arn"][other], atol=1e-3)
    assert "180 of 180 guesses the same" in seen["checked"]


def test_a_colour_picture_is_chosen_and_shown_as_it_is_stored(written, seen):
    page = json.loads((written / "page.json").read_text())
    index = page["shown"][1]
    assert seen["chosen"] == f"an airplane, test picture {index}"
    assert seen["named"] == "an airplane"
    stored = _pictures(3)[index]
    assert seen["picture"] == {"width": SIDE, "pixels": stored.ravel().tolist()}
    assert seen["bob"]["width"] == SIDE


def test_colour_has_no_drawing_pad_and_every_eve_a_place(seen):
    assert seen["visible"] == ["pad", "named"]  # it shows the picture, and nothing draws on it
    assert seen["eves"] == ["Protection", "Bob's error", "Eve 1", "Eve 2", "Eve, retrained"]
    for name in PROTECTIONS:
        assert set(EVES) < set(seen["cards"][name])
    assert seen["width"] == 360


def test_axe_finds_nothing_on_a_page_in_colour(seen):
    assert list(seen["violations"].values()) == [[], []], seen["violations"]


@pytest.mark.parametrize(
    ("sources", "ends"),
    [
        (np.linspace(0, 1, 256), (0, 1)),
        (np.linspace(-1, 1, 256), (-1, 1)),
        (np.arange(256.0), (0, 255)),
        (np.linspace(-2, 3, 256), (-2, 3)),
    ],
)
def test_eight_bits_stand_for_whatever_a_transmitter_takes(sources, ends):
    pictures = Pictures.of(sources.reshape(1, 16, 16, 1), *ends)
    assert (pictures.low, pictures.high) == ends
    np.testing.assert_array_equal(pictures.stored.ravel(), np.arange(256))
    np.testing.assert_allclose(pictures.sources().ravel(), sources, atol=1e-6)


@pytest.mark.parametrize(
    ("ground", "channels", "draws"), [(0, 1, True), (200, 1, False), (0, 3, False)]
)
def test_a_pad_is_for_grey_strokes_on_a_dark_ground(tmp_path, ground, channels, draws):
    source = np.full((MESSAGES, 10, 10, channels), ground, np.uint8)
    source[:, 2:7, 3:6] = 255
    _, fields = write_messages(tmp_path, PICTURES, _set(source))
    assert fields["extent"] == (0.5 if draws else None)
    assert (fields["shape"], fields["channels"]) == ([10, 10], channels)
    assert (tmp_path / "pictures.bin").read_bytes() == source.tobytes()


@pytest.mark.parametrize("source", [np.zeros((4, 7)), _pictures(2, 4), {"a": np.zeros((4, 7))}])
@pytest.mark.parametrize("task", ["signal", "image"])
def test_what_is_no_picture_is_refused_in_a_line_that_says_what_can_be_shown(source, task):
    class Problem:
        dataset = Dataset("set", *(Split(source, np.zeros(4, int)),) * 2, 1)
        scenario = type("Scenario", (), {"task": staticmethod(lambda dataset: task)})

    with pytest.raises(
        ExportError, match=rf"pictures .* in colour\), got the task '{task}' on set"
    ):
        kind_of(Problem)


def test_what_is_a_picture_but_not_what_bob_is_to_see_is_refused():
    class Problem:
        dataset = _set(_pictures(3, 4), np.zeros(4))
        scenario = type("Scenario", (), {"task": staticmethod(lambda dataset: "image")})

    with pytest.raises(ExportError, match="expected a task that the page can show"):
        kind_of(Problem)
