// All trials, by family.
import type { Trial } from '../trial.js';
import { PATHS } from './paths.js';
import { SIGNALS } from './signals.js';

export const TRIALS: readonly Trial[] = [...PATHS, ...SIGNALS];
