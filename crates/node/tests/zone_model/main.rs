//! Random programs run on the nodes of a zone, over a simulated network and by a clock that stands still while anything is to
//! be done; what everybody hears is compared with a reference: order, one outcome each, nothing twice, nothing lost that was
//! promised, nothing said that is not so.
//!
//! `TROUPE_MODEL_SEEDS` says how many programs, 500 by default; `TROUPE_MODEL_SEED` runs the one of that seed. A failure prints
//! its seed and the smallest program that still fails.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod found;
mod play;
mod program;
mod reference;
mod rules;

use play::play;
use program::draw;
use troupe_testkit::explore;

/// Steps of one program.
const STEPS: usize = 100;

#[test]
fn random_programs_do_in_a_zone_what_the_reference_allows() {
    explore(|random| draw(random, STEPS), play);
}
