"""Layer 1: arrival processes as pure functions of rate, count and seed."""
