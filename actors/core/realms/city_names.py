"""Names of the City's people, from where they were born and their number there: nothing has to be stored.

A name is two or three syllables and a byname. It is the same in every city somebody travels to. Names need not be unique;
`(origin, number)` is.
"""

from actors.core.kernel.streams import entity_number

ONSETS = (
    "Al", "Be", "Ca", "Do", "El", "Fa", "Gi", "Ha", "I", "Jo",
    "Ka", "Li", "Mo", "Na", "O", "Pe", "Ro", "Sa", "Te", "U",
)  # fmt: skip
MIDDLES = ("", "", "la", "ri", "ne", "do", "mi", "ra")
ENDINGS = ("ra", "nis", "dan", "mir", "lo", "wen", "tas", "rik", "sha", "vel", "nor", "lia")
BYNAMES = (
    "Ashford", "Brook", "Calder", "Dusk", "Ember", "Fairweather", "Graves", "Hollow", "Ironside", "Juniper",
    "Kestrel", "Lark", "Marsh", "Nightingale", "Oakes", "Penrose", "Quill", "Rook", "Starling", "Thorne", "Umber",
    "Vale", "Wren", "Yarrow",
)  # fmt: skip


def npc_name(origin: str, number: int) -> str:
    """The name of the `number`-th person born in `origin`."""
    rest = entity_number(f"{origin}/{number}")
    parts = []
    for choices in (ONSETS, MIDDLES, ENDINGS, BYNAMES):
        rest, index = divmod(rest, len(choices))
        parts.append(choices[index])
    return f"{parts[0]}{parts[1]}{parts[2]} {parts[3]}"
