/**
 * `troupe`: workers with a name, a mailbox and private state, on one node or many. This file is the public API:
 * what it exports is what the package offers; everything else under `lib/` is its own business.
 *
 * @packageDocumentation
 */
export {};
