"""`accelerate launch -m coalm_it.training CONFIG --data OUT --out MODEL`: the command `train`, in every process."""

from __future__ import annotations

import sys

from coalm_it.cli import app

app(["train", *sys.argv[1:]])
