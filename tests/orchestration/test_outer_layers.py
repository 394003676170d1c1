"""Outer layers: out into a file and back to the same digest, here and elsewhere; what is not what it says stays outside."""

import msgspec
import pytest

from actors.core.kernel import forking
from actors.core.kernel.codec import decode, encode
from actors.core.kernel.commands import ImportInstances
from actors.core.kernel.domains import decoded_cut, encoded_cut
from actors.core.kernel.errors import (
    AddressError,
    CallerError,
    CommandRefusedError,
    PackageError,
    PermissionRefusedError,
)
from actors.core.kernel.instances import PLATFORM_ROLES
from actors.core.kernel.states import Records, decode_state, encode_state
from actors.packages.files import inspect_package, read_package, write_package
from actors.vaults.openings import open_vault
from orchestration import Multiverse
from orchestration.outer_layer_interfaces import OuterLayerInterface
from orchestration.outer_layers import wrapped

LEVELS = 20


def multiverse(tmp_path, name, seed=1, **more):
    return Multiverse(seed, engine="local", name=name, vault=tmp_path / f"{name}.sqlite", **more)


@pytest.fixture
def mv(tmp_path):
    with multiverse(tmp_path, "m") as found:
        found.create_instance("alpha")
        found.run(12)
        yield found


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    """A package of an instance at control tick 12."""
    with multiverse(tmp_path_factory.mktemp("twelve"), "m") as found:
        found.create_instance("alpha")
        found.run(12)
        return found.export_to_outer_layer("alpha")


@pytest.fixture
def elsewhere(tmp_path):
    with multiverse(tmp_path, "elsewhere", seed=99) as found:
        found.run(5)
        yield found


def test_elsewhere_it_is_the_same_and_lives_the_same_life(mv, elsewhere, tmp_path):
    write_package(tmp_path / "alpha.pkg", mv.export_to_outer_layer("alpha", reason="to look at"))
    (there,) = elsewhere.import_from_outer_layer(read_package(tmp_path / "alpha.pkg"))
    assert there.name == "alpha"
    for _ in range(4):
        assert elsewhere.instance_digest("alpha") == mv.instance_digest("alpha")
        mv.run(3)
        elsewhere.run(3)
    chain = elsewhere.digest_chain()
    with elsewhere.at(17) as past:
        assert past.digest_chain() == chain
    assert all(here == owed for here, owed in elsewhere.audit()["conservation"].values())


def test_an_export_changes_nothing_and_tells_what_is_in_it(mv, tmp_path):
    before = mv.digest()
    package = mv.export_to_outer_layer("alpha", reason="to look at")
    assert mv.digest() == before
    assert package.game_state.agents == decode(encode(mv.query("runtime~1", "agents")))
    assert package.game_state.vibes["now"]["phase"] == mv.query("surface~1", "weather")["phase"]
    assert set(package.platform_configs) == set(PLATFORM_ROLES)
    assert "REALITY_FORK" in package.control_interface.god_mode_commands
    assert set(package.control_interface.manipulation_methods) == {
        *("MODIFY_AGENT_PERSONALITY", "INJECT_RITUAL_EVENT", "ALTER_VIBE_WEATHER", "REWRITE_HISTORY")
    }
    assert package.metadata.digest == mv.instance_digest("alpha")
    write_package(tmp_path / "a.pkg", package)
    assert read_package(tmp_path / "a.pkg") == package
    assert inspect_package(tmp_path / "a.pkg").content_bytes > 0


def test_what_was_can_be_taken_out_too(mv):
    then = mv.export_to_outer_layer("alpha")
    mv.snapshot("then")
    mv.run(4)
    for where in ({"control_tick": 12}, {"snapshot": "then"}):
        assert mv.export_to_outer_layer("alpha", **where).metadata.digest == then.metadata.digest
    with pytest.raises(CommandRefusedError, match="reaches from control tick 0"):
        mv.export_to_outer_layer("alpha", control_tick=99)


