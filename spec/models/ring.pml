/*
 * The completion ring: one producer (the subscriber gives slots back), one consumer (the publisher). Its cells are plain memory,
 * so a read and a write of one cell must never meet: each takes two steps, and nobody else may be in the cell between them.
 *
 * Samples are numbered by their position. HELD is how many slots the producer can have to give back at once; the real ring has
 * at least as many cells. Either side may die before any step.
 */
#ifndef CELLS
#define CELLS 2
#endif
#ifndef POSITIONS
#define POSITIONS 8
#endif
#ifndef HELD
#define HELD 2
#endif
#include "positions.pml"

/* Shared memory. */
byte tail;
byte cell[CELLS];

/* Ghosts: who is in a cell, what the producer may still give back, and the notices of death. */
bool written[CELLS];
bool read[CELLS];
byte credit = HELD;
bool producerDead;
bool consumerDead;

active proctype Fate() {
end:if
    :: producerDead = true
    :: consumerDead = true
    fi
}

inline store_cell(position) {
    d_step { assert(!read[INDEX(position)]); written[INDEX(position)] = true }
    d_step { cell[INDEX(position)] = position; written[INDEX(position)] = false }
}

active proctype Producer() {
    byte position;
    {
end:    do
#ifdef MUTANT_MORE_THAN_CELLS
        :: true ->
#else
        :: d_step { credit > 0 -> credit-- }
#endif
#ifdef MUTANT_TAIL_BEFORE_CELL
            tail = NEXT(position);
            store_cell(position);
#else
            store_cell(position);
            tail = NEXT(position);   /* releases the cell to the consumer's load of tail */
#endif
            position = NEXT(position)
        od
    } unless { producerDead }
}

inline reclaim() {
    limit = tail;                    /* acquires the cells below it */
#ifdef MUTANT_TAKES_ONE_MORE
    limit = NEXT(limit);
#endif
    assert(DISTANCE(limit, head) <= CELLS);
    do
    :: head != limit ->
        d_step { assert(!written[INDEX(head)]); read[INDEX(head)] = true }
        d_step {
            read[INDEX(head)] = false;
            assert(cell[INDEX(head)] == head);   /* in order, none lost, none twice */
            head = NEXT(head);
#ifndef MUTANT_MORE_THAN_CELLS
            credit++
#endif
        }
    :: else -> break
    od
}

active proctype Consumer() {
    byte head;
    byte limit;
    {
        do
        :: reclaim()
        :: producerDead ->
#ifndef MUTANT_NO_LAST_LOOK
            reclaim();               /* what came before the notice of death */
#endif
            assert(head == tail);
#ifndef MUTANT_MORE_THAN_CELLS
            assert(credit >= HELD - 1);   /* at most the one that it was about to give back */
#endif
            break
        od
    } unless { consumerDead }
}
