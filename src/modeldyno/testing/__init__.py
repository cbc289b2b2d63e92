"""Shipped for users' tests and ours: a manual clock, fakes of each protocol, conformance kits, known servers."""
