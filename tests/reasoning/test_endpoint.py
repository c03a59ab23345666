"""Asking a model: the real client over loopback, against a server with every fault there is."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coalm_it.reasoning.asking import ask_all
from coalm_it.reasoning.attempts import Tally
from coalm_it.reasoning.budget import make_budget
from coalm_it.reasoning.endpoint import EndpointError
from coalm_it.reasoning.exchange import describe_ledger, export_answers
from coalm_it.reasoning.ledger import open_ledger
from coalm_it.reasoning.replies import read_completion, read_error, read_wait
from coalm_it.reasoning.request import Answer, Failure, Outcome, Request, Settings, request_key

from .conftest import Server

Questions = Callable[[int], list[Request]]


def ask(requests: Any, settings: Settings, path: Path, **options: Any) -> dict[str, Outcome]:
    """`where` of each request -> its outcome, asked with a ledger at `path`."""
    got: dict[str, Outcome] = {}
    with open_ledger(path) as ledger:
        ask_all(requests, settings, ledger, lambda request, outcome: got.update({request.where: outcome}), **options)
    return got
