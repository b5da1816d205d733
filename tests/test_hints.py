"""Every public signature says what it takes and gives."""

import inspect

import arn_keras


def _calls():
    """Functions of the package, and methods that are its own or Keras's hooks, by name."""
    for name in arn_keras.__all__:
        thing = getattr(arn_keras, name)
        if inspect.isfunction(thing) or inspect.ismodule(thing):  # a package that is called
            yield name, thing
        elif inspect.isclass(thing):
            for method in dir(thing):
                found = inspect.getattr_static(thing, method)
                found = getattr(found, "__func__", found)
                own = inspect.isfunction(found) and found.__module__.startswith("arn_keras.")
                if own and (method == "__init__" or not method.startswith("_")):
                    yield f"{name}.{method}", found


def test_every_parameter_and_every_return_of_a_public_call_has_a_type():
    calls = dict(_calls())
    assert {
        "SecureLink.fit",
        "AWGN.call",
        "forward",
        "eve_confidence",
        "audit",
        "export",
    } <= calls.keys()
    missing = {}
    for name, call in calls.items():
        signature = inspect.signature(call)
        types = {"return": signature.return_annotation}
        types |= {each.name: each.annotation for each in signature.parameters.values()}
        without = {each for each, kind in types.items() if kind is inspect.Signature.empty}
        missing |= {name: without - {"self", "cls"}} if without - {"self", "cls"} else {}
    assert missing == {}
