"""Renames functions and parameters, so that a model reads the descriptions and does not guess from the names.

The augmentation is Hammer's (MadeAgents/Hammer, whose data code gives the lengths, the alphabet and the steps of
numbers): names are replaced by random ones, defaults that the answer states by other values, and the tools are
shuffled. The differences are:

- A name begins with a letter or an underscore, occurs once in a sample, and did not occur in it before.
- Tools and calls stay consistent, in the history too. Observations stay unchanged.
- With `in_texts`, names are replaced in descriptions and examples too, those of the other functions included; a name
  that cannot be replaced there (`texts.find_unsafe_names`) stays everywhere. Without it, descriptions stay unchanged,
  as in Hammer's data, where they still say the original names.
- Names that the conversation mentions stay (`user_id`, `getWeather`, `Get Joke`; a plain word such as `search` does not
  count as a mention). So do names without a description that tells them from the others, and names that no tool
  defines; the checks reject calls with the latter.
- A default changes only if a call of the target states it, nobody says it, and it is safe to change (see `defaults`).
- Names inside nested objects stay.

Everything is drawn from the seed and the id of the sample. `unmask_sample` restores the sample from
`provenance["mask"]`:

    functions, parameters    new name -> original name
    defaults                 new name of the parameter -> [default, new default]
    in_texts                 true if names in texts were replaced too
    order                    for each tool as shown, its original index
"""

from __future__ import annotations

from coalm_it.draw import draw_items, stable_hash
from coalm_it.samples.masking.defaults import draw_defaults
from coalm_it.samples.masking.names import FUNCTION_LENGTHS, PARAMETER_LENGTHS, NameGenerator, Style
from coalm_it.samples.masking.renaming import Mask, apply_mask
from coalm_it.samples.masking.texts import find_unsafe_names, list_texts
from coalm_it.schema import Sample

__all__ = ["Style", "draw_mask", "mask_sample", "unmask_sample"]


def draw_mask(sample_id: str, *, probability: float, seed: int = 0) -> bool:
    """Whether the sample with this id is drawn for masking."""
    return stable_hash("whether to mask", seed, sample_id) < probability * 2**64


def mask_sample(sample: Sample, *, style: Style = "plain", in_texts: bool = True, seed: int = 0) -> Sample:
    """The sample with other names, its tools in another order, and in its provenance what restores it.

    Raises ValueError for a sample that is masked already.
    """
    if "mask" in sample.provenance:
        raise ValueError(f"{sample.id} is masked already")
    described = {tool.name: tool.description for tool in sample.tools}
    entries: dict[str, dict[str, str]] = {name: {} for name in described}
    for tool in sample.tools:
        for name, entry in tool.properties.items():
            entries[tool.name][name] = entry.get("description") or ""
    kept = find_unsafe_names(sample) if in_texts else frozenset[str]()
    texts = "\n".join(map(list_texts, sample.tools)) if in_texts else ""
    generator = NameGenerator(style, ("mask", seed, sample.id), sample, kept, texts)
    functions = generator.draw_names(described, FUNCTION_LENGTHS)
    parameters = {function: generator.draw_names(names, PARAMETER_LENGTHS) for function, names in entries.items()}
    mask = Mask(functions, parameters, draw_defaults(sample, parameters, generator), in_texts)
    order = draw_items(range(len(sample.tools)), len(sample.tools), "order", seed, sample.id)
    original = {
        "style": style,
        "functions": {new: name for name, new in functions.items() if new != name},
        "parameters": {new: name for names in parameters.values() for name, new in names.items() if new != name},
        "defaults": {
            parameters[function][name]: list(pair)
            for function, pairs in mask.defaults.items()
            for name, pair in pairs.items()
        },
        "order": order,
    } | ({"in_texts": True} if in_texts else {})
    shuffled = [sample.tools[index] for index in order]
    return apply_mask(mask, sample, shuffled, {**sample.provenance, "mask": original})


def unmask_sample(sample: Sample) -> Sample:
    """The original of a masked sample. Raises ValueError for one that is not masked."""
    provenance = dict(sample.provenance)
    original = provenance.pop("mask", None)
    if original is None:
        raise ValueError(f"{sample.id} is not masked")
    names = [tool.name for tool in sample.tools]
    defaults = {name: (new, value) for name, (value, new) in original["defaults"].items()}
    mask = Mask(
        original["functions"],
        dict.fromkeys(names, original["parameters"]),
        dict.fromkeys(names, defaults) if defaults else {},
        in_texts=original.get("in_texts", False),
        is_undone=True,
    )
    original_order = sorted(range(len(names)), key=original["order"].__getitem__)
    return apply_mask(mask, sample, [sample.tools[index] for index in original_order], provenance)
