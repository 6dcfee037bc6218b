"""The only place that wires everything from the config."""
