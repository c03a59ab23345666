"""The ids of rows: every row of a data set has one of its own.

A shard knows its own file alone. Two records of one id may be in different files of a corpus, and two parts of a recipe
may have the same samples; only here all rows are seen.
"""

from __future__ import annotations

from coalm_it.schema import parse_dialogue_name


class RowNames:
    """Names the rows of all tables, in order.

    The second record of the id `a` in a part is `a~2`, as within a file (see corpora/record_ids.py). The same sample in
    another part is a further copy, `ID~1`, as copies within a part are.
    """

    def __init__(self) -> None:
        self._dialogues: dict[tuple[str, str], tuple[int, str]] = {}
        """Part and name of a dialogue -> the table that it is in, and its name there."""
        self._rows: dict[str, tuple[str, str]] = {}
        """Id of a row -> its part, and its id there."""

    def name_row(self, part: str, table: int, row_id: str) -> str:
        """The id of a row, itself or a new one; `table` is the index of its table."""
        dialogue = parse_dialogue_name(row_id)
        name, number = dialogue, 1
        while self._dialogues.setdefault((part, name), (table, dialogue)) != (table, dialogue):
            number += 1
            name = f"{dialogue}~{number}"
        row_id = name + row_id[len(dialogue) :]
        copy, number = row_id, 0
        while self._rows.setdefault(copy, (part, row_id)) != (part, row_id):
            number += 1
            copy = f"{row_id}~{number}"
        return copy
