"""Layer 1: what to batch and what to admit, decided from state and time given as arguments."""
