"""From the page's sources to files that a browser loads: `build.mjs`, run by Node.

The packages it takes (LiteRT.js, esbuild; `package-lock.json` has their hashes) are those beside
the sources, as `make web` puts them there, or else in the user's cache, where npm installs them at
the first page.
"""

import hashlib
import pathlib
import shutil
import subprocess
import tempfile

from arn_keras.data import store
from arn_keras.errors import ExportError

HERE = pathlib.Path(__file__).parent
LISTS = ("package.json", "package-lock.json", ".npmrc")


def cache():
    """Directory of the packages in the user's cache; other packages, another directory."""
    try:
        root = store.folder()
    except RuntimeError:
        raise ExportError("expected a home or XDG_CACHE_HOME, for the page's packages") from None
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    return root / f"page-{lock[:16]}"


def packages():
    """The `node_modules` that a build takes, or None before they are installed."""
    places = (HERE / "node_modules", cache() / "node_modules")
    return next((place for place in places if place.is_dir()), None)


def missing():
    """What a build lacks on this machine and cannot get, in one line, or None."""
    if shutil.which("node") is None:
        return "Node.js 20 or later (command node)"
    if packages() is None and shutil.which("npm") is None:
        return "npm, which gets the page's packages (command npm)"
    return None


def install():
    """Installs the packages into the user's cache, without running any of their scripts.

    Returns:
        The `node_modules`.

    Raises:
        ExportError: if that fails.
    """
    place = cache()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial.", dir=place.parent) as partial:
            for name in LISTS:
                shutil.copyfile(HERE / name, pathlib.Path(partial) / name)
            _run("the page's packages", "npm", "ci", "--ignore-scripts", "--omit=dev", cwd=partial)
            made = pathlib.Path(partial) / "node_modules"
            place.mkdir(exist_ok=True)
            if not (place / "node_modules").is_dir():  # nor did another page's build
                made.rename(place / "node_modules")
    except OSError as error:
        raise ExportError(f"{place}: expected a place to write to: {error.strerror}") from None
    return place / "node_modules"


def build(out):
    """Builds the page into a directory.

    Raises:
        ExportError: if something for it is missing, or the build fails.
    """
    lacking = missing()
    if lacking:
        raise ExportError(f"expected {lacking}")
    script, out = HERE / "build.mjs", pathlib.Path(out).resolve()
    _run("the page's build", "node", script, out, packages() or install())


def _run(what, *command, cwd=None):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd
    )
    if done.returncode:
        reason = next(iter(done.stderr.strip().splitlines()), "no reason was given")
        raise ExportError(f"{what}: {command[0]} failed: {reason}")
