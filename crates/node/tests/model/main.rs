//! Random programs run on a port and on a reference that was written independently of it; everything that can be seen has
//! to be the same after each step: outcomes, order, one at a time, losses, counters.
//!
//! `TROUPE_MODEL_SEEDS` says how many programs, 500 by default; `TROUPE_MODEL_SEED` runs the one of that seed. A failure prints
//! its seed and the smallest program that still fails.

mod play;
mod program;
mod reference;

use play::play;
use program::draw;
use troupe_testkit::explore;

/// Steps of one program.
const STEPS: usize = 120;

#[test]
fn random_programs_do_on_a_port_what_the_reference_says() {
    explore(|random| draw(random, STEPS), play);
}
