"""The demonstration: two bundled schedules, the simulated portal, and the real cycle between them."""
