"""Files that are not what they should be, a page asked for by others, and a world that breaks."""

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from tiny_bundles import tiny_bundle

from arn_keras.arguments import exit_status
from arn_keras.data import text
from arn_keras.errors import DataError, ModelError, RunDirError
from arn_keras.export import conversion, proof, runtime
from arn_keras.export.radio.ends import SignalLink
from arn_keras.export.radio.recording import Recording
from arn_keras.export.signing import load_private_key
from arn_keras.export.web.server import server
from arn_keras.figures import __main__ as figures
from arn_keras.machine import files
from arn_keras.machine.models import load
from arn_keras.machine.places import lock, staging
from arn_keras.measure import journal
from arn_keras.run.directory import RunDirectory

ROOT = pathlib.Path(__file__).parents[1]
WHY = "not a regular file|at most|[Cc]annot|whole|magic string"
TEXT = {
    **dict.fromkeys(("data_dir", "limit", "text", "label")),
    **{"length": 4, "vocabulary": 9},
}


def test_each_kind_of_file_that_may_be_a_stranger_s_names_tests_that_are_there():
    page = (ROOT / "docs/threat-model.md").read_text()
    table = page.partition("from a stranger")[2].partition("\n## ")[0]
    _, _, *rows = (line.strip("| ") for line in table.splitlines() if line.startswith("|"))
    kinds = {row.split(" | ")[0]: re.findall(r"`(test_\w+)(?:::(\w+))?`", row) for row in rows}
    assert "request to the page's server" in kinds
    for kind, named in kinds.items():
        assert named, kind
        for file, test in named:
            assert f"def {test}" in (ROOT / "tests" / f"{file}.py").read_text(), (kind, test)


@pytest.fixture
def special(tmp_path):
    """Paths that no reader may wait for or read to the end."""
    pipe, zero, folder, huge = (tmp_path / name for name in ("pipe", "zero", "folder", "huge"))
    os.mkfifo(pipe)
    zero.symlink_to("/dev/zero")
    folder.mkdir()
    with open(huge, "wb") as file:
        file.truncate(1 << 40)
    return pipe, zero, folder, huge


@pytest.mark.parametrize(
    "reader",
    [
        files.read_bytes,
        files.read_json,
        files.read_arrays,
        journal.read,
        lambda path: load(path, RunDirError),
        lambda path: load_private_key(path),
        lambda path: text.load("own", [path], **TEXT),
        lambda path: SignalLink((4,)).split(str(path)),
    ],
)
def test_pipes_devices_folders_and_terabytes_are_refused_unread(special, reader):
    for path in special:
        if path.name == "huge" and reader is journal.read:
            continue  # SQLite reads pages of it, not the whole
        with pytest.raises(Exception, match=WHY) as refusal:
            reader(path)
        assert "\n" not in str(refusal.value)
        assert str(path) in str(refusal.value)


def test_a_pipe_in_the_place_of_a_lock_is_not_waited_for(special, tmp_path):
    with pytest.raises(OSError, match="No such device"):
        lock(special[0])
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / ".lock")
    with pytest.raises(RunDirError, match="expected a writable directory: No such device"):
        RunDirectory(tmp_path / "run", {}, {})


def test_nothing_is_emptied_or_written_behind_a_stranger_s_link(tmp_path):
    run, mine = tmp_path / "run", tmp_path / "mine"
    (mine / "checkpoint").mkdir(parents=True)
    (mine / "thesis").write_text("mine")
    before = sorted(mine.rglob("*"))

    def stage(name):
        with RunDirectory(run, {}, {}) as directory:
            directory.partial(name)
            directory.finish(name)

    def stand_in(_):
        with staging(run / "bundle"):
            pass

    for link, use, name in (
        (".partial.bundle", stand_in, ""),
        (".partial.link", stage, "link"),
        ("arn", stage, "arn/white"),
        (".made", stage, "link"),
        (".scratch", stage, "link"),
    ):
        run.mkdir()
        (run / "config.json").write_text('{"config": {}}')
        (run / link).symlink_to(mine)
        with pytest.raises(RunDirError, match=f"/{link}: expected a directory of its own, got a l"):
            use(name)
        (run / link).unlink()
        assert sorted(mine.rglob("*")) == before
        use(name)
        shutil.rmtree(run)


def test_metadata_of_a_terabyte_are_refused_unread(special, tmp_path):
    *_, huge = special
    huge.rename(tmp_path / "x.sigmf-meta")
    (tmp_path / "x.sigmf-data").touch()
    with pytest.raises(DataError, match=r"x\.sigmf-meta: .*expected at most"):
        Recording(tmp_path / "x", 250_000)


def test_a_home_of_nobody_is_a_file_that_is_not_there():
    with pytest.raises(DataError, match=r"~nobody-of-this-name/a\.tsv: .*No such file"):
        text.load("own", ["~nobody-of-this-name/a.tsv"], **TEXT)


