"""Alice's counter and Bob's window under kills, forks, threads, links, lost locks: none twice."""

import os
import random
import shutil
import threading

from torture.tally import Attempt, Tally

PAIR = bytes(range(8))
REFUSALS = 60  # seconds a trial may take


def numbers(folder, trials, seed=0):
    """A third each: kills of who counts and who takes, forks and threads, links and lost locks."""
    tally, chance = Tally("numbers"), random.Random(seed)
    for end in ("counter", "window"):
        for kind in (_killed, _threaded, _tampered):
            place = folder / f"{end}-{kind.__name__}"
            place.mkdir()
            kind(tally, place, trials // 6, chance, end)
    return tally


def _opened(end, path):
    """Opens an end; a function that takes so many numbers more: those that it was given."""
    from arn_keras.pair.message_number import MessageCounter, ReplayWindow

    if end == "counter":
        counter = MessageCounter(path, PAIR, block=8)
        return counter, lambda count: [counter.next() for _ in range(count)]
    window = ReplayWindow(path=path, pair=PAIR)

    def take(count):
        taken = []
        for _ in range(count):
            taken.append(_accepted(window))
        return taken

    return window, take


def _accepted(window):
    """The lowest number that a window still takes, taken."""
    from arn_keras.pair.refusal import RefusedMessageError

    number = window.reached
    while True:
        try:
            window.accept(number)
        except RefusedMessageError:
            number += 1
        else:
            return number


def _create(end, path):
    from arn_keras.pair.message_number import MessageCounter, ReplayWindow

    {"counter": MessageCounter, "window": ReplayWindow}[end].create(path, PAIR)


def _check(tally, seen, note):
    if len(set(seen)) < len(seen):
        tally.count("wrong", f"{note}: {len(seen) - len(set(seen))} of {len(seen)} numbers twice")


def _killed(tally, place, trials, chance, end):
    path, log = place / "own", place / "numbers"
    _create(end, path)

    def work():
        _, take = _opened(end, path)
        with open(log, "ab", buffering=0) as file:
            while True:
                file.write(b"%d\n" % take(1)[0])  # used: only now does anybody see it

    for _ in range(trials):
        tally.tried += 1
        attempt = Attempt(work, place / "log")
        status = attempt.wait(chance.uniform(0.0, 0.08))
        if status is None:
            attempt.kill()
        else:
            tally.count("crashed", f"{end}: status {status}: {attempt.said()[-200:]}")
    lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
    _check(tally, [int(line) for line in lines], f"{end} under {trials} kills")


def _threaded(tally, place, trials, chance, end):
    for trial in range(trials):
        tally.tried += 1
        path = place / f"own-{trial}"
        _create(end, path)
        owner, take = _opened(end, path)
        seen, lock = [], threading.Lock()

        def use(take=take, seen=seen, lock=lock):
            found = take(20)
            with lock:
                seen.extend(found)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        # A fork while threads are at work: its copy of every lock may be held for ever.
        child = Attempt(lambda take=take: take(1) and 0, place / "log")
        for thread in threads:
            thread.join()
        status = child.wait(REFUSALS)
        if status is None:
            child.kill()
            tally.count("hung", f"{end}: a forked child")
        elif "KeyingError" not in child.said():
            tally.count("wrong", f"{end}: a forked child: status {status} {child.said()[-200:]}")
        owner.close()
        _check(tally, seen, f"{end} of four threads")


def _tampered(tally, place, trials, chance, end):
    from arn_keras.pair.refusal import KeyingError

    for trial in range(trials):
        tally.tried += 1
        path, other = place / f"own-{trial}", place / f"other-{trial}"
        _create(end, path)
        seen, owners = [], []
        kind = trial % 5

        ends, kept = [path, path], {}
        for step in range(8):
            if step == 3:
                if kind == 0:
                    os.unlink(f"{path}.lock")
                elif kind == 1:
                    os.link(path, other)
                    ends = [path, other]
                elif kind == 2:
                    os.rename(path, other)
                    ends = [path, other]
                elif kind == 3:
                    os.symlink(path, other)
                    ends = [path, other]
                else:
                    shutil.copyfile(f"{path}.lock", other)
                    os.replace(other, f"{path}.lock")
            for number, at in enumerate(ends):
                name = (number, at)
                try:
                    if name not in kept:
                        owner, kept[name] = _opened(end, at)
                        owners.append(owner)
                    seen.extend(kept[name](chance.randrange(1, 30)))
                except (KeyingError, OSError) as error:
                    if "\n" in str(error):
                        tally.count("unclear", str(error))
        for owner in owners:
            owner.close()
        _check(tally, seen, f"{end} tampered with in way {kind}")