def test_with_an_attached_realm_and_standing_still(mv, elsewhere):
    mv.register_game("sol", "actors.core.realms.city:City", params={"npcs": 20})
    mv.run(2)
    mv.attach_game("sol", "alpha")
    mv.run(2)
    mv.freeze(["runtime~1"], local_ticks=40)
    mv.run(1)
    (there,) = elsewhere.import_from_outer_layer(mv.export_to_outer_layer("alpha"))
    for _ in range(6):
        mv.run(1)
        elsewhere.run(1)
        assert elsewhere.instance_digest(there) == mv.instance_digest("alpha")
    assert there.attached == {"sol": f"sol~{there.fork}"}


def test_layers_within_layers(mv, elsewhere, tmp_path):
    mv.fork_instance("alpha", names=["beta"])
    package = mv.export_multiverse(reason="all of it")
    for level in range(LEVELS):
        package = wrapped([package], f"layer {level}")
        write_package(tmp_path / "layers.pkg", package, replace=True)
        package = read_package(tmp_path / "layers.pkg")
    assert package.metadata.recursion_level == LEVELS + 1
    assert package.metadata.return_path[:2] == [f"layer {LEVELS - 2}", f"layer {LEVELS - 3}"]
    made = elsewhere.import_from_outer_layer(package)
    assert [one.name for one in made] == ["alpha", "beta"]
    assert {elsewhere.instance_digest(one) for one in made} == {mv.instance_digest("alpha")}


def test_a_name_that_is_taken_is_another_one(mv):
    package = mv.export_to_outer_layer("alpha")
    assert [one.name for one in mv.import_from_outer_layer(package)] == ["alpha-2"]
    assert [one.name for one in mv.import_from_outer_layer(package, name="gamma")] == ["gamma"]
    with pytest.raises(PackageError, match="holds 3 instances"):
        mv.import_from_outer_layer(mv.export_multiverse(), name="one")
    assert len(mv.instances()) == 3


HOSTILE = ["../../etc/passwd", "../x", "a/b", "~x", "i7", ".."]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_no_package_takes_is_given_to_nobody(mv, name):
    package = mv.export_to_outer_layer("alpha")
    mv.fork_instance("alpha", names=["gamma"])
    before = mv.digest()
    merge = {"type": "MERGE_INSTANCES", "ids": ["alpha", "gamma"], "strategy": "ours", "name": name}
    for give in (
        lambda: mv.create_instance(name),
        lambda: mv.fork_instance("alpha", names=[name]),
        lambda: mv.god_mode_command({"type": "CLONE_INSTANCE", "source": "alpha", "name": name}),
        lambda: mv.god_mode_command({"type": "REALITY_FORK", "source": "alpha", "names": [name]}),
        lambda: mv.god_mode_command(merge),
        lambda: mv.import_from_outer_layer(package, name=name),
    ):
        with pytest.raises(AddressError, match="cannot be used: it must have at most 64 characters"):
            give()
    assert mv.digest() == before
    assert [one.name for one in mv.instances()] == ["alpha", "gamma"]


def test_a_package_that_is_called_otherwise_gets_a_name_that_may_be(mv):
    package = mv.export_to_outer_layer("alpha")
    for name, became in (
        ("~x", "x"),
        ("../x", ".._x"),
        ("my world", "my_world"),
        ("~", "instance"),
        ("w" * 64, "w" * 64),
    ):
        (made,) = mv.import_from_outer_layer(msgspec.structs.replace(package, name=name))
        assert made.name == became
    assert mv.import_from_outer_layer(msgspec.structs.replace(package, name="w" * 64))[0].name == "w" * 56 + "-2"


