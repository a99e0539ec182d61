//! Random programs from seeds: run, and made small when they fail.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Numbers from a seed: Steele, Lea and Flood's `SplitMix` (2014).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// How a handler of a random program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a reply.
    Replies,
    /// With a second one as well.
    RepliesTwice,
    /// Without one.
    Silent,
    /// It throws.
    Fails,
}

/// The smallest program found that still fails: parts are left out, halves first, single steps last.
pub fn shrink<S: Clone>(mut program: Vec<S>, fails: impl Fn(&[S]) -> bool) -> Vec<S> {
    let mut size = program.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < program.len() {
            let mut smaller = program.clone();
            smaller.drain(at..(at + size).min(program.len()));
            if fails(&smaller) {
                program = smaller;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    program
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, and a number is expected")))
}

/// A panic inside is a failure of the program like any other.
fn outcome<S>(play: impl Fn(&[S]) -> Result<(), String>, program: &[S]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| play(program))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default())
    })
}

/// What an error says was wrong, without where and with what numbers: the end of its first part.
fn kind(error: &str) -> String {
    let first = error.split(';').next().unwrap_or_default();
    let last = first.rsplit(": ").next().unwrap_or_default();
    last.chars().filter(|char| !char.is_ascii_digit()).collect()
}

/// Draws programs and plays them: 500, or `TROUPE_MODEL_SEEDS`, from seed 0 or `TROUPE_MODEL_FROM` on; or the one of
/// `TROUPE_MODEL_SEED`. Panics with the seed of the first that fails and the smallest program that still does.
pub fn explore<S: Clone + Debug>(
    draw: impl Fn(&mut Random) -> Vec<S>,
    play: impl Fn(&[S]) -> Result<(), String>,
) {
    let from = number("TROUPE_MODEL_FROM").unwrap_or(0);
    let all = from..from + number("TROUPE_MODEL_SEEDS").unwrap_or(500);
    let seeds = number("TROUPE_MODEL_SEED").map_or(all, |seed| seed..seed + 1);
    for seed in seeds {
        let program = draw(&mut Random::new(seed));
        if let Err(error) = outcome(&play, &program) {
            // Twice, and for the same reason: what fails now and then, or otherwise, is no smaller program that fails.
            let fails = |program: &[S]| {
                let is_same =
                    |other: Result<(), String>| other.is_err_and(|other| kind(&other) == kind(&error));
                is_same(outcome(&play, program)) && is_same(outcome(&play, program))
            };
            let small = shrink(program, fails);
            let smallest = outcome(&play, &small).err().unwrap_or_default();
            let steps: Vec<_> = small.iter().map(|step| format!("    {step:?},")).collect();
            let steps = steps.join("\n");
            panic!(
                "TROUPE_MODEL_SEED={seed}: {error}\nthe smallest program that fails:\n{steps}\n{smallest}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_shrinks_to_the_steps_that_matter() {
        let mut random = Random::new(7);
        let mut program: Vec<_> = (0..300).map(|_| random.below(10)).collect();
        program.extend([3, 3]);
        let fails = |program: &[usize]| program.iter().filter(|step| **step == 3).count() >= 2;
        assert_eq!(shrink(program, fails), [3, 3]);
    }
}
