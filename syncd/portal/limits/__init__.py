"""The portal's limits, as pure models: requests, operating time per method, lanes, and how long a push will take."""
