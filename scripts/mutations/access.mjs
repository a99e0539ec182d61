// The zone's directory: who can read it, what in it is believed, and whose names are free.
const directory = 'cargo test -p troupe-node --test directory';
const inside = (module) => `cargo test -p troupe-node --lib ${module}`;

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks in `crates/node/src/discovery`. */
export const access = [
  ...from('crates/node/src/discovery/trust.rs', directory, [
    ['a file or folder of the zone may be a link', '    if facts.link {', '    if false {'],
    ['a file may stand in place of a folder', 'else if kind == Kind::Folder && !facts.folder {', 'else if false {'],
    ['a folder may stand in place of a file', 'else if kind == Kind::File && !facts.file {', 'else if false {'],
    ['a file or folder of the zone may be somebody else’s', 'else if facts.owner != user {', 'else if false {'],
    ['a file or folder of the zone may be open to others', 'else if facts.mode & 0o777 != wanted {', 'else if false {'],
    ['what is above may be written to by others', 'else if facts.mode & 0o022 != 0 && !sticky {', 'else if false {'],
    ['what is above may be a group’s to write', 'facts.mode & 0o022 != 0', 'facts.mode & 0o002 != 0'],
    ['the home may be a link', '                return Err(refuse_linked_home(&next));\n', ''],
    ['folders above are not looked at', '        check_above(&next, user)?;\n', ''],
    ['a folder is made open to others', 'DirBuilder::new().mode(0o700)', 'DirBuilder::new().mode(0o755)'],
    ['the home is not looked at', '    check(&home, Kind::Folder)?;\n', ''],
    ['folders of the zone are not looked at', '    check(path, Kind::Folder)?;\n', ''],
  ]),
  ...from('crates/node/src/discovery/trust.rs', inside('trust'), [
    ['what is above may be anybody’s', '(owner != user && owner != 0).then_some', 'false.then_some'],
    ['root may own the zone', 'else if facts.owner != user {', 'else if facts.owner != user && facts.owner != 0 {'],
    ['a path in a command may be two words', `.replace('\\'', r"'\\''")`, ''],
  ]),
  ...from('crates/node/src/discovery/keys.rs', directory, [
    [
      'a key file is read whoever can read it',
      'match trust::check(&path, Kind::File) {',
      'match std::fs::symlink_metadata(&path).map_err(DiscoveryError::on("look at", &*path)) {',
    ],
    ['any file is a key', 'if magic[..7] != self.magic()[..7] {', 'if false {'],
    ['a key of another version is read', 'if magic[7] != VERSION {', 'if false {'],
    [
      'an access key is made anew behind the members',
      'return Err(OpenError::Damaged { path, zone: zone.to_owned(), what: "is missing" });',
      'return create(zone).map(|(authority, access)| (Authority::from_secret(&authority), AccessKey::from_secret(&access)));',
    ],
    ['a key file is open to others', '.mode(0o600)', '.mode(0o644)'],
    [
      'a key is made while another makes it',
      '    let _lock = ZoneLock::wait(zone)?;\n    let access = match ACCESS.read(zone)? {\n        Some(access) => access,\n        None =>',
      '    let access = match None::<Secret> {\n        Some(access) => access,\n        None =>',
    ],
  ]),
  ...from('crates/node/src/discovery/lock.rs', directory, [
    ['the lock’s file is open to others', '.mode(0o600)', '.mode(0o644)'],
    ['the lock’s file may be anybody’s', '        trust::check(&path, Kind::File)?;\n', ''],
  ]),
  ...from('crates/node/src/discovery/lock.rs', inside('lock'), [
    ['a pipe in place of a file is waited for', '(OFlags::NOFOLLOW | OFlags::NONBLOCK)', 'OFlags::NOFOLLOW'],
    ['a link is followed when a file is opened', '(OFlags::NOFOLLOW | OFlags::NONBLOCK)', 'OFlags::NONBLOCK'],
    [
      'a lock is waited for without end',
      'if begin.elapsed() > patience {',
      'if begin.elapsed() > patience + PATIENCE * 100 {',
    ],
  ]),
  ...from('crates/node/src/discovery/record.rs', inside('record'), [
    ['any file is a record', 'if take(&mut rest)? != *MAGIC {', 'if take::<7>(&mut rest)? == [0; 7] {'],
    ['a record of another version is read', 'if take(&mut rest)? != [VERSION] {', 'if take(&mut rest)? == [0] {'],
    [
      'an address of any kind is read',
      '_ => return Err("has an address of an unknown kind"),',
      '_ => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),',
    ],
    [
      'something may follow the name',
      'if rest.len() != usize::from(length) {',
      'if rest.len() < usize::from(length) {',
    ],
    [
      'a record may be cut off in its name',
      'if rest.len() != usize::from(length) {',
      'if rest.len() > usize::from(length) {',
    ],
    ['a name may lead elsewhere', 'if check_name(name).is_err() {', 'if false {'],
    ['a node of another machine is a member', 'if differ(&self.boot, &here.boot) {', 'if false {'],
    ['a node of another network is a member', '} else if differ(&self.network, &here.network) {', '} else if false {'],
  ]),
  ...from('crates/node/src/discovery/records.rs', directory, [
    [
      'a record may stand under another name',
      'Ok(record) if record.member.name != name => {',
      'Ok(record) if record.member.name.is_empty() => {',
    ],
    [
      'a foreign record is a member',
      'match record.machine.foreign_to(&self.machine) {',
      'match record.machine.foreign_to(&record.machine) {',
    ],
    [
      'a record that nobody holds is a member',
      'if !lock::is_held(&opened).map_err(DiscoveryError::on("look at the lock of", &*path))? {',
      'if false {',
    ],
    [
      'a record may be open to others',
      'trust::check(path, Kind::File)\n        .and_then(|_| lock::open(path).map_err(DiscoveryError::on("open", path)));',
      'lock::open(path).map_err(DiscoveryError::on("open", path));',
    ],
    ['a record is written open to others', '.mode(0o600)', '.mode(0o644)'],
    ['a live node’s name is taken from it', 'RenameFlags::NOREPLACE', 'RenameFlags::empty()'],
  ]),
  ...from('crates/node/src/discovery/directory.rs', directory, [
    [
      'a zone’s name may lead elsewhere',
      '        check_name(zone).map_err(|reason| OpenError::BadName { name: zone.to_owned(), reason })?;\n',
      '',
    ],
    [
      'a node’s name may lead elsewhere',
      'if let Err(reason) = check_name(&name) {',
      'if let (Err(reason), true) = (check_name(&name), false) {',
    ],
  ]),
  ...from('crates/node/src/discovery/records.rs', inside('records'), [
    ['the record of the next node is removed', 'if is_at(dead, path).map_err(failed())? {', 'if true {'],
  ]),
];
