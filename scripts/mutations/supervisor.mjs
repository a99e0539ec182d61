// The supervisor: what it is asked, what its containers print and record, and what is left when something ends.
const containers = 'cargo test -p troupe-supervisor --test containers';
const zone = 'cargo test -p troupe-supervisor --test zone';
const inside = (module) => `cargo test -p troupe-supervisor --lib ${module}`;

const from = (file, test, list) =>
  list.map(([what, from, to]) => ({ what, in: `crates/supervisor/src/${file}`, from, to, test }));

/** Removals of the checks and bounds in `crates/supervisor/src`. */
export const supervisor = [
  ...from('plan.rs', inside('plan'), [
    ['a plan for another zone is applied', 'if plan.zone != zone {', 'if false {'],
    ['a plan may have any number of containers', 'if self.containers.len() > MOST_CONTAINERS {', 'if false {'],
    ['a container may drain for ever', 'if self.drain() > LONGEST_DRAIN {', 'if false {'],
    [
      'two containers may have one node name',
      'if !names.insert(node) {',
      'if !names.insert(node) && names.is_empty() {',
    ],
    ['a program is looked for in the PATH', 'if !path.is_absolute() {', 'if false {'],
    ['secrets are in debug output', '.field("image", &self.image)', '.field("image", &self.env)'],
  ]),
  ...from('lines.rs', inside('lines'), [
    ['a line grows without a bound', 'let room = LONGEST_LINE - self.begun.len();', 'let room = usize::MAX;'],
    ['a stream may push out all others', 'if self.left < needed {', 'if false {'],
  ]),
  ...from('line.rs', inside('line'), [
    ['a record may be of any length', 'if self.cost() <= longest {', 'if self.cost() <= usize::MAX {'],
  ]),
  ...from('files.rs', inside('files'), [
    ['the history grows for ever', 'if number + MOST_FILES <= self.newest {', 'if false {'],
    ['others can read the history', '.mode(0o600)', '.mode(0o644)'],
    ['others can list the history', '.mode(0o700)', '.mode(0o755)'],
  ]),
  ...from('history.rs', containers, [
    [
      'nobody waits for the files',
      'let _ = self.taken.clone().wait_for(|taken| *taken + ON_THE_WAY >= number).await;',
      'let _ = number;',
    ],
  ]),
  ...from('past.rs', inside('past'), [
    ['one question reads all files', 'back.read >= LOOKED_AT', 'back.read == u64::MAX'],
    ['one answer is as long as is asked for', 'if lines.len() == limit ||', 'if'],
  ]),
  ...from('pull.rs', zone, [
    ['a node speaks in the name of another', 'from.clone_into(&mut line.node);', ''],
    ['lost records are nobody’s business', 'if answer.dropped > 0 {', 'if false {'],
  ]),
  ...from('pull.rs', zone, [
    [
      'what a node has handed out is lost with it',
      'take(&from, answer, &history).await;',
      'let mut end = gone.clone();\ntokio::select! { () = take(&from, answer, &history) => {} _ = end.changed() => return }',
    ],
  ]),
  ...from('keeper.rs', containers, [
    ['a node that leaves with status 0 stays away', 'exit.is_success() && !was_in_zone', 'exit.is_success()'],
    [
      'a program without a node counts as up',
      'set(&self.status, State::Running, pid, None);',
      'set(&self.status, State::Up, pid, None);',
    ],
    ['a node is started beside one of its name', 'if is_free(&present.borrow()) {', 'if true {'],
  ]),
  ...from('steps.rs', inside('steps'), [
    [
      'what is done is never done again',
      'is_some_and(|before| before.state == State::Ended)',
      'is_some_and(|before| before.state == State::GivenUp)',
    ],
  ]),
  ...from('container.rs', containers, [
    ['a container inherits the environment', '.env_clear()', ''],
    ['what a container leaves goes on', '        self.kill();\n        self.is_over', '        self.is_over'],
  ]),
  ...from('container.rs', zone, [
    ['a container does not notice the end of its supervisor', '.stdin(Stdio::piped())', '.stdin(Stdio::null())'],
  ]),
  ...from('supervisor.rs', containers, [
    ['what does not come up replaces every clone', 'if !stop.iter().any(works) {', 'if true {'],
    ['one project takes over the zone of another', 'if *own != plan.project && !kept', 'if false && !kept'],
    ['a supervisor ends in the middle of its first plan', 'self.0.wanted.send_replace(true);', ''],
    ['a supervisor that nobody wants takes a plan at its end', 'if is_unwanted {', 'if false {'],
    [
      'something is started while all is stopped',
      'if self.is_ending() {\n                return Err',
      'if false {\n                return Err',
    ],
    [
      'two plans are applied at once',
      '            if let Some(busy) = kept.busy {\n                return Err',
      '            if let Some(busy) = None {\n                return Err',
    ],
  ]),
];
