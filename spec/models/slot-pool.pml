/*
 * The slot pool of a publisher with its subscribers: loan, write, send to each, give way, take, read, release, reclaim, history for
 * late joiners. The publisher's private record (references of each slot, which connection holds it) decides; the rings only tell.
 *
 * A slot is written from its loan to its first send and readable from the take to the release: the two must never meet. The completion
 * ring is a set here (ring.pml shows that it loses and repeats nothing; its order does not matter). Any process may die before any step. With HOSTILE the publisher reads from the first
 * connection's memory whatever is possible; the others must not notice.
 * Assumed, as in overflow-ring.pml: not once around all positions during one take.
 */
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 1
#endif
#ifndef LIMIT
#define LIMIT 2
#endif
#ifndef CELLS
#define CELLS 2
#endif
#ifndef POSITIONS
#define POSITIONS 8
#endif
#ifndef BORROWED
#define BORROWED 1
#endif
#ifndef HISTORY
#define HISTORY 1
#endif
#ifndef OVERFLOW
#define OVERFLOW 1
#endif
#ifndef COARSE
#define COARSE 0   /* what overflow-ring.pml shows to act as one step is one: for several subscribers */
#endif
#if COARSE
#define AS_ONE_STEP atomic
#else
#define AS_ONE_STEP
#endif
#ifndef EAGER
#define EAGER 1    /* the publisher may also take slots back while it has free ones */
#endif
#include "positions.pml"
#define LOANED 1
#ifdef MUTANT_ONE_SLOT_LESS
#define SLOTS (SUBSCRIBERS * (LIMIT + BORROWED) + HISTORY + LOANED - 1)
#else
#define SLOTS (SUBSCRIBERS * (LIMIT + BORROWED) + HISTORY + LOANED)
#endif
#ifdef MUTANT_BORROWS_ONE_MORE
#define BORROWS (BORROWED + 1)
#else
#define BORROWS BORROWED
#endif
#define NONE 255
#define CELL(s, position) ((s) * CELLS + INDEX(position))
#define BIT(slot) (1 << (slot))
#ifdef HOSTILE
#define IS_HOSTILE(s) ((s) == 0)
#else
#define IS_HOSTILE(s) false
#endif

/* Shared memory of each connection. */
byte head[SUBSCRIBERS];
byte tail[SUBSCRIBERS];
byte cell[SUBSCRIBERS * CELLS];
byte completions[SUBSCRIBERS];   /* a bit a slot */

/* What each side is told of the other: by the handshake, by the end of the connection, by closing the ports. */
#define UNKNOWN 0
#define CONNECTED 1
#define GONE 2
byte connection[SUBSCRIBERS];
bool finished[SUBSCRIBERS];
bool subscriberDead[SUBSCRIBERS];
bool publisherDead;
bool closing;

/* The publisher's private record. */
byte references[SLOTS];
byte held[SUBSCRIBERS];      /* a bit a slot */
byte holds[SUBSCRIBERS];     /* how many bits */
byte sent[SUBSCRIBERS * CELLS];

/* Ghosts. */
byte writing = NONE;
byte readable[SUBSCRIBERS];
bool taking[SUBSCRIBERS];
byte seen[SUBSCRIBERS];

active proctype Fate() {
end:if
    :: publisherDead = true
    :: subscriberDead[0] = true
#if SUBSCRIBERS == 2
    :: subscriberDead[1] = true
#endif
    fi
}

inline drop_reference(slot) {
    assert(references[slot] > 0);
    references[slot]--
}

/* The connection holds the slot no longer. */
inline let_go(s, slot) {
    held[s] = held[s] & ~BIT(slot);
    holds[s]--;
    drop_reference(slot)
}

/* What nobody looks at any more gets one value: fewer states. */
inline forget(s) {
    head[s] = 0;
    tail[s] = 0;
    completions[s] = 0;
    cell[CELL(s, 0)] = NONE;
    sent[CELL(s, 0)] = NONE;
    cell[CELL(s, CELLS - 1)] = NONE;
    sent[CELL(s, CELLS - 1)] = NONE
}

