"""The use cases of the command line, and the only place that wires everything from the config."""
