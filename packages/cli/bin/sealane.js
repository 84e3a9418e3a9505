#!/usr/bin/env node
// The `sealane` command as npm links it: a file that is there before anything is built.
import '../dist/main.js';
