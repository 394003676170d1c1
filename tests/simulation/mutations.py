"""Faults put into the code on purpose, one at a time: a simulation that does not find them is no test.

Each is a change of text in a copy of the code, in which the default seeds then run until one of them notices.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
KERNEL = "actors/core/kernel"
WINDOWS = f"{KERNEL}/windows.py"
FLEETS, KEEPING, SEATS = f"{KERNEL}/fleets.py", f"{KERNEL}/keeping.py", f"{KERNEL}/seats.py"
CLOCKS, ROUNDS, MARKS = "actors/clocks.py", "actors/command_rounds.py", "actors/marks.py"
CHRONICLES, REPLAYS = "actors/chronicles.py", "actors/replays.py"
TABLES = f"{KERNEL}/tables.py"
JOURNALS = "actors/vaults/journals.py"
TICKING, SEQUENCING, FORKING = f"{KERNEL}/ticking.py", f"{KERNEL}/sequencing.py", f"{KERNEL}/forking.py"
COMMANDING = f"{KERNEL}/rounds.py"
HOSTS = "actors/hosts.py"
DEFAULT_SEEDS = 200
DEFAULT_CLOCK_SEEDS = 96
ESCAPES_ONE_IN = 20
TIMEOUT_S = 300.0


class Edit(NamedTuple):
    """A text that stands exactly once in a file, and what it becomes."""

    file: str
    old: str
    new: str


class Mutation(NamedTuple):
    """A fault: what is changed, and whether clocks must die for it to be noticed."""

    name: str
    edits: tuple[Edit, ...]
    clocks: bool = False


class Outcome(NamedTuple):
    """What became of a mutation: the seed that noticed it and in which words, or None."""

    seed: int | None
    words: str
    elapsed_s: float


def _mutation(name: str, file: str, old: str, new: str) -> Mutation:
    return Mutation(name, (Edit(file, old, new),))


def _of_clocks(name: str, file: str, old: str, new: str) -> Mutation:
    return Mutation(name, (Edit(file, old, new),), clocks=True)


_SEALED = "        lost = (self._seal() if whole else self._overtaken()) if done else None\n"
_TOLD = "        for _, _, failure in done:\n"
_TICK_SEALED = "        if self._sequencer.journal and (lost := self._seal()) is not None:\n            raise lost\n"
_KEYFRAME = "        if keyframe and self._fleet.is_refreshed():\n            self._chronicle.write_keyframe(self._sequencer.boundary, self._standing)\n"
_FENCED = "            self._fence.hold(cursor, name, epoch)\n"
_DROP_REPEATED = "        if self._answer is not None and first.number == self._answer.outboxes[0].number:\n"
_GAP = "        if first.number != self._number + 1:\n"

MUTATIONS = (
    # Seats: what is answered once, and what is refused.
    _mutation("a repeated grant is refused", SEATS, _DROP_REPEATED, "        if False:\n"),
    Mutation(
        "a repeated grant is lived again",
        (
            Edit(SEATS, _DROP_REPEATED, "        if False:\n"),
            Edit(SEATS, _GAP, "        if not self._number <= first.number <= self._number + 1:\n"),
        ),
    ),
    _mutation("a grant that leaves one out is lived", SEATS, _GAP, "        if first.number <= self._number:\n"),
    _mutation("a late grant is lived again", SEATS, _GAP, "        if first.number > self._number + 1:\n"),
    _mutation("an older clock is obeyed", SEATS, "if first.epoch < self._epoch:", "if False:"),
    _mutation("a seat forgets who has spoken", SEATS, "        self._epoch = first.epoch\n", ""),
    _mutation(
        "a repeated answer names the first question",
        SEATS,
        "return Answer(advance.request, self._answer.outboxes, self._answer.checkpoint)",
        "return Answer(advance.request - 1, self._answer.outboxes, self._answer.checkpoint)",
    ),
    # Seats: checkpoints and replay.
    _mutation("a checkpoint counts one grant too many", SEATS, "document, self._number,", "document, self._number + 1,"),
    _mutation("a checkpoint counts one grant too few", SEATS, "document, self._number,", "document, self._number - 1,"),
    _mutation("the number is not restored", SEATS, "            self._number = checkpoint.number\n", ""),
    _mutation(
        "the local tick is not restored",
        SEATS,
        "        self._local_tick, self._sequence = checkpoint.local_tick, checkpoint.sequence\n",
        "        self._sequence = checkpoint.sequence\n",
    ),
    _mutation(
        "the sequence is not restored",
        SEATS,
        "        self._local_tick, self._sequence = checkpoint.local_tick, checkpoint.sequence\n",
        "        self._local_tick = checkpoint.local_tick\n",
    ),
    _mutation("a restored member is not compared", SEATS, "elif checkpoint.digest and checkpoint.digest != self._digest:", "elif False:"),
    _mutation(
        "what a replay says is said again",
        SEATS,
        "        return answered_as(self.answer(Advance(0, advance.grants)))\n",
        "        answer = self.answer(Advance(0, advance.grants))\n"
        "        said, self._answer = answer.outboxes[-1].events, None\n"
        "        live = self._live\n"
        "        def echo(grant):\n"
        "            new, sequence = live(grant)\n"
        "            self._live = live\n"
        "            return msgspec.structs.replace(new, events=(*said, *new.events)), sequence\n"
        "        self._live = echo\n"
        "        return answered_as(answer)\n",
    ),
    _mutation("a seat keeps no grants for undoing", SEATS, "        self._since.append(grant)\n", ""),
    _mutation("a checkpoint leaves the grants before it", SEATS, "        self._since.clear()\n", ""),
    _mutation("a member that failed goes on as it is", SEATS, "        if not self._failed:\n            return\n", "        return\n"),
    # Keeping.
    _mutation("nothing is replayed", KEEPING, "self.checkpoint, tuple(self.since))", "self.checkpoint, ())"),
    _mutation("the last inbox is lost", KEEPING, "tuple(self.since))", "tuple(self.since[:-1]))"),
    _mutation("grants before a checkpoint are kept", KEEPING, "            self.since, self._digests = [], []\n", ""),
    _mutation("a checkpoint is not kept, its grants are dropped", KEEPING, "            self.checkpoint = answer.checkpoint\n", ""),
    _mutation("a replay is not compared", KEEPING, "return embodied.digests != tuple(self._digests)", "return False"),
    _mutation(
        "a failed grant is not kept",
        KEEPING,
        "        self.since.append(self.parcel)\n",
        "        if answer.outboxes[-1].failure is not None:\n            return\n        self.since.append(self.parcel)\n",
    ),
    _mutation("deaths are counted for ever", KEEPING, "        self.parcel = None\n        self.deaths = 0\n", "        self.parcel = None\n"),
    _mutation(
        "a member is brought back as if it were new", KEEPING, "self.spec, again,", "self.spec, False,"
    ),
    # The fleet.
    _mutation("an old answer is taken", FLEETS, "kept.request != answer.request or ", ""),
    _mutation("an old refusal is taken", FLEETS, "kept.parcel is not None and message.request == kept.request", "kept.parcel is not None"),
    _mutation("a settled question is settled again", FLEETS, "kept.parcel is not None and message.request == kept.request", "message.request == kept.request"),
    _mutation(
        "a host that was given up is heard",
        FLEETS,
        "            self._carried.pop(kept.host_id, None)\n",
        "",
    ),
    _mutation("a member stands whenever a host says so", FLEETS, "            if message.request == kept.embodying:\n                self._stand", "            if True:\n                self._stand"),
    _mutation("what could not be read is a refusal", FLEETS, " and message.request != UNREAD:", ":"),
    _mutation(
        "asking again is a new question",
        FLEETS,
        "            self._lane.send(kept.host_id, kept.parcel)\n\n    def _stand",
        "            advance = unpack(kept.parcel)\n"
        "            grants = getattr(advance, 'grants', ())\n"
        "            if kept.sent_at > kept.asked_at and grants:\n"
        "                new = msgspec.structs.replace(grants[0], number=grants[0].number + 1)\n"
        "                kept.parcel = self._lane.pack(Advance(kept.request, (new,)))\n"
        "            self._lane.send(kept.host_id, kept.parcel)\n\n    def _stand",
    ),
    _mutation("nothing is asked again", FLEETS, "if now - kept.sent_at > kept.resend_after_s:", "if False:"),
    _mutation("nobody loses patience", FLEETS, "                self._lose_patience()\n", "                pass\n"),
    _mutation("the second host has no time", FLEETS, "        kept.asked_at = kept.sent_at = self._lane.now_s()  #", "        kept.sent_at = self._lane.now_s()  #"),
    _mutation("a member may die three times", FLEETS, "DEATHS_MAX = 1\n", "DEATHS_MAX = 2\n"),
    _mutation("a member may die once", FLEETS, "DEATHS_MAX = 1\n", "DEATHS_MAX = 0\n"),
    _mutation("deaths while nobody waits count", FLEETS, "        if kept.parcel is not None:\n            kept.deaths += 1\n", "        kept.deaths += 1\n"),
    _mutation("a dead spare is used", FLEETS, "                self._spares.remove(host_id)\n", ""),
    _mutation("the host of a removed member is kept", FLEETS, "        if kept is not None:\n            self._release(kept)\n        if (host_id", "        if (host_id"),
    _mutation("a host is not ended when it is given up", FLEETS, "            self._lane.kill(kept.host_id)\n", ""),
    _mutation("a restart takes a second host", FLEETS, "elif not kept.embodying:  # else it is being brought back as it is", "else:"),
    _mutation("a birth goes on when the member stands", FLEETS, "kept.newborn, kept.standing = False, True", "kept.standing = True"),
    # The host.
    _mutation("a late copy of the word to make a member undoes its life", HOSTS, "if self._made_by == embodiment.request:", "if False:"),
    # The clock's tables.
    _mutation("a restart goes on counting", SEQUENCING, "        seated.number = status.number  #", "        #"),
    _mutation("a loss is not journaled", TICKING, "            self._note(None, Decision(member_id, self._occasion, outbox.reason))\n", ""),
    _mutation("the mail of a lost member is lost", TICKING, "        for event in grant.inbox:\n            self.posts[", "        for event in ():\n            self.posts["),
    _mutation("what a fork takes along is made of nothing", FORKING, "        self.totals.ledger.update(post.carried())\n", ""),
    _mutation("a dropped fork is still owed for", FORKING, "        self.totals.ledger.subtract(seated.totals)\n", ""),
    _mutation("a fork that was refused leaves its copies", FORKING, "                yield Dispose(member_id)\n            raise", "                pass\n            raise"),
    Mutation(
        "what is said is ordered by arrival",
        (
            Edit(
                TICKING,
                "        for member_id, grant in grants.items():  # by id in order\n",
                "        for member_id, grant in ((one, grants[one]) for one in outboxes):\n",
            ),
            Edit(TICKING, "        for event in order(events):\n", "        for event in events:\n"),
            Edit(f"{KERNEL}/postings.py", "order(self._calendar.pop(control_tick, ()))", "self._calendar.pop(control_tick, ())"),
            Edit(f"{KERNEL}/postings.py", "return tuple(order(waiting)) if len(waiting) > 1 else (waiting[0],)", "return tuple(waiting)"),
        ),
    ),
    # Windows, and what is begun before their books are kept.
    _of_clocks("a window goes on as planned after a failure", WINDOWS, "has_failed = has_failed or bool(record.failures)", "has_failed = False"),
    _of_clocks("the next window is planned without what was said in the last", WINDOWS, "                post.add(map(post.due, outbox.events))\n", ""),
    _of_clocks("the next window is begun although somebody has failed", WINDOWS, "                if outbox.failure is not None:\n                    return False\n", ""),
    _of_clocks("looking ahead changes the post", f"{KERNEL}/postings.py", "list(calendar.get(event.deliver_at, ()))", "calendar.get(event.deliver_at) or []"),
    # Clocks that take over.
    Mutation("answers leave before they are written", (Edit(ROUNDS, _SEALED, "        lost = None\n"), Edit(ROUNDS, _TOLD, _SEALED + _TOLD)), clocks=True),
    _of_clocks("answers leave and nothing is written", ROUNDS, _SEALED, "        lost = None\n"),
    _of_clocks("a keyframe is taken before what it holds is written", CLOCKS, _TICK_SEALED + _KEYFRAME, _KEYFRAME + _TICK_SEALED),
    _of_clocks("a decision is forgotten by the successor", REPLAYS, "            if entry.decision is not None\n        }", "            if False\n        }"),
    _of_clocks("the journal is lived from one entry too late", REPLAYS, "entries_since(self._sequencer.position)", "entries_since(self._sequencer.position)[1:]"),
    _of_clocks("a successor does not live to what was seen", REPLAYS, ".run(entries, chronicle.marked())", ".run(entries, 0)"),
    _of_clocks("what may be seen is not written down", MARKS, "        if self.reached <= now:\n            self.mark(limit)\n", "        if self.reached <= now:\n            self.reached = limit\n"),
    _of_clocks("a member may die once while history is lived again", REPLAYS, "DEATHS_LIVING_AGAIN_MAX = 10\n", "DEATHS_LIVING_AGAIN_MAX = 0\n"),
    _of_clocks("a repeated command is done again", SEQUENCING, "        if (known := self.replies.get(command_id)) is not None:\n            return known\n", ""),
    _of_clocks("the journal does not say who asked", COMMANDING, "self._note(command, None, self._command_id)", 'self._note(command, None, "")'),
    _of_clocks("a keyframe leaves out the replies", TABLES, "    sequencer.replies = tables.replies\n", ""),
    _of_clocks("a keyframe leaves out the ledger", TABLES, "    totals.ledger = Counter({quantity: int(amount) for quantity, amount in tables.ledger.items()})\n", ""),
    _of_clocks("a keyframe leaves out who has gone", TABLES, "    sequencer.removals = Counter(tables.removals)\n", ""),
    _of_clocks("a keyframe leaves out who stands still", TABLES, "    seated.stills = table.stills\n", ""),
    _of_clocks("a keyframe leaves out who may speak to whom", TABLES, "    sequencer.links = set(tables.links)\n", ""),
    _of_clocks("a keyframe leaves out roles", TABLES, "    if tables.permissions:\n", "    if False:\n"),
    _of_clocks("an old clock writes", JOURNALS, _FENCED + "            heads", "            heads"),
    _of_clocks("an old clock answers what writes nothing", CHRONICLES, "            self.check()\n            return\n", "            return\n"),
    _of_clocks("a vault that is away is the end", ROUNDS, "                    if self._closed or time.monotonic() - self._writing_since > VAULT_PATIENCE_S:\n", "                    if True:\n"),
    _of_clocks("what was sealed is sealed again", CHRONICLES, "        self._written = fresh[-1].position if fresh else self._written\n        self._writer.balances, self._audits = [], []\n        journal.clear()\n", ""),
)  # fmt: skip
"""Every one is a mistake that somebody could make; none of them only slows the clock down. (An old clock's keyframe is of a
boundary that its successor has lived to as well, and a damaged one is passed over: `tests/vaults` has those.)"""


@contextmanager
def mutated(mutation: Mutation) -> Iterator[Path]:
    """A copy of the code with a mutation in it.

    Raises:
        ValueError: the code has changed so that the mutation fits nowhere, or in more than one place.
    """
    texts = edited(mutation)
    with tempfile.TemporaryDirectory(prefix="soulfra-mutation-") as folder:
        for part in ("actors", "tests/simulation", "tests/realms"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
        for file, text in texts.items():
            Path(folder, file).write_text(text, encoding="utf-8")
        yield Path(folder)


def edited(mutation: Mutation) -> dict[str, str]:
    """The files that a mutation changes, changed.

    Raises:
        ValueError: see `mutated`.
    """
    texts: dict[str, str] = {}
    for file, old, new in mutation.edits:
        text = texts.get(file) or (ROOT / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"mutation {mutation.name!r}: {old!r} stands {text.count(old)} times in {file}, not once")
        texts[file] = _imported(text.replace(old, new), new)
    return texts


def _imported(text: str, new: str) -> str:
    """With what the mutation needs besides."""
    if "unpack(" in new:
        text = text.replace("import UNREAD, Advance,", "import UNREAD, unpack, Advance,")
        text = text.replace("from typing import Any\n", "from typing import Any\n\nimport msgspec\n", 1)
    return text


def hunt(mutation: Mutation, seeds: int | None = None) -> Outcome:
    """Runs seeds in a mutated copy until one of them notices; the default ones, if nobody says how many."""
    if seeds is None:
        seeds = DEFAULT_CLOCK_SEEDS if mutation.clocks else DEFAULT_SEEDS
    begun = time.monotonic()
    with mutated(mutation) as folder:
        command = [sys.executable, "-W", "error", "-m", "tests.simulation", "soak", "--seeds", str(seeds), "--stop"]
        command += ["--clocks"] if mutation.clocks else []
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""},
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(None, f"no seed has come to an end within {TIMEOUT_S:.0f} s", time.monotonic() - begun)
    elapsed_s = time.monotonic() - begun
    if done.returncode == 0:
        return Outcome(None, "", elapsed_s)
    found = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
    if not found:
        raise RuntimeError(f"mutation {mutation.name!r} does not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    seed, _, words = found[0].removeprefix("seed ").partition(",")
    return Outcome(int(seed), words.strip(), elapsed_s)


def report(seeds: int) -> int:
    """Hunts all of them and prints a table; the exit code, 1 if more than one in twenty escapes."""
    escaped = 0
    for mutation in MUTATIONS:
        outcome = hunt(mutation, seeds)
        escaped += outcome.seed is None
        where = "NOT CAUGHT" if outcome.seed is None else f"seed {outcome.seed}"
        print(f"{mutation.name:<58} {where:>10} {outcome.elapsed_s:6.1f} s  {outcome.words[:90]}", flush=True)
    print(f"{len(MUTATIONS) - escaped} of {len(MUTATIONS)} mutations were caught within {seeds} seeds")
    return int(escaped * ESCAPES_ONE_IN > len(MUTATIONS))
