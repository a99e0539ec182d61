// Channels, links and the table of peers: who is let in, and what a link takes in and keeps.
const hostile = 'cargo test -p troupe-node --test hostile';
const links = 'cargo test -p troupe-node --test link';
const unread = 'cargo test -p troupe-node --test hostile never_reads';
const zones = 'cargo test -p troupe-node --test hostile stranger';
const inside = (module) => `cargo test -p troupe-node --lib ${module}`;

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks in `crates/node/src/channel.rs`, `link/` and `zone/`. */
export const channel = [
  ...from('crates/node/src/channel.rs', hostile, [
    [
      'any member may answer a dial',
      'Handshake::initiate(membership, Some(expect), now)?',
      'Handshake::initiate(membership, (expect == membership.node_id()).then_some(expect), now)?',
    ],
    [
      'a first record may hold more than HELLO and RESUME',
      'Decoded::Whole(frame) => opening.read(&frame, incarnation)?,',
      'Decoded::Whole(frame) => drop(opening.read(&frame, incarnation)),',
    ],
    [
      'an unreadable first record passes',
      'match decoded.map_err(SessionError::from)? {',
      'let Ok(decoded) = decoded else { break };\n        match decoded {',
    ],
  ]),
  ...from('crates/node/src/zone/accept.rs', hostile, [
    [
      'who stalls on the way to a channel stays',
      'let result = time::timeout(OPENING_LIMIT, let_in(&shared, socket)).await;',
      'let result: Result<_, time::error::Elapsed> = Ok(let_in(&shared, socket).await);',
    ],
  ]),
  ...from('crates/node/src/zone/accept.rs', zones, [
    ['a full house turns nobody out', '        oldest.abort();\n', '        drop(oldest);\n'],
  ]),
  ...from('crates/node/src/line_limit.rs', inside('line_limit'), [
    ['each refusal is a line', 'if self.lines == 0 {', 'if self.lines == u64::MAX {'],
    ['lines that were not used are saved', '.min(BURST)', ''],
    ['refusals that are not listed are forgotten', '            self.untold += 1;\n', ''],
  ]),
  ...from('crates/node/src/zone/half_open.rs', inside('half_open'), [
    ['one address may take all places', 'if of_address >= PER_ADDRESS && !from.ip().is_loopback() {', 'if false {'],
    ['the nodes of one machine share eight places', ' && !from.ip().is_loopback()', ''],
    ['there are places without end', 'else if self.under_way.len() >= IN_ALL {', 'else if false {'],
    [
      'a handshake that ended keeps its place',
      'self.under_way.retain(|(other, ..)| *other != number);',
      'let _ = number;',
    ],
  ]),
  ...from('crates/node/src/link/assembly.rs', inside('assembly'), [
    ['a body in pieces may have any length', 'if total > self.max_message {', 'if false {'],
    ['any number of bodies may be in pieces', 'self.parts.len() >= self.max_parts || ', ''],
    ['bodies in pieces may have any length together', ' || self.bytes + total > self.max_bytes', ''],
    [
      'two bodies may have one number',
      'if self.parts.insert(pieces.id, part).is_some() {',
      'if self.parts.insert(pieces.id, part).is_some_and(|_| false) {',
    ],
    ['a body may get longer than it said', 'len > part.total || ', ''],
    ['a body may end early or go on', 'last != (len == part.total)', 'false'],
    ['a body that is done keeps its room', '        self.bytes -= part.total;\n', ''],
    [
      'what is announced is allocated',
      'let room = part.total.min((part.body.capacity() * 2).max(FIRST_BYTES)).max(len);',
      'let room = part.total;',
    ],
  ]),
  ...from('crates/node/src/link/reader.rs', hostile, [
    [
      'a peer may send beyond its window',
      'self.received.admit(flow, cost, || link.announced(flow))?;\n                }\n                self',
      '{ let _ = cost; }\n                }\n                self',
    ],
    [
      'a body in pieces may begin beyond the window',
      'if let Some((flow, cost)) = cost {',
      'if let Some((flow, cost)) = cost.filter(|_| false) {',
    ],
    ['text in pieces may be anything', '                    frame.with_body(&part.body)?;\n', ''],
    [
      'a CLOSE may come with frames missing',
      '                self.received.on_close(*last)?;\n',
      '                let _ = last;\n',
    ],
    [
      'frames that begin a session pass in its middle',
      '_ => return Err(SessionError::OutOfPlace("it sent a frame that only begins a session").into()),',
      '_ => {}',
    ],
    [
      'frames that can not be read are passed over',
      'receiving.take(decoded?, link, events)?;',
      'let Ok(decoded) = decoded else { break };\n                receiving.take(decoded, link, events)?;',
    ],
    [
      'an acknowledgement of what was not sent passes',
      'Frame::Ack { count } => link.on_ack(*count)?,',
      'Frame::Ack { count } => drop(link.on_ack(*count)),',
    ],
    ['a window that moves back passes', 'link.on_window(*flow, *offset)?,', 'drop(link.on_window(*flow, *offset)),'],
  ]),
  ...from('crates/node/src/link/reader.rs', links, [
    [
      'a record that does not open is passed over',
      'let plaintext = self.key.open_in_place(&mut self.buffer[begin..begin + length])?;\n            self.start = begin + length;',
      'self.start = begin + length;\n            let Ok(plaintext) = self.key.open_in_place(&mut self.buffer[begin..begin + length]) else { continue };',
    ],
  ]),
  ...from('crates/node/src/link/queue.rs', links, [
    ['a message longer than the peer takes is queued', 'if body_len > self.max_message {', 'if false {'],
    ['replies that a peer does not take in are kept without end', '> KEPT_BYTES {', '> usize::MAX {'],
    ['the peer’s window holds nothing back', '|| !self.session.may_start(flow) => Some(flow)', '=> Some(flow)'],
  ]),
  ...from('crates/node/src/link/own.rs', inside('own'), [
    [
      'every ACK is kept for a peer that does not read',
      'if let Some(count) = ack.take() {',
      'for count in 1..=ack.take().unwrap_or(0) {',
    ],
    ['any number of PONGs wait', 'let takes = self.pongs.len() < MOST_PONGS;', 'let takes = true;'],
  ]),
  ...from('crates/node/src/link/mod.rs', 'cargo test -p troupe-node --test session all_the_records', [
    [
      'a key is used until it ends',
      'if is_nearly_used_up && !*self.renewal_due.borrow() {',
      'if is_nearly_used_up && false {',
    ],
  ]),
  ...from('crates/node/src/link/batch.rs', unread, [
    ['a peer may let any number of answers pile up', 'if self.queue.owed() > OWED_BYTES {', 'if false {'],
  ]),
  ...from('crates/node/src/link/mod.rs', unread, [
    [
      'answers that pile up are the peer’s to keep',
      'self.is_overdue.load(Ordering::SeqCst).then(|| {',
      'false.then(|| {',
    ],
  ]),
  ...from('crates/node/src/link/room.rs', inside('room'), [
    ['a room takes any number of bytes', 'taken == 0 || taken + bytes <= self.most', 'taken <= self.most'],
    ['what takes more than all the room finds none', 'taken == 0 || ', ''],
  ]),
  ...from('crates/node/src/link/row.rs', unread, [
    ['frames that pass no window count for nothing', 'let owed = if is_owed { len } else { 0 };', 'let owed = 0;'],
  ]),
  ...from('crates/node/src/link/held.rs', unread, [
    [
      'failures that wait for the window count for nothing',
      'if self.is_owed { self.len + size_of::<Self>() } else { 0 }',
      '0',
    ],
  ]),
  ...from('crates/node/src/link/lanes.rs', hostile, [
    ['more bodies are begun than the peer puts together', 'if self.begun >= self.max_begun || !fits ||', 'if !fits ||'],
  ]),
  ...from('crates/node/src/link/lanes.rs', links, [
    [
      'more bytes are begun than the peer puts together',
      'if self.begun >= self.max_begun || !fits ||',
      'if self.begun >= self.max_begun ||',
    ],
  ]),
  ...from('crates/node/src/link/run.rs', links, [
    ['a link outlives its credentials', '                        link.close(CloseReason::Expired);\n', ''],
  ]),
  ...from('crates/node/src/link/dates.rs', inside('dates'), [
    ['no channel follows before the credentials are over', 'RENEWAL.min(left / 2)', 'RENEWAL'],
  ]),
  ...from('crates/node/src/link/mod.rs', links, [
    [
      'a link is never full',
      'if self.queued_bytes() < FULL_BYTES {\n            return false;',
      'if self.queued_bytes() < usize::MAX {\n            return false;',
    ],
  ]),
  ...from('crates/node/src/zone/credentials.rs', inside('credentials'), [
    ['a credential is not renewed', 'if now >= half || now < credential.not_before() {', 'if false {'],
    ['the clock goes back', 'wall.max(wall_then + steady.saturating_sub(steady_then).as_secs())', 'wall'],
  ]),
];
