"""Parse scientific names of labels into one form: without author, with one spelling of ranks and hybrid signs.

The parser covers plant names (International Code of Nomenclature, Art. 20-24 and H.1-H.3) and does not validate them.
A text that does not look like a plant name, such as ``V01`` or ``tulsi leaf 3``, is kept unchanged, so that labels are
never merged by guess.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_RANKS = {
    "subsp": "subsp.",
    "ssp": "subsp.",
    "nothosubsp": "nothosubsp.",
    "var": "var.",
    "nothovar": "nothovar.",
    "convar": "convar.",
    "subvar": "subvar.",
    "f": "f.",
    "fo": "f.",
    "fa": "f.",
    "form": "f.",
    "forma": "f.",
    "subf": "subf.",
}
_UNCERTAIN = {"cf", "aff", "?"}
_UNNAMED = {"sp", "spp", "indet", "species"}
_WIDE = {"s.l", "s.lat", "s.str", "s.s", "agg", "aggr"}
_MISAPPLIED = {"auct", "auctt", "sensu"}
_AUTHOR_PARTICLES = {
    *"ex et in non nec de da do dos du des del della la le van von zu zur der den ten ter".split(),
    *"bis emend pro nom comb".split(),
}
_REMARKS = {*"illeg inval cons rej nud ined superfl nov stat f fil hort auth".split()}
_YEAR = re.compile(r"[(\[]?(1[789]|20)\d\d[)\]]?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CROSS = "×"


@dataclass(frozen=True)
class Name:
    """A name parsed from a label.

    Attributes:
        canonical: without author; ``Mitragyna parvifolia var. microphylla``, ``Viola × palmata``.
        species: for a name below species rank, the binomial of its species; else None.
        uncertain: the determination is qualified as uncertain (``cf.``, ``aff.``, ``?``).
    """

    canonical: str
    species: str | None = None
    uncertain: bool = False

    @property
    def key(self) -> str:
        """The name without case, rank markers and hybrid sign; equal for all spellings of one name.

        GBIF's canonical names omit the rank marker, and a hybrid sign does not make a different name (ICN H.3).
        """
        if f" {_CROSS} " in self.canonical and not _is_nothospecies(self.canonical):
            return self.canonical.casefold()
        words = self.canonical.casefold().split()
        markers = {*_RANKS.values(), _CROSS} if len(words) > 2 else {_CROSS}
        return " ".join(word for word in words if word not in markers)


def canonical(name: str) -> str:
    """Return a name without its author in standard spelling; see ``read_name``."""
    return read_name(name).canonical


@lru_cache(maxsize=65536)
def read_name(text: str) -> Name:
    """Parse a name of a label or database; a text that is not a plant name is returned unchanged."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    name = _botanical(text)
    if name is None and " " not in text and "_" in text:
        name = _botanical(" ".join(text.replace("_", " ").split()))
    return name or Name(text)


def _botanical(text: str) -> Name | None:
    """Parse a plant name, or return None if the text is something else."""
    words = text.replace(_CROSS, f" {_CROSS} ").replace("?", " ? ").split()
    sign = [_CROSS] if words and words[0] in (_CROSS, "x", "X") else []
    words = words[len(sign) :]
    if len(words) < 2 or not _is_word(words[0]):
        return None
    upper_case = len(words[0]) > 1 and words[0].isupper()
    genus, rest = words[0].capitalize(), words[1:]
    uncertain = False
    while rest and _bare(rest[0]) in _UNCERTAIN:
        uncertain, rest = True, rest[1:]
    if len(rest) == 1 and _bare(rest[0]) in _UNNAMED:
        return Name(" ".join([*sign, genus]), uncertain=uncertain)
    if len(rest) > 1 and rest[0] in (_CROSS, "x", "X") and not sign:
        sign_of_species, rest = [_CROSS], rest[1:]
    else:
        sign_of_species = []
    if not rest or not _is_epithet(rest[0], upper_case):
        return _genus_with_author(sign, words[0], rest) if not (uncertain or sign_of_species) else None
    species = " ".join([*sign, genus, *sign_of_species, rest[0].lower()])
    return _below_species(species, rest[1:], upper_case=upper_case, uncertain=uncertain)


def _below_species(species: str, rest: list[str], *, upper_case: bool, uncertain: bool) -> Name | None:
    """Parse the words after the binomial: drop authors, and keep the last infraspecific epithet."""
    lower: list[str] = []
    misapplied = False
    for index, word in enumerate(rest):
        following = rest[index + 1] if index + 1 < len(rest) else ""
        bare = _bare(word)
        if word in (_CROSS, "x", "X") and following:
            if bare in ("x", _CROSS) and index and _bare(rest[index - 1]) in _RANKS:
                continue
            return Name(
                " ".join([species, *(_CROSS if one in ("x", "X") else one for one in rest)])
            )  # a hybrid formula
        if bare in _UNCERTAIN:
            uncertain = True
        elif bare in _MISAPPLIED:
            misapplied = _bare(following) not in ("lato", "stricto", "str", "lat")
            if misapplied:
                break
        elif bare in ("non", "nec"):
            break
        elif bare in _RANKS:
            after = (
                following if following not in (_CROSS, "x", "X") else rest[index + 2] if index + 2 < len(rest) else ""
            )
            if _is_epithet(after, upper_case) and _bare(after) not in _RANKS:
                lower = [_RANKS[bare], after.lower()]
        elif (
            index == 0 and not upper_case and _is_epithet(word, upper_case) and bare not in ("lato", "stricto", *_WIDE)
        ):
            lower = [word]
        elif not (word.lower() in lower or _belongs_to_author(word)):
            return None
    parts = [species, *lower]
    if misapplied:
        return Name(" ".join([*parts, "auct."]))
    if uncertain:
        genus, _, epithets = " ".join(parts).partition(" ")
        return Name(f"{genus} cf. {epithets}", uncertain=True)
    return Name(" ".join(parts), species=species if lower else None)


def _belongs_to_author(word: str) -> bool:
    """Whether a word after a name may belong to its author, year, nomenclatural remark or cultivar."""
    bare = _bare(word)
    first = word.lstrip("([")[:1]
    known = _AUTHOR_PARTICLES | _WIDE | _REMARKS | {"lato", "stricto", "&", ""}
    return first.isupper() or first in ("'", "‘", '"', "“") or bare in known or _YEAR.fullmatch(bare) is not None


def _genus_with_author(sign: list[str], genus: str, rest: list[str]) -> Name | None:
    """Parse ``Mitragyna Korth.`` as a genus with its author; return None for other texts such as ``Tulsi Leaf``."""
    if genus[0].isupper() and rest and rest[0][0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ(" and rest[-1].endswith((".", ")")):
        return Name(" ".join([*sign, genus.capitalize()]))
    return None


def _bare(word: str) -> str:
    return word.lower().rstrip(".,")


def _is_word(word: str) -> bool:
    return len(word) > 1 and _WORD.fullmatch(word) is not None


def _is_epithet(word: str, upper_case: bool) -> bool:
    """Whether a word may be an epithet: in lower case, unless the whole name is in upper case."""
    if not _is_word(word) or _bare(word) in _AUTHOR_PARTICLES | _UNNAMED | _MISAPPLIED | _UNCERTAIN:
        return False
    return word.islower() or (upper_case and word.isupper())


def _is_nothospecies(canonical_name: str) -> bool:
    """Whether a hybrid has a name of its own (``Viola × palmata``), unlike a formula (``Viola alba × odorata``)."""
    return canonical_name.split()[1] == _CROSS or canonical_name.startswith(_CROSS)
