"""Checks the form of a thought: short, plain prose in the agent's own words and in the language of the dialogue.

The rules are the same for thoughts by people, templates and models. The content of a thought is checked by `agreement`,
`thought_facts`, `leak` and `outcome`.
"""

from __future__ import annotations

import re

from coalm_it.checks.evidence import read_exchanged_values
from coalm_it.checks.language import find_foreign_language
from coalm_it.checks.wording import is_of_corpus, names_tool, read_thought, read_words, split_sentences
from coalm_it.schema import Finding, Sample

MAX_WORDS = 90
MAX_SENTENCES = 6
"""The longest of 182,000 grounded thoughts has 89 words; most have one to three sentences."""
_COPIED = 0.8
"""A thought is a copy of a text if this share of it, in runs of three words, is in that text. A copy with one word in
twelve changed is found; with one word in four changed it is not."""

_FILLERS = frozenset(
    "i i'll i'm i've i'd we we'll let let's me us will should must need needs to now then next so just ok okay "
    "alright right well hmm um think thinking thought consider considering proceed proceeding continue move moving on "
    "forward ahead go going do doing something respond responding response reply replying answer answering act acting "
    "take action step steps handle process processing this that it the a an of in for with by and user user's users "
    "request message turn appropriate appropriately accordingly properly helpful help helping assist assisting best "
    "way make be is here how based has have about thing things first understand understood noted sure follow execute "
    "perform task yes no please sorry thank thanks you you're your welcome hello hi goodbye bye great nice day true "
    "false".split()
)
"""Words that alone make no thought."""
_FUNCTION_WORDS = frozenset("at on in of the a an and or for with by from".split())
"""Words between values that add nothing to them."""


def check_thoughts(sample: Sample) -> list[Finding]:
    """Finds thoughts that are copied, empty, too long, in another language, formatted, addressed to the user, or that
    show that they were written for a data set.

    A copied thought repeats the user's words, the reply, or another thought of the dialogue so far. A corpus's own
    thoughts are as they are: the rules are for those that are written here.
    """
    if is_of_corpus(sample):
        return []
    thought = read_thought(sample)
    if not thought:
        return []
    words = read_words(thought)
    faults = [fault for rule in _RULES if (fault := rule(sample, thought, words))]
    return [Finding(check="thoughts", where="thought", message=f"the thought {fault}") for fault in faults]


# --- copies ---


