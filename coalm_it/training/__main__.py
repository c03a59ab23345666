"""`accelerate launch -m coalm_it.training CONFIG --data OUT --out MODEL`: the command `train`, in every process."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

from coalm_it.cli import app

is_first = int(os.environ.get("RANK", "0")) == 0
with open(os.devnull, "w") as nowhere, redirect_stdout(sys.stdout if is_first else nowhere):
    app(["train", *sys.argv[1:]])
