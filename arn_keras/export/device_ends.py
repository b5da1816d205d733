"""What stands at Alice's and at Bob's end, as the bundle's own client runs it."""

import functools

#: What a module is given and what it answers, Alice's and Bob's, as test vectors name it.
ENDS = ("signal", "received", "sent", "cleaned")


class Ends:
    """A bundle's modules in one precision, on floats; keyed ones under any keys.

    Args:
        runtime: the bundle's own `runtime.py`, as a module.
        bundle: its directory.
        precision: of the ARNs.
    """

    def __init__(self, runtime, bundle, precision):
        manifest = runtime.read_manifest(bundle)
        self._keys = functools.partial(runtime.keys_of, bundle, manifest)
        self._keyed = manifest.get("keyed", {})
        self.alice, self.bob = (
            runtime.load_modules(bundle, manifest, role, precision) for role in runtime.ROLES
        )

    def keys(self, messages):
        """Keys of the first messages, under the key of the test vectors, which everybody knows."""
        return self._keys(next(iter(self._keyed.values())), messages)

    @property
    def told(self):
        """Names of what a module is told."""
        return {each.told_input for each in (*self.alice, *self.bob)} - {None}

    def protect(self, signal, keys, snr_db):
        """Signal y to z: the ARN, then the rotation, as far as they are there."""
        return _through(self.alice, signal, keys, {"snr_db": snr_db})

    def clean(self, received, keys, snr_db, csi):
        """Received y_bob to y_clean: the other way round."""
        return _through(self.bob[::-1], received, keys, {"snr_db": snr_db, "csi": csi})


def _through(modules, signal, keys, levels):
    for module in modules:
        if module.key_shape:
            signal = module.run(signal, lambda row: keys[row % len(keys)])
        elif module.quantization:
            signal = module.dequantize(_at(module, module.quantize(signal), levels))
        else:
            signal = _at(module, signal, levels)
    return signal


def _at(module, signal, levels):
    return module.at(signal, **{name: levels[name] for name in {module.told_input} - {None}})


def vectors_of(ends, signal, received, levels):
    """Inputs and the bundle's answers of each module, with its precision or "keyed"."""
    for precision, each in ends.items():
        for alice, bob in zip(each.alice, each.bob, strict=True):
            if alice.key_shape:
                if precision != next(iter(ends)):
                    continue  # one file for all of them
                name, given, keys = "keyed", (signal, received), each.keys(len(signal)).__getitem__
                answers = alice.run(signal, keys), bob.run(received, keys)
            else:
                name, given = precision, (signal, received)
                if alice.quantization:
                    given = alice.quantize(signal), bob.quantize(received)
                answers = _at(alice, given[0], levels), _at(bob, given[1], levels)
            yield name, dict(zip(ENDS, (*given, *answers), strict=True))
