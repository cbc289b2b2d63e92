"""Answers that are given again, from memory and from Redis."""