def test_an_instance_of_an_earlier_build_with_such_a_name_lives_and_goes_out_under_another(tmp_path, monkeypatch):
    with monkeypatch.context() as before, multiverse(tmp_path, "m") as mv:
        before.setattr(forking, "checked_instance_name", lambda name: name)
        for name in ("../../etc/passwd", "~x"):
            mv.create_instance(name)
        mv.run(2)
    with multiverse(tmp_path, "m") as mv:
        mv.run(2)
        assert [one.name for one in mv.instances()] == ["../../etc/passwd", "~x"]
        package = mv.export_to_outer_layer("../../etc/passwd")
        assert (package.name, package.metadata.more["instance_id"]) == (".._.._etc_passwd", "i1")
        write_package(tmp_path / "one.pkg", package)
        write_package(tmp_path / "all.pkg", mv.export_multiverse())
        assert [one.name for one in read_package(tmp_path / "all.pkg").inner] == [".._.._etc_passwd", "x"]
        (made,) = mv.import_from_outer_layer(read_package(tmp_path / "one.pkg"))
        assert made.name == ".._.._etc_passwd" and mv.instance_digest(made) == mv.instance_digest("i1")
        assert [mv.fork_instance(one)[0].name for one in ("i1", "i2")] == [".._.._etc_passwd~4", "x~5"]


def told(tmp_path, name="m"):
    with open_vault(tmp_path / f"{name}.sqlite") as vault:
        assert vault.audit_faults(name) == []
        return [(one.principal, one.verb, one.subject, one.outcome) for one in vault.audits(name)]


def test_what_is_taken_out_looked_at_or_sent_back_is_told_of_once_under_its_own_name(tmp_path):
    with multiverse(tmp_path, "m", principal="ada") as mv:
        mv.create_instance("alpha")
        mv.create_instance("beta")
        mv.run(3)
        mv.grant_role("ada", "god"), mv.grant_role("bob", "observer", "i1")
        before, journaled = mv.digest(), len(mv.journal())
        package = mv.export_to_outer_layer("alpha")
        mv.export_to_outer_layer("alpha", control_tick=2)
        mv.export_multiverse()
        mv.merge_all_active_platforms("alpha")
        dry = {"type": "MERGE_INSTANCES", "ids": ["alpha", "beta"], "strategy": "ours", "dry_run": True}
        mv.god_mode_command(dry)
        with pytest.raises(CommandRefusedError):
            mv.export_to_outer_layer("alpha", control_tick=99)
        assert (mv.digest(), len(mv.journal())) == (before, journaled), "history knows nothing of it"
        mv.send_back_down("alpha", package, package)
        mv.run(1)
        with pytest.raises(PackageError, match="moved on"):
            mv.send_back_down("alpha", package, package)
    with multiverse(tmp_path, "m", principal="bob") as mv:
        for refused in (
            lambda: mv.export_to_outer_layer("alpha"),
            mv.export_multiverse,
            lambda: mv.merge_all_active_platforms("alpha"),
            lambda: mv.god_mode_command(dry),
            lambda: mv.send_back_down("alpha", package, package, force=True),
        ):
            with pytest.raises(PermissionRefusedError):
                refused()
    assert told(tmp_path)[4:] == [
        ("ada", "export_to_outer_layer", "i1", "done"),
        ("ada", "export_to_outer_layer", "i1", "done"),
        ("ada", "export_to_outer_layer", "i1 i2", "done"),
        ("ada", "merge_all_active_platforms", "i1", "done"),
        ("ada", "MERGE_INSTANCES", "i1 i2", "dry_run"),
        ("ada", "export_to_outer_layer", "i1", "command_refused"),
        ("ada", "send_back_down", "1", "done"),
        ("ada", "send_back_down", "1", "package"),
        ("bob", "export_to_outer_layer", "i1", "permission_refused"),
        ("bob", "export_to_outer_layer", "i1 i2", "permission_refused"),
        ("bob", "merge_all_active_platforms", "i1", "permission_refused"),
        ("bob", "MERGE_INSTANCES", "i1", "permission_refused"),
        ("bob", "send_back_down", "1", "permission_refused"),
    ]


# -------------------------------------------------------------------------------------------------- whom nobody trusts


def forged(package, change, *, digest=""):
    """A package whose cut somebody has changed."""
    cut = change(decoded_cut(package.cut))
    metadata = msgspec.structs.replace(package.metadata, digest=digest)
    return msgspec.structs.replace(package, cut=encoded_cut(cut), metadata=metadata)


