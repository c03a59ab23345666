"""Compares our AST scorer with BFCL's own checker: both judge the gold answers and mutations of them.

    pip install --no-deps --target OFFICIAL bfcl-eval==2026.3.23
    PYTHONPATH=OFFICIAL python benchmarks/bfcl_agreement.py BFCL

BFCL is a folder with the files of the benchmark (OFFICIAL contains them). Prints how many outputs each judges as right,
by category and by mutation, and every disagreement; exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

from bfcl_outputs import make_outputs

from coalm_it.evaluation.bfcl.ast_score import find_mismatch
from coalm_it.evaluation.bfcl.questions import SCORED, Question, read_questions
from coalm_it.schema import Call

Judge = Callable[[Question, Sequence[Call]], bool]


# --- the two judges ---


def judge_ours(question: Question, calls: Sequence[Call]) -> bool:
    return find_mismatch(calls, question.answers, question.functions, question.language) is None


def load_official() -> Judge:
    """The official checker, with a stub for the model clients that it imports. Raises ImportError."""
    stub = types.ModuleType("bfcl_eval.constants.model_config")
    vars(stub)["MODEL_CONFIG_MAPPING"] = {"any": types.SimpleNamespace(underscore_to_dot=False)}
    sys.modules[stub.__name__] = stub
    from bfcl_eval.constants import enums
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker

    languages: type[Enum] = enums.Language

    def judge(question: Question, calls: Sequence[Call]) -> bool:
        outputs = [{call.name: call.arguments} for call in calls]
        language = languages(question.language)
        try:
            verdict = ast_checker(question.functions, outputs, question.answers, language, question.category, "any")
        except Exception:  # it crashes on some outputs of a form that it does not expect
            return False
        return bool(verdict["valid"])

    return judge


# --- the comparison ---


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="BFCL")
    options = parser.parse_args()
    official = load_official()
    outputs = [
        output
        for name in SCORED
        for question in read_questions(options.data, name)
        for output in make_outputs(question)
    ]
    verdicts = [(judge_ours(one.question, one.calls), official(one.question, one.calls)) for one in outputs]
    for title, names in (
        ("category", [one.question.category for one in outputs]),
        ("mutation", [one.mutation for one in outputs]),
    ):
        print_table(title, names, verdicts)
    disagreements = [output for output, (ours, theirs) in zip(outputs, verdicts, strict=True) if ours is not theirs]
    for output in disagreements:
        calls = json.dumps([{call.name: call.arguments} for call in output.calls], ensure_ascii=False)
        question = output.question
        mismatch = find_mismatch(output.calls, question.answers, question.functions, question.language)
        print(f"\n{question.id}, {output.mutation}: ours {mismatch or 'right'}\n  {calls}")
        print(f"  {json.dumps(question.answers, ensure_ascii=False)}")
    print(
        f"\n{len(outputs):,} outputs of {sum(one.mutation == 'none (gold)' for one in outputs):,} questions; ", end=""
    )
    print(f"{len(disagreements)} disagreements")
    sys.exit(bool(disagreements))


def print_table(title: str, names: Sequence[str], verdicts: Sequence[tuple[bool, bool]]) -> None:
    counts: dict[str, Counter[str]] = {}
    for name, (ours, theirs) in zip(names, verdicts, strict=True):
        counts.setdefault(name, Counter()).update({"n": 1, "ours": ours, "theirs": theirs, "apart": ours is not theirs})
    print(f"\n| {title} | outputs | right, ours | right, official | disagreements |\n|---|---:|---:|---:|---:|")
    for name, count in counts.items():
        print(f"| {name} | {count['n']:,} | {count['ours']:,} | {count['theirs']:,} | {count['apart']:,} |")


if __name__ == "__main__":
    main()
