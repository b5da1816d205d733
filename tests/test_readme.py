import pathlib
import re

from wiretaps import TINY

from arn_keras.audit import effort
from arn_keras.files import read_json

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()


def test_the_example_runs_as_it_stands_and_fools_an_eve_who_does_not_retrain(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(effort, "QUICK", TINY)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(code, names)
    capsys.readouterr()
    sources, labels, secure, spy = (names[n] for n in ("sources", "labels", "secure", "spy"))
    signals = names["transmitter"].predict(sources, verbose=0)
    _, clean = spy.evaluate(signals, labels, snr_db=10.0, verbose=0)
    logs = secure.evaluate(sources, labels, snr_db=10.0, verbose=0, return_dict=True)
    assert clean > 0.8
    assert logs["eve_accuracy"] < clean - 0.2
    assert 0.02 < logs["perturbation_power"] <= 0.1
    assert (tmp_path / "transmitter_arn.keras").exists()
    run = tmp_path / "runs" / "mine"
    frozen = read_json(run / "results.json")[2]["eve_accuracy"]
    worst = read_json(run / "audit" / "audit.json")["headline"]["arn"]
    assert worst["eve_accuracy"] > frozen + 0.2
    assert read_json(run / "bundle" / "manifest.json")["psr_db"] == -10.0


def test_every_file_that_the_readme_links_to_is_there():
    root = pathlib.Path(__file__).parents[1]
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert len(links) >= 3
    for link in links:
        assert (root / link).exists(), link