def test_a_text_that_unpacks_to_more_than_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb c\nd\te f\n" * 500))
    assert len(text.load("own", [path], **TEXT).train) == 900
    monkeypatch.setattr(text, "LIMIT_BYTES", 5999)
    with pytest.raises(DataError, match=r"bomb\.tsv\.gz: .* unpacks to more than 5999 bytes"):
        text.load("own", [path], **TEXT)


def test_a_model_elsewhere_is_not_fetched():
    with pytest.raises(ModelError, match="No such file"):
        load("hf://someone/model.keras", ModelError)


def test_arrays_that_unpack_to_more_than_their_reader_takes_are_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    files.write_arrays(path, {"zeros": np.zeros(1 << 20)})
    assert path.stat().st_size < 1 << 16
    assert len(files.read_arrays(path)["zeros"]) == 1 << 20
    with pytest.raises(DataError, match="expected at most 1048576 bytes, got 8388736"):
        files.read_arrays(path, DataError, limit=1 << 20)


def test_a_damaged_file_of_arrays_is_one_line(tmp_path):
    path = tmp_path / "examples.npz"
    files.write_arrays(path, {"label": np.arange(1000)})
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-10], b"PK\3\4" + bytes(100), b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(RunDirError, match=r"expected an \.npz file of arrays: ") as refusal:
            files.read_arrays(path)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("rows", ["[]", "{}", "[1]", '[{"case": "paired"}]', "null"])
