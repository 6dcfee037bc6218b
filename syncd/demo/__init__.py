"""The demonstration: three bundled schedules, the simulated portal, and the real cycle between them."""
