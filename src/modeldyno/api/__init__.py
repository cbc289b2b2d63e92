"""Layer 6: one function a verb; the only place that knows concrete classes."""
