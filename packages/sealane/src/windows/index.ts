export type { RangeAccess as WindowAccess } from '../os/address-range.js';
export { type MapOptions, Window, type WindowMapping, type WindowOverOptions } from './window.js';
