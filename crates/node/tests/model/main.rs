//! Random programs run on a port and on a reference that was written independently of it; everything that can be seen has
//! to be the same after each step: outcomes, order, one at a time, losses, counters.
//!
//! `TROUPE_MODEL_SEEDS` says how many programs, 500 by default; `TROUPE_MODEL_SEED` runs the one of that seed. A failure prints
//! its seed and the smallest program that still fails.

mod play;
mod program;
mod reference;

use play::play;
use program::{Random, Step, draw, shrink};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps of one program.
const STEPS: usize = 120;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, and a number is expected")))
}

/// A panic inside is a failure of the program like any other.
fn outcome(program: &[Step]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| play(program))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default())
    })
}

#[test]
fn random_programs_do_on_a_port_what_the_reference_says() {
    let seeds = match number("TROUPE_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TROUPE_MODEL_SEEDS").unwrap_or(500),
    };
    for seed in seeds {
        let program = draw(&mut Random::new(seed), STEPS);
        if let Err(error) = outcome(&program) {
            let small = shrink(program, |program| outcome(program).is_err());
            let smallest = outcome(&small).err().unwrap_or_default();
            let steps: Vec<_> = small.iter().map(|step| format!("    {step:?},")).collect();
            let steps = steps.join("\n");
            panic!(
                "TROUPE_MODEL_SEED={seed}: {error}\nthe smallest program that fails:\n{steps}\n{smallest}"
            );
        }
    }
}
