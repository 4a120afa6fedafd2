"""Cubes whose truth is known (numpy only, seeded)."""
