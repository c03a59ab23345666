"""The ids of rows: every row of a data set has one of its own.

A shard knows its own file alone. Two records of one id may be in different files of a corpus, and two parts of a recipe
may have the same samples; only here all rows are seen.
"""

from __future__ import annotations

from coalm_it.schema import parse_dialogue_name


class RowNames:
    """Names the rows of all tables, each once and in order.

    The second record of the id `a` in a part is `a~2`, as within a file (see corpora/record_ids.py). The same sample in
    another part is a further copy, `ID~1`, as copies within a part are.
    """

    def __init__(self) -> None:
        self._dialogues: dict[tuple[str, str], tuple[int, str]] = {}
        """Part and name of a dialogue -> the table that it is in, and its name there."""
        self._last: tuple[str, int, str, str] = ("", -1, "", "")
        """Part, table, name there and name of the dialogue of the last row; the next row is likely of the same."""
        self._rows: dict[str, str] = {}
        """Id of a row -> its part."""
        self._copies: set[str] = set()
        """The ids that copies were given."""

    def name_row(self, part: str, table: int, row_id: str) -> str:
        """The id of a row, itself or a new one; `table` is the index of its table."""
        dialogue = parse_dialogue_name(row_id)
        if self._last[:3] != (part, table, dialogue):
            self._last = (part, table, dialogue, self.name_dialogue(part, table, dialogue))
        if self._last[3] != dialogue:
            row_id = self._last[3] + row_id[len(dialogue) :]
        if self._rows.setdefault(row_id, part) == part and row_id not in self._copies:
            return row_id
        number = 1
        while (copy := f"{row_id}~{number}") in self._rows:
            number += 1
        self._rows[copy] = part
        self._copies.add(copy)
        return copy

    def name_dialogue(self, part: str, table: int, dialogue: str) -> str:
        """The full name of a dialogue, itself or a new one."""
        name, number = dialogue, 1
        while self._dialogues.setdefault((part, name), (table, dialogue)) != (table, dialogue):
            number += 1
            name = f"{dialogue}~{number}"
        return name
