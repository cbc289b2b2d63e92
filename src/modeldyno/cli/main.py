"""`dyno`: find the verb, let it run, turn what went wrong into words and an exit code.

Only the verb that was asked for is imported, so that `dyno --help` starts nothing heavy.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

VERBS = {
    "inspect": ("inspection", "what a model file is: format, inputs and outputs, task, size"),
    "evaluate": ("evaluation", "how right a model or bundle answers, with intervals, against labelled data"),
    "prepare": ("preparing", "scales, categories, components and terms, learnt from training data"),
    "profile": ("profiling", "in-process speed, where a call's time and memory go, and how far from the limit"),
    "tune": ("tuning", "find, prove and bundle the fastest deployment that keeps the quality"),
    "fuse": ("fusing", "operations put into the graph of an ONNX model, checked and measured"),
    "convert": ("converting", "a model in ONNX or OpenVINO, its answers and its speed compared"),
    "compress": ("compressing", "smaller forms of a model, each judged and timed against it"),
    "combine": ("combining", "several bundles as one: a sequence, an ensemble or a cascade"),
    "serve": ("serving", "serve a bundle over the Open Inference Protocol"),
    "seal": ("sealing", "a bundle signed, encrypted, or both"),
    "keys": ("keys", "API keys of a server: create, list, revoke"),
    "audit": ("auditing", "whether a server's audit log is what was written"),
    "load": ("loading", "put a server under an honest open-loop load and judge the measurement"),
    "conform": ("conforming", "whether a server keeps the Open Inference Protocol, rule by rule"),
    "capacity": ("sizing", "the highest rate at which a server or a bundle meets its objectives"),
    "compare": ("comparing", "whether B is worse than A: stored runs, or targets loaded in turns"),
    "report": ("reporting", "rebuild the report of a stored run or search"),
    "doctor": ("checkup", "the state of this machine, the runtimes, and the floor of the instrument"),
}
"""Verb to module under `cli.commands` and its line in the help."""

USAGE = """usage: dyno VERB [ARGUMENTS]      dyno VERB --help

From a trained model to a fast, proven, watched service.

"""
FOOTER = """
every verb takes --json (the record instead of text) and --quiet (no progress)
exit codes: 0 done, 1 our fault, 2 wrong input, 3 an objective failed, 4 not valid or cannot tell,
            5 unreachable, 130 stopped

start here:  dyno tune MODEL --data DATA --slo "p99<20ms, accuracy_drop<=1%" --rate 500
"""


def help_text() -> str:
    """What `dyno --help` prints."""
    width = max(map(len, VERBS)) + 2
    lines = [f"  {verb:<{width}}{line}" for verb, (_, line) in VERBS.items()]
    return USAGE + "\n".join(lines) + "\n" + FOOTER


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(help_text())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from modeldyno import __version__

        sys.stdout.write(f"dyno {__version__}\n")
        return 0
    verb = arguments[0]
    if verb not in VERBS:
        return _unknown(verb)
    from modeldyno.cli.invocation import invoke

    return invoke(verb, import_module(f"modeldyno.cli.commands.{VERBS[verb][0]}"), arguments[1:])


def _unknown(verb: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(verb, VERBS, n=1)
    hint = f"did you mean: dyno {near[0]}" if near else "see: dyno --help"
    sys.stderr.write(f"dyno: unknown verb {verb!r}\n  next  {hint}\n")
    return 2


def run() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))
