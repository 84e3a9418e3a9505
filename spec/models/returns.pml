/*
 * Waiting for a slot to come back. A publisher's thread has WAITERS who want a free slot, and a sender that waits for room in the ring (as in
 * wake.pml, here with a ring of LIMIT samples): both are woken by bytes on one socket, and a byte does not say which it is for. Whoever wants a slot
 * stores 1 into the word *awaited*, unless the thread remembers that it stands there; then it looks once more, and only then sleeps. The subscriber, after
 * each release, swaps the word to 0 and sends one byte if it was not 0. A byte that finds the socket full is dropped.
 *
 * The publisher's thread does one thing after another: a byte is read only when nobody looks. A waiter may give up once; the
 * subscriber may keep BORROWED samples for ever, and may die before any step: the end of the connection brings back what it had.
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef BORROWED
#define BORROWED 2
#endif
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 5
#endif
#define SOCKET_ROOM 1

/* Shared memory: samples in the ring, slots on their way back, the words; and the bytes that lie unread in the socket. */
byte ring;
byte back;
byte roomWaiting;
byte awaited;
byte toPublisher;

/* The publisher's own: free slots, those that are filled and not sent, whether the word stands as far as it knows. */
byte free = SLOTS;
byte filled;
bool armed;

/* Ghosts: who sleeps, what the subscriber has, its death, and whether that is known. */
bool sleeps[WAITERS];
bool senderSleeps;
byte borrowed;
bool subscriberDead;
bool deathKnown;

active proctype Fate() {
    if
    :: subscriberDead = true
    :: skip
    fi
}

/* After what the other side waits for was stored. */
inline wake(word) {
#ifdef MUTANT_CLEARED_AFTER_BYTE
    if
    :: word > 0 ->
        d_step { if :: toPublisher < SOCKET_ROOM -> toPublisher++ :: else fi };
        word = 0
    :: else
    fi
#else
    if
    :: word > 0 ->
        d_step { won = word > 0; word = 0 };            /* exchange */
        if
        :: won -> d_step { if :: toPublisher < SOCKET_ROOM -> toPublisher++ :: else fi; won = false }
        :: else
        fi
    :: else
    fi
#endif
}

/* All slots that came back are taken: one load of the completion tail, and what is behind it. */
inline reclaim() {
    d_step { free = free + back; back = 0 }
}

/* The word is stored unless it stands, as far as is known. */
inline arm() {
    if
    :: !armed -> armed = true; awaited = 1
    :: else
    fi
}

/* The last who waits takes the word back: exchange; what it held does not matter. */
inline disarm() {
    if
    :: armed && !sleeps[0] && !sleeps[WAITERS - 1] -> armed = false; awaited = 0
    :: else
    fi
}

/* One waiter looks for a free slot, and sleeps if there is none. */
inline look(one) {
#ifdef MUTANT_NO_SECOND_LOOK
    reclaim();
    arm();
#else
    arm();
    reclaim();
#endif
    if
    :: free > 0 -> d_step { free--; filled++; wanted-- }
    :: else -> sleeps[one] = true
    fi;
    disarm()
}

/* A byte was read: all who sleep look again, one after another. */
inline ringBell() {
#ifndef MUTANT_ARMED_NOT_REFRESHED
    armed = armed && awaited > 0;
#endif
#ifndef MUTANT_RINGS_SENDER_ONLY
    sleeps[0] = false;
    sleeps[WAITERS - 1] = false;
#endif
    senderSleeps = false
}

active proctype Publisher() {
    byte wanted = ROUNDS;
    bool mayGiveUp = true;
    byte one;
    byte room;
end: do
    :: wanted > 0 && !sleeps[0] -> look(0)
    :: wanted > 0 && !sleeps[WAITERS - 1] -> look(WAITERS - 1)
    :: filled > 0 && !senderSleeps && !deathKnown ->
        roomWaiting = 1;
        room = ring < LIMIT;
        if
        :: room -> roomWaiting = 0; d_step { ring++; filled-- }
        :: else -> senderSleeps = true
        fi;
        room = 0
    :: filled > 0 && !senderSleeps && deathKnown -> d_step { filled--; free++ }; ringBell()
    :: toPublisher > 0 -> toPublisher = 0; ringBell()
    :: subscriberDead && !deathKnown ->
        d_step { free = free + back + ring + borrowed; back = 0; ring = 0; borrowed = 0; deathKnown = true };
#ifndef MUTANT_DEATH_NOT_TOLD
        ringBell()
#endif
    :: mayGiveUp && sleeps[0] && wanted > 0 -> d_step { mayGiveUp = false; sleeps[0] = false; wanted-- }; disarm()
    od
}

active proctype Subscriber() {
    bool won;
    {
        do
        :: ring > 0 && borrowed < BORROWED ->
            d_step { ring--; borrowed++ };
#ifdef MUTANT_WOKEN_BY_TAKE
            wake(awaited);
#endif
            wake(roomWaiting)
        :: borrowed > 0 ->
#ifdef MUTANT_WORD_BEFORE_RELEASE
            wake(awaited);
#endif
            d_step { borrowed--; back++ }               /* before the load of the word, as the word's store is before the look */
#if !defined(MUTANT_WORD_BEFORE_RELEASE) && !defined(MUTANT_WOKEN_BY_TAKE)
            ;
            wake(awaited)
#endif
        :: break                                        /* keeps what it has, and lives on */
        od;
end:    false
    } unless { subscriberDead }
}

/* When nobody can go on, nobody may sleep beside what it waits for. */
active proctype Observer() {
end:timeout ->
    assert(!(sleeps[0] || sleeps[WAITERS - 1]) || (free == 0 && back == 0));
    assert(!senderSleeps || (ring >= LIMIT && !subscriberDead))
}
