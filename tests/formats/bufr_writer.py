"""A small writer of BUFR, independent of the reader: text of zeros and ones, put together by the rules of FM 94."""

from __future__ import annotations

from dataclasses import dataclass, field

Raw = int | bytes
BYTE_COUNT = "063000"


@dataclass(frozen=True)
class Field:
    """A Table B entry with its six-digit code."""

    code: str
    mnemonic: str
    width: int
    scale: int = 0
    reference: int = 0
    units: str = "NUMERIC"


@dataclass(frozen=True)
class Loop:
    """A replication: `factor` is the code of its 0-31-YYY, or "" for a fixed `count`."""

    mnemonic: str
    code: str
    factor: str
    body: tuple[Field | Loop, ...]
    count: int = 0


Layout = tuple[Field | Loop, ...]
FACTOR_BITS = {"031000": 1, "031001": 8, "031002": 16}
FACTORS = tuple(Field(code, f"DRF{width}BIT", width) for code, width in FACTOR_BITS.items())
COUNT = Field(BYTE_COUNT, "BYTCNT", 16, units="BYTES")


@dataclass
class Dictionary:
    """Tables as they go into a table message."""

    types: dict[int, str] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    sequences: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)


def number(value: int, width: int) -> str:
    return f"{value:0{width}b}" if width else ""


def octets(text: bytes) -> str:
    return "".join(number(byte, 8) for byte in text)


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


def code(descriptor: str) -> bytes:
    f, x, y = int(descriptor[0]), int(descriptor[1:3]), int(descriptor[3:])
    return bytes([f << 6 | x, y])


def message(
    category: int,
    descriptors: tuple[str, ...],
    data: bytes,
    subsets: int = 1,
    *,
    compressed: bool = False,
    edition: int = 3,
    local: bytes = b"\x14",
) -> bytes:
    """One message of 1989-01-01 12Z."""
    if edition == 4:
        one = bytes([0, 0, 7, 0, 0, 0, 0, category, 0, 0, 12, 0, *(1989).to_bytes(2, "big"), 1, 1, 12, 0, 0])
    else:
        one = bytes([0, 3, 7, 0, 0, category, 0, 12, 0, 89, 1, 1, 12, 0]) + local
    one = (len(one) + 3).to_bytes(3, "big") + one
    three = (
        b"\0" + subsets.to_bytes(2, "big") + bytes([0xC0 if compressed else 0x80]) + b"".join(map(code, descriptors))
    )
    three += b"\0" * (1 - len(three) % 2)
    three = (len(three) + 3).to_bytes(3, "big") + three
    data += b"\0" * (len(data) % 2)
    four = (len(data) + 4).to_bytes(3, "big") + b"\0" + data
    body = one + three + four + b"7777"
    return b"BUFR" + (len(body) + 8).to_bytes(3, "big") + bytes([edition]) + body


def records(messages: list[bytes], byte_order: str = "big") -> bytes:
    """As a Fortran sequential unformatted file, records padded to eight bytes."""
    written = b""
    for each in messages:
        padded = each + b"\0" * (-len(each) % 8)
        word = len(padded).to_bytes(4, byte_order)  # type: ignore[arg-type]
        written += word + padded + word
    return written


def _signed(value: int, digits: int) -> bytes:
    return (b"-" if value < 0 else b"+") + str(abs(value)).ljust(digits).encode()


def table_message(tables: Dictionary) -> bytes:
    """The table message that NCEP's software writes for these tables."""
    data = bytes([len(tables.types)])
    for category, mnemonic in tables.types.items():
        data += f"{category:03d}{mnemonic:<9s}{'A TYPE':<55s}".encode()
    data += bytes([len(tables.fields)])
    for key, entry in tables.fields.items():
        data += f"{key}{entry.mnemonic:<9s}{'A VALUE':<55s}{entry.units:<24s}".encode()
        data += _signed(entry.scale, 3) + _signed(entry.reference, 10) + f"{entry.width:<3d}".encode()
    data += bytes([len(tables.sequences)])
    for key, (mnemonic, members) in tables.sequences.items():
        data += f"{key}{mnemonic:<9s}{'A SEQUENCE':<55s}".encode() + bytes([len(members)]) + "".join(members).encode()
    descriptors = (
        "103000 031001 000001 000002 000003 101000 031001 300004 105000 031001 300003 205064 101000 031001 000030"
    )
    return message(11, tuple(descriptors.split()), data)


