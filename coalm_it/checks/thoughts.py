"""The form of a thought: the agent's own words, in the dialogue's language, short, plain prose.

A thought is written into a dialogue by a person, a template or a model; here its form is judged by itself, whoever
wrote it. What it says is for `agreement`, `thought_facts`, `leak` and `outcome`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from coalm_it.checks.evidence import read_leaves
from coalm_it.checks.wording import names_tool, read_thought, read_words, split_sentences
from coalm_it.schema import Finding, Sample, Turn

MAX_WORDS = 90
MAX_SENTENCES = 6
"""The longest of 182,000 thoughts written from annotation has 89 words; one to three sentences are the rule."""
_COPIED = 0.8
"""A thought of which this share stands, in runs of three words, in another text is a copy of it: one word in twelve
may be changed, one in four may not."""

_FILLING = frozenset(
    "i i'll i'm i've i'd we we'll let let's me us will should must need needs to now then next so just ok okay "
    "alright right well hmm um think thinking thought consider considering proceed proceeding continue move moving on "
    "forward ahead go going do doing something respond responding response reply replying answer answering act acting "
    "take action step steps handle process processing this that it the a an of in for with by and user user's users "
    "request message turn appropriate appropriately accordingly properly helpful help helping assist assisting best "
    "way make be is here how based has have about thing things first understand understood noted sure follow execute "
    "perform task yes no please sorry thank thanks you you're your welcome hello hi goodbye bye great nice day true "
    "false".split()
)
"""Words of which a thought alone says nothing."""
_JOINING = frozenset("at on in of the a an and or for with by from".split())
"""Words that stand between values and say nothing of them."""


def check_thoughts(sample: Sample) -> list[Finding]:
    """Thoughts that are copied, empty, too long, in another language, decorated, spoken to the user, or that speak of
    being written.

    Copied is what repeats the user's words, the reply, or another thought of the dialogue so far.
    """
    thought = read_thought(sample)
    if not thought:
        return []
    words = read_words(thought)
    faults = [fault for judge in _JUDGES if (fault := judge(sample, thought, words))]
    return [Finding(check="thoughts", where="thought", message=f"the thought {fault}") for fault in faults]


# --- copies ---


def _judge_copy(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    current = sample.turns[-1]
    if _may_be_copy(thought, words, current.user) and _is_copy(sample, words, read_words(current.user)):
        return "repeats the user's own words; say what the agent makes of them instead"
    reply = current.reply
    if reply and _may_be_copy(thought, words, reply) and _is_copy(sample, words, read_words(reply)):
        return "repeats the reply that follows; say what leads the agent to it instead"
    return ""


def _may_be_copy(thought: str, words: tuple[str, ...], text: str) -> bool:
    """Whether a text has about the thought's length and few enough of its words are missing there."""
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
    runs = {text[place : place + 3] for place in range(len(text) - 2)}
    copied = {place + more for place in range(len(words) - 2) if words[place : place + 3] in runs for more in (0, 1, 2)}
    # names and values are the same in whatever is said of them, and a few words of a longer text are no copy of it
    values = set(read_words(" ".join(_read_values(sample.current))))
    free = [place for place, word in enumerate(words) if word not in values]
    shared = sum(place in copied for place in free)
    return shared >= 4 and 2 * len(copied) >= len(text) and shared >= _COPIED * len(free)


def _read_values(*turns: Turn) -> list[str]:
    """What the calls of these turns name and bring."""
    steps = [step for turn in turns for step in turn.steps]
    return read_leaves([[step.observations, [call.arguments for call in step.calls]] for step in steps])


