"""Layer 1: arrays in, numbers with intervals out."""
