"""A bundle as a folder, as a zip file, and on a Hub, which is a server of the test's own."""

import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from tiny_bundles import tiny_bundle

from arn_keras.export import runtime
from arn_keras.export.runtime import BundleError, Pair

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("tiny"), precisions=("float32",))


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def contents(bundle, folder=""):
    return {f"{folder}{file.name}": file.read_bytes() for file in bundle.iterdir()}


@pytest.mark.parametrize("folder", ["", "bundle/"])
def test_a_zip_file_opens_as_its_folder_does(tiny, tmp_path, folder):
    archive = zipped(tmp_path / "pair.zip", contents(tiny.path, folder))
    with Pair.load(tiny.path) as pair, Pair.load(archive) as same:
        assert same.identity == pair.identity
        expected = pair.alice.protect(tiny.signal)
        np.testing.assert_array_equal(same.alice.protect(tiny.signal), expected)
    assert dict(runtime.selftest(archive)) == dict(runtime.selftest(tiny.path))
    assert [each.name for each in tmp_path.iterdir()] == ["pair.zip"]  # unpacked nowhere


def test_a_zip_file_is_held_to_its_manifest(tiny, tmp_path):
    files = contents(tiny.path)
    name = next(each for each in files if each.endswith(".tflite"))
    changed = files[name][:-1] + bytes([files[name][-1] ^ 1])
    with pytest.raises(BundleError, match="its SHA-256 differs"):
        Pair.load(zipped(tmp_path / "changed.zip", {**files, name: changed}))
    with pytest.raises(BundleError, match=r"evil\.py: expected only files that the manifest lists"):
        Pair.load(zipped(tmp_path / "more.zip", {**files, "evil.py": b"1"}))
    with pytest.raises(BundleError, match="expected only files that the manifest lists"):
        Pair.load(zipped(tmp_path / "out.zip", {**files, "../evil.py": b"1"}))
    del files[name]
    with pytest.raises(BundleError, match=rf"{name}: expected a readable file"):
        Pair.load(zipped(tmp_path / "fewer.zip", files))


@pytest.mark.parametrize(
    "name",
    [
        *("/evil.py", "//evil.py", "/", "", "./evil.py", "folder/evil.py"),
        *("runtime.py/evil.py", "RUNTIME.PY", "evil\npy", "a/" * 30_000),
    ],
)
def test_a_zip_file_has_no_name_that_a_bundle_could_not_have(tiny, tmp_path, name):
    archive = zipped(tmp_path / "pair.zip", contents(tiny.path))
    with zipfile.ZipFile(archive, "a") as more:
        entry = zipfile.ZipInfo()
        entry.filename = name  # as it is: the constructor would mend it
        more.writestr(entry, b"1")
    with pytest.raises(BundleError, match=r"^.{0,120}: expected only files that the manifest lis"):
        Pair.load(archive)


