"""Layer 3: model files: what they are, what may be loaded, and their conversion."""
