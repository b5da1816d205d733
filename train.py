"""Reproduces the letter: trains the base link, Eve and the pair of ARNs, and exports the pair."""

from arn_keras.run.command import main

if __name__ == "__main__":
    raise SystemExit(main())
