/*
 * The event set of a pair: one notifier, one listener. The notifier counts each id in two words that only it writes, then marks the id
 * in a bitmap, then wakes the listener if that waits. The listener empties the bitmap a word at a time, then reads the counts of what was
 * marked; what it has taken of each id it knows itself. A count of 64 bits: high is n / HALF, low is n mod (2 * HALF), so that the top bit
 * of low is bit 0 of high, unless the notifier is between the two stores: then low still belongs to high - 1.
 *
 * With DESCRIPTOR the listener sleeps in a foreign poll(2) of a level-triggered descriptor: each empty receive asks to be woken, unless it
 * still does as far as it knows. It finds out only by the byte that the word was taken back, and may poll while one is under way.
 * Either side may die before any step, the notifier may say goodbye, and a sleeper may give up once.
 */
/* One id or two. */
#ifndef IDS
#define IDS 2
#endif
#ifndef PER_WORD
#define PER_WORD 1
#endif
#ifndef HALF
#define HALF 1
#endif
/* How often each id is notified. */
#ifndef MOST
#define MOST 2
#endif
#ifndef DESCRIPTOR
#define DESCRIPTOR 0
#endif
/* Whether an id that was marked already wakes too. It need not: who marked it did. */
#ifndef WAKES_ALWAYS
#define WAKES_ALWAYS 1
#endif
#define WORDS ((IDS + PER_WORD - 1) / PER_WORD)
#define WORD(id) ((id) / PER_WORD)
#define BIT(id) (1 << (id))
#define SOCKET_ROOM 1
/* What the listener's socket shows of the notifier's end. */
#define ENDED (closed || notifierDead)

/* Shared memory, and the wake-up bytes that lie unread in the listener's socket. */
byte high[IDS];
byte low[IDS];
byte pending[WORDS];
byte waiting;
bool goodbye;
byte bytes;
bool closed;

/* Private to the listener: what it has taken from the bitmap and not looked at, and what it has told of each id. */
byte mine;
byte taken[IDS];
bool asks;

/* Ghosts: how often each id was counted, how many of these were marked, who sleeps, the notices of death. */
byte counted[IDS];
byte marked[IDS];
bool sleeps;
bool notifierDead;
bool listenerDead;

active proctype Fate() {
    if
    :: notifierDead = true
    :: listenerDead = true
    :: skip
    fi
}

inline count_one(id) {
#ifdef MUTANT_LOW_BEFORE_HIGH
    d_step { counted[id]++; low[id] = counted[id] % (2 * HALF) }
    high[id] = counted[id] / HALF
#else
    if
    :: (counted[id] + 1) / HALF != high[id] -> high[id] = (counted[id] + 1) / HALF
    :: else
    fi;
    d_step { counted[id]++; low[id] = counted[id] % (2 * HALF) }
#endif
}

/* After the count, so that whoever takes the mark reads a count that has this notification. */
inline mark(id) {
    isMarked = (pending[WORD(id)] & BIT(id)) != 0;
    if
    :: !isMarked -> d_step { pending[WORD(id)] = pending[WORD(id)] | BIT(id); marked[id] = counted[id] }     /* or */
    :: else -> marked[id] = counted[id]
    fi
}

/* After the mark, as the listener stores the word before it looks at the bitmap. */
inline wake() {
#ifdef MUTANT_WAITING_CLEARED_AFTER_BYTE
    if
    :: waiting > 0 ->
        d_step { if :: bytes < SOCKET_ROOM -> bytes++ :: else fi }
        waiting = 0
    :: else
    fi
#else
    if
    :: waiting > 0 ->
        d_step { won = waiting > 0; waiting = 0 }       /* exchange */
        if
        :: won -> d_step { if :: bytes < SOCKET_ROOM -> bytes++ :: else fi; won = false }
        :: else
        fi
    :: else
    fi
#endif
}

inline notify(id) {
#ifdef MUTANT_MARKED_BEFORE_COUNTED
    pending[WORD(id)] = pending[WORD(id)] | BIT(id);
    count_one(id);
    marked[id] = counted[id];
    wake()
#else
#ifdef MUTANT_WAITING_BEFORE_MARK
    count_one(id);
    wake();
    mark(id)
#else
#ifdef MUTANT_MARK_NOT_LOOKED_AT
    /* its own record says that it marked the id already */
    count_one(id);
    if
    :: remembered & BIT(id) -> marked[id] = counted[id]
    :: else -> remembered = remembered | BIT(id); mark(id)
    fi;
    wake()
#else
    count_one(id);
    mark(id);
#if WAKES_ALWAYS
    wake();
#else
    if
    :: !isMarked -> wake()
    :: else
    fi;
#endif
    isMarked = false
#endif
#endif
#endif
}

active proctype Notifier() {
    bool isMarked;
    bool won;
#ifdef MUTANT_MARK_NOT_LOOKED_AT
    byte remembered;
#endif
    {
        do
        :: counted[0] < MOST -> notify(0)
#if IDS > 1
        :: counted[1] < MOST -> notify(1)
#endif
        :: goto end                                     /* notifies no more, and lives on */
        :: break
        od;
#ifdef MUTANT_GOODBYE_AFTER_CLOSE
        closed = true;
        goodbye = true;
#else
        goodbye = true;
        closed = true;
#endif
end:    false
    } unless { notifierDead }
}

