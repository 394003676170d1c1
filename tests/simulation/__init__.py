"""Simulation testing: the real clock logic on a lane that loses, doubles, delays and kills, all of it from one seed.

    worlds                  a small scenario from a seed: who lives, what is asked at which boundary
    faults                  the named points at which something goes wrong, and which of them a seed chooses
    watching                a real host and a real seat that say when they pass such a point
    transports              the lane: processes, messages and time, none of them real
    runs                    one world lived on a lane, calm or not
    comparisons             whether a run was the calm one, and where not
    ledgers                 a real vault whose writer may die in the middle of everything
    courses                 what is asked of clocks at which boundary, and how it is lived if nothing happens to them
    watched_clocks          a real clock that says when it passes a point, and its process
    successions             one world lived by real clocks that die one after another, and by that vault
    succession_comparisons  whether that was the calm life, and where not
    mutations               faults put into the code on purpose: the tests of this test

Every run of a world must come to the digest chain of the calm run, in which nothing goes wrong. Where the clock has
decided something by wall time (a member died twice in one grant), the calm run is told the same decision.
"""
