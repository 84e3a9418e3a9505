export { FlightShare } from './flight.js';
export { Link, type LinkOptions } from './link.js';
