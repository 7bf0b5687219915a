"""Job files: tasks and arrays written down in YAML or TOML, read by one table of keys."""
