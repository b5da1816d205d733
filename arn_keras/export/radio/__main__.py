"""`python -m export.radio send|receive|figure`: the command line of I/Q recordings."""

from arn_keras.arguments import Parser, exit_status
from arn_keras.export import runtime
from arn_keras.export.radio import ends
from arn_keras.export.radio.frame import SAMPLES_PER_SYMBOL

SYMBOL_RATE = 250_000


def parse(arguments=None):
    """Options; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog="python -m export.radio",
        description="Sends sources as an I/Q recording (SigMF, cf32_le), and receives one.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    send = commands.add_parser("send", help="sources to a recording")
    receive = commands.add_parser("receive", help="a recording to what Bob recovers")
    figure = commands.add_parser("figure", help="spectrum and constellation of recordings")
    for each in (send, receive):
        each.add_argument(
            "place",
            metavar="BUNDLE",
            help="a run directory with its bundle, or a "
            "bundle alone, whose sources are signals of the deployed transmitter",
        )
    send.add_argument(
        "--sources",
        metavar="FILE",
        required=True,
        help="sources, .npy or .npz; test: the run's test set",
    )
    send.add_argument("--out", metavar="NAME", required=True, help="the recording")
    send.add_argument("--samples-per-symbol", type=int, choices=SAMPLES_PER_SYMBOL, default=4)
    send.add_argument("--counter", metavar="FILE", help="of a keyed pair: its message counter")
    receive.add_argument("recording", metavar="NAME", help="the recording")
    receive.add_argument("--sources", metavar="FILE", help="what was sent, to judge Bob by")
    receive.add_argument("--out", metavar="DIR", help="a new directory (default: NAME.received)")
    receive.add_argument("--window", metavar="FILE", help="of a keyed pair: its replay window")
    for each in (send, receive):
        each.add_argument("--key", metavar="FILE", help="of a keyed pair: this end's own copy")
        each.add_argument("--label", default="", help="of a key that serves several directions")
        each.add_argument("--plain", action="store_true", help="the base link without the modules")
        each.add_argument("--data-dir", metavar="DIR", help="where prepared data sets are")
    for each in (send, receive, figure):
        each.add_argument(
            "--symbol-rate",
            type=float,
            default=SYMBOL_RATE,
            metavar="HZ",
            help=f"(default: {SYMBOL_RATE})",
        )
    figure.add_argument("recordings", nargs="+", metavar="NAME", help="recordings, as sent")
    figure.add_argument("--out", metavar="FILE", required=True, help="the figure")
    options = parser.parse_args(arguments)
    if not 0 < options.symbol_rate < float("inf"):
        parser.error(f"--symbol-rate: expected a rate above 0 Hz, got {options.symbol_rate}")
    return options


def main(arguments=None):
    """Runs the command; returns the exit status."""
    options = parse(arguments)
    command = {"send": _send, "receive": _receive, "figure": _figure}[options.command]
    return exit_status(
        "export.radio",
        lambda: command(options),
        runtime.BundleError,
        runtime.KeyingError,
        runtime.SignalError,
        interrupted="nothing was written",
    )


def _end(options, role, **files):
    """The end of a role; `files` are of keyed pairs alone."""
    return ends.open_end(
        options.place,
        role,
        plain=options.plain,
        data_dir=options.data_dir,
        key=options.key,
        label=options.label,
        **files,
    )


def _send(options):
    from arn_keras.export.radio.send import send

    with _end(options, runtime.ROLES[0], counter=options.counter) as end:
        sent = send(
            end,
            end.link.split(options.sources),
            options.out,
            symbol_rate=options.symbol_rate,
            samples_per_symbol=options.samples_per_symbol,
        )
    print(
        f"{options.out}: {sent['frames']} frames of {end.layout.symbols} symbols "
        f"({end.layout.payload} of them a signal's), {sent['seconds']:.3g} s"
    )


def _receive(options):
    from arn_keras.export.radio.receive import receive
    from arn_keras.export.radio.recording import Recording

    recording = Recording(options.recording, options.symbol_rate)
    out = options.out or f"{options.recording}.received"
    with _end(options, runtime.ROLES[1], window=options.window) as end:
        sources = end.link.split(options.sources) if options.sources else None
        report = receive(end, recording, out, sources=sources, symbol_rate=options.symbol_rate)
    print("\n".join(f"{name:<18} {_shown(value)}" for name, value in report.items()))
    print(f"received: {out}")


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else value


def _figure(options):
    from arn_keras.export.radio.figure import figure

    for line in figure(options.recordings, options.out, options.symbol_rate):
        print(line)


if __name__ == "__main__":
    raise SystemExit(main())
