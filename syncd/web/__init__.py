"""The status page, /healthz and /metrics. They show how things stand and change nothing."""
