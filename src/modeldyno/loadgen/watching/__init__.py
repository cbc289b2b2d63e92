"""The server's side of a run: what it uses, what it counts, on the time axis of the requests."""