def _judge_repetition(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
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


# --- language ---

_ENGLISH = frozenset(
    "the and of to is are be been it its it's that this these those they their them they're they've they'd with for "
    "from not but have has had i i'll i'd i'm i've my can't could would should won't one only what which who where "
    "when how there there's here now at by if nothing more any other another than before after first next then new "
    "still just already need needs want wants ask asks say says said go goes let user search book find look call "
    "check get give tell reply answer offer confirm city time price results".split()
)
"""Words that an English text cannot do without for long, and those of which thoughts in note form are made; none that
another language of Europe has too ("so", "on", "was")."""
_OTHERS = frozenset(
    "el la los las un una unos que de del y en con para por su sus es quiere pero como más le les du une et est dans "
    "pour il elle veut aux je ce avec sur der das und ist ein eine einen einem für nicht ich sie von zu auf auch aber "
    "noch dass wird hat sind nach che di per sono è nel della ha non os um uma não com em do da dos het een van voor "
    "niet ik naar maar dus och att det är som på inte jest się na nie bir ve için med og til".split()
)
"""Words of the same kind in the languages that English dialogues are likeliest to be mistaken for."""
_PLAIN_WORD = re.compile(r"(?<![^\s\"“(])[^\W\d_A-Z]+(?:['’][^\W\d_]+)?(?!\w)")


def _judge_language(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if not thought.isascii() and (script := _find_foreign_script(sample, thought)):
        return f"is written in {script} script, which the dialogue is not; use the dialogue's language"
    if _ENGLISH.isdisjoint(words[:10]) and len(words) > 7 and _is_foreign(sample, thought, words):
        return "is not in English, as the dialogue is; use the dialogue's language"
    return ""


def _is_foreign(sample: Sample, thought: str, words: tuple[str, ...]) -> bool:
    """Whether hardly a word is English, and three are of another language or there are many beside the dialogue's."""
    if sum(word in _ENGLISH for word in words) >= 0.1 * len(words):
        return False
    spoken = [word for turn in sample.turns for word in (*read_words(turn.user), *read_words(turn.reply or ""))]
    if sum(word in _ENGLISH for word in spoken) < 0.12 * len(spoken):
        return False
    known = {*spoken, *read_words(" ".join(_read_values(sample.current)))} - _ENGLISH
    plain = [word for word in _PLAIN_WORD.findall(thought) if len(word) > 1 and word not in known]
    return len(plain) > 15 or len(_OTHERS.intersection(words) - known) > 2


def _find_foreign_script(sample: Sample, thought: str) -> str:
    """The script in which most of a thought is written, if hardly any of the dialogue is; '' otherwise."""
    written = _count_scripts(thought)
    if not written:
        return ""
    main, count = written.most_common(1)[0]
    # names and functions are Latin in every language
    if main == "LATIN" or 2 * count < written.total():
        return ""
    spoken = _count_scripts(" ".join(turn.user for turn in sample.turns))
    return "" if 5 * spoken[main] > spoken.total() else main.capitalize()


def _count_scripts(text: str) -> Counter[str]:
    """The letters of a text by script: LATIN, CYRILLIC, CJK."""
    return Counter(
        "LATIN" if letter.isascii() else unicodedata.name(letter, "").partition(" ")[0]
        for letter in text
        if letter.isalpha()
    )


# --- length and shape ---


def _judge_length(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if _FILLING.issuperset(words) or _is_bare_value(sample, thought):
        return f"({thought!r}) says nothing; say what the user wants, what is known or missing, and what to do"
    if len(words) > MAX_WORDS and (count := len(thought.split())) > MAX_WORDS:
        return f"has {count} words; say it in one to three short sentences"
    if len(words) > 3 * MAX_SENTENCES and thought.count(".") >= MAX_SENTENCES:
        count = len(split_sentences(thought))
        if count > MAX_SENTENCES:
            return f"has {count} sentences; one to three are enough"
    return ""


def _is_bare_value(sample: Sample, thought: str) -> bool:
    """Whether a thought is nothing but names and values: whether no word is left beside them, numbers, and words with a
    capital inside a sentence."""
    own, starts = set(), True
    for token in thought.split():
        word = token.strip(".,:;!?\"'“”‘’()")
        if word and word[0].isalpha() and (starts or not word[0].isupper()) and word not in _JOINING:
            own.add(word.lower())
            if len(own) > 3:
                return False
        starts = token[-1] in ".:;!?"
    values = [*(tool.name for tool in sample.tools), *_read_values(*sample.turns)]
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


def _judge_shape(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
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


# --- talk to the user ---

_ADDRESSES = frozenset("you your yours yourself you're you've you'll you'd".split())
_ADDRESS = re.compile(r"\b(?<!thank )you(?:rs?|rself|'re|'ve|'ll|'d)?\b")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|‘[^’]*’(?!\w)|(?<!\w)'[^']*(?:'\w[^']*)*'(?!\w)")
_REPORTING = re.compile(
    r"\b(?:ask|say|said|tell|told|offer|question|repl[iy]|answer|confirm|wonder|check|suggest|propos|word)"
)
"""Words after which a thought tells what is to be said: "I'll ask what time you have in mind"."""


def _judge_address(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if _ADDRESSES.isdisjoint(words):
        return ""
    text = _QUOTED.sub("…", thought.replace("’", "'"))
    for value in _read_values(*sample.turns):  # songs are called "Call Me By Your Name" too
        if "ou" in value:
            text = text.replace(value, "…")
    for sentence in split_sentences(text):
        found = _ADDRESS.search(sentence.lower())
        if found and not _REPORTING.search(sentence.lower()[: found.start()]):
            return f"speaks to the user ({sentence[:60]!r}); think of the user in the third person"
    return ""


# --- talk about being written ---

_SAYING = re.compile(
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
"""One of these words stands in whatever the expression finds; most thoughts have none."""
_NAME_IN_CODE = re.compile(r"\b[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\b")


def _judge_talk(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    if not _TRIGGERS.isdisjoint(words):
        for found in _SAYING.findall(thought.lower()):
            if not _is_said(sample, found):
                return f"says {found!r}, which an agent in the middle of a conversation would not; leave it out"
    if "_" in thought:
        for name in _NAME_IN_CODE.findall(thought):
            if not any(names_tool(name, tool.name) for tool in sample.tools) and not _is_said(sample, name.lower()):
                return f"has {name!r}, a name in code; write it in words ({name.replace('_', ' ')!r})"
    return ""


def _is_said(sample: Sample, words: str) -> bool:
    """Whether the dialogue itself has the words: what is said, asked of services or returned by them."""
    texts = [text for turn in sample.turns for text in (turn.user, turn.reply or "")]
    texts += _read_values(*sample.turns)
    return any(words in text.lower() for text in texts)


_JUDGES = (_judge_copy, _judge_repetition, _judge_language, _judge_length, _judge_shape, _judge_address, _judge_talk)
