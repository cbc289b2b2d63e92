"""PyTorch: programs, scripts and modules."""
