/*
 * Positions of a ring: they count up and wrap, in the models after POSITIONS instead of 2^32. POSITIONS is a multiple of
 * CELLS. As int32 arithmetic in the program, a distance of half of POSITIONS or more is a negative one.
 */
#define NEXT(position) ((position + 1) % POSITIONS)
#define DISTANCE(to, from) ((to + POSITIONS - from) % POSITIONS)
#define IS_NEGATIVE(distance) ((distance) >= POSITIONS / 2)
#define INDEX(position) ((position) % CELLS)
