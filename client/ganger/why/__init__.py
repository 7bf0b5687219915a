"""This module is the room of the words for explanations: values in, lines for people out."""
