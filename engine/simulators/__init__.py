"""Simulators that make the training and test data of the two simulated systems (NumPy and SciPy only)."""
