"""Layer 3: the load generator: sends what was planned, stamps what happened, judges nothing."""
