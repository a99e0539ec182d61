/**
 * Ships classes: finds the module that declares one, bundles it, and makes the class in a process that never saw its file; and the
 * data that goes with it. What is heavy (esbuild, acorn, the inspector) is loaded with the first bundle.
 */
export { bundle, writtenIn, type Bundle } from './bundle.ts';
export { decodeData, encodeData } from './data.ts';
export { fieldsOf, revive, type Fields } from './fields.ts';
export { has, load, type Shipment } from './load.ts';
export { reasonOf } from './refusal.ts';
export { installRuntime } from './runtime.ts';
export { keepCode as keep } from './store.ts';
