//! Any bytes as the record of a node in the zone's directory: none, or a record that reads the same when it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troupe_node::discovery::fuzzing::reread;
use troupe_proto::address::check_name;

fuzz_target!(|bytes: &[u8]| {
    let Some((member, written)) = reread(bytes) else { return };
    assert!(check_name(&member.name).is_ok());
    assert_eq!(written.len(), bytes.len());
    assert_eq!(reread(&written), Some((member, written.clone())));
});