def test_a_zip_file_has_each_name_once_and_no_list_that_takes_the_memory(tiny, tmp_path):
    archive = zipped(tmp_path / "pair.zip", contents(tiny.path, "bundle/"))
    with zipfile.ZipFile(archive, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr("bundle/runtime.py", b"print('mine')")
    with pytest.raises(BundleError, match="expected each file of a bundle once"):
        Pair.load(archive)
    many = {f"micro/{number}": b"" for number in range(20_000)}
    with pytest.raises(BundleError, match="a whole zip file of it: it lists too much"):
        Pair.load(zipped(tmp_path / "many.zip", {**contents(tiny.path), **many}))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_file_is_unpacked_by_no_method_whose_memory_it_chooses(tiny, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "pair.zip", "w", method) as archive:
        for name, content in contents(tiny.path).items():
            archive.writestr(name, content)
    with pytest.raises(
        BundleError, match=r"manifest\.json: expected a file that is deflated or st"
    ):
        Pair.load(tmp_path / "pair.zip")


def test_five_hundred_damaged_zip_files_are_refused_or_give_the_same_bundle(tiny, tmp_path):
    whole = zipped(tmp_path / "pair.zip", contents(tiny.path)).read_bytes()
    random, answer, said = np.random.default_rng(0), runtime.read_manifest(tiny.path), []
    headers = whole.index(b"PK\x01\x02"), len(whole)  # where most is said of what is in it
    for number in range(500):
        changed = bytearray(whole)
        changed[random.integers(*(headers if number % 2 else (0, len(whole))))] ^= 1 << number % 8
        (tmp_path / "bad.zip").write_bytes(changed)
        try:
            found = runtime.read_manifest(tmp_path / "bad.zip")
            runtime.check_listed(tmp_path / "bad.zip", found)
            for entry in found["files"]:
                runtime.read_file(tmp_path / "bad.zip", entry)
        except BundleError as error:
            said.append(str(error))
        else:
            assert found == answer
    assert len(said) > 100
    assert not [each for each in said if "\n" in each]


def test_a_zip_file_that_promises_much_is_not_unpacked(tiny, tmp_path):
    bomb = {**contents(tiny.path), "manifest.json": bytes(runtime.LIMIT_BYTES + 1)}
    with pytest.raises(BundleError, match="expected at most 16777216 bytes"):
        Pair.load(zipped(tmp_path / "bomb.zip", bomb))


@pytest.mark.parametrize("at", [0, 40, -30, -1])
def test_a_damaged_zip_file_is_one_line(tiny, tmp_path, at):
    whole = zipped(tmp_path / "pair.zip", contents(tiny.path)).read_bytes()
    for number, bad in enumerate(
        (whole[:at], b"", b"no zip file at all", whole[: len(whole) // 2])
    ):
        (tmp_path / f"{number}.zip").write_bytes(bad)
        with pytest.raises(BundleError, match=r"^[^\n]+$"):
            Pair.load(tmp_path / f"{number}.zip")


class Hub(http.server.BaseHTTPRequestHandler):
    """What `huggingface_hub` asks of huggingface.co for a model: its files, and each of them."""

    files, revision = {}, "0123456789abcdef0123456789abcdef01234567"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        model = {
            f"/api/models/us/pair{end}"
            for end in ("", "/revision/v1", f"/revision/{self.revision}")
        }
        name = path.removeprefix(f"/us/pair/resolve/{self.revision}/")
        if path in model:
            siblings = [
                {"rfilename": each, "size": len(content)} for each, content in self.files.items()
            ]
            content = {"id": "us/pair", "sha": self.revision, "siblings": siblings}
            self.answer(json.dumps(content).encode())
        elif path == f"/api/models/us/pair/tree/{self.revision}":
            listed = [
                {"type": "file", "path": each, "size": len(content), "oid": "0" * 40}
                for each, content in self.files.items()
            ]
            self.answer(json.dumps(listed).encode())
        elif name in self.files:
            self.answer(self.files[name])
        else:
            self.answer(b"{}", 404)

    def answer(self, content, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.revision)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


#: `runtime.py --selftest` of several addresses, with what each says on either stream.
SELFTEST = """
import contextlib, io, json, sys
sys.path[0] = sys.argv[1]
import runtime
found = []
for address in sys.argv[2:]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        found.append((runtime.main(["--selftest", "--bundle", address]), said.getvalue()))
print(json.dumps(found))
"""


def test_a_bundle_of_the_hub_opens_and_is_held_to_its_manifest(tiny, tmp_path):
    Hub.files = {".gitattributes": b"*.tflite", **contents(tiny.path, "bundle/")}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }

    def selftest(*addresses):
        """[(status, what was said)] of a self-test of each address, in a process that has them."""
        judge = [sys.executable, "-c", SELFTEST, ROOT / "arn_keras" / "export", *addresses]
        done = subprocess.run(judge, env=there, capture_output=True, text=True, check=True)
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        return json.loads(done.stdout)

    try:
        for status, said in selftest("hf://us/pair/bundle", "hf://us/pair@v1/bundle"):
            assert (status, said[:11]) == (0, "float32  ok"), said
        Hub.files = {**Hub.files, "bundle/runtime.py": b"print('mine')"}
        refused = {
            "hf://us/pair/bundle": "its SHA-256 differs",
            "hf://us/pair": "manifest.json: expected a readable file",
            "hf://us/other": "hf://us/other: expected a bundle on the Hub",
            "hf://us/pair@v2/bundle": "hf://us/pair@v2/bundle: expected a bundle on the Hub",
        }
        for what, (status, said) in zip(refused.values(), selftest(*refused), strict=True):
            assert status == 2
            assert what in said
            assert said.startswith("runtime.py: error: ")
            assert said.count("\n") == 1
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "address", ["hf://", "hf://us", "hf://us/pair@", "hf://us/pair/../..", "hf://us//x"]
)
def test_an_address_that_is_none_is_one_line(address):
    with pytest.raises(BundleError, match=r"expected hf://owner/name\[@revision\]\[/folder\], got"):
        Pair.load(address)


def test_without_its_package_the_hub_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BundleError, match="expected the package huggingface_hub"):
        Pair.load("hf://us/nowhere")
