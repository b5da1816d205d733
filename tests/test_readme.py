import pathlib
import re

from bundles import converted_here  # noqa: F401
from wiretaps import TINY

from arn_keras.audit import RUNGS, effort
from arn_keras.machine.files import read_json

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()


def test_the_example_runs_as_it_stands_and_fools_an_eve_who_does_not_retrain(
    tmp_path, converted_here, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(effort, "QUICK", TINY)
    for rung in set(RUNGS) - {"E0", "E3"}:  # test_own_inputs and test_audit have them on a run
        monkeypatch.delitem(RUNGS, rung)
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


def test_every_module_that_a_page_runs_is_a_command():
    root = pathlib.Path(__file__).parents[1]
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    found = {
        name
        for page in pages
        for name in re.findall(r"python -m ((?:\w+\.)*\w+)", page.read_text())
    }
    own = {name for name in found if name.split(".")[0] in ("arn_keras", "export")}
    assert len(own) >= 6
    for name in own:
        path = root.joinpath(*name.split("."))
        file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        assert file.is_file(), name
        assert '__name__ == "__main__"' in file.read_text(), name
