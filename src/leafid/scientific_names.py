"""Read scientific names of labels, folders, tables and databases into one form.

The reader covers plant names (International Code of Nomenclature, Art. 20-24 and H.1-H.3) and does not validate them.
A text that does not look like a plant name, such as ``V01`` or ``tulsi leaf 3``, is kept unchanged, so that labels are
never merged by guess. Uncertain determinations, hybrid formulas and misapplied names are recognised and are never the
species that they mention.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
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
_UNCERTAIN = {*"cf cfr conf confer aff affin nr near prox prob probably poss possibly perhaps vel ?".split()}
"""Qualifiers inside names, without dots. Words that are epithets too, such as ``affinis``, are not among them."""
_UNCERTAIN_QUALIFIERS = _UNCERTAIN | {
    *"affinis proximus proxima probable probabiliter possible incertus incerta incertum incert inc uncertain".split(),
    *"dubious dubius dubia dub doubtful doubt tentative tentatively forsan fortasse questionable or".split(),
}
_UNNAMED = {"sp", "spp", "indet", "species"}
_WIDE = {"sl", "slat", "sstr", "ss", "agg", "aggr", "lato", "stricto", "lat", "str"}
_MISAPPLIED = {"auct", "auctt", "sensu", "misapplied", "misappl", "misapplic", "misident", "misidentified"}
_HYBRID_WORDS = {"hybr", "hybrid", "hyb"}
_AUTHOR_PARTICLES = {
    *"ex et in non nec de da do dos du des del della la le van von zu zur der den ten ter".split(),
    *"bis emend pro nom comb and sec secundum pp parte p".split(),
}
_REMARKS = {*"illeg inval cons rej nud ined superfl nov stat f fil hort auth".split()}
_YEAR = re.compile(r"[(\[]?(1[789]|20)\d\d[)\]]?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CROSS = "×"
_CROSSES = str.maketrans(dict.fromkeys("✕✖⨯╳❌🞨", _CROSS))
"""Signs that look like the multiplication sign of hybrids."""
_SIGNS = (_CROSS, "x", "X", "х", "χ")
"""Words that stand for the sign, with the Cyrillic and Greek letters that look like it."""
_LIGATURES = str.maketrans({"æ": "ae", "œ": "oe", "Æ": "Ae", "Œ": "Oe"})


class NameKind(StrEnum):
    """What a text names. Only ``NAME`` determines a species."""

    NAME = "name"
    UNCERTAIN = "uncertain"
    HYBRID_FORMULA = "hybrid_formula"
    MISAPPLIED = "misapplied"
    TEXT = "text"


DOUBTFUL = {
    NameKind.UNCERTAIN: "its name is uncertain (cf., aff., ? and the like)",
    NameKind.HYBRID_FORMULA: "its name is a hybrid formula, so it is neither parent",
    NameKind.MISAPPLIED: "its name is misapplied (auct. non, sensu ... non), so it is another species",
}
"""Why a record of each kind is not the species that its name mentions."""


@dataclass(frozen=True)
class Name:
    """A name read from a text.

    Attributes:
        canonical: without author; ``Mitragyna parvifolia var. microphylla``, ``Viola × palmata``.
        species: for a name below species rank, the binomial of its species; else None.
        kind: what the text names.
        genus: the genus; None for a text without one, a genus that is itself uncertain, and formulas of two genera.
        mentioned: for a doubtful name, the binomials that it mentions.
    """

    canonical: str
    species: str | None = None
    kind: NameKind = NameKind.TEXT
    genus: str | None = None
    mentioned: tuple[str, ...] = ()

    @property
    def uncertain(self) -> bool:
        """Whether the determination is qualified as uncertain (``cf.``, ``aff.``, ``?``)."""
        return self.kind is NameKind.UNCERTAIN

    @property
    def binomial(self) -> str | None:
        """The certain part of the name down to the species: ``Viola alba``; ``Viola`` for ``Viola cf. alba``."""
        if self.kind is NameKind.NAME:
            return self.species or self.canonical
        return self.genus

    @property
    def key(self) -> str:
        """The name without case, rank markers, hybrid sign and diacritics; equal for all spellings of one name.

        GBIF's canonical names omit the rank marker, a hybrid sign does not make a different name (ICN H.3), and
        neither does a diaeresis (ICN 60.7: ``Isoëtes``, ``Isoetes``).
        """
        if self.kind is NameKind.TEXT:
            return self.canonical.casefold()
        if self.kind is NameKind.HYBRID_FORMULA:  # the order of the parents does not matter (ICN H.2)
            return f" {_CROSS} ".join(sorted(_folded(self.canonical).split(f" {_CROSS} ")))
        words = _folded(self.canonical).split()
        markers = {*_RANKS.values(), _CROSS} if len(words) > 2 else {_CROSS}
        return " ".join(word for word in words if word not in markers)


def canonical(name: str) -> str:
    """Return a name without its author in standard spelling; see ``read_name``."""
    return read_name(name).canonical


@lru_cache(maxsize=65536)
def read_name(text: str, qualifier: str = "") -> Name:
    """Read a name of a label or database; a text that is not a plant name is kept.

    Args:
        text: the name, with or without author, in any Unicode form.
        qualifier: Darwin Core's ``identificationQualifier``, such as ``cf.`` or ``aff. speciosa``.
    """
    text = _normalised(text)
    name = _botanical(text)
    if name is None and " " not in text and "_" in text:
        name = _botanical(" ".join(text.replace("_", " ").split()))
    return _qualified(name or Name(text, genus=_genus_of(text)), qualifier)


def read_determination(
    written: Iterable[str | None], accepted: Iterable[str | None] = (), qualifier: str | None = None
) -> Name | None:
    """Read the determination of a record from several of its fields.

    Args:
        written: the name as the publisher writes it. If any of these texts is uncertain, a formula or misapplied, so is
            the determination, whatever a checklist has made of it.
        accepted: the accepted name of a checklist, which takes precedence over a certain ``written`` name.
        qualifier: Darwin Core's ``identificationQualifier``.

    Returns:
        None if no text contains a genus.
    """
    labels = [read_name(text, qualifier or "") for text in written if text and text.strip()]
    doubtful = next((name for name in labels if name.kind in DOUBTFUL), None)
    if doubtful is not None:
        return doubtful
    names = [read_name(text, qualifier or "") for text in accepted if text and text.strip()] + labels
    certain = [name for name in names if name.kind is NameKind.NAME and " " in name.canonical]
    return next(iter([*certain, *(name for name in names if name.kind in DOUBTFUL or name.genus)]), None)


def _normalised(text: str) -> str:
    """Return the composed form (NFC) without invisible characters, and with one hybrid sign."""
    composed = unicodedata.normalize("NFC", text)
    visible = "".join(letter for letter in composed if unicodedata.category(letter) != "Cf")
    return " ".join(visible.translate(_CROSSES).split())


def _folded(text: str) -> str:
    """Return a name in lower case without diacritics and ligatures."""
    parts = unicodedata.normalize("NFD", text.casefold().translate(_LIGATURES))
    return unicodedata.normalize("NFC", "".join(one for one in parts if unicodedata.category(one) != "Mn"))


def _qualified(name: Name, qualifier: str) -> Name:
    """Apply an ``identificationQualifier`` to a name; unknown qualifiers do not change it."""
    words = [_bare(word) for word in re.split(r"[\s,;/]+", qualifier.replace("?", " ? ").translate(_CROSSES)) if word]
    if not words or name.kind in (NameKind.HYBRID_FORMULA, NameKind.MISAPPLIED):
        return name
    mentioned = name.mentioned or ((name.species or name.canonical),)
    if _says_misapplied(words) or words[0] in ("non", "not"):
        return replace(name, canonical=f"{name.canonical} auct.", kind=NameKind.MISAPPLIED, mentioned=mentioned)
    if any(word in _SIGNS or word in _HYBRID_WORDS for word in words):
        return replace(name, canonical=f"{name.canonical} ×", kind=NameKind.HYBRID_FORMULA, mentioned=mentioned)
    if any(word in _UNCERTAIN_QUALIFIERS for word in words) and name.kind is not NameKind.UNCERTAIN:
        genus, _, epithets = name.canonical.partition(" ")
        return replace(name, canonical=f"{genus} cf. {epithets}", kind=NameKind.UNCERTAIN, mentioned=mentioned)
    return name


def _says_misapplied(words: list[str]) -> bool:
    """Whether bare words contain ``auct.`` or ``sensu`` of an author, unlike ``sensu lato``."""
    return any(
        word in _MISAPPLIED and not (word == "sensu" and following in _WIDE)
        for word, following in zip(words, [*words[1:], ""], strict=True)
    )


def _botanical(text: str) -> Name | None:
    """Read a plant name, or return None if the text is something else."""
    words = text.replace(_CROSS, f" {_CROSS} ").replace("?", " ? ").split()
    leading = 0
    while leading < len(words) and _bare(words[leading]) in _UNCERTAIN:
        leading += 1
    if leading and leading < len(words):  # "cf. Mitragyna speciosa": even the genus is uncertain
        inner = _botanical(" ".join(words[leading:]))
        if inner is None or inner.kind is NameKind.TEXT:
            return None
        mentioned = inner.mentioned or (inner.species or inner.canonical,)
        return Name(f"cf. {inner.canonical}", kind=NameKind.UNCERTAIN, mentioned=mentioned)
    sign = [_CROSS] if words and words[0] in _SIGNS else []
    words = words[len(sign) :]
    if not words or not _is_word(words[0]):
        return None
    if len(words) == 1:
        known = words[0][:1].isupper() and words[0][1:].islower() and _bare(words[0]) not in _UNNAMED
        genus = words[0] if known else None
        return Name(" ".join([*sign, words[0]]), kind=NameKind.NAME, genus=genus) if genus else None
    upper_case = len(words[0]) > 1 and words[0].isupper()
    genus, rest = words[0].capitalize(), words[1:]
    uncertain = False
    while rest and (_bare(rest[0]) in _UNCERTAIN or (uncertain and _bare(rest[0]) in _UNNAMED)):
        uncertain, rest = True, rest[1:]
    if len(rest) > 1 and _bare(rest[0]) in _UNNAMED and any(_bare(word) in _UNCERTAIN for word in rest[1:]):
        uncertain, rest = True, [word for word in rest[1:] if _bare(word) not in _UNCERTAIN]  # "sp. aff. speciosa"
    if (len(rest) == 1 and _bare(rest[0]) in _UNNAMED) or (uncertain and not rest):
        whole = " ".join([*sign, genus])
        kind = NameKind.UNCERTAIN if uncertain else NameKind.NAME
        return Name(f"{whole} cf." if uncertain else whole, kind=kind, genus=genus)
    if len(rest) > 1 and rest[0] in _SIGNS and not sign:
        if not upper_case and rest[1].istitle() and _is_word(rest[1]):  # a formula of two genera
            return _formula(genus, genus, rest[1:], upper_case=upper_case)
        sign_of_species, rest = [_CROSS], rest[1:]
    else:
        sign_of_species = []
    if "/" in rest[0] and all(_is_epithet(part, upper_case) for part in rest[0].split("/")):  # "speciosa/hirsuta"
        either = [part.lower() for part in rest[0].split("/")]
        mentioned = tuple(f"{genus} {part}" for part in either)
        return Name(f"{genus} {'/'.join(either)}", kind=NameKind.UNCERTAIN, genus=genus, mentioned=mentioned)
    if not rest or not _is_epithet(rest[0], upper_case):
        return _genus_with_author(sign, words[0], rest) if not (uncertain or sign_of_species) else None
    species = " ".join([*sign, genus, *sign_of_species, rest[0].lower()])
    return _below_species(species, genus, rest[1:], upper_case=upper_case, uncertain=uncertain)


def _below_species(species: str, genus: str, rest: list[str], *, upper_case: bool, uncertain: bool) -> Name | None:
    """Read the words after the binomial: drop authors, and keep the last infraspecific epithet."""
    lower: list[str] = []
    misapplied = False
    for index, word in enumerate(rest):
        following = rest[index + 1] if index + 1 < len(rest) else ""
        bare = _bare(word)
        if word in _SIGNS:
            if following and index and _bare(rest[index - 1]) in _RANKS:
                continue
            return _formula(species, genus, rest[index + 1 :], upper_case=upper_case)
        if bare in _HYBRID_WORDS:
            return _formula(species, genus, [], upper_case=upper_case)
        if bare in _UNCERTAIN:
            uncertain = True
        elif bare in _MISAPPLIED:
            misapplied = not (bare == "sensu" and _bare(following) in _WIDE)
            if misapplied:
                break
        elif bare in ("non", "nec"):
            misapplied = index == 0  # "Nauclea speciosa (Korth.) Miq. non Walp." cites an author first: a homonym
            break
        elif bare in _RANKS:
            after = following if following not in _SIGNS else rest[index + 2] if index + 2 < len(rest) else ""
            if _is_epithet(after, upper_case) and _bare(after) not in _RANKS:
                lower = [_RANKS[bare], after.lower()]
        elif index == 0 and not upper_case and _is_epithet(word, upper_case) and bare not in _WIDE:
            lower = [word]
        elif not (
            word.lower() in lower or _belongs_to_author(word) or (uncertain and _is_epithet(word, upper_case))
        ):  # after "vel" and "cf." another epithet may follow
            return None
    parts = [species, *lower]
    if misapplied:
        return Name(" ".join([*parts, "auct."]), kind=NameKind.MISAPPLIED, genus=genus, mentioned=(species,))
    if uncertain:
        first, _, epithets = " ".join(parts).partition(" ")
        if first == _CROSS:
            following_genus, _, epithets = epithets.partition(" ")
            first = f"{first} {following_genus}"
        return Name(f"{first} cf. {epithets}", kind=NameKind.UNCERTAIN, genus=genus, mentioned=(species,))
    return Name(" ".join(parts), species=species if lower else None, kind=NameKind.NAME, genus=genus)


def _formula(species: str, genus: str, rest: list[str], *, upper_case: bool) -> Name:
    """Read the second parent of a hybrid formula: ``odorata``, ``V. odorata L.`` or ``Viola odorata``."""
    other = rest
    if other and re.fullmatch(r"[^\W\d_]\.", other[0]) and other[0][0].upper() == genus[0]:
        other = [genus, *other[1:]]
    elif other and _is_epithet(other[0], upper_case):
        other = [genus, other[0].lower(), *other[1:]]
    parent = _botanical(" ".join(other)) if other else None
    known = parent is not None and parent.kind in (NameKind.NAME, NameKind.HYBRID_FORMULA)
    second = parent.canonical if known and parent else " ".join(_CROSS if one in _SIGNS else one for one in rest)
    mentioned = (species, *((parent.mentioned or (str(parent.binomial),)) if known and parent else ()))
    same_genus = not known or (parent is not None and parent.genus == genus)
    return Name(
        f"{species} {_CROSS} {second}".strip(),
        kind=NameKind.HYBRID_FORMULA,
        genus=genus if same_genus else None,
        mentioned=mentioned,
    )


def _belongs_to_author(word: str) -> bool:
    """Whether a word after a name may belong to its author, year, nomenclatural remark or cultivar."""
    bare = _bare(word)
    first = word.lstrip("([")[:1]
    known = _AUTHOR_PARTICLES | _WIDE | _REMARKS | {"&", ""}
    return first.isupper() or first in ("'", "‘", '"', "“") or bare in known or _YEAR.fullmatch(bare) is not None


def _genus_with_author(sign: list[str], genus: str, rest: list[str]) -> Name | None:
    """Read ``Mitragyna Korth.`` as a genus with its author; return None for other texts such as ``Tulsi Leaf``."""
    if genus[0].isupper() and rest and rest[0][0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ(" and rest[-1].endswith((".", ")")):
        return Name(" ".join([*sign, genus.capitalize()]), kind=NameKind.NAME, genus=genus.capitalize())
    return None


def _genus_of(text: str) -> str | None:
    """Return the genus of a text that is not a whole name: ``Uncaria`` for ``uncaria`` and ``Uncaria sp. 1``."""
    words = [word for word in text.replace("_", " ").split() if word not in _SIGNS]
    if not words or not _is_word(words[0]) or _bare(words[0]) in _UNNAMED | _UNCERTAIN:
        return None
    mixed = not (words[0].isupper() or words[0].islower() or words[0].istitle())
    return None if mixed else words[0].capitalize()


def _bare(word: str) -> str:
    """Return a word in lower case without brackets, commas and dots: ``c.f.`` and ``[cf.]`` are ``cf``."""
    return word.lower().strip("()[]{},;:").replace(".", "") or word


def _is_word(word: str) -> bool:
    return len(word) > 1 and _WORD.fullmatch(word) is not None


def _is_epithet(word: str, upper_case: bool) -> bool:
    """Whether a word may be an epithet: in lower case, unless the whole name is in upper case."""
    if not _is_word(word) or _bare(word) in _AUTHOR_PARTICLES | _UNNAMED | _MISAPPLIED | _UNCERTAIN | _HYBRID_WORDS:
        return False
    return word.islower() or (upper_case and word.isupper())
