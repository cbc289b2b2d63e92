"""Pipelines on disk as what is served, and as what computes here."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.api.served.opened import OpenedBundle, Terms, open_single
from modeldyno.api.served.sessions import check_samples
from modeldyno.deployment.bundle import open_bundle
from modeldyno.deployment.pipeline_bundle import member_directory, open_pipeline, samples_of, vouch_of_member
from modeldyno.errors import InputError
from modeldyno.processing.graph import PlannedPipeline, plan_pipeline
from modeldyno.processing.session import PipelineSession
from modeldyno.protocols import Session
from modeldyno.records.pipeline import Pipeline, members_of
from modeldyno.records.signature import Signature
from modeldyno.server.models.service import ServedModel
from modeldyno.server.pipelines.service import ServedPipeline


def open_served_pipeline(
    directory: Path, *, terms: Terms, name: str | None = None, version: str | None = None
) -> OpenedBundle:
    """Check a pipeline, open its members as bundles are opened, and ask the whole every sample.

    Args:
        directory: of the pipeline.
        terms: on which it is opened; changes go to the members, a time limit to the whole.
        name: on the server; None: the pipeline's own.
        version: on the server; None: the pipeline's own.

    Raises:
        InputError: damaged, or its answers differ here from those it was combined with.
        TrustError: nobody vouches for it, or loading a member would run code.
        UsageError: the changes contradict one another or the signature of a member.
    """
    pipeline = open_pipeline(directory, vouch=terms.vouch)
    with contextlib.ExitStack() as stack:
        members: dict[str, ServedModel] = {}
        for member in members_of(pipeline.graph):
            one = open_single(member_directory(directory, member), terms=_terms_of(member, pipeline, terms))
            stack.callback(one.close)
            if not isinstance(one.served, ServedModel):
                raise InputError(f"member {member!r} of {directory} is a pipeline itself", hint="combine it again")
            members[member] = one.served
        plan = _plan(pipeline, {member: served.signature for member, served in members.items()}, directory)
        session = PipelineSession(plan, {member: served.sessions[0] for member, served in members.items()})
        check_samples(session, samples_of(directory, pipeline), source=pipeline.name)
        timeout_ns = terms.changes.timeout_ns
        served = ServedPipeline(
            name=pipeline.name if name is None else name,
            version=pipeline.version if version is None else version,
            graph=pipeline.graph,
            plan=plan,
            members=members,
            timeout_ns=pipeline.timeout_ns if timeout_ns is None else timeout_ns,
        )
        return OpenedBundle(served, label=f"{pipeline.kind} of {', '.join(members)}", close=stack.pop_all().close)


def _terms_of(member: str, pipeline: Pipeline, terms: Terms) -> Terms:
    return Terms(
        vouch=None if terms.vouch is None else vouch_of_member(pipeline, member),
        bundle_key=terms.bundle_key,
        trust=terms.trust,
        changes=msgspec.structs.replace(terms.changes, timeout_ns=None),
    )


def _plan(pipeline: Pipeline, members: Mapping[str, Signature], source: Path) -> PlannedPipeline:
    plan = plan_pipeline(pipeline.graph, members)
    if plan.signature != pipeline.signature:
        raise InputError(
            f"{source} does not take and give what its manifest says",
            why="its members were changed after they were combined, or by another version of dyno",
            hint="combine the bundles again: dyno combine",
        )
    return plan


def open_pipeline_session(directory: Path, pipeline: Pipeline) -> PipelineSession:
    """A session of an opened pipeline, one of each member; closing it closes them.

    Raises:
        InputError: a member cannot be loaded.
    """
    sessions: dict[str, Session] = {}
    with contextlib.ExitStack() as stack:
        for member in members_of(pipeline.graph):
            sessions[member] = open_member(member_directory(directory, member))
            stack.callback(sessions[member].close)
        signatures = {member: session.signature for member, session in sessions.items()}
        session = PipelineSession(_plan(pipeline, signatures, directory), sessions, owns=True)
        stack.pop_all()
    return session


def open_member(directory: Path) -> Session:
    """One session of a plain bundle.

    Raises:
        InputError: it is damaged or cannot be loaded.
    """
    bundle = open_bundle(directory)
    deployment = bundle.deployment
    return runtime_named(deployment.runtime).open(
        directory / bundle.artifact.path, bundle.signature, deployment.session
    )
