"""Layer 3: compression recipes, artifact in and artifact out."""
