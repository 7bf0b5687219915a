"""The runner of what README.md and docs/ show: commands in their blocks are run, and their output is compared."""
