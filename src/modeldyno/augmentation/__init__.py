"""Rows changed as the world might change them: pure functions of arrays and of numbers drawn from a seed."""
