// Frames and sessions: what a member that misbehaves could make this node take in.
const codec = 'cargo test -p troupe-proto --lib codec';
const frame = 'cargo test -p troupe-proto --test frames';
const counting = 'cargo test -p troupe-proto --lib session';
const random = 'cargo test -p troupe-proto --test session';
const texts = 'cargo test -p troupe-proto --lib text';

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks in `crates/proto/src/codec` and `crates/proto/src/session`. */
export const frames = [
  ...from('crates/proto/src/codec/decode.rs', frame, [
    [
      'a frame may state more than its record holds',
      'rest.get(..len).ok_or(CodecError::Truncated)?',
      'rest.get(..len).unwrap_or(rest)',
    ],
    [
      'a piece may be empty',
      'if reader.rest.is_empty() {\n                return Err(CodecError::Malformed("a piece',
      'if false {\n                return Err(CodecError::Malformed("a piece',
    ],
    [
      'a PONG may hold any times',
      'return Err(CodecError::Malformed("a PONG frame does not hold at most 64 whole times"));',
      '',
    ],
    ['a PONG may tell of any number of isolates', ' || turns.len() > PONG_TURNS_MAX * 4', ''],
    ['a name may be empty', 'bytes.is_empty() || bytes.len() > NAME_MAX', 'bytes.len() > NAME_MAX'],
    ['a name may be long', ' || bytes.len() > NAME_MAX', ''],
    ['a name may hold anything', ' || !bytes.iter().all(plain)', ''],
    ['a body in pieces may have no length', 'if pieces.total == 0 {', 'if false {'],
    ['a head may hold a part of its body', '            self.end()?;\n            if pieces', '            if pieces'],
    [
      'text may be anything',
      'Body::Text(Text::from_wire(self.rest).ok_or(CodecError::BadText)?)',
      'Body::Text(Text::from_checked(self.rest))',
    ],
    [
      'CLOSE may give any reason',
      '_ => return Err(CodecError::Malformed("a CLOSE frame gives no known reason")),',
      '_ => CloseReason::NodeStops,',
    ],
    [
      'RESET may give any reason',
      '_ => return Err(CodecError::Malformed("a RESET frame gives no known reason")),',
      '_ => ResetReason::Expired,',
    ],
    [
      'CREDIT may be of any kind',
      '_ => return Err(CodecError::Malformed("a CREDIT frame is of no known kind")),',
      '_ => CreditKind::Ask,',
    ],
    [
      'a numbered frame may be longer than its content',
      '    check_flags(frame_kind, flags, allowed)?;\n    reader.end()?;\n    Ok(frame)\n}\n\n/// The frames of the session',
      '    check_flags(frame_kind, flags, allowed)?;\n    Ok(frame)\n}\n\n/// The frames of the session',
    ],
    [
      'a frame of the session may be longer than its content',
      '    check_flags(frame_kind, flags, allowed)?;\n    reader.end()?;\n    Ok(frame)\n}\n\nfn close_reason',
      '    check_flags(frame_kind, flags, allowed)?;\n    Ok(frame)\n}\n\nfn close_reason',
    ],
  ]),
  ...from('crates/proto/src/codec/decode.rs', codec, [
    ['flags of all frames are taken as they come', 'if flags & !allowed == 0 {', 'if true {'],
    [
      'a message may go to no known target',
      '_ => return Err(CodecError::UnknownFlags { kind: kind::MSG, flags }),',
      '_ => Target::Control,',
    ],
    [
      'an unknown numbered frame passes',
      'kind::EMPTY => Frame::Empty,\n        _ => return Err(CodecError::UnknownKind(frame_kind)),',
      'kind::EMPTY => Frame::Empty,\n        _ => Frame::Empty,',
    ],
    [
      'an unknown frame of the session passes',
      'last: reader.u64()? },\n        _ => return Err(CodecError::UnknownKind(frame_kind)),',
      'last: reader.u64()? },\n        _ => Frame::Ping { token: 0 },',
    ],
  ]),
  ...from('crates/proto/src/codec/extensions.rs', frame, [
    ['extensions may be long', 'if bytes.len() > EXTENSIONS_MAX {', 'if false {'],
    [
      'an extension may be cut off',
      'if rest.is_empty() {\n            Ok(Self(bytes))',
      'if true {\n            Ok(Self(bytes))',
    ],
  ]),
  ...from('crates/proto/src/codec/mod.rs', frame, [
    [
      'text in pieces may be anything',
      'Body::Text(_) => Body::Text(Text::from_wire(bytes).ok_or(CodecError::BadText)?),',
      'Body::Text(_) => Body::Text(Text::from_checked(bytes)),',
    ],
  ]),
  ...from('crates/proto/src/codec/mod.rs', codec, [
    ['an empty message costs nothing', '.saturating_add(FLOW_OVERHEAD)', ''],
    [
      'replies have no window',
      'Frame::Reply(_) | Frame::Fail(_) => Some(Flow::Replies),',
      'Frame::Fail(_) => Some(Flow::Replies),',
    ],
  ]),
  ...from('crates/proto/src/text.rs', texts, [
    ['a surrogate pair may come in two halves', 'if low && after_high && valid.is_empty() {', 'if false {'],
    [
      'broken text is text',
      'return false;\n                };\n                let low',
      'return true;\n                };\n                let low',
    ],
  ]),
  ...from('crates/proto/src/session.rs', counting, [
    ['an acknowledgement may go back', 'count < self.acknowledged || count > self.sent', 'count > self.sent'],
    [
      'frames may be acknowledged that were not sent',
      'count < self.acknowledged || count > self.sent',
      'count < self.acknowledged',
    ],
    ['a window may move back', 'if offset < window.limit {', 'if false {'],
    ['the peer’s window holds nothing back', 'window.started < window.limit', 'window.started < u64::MAX'],
  ]),
  ...from('crates/proto/src/session.rs', random, [
    [
      'a window that is free is not told of',
      'window.announced = window.consumed + window.size;',
      'window.announced = window.consumed;',
    ],
  ]),
  ...from('crates/proto/src/session/received.rs', counting, [
    [
      'the peer may start beyond its window',
      'if *started >= *limit {\n                return',
      'if false {\n                return',
    ],
    ['what starts does not count', '        *started += u64::from(cost);\n', ''],
    ['a close after a gap is an end', 'if last == self.owned {', 'if last >= self.owned {'],
  ]),
  ...from('crates/proto/src/session/opening.rs', counting, [
    [
      'a HELLO may leave no room for a message',
      'let usable = terms.max_message > 0\n',
      'let usable = terms.max_message < u32::MAX\n',
    ],
    ['a HELLO may put together less than a message', '            && terms.max_reassembly >= terms.max_message\n', ''],
    ['a HELLO may take no pieces', '            && terms.max_pieces > 0\n', ''],
    ['a HELLO may have no windows', '            && terms.windows.iter().all(|size| *size > 0);', ';'],
    ['a RESUME may name another incarnation', 'if resume.incarnation != incarnation {', 'if false {'],
    ['a RESUME may name session 0', 'if resume.session == 0 {', 'if false {'],
    ['a RESUME may name any session', 'if resume.session > MAX_SESSION {', 'if false {'],
    [
      'a RESUME may go on with a session that does not',
      'resume.course != Course::GoesOn && resume.next_expected != 0',
      'false',
    ],
    [
      'anything may come before HELLO and RESUME',
      '_ => return Err(SessionError::OutOfPlace("it did not begin with HELLO and RESUME")),',
      '_ => {}',
    ],
  ]),
];
