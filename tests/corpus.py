"""Texts in many scripts, code, emoji, whitespace and odd characters, and audio among them."""

# ruff: noqa: RUF001

from __future__ import annotations

import numpy as np

PROSE = [
    "The quick brown fox doesn't jump over 12 lazy dogs; it's 3,141.59 times too tired!",
    "Straße, façade, naïve, coöperate, smørrebrød, Łódź, İstanbul, Ærøskøbing.",
    "Cafe\u0301 and café, A\u030angstro\u0308m and Ångström: composed and not.",
    "Быстрая лисица прыгает через ленивую собаку, не правда ли?",
    "Η γρήγορη αλεπού πηδάει πάνω από τον τεμπέλη σκύλο.",
    "快速的棕色狐狸跳过了懒狗。今天天气很好,我们去公园散步吧!",
    "素早い茶色の狐がのろまな犬を飛び越える。カタカナとひらがな、漢字。",
    "빠른 갈색 여우가 게으른 개를 뛰어넘는다. 안녕하세요?",
    "الثعلب البني السريع يقفز فوق الكلب الكسول، أليس كذلك؟",
    "השועל החום המהיר קופץ מעל הכלב העצלן.",
    "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।",
    "দ্রুত বাদামী শিয়াল অলস কুকুরের উপর লাফ দেয়।",
    "விரைவான பழுப்பு நரி சோம்பேறி நாயின் மேல் குதிக்கிறது.",
    "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ",
    "სწრაფი ყავისფერი მელა გადახტება ზარმაც ძაღლს.",
    "Արագ շագանակագույն աղվեսը ցատկում է ծույլ շան վրայով։",
    "ፈጣን ቡናማ ቀበሮ በሰነፍ ውሻ ላይ ይዘላል።",
    "Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng.",
    "ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ 𐌰𐌱𐌲 𝒳𝓎𝔃 𠀀𠮷 ༄༅། ᠮᠣᠩᠭᠣᠯ",
]
CODE = [
    "def f(x: int) -> str:\n    return f'{x!r:>10}'  # 0x4E00\n\n\n\tif x:\n\t\tpass\n",
    "for (let i = 0; i < n; ++i) { a[i] ??= b?.c ?? `${d}`; }\r\n",
    '#include <stdio.h>\nint main(void) { printf("%d\\n", 1 << 20); return 0; }',
    '{"a": [1, 2.5e-3, null], "b": {"c": "\\u00e9"}}',
    "SELECT * FROM t WHERE x <> 'y''z' -- comment",
    "$x^2 + \\frac{\\partial f}{\\partial x} \\leq \\sum_{i=1}^{n} i$",
    "https://example.org/a_b?c=d&e=%20#f  user@example.org  C:\\dir\\file.txt",
]
SYMBOLS = [
    "😀👍🏽👩‍👩‍👧‍👦🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿❤️✈️ 1️⃣",
    "← ↑ → ↓ ∀∃∈∉ ≤≥≠ ░▒▓█ ♠♥♦♣ ½⅓ ²³ ™©® €£¥₹",
    "«quotes» “double” ‘single’ … — – ‐ ‑ ‒ ⸺ ¿¡",
    "ﬁ ﬂ ﷺ Ⅷ ① ㈱ ｆｕｌｌ ｗｉｄｔｈ 𝟘𝟙𝟚",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "\ue000\uf8ff private, \ufffd replaced, \ufeff marked, \u200b\u200d\u2060 invisible",
]
WHITESPACE = [
    "",
    " ",
    "   ",
    "\n",
    "\n\n \n",
    "\t\t",
    "\r\n\r\n",
    " leading",
    "trailing  ",
    "two  three   four    ",
    "a\n b\n  c\n\n   d",
    "\u00a0\u2003\u3000 wide \u2028\u2029",
    "▁ meta ▁▁space",
    "Ġ byte Ċ letters ĉ",
]
CONTROL = ["\x00\x01\x02\x07\x08\x0b\x0c\x1b[31m\x7f\x80\x9f", "null\x00byte", "\x1f\x1e"]

TEXTS = [*PROSE, *CODE, *SYMBOLS, *WHITESPACE, *CONTROL, "\n".join(PROSE), " ".join(CODE)]
"""All of them, and two long ones."""

AROUND_AUDIO = [
    ("", ""),
    (" ", " "),
    ("   ", "\n\n"),
    ("\n", "\n"),
    ("\n ", " \n"),
    ("Hello", "world"),
    ("Hello ", " world"),
    ("Say:  ", "  please\n"),
    ("(", ")"),
    ("...", "!!!"),
    ("'", "'s"),
    ("快速", "的"),
    ("😀", "👍🏽"),
    ("123", "456"),
    ("a\t", "\tb"),
    ("é", "e\u0301"),
    ("x\r\n", "\r\ny"),
]
"""What may stand before and after a run of audio."""


def skewed_codes(seed: int, sizes: list[int], frames: int = 120) -> np.ndarray:
    """Codes `[K, T]` in which some are frequent, and some runs too, so that merges are learnt."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.geometric(8 / size, frames).clip(1, size) - 1 for size in sizes])
    codes[:, frames // 2 : frames // 2 + 10] = codes[:, :1]  # a silence
    return codes
