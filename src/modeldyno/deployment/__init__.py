"""Layer 3: bundles on disk: written whole, checked when opened."""
