"""Keyframes: all of one or nothing of it, checked to the last byte when read.

A keyframe is large, so it is cut, hashed and compressed before its transaction begins, and the transaction touches no table
of the journal. With it goes what the digest chain was after each control tick since the keyframe before.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, case, select

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import DamagedVaultError
from actors.vaults.checks import DOCUMENT_BYTES_MAX, checked_bytes, checked_name, checked_number
from actors.vaults.chunks import Chunks, Packed, cut, digests_in
from actors.vaults.fences import Fence
from actors.vaults.listings import Listings
from actors.vaults.records import Branch, Chains, Instant, Keyframe, LatestKeyframe, Listing
from actors.vaults.stores import Cursor, Store, updating
from actors.vaults.tables import chains, documents, fences, keyframes, seals
from actors.vaults.thinning import too_many

PRUNED_AT_ONCE = 50
"""Keyframes that go in one transaction, so that a clock which has the vault open need not wait for long."""
Key = dict[str, Any]
"""Multiverse, branch, control tick and position, by the names of their columns."""


class Keyframes:
    """The keyframes of every multiverse in a store, with a copy of their epochs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chunks = Chunks(store)
        self._listings = Listings(store)
        insert_fence = store.insert(fences)
        given = insert_fence.excluded.epoch
        higher = case((given > fences.c.epoch, given), else_=fences.c.epoch)
        self._raise = store.prepare(updating(insert_fence, ["multiverse"], {"epoch": higher}))
        self._fence = Fence(store, fences, "multiverse")
        of_branch = (keyframes.c.multiverse == bindparam("multiverse")) & (keyframes.c.branch == bindparam("branch"))
        self._instants = store.prepare(
            select(keyframes.c.control_tick, keyframes.c.position)
            .where(of_branch)
            .order_by(keyframes.c.control_tick.desc(), keyframes.c.position.desc())
        )
        self._all = store.prepare(
            select(keyframes.c.branch, keyframes.c.control_tick, keyframes.c.position)
            .where(keyframes.c.multiverse == bindparam("multiverse"))
            .order_by(keyframes.c.branch, keyframes.c.control_tick, keyframes.c.position)
        )
        self._insert = [store.prepare(table.insert()) for table in (keyframes, documents)]
        keys = [column.name for column in keyframes.primary_key]
        self._delete = [
            store.prepare(table.delete().where(*(table.c[key] == bindparam(key) for key in keys)))
            for table in (documents, keyframes)
        ]
        self._manifest = store.prepare(
            select(keyframes.c.manifest).where(*(keyframes.c[key] == bindparam(key) for key in keys))
        )
        self._documents = store.prepare(
            select(*(documents.c[name] for name in ("name", "sha256", "size_bytes", "chunks"))).where(
                *(documents.c[key] == bindparam(key) for key in keys)
            )
        )
        self._seal = store.prepare(seals.insert())
        self._unseal = store.prepare(seals.delete().where(*(seals.c[key] == bindparam(key) for key in keys)))
        self._seals = store.prepare(
            select(seals.c.branch, seals.c.control_tick, seals.c.position)
            .where(seals.c.multiverse == bindparam("multiverse"))
            .order_by(seals.c.branch, seals.c.control_tick, seals.c.position)
        )
        of_chains = (chains.c.multiverse == bindparam("multiverse")) & (chains.c.branch == bindparam("branch"))
        self._insert_chains = store.prepare(chains.insert())
        self._forget_chains = store.prepare(chains.delete().where(of_chains, chains.c.first_tick >= bindparam("first")))
        before = of_chains & (chains.c.domain == bindparam("domain")) & (chains.c.first_tick <= bindparam("tick"))
        self._chains = (
            store.prepare(
                select(chains.c.first_tick, chains.c.chains).where(before).order_by(chains.c.first_tick.desc())
            )
            + " LIMIT 1"
        )

    def raise_fence(self, name: str, epoch: int) -> None:
        """Lets no epoch before `epoch` write any more. A lower one than known already is no change."""
        self._store.write(lambda cursor: cursor.execute(self._raise, {"multiverse": name, "epoch": epoch}) and None)

    def save(
        self,
        name: str,
        epoch: int,
        keyframe: Keyframe,
        borders: Mapping[str, Sequence[int]],
        lived: Mapping[int, Chains],
        kept_max: int | None,
        listings: Sequence[Listing],
    ) -> None:
        """Writes a keyframe in one transaction; see `Vault.save_keyframe`."""
        insert, packed = self._prepared(name, keyframe, borders)
        key = _key(name, keyframe.branch, *keyframe.instant)

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            sealed = self._sealed(cursor, name, keyframe.branch)
            cursor.execute(self._instants, key)
            found: list[Instant] = [(control_tick, position) for control_tick, position in cursor.fetchall()]
            before = [instant for instant in found if instant < keyframe.instant]
            # What is not before the saved one is of a future that was never reached again: it must not come back.
            spare = too_many(keyframe.instant, [one for one in before if one not in sealed], kept_max)
            for instant in (*found[: len(found) - len(before)], *spare):
                if instant not in sealed:
                    self._forget(cursor, _key(name, keyframe.branch, *instant))
            if keyframe.instant not in sealed:
                insert(cursor)
            of = {"multiverse": name, "branch": keyframe.branch}
            if lived:
                cursor.execute(self._forget_chains, {**of, "first": min(one.first_tick for one in lived.values())})
            for domain, one in sorted(lived.items()):
                row = {**of, "domain": domain, "first_tick": one.first_tick, "chains": one.chains}
                cursor.execute(self._insert_chains, row)
            for listing in listings:
                self._listings.write(cursor, name, keyframe.branch, keyframe.instant, listing)

        self._store.write(write)
        self._chunks.added(packed)
        self._listings.written(name, keyframe.branch, listings)

    def begin_log(self, name: str, epoch: int, branch: Branch, listing: Listing) -> None:
        """Lets the log of a new branch begin; see `Vault.begin_log`."""

        def write(cursor: Cursor) -> None:
            self._fence.hold(cursor, name, epoch)
            self._listings.begin(cursor, name, branch, listing)

        self._store.write(write)
        self._listings.written(name, branch.branch, [listing])

    def _prepared(
        self, name: str, keyframe: Keyframe, borders: Mapping[str, Sequence[int]]
    ) -> tuple[Callable[[Cursor], None], Packed]:
        """What writes a keyframe within a transaction, with everything done that can be done before."""
        key = _key(name, keyframe.branch, *keyframe.instant)
        cuts = {}
        for document, content in keyframe.documents.items():
            checked_name(document, "a document's name")
            checked_bytes(content, f"document {document!r} of a keyframe", DOCUMENT_BYTES_MAX)
            cuts[document] = cut(content, borders.get(document, ()))
        rows = [
            {**key, "name": document, "sha256": one.sha256, "size_bytes": one.size_bytes, "chunks": one.digests}
            for document, one in cuts.items()
        ]
        manifest = _manifest(key, [(row["name"], row["sha256"]) for row in rows])
        packed = self._chunks.packed(name, cuts.values())

        def insert(cursor: Cursor) -> None:
            cursor.execute(self._insert[0], {**key, "manifest": manifest})
            for row in rows:
                cursor.execute(self._insert[1], row)
            self._chunks.add(cursor, packed)

        return insert, packed

    def seal(self, name: str, epoch: int, keyframe: Keyframe, borders: Mapping[str, Sequence[int]]) -> None:
        """Writes a keyframe that stays; see `Vault.seal`."""
        insert, packed = self._prepared(name, keyframe, borders)
        key = _key(name, keyframe.branch, *keyframe.instant)

        def write(cursor: Cursor) -> bool:
            self._fence.hold(cursor, name, epoch)
            if keyframe.instant in self._sealed(cursor, name, keyframe.branch):
                return False
            self._forget(cursor, key)  # one at the same boundary from which something has to be lived again
            insert(cursor)
            cursor.execute(self._seal, key)
            return True

        if self._store.write(write):
            self._chunks.added(packed)

    def unseal(self, name: str, branch: str, instant: Instant) -> None:
        """Lets a keyframe go that was to stay; see `Vault.unseal`."""
        key = _key(name, branch, *instant)

        def write(cursor: Cursor) -> None:
            if instant in self._sealed(cursor, name, branch):
                cursor.execute(self._unseal, key)
                self._forget(cursor, key)

        self._store.write(write)

    def seals(self, name: str) -> list[tuple[str, Instant]]:
        """Every keyframe that stays; see `Vault.seals`."""

        def fetch(cursor: Cursor) -> list[tuple[str, Instant]]:
            cursor.execute(self._seals, {"multiverse": checked_name(name, "the multiverse's name")})
            return [(branch, (tick, position)) for branch, tick, position in cursor.fetchall()]

        return self._store.read(fetch)

    def _sealed(self, cursor: Cursor, name: str, branch: str) -> set[Instant]:
        cursor.execute(self._seals, {"multiverse": name})
        return {(tick, position) for of, tick, position in cursor.fetchall() if of == branch}

    def _forget(self, cursor: Cursor, key: Key) -> None:
        cursor.execute(self._documents, key)
        self._chunks.release(cursor, key["multiverse"], [listed for *_, listed in cursor.fetchall()])
        for statement in self._delete:
            cursor.execute(statement, key)

    def latest(self, name: str, branch: str, until: Instant | None = None) -> LatestKeyframe:
        """Reads the newest keyframe that is whole; see `Vault.latest_keyframe`."""
        damaged: list[str] = []
        key = _key(name, branch, 0, 0)
        try:
            for instant in self._found(key):
                if until is not None and instant > until:
                    continue
                try:
                    found = self._whole(_key(name, branch, *instant))
                except DamagedVaultError as error:
                    damaged.append(f"keyframe of control tick {instant[0]}: {error.message}")
                else:
                    if found is not None:
                        return LatestKeyframe(found, tuple(damaged))
        except DamagedVaultError as error:
            damaged.append(error.message)
        return LatestKeyframe(None, tuple(damaged))

    def _found(self, key: Key) -> list[Instant]:
        def fetch(cursor: Cursor) -> list[Instant]:
            cursor.execute(self._instants, key)
            return [(control_tick, position) for control_tick, position in cursor.fetchall()]

        return self._store.read(fetch)

    def _whole(self, key: Key) -> Keyframe | None:
        """A keyframe, or None if it has been replaced meanwhile."""

        def manifest_now(cursor: Cursor) -> bytes | None:
            cursor.execute(self._manifest, key)
            found = cursor.fetchone()
            return None if found is None else bytes(found[0])

        def fetch(cursor: Cursor) -> Keyframe | None:
            written = manifest_now(cursor)
            if written is None:
                return None
            cursor.execute(self._documents, key)
            rows = cursor.fetchall()
            try:
                if _manifest(key, [(document, sha256) for document, sha256, *_ in rows]) != written:
                    raise DamagedVaultError("its list of documents is not the one that was written.")
                pieces = self._chunks.contents(cursor, key["multiverse"], [listed for *_, listed in rows])
                contents = {document: _joined(document, pieces, *rest) for document, *rest in rows}
            except DamagedVaultError:
                if manifest_now(cursor) != written:  # several statements see several instants
                    return None
                raise
            return Keyframe(key["branch"], key["control_tick"], key["position"], contents)

        return self._store.read(fetch)

    def prune(self, name: str, kept_max: int) -> int:
        """Lets keyframes go that are too many; see `Vault.prune`."""
        gone = 0

        def write(cursor: Cursor) -> int:
            cursor.execute(self._all, {"multiverse": name})
            by_branch: dict[str, list[Instant]] = {}
            for branch, *instant in cursor.fetchall():
                by_branch.setdefault(branch, []).insert(0, (instant[0], instant[1]))
            spare = [
                (branch, instant)
                for branch, found in by_branch.items()
                for instant in too_many(
                    found[0], [one for one in found[1:] if one not in self._sealed(cursor, name, branch)], kept_max
                )
            ]
            for branch, instant in spare[:PRUNED_AT_ONCE]:
                self._forget(cursor, _key(name, branch, *instant))
            return len(spare[:PRUNED_AT_ONCE])

        while some := self._store.write(write):
            gone += some
        return gone

    def faults(self, name: str) -> list[str]:
        """What is wrong with the keyframes of a multiverse, one line each; see `Vault.faults`."""
        found: list[str] = []
        uses: Counter[bytes] = Counter()

        def keys(cursor: Cursor) -> list[Key]:
            cursor.execute(self._all, {"multiverse": name})
            return [_key(name, *values) for values in cursor.fetchall()]

        def listed(cursor: Cursor, key: Key) -> None:
            cursor.execute(self._documents, key)
            for *_, digests in cursor.fetchall():
                uses.update(digests_in(digests))

        for key in self._store.read(keys):
            where = f"keyframe of control tick {key['control_tick']} on {key['branch']}"
            try:
                self._whole(key)
                self._store.read(partial(listed, key=key))
            except DamagedVaultError as error:
                found.append(f"{where}: {error.message}")
        return found + self._store.read(lambda cursor: self._chunks.faults(cursor, name, uses))

    def chains(self, name: str, branch: str, control_tick: int, domain: int) -> Chains | None:
        """The chains that were written down together with a control tick's; see `Vault.chains`."""
        asked = _key(name, branch, control_tick, 0)

        def fetch(cursor: Cursor) -> Chains | None:
            of = {"multiverse": name, "branch": branch, "domain": domain, "tick": asked["control_tick"]}
            cursor.execute(self._chains, of)
            found = cursor.fetchone()
            return None if found is None else Chains(*found)

        return self._store.read(fetch)

    @property
    def store(self) -> Store:
        """Where they are."""
        return self._store

    def close(self) -> None:
        """Waits for the write under way."""
        self._store.close()


def _key(name: str, branch: str, control_tick: int, position: int) -> Key:
    return {
        "multiverse": checked_name(name, "the multiverse's name"),
        "branch": checked_name(branch, "a keyframe's branch"),
        "control_tick": checked_number(control_tick, "a keyframe's control tick"),
        "position": checked_number(position, "a keyframe's position"),
    }


def _joined(document: str, pieces: Mapping[bytes, bytes], sha256: bytes, size_bytes: int, listed: bytes) -> bytes:
    wanted = digests_in(listed)
    if all(digest in pieces for digest in wanted):
        content = b"".join(pieces[digest] for digest in wanted)
        if len(content) == size_bytes and hashlib.sha256(content).digest() == sha256:
            return content
    raise DamagedVaultError(f"its document {document!r} is not what was written.")


def _manifest(key: Key, written: Iterable[tuple[str, bytes]]) -> bytes:
    """What ties a keyframe's documents together, so that none can be missing, renamed or another boundary's."""
    return hashlib.sha256(encode([list(key.values()), sorted(written)])).digest()
