// Traces: what strangers and peers may name as one, and what must not come between messages and those who listen.
const text = 'cargo test -p troupe-proto --lib codec::traceparent';
const hostile = 'cargo test -p troupe-node --test hostile a_trace_that_is_none';
const link = 'cargo test -p troupe-node --test session resume';
const traces = 'ava __test__/tracing.spec.ts';
const spans = 'ava __test__/spans.spec.ts';

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks of traces, and of what keeps tracing apart from messages. */
export const tracing = [
  ...from('crates/proto/src/codec/traceparent.rs', text, [
    ['a trace of any version is taken from a peer', 'text.starts_with(b"00-")\n            && ', ''],
    ['the number of a trace may be zero', " && digits.iter().any(|digit| *digit != b'0')", ''],
    ['a trace may hold anything for digits', "matches!(byte, b'0'..=b'9' | b'a'..=b'f')", 'byte.is_ascii()'],
    ['the version ff is one', ' && !known.starts_with(b"ff")', ''],
    ['a later version may go on with anything', '!(more.is_empty() || more.starts_with(b"-"))', 'false'],
    ['flags of a later version are taken over', 'if is_sampled == 1 { b"01" } else { b"00" }', 'b"ff"'],
  ]),
  ...from('crates/proto/src/codec/traceparent.rs', hostile, [
    ['whatever a peer names is a trace', 'is_valid.then(|| Self::of(text))', 'Some(Self::of(text))'],
  ]),
  ...from('crates/proto/src/codec/encode.rs', link, [
    ['the way to another node loses the trace', 'flags |= kind::MSG_EXTENSIONS;', ''],
  ]),
  ...from('crates/http/src/calls.rs', traces, [
    ['of two headers the first is the trace', '.filter(|_| traces.next().is_none())', ''],
  ]),
  ...from('lib/port/trace.ts', traces, [
    [
      'what is sent after a message of a trace belongs to that too',
      '  } finally {\n    carried = before;\n  }',
      '  } finally {\n    carried ??= before;\n  }',
    ],
  ]),
  ...from('lib/port/send.ts', traces, [['a trace does not leave the isolate', '  putTrace(traceparent);\n', '']]),
  ...from('lib/telemetry.ts', traces, [
    ['the API of OpenTelemetry is loaded by all', 'if (registered?.trace === undefined) return;', ''],
  ]),
  ...from('lib/telemetry.ts', spans, [
    ['a handler runs where its message was not sent', 'this.#within(ROOT_CONTEXT, handling.trace)', 'context.active()'],
    ['a tracer that fails fails the message', 'this.#report(error);\n      return undefined;', 'throw error;'],
    ['each failure of a tracer is reported', 'if (this.#hasFailed) return;', ''],
  ]),
];
