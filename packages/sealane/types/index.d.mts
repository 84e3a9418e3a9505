// The declarations for `import`: those for `require`, so that a program with both has one type for each thing.
export * from '../cjs/index.js';
