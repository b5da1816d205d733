"""`python -m arn_keras.figures RUN_DIR`: draws all that a directory holds the rows for."""

import pathlib

from arn_keras.arguments import Parser, exit_status
from arn_keras.errors import ArnError, RunDirError
from arn_keras.figures.draw import draw


def main(arguments=None):
    """Runs `python -m arn_keras.figures`; returns its exit status."""
    parser = Parser(prog="arn_keras.figures", description="Draws what a directory holds rows for.")
    parser.add_argument("run_dir", type=pathlib.Path, help="directory of a run or of a sweep")
    path = parser.parse_args(arguments).run_dir
    return exit_status("arn_keras.figures", lambda: run(path))


def run(path):
    """Draws what a directory holds the rows for."""
    if not path.is_dir():
        raise RunDirError(f"{path}: expected the directory of a run or of a sweep")
    try:
        files = draw(path)
    except ArnError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunDirError(f"{path}: expected what a run or a sweep left: {error!r}") from None
    if not files:
        raise RunDirError(f"{path}: expected examples, or rows along an axis, found none")
    print(*files, sep="\n")


if __name__ == "__main__":
    raise SystemExit(main())
