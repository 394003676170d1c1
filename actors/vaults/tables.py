"""The tables, for both stores. A store of an earlier version is brought to this one when it is opened; see `schemas.py`.

No foreign keys: checking one locks the row it points to, and a keyframe being written would hold up the journal.
"""

from sqlalchemy import REAL, BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = 6
"""1: journal and keyframes. 2: marks. 3: chunks, digest chains, branches, snapshots, fingerprints, seals.
4: ledger, players, audit; strides; chains of domains; an index of snapshots. 5: signed heads of the audit log;
agents, rituals, unified snapshots. 6: rituals that were taken back."""

metadata = MetaData()
Whole = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's INTEGER has 64 bits; its strict tables know no BIGINT
Share: Double[float] = Double().with_variant(REAL(), "sqlite")  # 64 bits in both


def _table(name: str, *columns: Column[object], clustered: bool = False) -> Table:
    """A table whose columns hold nothing but their type, on SQLite too, and are never NULL.

    With `clustered` SQLite keeps the rows in the key's own tree: one page to write for a row, not two.
    """
    return Table(name, metadata, *columns, sqlite_strict=True, sqlite_with_rowid=not clustered)


def _key(name: str, kind: object) -> Column[object]:
    return Column(name, kind, primary_key=True, autoincrement=False, nullable=False)  # type: ignore[arg-type]


def _column(name: str, kind: object) -> Column[object]:
    return Column(name, kind, nullable=False)  # type: ignore[arg-type]


parts = _table("vault_parts", _key("part", Text), _column("version", Whole), _column("identity", Text))
"""Which parts are here, of which version, and of which vault: files that were mixed up are found out."""

multiverses = _table("vault_multiverses", _key("name", Text), _column("epoch", Whole), _column("founding", LargeBinary))

journal = _table(
    "vault_journal",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("position", Whole),
    _column("control_tick", Whole),
    _column("command_id", Text),
    _column("kind", Text),
    _column("subject", Text),
    _column("payload", LargeBinary),
    clustered=True,
)

marks = _table(
    "vault_marks", _key("multiverse", Text), _key("branch", Text), _column("control_tick", Whole), clustered=True
)
"""How far somebody may have seen a branch: its history goes on from there, and from nowhere before."""

branches = _table(
    "vault_branches",
    _key("multiverse", Text),
    _key("branch", Text),
    _column("parent", Text),
    _column("control_tick", Whole),
    _column("position", Whole),
    _column("number", Whole),
    _column("reason", Text),
    _column("command_id", Text),
    _column("snapshot", Text),
    clustered=True,
)
"""Histories that left another one: where they did, and why. The first branch of a multiverse has no row."""

heads = _table("vault_heads", _key("multiverse", Text), _column("branch", Text), clustered=True)
"""The branch that a multiverse lives on, once it has left its first one."""

snapshots = _table(
    "vault_snapshots",
    _key("multiverse", Text),
    _key("snapshot", Text),
    _column("number", Whole),
    _column("branch", Text),
    _column("control_tick", Whole),
    _column("position", Whole),
    _column("digest", Text),
    _column("reason", Text),
    _column("origin", Text),
    _column("command_id", Text),
    clustered=True,
)
"""Boundaries that somebody has named, or that came round. What they were is in journal and keyframes."""

Index("vault_snapshots_of_branch", *(snapshots.c[name] for name in ("multiverse", "branch", "origin", "control_tick")))
"""With it, letting go of some of a branch costs as much as there are of that branch."""

counters = _table(
    "vault_counters", _key("multiverse", Text), _key("counter", Text), _column("value", Whole), clustered=True
)
"""Numbers that are given once: what was deleted does not give its number back."""

fingerprints = _table(
    "vault_fingerprints",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("control_tick", Whole),
    _key("position", Whole),
    _column("fingerprint", Text),
    clustered=True,
)
"""By which rules a branch was lived, from a boundary on."""

ledger = _table(
    "vault_ledger",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("quantity", Text),
    _key("control_tick", Whole),
    _key("position", Whole),
    _column("balance", Text),
    clustered=True,
)
"""What had been created, less what had been destroyed, of each conserved quantity, at every boundary where that had changed;
in decimal digits, for it may outgrow 64 bits."""

audit = _table(
    "vault_audit",
    _key("multiverse", Text),
    _key("number", Whole),
    _column("at", Text),
    _column("principal", Text),
    _column("verb", Text),
    _column("subject", Text),
    _column("command_id", Text),
    _column("branch", Text),
    _column("control_tick", Whole),
    _column("position", Whole),
    _column("outcome", Text),
    _column("before", LargeBinary),
    _column("sha256", LargeBinary),
    clustered=True,
)
"""Who asked for what, when, and what came of it, refusals too. Each record's hash covers it and the record before."""

signed_heads = _table(
    "vault_audit_heads",
    _key("multiverse", Text),
    _key("number", Whole),
    _column("sha256", LargeBinary),
    _column("interval_records", Whole),
    _column("public_key", LargeBinary),
    _column("signature", LargeBinary),
    clustered=True,
)
"""Records of the audit log whose hash was signed, which covers all before: who has no key cannot write them anew."""

