"""The 47 prefectures of Japan: names and codes of JIS X 0401, and their borders in a file that the user gives."""

from __future__ import annotations

import difflib
from typing import Any, Final

from kaiseki.archive.selection.shapes import check_datum, read_json
from kaiseki.core.errors import InputError

_NAMES: Final = """
01 北海道 Hokkaido|02 青森県 Aomori|03 岩手県 Iwate|04 宮城県 Miyagi|05 秋田県 Akita
06 山形県 Yamagata|07 福島県 Fukushima|08 茨城県 Ibaraki|09 栃木県 Tochigi|10 群馬県 Gunma
11 埼玉県 Saitama|12 千葉県 Chiba|13 東京都 Tokyo|14 神奈川県 Kanagawa|15 新潟県 Niigata
16 富山県 Toyama|17 石川県 Ishikawa|18 福井県 Fukui|19 山梨県 Yamanashi|20 長野県 Nagano
21 岐阜県 Gifu|22 静岡県 Shizuoka|23 愛知県 Aichi|24 三重県 Mie|25 滋賀県 Shiga
26 京都府 Kyoto|27 大阪府 Osaka|28 兵庫県 Hyogo|29 奈良県 Nara|30 和歌山県 Wakayama
31 鳥取県 Tottori|32 島根県 Shimane|33 岡山県 Okayama|34 広島県 Hiroshima|35 山口県 Yamaguchi
36 徳島県 Tokushima|37 香川県 Kagawa|38 愛媛県 Ehime|39 高知県 Kochi|40 福岡県 Fukuoka
41 佐賀県 Saga|42 長崎県 Nagasaki|43 熊本県 Kumamoto|44 大分県 Oita|45 宮崎県 Miyazaki
46 鹿児島県 Kagoshima|47 沖縄県 Okinawa
"""

PREFECTURES: Final[dict[int, tuple[str, str]]] = {
    int(code): (japanese, roman)
    for code, japanese, roman in (row.split() for row in _NAMES.replace("\n", "|").split("|") if row)
}
"""Japanese and Roman name of each prefecture by its code of JIS X 0401."""


def prefecture_of(name: str | int) -> tuple[int, str]:
    """Code and Japanese name of a prefecture, from either, with or without 都 府 県, or from its Roman name.

    Raises:
        InputError: no such prefecture; the message names the nearest.
    """
    text = str(name).strip()
    if isinstance(name, bool) or not text:
        raise InputError("A prefecture is named, such as 東京都 or Tokyo, or given by its code of JIS X 0401, 1 to 47")
    if text.isdigit():
        if int(text) in PREFECTURES:
            return int(text), PREFECTURES[int(text)][0]
        raise InputError(f"There is no prefecture with the code {text}; JIS X 0401 has 01 to 47")
    known: dict[str, int] = {}
    for code, (japanese, roman) in PREFECTURES.items():
        short = japanese if japanese == "北海道" else japanese[:-1]
        known |= {japanese: code, short: code, roman.lower(): code}
    key = text.lower()
    for ending in ("-ken", "-fu", "-to", " prefecture"):
        key = key.removesuffix(ending)
    if key in known:
        return known[key], PREFECTURES[known[key]][0]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {PREFECTURES[known[near[0]]][0]}?" if near else "give a name such as 東京都 or Tokyo"
    raise InputError(f"There is no prefecture {text!r}; {hint}")


def shape_of(areas: Any, code: int, japanese: str) -> dict[str, Any]:
    """The features of a prefecture in a file, as a collection in GeoJSON.

    A feature belongs to it when one of its properties is the Japanese name, or `N03_007` begins with the code.

    Raises:
        InputError: the file is no collection of features, or holds none of this prefecture.
    """
    content = read_json(areas)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise InputError(f"The file {areas} is no FeatureCollection of GeoJSON; expected one with the prefectures")
    check_datum(content)
    own = [
        feature
        for feature in features
        if isinstance(feature, dict) and _belongs(feature.get("properties") or {}, code, japanese)
    ]
    if not own:
        raise InputError(
            f"The file {areas} has no feature of {japanese}: none of its {len(features)} features has this name among "
            "its properties"
        )
    return {"type": "FeatureCollection", "features": own}


def _belongs(properties: dict[str, Any], code: int, japanese: str) -> bool:
    """Whether the properties of a feature are those of a prefecture."""
    return japanese in properties.values() or str(properties.get("N03_007") or "")[:2] == f"{code:02d}"
