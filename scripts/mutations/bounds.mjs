// What an isolate keeps: mailboxes, lines, open requests, places promised to peers.
const port = 'cargo test -p troupe-node --test bounds';
const hostile = 'cargo test -p troupe-node --test hostile member';
const named = 'cargo test -p troupe-node --test hostile names';
const inside = (module) => `cargo test -p troupe-node --lib ${module}`;

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the bounds in `crates/node/src/port`, and of what stands before it in `crates/node/src/node`. */
export const bounds = [
  ...from('crates/node/src/port/mailbox.rs', port, [
    ['a mailbox takes any number of messages', 'self.room() > 0 && (', '('],
    ['a mailbox takes any number of bytes', ' <= MAILBOX_BYTES)', ' <= u32::MAX)'],
  ]),
  ...from('crates/node/src/port/line.rs', port, [
    ['lines hold any number of messages', 'waiting.0 >= LINE_MESSAGES || ', ''],
    [
      'lines hold any number of bytes',
      'waiting.1 + size as usize > LINE_BYTES',
      'waiting.1 + size as usize > usize::MAX',
    ],
    ['what waits in a line does not count', '        self.waiting.0 += 1;\n', ''],
    ['bytes that wait in a line do not count', '        self.waiting.1 += letter.size as usize;\n', ''],
  ]),
  ...from('crates/node/src/port/route.rs', port, [
    ['lines are never full', '} else if super::line::is_full(waiting, letter.size) {', '} else if false {'],
    [
      'a worker waits for room in its own mailbox',
      'letter.sender == (handle.slot, handle.generation)',
      'letter.sender == (NIL, handle.generation)',
    ],
    ['a mailbox that refuses lets wait', '            || slot.overflow == super::Overflow::Reject\n', ''],
  ]),
  ...from('crates/node/src/port/dead_letter.rs', inside('dead_letter'), [
    [
      'each loss is a line',
      'logged.swap(second, Ordering::Relaxed) != second',
      'logged.swap(second, Ordering::Relaxed) <= u64::MAX',
    ],
  ]),
  ...from('crates/node/src/port/line.rs', inside('line'), [
    [
      'a full line is told as a full mailbox at a target',
      'return self.refuse_with(letter, Failure::full(full::LINE), Reason::MailboxFull);',
      'return self.refuse(letter, crate::code::MAILBOX_FULL, Reason::MailboxFull);',
    ],
    [
      'the line for a worker of another node is never full',
      "guest: Option<Handle>, letter: Letter<'_>) {\n        if is_full(self.waiting, letter.size) {",
      "guest: Option<Handle>, letter: Letter<'_>) {\n        if false {",
    ],
  ]),
  ...from('crates/node/src/port/route.rs', port, [
    [
      'a full line is told as a full mailbox',
      'self.refuse_with(letter, Failure::full(full::LINE), Reason::MailboxFull);',
      'self.refuse(letter, code::MAILBOX_FULL, Reason::MailboxFull);',
    ],
  ]),
  ...from('crates/node/src/port/arrivals.rs', inside('arrivals'), [
    [
      'a node that takes no more requests is told as a full mailbox',
      'failure.stage = full::THERE as u8;',
      'failure.stage = 0;',
    ],
  ]),
  ...from('crates/node/src/port/request.rs', port, [
    ['any number of requests may be open', 'if id >= MAX_OPEN || generation == 0 {', 'if generation == 0 {'],
    [
      'a number in use is used again',
      'if request.generation != 0 {\n            return false;',
      'if false {\n            return false;',
    ],
  ]),
  ...from('crates/node/src/port/request.rs', inside('request'), [
    [
      'any number of requests of peers may be open',
      'None if self.inbound.len() >= MAX_OPEN as usize => return None,',
      '',
    ],
    ['a stale number finds the next request', 'generation != 0 && request.generation == generation', 'generation != 0'],
  ]),
  ...from('crates/node/src/port/mod.rs', port, [
    ['a stale handle finds the next worker', 'slot.generation == handle.generation && slot.state', 'slot.state'],
  ]),
  ...from('crates/node/src/port/remote.rs', inside('remote'), [
    ['a peer needs no place', 'if grant.places == 0 || grant.bytes <= 0 {', 'if grant.bytes <= 0 {'],
    ['a peer needs no bytes', 'if grant.places == 0 || grant.bytes <= 0 {', 'if grant.places == 0 {'],
    ['a peer gives back what it does not have', 'let places = places.min(grant.places);', ''],
    ['more places are granted than there are', '.max(ahead).min(room);', '.max(ahead);'],
    ['a peer that asks much gets all', 'wanted.clamp(1, GRANT)', 'wanted.max(1)'],
    [
      'places of a peer that is gone stay promised',
      'swap_remove(index).places;\n        self.promised -= places;',
      'swap_remove(index).places;',
    ],
  ]),
  ...from('crates/node/src/port/arrivals.rs', named, [
    ['a peer may tell any number of names', 'if !peer.names.hear(handle) {', 'if peer.names.hear(handle) && false {'],
    [
      'the end of a worker that has a message on its way ends the link',
      '} else if !may_be_gone {',
      '} else if !may_be_gone || true {',
    ],
    ['a name that leads nowhere counts for ever', '            peer.names.forget(handle);\n', ''],
  ]),
  ...from('crates/node/src/port/route.rs', named, [
    [
      'a message whose sender has gone is of whoever has its number now',
      'let sender_generation = sender_generation & !ELSEWHERE;',
      'let sender_generation = if word & record::SENDER_ELSEWHERE == 0 { sender_generation } else { self.targets.handle(sender).generation };',
    ],
  ]),
  ...from('crates/node/src/port/peers.rs', named, [
    ['a worker that the peer can not know is named as sender', '                return None;\n', ''],
  ]),
  ...from('crates/node/src/port/names.rs', named, [
    ['a peer is told any number of names', 'self.told.len() < MAX_NAMES && ', ''],
    ['a peer that tells too many names passes', 'self.heard.len() <= MAX_NAMES', 'self.heard.len() <= usize::MAX'],
  ]),
  ...from('crates/node/src/port/names.rs', inside('names'), [
    ['a worker without a name gets one later', ' && !self.nameless.contains(&worker)', ''],
    [
      'a name that was taken back leaves no room',
      '        self.told.remove(&worker)\n',
      '        self.told.contains(&worker)\n',
    ],
  ]),
  ...from('crates/node/src/port/arrivals.rs', hostile, [
    [
      'one peer may have any number of requests open',
      'let has_room = peer.asked < MAX_OPEN_OF_PEER;',
      'let has_room = true;',
    ],
    ['requests of a peer do not count', '        peer.asked += 1;\n', '        peer.asked |= 1;\n'],
    [
      'a request of a peer that is one too many hears nothing',
      '            self.send_failure(link, request, Failure::new(code::MAILBOX_FULL), TOO_MANY_OPEN);\n',
      '',
    ],
    ['a message passes without a place', 'return self.misbehaves(link, "a message came without credit");', '{}'],
    [
      'a message passes from a sender without a name',
      'return self.misbehaves(link, "a message came from a sender that was never bound");',
      'return;',
    ],
  ]),
  ...from('crates/node/src/node/events.rs', hostile, [
    [
      'control requests may hold any number of bytes',
      'if !link.control_room().take(Post::control_size(bytes)) {',
      'if !link.control_room().take(Post::control_size(bytes)) && false {',
    ],
    [
      'any number of frames may wait for a busy isolate',
      'if !link.unread_room().take(size) => misbehaves(',
      'if !link.unread_room().take(size) && false => misbehaves(',
    ],
  ]),
  ...from('crates/node/src/port/arrivals.rs', hostile, [
    [
      'frames that were taken in still take room',
      '            peer.link.unread_room().give_back(size);\n',
      '            let _ = (peer, size);\n',
    ],
  ]),
  ...from('crates/node/src/port/outcome.rs', hostile, [
    [
      'a control request that was given up still takes room',
      'self.control_done(kept.link, kept.size);',
      'let _ = kept;',
    ],
  ]),
  ...from('crates/node/src/port/orders.rs', hostile, [
    [
      'a control request that is worked on takes no room',
      'if id & INBOUND != 0 {',
      'if id & INBOUND != 0 { self.control_done(link, size);',
    ],
    [
      'a control request that was answered still takes room',
      'if let Some((link, size)) = self.fetched.remove(&request) {',
      'if let Some((link, size)) = self.fetched.remove(&request).filter(|_| false) {',
    ],
  ]),
  ...from('crates/node/src/node/ended.rs', inside('ended'), [
    [
      'who waits for a thread that nobody can wait on waits for ever',
      'if let Some(done) = self.0.take() {',
      'if let Some(done) = self.0.take().filter(|_| std::thread::current().name() == Some("troupe-close")) {',
    ],
  ]),
  ...from('crates/node/src/node/search.rs', hostile, [
    [
      'a peer is remembered as often as it asks for a name',
      'match peers.iter_mut().find(|(known, _)| known.index() == link.index()) {',
      'match peers.iter_mut().find(|_| false) {',
    ],
  ]),
  ...from('crates/node/src/node/events.rs', hostile, [
    [
      'a control request needs no capability',
      '.filter(|needed| !link.peer().capabilities.contains(*needed))',
      '.filter(|_| false)',
    ],
    ['anyone may start workers', "Some(b'S') => Some(Capabilities::WORKER_START),", ''],
    ['anyone may bring code', "Some(b'C') => Some(Capabilities::CODE_SHIP),", ''],
    ['anyone may stop workers', "Some(b'X') => Some(Capabilities::WORKER_STOP),", ''],
  ]),
];