fences = _table("vault_keyframe_fences", _key("multiverse", Text), _column("epoch", Whole), clustered=True)
"""The current epoch once more, beside the keyframes, where a transaction on them can see it."""

keyframes = _table(
    "vault_keyframes",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("control_tick", Whole),
    _key("position", Whole),
    _column("manifest", LargeBinary),
    clustered=True,
)

documents = _table(
    "vault_documents",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("control_tick", Whole),
    _key("position", Whole),
    _key("name", Text),
    _column("sha256", LargeBinary),
    _column("size_bytes", Whole),
    _column("chunks", LargeBinary),
)
"""What a keyframe consists of: each document is its chunks, whose digests stand one after another in `chunks`."""

chunks = _table(
    "vault_chunks",
    _key("multiverse", Text),
    _key("sha256", LargeBinary),
    _column("size_bytes", Whole),
    _column("uses", Whole),
    _column("stride", Whole),
    _column("compressed", LargeBinary),
)
"""Pieces of documents, each stored once, with how many documents of keyframes have them; `stride` as in `chunks.py`."""

chains = _table(
    "vault_chains",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("domain", Whole),
    _key("first_tick", Whole),
    _column("chains", LargeBinary),
)
"""The digest chain after each control tick, one after another, from `first_tick` on: of everything (domain -1), and once there
has been a fork, of each closed domain by itself and of what is in none (0)."""

seals = _table(
    "vault_seals",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("control_tick", Whole),
    _key("position", Whole),
    clustered=True,
)
"""Boundaries whose keyframes stay: nothing has to be lived again to stand there."""

players = _table(
    "vault_players",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("player_id", Text),
    _column("number", Whole),
    _column("name", Text),
    _column("race", Text),
    _column("character_class", Text),
    _column("active_realm", Text),
    _column("level", Whole),
    _column("experience", Whole),
    _column("items", Whole),
    _column("record", Text),
    clustered=True,
)
"""The players as they were when the newest keyframe was written; `record` is all of one, in JSON."""

agents = _table(
    "vault_agents",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("instance_id", Text),
    _key("agent_id", Text),
    _column("instance", Text),
    _column("local_tick", Whole),
    _column("template", Text),
    _column("state", Text),
    _column("generation", Whole),
    _column("mood", Share),
    _column("energy", Whole),
    _column("born_at", Whole),
    _column("personality", Text),
    _column("record", Text),
    clustered=True,
)
"""The agents of every instance as they were after `local_tick` of its time, when the newest keyframe was written;
`personality` and `record`, which is all of one, in JSON. Source: seed 001, "Database Schemas"."""


def _ritual_table(name: str, *more_keys: Column[object]) -> Table:
    return _table(
        name,
        _key("multiverse", Text),
        _key("branch", Text),
        _key("instance_id", Text),
        _key("ritual_id", Text),
        *more_keys,
        _column("instance", Text),
        _column("number", Whole),
        _column("kind", Text),
        _column("agent_id", Text),
        _column("outcome", Text),
        _column("began_at", Whole),
        _column("ended_at", Whole),
        _column("record", Text),
        clustered=True,
    )


ritual_logs = _ritual_table("vault_ritual_logs")
"""The rituals that have ended, all of them, by `number` in the order in which they did; also of instances that are no more."""

rituals_taken_back = _ritual_table("vault_rituals_taken_back", _key("control_tick", Whole), _key("position", Whole))
"""What was in that log until a boundary, and then had never been, for its instance's time had gone back. Whoever goes back to
before that boundary finds it here."""

Index(
    "vault_ritual_logs_in_order", *(ritual_logs.c[name] for name in ("multiverse", "branch", "instance_id", "number"))
)
"""With it, the newest of a long log are found without reading the rest."""

unified_snapshots = _table(
    "vault_unified_snapshots",
    _key("multiverse", Text),
    _key("snapshot_id", Text),
    _column("number", Whole),
    _column("branch", Text),
    _column("control_tick", Whole),
    _column("position", Whole),
    _column("instance_id", Text),
    _column("instance", Text),
    _column("local_tick", Whole),
    _column("conflicts", Whole),
    _column("record", Text),
    _column("document", LargeBinary),
)
"""What merges of the four platforms of an instance came to, by `number` in the order in which they were made; `record` has
the merged state and the conflicts in JSON, `document` is all of it as it was written, compressed."""

listed = _table(
    "vault_listed",
    _key("multiverse", Text),
    _key("branch", Text),
    _key("listing", Text),
    _column("control_tick", Whole),
    clustered=True,
)
"""After which control tick a table was as it stands, if it is of members' states."""

LISTINGS: dict[str, Table] = {"players": players, "agents": agents, "rituals": ritual_logs}
"""Tables of members' states, written with each keyframe where something has changed."""
TAKEN_BACK: dict[str, Table] = {"rituals": rituals_taken_back}
"""Of those which are logs, where what was taken back goes."""

PARTS: dict[str, tuple[Table, ...]] = {
    "journal": (
        *(multiverses, journal, marks, branches, heads, snapshots, counters, fingerprints, ledger),
        *(audit, signed_heads, unified_snapshots),
    ),
    "keyframes": (
        fences,
        keyframes,
        documents,
        chunks,
        chains,
        seals,
        listed,
        *LISTINGS.values(),
        *TAKEN_BACK.values(),
    ),
}