def register(layout: Layout, tables: Dictionary) -> tuple[str, ...]:
    """Put fields and loops into the tables; gives the descriptors of the layout."""
    listed: list[str] = []
    for item in layout:
        if isinstance(item, Field):
            tables.fields[item.code] = item
            listed.append(item.code)
        else:
            tables.sequences[item.code] = (item.mnemonic, register(item.body, tables))
            listed += [f"101{item.count:03d}", *([item.factor] if item.factor else []), item.code]
    return tuple(listed)


def written(layout: Layout, values: list) -> str:
    """Bits of one subset; `values` holds a raw number, text or (for a loop) a list of such lists per item."""
    bits = ""
    for item, value in zip(layout, values, strict=True):
        if isinstance(item, Loop):
            bits += number(len(value), FACTOR_BITS[item.factor]) if item.factor else ""
            bits += "".join(written(item.body, each) for each in value)
        else:
            bits += octets(value) if isinstance(value, bytes) else number(value, item.width)
    return bits


def compressed(layout: Layout, subsets: list[list]) -> str:
    """Bits of all subsets of a compressed message; loops must be equally long in all of them."""
    bits = ""
    for i, item in enumerate(layout):
        column = [values[i] for values in subsets]
        if isinstance(item, Loop):
            if item.factor:
                bits += number(len(column[0]), FACTOR_BITS[item.factor]) + number(0, 6)
            for k in range(len(column[0])):
                bits += compressed(item.body, [value[k] for value in column])
        elif isinstance(column[0], bytes):
            same = all(value == column[0] for value in column)
            bits += octets(column[0] if same else bytes(len(column[0])))
            bits += number(0 if same else len(column[0]), 6) + ("" if same else "".join(map(octets, column)))
        else:
            missing = (1 << item.width) - 1
            known = [value for value in column if value != missing]
            if len(known) in (0, len(column)) and len(set(column)) == 1:
                bits += number(column[0], item.width) + number(0, 6)
                continue
            least = min(known)
            width = (max(known) - least + 1).bit_length()
            bits += number(least, item.width) + number(width, 6)
            bits += "".join(number((1 << width) - 1 if v == missing else v - least, width) for v in column)
    return bits


def counted(bits: str) -> bytes:
    """A subset with NCEP's byte count before it and padding behind."""
    body = packed(bits)
    return (len(body) + 2).to_bytes(2, "big") + body


def file(layout: Layout, subsets: list[list], *, how: str = "counted", per_message: int = 2) -> list[bytes]:
    """Table message and data messages of type "TEST"; `how` is "counted", "plain" or "compressed"."""
    tables = Dictionary(types={230: "TEST"}, fields={f.code: f for f in FACTORS})
    listed = register(layout, tables)
    if how == "counted":
        # The padding behind each subset is a replication of single bits, as NCEP writes it.
        tables.fields[BYTE_COUNT] = COUNT
        tables.fields["063255"] = Field("063255", "BITPAD", 1, units="NONE")
        listed = (BYTE_COUNT, *listed, "102000", "031001", "206001", "063255")
    messages = [table_message(tables)]
    for first in range(0, len(subsets), per_message):
        part = subsets[first : first + per_message]
        if how == "counted":
            data = b""
            for values in part:
                bits = written(layout, values)
                data += counted(bits + number(-(len(bits) + 8) % 8, 8) + "0" * (-(len(bits) + 8) % 8))
        elif how == "plain":
            data = packed("".join(written(layout, values) for values in part))
        else:
            data = packed(compressed(layout, part))
        messages.append(message(230, listed, data, len(part), compressed=how == "compressed"))
    return messages
