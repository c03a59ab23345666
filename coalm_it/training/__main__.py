"""`accelerate launch -m coalm_it.training CONFIG --data OUT --out MODEL`: the command `train`, in every process."""

from __future__ import annotations

import os
import sys

from coalm_it.cli import app

if int(os.environ.get("RANK", "0")):
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # the first process prints the result
app(["train", *sys.argv[1:]])
