"""The arguments of an MLPerf scenario."""

import argparse

from modeldyno.cli.typed import typed
from modeldyno.errors import UsageError
from modeldyno.records.scenario import MIN_DURATION_NS, Scenario, parse_scenario_name, scenario_of
from modeldyno.units import parse_duration_ns


def add_scenario(verb: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser = verb.add_argument_group("scenario of MLPerf Inference")
    parser.add_argument(
        "--scenario",
        type=typed(parse_scenario_name),
        metavar="NAME",
        help="single-stream, multi-stream, server or offline: the load and the rules by which it is VALID",
    )
    duration = typed(parse_duration_ns)
    parser.add_argument("--target-latency", type=duration, metavar="TIME", help="server: the limit of the percentile")
    parser.add_argument(
        "--percentile", type=float, metavar="N", help="of the latency (single-stream 90, multi-stream and server 99)"
    )
    parser.add_argument("--samples-per-query", type=int, metavar="N", help="multi-stream: rows in each request (8)")
    parser.add_argument(
        "--min-duration", type=duration, metavar="TIME", help="least time of a VALID run (MLPerf asks for 600s)"
    )


def scenario_asked(arguments: argparse.Namespace) -> Scenario | None:
    """The scenario that `add_scenario` declared; None without one.

    Raises:
        UsageError: an option of a scenario without one, or one that it does not have; or a duration under its minimum.
    """
    settings = {
        "--target-latency": arguments.target_latency,
        "--percentile": arguments.percentile,
        "--samples-per-query": arguments.samples_per_query,
        "--min-duration": arguments.min_duration,
    }
    if arguments.scenario is None:
        for option, value in settings.items():
            if value is not None:
                raise UsageError(f"{option} means nothing without --scenario", hint="for example --scenario server")
        return None
    scenario = scenario_of(
        arguments.scenario,
        target_latency_ns=arguments.target_latency,
        percentile=None if arguments.percentile is None else arguments.percentile / 100,
        samples_per_query=arguments.samples_per_query,
        min_duration_ns=arguments.min_duration,
    )
    if arguments.duration is not None and arguments.duration < scenario.min_duration_ns:
        asked_s, least_s = arguments.duration / 1e9, scenario.min_duration_ns / 1e9
        official = " by MLPerf" if scenario.min_duration_ns == MIN_DURATION_NS else ""
        raise UsageError(
            f"a run of {asked_s:g} s can only be INVALID",
            why=f"at least {least_s:g} s are asked for{official}",
            hint=f"--min-duration {asked_s:g}s, which the result will name",
        )
    return scenario
