/*
 * Sleeping and waking of a pair. The subscriber sleeps while the ring is empty, the publisher (without OVERFLOW) while it is full.
 * Whoever wants to sleep stores into its waiting word below how many samples in the ring it is to be woken (the subscriber, which waits
 * for any, stores 1), looks once more, and only then sleeps; whoever took or sent, and leaves fewer, swaps the other's word to 0 and
 * sends one byte if it was not 0. A byte that finds the socket full is dropped: the sleeper has one to read anyway.
 *
 * A sleeper may give up (an aborted wait) once. The subscriber may keep BORROWED samples while it waits for the next one. The
 * publisher may stop sending, either side may die before any step; its peer is then told by the end of the connection.
 */
#ifndef POSITIONS
#define POSITIONS 4
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef BORROWED
#define BORROWED 2
#endif
#ifndef OVERFLOW
#define OVERFLOW 0
#endif
#include "positions.pml"
#define SOCKET_ROOM 1
/* A publisher that waits is woken when half of the ring is empty. */
#define HALF ((LIMIT + 1) / 2)

/* Shared memory, and the bytes that lie unread in the socket's two directions. */
byte head;
byte tail;
byte subscriberWaiting;
byte publisherWaiting;
byte toSubscriber;
byte toPublisher;

/* Ghosts: who sleeps, and the notices of death. */
bool subscriberSleeps;
bool publisherSleeps;
bool publisherDead;
bool subscriberDead;

active proctype Fate() {
    if
    :: publisherDead = true
    :: subscriberDead = true
    :: skip
    fi
}

/* After what the other side waits for was stored, with `left` samples in the ring as far as this side knows. */
inline wake(waiting, bytes, left) {
#ifdef MUTANT_FLAG_CLEARED_AFTER_BYTE
    /* the flag is cleared by a store, after the byte was sent */
    if
    :: waiting > left ->
        d_step { if :: bytes < SOCKET_ROOM -> bytes++ :: else fi }
        waiting = 0
    :: else
    fi
#else
    if
#ifdef MUTANT_WOKEN_BELOW_HALF
    :: waiting > left + 1 ->
#else
    :: waiting > left ->
#endif
        d_step { won = waiting > 0; waiting = 0 }       /* exchange */
        if
        :: won -> d_step { if :: bytes < SOCKET_ROOM -> bytes++ :: else fi; won = false }
        :: else
        fi
    :: else
    fi
#endif
}

/* poll(2), then all bytes are read, then the flag is taken back. Giving up leaves a byte that is under way for the next sleep. */
inline sleep(waiting, bytes, dead, sleeps) {
    sleeps = true;
#ifdef MUTANT_BYTES_READ_BEFORE_POLL
    bytes = 0;
#endif
endSleep:
    if
    :: d_step { bytes > 0 || dead -> bytes = 0; sleeps = false }
    :: d_step { mayGiveUp -> mayGiveUp = false; sleeps = false }
    fi;
    waiting = 0                                         /* exchange; what it held does not matter */
}

active proctype Publisher() {
    byte found;
    bool won;
    bool mayGiveUp = true;
    {
        do
        :: break                                        /* sends no more, and lives on */
        :: found = head;
            if
#if OVERFLOW
            :: DISTANCE(tail, found) == LIMIT ->
                d_step { if :: head == found -> head = NEXT(found) :: else fi }
#else
            :: DISTANCE(tail, found) == LIMIT ->
                if
                :: subscriberDead -> break
                :: else
                fi;
                publisherWaiting = HALF;
#ifndef MUTANT_NO_SECOND_LOOK_AT_HEAD
                found = head;
#endif
                if
                :: DISTANCE(tail, found) == LIMIT -> sleep(publisherWaiting, toPublisher, subscriberDead, publisherSleeps)
                :: else -> publisherWaiting = 0
                fi
#endif
            :: else ->
#ifdef MUTANT_FLAG_BEFORE_TAIL
                wake(subscriberWaiting, toSubscriber, 0);
                tail = NEXT(tail)
#else
                tail = NEXT(tail);                      /* before the load of the flag, as the flag's store is before the load of tail */
                wake(subscriberWaiting, toSubscriber, 0)
#endif
            fi
        od;
end:    false
    } unless { publisherDead }
}

active proctype Subscriber() {
    byte start;
    byte limit;
    byte borrowed;
    bool won;
    bool over;
    bool mayGiveUp = true;
    {
        do
        :: borrowed > 0 ->
            borrowed--
#ifdef MUTANT_WOKEN_BY_RELEASE
            ;
            wake(publisherWaiting, toPublisher, 0)
#endif
        :: borrowed < BORROWED ->
            over = publisherDead;                       /* before the look, so that what came before the death is seen */
            start = head;
            limit = tail;
            if
            :: limit != start ->
                d_step { won = (head == start); if :: won -> head = NEXT(start); borrowed++ :: else fi }
#if !OVERFLOW && !defined(MUTANT_WOKEN_BY_RELEASE)
                if
                :: won -> won = false; wake(publisherWaiting, toPublisher, DISTANCE(limit, start) - 1)
                :: else
                fi
#else
                won = false
#endif
            :: else ->
#ifdef MUTANT_NO_LAST_LOOK
                over = publisherDead;
#endif
                if
                :: over -> break
                :: else
                fi;
                subscriberWaiting = 1;
#ifndef MUTANT_NO_SECOND_LOOK_AT_TAIL
                start = head;
                limit = tail;
#endif
                if
                :: limit == start -> sleep(subscriberWaiting, toSubscriber, publisherDead, subscriberSleeps)
                :: else -> subscriberWaiting = 0
                fi
            fi
        od;
        assert(head == tail)
    } unless { subscriberDead }
}

/* When nobody can go on, nobody may sleep beside what it waits for. */
active proctype Observer() {
end:timeout ->
    assert(!subscriberSleeps || subscriberDead || (head == tail && !publisherDead));
    assert(!publisherSleeps || publisherDead || (DISTANCE(tail, head) >= HALF && !subscriberDead))
}

#ifdef LIVENESS
/* What lies in the ring is taken, and who waits for room goes on, if every process that can take a step does so some time. */
ltl taken { [] ((head != tail && head == 0) -> <> (head != 0 || subscriberDead)) }
ltl goesOn { [] ((publisherSleeps && head == tail) -> <> (!publisherSleeps || publisherDead || subscriberDead)) }
#endif
