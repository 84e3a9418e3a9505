/** The audit's face: for the rest of the broker, and for programs that embed one. */
export { AuditFile } from './file.js';
export { AuditLog, type AuditOptions, type AuditOverflow, checkAuditOptions } from './log.js';
export type { AuditOperation, AuditRecord, AuditResult, AuditSelector } from './record.js';
export { NOTHING, resultOf } from './record.js';
export type { AuditSink, AuditWritten } from './sink.js';
export { recordRefusal, Trail } from './trail.js';