/* The connection ended, or is ended because its subscriber lies: nothing that it held counts any more. */
inline drop_connection(s) {
    d_step {
        connection[s] = GONE;
        forget(s);
#ifndef MUTANT_DEATH_KEEPS_SLOTS
        i = 0;
        do
        :: i < SLOTS -> if :: held[s] & BIT(i) -> let_go(s, i) :: else fi; i++
        :: else -> break
        od;
#endif
        i = 0
    }
}

inline accuse(s) {
#ifdef HOSTILE
    assert(IS_HOSTILE(s));
    drop_connection(s)
#else
    assert(false)   /* whoever follows the protocol is never accused */
#endif
}

/* Takes back what the subscriber released. A hostile one may claim any slot. */
inline reclaim(s) {
    do
    :: connection[s] != CONNECTED -> break
#ifdef HOSTILE
    :: connection[s] == CONNECTED && IS_HOSTILE(s) ->
        slot = 0;
        do
        :: slot < SLOTS - 1 -> slot++
        :: break
        od;
        if
#ifdef MUTANT_RECLAIM_UNCHECKED
        :: true -> d_step { let_go(s, slot); slot = NONE }
#else
        :: held[s] & BIT(slot) -> d_step { let_go(s, slot); slot = NONE }
        :: else -> slot = NONE; accuse(s)
#endif
        fi
    :: connection[s] == CONNECTED && IS_HOSTILE(s) -> break
#endif
    :: connection[s] == CONNECTED && !IS_HOSTILE(s) ->
        d_step {
            slot = 0;
            do
            :: slot == SLOTS -> break
            :: slot < SLOTS && (completions[s] & BIT(slot)) -> assert(held[s] & BIT(slot)); let_go(s, slot); slot++
            :: slot < SLOTS && !(completions[s] & BIT(slot)) -> slot++
            od;
            completions[s] = 0;
            slot = NONE
        }
        break
    od;
    skip                         /* what a loop's end leads to may not be a d_step */
}

inline reclaim_all() {
    reclaim(0);
#if SUBSCRIBERS == 2
    reclaim(1)
#endif
}

/* The lowest free slot, or NONE. */
inline find_free() {
    d_step {
        loan = 0;
        do
        :: loan < SLOTS && references[loan] > 0 -> loan++
        :: loan < SLOTS && references[loan] == 0 -> break
        :: loan == SLOTS -> loan = NONE; break
        od
    }
}

/* Where nobody is between two steps, the positions of an empty ring may start anew: fewer states. */
inline rebase(s) {
    if
    :: COARSE && head[s] == tail[s] -> head[s] = 0; tail[s] = 0
    :: else
    fi
}

inline load_head(s) {
#ifdef HOSTILE
    if
    :: IS_HOSTILE(s) ->
        found = 0;
        do
        :: found < POSITIONS - 1 -> found++
        :: break
        od
    :: else -> found = head[s]
    fi
#else
    found = head[s]
#endif
}

/* Compare-exchange of head: the oldest gives way, unless the subscriber took it. */
inline exchange_head(s) {
    if
#ifdef HOSTILE
    :: IS_HOSTILE(s) -> won = true
    :: IS_HOSTILE(s) -> won = false
#endif
    :: d_step {
        !IS_HOSTILE(s) && !(taking[s] && seen[s] == NEXT(found)) ->
#ifdef MUTANT_GIVE_WAY_BY_STORE
        won = true;
#else
        won = (head[s] == found);
#endif
        if
        :: won -> head[s] = NEXT(found); cell[CELL(s, found)] = NONE; rebase(s)
        :: else
        fi
    }
    fi
}

