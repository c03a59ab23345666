"""Whether training on a mix improves a model: build, evaluate, train, evaluate again."""
