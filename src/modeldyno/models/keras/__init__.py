"""Keras files, loaded in a process of their own."""
