export { Link, type LinkOptions } from './link.js';
