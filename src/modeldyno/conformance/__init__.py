"""The rules of the Open Inference Protocol, and what holds a running server against them."""
