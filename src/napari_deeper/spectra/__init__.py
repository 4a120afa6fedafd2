"""The ground: cubes, wavenumber axes, provenance, parameters and progress (numpy only)."""