def with_origin(cut, **changes):
    first, *others = cut.origins
    return msgspec.structs.replace(cut, origins=[msgspec.structs.replace(first, **changes), *others])


def with_spec(cut, **changes):
    return with_origin(cut, spec=msgspec.structs.replace(cut.origins[0].spec, **changes))


def with_state(cut, role, change):
    found = []
    for origin in cut.origins:
        if origin.role == role:
            document = encode_state(change(decode_state(origin.checkpoint.document)))
            checkpoint = msgspec.structs.replace(origin.checkpoint, document=document, digest=b"")
            origin = msgspec.structs.replace(origin, checkpoint=checkpoint)
        found.append(origin)
    return msgspec.structs.replace(cut, origins=found)


def eldest(state):
    agents = {name: dict(one) for name, one in state["agents"].objects.items()}
    agents["arty"]["generation"] = 9
    return {**state, "agents": Records(agents)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cut: with_spec(cut, factory="os:system"), "makes its mirror by 'os:system'"),
        (lambda cut: with_spec(cut, placement=encode({"runtime_env": {"pip": ["x"]}})), "where its mirror shall live"),
        (lambda cut: with_origin(cut, role="runtime"), "a role is there twice"),
        (lambda cut: msgspec.structs.replace(cut, origins=cut.origins[:3]), "holds no instance"),
        (lambda cut: msgspec.structs.replace(cut, instance=None), "holds no instance"),
        (
            lambda cut: with_origin(cut, birth=msgspec.structs.replace(cut.origins[0].birth, member_id="x")),
            "two things at once",
        ),
        (lambda cut: with_state(cut, "runtime", eldest), "generation"),
        (lambda cut: with_state(cut, "surface", lambda state: {}), "surface"),
        (lambda cut: with_state(cut, "surface", lambda state: {**state, "x": Records({})}), "surface"),
    ],
)  # fmt: skip
def test_what_is_made_otherwise_is_refused_and_nothing_is_made(mv, elsewhere, change, words):
    package = forged(mv.export_to_outer_layer("alpha"), change)
    before = elsewhere.digest()
    with pytest.raises(Exception, match=words) as refused:
        elsewhere.import_from_outer_layer(package)
    assert "Error" in type(refused.value).__name__
    assert (elsewhere.instances(), elsewhere.digest()) == ([], before)
    assert len(elsewhere.members()) == 1


def test_what_is_not_what_it_says_is_refused(mv, elsewhere):
    package = mv.export_to_outer_layer("alpha")
    other = forged(package, lambda cut: msgspec.structs.replace(cut, mailboxes={"runtime": []}), digest="0" * 64)
    with pytest.raises(PackageError, match="is not what it says"):
        elsewhere.import_from_outer_layer(other)
    shelf = wrapped([package], "shelf")
    with pytest.raises(PackageError, match="does not hold what its digest says"):
        elsewhere.import_from_outer_layer(msgspec.structs.replace(shelf, inner=[package, package]))
    for cut in (b"", b"\xff" * 40, encode({"a": 1}), package.cut[:-1]):
        with pytest.raises(PackageError, match="cannot be read"):
            elsewhere.import_from_outer_layer(msgspec.structs.replace(package, cut=cut))
    assert elsewhere.instances() == []


