"""Classical signal processing on arrays and cubes (numpy, scipy, scikit-image)."""