/* Sends a slot to one connection. */
inline send(s, number) {
    AS_ONE_STEP {
    load_head(s);
    if
    :: DISTANCE(tail[s], found) > LIMIT -> accuse(s)
    :: DISTANCE(tail[s], found) == LIMIT ->
#if !OVERFLOW
        noRoom = true            /* the caller decides, here to drop it for this subscriber */
#else
#ifdef MUTANT_ACCUSED_WHEN_FULL
        if
        :: holds[s] == LIMIT + BORROWED -> reclaim(s)
        :: else
        fi;
        assert(holds[s] < LIMIT + BORROWED);
#endif
        exchange_head(s);
        if
        :: won ->
            won = false;
            d_step {
                slot = sent[CELL(s, found)];
                if :: !IS_HOSTILE(s) -> sent[CELL(s, found)] = NONE :: else fi
            }
            if
#ifdef MUTANT_GIVE_WAY_UNCHECKED
            :: true ->
#else
            :: held[s] & BIT(slot) ->
#endif
                d_step {
                    let_go(s, slot);
#ifdef MUTANT_GIVE_WAY_FREES
                    references[slot] = 0;
#endif
                    slot = NONE
                }
#ifndef MUTANT_GIVE_WAY_UNCHECKED
            :: else -> slot = NONE; accuse(s)
#endif
            fi
        :: else ->
            load_head(s);
            if
            :: DISTANCE(tail[s], found) >= LIMIT -> accuse(s)
            :: else
            fi
        fi
#endif
    :: else
    fi;
    found = 0;
#ifndef MUTANT_NO_COUNT
    if
    :: connection[s] == CONNECTED && !noRoom && holds[s] >= LIMIT + BORROWED ->
        reclaim(s);             /* there is room, by the head that was read before: what it holds now tells a liar */
        if
        :: connection[s] == CONNECTED && holds[s] >= LIMIT + BORROWED -> accuse(s)
        :: else
        fi
    :: else
    fi;
#endif
    skip
    };
    if
    :: connection[s] == CONNECTED && !noRoom -> AS_ONE_STEP {
        d_step {
            sent[CELL(s, tail[s])] = number;
            held[s] = held[s] | BIT(number);
            holds[s]++;
            references[number]++;
            cell[CELL(s, tail[s])] = number
        }
        tail[s] = NEXT(tail[s])   /* releases the slot and the cell to the subscriber's load of tail */
        }
    :: else -> noRoom = false
    fi
}

inline send_to_all(number) {
    if
    :: connection[0] == CONNECTED -> send(0, number)
    :: else
    fi;
#if SUBSCRIBERS == 2
    if
    :: connection[1] == CONNECTED -> send(1, number)
    :: else
    fi
#endif
}

inline loan_and_send() {
    AS_ONE_STEP {
#if EAGER
    if
    :: reclaim_all()
    :: skip
    fi;
#endif
    find_free();
    if
    :: loan == NONE -> reclaim_all(); find_free()
    :: else
    fi;
    assert(loan != NONE);        /* an honest loan never fails */
    d_step {
        references[loan]++;
        writing = loan;
        assert(!(readable[0] & BIT(loan)) || subscriberDead[0]);
#if SUBSCRIBERS == 2
        assert(!(readable[1] & BIT(loan)) || subscriberDead[1])
#endif
    }
    };
    writing = NONE;              /* its content is written; the store of tail releases it */
    if
    :: send_to_all(loan);
#if HISTORY
        d_step {
            if
            :: newest != NONE -> drop_reference(newest)
            :: else
            fi;
            newest = loan;
#ifndef MUTANT_HISTORY_NOT_COUNTED
            references[loan]++
#endif
        }
#endif
    :: skip                      /* released unsent */
    fi;
    d_step { drop_reference(loan); loan = NONE }
}

inline accept(s) {
    connection[s] = CONNECTED;
#if HISTORY
    if
    :: newest != NONE -> send(s, newest)
    :: else
    fi
#endif
}

/* Closed: every subscriber took and released what there was, or is gone. Then nothing may be left in use. */
inline settle(s) {
    if
    :: connection[s] != CONNECTED
    :: connection[s] == CONNECTED && finished[s] -> reclaim(s)
    :: connection[s] == CONNECTED && (subscriberDead[s] || IS_HOSTILE(s)) -> drop_connection(s)
    fi
}

