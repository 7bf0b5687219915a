"""This module reads command lines as GNU's getopt does, by a table of options. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ganger_core.domain.errors import Invalid


class Takes(StrEnum):
    """Whether an option has a value."""

    NOTHING = "nothing"
    VALUE = "value"
    MAYBE = "maybe"  # only one that is joined to it: --nice=5


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its long name, its letter where it has one, and whether it takes a value."""

    name: str
    letter: str = ""
    takes: Takes = Takes.VALUE


@dataclass(frozen=True, slots=True)
class Said:
    """What a command line says: options with their values in the order given, empty where they take none."""

    options: tuple[tuple[str, str], ...]
    rest: tuple[str, ...] = ()

    def last(self, name: str) -> str | None:
        """The value that counts of an option; None where it was not given."""
        return next((value for given, value in reversed(self.options) if given == name), None)

    def every(self, name: str) -> list[str]:
        """All values of an option that may be repeated, taken apart at commas."""
        return [part for given, value in self.options if given == name for part in value.split(",") if part]

    def has(self, name: str) -> bool:
        """Whether it was given."""
        return any(given == name for given, _ in self.options)


class CommandLine:
    """The options of one command, and how its words are read."""

    def __init__(self, options: Iterable[Option], *, command_last: bool = False) -> None:
        """With `command_last`, the first word that is no option ends the options: the rest belongs to a command."""
        self._by_name: Mapping[str, Option] = {option.name: option for option in options}
        self._by_letter = {option.letter: option for option in self._by_name.values() if option.letter}
        self._command_last = command_last

    def read(self, words: Sequence[str], where: str = "") -> Said:
        """What the words say. Raises `Invalid`, naming the word, with `where` it stands and what was perhaps meant."""
        found: list[tuple[str, str]] = []
        rest: list[str] = []
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if word == "--":
                rest += queue
                break
            if word.startswith("--"):
                found.append(self._long(word, queue, where))
            elif word.startswith("-") and len(word) > 1:
                found += self._letters(word[1:], queue, where)
            else:
                rest.append(word)
                if self._command_last:
                    rest += queue
                    break
        return Said(tuple(found), tuple(rest))

    def _long(self, word: str, queue: list[str], where: str) -> tuple[str, str]:
        name, equals, value = word[2:].partition("=")
        option = self._named(name, where)
        if option.takes is Takes.NOTHING:
            if equals:
                raise Invalid(f"{where}--{option.name} takes no value: leave out ={value}")
            return option.name, ""
        if not equals and option.takes is Takes.VALUE:
            return option.name, _value(f"--{option.name}", queue, where)
        return option.name, value

    def _letters(self, text: str, queue: list[str], where: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while text:
            letter, text = text[0], text[1:]
            option = self._by_letter.get(letter)
            if option is None:
                raise Invalid(f"{where}-{letter}: there is no such option")
            if option.takes is Takes.NOTHING:
                found.append((option.name, ""))
                continue
            value = text.removeprefix("=")
            if not text and option.takes is Takes.VALUE:
                value = _value(f"-{letter}", queue, where)
            found.append((option.name, value))
            break
        return found

    def _named(self, name: str, where: str) -> Option:
        if name in self._by_name:
            return self._by_name[name]
        begun = [known for known in self._by_name if name and known.startswith(name)]
        if len(begun) == 1:
            return self._by_name[begun[0]]
        if begun:
            raise Invalid(f"{where}--{name} may be {' or '.join(f'--{known}' for known in sorted(begun))}")
        raise Invalid(f"{where}--{name}: there is no such option{did_you_mean(name, self._by_name, '--')}")


def _value(option: str, queue: list[str], where: str) -> str:
    if not queue:
        raise Invalid(f"{where}{option} needs a value")
    return queue.pop(0)


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """The end of a sentence about a word that is unknown: what was perhaps meant."""
    near = difflib.get_close_matches(word, list(known), n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(prefix + each for each in near)}?" if near else ""
