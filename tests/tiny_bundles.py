"""Small bundles of untrained pairs: each is made once in a process, and written where asked."""

import functools
import pathlib
import tempfile

import bundles


def tiny_bundle(path, seed=0, **options):
    """As `bundles.tiny_bundle`; what was made before with these options is the same files again."""
    made, files = _made(seed, tuple(options.items()))
    bundle = path / made.path.name
    bundle.mkdir()
    for name, content in files.items():
        (bundle / name).write_bytes(content)
    return made._replace(path=bundle)


@functools.cache
def _made(seed, options):
    with tempfile.TemporaryDirectory() as folder:
        made = bundles.tiny_bundle(pathlib.Path(folder), seed, **dict(options))
        return made, {file.name: file.read_bytes() for file in made.path.iterdir()}