def test_every_flipped_byte_of_the_cut_is_found(mv, elsewhere):
    package = mv.export_to_outer_layer("alpha")
    step = max(1, len(package.cut) // 300)
    unseen = []
    for at in range(0, len(package.cut), step):
        flipped = bytearray(package.cut)
        flipped[at] ^= 0x10
        try:
            made = elsewhere.import_from_outer_layer(msgspec.structs.replace(package, cut=bytes(flipped)))
        except CallerError:
            continue
        unseen.append((at, elsewhere.instance_digest(made[0]) == mv.instance_digest("alpha")))
        elsewhere.destroy_instance(made[0])
    assert all(same for _, same in unseen), "what the digest does not cover is no part of what lives"


# -------------------------------------------------------------------------------------------------------- an outer layer


def test_an_outer_layer_changes_what_it_holds_and_sends_it_back(mv):
    layer = OuterLayerInterface()
    name = layer.receive(mv.export_to_outer_layer("alpha"))
    traits = {"agent": "arty", "traits": {"creativity": 0.125}}
    layer.manipulate(name, "MODIFY_AGENT_PERSONALITY", traits)
    weather = {"phase": "drift-wave", "frequency": 741}
    present = dict(layer[name].game_state.vibes["now"])
    frequencies = {one["phase"]: one for one in [present]}
    assert frequencies
    with pytest.raises(CommandRefusedError):
        layer.manipulate(name, "ALTER_VIBE_WEATHER", {"weather": {**weather, "intensity": 7.0}})
    assert layer[name].game_state.agents["arty"]["personality"]["creativity"] == 0.125
    answer = layer.send_back_down(name, mv, "alpha")
    assert answer["dropped"] == []
    assert mv.query("runtime~1", "agents")["arty"]["personality"]["creativity"] == 0.125
    mv.run(3)
    chain = mv.digest_chain()
    with mv.at(15) as past:
        assert past.digest_chain() == chain


def test_what_moved_on_meanwhile_is_left_alone_unless_forced(mv):
    layer = OuterLayerInterface()
    layer.receive(mv.export_to_outer_layer("alpha"))
    layer.run(["alpha"], 30)
    mv.run(2)
    before = mv.digest()
    with pytest.raises(
        PackageError, match="after control tick 12: it is at control tick 14 now, mirror at local tick 140"
    ):
        layer.send_back_down("alpha", mv, "alpha")
    assert mv.digest() == before
    layer.send_back_down("alpha", mv, "alpha", force=True)
    assert {game["local_tick"] for game in mv.status().state["games"]} == {420}
    layer.run(["alpha"], 1)
    layer.send_back_down("alpha", mv, "alpha")  # nothing has happened to it since
    assert {game["local_tick"] for game in mv.status().state["games"]} == {430}
    mv.command("runtime~1", "stop_autonomous", {})
    with pytest.raises(PackageError, match="sent back last, after control tick 14: commands have changed it since, at"):
        layer.send_back_down("alpha", mv, "alpha")
    mv.run(1)
    with pytest.raises(PackageError, match="after control tick 14: it is at control tick 15 now"):
        layer.send_back_down("alpha", mv, "alpha")


RITUAL = {
    "kind": "calling", "agent": "arty", "proposer": "god", "outcome": "completed", "flaws": 0, "began_at": 1, "ended_at": 9,
    "reason": "",
}  # fmt: skip


def injected(ritual="coronation", **changes):
    return ("INJECT_RITUAL_EVENT", {"ritual": ritual, "record": {**RITUAL, **changes}})


def weather(**changes):
    return ("ALTER_VIBE_WEATHER", {"weather": changes})


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (weather(phase="zzz", frequency=1), "surface cannot be made from that state"),
        (weather(phase="calm-bloom", frequency=999), "calm-bloom has the frequency 432, not 999"),
        (weather(trajectory="sideways"), "surface cannot be made"),
        (weather(since=-1), "surface cannot be made"),
        (weather(pressures={}), "surface cannot be made"),
        (injected(kind="orgy"), "runtime cannot be made from that state: .*coronation does not fit"),
        (injected(outcome="won"), "runtime cannot be made"),
        (injected(flaws=2**62), "runtime cannot be made"),
        (injected(reason="x" * 501), "runtime cannot be made"),
        (injected(began_at=-5), "cannot have begun at local tick -5 and ended at 9: that must be within 0 to 120"),
        (injected(began_at=10), "cannot have begun at local tick 10 and ended at 9"),
        (injected(ended_at=121), "cannot have begun at local tick 1 and ended at 121"),
        (injected(agent="nobody"), "is for 'nobody', who is not there"),
        (injected("r" * 100_000), "can be no ritual's id"),
        (injected("ritual_000099"), "id of those that Runtime itself gives"),
        (("REWRITE_HISTORY", {"history": {f"r{n}": RITUAL for n in range(65)}}), "has 65 objects"),
    ],
)  # fmt: skip
def test_what_no_member_would_take_is_refused_at_once(twelve, asked, words):
    layer = OuterLayerInterface()
    layer.receive(twelve)
    with pytest.raises(CommandRefusedError, match=words):
        layer.manipulate("alpha", *asked)
    assert layer["alpha"] == twelve
    layer.manipulate("alpha", *injected())
    assert layer["alpha"].game_state.rituals["coronation"]["agent"] == "arty"


