"""This package puts a real master before a fleet of light workers that share one process and flap."""
