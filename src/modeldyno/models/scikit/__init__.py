"""scikit-learn models: read without running code, described, converted."""
