"""BUFR tables: what the descriptors of a file mean, as the file itself says in its table messages."""

from __future__ import annotations

from dataclasses import dataclass, field

MNEMONIC_CHARACTERS = 8


def number(text: str) -> int:
    """The 16-bit descriptor written as six digits FXXYYY.

    Raises:
        ValueError: the text is not a descriptor.
    """
    if len(text) != 6 or not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is not six digits")
    f, x, y = int(text[0]), int(text[1:3]), int(text[3:])
    if f > 3 or x > 63 or y > 255:
        raise ValueError(f"{text!r} is out of range")
    return f << 14 | x << 8 | y


def text(descriptor: int) -> str:
    """A descriptor as six digits FXXYYY."""
    return f"{descriptor >> 14}{descriptor >> 8 & 63:02d}{descriptor & 255:03d}"


@dataclass(frozen=True)
class Element:
    """An entry of Table B: value = (raw + reference) / 10**scale in `units`; raw has `width` bits, all ones missing."""

    mnemonic: str
    description: str
    units: str
    scale: int
    reference: int
    width: int

    @property
    def is_text(self) -> bool:
        """Whether the element holds characters."""
        return self.units.startswith("CCITT")


@dataclass(frozen=True)
class Sequence:
    """An entry of Table D: a name for a list of descriptors."""

    mnemonic: str
    description: str
    members: tuple[int, ...]


@dataclass
class Tables:
    """Tables A, B and D.

    Attributes:
        types: Table A: mnemonic of the message type by data category.
        elements: Table B by descriptor.
        sequences: Table D by descriptor; at NCEP those without members (3-63-YYY) name the program with code YYY.
    """

    types: dict[int, str] = field(default_factory=dict)
    elements: dict[int, Element] = field(default_factory=dict)
    sequences: dict[int, Sequence] = field(default_factory=dict)

    def program_codes(self) -> dict[str, int]:
        """Codes of the programs that make events (elements PPC, TPC, ...), by mnemonic, e.g. {'VIRTMP': 8}."""
        return {s.mnemonic: code & 255 for code, s in self.sequences.items() if not s.members}


def _text_element(mnemonic: str, characters: int) -> Element:
    return Element(mnemonic, "", "CCITT IA5", 0, 0, 8 * characters)


def of_table_messages() -> Tables:
    """The tables for reading table messages (WMO FM 94, Table B class 00 and Table D category 00)."""
    characters = {
        "000001": ("type", 3),
        "000002": ("type line 1", 32),
        "000003": ("type line 2", 32),
        "000010": ("F", 1),
        "000011": ("X", 2),
        "000012": ("Y", 3),
        "000013": ("name line 1", 32),
        "000014": ("name line 2", 32),
        "000015": ("units", 24),
        "000016": ("scale sign", 1),
        "000017": ("scale", 3),
        "000018": ("reference sign", 1),
        "000019": ("reference", 10),
        "000020": ("width", 3),
        "000030": ("member", 6),
    }
    elements = {number(code): _text_element(*entry) for code, entry in characters.items()}
    for code, width in (("031000", 1), ("031001", 8), ("031002", 16)):
        elements[number(code)] = Element(f"count {width} bit", "", "NUMERIC", 0, 0, width)
    fxy = tuple(number(code) for code in ("000010", "000011", "000012"))
    b_entry = tuple(number(f"0000{i}") for i in range(13, 21))
    return Tables(
        elements=elements,
        sequences={
            number("300003"): Sequence("descriptor", "", fxy),
            number("300004"): Sequence("table B entry", "", (number("300003"), *b_entry)),
        },
    )