def test_figures_of_what_are_no_rows_are_one_line(tmp_path, capsys, rows):
    (tmp_path / "config.json").write_text('{"config": {"dataset": "digits", "psr_db": -10}}')
    (tmp_path / "results.json").write_text(rows)
    files.write_arrays(tmp_path / "examples.npz", {"label": np.arange(3)})
    assert figures.main([str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def _mutated(manifest, number):
    """A manifest in which one value is of another kind, by number; its digest made right."""
    text = json.dumps(manifest)
    places = []

    def visit(node, path):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((*path, key))
            if isinstance(value, (dict, list)) and value:
                visit(value, (*path, key))

    visit(manifest, ())
    changed = node = json.loads(text)
    *path, last = places[number % len(places)]
    for key in path:
        node = node[key]
    kinds = [None, -1, 10**30, "x", [], {}, [[1]], float("nan"), "/dev/zero", True]
    node[last] = kinds[number // len(places) % len(kinds)]
    with contextlib.suppress(ValueError, TypeError):
        changed["digest"] = runtime.digest(changed)
    return changed


def test_a_manifest_of_other_types_and_its_vectors_are_refused_in_one_line(tmp_path, capsys):
    bundle = tiny_bundle(tmp_path, precisions=("float32",)).path
    manifest = json.loads((bundle / "manifest.json").read_text())
    refused = 0
    for number in range(0, 1500, 5):
        (bundle / "manifest.json").write_text(json.dumps(_mutated(manifest, number)))
        status = runtime.main(["--selftest", "--bundle", str(bundle)])
        lines = capsys.readouterr().err.splitlines()
        lines = [line for line in lines if not line.startswith("INFO")]
        assert (status, len(lines)) in ((0, 0), (2, 1))
        refused += status == 2
    assert refused > 100


def test_a_manifest_that_promises_gigabytes_gets_none_of_them(tmp_path):
    bundle = tiny_bundle(tmp_path, precisions=("float32",)).path
    manifest = json.loads((bundle / "manifest.json").read_text())
    entry = manifest["modules"]["transmitter"]["float32"]
    with open(bundle / entry["file"], "wb") as file:
        file.truncate(1 << 40)
    entry["bytes"] = 1 << 40
    manifest["digest"] = runtime.digest(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(runtime.BundleError, match="expected at most 1073741824 bytes"):
        runtime.Pair.load(bundle)


def test_a_header_of_another_type_is_refused_and_takes_no_message(tmp_path):
    bundle = tiny_bundle(tmp_path, precisions=("float32",), protection="keyed").path
    runtime.new_key(bundle, tmp_path / "k")
    with runtime.Pair.load(bundle, role="receiver", key=tmp_path / "k") as pair:
        for header in (None, 7, "x" * 32, [None], [7], object(), np.zeros(32, "u1")):
            received = np.ones((1, 8) if isinstance(header, list) else 8, np.float32)
            with pytest.raises(runtime.KeyingError, match="expected a header"):
                pair.bob.clean(received, header)


def test_a_bundle_is_made_and_proven_and_loaded_at_a_path_that_is_no_utf_8(tmp_path):
    place = tmp_path / os.fsdecode(b"\xff")
    place.mkdir()
    bundle = tiny_bundle(place, precisions=("float32",)).path
    signals = np.ones((2, 8), np.float32)
    with runtime.Pair.load(bundle) as pair:
        expected = pair.alice.protect(signals)
    (module,) = bundle.glob("transmitter_arn*.tflite")
    added = proof._bare(module)(signals)
    np.testing.assert_allclose(added, expected, atol=1e-5)


def test_the_proof_is_bounded_by_bytes_and_is_what_it_was_for_small_sources():
    assert conversion.proof_size(10_000, 28 * 28 * 4, 128) == (10_000, 1)
    assert conversion.proof_size(360, 64 * 4, 32) == (360, 28)
    for target, symbols, there in ((512 * 512 * 3 * 4, 2**17, 50), (2**40, 2**30, 10_000)):
        sources, draws = conversion.proof_size(there, target, symbols)
        arrays = sources * (target + 4 * symbols * (2 + 3 * draws))
        assert arrays <= conversion.PROOF_BYTES or (sources, draws) == (1, 1)


def _asked(serving, path, host):
    connection = http.client.HTTPConnection(*serving.server_address, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    return connection.getresponse().status


def test_a_page_is_served_to_this_host_alone_and_nothing_outside_it(tmp_path, capfd):
    page, secret = tmp_path / "page", tmp_path / "secret.txt"
    (page / "models").mkdir(parents=True)
    (page / "index.html").write_text("page")
    secret.write_text("secret")
    (page / "link.txt").symlink_to(secret)
    (page / "up").symlink_to(tmp_path)
    with server(page) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        port = serving.server_address[1]
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert _asked(serving, "/", host) == 200
        for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}"):
            assert _asked(serving, "/", host) == 403
        assert _asked(serving, "/", None) in (400, 403)
        for path in ("/link.txt", "/up/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt"):
            assert _asked(serving, path, f"127.0.0.1:{port}") in (403, 404)
        assert _asked(serving, "/models/", f"127.0.0.1:{port}") == 404  # no lists
        for path in ("/%00", "/index.html%00", "/link.txt%00"):
            assert _asked(serving, path, f"127.0.0.1:{port}") in (403, 404)
        with socket.create_connection(serving.server_address) as gone:  # before the answer
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.send(b"GET / HTTP/1.0\r\nHost: localhost\r\n")
        assert _asked(serving, "/", f"localhost:{port}") == 200
        serving.shutdown()
    assert capfd.readouterr().err == ""


def test_what_a_system_refuses_is_one_line_and_status_2(capsys):
    def refused():
        raise OSError(28, "No space left on device", "runs/rows.json")

    def mistaken():
        raise KeyError("a mistake of ours")

    assert exit_status("program", refused) == 2
    assert capsys.readouterr().err == (
        "program: error: runs/rows.json: No space left on device; the same command goes on when "
        "that is mended\n"
    )
    with pytest.raises(KeyError):
        exit_status("program", mistaken)


def test_output_that_nobody_reads_ends_a_command_in_one_line():
    program = (
        "import sys; from arn_keras.arguments import exit_status\n"
        "def run():\n"
        "    for _ in range(10**6): print('x' * 100)\n"
        "sys.exit(exit_status('program', run))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 2
    assert said == (
        "program: error: nobody reads its output any more; the same command goes on from here\n"
    )


@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        (">/dev/full", 2, "program: error: No space left on device;"),
        (">&-", 0, ""),
        (">/dev/full 2>/dev/full", 2, ""),
        (">&- 2>&- <&-", 0, ""),
    ],
)
def test_output_that_is_full_or_closed_is_no_crash_and_overwrites_no_file(
    tmp_path, shell, status, said
):
    program = (
        "import sys; from arn_keras.arguments import exit_status\n"
        "def run():\n"
        "    with open('kept', 'w') as file:\n"
        "        assert file.fileno() > 2\n"
        "        file.write('kept')\n"
        "        print('said')\n"
        "sys.exit(exit_status('program', run))"
    )
    command = ["sh", "-c", f'"$0" -c "$1" {shell}', sys.executable, program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr[: len(said)]) == (status, said)
    assert len(done.stderr.splitlines()) == bool(said)
    assert (tmp_path / "kept").read_text() == "kept"


def test_a_scratch_folder_too_small_for_a_map_is_one_line_and_no_crash():
    program = (
        "import resource, signal\n"
        "from arn_keras.machine import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "files.IN_MEMORY_BYTES = 0\n"
        "try: files.empty_rows((1 << 10, 1 << 10))[:] = 1\n"
        "except files.RunDirError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("expected room for 4194304 bytes of scratch, got ")


def test_a_user_without_a_home_and_a_name_trains_all_the_same():
    program = (
        "import pwd\n"
        "def getpwuid(number): raise KeyError(number)\n"
        "pwd.getpwuid = getpwuid\n"
        "from arn_keras.backend import require_tensorflow\n"
        "require_tensorflow()\n"
    )
    environment = {name: os.environ[name] for name in ("PATH",)}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment)


def test_a_command_without_a_home_says_nothing_of_where_matplotlib_keeps_what():
    program = (
        "from arn_keras.arguments import exit_status\n"
        "def draw():\n"
        "    import matplotlib.figure\n"
        "raise SystemExit(exit_status('x', draw))\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/dev/null/nobody"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=environment)
    assert (done.stdout, done.stderr) == (b"", b"")