def _check_copy(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    current = sample.turns[-1]
    if _may_be_copy(thought, words, current.user) and _is_copy(sample, words, read_words(current.user)):
        return "repeats the user's own words; say what the agent makes of them instead"
    reply = current.reply
    if reply and _may_be_copy(thought, words, reply) and _is_copy(sample, words, read_words(reply)):
        return "repeats the reply that follows; say what leads the agent to it instead"
    return ""


def _may_be_copy(thought: str, words: tuple[str, ...], text: str) -> bool:
    """Whether a text has a similar length and enough of the words of the thought; a quick test before `_is_copy`."""
    if not 3 * len(thought) < 4 * len(text) < 12 * len(thought):
        return False
    text = text.lower()
    allowed = len(words) * (1 - _COPIED)
    for word in words:
        if word not in text:
            allowed -= 1
            if allowed < 0:
                return False
    return True


def _is_copy(sample: Sample, words: tuple[str, ...], text: tuple[str, ...]) -> bool:
    if words == text:
        return True
    runs = {text[position : position + 3] for position in range(len(text) - 2)}
    starts = [position for position in range(len(words) - 2) if words[position : position + 3] in runs]
    copied = {start + offset for start in starts for offset in (0, 1, 2)}
    # names and values do not count as copied, and a few words of a longer text are no copy of it
    values = set(read_words(" ".join(read_exchanged_values(sample.current))))
    own = [position for position, word in enumerate(words) if word not in values]
    shared = sum(position in copied for position in own)
    return shared >= 4 and 2 * len(copied) >= len(text) and shared >= _COPIED * len(own)


def _check_repetition(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if _has_thought(sample, thought):
        return f"({thought!r}) stands in this dialogue already; word it anew, for this moment"
    return ""


def _has_thought(sample: Sample, thought: str) -> bool:
    *history, current = sample.turns
    for turn in history:
        if turn.thought == thought:
            return True
        for step in turn.steps:
            if step.thought == thought:
                return True
    return any(step.thought == thought for step in current.steps[: sample.step]) if current.steps else False


# --- length and shape ---


def _check_length(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if _FILLERS.issuperset(words) or _is_bare_value(sample, thought):
        return f"({thought!r}) says nothing; say what the user wants, what is known or missing, and what to do"
    if len(words) > MAX_WORDS and (count := len(thought.split())) > MAX_WORDS:
        return f"has {count} words; say it in one to three short sentences"
    if len(words) > 3 * MAX_SENTENCES and thought.count(".") >= MAX_SENTENCES:
        count = len(split_sentences(thought))
        if count > MAX_SENTENCES:
            return f"has {count} sentences; one to three are enough"
    return ""


def _is_bare_value(sample: Sample, thought: str) -> bool:
    """Whether a thought has nothing but names, values, numbers, and capitalised words inside a sentence."""
    own, starts = set(), True
    for token in thought.split():
        word = token.strip(".,:;!?\"'“”‘’()")
        if word and word[0].isalpha() and (starts or not word[0].isupper()) and word not in _FUNCTION_WORDS:
            own.add(word.lower())
            if len(own) > 3:
                return False
        starts = token[-1] in ".:;!?"
    values = [*(tool.name for tool in sample.tools), *read_exchanged_values(*sample.turns)]
    for turn in sample.turns:
        acts = (*turn.labels.user_acts, *turn.labels.system_acts)
        values += [value for act in acts if act.slot != "intent" for value in act.canonical]
    return own <= set(read_words(" ".join(values)))


_LABEL = re.compile(
    r"[\s*_#>(\[-]*(?:(?:my |internal |agent'?s? |assistant'?s? )?(?:thoughts?|thinking|reasoning|rationale|analysis"
    r"|explanation|observation|action|agent|assistant|system|user|answer|output|response|reply)|(?:step|turn) \d+)"
    r"[*_)\]]{0,2}:",
    re.IGNORECASE,
)
_LABEL_INSIDE = re.compile(r"[TAOF](?:hought|ction|bservation|inal Answer):")
_LIST = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s|(?:^|[\s(])1[.)]\s.*\s\(?2[.)]\s")
_MARKDOWN = re.compile(r"`|\*\*|__\w|(?<![\w*])\*\w[^*]*\w\*(?![\w*])|^\s*#+ |</?[a-z_]+>|\{\s*[\"']")
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»"}


def _check_shape(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if "\n" in thought:
        return "has several lines; write one paragraph"
    if ":" in thought and (found := _LABEL.match(thought) or _LABEL_INSIDE.search(thought)):
        return f"has the label {found[0].strip()!r}; write the thought alone"
    if not thought[0].isalpha() or "2. " in thought or "2) " in thought:
        inside, closing = thought[1:].rstrip(".!? "), _QUOTES.get(thought[0])
        if closing and inside.find(closing) == len(inside) - 1:
            return "stands in quotation marks; write it without them"
        if _LIST.search(thought):
            return "is a list; write it as sentences"
    if ("*" in thought or "`" in thought or "#" in thought or "<" in thought or "{" in thought or "__" in thought) and (
        found := _MARKDOWN.search(thought)
    ):
        return f"has the mark {found[0].strip()[:12]!r}; write plain prose"
    return ""


# --- addressing the user ---

_ADDRESSES = frozenset("you your yours yourself you're you've you'll you'd".split())
_ADDRESS = re.compile(r"\b(?<!thank )you(?:rs?|rself|'re|'ve|'ll|'d)?\b")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|‘[^’]*’(?!\w)|(?<!\w)'[^']*(?:'\w[^']*)*'(?!\w)")
_REPORTING = re.compile(
    r"\b(?:ask|say|said|tell|told|offer|question|repl[iy]|answer|confirm|wonder|check|suggest|propos|word)"
)
"""Words that introduce what will be said to the user: "I'll ask what time you have in mind"."""


def _check_address(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if _ADDRESSES.isdisjoint(words):
        return ""
    text = _QUOTED.sub("…", thought.replace("’", "'"))
    for value in read_exchanged_values(*sample.turns):  # songs are called "Call Me By Your Name" too
        if "ou" in value:
            text = text.replace(value, "…")
    for sentence in split_sentences(text):
        found = _ADDRESS.search(sentence.lower())
        if found and not _REPORTING.search(sentence.lower()[: found.start()]):
            return f"speaks to the user ({sentence[:60]!r}); think of the user in the third person"
    return ""


# --- the viewpoint of an annotator ---

_META_PHRASES = re.compile(
    r"\bas an ai\b|\blanguage model|\btraining (?:data|examples?)\b|\bground truth\b|\bjson\b|\bannotat\w+"
    r"|\btranscripts?\b|\bdialog(?:ue)? acts?\b|\buser (?:has|had) provided\b|\bprovided the following\b"
    r"|\bas (?:the (?:reply|response) (?:shows|says)|(?:shown|seen) (?:below|in the (?:reply|response)))\b"
    r"|\b(?:reply|response|action) that follows\b|\bthe (?:following|actual|original) (?:reply|response|action)\b"
    r"|\bthe (?:agent|assistant) (?:proceeds|proceeded|goes on|went on|(?:then|next|subsequently) (?:calls|asks|replies"
    r"|says|offers|responds|confirms|tells|books|searches|makes|uses))\b"
    r"|\bnext (?:turn|line|message|utterance)s? (?:will|shows?|says?|is|asks?|calls?|confirms?|has|contains?)\b"
    r"|\bfollowing (?:turn|line|message|utterance)\b|\b(?:the|this|my|these) thoughts?\b(?! of\b)"
    r"|\bslot[ -](?:value|name|filling|type)s?\b|\b(?:required|missing|mandatory|filled|unfilled) slots?\b"
    r"|\b(?:the|this|my|system|user|per) prompt\b(?! (?:reply|service|answer|response))|\bgap (?:#|no\.? ?|number )?\d"
)
_TRIGGERS = frozenset(
    "ai language training ground json annotation annotations annotated annotator transcript transcripts dialog "
    "dialogue provided shows shown seen follows following actual original agent assistant turn turns line lines "
    "message messages utterance slot slots prompt gap thought thoughts".split()
)
"""Every match of the expression contains one of these words; most thoughts have none."""
_NAME_IN_CODE = re.compile(r"\b[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\b")


def _check_viewpoint(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if not _TRIGGERS.isdisjoint(words):
        for found in _META_PHRASES.findall(thought.lower()):
            if not _is_said(sample, found):
                return f"says {found!r}, which an agent in the middle of a conversation would not; leave it out"
    if "_" in thought:
        for name in _NAME_IN_CODE.findall(thought):
            if not any(names_tool(name, tool.name) for tool in sample.tools) and not _is_said(sample, name.lower()):
                return f"has {name!r}, a name in code; write it in words ({name.replace('_', ' ')!r})"
    return ""


def _is_said(sample: Sample, words: str) -> bool:
    """Whether the words are in the dialogue itself: in what is said, in arguments or in results."""
    texts = [text for turn in sample.turns for text in (turn.user, turn.reply or "")]
    texts += read_exchanged_values(*sample.turns)
    return any(words in text.lower() for text in texts)


_RULES = (
    _check_copy,
    _check_repetition,
    find_foreign_language,
    _check_length,
    _check_shape,
    _check_address,
    _check_viewpoint,
)
