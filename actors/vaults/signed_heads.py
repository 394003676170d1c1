"""Signed heads of the audit log: from time to time the last record's hash is signed, and so all records before it.

Who can write the vault but has no key can change or remove records, and even hash the log anew, but cannot sign it. What the
vault alone cannot show is a log that ends at an older signed head: the newest one has to be kept elsewhere, too.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec
from sqlalchemy import bindparam, select

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import SettingsError
from actors.vaults.checks import NUMBER_MAX
from actors.vaults.key_files import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, SigningKey, is_signed, short
from actors.vaults.stores import Cursor, Store
from actors.vaults.tables import signed_heads

KEY_VARIABLE = "SOULFRA_AUDIT_KEY"
"""The environment variable that names the file of the private key with which a clock signs; without it, none are signed."""
INTERVAL_VARIABLE = "SOULFRA_AUDIT_HEAD_RECORDS"
"""The environment variable that says after how many records the next head is signed."""
INTERVAL_RECORDS = 100
"""Where nothing is said: a signature takes 40 µs, so that the log does not feel it."""
INTERVAL_RECORDS_MAX = 1_000_000
KIND = "soulfra audit head"
VERSION = 1
SHA256_BYTES = 32


class SignedHead(msgspec.Struct, frozen=True):
    """A record's hash that somebody has put a name to.

    Attributes:
        multiverse: whose log.
        number: of the record; 0 for a log without any.
        sha256: its hash.
        interval_records: the next head is signed no later than so many records on; 0 if this one was asked for.
        public_key: whose private half has signed.
        signature: over all of it.
    """

    multiverse: str
    number: int
    sha256: bytes
    interval_records: int
    public_key: bytes
    signature: bytes = b""

    @classmethod
    def made(cls, key: SigningKey, multiverse: str, head: tuple[int, bytes], interval_records: int = 0) -> Self:
        """A head (number and hash), signed."""
        unsigned = cls(multiverse, *head, interval_records, key.public_key)
        return msgspec.structs.replace(unsigned, signature=key.sign(unsigned._message()))

    def _message(self) -> bytes:
        told = [self.multiverse, self.number, self.sha256, self.interval_records, self.public_key]
        return encode([KIND, VERSION, *told])

    def fault(self, trusted: Sequence[bytes] = ()) -> str:
        """What is wrong with its signature; "" if nothing is.

        Args:
            trusted: public keys of which one has to have signed; without any, the one that it carries itself.
        """
        if trusted and self.public_key not in trusted:
            wanted = " or ".join(map(short, trusted))
            return f"the head of record {self.number} is signed by {short(self.public_key)}, not by {wanted}"
        if not is_signed(self.public_key, self._message(), self.signature):
            return f"the head of record {self.number} does not bear the signature of {short(self.public_key)}"
        return ""

    def document(self) -> dict[str, Any]:
        """What is kept elsewhere, as plain data for JSON."""
        told = {"kind": KIND, "version": VERSION, **msgspec.structs.asdict(self)}
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in told.items()}

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """The head that was written as a JSON document.

        Raises:
            SettingsError: it is not one.
        """
        try:
            found = json.loads(text)
            if not isinstance(found, dict) or (found.pop("kind"), found.pop("version")) != (KIND, VERSION):
                raise ValueError(f"it does not begin as a {KIND} of version {VERSION}")
            for name in ("sha256", "public_key", "signature"):
                found[name] = bytes.fromhex(found[name])
            head = msgspec.convert(found, cls)
            sizes = (len(head.sha256), len(head.public_key), len(head.signature))
            if found.keys() != set(cls.__struct_fields__) or sizes != (SHA256_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES):
                raise ValueError("fields are missing, too many, or of another length")
            if not 0 <= head.number <= NUMBER_MAX or not 0 <= head.interval_records <= INTERVAL_RECORDS_MAX:
                raise ValueError("a number is out of its range")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            told = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else f"{error}"
            raise SettingsError(
                f"this is no signed head as `soulfra audit head --sign` prints one ({told.rstrip('.'):.200})."
            ) from None
        return head


class Signing(msgspec.Struct, frozen=True):
    """With what a clock signs, and how often.

    Attributes:
        key_file: where the private key is.
        interval_records: after so many records, counted from the last signed one, the next head is signed.
    """

    key_file: str
    interval_records: int = INTERVAL_RECORDS

    def __post_init__(self) -> None:
        if not 1 <= self.interval_records <= INTERVAL_RECORDS_MAX:
            raise SettingsError(
                f"the records between two signed heads must be from 1 to {INTERVAL_RECORDS_MAX:,}, not {self.interval_records}."
            )


def signing_from(environment: Mapping[str, str] = os.environ) -> Signing | None:
    """What the environment says; None where it names no key.

    Raises:
        SettingsError: the interval is no whole number in its range.
    """
    key_file, interval = environment.get(KEY_VARIABLE, ""), environment.get(INTERVAL_VARIABLE, "")
    if not key_file:
        return None
    if interval and not (
        interval.isascii() and interval.isdecimal() and len(interval) <= len(str(INTERVAL_RECORDS_MAX))
    ):
        raise SettingsError(f"{INTERVAL_VARIABLE} must be a whole number of records, not {interval!r:.100}.")
    return Signing(key_file, int(interval or INTERVAL_RECORDS))


class SignedHeads:
    """The signed heads of every multiverse in a store, and what signs new ones.

    Args:
        store: where.
        signing: with what; None for what the environment says.
    """

    def __init__(self, store: Store, signing: Signing | None = None) -> None:
        self._store = store
        self._signing = signing
        self._key: SigningKey | None = None
        self._interval_records = 0
        of_multiverse = signed_heads.c.multiverse == bindparam("multiverse")
        self._insert = store.prepare(signed_heads.insert())
        columns = [signed_heads.c[name] for name in SignedHead.__struct_fields__]
        self._all = store.prepare(select(*columns).where(of_multiverse).order_by(signed_heads.c.number))
        last = select(signed_heads.c.number).where(of_multiverse).order_by(signed_heads.c.number.desc())
        self._last = store.prepare(last) + " LIMIT 1"

    def prepare(self) -> None:
        """Reads the key, if one is named. Only who writes needs it: a clock, before it takes a multiverse over.

        Raises:
            CallerError: the key cannot be used.
        """
        signing = self._signing or signing_from()
        if signing is not None:
            self._key, self._interval_records = SigningKey.load(signing.key_file), signing.interval_records

    def enter(self, cursor: Cursor, name: str, head: tuple[int, bytes]) -> None:
        """Within the transaction that has written records up to `head`: signs it, if that is due."""
        if self._key is None:
            return
        cursor.execute(self._last, {"multiverse": name})
        last = cursor.fetchone()
        if last is not None and head[0] - last[0] < self._interval_records:
            return
        signed = SignedHead.made(self._key, name, head, self._interval_records)
        cursor.execute(self._insert, msgspec.structs.asdict(signed))

    def heads(self, name: str) -> list[SignedHead]:
        """All of a multiverse, in order."""

        def fetch(cursor: Cursor) -> list[SignedHead]:
            cursor.execute(self._all, {"multiverse": name})
            return [
                SignedHead(multiverse, number, bytes(sha256), interval_records, bytes(public_key), bytes(signature))
                for multiverse, number, sha256, interval_records, public_key, signature in cursor.fetchall()
            ]

        return self._store.read(fetch)


def faults_of_heads(
    heads: Sequence[SignedHead], hashes: Mapping[int, bytes], last: int, trusted: Sequence[bytes]
) -> Iterator[str]:
    """What is wrong with the signed heads of a log, one line each.

    Args:
        heads: all that the vault has.
        hashes: of the records that they tell of, as far as there are any.
        last: the number of the last record.
        trusted: public keys of which one has to have signed each; without any, the one that it carries itself.
    """
    for one in heads:
        if wrong := one.fault(trusted):
            yield wrong
        if one.number > last:
            yield f"the audit log ends at record {last}, and a head was signed of record {one.number}"
        elif one.number in hashes and hashes[one.number] != one.sha256:
            yield f"audit record {one.number} is another than the one whose hash was signed"
    if trusted and heads and last - heads[-1].number >= heads[-1].interval_records:
        yield (
            f"no head was signed of audit records {heads[-1].number + 1} to {last}, and one is due every "
            f"{heads[-1].interval_records}"
        )
