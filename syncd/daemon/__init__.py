"""When passes run, and what systemd is told about it."""
