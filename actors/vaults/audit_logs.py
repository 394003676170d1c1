"""The audit log: who asked for what, when, and what came of it.

It is written in the transaction of what it tells of. Each record's hash covers the record and the hash before it, so whoever
changes, removes or adds one has to change all that follow. Heads that were signed show that, too, and whoever has kept a head
outside of the vault finds whatever happened to the log before it; see `signed_heads.py`.

Beside the log, a counter says that there is one, and whether it began before anything was commanded: so one that was emptied
is not taken for one that nobody has begun.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, literal_column, select

from actors.core.kernel.codec import encode
from actors.vaults.checks import checked_name, checked_note, checked_number
from actors.vaults.records import DECISION, OWN_MARK, Audit
from actors.vaults.signed_heads import SignedHeads, Signing, faults_of_heads
from actors.vaults.stores import Cursor, Store
from actors.vaults.tables import audit, counters, journal

NO_HASH = bytes(32)
"""Before the first record."""
ROWS_READ_MAX = 500
COUNTER = "audit"
"""The counter that says that there is a log, and from where on it tells of what was commanded."""
FROM_THE_FIRST, FROM_SOMEWHERE = 0, 1
"""What the counter says: of every command; or of those after its first record, for the multiverse is older than its log."""
TOLD = Audit.__struct_fields__[:-2]
"""What a record says of itself."""


class AuditLog:
    """The audit logs of every multiverse in a store.

    Args:
        store: where.
        signing: with what heads are signed; None for what the environment says.
    """

    def __init__(self, store: Store, signing: Signing | None = None) -> None:
        self._store = store
        self._signed = SignedHeads(store, signing)
        of_multiverse = audit.c.multiverse == bindparam("multiverse")
        self._last = (
            store.prepare(select(audit.c.number, audit.c.sha256).where(of_multiverse).order_by(audit.c.number.desc()))
            + " LIMIT 1"
        )
        self._insert = store.prepare(audit.insert())
        self._begun: set[str] = set()
        key = (counters.c.multiverse == bindparam("multiverse")) & (counters.c.counter == bindparam("counter"))
        self._beginning = store.prepare(select(counters.c.value).where(key))
        self._begin = store.prepare(counters.insert())
        commanded = (journal.c.kind != bindparam("decision")) & (
            func.substr(journal.c.branch, literal_column("1"), literal_column("1")) != bindparam("own")
        )
        self._commanded = (
            store.prepare(
                select(literal_column("1")).where((journal.c.multiverse == bindparam("multiverse")) & commanded)
            )
            + " LIMIT 1"
        )
        columns = (*(audit.c[name] for name in Audit.__struct_fields__), audit.c.before)
        after = of_multiverse & (audit.c.number > bindparam("after"))
        self._after = store.prepare(select(*columns).where(after).order_by(audit.c.number)) + f" LIMIT {ROWS_READ_MAX}"

    def prepare(self) -> None:
        """Whoever is going to write calls this first.

        Raises:
            CallerError: a key is named with which heads are to be signed, and it cannot be used.
        """
        self._signed.prepare()

    def enter(self, cursor: Cursor, name: str, audits: Sequence[Audit]) -> None:
        """Within a transaction that holds the fence: adds records.

        Raises:
            VaultError: bad input.
        """
        if not audits:
            return
        self._note_beginning(cursor, name)
        number, before = self._head(cursor, name)
        for one in audits:
            number += 1
            told = {word: getattr(one, word) for word in TOLD}
            for word in ("control_tick", "position"):
                checked_number(told[word], f"an audit record's {word}")
            for word in told.keys() - {"control_tick", "position"}:
                checked_note(told[word], f"an audit record's {word}")
            sha256 = hash_of(name, msgspec.structs.replace(one, number=number), before)
            key = {"multiverse": name, "number": number}
            cursor.execute(self._insert, {**key, **told, "before": before, "sha256": sha256})
            before = sha256
        self._signed.enter(cursor, name, (number, before))

    def _note_beginning(self, cursor: Cursor, name: str) -> None:
        """Writes down that there is a log, once; before the journal's rows of the same transaction."""
        if name in self._begun:
            return
        if self._beginning_in(cursor, name) is not None:
            self._begun.add(name)  # only now, for what wrote it may have been undone
            return
        cursor.execute(self._commanded, {"multiverse": name, "decision": DECISION, "own": OWN_MARK})
        value = FROM_THE_FIRST if cursor.fetchone() is None else FROM_SOMEWHERE
        cursor.execute(self._begin, {"multiverse": name, "counter": COUNTER, "value": value})

    def _beginning_in(self, cursor: Cursor, name: str) -> int | None:
        cursor.execute(self._beginning, {"multiverse": name, "counter": COUNTER})
        found = cursor.fetchone()
        return None if found is None else int(found[0])

    def beginning(self, name: str) -> int | None:
        """Of what the log tells: `FROM_THE_FIRST`, `FROM_SOMEWHERE`, or None where nobody has said that there is one."""
        return self._store.read(lambda cursor: self._beginning_in(cursor, checked_name(name, "the multiverse's name")))

    def head(self, name: str) -> tuple[int, bytes]:
        """Number and hash of the last record; 0 and zeros where there is none."""
        return self._store.read(lambda cursor: self._head(cursor, checked_name(name, "the multiverse's name")))

    def _head(self, cursor: Cursor, name: str) -> tuple[int, bytes]:
        cursor.execute(self._last, {"multiverse": name})
        found = cursor.fetchone()
        return (0, NO_HASH) if found is None else (int(found[0]), bytes(found[1]))

    def records(self, name: str, after: int = 0) -> Iterator[Audit]:
        """Records in order; see `Vault.audits`."""
        for one, _ in self._rows(name, after):
            yield one

    def _rows(self, name: str, after: int = 0) -> Iterator[tuple[Audit, bytes]]:
        checked_name(name, "the multiverse's name")
        number = checked_number(after, "the number of an audit record")

        def fetch(cursor: Cursor) -> list[tuple[Audit, bytes]]:
            cursor.execute(self._after, {"multiverse": name, "after": number})
            rows: list[list[Any]] = [list(row) for row in cursor.fetchall()]
            told = [dict(zip(Audit.__struct_fields__, row, strict=False)) for row in rows]
            return [
                (Audit(**{**one, "sha256": bytes(one["sha256"])}), bytes(row[-1]))
                for one, row in zip(told, rows, strict=True)
            ]

        while some := self._store.read(fetch):
            yield from some
            number = some[-1][0].number

    def faults(
        self,
        name: str,
        kept: tuple[int, bytes] | None = None,
        trusted: Sequence[bytes] = (),
        *,
        is_needed: bool = False,
    ) -> list[str]:
        """What is wrong with the log of a multiverse, one line each.

        Args:
            name: of the multiverse.
            is_needed: whether something was asked that it has to tell of, as far as others know.
            kept: number and hash of a head that was kept outside of the vault.
            trusted: public keys, of which one has to have signed each signed head, and something at all.
        """
        found: list[str] = []
        heads = self._signed.heads(name)  # before the records: what a clock writes meanwhile is not missed in them
        numbers = {one.number for one in heads}
        of_heads: dict[int, bytes] = {0: NO_HASH}
        number, chain = 0, NO_HASH
        for one, before in self._rows(name):
            if one.number != number + 1:
                found.append(f"audit records {number + 1} to {one.number - 1} are missing")
            elif before != chain:
                found.append(f"audit record {one.number} does not follow the one before it")
            if hash_of(name, one, before) != one.sha256:
                found.append(f"audit record {one.number} is not what was written")
            number, chain = one.number, one.sha256
            if number in numbers:
                of_heads[number] = chain
            if kept is not None and number == kept[0] and chain != kept[1]:
                found.append(f"audit record {number} is another than the one whose hash was kept")
        if kept is not None and number < kept[0]:
            found.append(f"the audit log ends at record {number}, and one of {kept[0]} was kept")
        if trusted and (number or is_needed) and not heads and kept is None:
            found.append("no head of the audit log was signed")
        return [*found, *faults_of_heads(heads, of_heads, number, trusted)]


def hash_of(name: str, one: Audit, before: bytes) -> bytes:
    """The hash of a record that follows another."""
    return hashlib.sha256(before + encode([name, one.number, *(getattr(one, word) for word in TOLD)])).digest()
