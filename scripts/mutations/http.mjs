// The HTTP server: who may ask, how much it holds for whom, and what members may tell it.
const server = (module) => `cargo test -p troupe-http --test server ${module}`;
const inside = (module) => `cargo test -p troupe-http --lib ${module}`;

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks and bounds in `crates/http`. */
export const http = [
  ...from('crates/http/src/guard.rs', server('security'), [
    ['a server of this machine answers under any name', 'if app.options.listen.ip().is_loopback() &&', 'if false &&'],
    ['a request under two names is answered', 'headers.get_all(header::HOST).iter().count() > 1', 'false'],
    ['the name in the address is not looked at', 'request.uri().authority().map(Authority::as_str)', 'None'],
    ['a request of two origins is answered', '.filter(|_| is_one)', ''],
    ['a page of another origin is answered', 'if !is_own {', 'if false {'],
    ['a page of another site is answered', 'matches!(site, "same-origin" | "none")', 'true'],
    ['a page of another site may post', '!(*method == Method::GET && is_visit(headers))', '!is_visit(headers)'],
    ['a page of another site may frame', ' && text(headers, "sec-fetch-dest") == Some("document")', ''],
    [
      'the token is not asked for',
      'Some(token) if !is_probe && !shows(headers, token)',
      'Some(token) if false && !shows(headers, token)',
    ],
    ['browsers are told nothing', '    tell_browser(response.headers_mut());\n', ''],
  ]),
  ...from('crates/http/src/guard.rs', inside('guard'), [
    [
      'any shown token is right',
      'bool::from(shown.ct_eq(token.as_bytes()))',
      '!shown.is_empty() || bool::from(shown.ct_eq(token.as_bytes()))',
    ],
    ['what stands behind a host is not looked at', '(rest.is_empty() || rest', '(true || rest'],
    ['an address of another machine is this one', '|ip| ip.is_loopback()', '|ip| ip.is_ipv4() || ip.is_loopback()'],
  ]),
  ...from('crates/http/src/options.rs', server('security'), [
    ['any token does', 'if token.chars().count() < MIN_TOKEN', 'if false'],
    ['a token that nobody can show is taken', 'letter.is_ascii_graphic() ||', 'true ||'],
    ['others reach a server without a token', 'None if !self.listen.ip().is_loopback()', 'None if false'],
  ]),
  ...from('crates/http/src/connections.rs', server('security'), [
    ['connections have no bound', 'const CONNECTIONS: usize = 256;', 'const CONNECTIONS: usize = 4096;'],
    ['heads of requests have no bound', '        .max_buf_size(BUFFER)\n', ''],
  ]),
  ...from('crates/http/src/view/told.rs', inside('told'), [
    [
      'what was told is known for ever',
      '            if seen.shown == 0 {\n                self.seen.remove(&mark);',
      '            if false {\n                self.seen.remove(&mark);',
    ],
  ]),
  ...from('crates/http/src/connections.rs', server('limits'), [
    ['the head of a request has all the time', '        .header_read_timeout(limits.head)\n', ''],
  ]),
  ...from('crates/http/src/body.rs', server('limits'), [
    ['a body that stops has all the time', 'whole.min(Instant::now() + limits.body_pause)', 'whole'],
    [
      'a body that drips has all the time',
      'whole.min(Instant::now() + limits.body_pause)',
      'Instant::now() + limits.body_pause',
    ],
  ]),
  ...from('crates/http/src/patience.rs', server('limits'), [
    ['who reads nothing is written to for ever', 'ready!(until.as_mut().poll(context));', 'return Poll::Pending;'],
  ]),
  ...from('crates/http/src/calls.rs', server('workers'), [
    ['a message that does not say its length has no bound', 'read(body, MAX_MESSAGE,', 'read(body, 4 * MAX_MESSAGE,'],
    ['messages are taken where they are not enabled', 'if !app.options.workers {', 'if false {'],
    ['messages under way have no bound in bytes', 'try_acquire_many_owned(kib(length))', 'try_acquire_many_owned(0)'],
    [
      'replies that nobody reads have no bound in bytes',
      'try_acquire_many_owned(kib(text.len()))',
      'try_acquire_many_owned(0)',
    ],
    [
      'a caller waits for an isolate that is held up',
      'let until = timeout + GRACE;',
      'let until = timeout + GRACE * 1000;',
    ],
  ]),
  ...from('crates/http/src/room.rs', server('workers'), [
    [
      'a message that does not say its length counts as the longest one until its reply',
      'None => self.room.shrink(self.bytes),',
      'None => {}',
    ],
    ['a message that was read counts no more', 'self.room.shrink(self.bytes)', 'self.room.shrink(0)'],
  ]),
  ...from('crates/http/src/app.rs', server('events'), [
    ['readers have no bound', 'const STREAMS: usize = 128;', 'const STREAMS: usize = 200;'],
  ]),
  ...from('crates/http/src/page.rs', server('page'), [
    ['files have the page for an answer', '&& !has_extension(&path)', ''],
  ]),
  ...from('crates/http/src/view/reader.rs', server('events'), [
    [
      'a slow reader is never behind',
      'history.next().saturating_sub(BEHIND)',
      'history.next().saturating_sub(BEHIND * 1000)',
    ],
  ]),
  ...from('crates/http/src/view/reader.rs', inside('reader'), [
    ['a reader that is always behind never hears of the nodes', '(self.told_nodes || !is_changed) && ', ''],
    ['a reader that is told slowly of the nodes gets no lines', '(self.told_nodes || !is_changed)', '!is_changed'],
  ]),
  ...from('crates/http/src/view/history.rs', inside('history'), [
    ['the history has no bound in lines', 'self.lines.len() > self.limits.lines ||', 'false ||'],
    ['the history has no bound in bytes', '|| self.bytes > self.limits.bytes', '|| false'],
    ['an answer with lines has no bound in bytes', 'self.bytes + json.len() > ANSWER &&', 'false &&'],
  ]),
  ...from('crates/http/src/view/mod.rs', server('view'), [
    ['a reader of lines is not told that there are more', 'let more = next < history.next();', 'let more = false;'],
  ]),
  ...from('crates/http/src/view/pull.rs', server('view'), [
    ['a member may speak for another node', 'lines.retain(|line| line.node == member.name);', ''],
    ['a node is heard before its supervisor is asked for whom it speaks', '        view.ask_covers().await;\n', ''],
    [
      'a node that a supervisor speaks for is heard twice',
      'covers.as_ref().map(|covers| covers.contains(&member.name))',
      'covers.as_ref().map(|_| false)',
    ],
  ]),
  ...from('crates/http/src/view/nodes.rs', inside('nodes'), [
    [
      'a member may say that it is another one',
      'node.insert("node".into(), self.member.name.clone().into());\n        node.insert("id"',
      'node.insert("id"',
    ],
    ['nodes that are gone are kept for ever', 'if gone.len() > GONE {', 'if false {'],
  ]),
  ...from('crates/http/src/view/samples.rs', inside('samples'), [
    ['samples have no bound', '&& self.curves.len() >= WORKERS', '&& false'],
  ]),
];
