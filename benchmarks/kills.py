"""SIGKILLs at random moments of either end of a key: no number may be used or taken twice.

    python benchmarks/kills.py [--kills N] [--seed S]

Each time a child opens its end (key file, counter or window) and does nothing but take numbers, in
blocks of 16 and with a step of the key every 64, and tells each over a pipe; it is killed up to
20 ms after its first. Bob is offered the last numbers before a kill again, and all that follow.
Ends with status 1 if a number came twice, an end did not open again, or a file was left behind.
"""

import argparse
import functools
import itertools
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from arn_keras.pair import key_ends, key_file, key_schedule
from arn_keras.pair.message_number import MessageCounter, ReplayWindow
from arn_keras.pair.refusal import RefusedMessageError

BLOCK, AGAIN, LATEST_SECONDS = 16, 40, 0.02
KEYS = "signs", (2, 8)


def alice(key, told):
    """Takes numbers for ever."""
    file = key_file.KeyFile(key)
    counter = MessageCounter(f"{key}.counter", file.key.identity, block=BLOCK)
    ends = key_ends.TransmitterKeys(file.key, counter, file)
    while True:
        header, _ = ends.next(*KEYS)
        os.write(told, header.message.to_bytes(8, "little"))


def bob(key, headers, told):
    """Takes for ever what he is offered: old numbers, then new ones."""
    file = key_file.KeyFile(key)
    window = ReplayWindow(path=f"{key}.window", pair=file.key.identity, block=BLOCK)
    ends = key_ends.ReceiverKeys(file.key, window, file)
    for header in headers:
        try:
            ends.check(header)
            ends.keys(header, *KEYS)
            ends.accept([header])
        except RefusedMessageError:
            continue
        os.write(told, header.message.to_bytes(8, "little"))


def killed(end, moment):
    """What a child that is killed told before, and whether it was the kill that ended it."""
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            end(told)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        os._exit(1)
    os.close(told)
    content = os.read(heard, 8)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    while more := os.read(heard, 1 << 16):
        content += more
    os.close(heard)
    _, status = os.waitpid(child, 0)
    whole = len(content) // 8 * 8
    numbers = [int.from_bytes(content[at : at + 8], "little") for at in range(0, whole, 8)]
    return numbers, os.WIFSIGNALED(status)


def trial(name, folder, kills, seed):
    """Kills one end; returns whether all was well."""
    key, generator, original = folder / name, random.Random(seed), folder / f"{name}.original"
    key_file.make_key(key)
    shutil.copy(key, original)
    sender = key_schedule.PairKey(bytes.fromhex(original.read_text().strip()))
    owned = (name, f"{name}.counter", f"{name}.window")
    files = {original.name, *owned, *(f"{each}.lock" for each in owned)}
    files |= {f".{each}.new" for each in owned}  # of a killed write; the next one takes it
    seen, total, well, following = set(), 0, 0, 0
    for _ in range(kills):
        if name == "alice":
            end = functools.partial(alice, key)
        else:
            again = max(0, following - AGAIN)
            end = functools.partial(bob, key, map(sender.header, itertools.count(again)))
        numbers, by_kill = killed(end, generator.uniform(0, LATEST_SECONDS))
        seen.update(numbers)
        total += len(numbers)
        well += by_kill
        following = max((following, *(number + 1 for number in numbers)))
    left = sorted(each.name for each in folder.glob(f"*{name}*") if each.name not in files)
    epoch = key_file.read_key(key).epoch
    print(
        f"{name}: {well} of {kills} ended by a kill, {total} numbers up to {following - 1}, "
        f"{total - len(seen)} twice, key stepped {epoch} times, left behind: {left or 'nothing'}"
    )
    return well == kills and total == len(seen) and epoch > 0 and not left


def main():
    """Both ends; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="of each end (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # Steps as often as a test has time for; a header says nothing of it.
    key_schedule.EPOCH = key_ends.EPOCH = key_file.EPOCH = 64
    with tempfile.TemporaryDirectory() as folder:
        how = pathlib.Path(folder), options.kills, options.seed
        well = [trial(name, *how) for name in ("alice", "bob")]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
