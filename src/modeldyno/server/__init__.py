"""Layer 3: bytes -> codec -> admission -> batcher -> session -> codec -> bytes."""