active proctype Publisher() {
    byte loan = NONE;
    byte newest = NONE;
    byte slot = NONE;
    byte found;
    byte i;
    bool won;
    bool noRoom;
    {
        do
        :: loan_and_send()
        :: connection[0] == UNKNOWN && !subscriberDead[0] -> accept(0)
        :: connection[0] == CONNECTED && subscriberDead[0] -> drop_connection(0)
#if SUBSCRIBERS == 2
        :: connection[1] == UNKNOWN && !subscriberDead[1] -> accept(1)
        :: connection[1] == CONNECTED && subscriberDead[1] -> drop_connection(1)
#endif
        :: closing = true; break
        od;
        settle(0);
#if SUBSCRIBERS == 2
        settle(1);
#endif
        d_step {
#if HISTORY
            if
            :: newest != NONE -> drop_reference(newest)
            :: else
            fi;
#endif
            i = 0;
            do
            :: i < SLOTS -> assert(references[i] == 0); i++
            :: else -> break
            od;
            i = 0
        }
    } unless {
        d_step {
            publisherDead ->
            references[0] = 0;
            references[1] = 0;
            references[2] = 0;
#if SLOTS > 3
            references[3] = 0;
#endif
#if SLOTS > 4
            references[4] = 0;
#endif
#if SLOTS > 5
            references[5] = 0;
#endif
#if SLOTS > 6
            references[6] = 0;
#endif
            held[0] = 0;
            holds[0] = 0;
#if SUBSCRIBERS == 2
            held[1] = 0;
            holds[1] = 0;
#endif
            loan = NONE;
            newest = NONE;
            slot = NONE;
            found = 0;
            won = false;
            noRoom = false;
            i = 0
        }
    }
}

/* The sample at `start` is the subscriber's from now on, if head is still there. */
inline take_at(s) {
    head[s] = NEXT(start);
    assert(value < SLOTS && value != writing && (references[value] > 0 || publisherDead));
    assert(!(readable[s] & BIT(value)));
    readable[s] = readable[s] | BIT(value);
    cell[CELL(s, start)] = NONE;   /* nobody looks there again: fewer states */
    sent[CELL(s, start)] = NONE;
    rebase(s);
    if
    :: oldest == NONE -> oldest = value
    :: else -> second = value
    fi
}

inline take(s) {
#if COARSE
    d_step {
        start = head[s];
        nothing = (start == tail[s]);
        if
        :: !nothing -> value = cell[CELL(s, start)]; take_at(s)
        :: else
        fi;
        start = 0;
        value = 0
    }
#else
    d_step { start = head[s]; seen[s] = start; taking[s] = true }
    limit = tail[s];             /* acquires the slots and cells below it */
    if
    :: limit == start -> d_step { taking[s] = false; seen[s] = 0; nothing = true; start = 0; limit = 0 }
    :: else ->
        value = cell[CELL(s, start)];
        d_step {
            if
#ifdef MUTANT_TAKE_BY_STORE
            :: true ->
#else
            :: head[s] == start ->
#endif
                take_at(s)
            :: else
            fi;
            taking[s] = false;
            seen[s] = 0;
            nothing = false;
            start = 0;
            limit = 0;
            value = 0
        }
    fi
#endif
}

inline release(s, slot) {
#ifdef MUTANT_READ_AFTER_RELEASE
    completions[s] = completions[s] | BIT(slot);
    readable[s] = readable[s] & ~BIT(slot)
#else
    readable[s] = readable[s] & ~BIT(slot);
    completions[s] = completions[s] | BIT(slot)   /* the completion ring's store of tail releases the end of the reading */
#endif
}

/* Borrows at most two samples, which it releases in any order. */
proctype Subscriber(byte s) {
    byte start;
    byte limit;
    byte value;
    byte oldest = NONE;
    byte second = NONE;
    bool nothing;
    bool over;
    {
        if
        :: connection[s] == CONNECTED
        :: connection[s] != CONNECTED && (closing || publisherDead) -> goto done
        fi;
        do
        :: oldest == NONE || (second == NONE && BORROWS == 2) ->
#if COARSE
            (head[s] != tail[s] || closing || publisherDead);
#endif
            over = closing || publisherDead;
            take(s);
            if
            :: over && nothing && oldest == NONE -> break
            :: else -> over = false; nothing = false
            fi
#if BORROWED == 2 || defined(MUTANT_BORROWS_ONE_MORE)
        :: second != NONE -> release(s, second); second = NONE
#endif
        :: oldest != NONE -> release(s, oldest); d_step { oldest = second; second = NONE }
        od;
        assert(head[s] == tail[s]);
done:   finished[s] = true
    } unless {
        d_step {
            subscriberDead[s] ->
            taking[s] = false;
            seen[s] = 0;
            readable[s] = 0;
            start = 0;
            limit = 0;
            value = 0;
            oldest = NONE;
            second = NONE;
            nothing = false;
            over = false
        }
    }
}

init {
    atomic {
#ifndef HOSTILE
        run Subscriber(0);
#endif
#if SUBSCRIBERS == 2
        run Subscriber(1)
#endif
    }
}
