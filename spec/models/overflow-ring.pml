/*
 * The submission ring: one publisher, one subscriber. With OVERFLOW the oldest sample gives way in a full ring, so both sides
 * advance head by compare-exchange; without it the publisher is told that the ring is full. LIMIT <= CELLS is how many may be in it.
 *
 * A sample's number is its position, so a cell that was read too early or too late shows. Either side may die before any step.
 * Assumed: while the subscriber is between its load of head and its compare-exchange, the publisher does not go once around all
 * positions (2^32 samples in the program).
 */
#ifndef CELLS
#define CELLS 2
#endif
#ifndef POSITIONS
#define POSITIONS 8
#endif
#ifndef LIMIT
#define LIMIT 2
#endif
#ifndef OVERFLOW
#define OVERFLOW 1
#endif
#include "positions.pml"
#ifdef MUTANT_WRONG_LIMIT
#define ROOM (LIMIT + 1)
#else
#define ROOM LIMIT
#endif

/* Shared memory. */
byte head;
byte tail;
byte cell[CELLS];

/* Ghosts: the next sample that leaves the ring, the subscriber's attempt to take, and the notices of death. */
byte next;
bool taking;
byte seen;
bool publisherDead;
bool subscriberDead;

active proctype Fate() {
end:if
    :: publisherDead = true
    :: subscriberDead = true
    fi
}

/* A sample leaves the ring, taken or given way: each one, once, in order. */
inline leaves(number) {
    assert(number == next);
    next = NEXT(next)
}

active proctype Publisher() {
    byte position;
    byte cached;        /* the head that it loaded last */
    byte found;
    byte sent[CELLS];   /* its own record, which decides */
    bool noRoom;
    {
        do
        :: noRoom = false;
            if
            :: DISTANCE(position, cached) >= ROOM ->
                d_step {
                    found = head;
                    assert(DISTANCE(position, found) <= LIMIT);
                    cached = found;
                    noRoom = (DISTANCE(position, found) >= ROOM)
                }
#if OVERFLOW
                if
                :: noRoom ->
                    /* the assumption: not once around while the subscriber tries to take */
                    d_step {
                        !(taking && seen == NEXT(found)) ->
#ifdef MUTANT_GIVE_WAY_BY_STORE
                        if
                        :: true ->
#else
                        if
                        :: head == found ->
#endif
                            head = NEXT(found);
                            leaves(sent[INDEX(found)]);
                            cached = NEXT(found);
                            noRoom = false
                        :: else
                        fi
                    }
                    if
#ifdef MUTANT_GIVE_WAY_UNCHECKED
                    :: noRoom -> noRoom = false; cached = NEXT(found); leaves(sent[INDEX(found)])
#else
                    :: noRoom ->      /* the subscriber took it meanwhile */
                        d_step { cached = head; assert(DISTANCE(position, cached) < LIMIT); noRoom = false }
#endif
                    :: else
                    fi
                :: else
                fi
#endif
            :: else
            fi;
            if
#ifdef MUTANT_NO_LIMIT
            :: true ->
#else
            :: !noRoom ->
#endif
                sent[INDEX(position)] = position;
#ifdef MUTANT_TAIL_BEFORE_CELL
                d_step { position = NEXT(position); tail = position }
                cell[INDEX(DISTANCE(position, 1))] = DISTANCE(position, 1)
#else
                cell[INDEX(position)] = position;
                d_step { position = NEXT(position); tail = position }   /* releases the cell to the subscriber's load of tail */
#endif
#if !OVERFLOW && !defined(MUTANT_NO_LIMIT)
            :: else                 /* full: the caller decides, here to drop this sample and try with another */
#endif
            fi
        od
    } unless { publisherDead }
}

/* One round of take: empty, moved (try again), or taken. */
inline take() {
    d_step { start = head; seen = start; taking = true }
#if OVERFLOW && !defined(MUTANT_CACHED_TAIL)
    limit = tail;                   /* acquires the cells below it */
#else
    /* only the subscriber moves head, so what it knows of tail stays true */
    if
    :: limit == start || IS_NEGATIVE(DISTANCE(limit, start)) -> limit = tail
    :: else
    fi;
#endif
#ifdef MUTANT_CHECKED_EARLY
    assert(DISTANCE(limit, start) <= CELLS);
#endif
    if
    :: limit == start -> d_step { taking = false; seen = 0; nothing = true }
    :: else ->
#ifndef MUTANT_CELL_AFTER_EXCHANGE
        value = cell[INDEX(start)];
#endif
        d_step {
            if
#ifdef MUTANT_TAKE_BY_STORE
            :: true ->
#else
            :: head == start ->
#endif
                head = NEXT(start);
                leaves(start);
#ifndef MUTANT_CELL_AFTER_EXCHANGE
                assert(value == start);
#endif
                /* head stood still since it was loaded, so this tail can be judged */
                assert(DISTANCE(limit, start) <= CELLS)
            :: else                 /* the publisher took it back */
            fi;
            taking = false;
            seen = 0;
            nothing = false
        }
#ifdef MUTANT_CELL_AFTER_EXCHANGE
        assert(cell[INDEX(start)] == start)
#endif
    fi
}

active proctype Subscriber() {
    byte start;
    byte limit;         /* the tail that it loaded last */
    byte value;
    bool nothing;
    {
        do
        :: take()
        :: publisherDead ->
#ifdef MUTANT_NO_LAST_LOOK
            nothing = true;
#else
            nothing = false;
#endif
            do
            :: !nothing -> take()
            :: nothing -> break
            od;
            assert(head == tail);
            assert(next == tail);   /* every sample that was sent was taken or gave way */
            break
        od
    } unless { d_step { subscriberDead -> taking = false } }
}
