"""The service that `syncd run` is: when passes run, what systemd and the administrators are told of them."""
