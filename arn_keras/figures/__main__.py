"""`python -m arn_keras.figures RUN_DIR`: draws all that a directory holds the rows for."""

import pathlib
import sys

from arn_keras.arguments import Parser
from arn_keras.errors import ArnError, RunDirError
from arn_keras.figures.draw import draw


def main(arguments=None):
    """Runs `python -m arn_keras.figures`; returns its exit status."""
    parser = Parser(prog="arn_keras.figures", description="Draws what a directory holds rows for.")
    parser.add_argument("run_dir", type=pathlib.Path, help="directory of a run or of a sweep")
    path = parser.parse_args(arguments).run_dir
    try:
        if not path.is_dir():
            raise RunDirError(f"{path}: expected the directory of a run or of a sweep")
        files = draw(path)
        if not files:
            raise RunDirError(f"{path}: expected examples, or rows along an axis, found none")
        print(*files, sep="\n")
    except ArnError as error:
        print(f"arn_keras.figures: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
