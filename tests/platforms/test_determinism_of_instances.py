"""An instance is a function of its seed and of what is done to it; it is all in what its members say of themselves."""

from instances import Society, instance

TICKS = 600


def busy(society: Society, reborn_every: int = 0) -> list[bytes]:
    """A life with everything in it."""
    for k in range(TICKS // 10):
        if k == 8:
            society.ask("runtime", "whisper", sender="ann", text="dream of a song")
        if k == 12:
            society.ask("runtime", "possess", agent_id="arty", lease_ticks=120, lease_id="l1", principal="ann")
        if k == 14:
            society.ask("runtime", "act", lease_id="l1", agent_id="arty", action="propose", ritual="birth")
            society.ask("surface", "alter_weather", phase="chaos-bloom", intensity=0.9)
        if k == 20:
            society.ask("runtime", "spawn_agent", template="sovereign", parent="arty")
        society.tick()
        if reborn_every and k % reborn_every == reborn_every - 1:
            society.reborn()
    return society.digests


def test_the_same_seed_lives_the_same_life():
    assert busy(Society(3)) == busy(Society(3))


def test_another_seed_lives_another_one():
    assert busy(Society(3)) != busy(Society(4))


def test_members_made_again_from_their_state_live_on_as_if_nothing_had_been():
    assert busy(Society(3), reborn_every=1) == busy(Society(3))


def test_the_local_engine_gives_the_same_digests_twice():
    chains = []
    for _ in range(2):
        with instance(11) as mv:
            mv.run(control_ticks=40)
            chains.append(mv.digest_chain())
    assert chains[0] == chains[1]


def test_a_changed_trait_of_one_agent_leaves_everybody_s_draws_as_they_were():
    """Nobody else has changed after the control tick in which only Agent Zero could have done something else."""
    one, other = Society(3, start=False), Society(3, start=False)
    for society in (one, other):
        society.ask("runtime", "initialize")
    other.modify("runtime", {"agents.agent_zero.personality.creativity": 1.0})
    for society in (one, other):
        society.ask("runtime", "start_autonomous")
        society.run(10)
    assert one.agent("cal_riven") == other.agent("cal_riven")
    assert one.agent("agent_zero")["personality"] != other.agent("agent_zero")["personality"]
