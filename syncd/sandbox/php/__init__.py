"""How the portal's PHP reads and writes values: scalars, query strings, batch commands, dates, JSON."""
