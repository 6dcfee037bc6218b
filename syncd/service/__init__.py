"""The service behind `syncd run`: when passes run, and what systemd and the administrators are told about them."""
