"""What is wrong with a policy, told so that its author finds the place at once."""

import attrs


@attrs.frozen(kw_only=True, order=True)
class Problem:
    """One mistake in a policy file.

    ``line`` and ``column`` count from 1; 0 means that the place is not known (a file that cannot be read).
    ``table`` names the table as its author would ('rule "wall"', "lexicons.falcon"), ``key`` the key in it.
    """

    file: str
    line: int
    column: int
    table: str
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        parts = (part for part in (place, self.table, self.key, self.message) if part)
        return ": ".join(part if part.isprintable() else repr(part) for part in parts)


class PolicyError(ValueError):
    """A policy that cannot be put in force. ``problems`` holds every mistake, in the order of the file."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
