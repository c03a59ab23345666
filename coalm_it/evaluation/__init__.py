"""How good a model is: on the validation rows of a build, and on benchmarks. `run.evaluate` is the way in."""
