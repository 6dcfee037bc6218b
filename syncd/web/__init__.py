"""The status page, /healthz and /metrics: they show, and change nothing."""