def unmade(state, change):
    """A Runtime's state that somebody has changed by hand."""
    return {name: Records(change(name, dict(section.objects))) for name, section in state.items()}


def moved_to(section, wanted, order):
    def change(name, objects):
        if name == section:
            objects[wanted] = {**RITUAL, "order": order}
        if name == "vitals":
            objects["now"] = {**objects["now"], "rituals_ended": objects["now"]["rituals_ended"] + 1}
        return objects

    return lambda cut: with_state(cut, "runtime", lambda state: unmade(state, change))


@pytest.mark.parametrize(
    ("later", "word", "says"),
    [(0, "ritual_000099", "a ritual still to come will be given that id"), (3, "coronation", "without a gap")],
)  # fmt: skip
def test_a_history_that_the_future_would_overwrite_is_refused_at_the_bottom(mv, elsewhere, later, word, says):
    original = mv.export_to_outer_layer("alpha")
    ended = mv.query("runtime~1", "vitals")["rituals_ended"]
    package = forged(original, moved_to("history", word, ended + later))
    before = mv.digest()
    with pytest.raises(CallerError, match=says):
        mv.send_back_down("alpha", package, original)
    with pytest.raises(CallerError, match=says):
        elsewhere.import_from_outer_layer(package)
    assert mv.digest() == before and elsewhere.instances() == []


@pytest.mark.parametrize("name", [5, ["a"], "i1", "a b", "@x", "x" * 500, None])
def test_what_can_be_no_name_is_refused_where_it_is_given(twelve, name):
    layer = OuterLayerInterface()
    layer.receive(twelve)
    with pytest.raises(CommandRefusedError, match="no instance could live as"):
        layer.receive(twelve, name)
    with pytest.raises(CommandRefusedError, match="no instance could live as"):
        layer.clone("alpha", name)
    with pytest.raises(CommandRefusedError, match=r"no package .* is held here; there are alpha"):
        layer.run([name], 1)
    with pytest.raises(CommandRefusedError, match="is held here"):
        layer.manipulate(name, *injected())
    assert layer.names == ["alpha"] and layer["alpha"] == twelve


def test_what_is_no_package_and_no_list_is_refused(twelve):
    layer = OuterLayerInterface()
    with pytest.raises(CommandRefusedError, match="a package, or the path of a file with one, is received, not 5"):
        layer.receive(5)
    with pytest.raises(CommandRefusedError, match="no instance could live as 'i1'; give another name"):
        layer.receive(msgspec.structs.replace(twelve, name="i1"))
    layer.receive(twelve)
    for names, says in (("alpha", "a list of names"), (5, "a list of names"), (["alpha"] * 2, "once at a time")):
        with pytest.raises(CommandRefusedError, match=says):
            layer.run(names, 1)
    for ticks in (-1, "1", None):
        with pytest.raises(CallerError, match="whole number from 0 upwards"):
            layer.run(["alpha"], ticks)
    for name in (5, "a/b"):
        with pytest.raises(PackageError, match="a name in a package"):
            layer.outward(name)
    assert layer.names == ["alpha"] and layer["alpha"] == twelve


