"""The rows of the simulated portal."""
