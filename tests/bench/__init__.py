"""This package measures Ganger on this machine: figures as lines of JSON, and a fleet of simulated workers."""
