// What is checked of the models in spec/models: the sizes and variants of each, and the mutants that spin must find. Every mutant
// breaks one rule of the algorithm; a model that still holds then would prove nothing.

/** Several subscribers: what acts as one step is one, or there would be too many states. */
const TWO = ['SUBSCRIBERS=2', 'CELLS=1', 'LIMIT=1', 'POSITIONS=2', 'COARSE=1', 'EAGER=0'];
const HOSTILE = ['SUBSCRIBERS=2', 'CELLS=1', 'LIMIT=1', 'POSITIONS=4', 'COARSE=1', 'HISTORY=0', 'HOSTILE'];
const ONE = ['POSITIONS=4'];

/** A mutant without `defines` is tried in the default sizes. `formulas` are checked too, with weak fairness. */
export const MODELS = [
  {
    name: 'ring',
    variants: [[], ['CELLS=4', 'HELD=3'], ['CELLS=4', 'HELD=4']],
    mutants: {
      MORE_THAN_CELLS: [],
      TAIL_BEFORE_CELL: [],
      TAKES_ONE_MORE: [],
      NO_LAST_LOOK: [],
    },
  },
  {
    name: 'overflow-ring',
    variants: [
      [],
      ['LIMIT=1'],
      ['CELLS=4', 'LIMIT=3'],
      ['OVERFLOW=0'],
      ['OVERFLOW=0', 'LIMIT=1'],
      ['OVERFLOW=0', 'CELLS=4', 'LIMIT=3'],
    ],
    mutants: {
      GIVE_WAY_BY_STORE: [],
      GIVE_WAY_UNCHECKED: [],
      TAKE_BY_STORE: [],
      TAIL_BEFORE_CELL: [],
      CELL_AFTER_EXCHANGE: [],
      CACHED_TAIL: [],
      CHECKED_EARLY: [],
      WRONG_LIMIT: [],
      NO_LIMIT: ['OVERFLOW=0'],
      NO_LAST_LOOK: [],
    },
  },
  {
    name: 'slot-pool',
    variants: [
      ONE,
      ['POSITIONS=4', 'CELLS=1', 'LIMIT=1', 'BORROWED=2', 'EAGER=0'],
      ['POSITIONS=4', 'CELLS=1', 'LIMIT=1', 'OVERFLOW=0'],
      TWO,
      HOSTILE,
    ],
    mutants: {
      ONE_SLOT_LESS: ['POSITIONS=4', 'HISTORY=0'],
      BORROWS_ONE_MORE: ONE,
      DEATH_KEEPS_SLOTS: ONE,
      GIVE_WAY_BY_STORE: ONE,
      GIVE_WAY_FREES: TWO,
      TAKE_BY_STORE: ONE,
      READ_AFTER_RELEASE: ONE,
      HISTORY_NOT_COUNTED: ONE,
      ACCUSED_WHEN_FULL: ONE,
      RECLAIM_UNCHECKED: HOSTILE,
      GIVE_WAY_UNCHECKED: HOSTILE,
      NO_COUNT: HOSTILE,
    },
  },
  {
    name: 'wake',
    variants: [[], ['BORROWED=1'], ['OVERFLOW=1'], ['LIMIT=2', 'POSITIONS=4'], ['LIMIT=3', 'POSITIONS=8']],
    formulas: ['taken', 'goesOn'],
    mutants: {
      NO_SECOND_LOOK_AT_TAIL: [],
      NO_SECOND_LOOK_AT_HEAD: [],
      FLAG_BEFORE_TAIL: [],
      FLAG_CLEARED_AFTER_BYTE: [],
      BYTES_READ_BEFORE_POLL: [],
      WOKEN_BY_RELEASE: [],
      WOKEN_BELOW_HALF: [],
      NO_LAST_LOOK: [],
    },
    formulaMutants: { WOKEN_BY_RELEASE: 'goesOn', NO_SECOND_LOOK_AT_TAIL: 'taken' },
  },
  {
    name: 'returns',
    variants: [[], ['WAITERS=1'], ['BORROWED=1'], ['SLOTS=3', 'LIMIT=2'], ['SLOTS=1']],
    mutants: {
      NO_SECOND_LOOK: [],
      WORD_BEFORE_RELEASE: [],
      CLEARED_AFTER_BYTE: [],
      WOKEN_BY_TAKE: [],
      ARMED_NOT_REFRESHED: [],
      RINGS_SENDER_ONLY: [],
      DEATH_NOT_TOLD: [],
    },
  },
  {
    name: 'event-set',
    variants: [
      [],
      ['PER_WORD=2'],
      ['IDS=1', 'HALF=2', 'MOST=5'],
      ['DESCRIPTOR=1'],
      ['WAKES_ALWAYS=0'],
      ['WAKES_ALWAYS=0', 'DESCRIPTOR=1'],
    ],
    formulas: ['told'],
    mutants: {
      LOW_BEFORE_HIGH: [],
      HIGH_READ_ONCE: [],
      LOW_OF_OLD_HIGH: [],
      MARKED_BEFORE_COUNTED: [],
      MARK_NOT_LOOKED_AT: [],
      CLEARED_BY_STORE: [],
      CLEARED_AFTER_READ: [],
      WAITING_BEFORE_MARK: [],
      WAITING_CLEARED_AFTER_BYTE: [],
      NO_SECOND_LOOK: [],
      BYTES_READ_BEFORE_POLL: [],
      BYTES_READ_AFTER_LOOK: ['DESCRIPTOR=1'],
      NO_LAST_LOOK: [],
      GOODBYE_AFTER_CLOSE: [],
    },
    formulaMutants: { NO_SECOND_LOOK: 'told' },
  },
];
