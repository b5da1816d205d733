"""Command lines whose every refusal is one line."""

import argparse


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` without the usage in front of an error: one line, status 2."""

    def error(self, message):
        """Ends the program with one line on standard error and status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")
