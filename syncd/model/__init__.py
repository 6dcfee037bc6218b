"""Pure values and decisions: no IO, no clock, no logging."""
