/**
 * Spans of messages by OpenTelemetry, where the program has set it up: one for what is sent or asked, one for its handler. The
 * conventions are those for messaging; docs/tracing.md says which attributes there are.
 */
import type * as Api from '@opentelemetry/api';
import { emitError, emitWarn } from './log.ts';
import type { Cell, Handling } from './port/cell.ts';
import { carried, carrying, type End, following, type Kind, type Tracer, traceWith } from './port/trace.ts';

/** Under which every copy of version 1 of the API keeps what a program has registered. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');
const SYSTEM = 'troupe';

let isSettled = false;

/**
 * Traces from here on, if the program has registered a tracer provider. A program without one never looks for the package; in one that
 * has, it is loaded already.
 */
export async function traceIfRegistered(): Promise<void> {
  if (isSettled) return;
  const registered = (globalThis as { [REGISTERED]?: { trace?: unknown } })[REGISTERED];
  if (registered?.trace === undefined) return;
  isSettled = true;
  try {
    traceWith(new Spans(await import('@opentelemetry/api')));
  } catch (error) {
    const what =
      'spans are wanted, and @opentelemetry/api can not be loaded from where troupe is; install it beside troupe';
    emitWarn('node', what, { error });
  }
}

class Spans implements Tracer {
  readonly #api: typeof Api;
  readonly #tracer: Api.Tracer;
  #hasFailed = false;

  constructor(api: typeof Api) {
    this.#api = api;
    this.#tracer = api.trace.getTracer(SYSTEM);
  }

  hand<T extends Promise<unknown>>(kind: Kind, from: Cell, to: string, hand: () => T): T {
    const { SpanKind, context, trace } = this.#api;
    const active = context.active();
    // What runs where the context got lost still knows the trace of the message that it handles.
    const parent = trace.getSpan(active) === undefined ? this.#within(active, carried) : active;
    const span = this.#start(kind, to, kind === 'send' ? SpanKind.PRODUCER : SpanKind.CLIENT, from, parent);
    if (span === undefined) return hand();
    const outcome = carrying(this.#traceOf(span, parent), hand);
    outcome.then(
      () => this.#end(span, undefined),
      (thrown: unknown) => this.#end(span, { thrown }),
    );
    return outcome;
  }

  handle(cell: Cell, handling: Handling, run: () => unknown): unknown {
    const { ROOT_CONTEXT, SpanKind, context, trace } = this.#api;
    // Not what is active now: a turn runs where the first of its messages was sent.
    const parent = this.#within(ROOT_CONTEXT, handling.trace);
    const span = this.#start('process', cell.name, SpanKind.CONSUMER, cell, parent);
    if (span === undefined) return run();
    handling.trace = this.#traceOf(span, parent);
    return following(
      () => context.with(trace.setSpan(parent, span), run),
      (end) => this.#end(span, end),
    );
  }

  #within(context: Api.Context, traceparent: string | undefined): Api.Context {
    if (traceparent === undefined) return context;
    return this.#api.trace.setSpanContext(context, {
      traceId: traceparent.slice(3, 35),
      spanId: traceparent.slice(36, 52),
      traceFlags: Number.parseInt(traceparent.slice(53), 16),
      isRemote: true,
    });
  }

  /** What a message carries that belongs to a span; the trace that the span would have belonged to, where nothing is recorded. */
  #traceOf(span: Api.Span, parent: Api.Context): string | undefined {
    const { trace } = this.#api;
    const own = span.spanContext();
    const context = trace.isSpanContextValid(own) ? own : trace.getSpanContext(parent);
    if (context === undefined || !trace.isSpanContextValid(context)) return undefined;
    const { traceId, spanId, traceFlags } = context;
    return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`;
  }

  /** `undefined`: a span can't be had, and the message goes its way without one. */
  #start(
    name: Kind | 'process',
    destination: string,
    kind: Api.SpanKind,
    cell: Cell,
    parent: Api.Context,
  ): Api.Span | undefined {
    try {
      const attributes = {
        'messaging.system': SYSTEM,
        'messaging.operation.name': name,
        'messaging.operation.type': name === 'process' ? name : 'send',
        'messaging.destination.name': String(destination),
        'messaging.client.id': (cell.owner as { readonly name: string }).name,
        'messaging.troupe.worker': cell.name,
      };
      return this.#tracer.startSpan(`${name} ${destination}`, { kind, attributes }, parent);
    } catch (error) {
      this.#report(error);
      return undefined;
    }
  }

  #end(span: Api.Span, end: End): void {
    try {
      if (end !== undefined) this.#fail(span, end.thrown);
      span.end();
    } catch (error) {
      this.#report(error);
    }
  }

  #fail(span: Api.Span, thrown: unknown): void {
    const isError = thrown instanceof Error;
    const code = isError ? (thrown as { code?: unknown }).code : undefined;
    const type = typeof code === 'string' ? code : isError ? thrown.name : '_OTHER';
    const message = isError ? thrown.message : `${typeof thrown} thrown`;
    span.recordException(isError ? thrown : message);
    span.setAttribute('error.type', type);
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message });
  }

  /** A tracer that fails does so for every message: that it does is said once. */
  #report(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    emitError('node', 'the tracer of OpenTelemetry failed; messages go on without their spans', { error });
  }
}