def test_a_denial_holds_in_an_outer_layer_too(mv):
    layer = OuterLayerInterface()
    package = forged(mv.export_to_outer_layer("alpha"), lambda cut: with_state(cut, "runtime", eldest))
    layer.receive(package)
    before = mv.digest()
    with pytest.raises(CommandRefusedError, match="generation"):
        layer.send_back_down("alpha", mv, "alpha", force=True)
    assert {one: value for one, value in mv.query("runtime~1", "agents").items() if value["generation"] > 3} == {}
    assert mv.digest() == before or mv.boundary().position > 1


def test_several_live_side_by_side_out_there(mv):
    layer = OuterLayerInterface()
    layer.receive(mv.export_to_outer_layer("alpha"))
    layer.clone("alpha", "twin")
    layer.clone("alpha", "other")
    layer.manipulate("other", "MODIFY_AGENT_PERSONALITY", {"agent": "arty", "traits": {"ambition": 1.0}})
    measures = layer.run(["alpha", "twin", "other"], 30)
    assert measures["alpha"] == measures["twin"] != measures["other"]
    mv.run(30)
    assert layer["alpha"].metadata.digest == layer["twin"].metadata.digest == mv.instance_digest("alpha")
    outward = layer.outward("further out")
    assert [one.name for one in outward.inner] == ["alpha", "twin", "other"]
    with pytest.raises(CommandRefusedError, match="no package 'nobody'"):
        layer.run(["nobody"], 1)
    with pytest.raises(CommandRefusedError, match="held here already"):
        layer.receive(mv.export_to_outer_layer("alpha"))


def test_commands_too_large_are_refused(mv):
    package = mv.export_to_outer_layer("alpha")
    fat = forged(
        package,
        lambda cut: with_state(cut, "mirror", lambda state: {**state, "x": Records({"x": "x" * (15 << 20)})}),
    )
    with pytest.raises(CommandRefusedError, match="fit into the journal"):
        mv.import_from_outer_layer(fat)
    assert decode(encode(len(mv.instances()))) == 1


def test_of_several_all_are_brought_to_life_or_none(mv, tmp_path):
    mv.fork_instance("alpha", names=["beta"])
    package = mv.export_multiverse()
    with multiverse(tmp_path, "small", instances_max=1) as small:
        with pytest.raises(CommandRefusedError, match="instances_max"):
            small.import_from_outer_layer(package)
        assert small.instances() == []


@pytest.mark.parametrize("names", [(), ("x",), ("x", "y", "z"), ("x", "x"), ("x", "alpha"), ("x", "no\0name")])
def test_several_need_a_name_each_that_nobody_has(mv, names):
    mv.fork_instance("alpha", names=["beta"])
    cuts = tuple(one.cut for one in mv.export_multiverse().inner)
    before = mv.digest()
    with pytest.raises(CallerError):
        mv._submit(ImportInstances(cuts, names))
    with pytest.raises(CommandRefusedError, match="for 0 instances"):
        mv._submit(ImportInstances((), ()))
    assert mv.digest() == before
    assert len(mv.members()) == 2 * len(PLATFORM_ROLES) + 1


def test_an_import_is_lived_again_and_leaves_those_that_live_alone_in_peace(mv, tmp_path):
    mv.fork_instance("alpha", names=["beta"])
    mv.run(1)
    mv.import_from_outer_layer(mv.export_multiverse())
    mv.run(3)
    with mv.at(mv.boundary().control_tick) as past:
        assert past.digest_chain() == mv.digest_chain()
        everything = past.state_of("runtime~1")
    with mv.at(mv.boundary().control_tick, realm="runtime~1") as alone:
        assert alone.state_of("runtime~1") == everything


@pytest.mark.parametrize("local_tick", [-7, 2**63 + 5])
def test_times_that_cannot_be_are_refused_on_the_way_down_too(mv, local_tick):
    def late(cut):
        return with_origin(cut, checkpoint=msgspec.structs.replace(cut.origins[0].checkpoint, local_tick=local_tick))

    original = mv.export_to_outer_layer("alpha")
    before = mv.digest()
    for force in (False, True):
        with pytest.raises(PackageError, match="cannot be read"):
            mv.send_back_down("alpha", forged(original, late), original, force=force)
    assert mv.digest() == before
