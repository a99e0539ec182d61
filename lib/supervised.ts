/**
 * Loaded by `node --import` in front of a program that a supervisor has started: the process ends with its supervisor, also while its
 * JavaScript is stuck in a loop. Not a part of the public API.
 */
import { isMainThread } from 'node:worker_threads';
import { native } from './native.ts';
// Takes the mark of a supervised process away, before anything is started that would inherit it.
import './supervision.ts';

/** How long the process may take to end by itself when its supervisor is gone, in milliseconds; set by the supervisor. */
const DRAIN = 'TROUPE_DRAIN_MS';

const drain = Number(process.env[DRAIN]);

// Threads and child processes load this as well; the supervisor's pipe is the first process's alone, which takes the mark away.
if (isMainThread && drain >= 0) {
  delete process.env[DRAIN];
  native.watchOwner(drain);
}
