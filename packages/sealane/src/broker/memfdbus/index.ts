/** The listener for programs that speak memfdbus v1. */
export { MemfdbusListener } from './listener.js';