/* Takes the marks of all words. */
inline take_marks() {
    word = 0;
    do
    :: word < WORDS ->
#ifdef MUTANT_CLEARED_BY_STORE
        found = pending[word];
        mine = mine | found;
        pending[word] = 0;
        found = 0;
#else
#ifdef MUTANT_CLEARED_AFTER_READ
        mine = mine | pending[word];
#else
        if
        :: pending[word] != 0 -> d_step { mine = mine | pending[word]; pending[word] = 0 }                   /* exchange */
        :: else
        fi;
#endif
#endif
        word++
    :: else -> break
    od;
    word = 0
}

/* Reads the count of an id that it holds the mark of, and tells how much it has grown since. Nothing may have come since the last time: the
 * notifier marks what it counted before, and the listener had read. */
inline tell(id) {
    atLeast = counted[id];
    do
    :: first = high[id];
        value = low[id];
#ifdef MUTANT_HIGH_READ_ONCE
        break
#else
        if
        :: high[id] == first -> break
        :: else
        fi
#endif
    od;
    skip;                                               /* what a loop's end leads to may not be a d_step */
    d_step {
#ifdef MUTANT_LOW_OF_OLD_HIGH
        value = first * HALF + value % HALF;
#else
        if
        :: (value / HALF) % 2 != first % 2 -> value = (first - 1) * HALF + value % HALF
        :: else -> value = first * HALF + value % HALF
        fi;
#endif
        assert(value >= atLeast && value <= counted[id]);   /* what it was at a moment during the read */
        assert(value >= taken[id]);                         /* or the notifier would be accused */
        taken[id] = value;
        mine = mine & ~BIT(id);
        first = 0;
        value = 0;
        atLeast = 0
    }
#ifdef MUTANT_CLEARED_AFTER_READ
    pending[WORD(id)] = pending[WORD(id)] & ~BIT(id)
#endif
}

/* poll(2), then all bytes are read, then the word is taken back. Giving up leaves a byte that is under way for the next sleep. */
inline sleep() {
    sleeps = true;
#ifdef MUTANT_BYTES_READ_BEFORE_POLL
    bytes = 0;
#endif
endSleep:
    if
    :: d_step { bytes > 0 || ENDED -> bytes = 0; sleeps = false }
    :: d_step { mayGiveUp -> mayGiveUp = false; sleeps = false }
    fi;
    waiting = 0
}

/* What comes with a wake-up: whoever sent it has taken the word back. */
inline read_bytes() {
    if
    :: bytes > 0 -> bytes = 0; asks = waiting > 0
    :: else
    fi
}

/* Before a foreign poll(2). */
inline ask() {
    if
    :: !asks -> asks = true; waiting = 1
    :: else
    fi
}

/* poll(2) of somebody else: it reads no bytes and knows of no words. */
inline poll_descriptor() {
    sleeps = true;
endPoll:
    if
    :: d_step { bytes > 0 || ENDED -> sleeps = false }
    :: d_step { mayGiveUp -> mayGiveUp = false; sleeps = false }
    fi
}

inline anything_pending() {
    word = 0;
    do
    :: word < WORDS && pending[word] == 0 -> word++
    :: else -> break
    od
}

active proctype Listener() {
    byte word;
    byte found;
    byte first;
    byte value;
    byte atLeast;
    bool over;
    bool mayGiveUp = true;
    {
        do
        :: mine & BIT(0) -> tell(0)
#if IDS > 1
        :: mine & BIT(1) -> tell(1)
#endif
        :: mine == 0 ->
            over = ENDED;                               /* before the look, so that what came before the end is seen */
            take_marks();
            if
            :: mine != 0
            :: else ->
#ifdef MUTANT_NO_LAST_LOOK
                over = ENDED;
#endif
                if
                :: over -> break
                :: else
                fi;
#if DESCRIPTOR
#ifndef MUTANT_BYTES_READ_AFTER_LOOK
                read_bytes();
#endif
                ask();
#ifndef MUTANT_NO_SECOND_LOOK
                take_marks();
#endif
#ifdef MUTANT_BYTES_READ_AFTER_LOOK
                read_bytes();
#endif
                if
                :: mine == 0 -> poll_descriptor()
                :: else
                fi
#else
                waiting = 1;
#ifdef MUTANT_NO_SECOND_LOOK
                word = WORDS;
#else
                anything_pending();
#endif
                if
                :: word == WORDS -> word = 0; sleep()
                :: else -> word = 0; waiting = 0
                fi
#endif
            fi
        od;
        assert(taken[0] >= marked[0]);                  /* what was counted and not marked is a notification that never ended */
#if IDS > 1
        assert(taken[1] >= marked[1]);
#endif
        assert(goodbye || notifierDead)                 /* dropped, if it says so itself, else dead */
    } unless {
        d_step {
            listenerDead ->
            mine = 0;
            word = 0;
            found = 0;
            first = 0;
            value = 0;
            atLeast = 0;
            over = false
        }
    }
}

/* When nobody can go on, the listener has told of all that was marked, and does not sleep beside the end of the notifier. */
active proctype Observer() {
end:timeout ->
    assert(!sleeps || listenerDead || !ENDED);
    assert(listenerDead || (mine == 0 && pending[0] == 0 && taken[0] >= marked[0]));
#if IDS > 1
    assert(listenerDead || (pending[WORD(1)] == 0 && taken[1] >= marked[1]));
#endif
    skip
}

#ifdef LIVENESS
/* What was marked is told, if every process that can take a step does so some time. */
ltl told { [] ((taken[0] < marked[0]) -> <> (taken[0] >= marked[0] || listenerDead)) }
#endif
